/** A small program at a node: the verbs in short words, answers as plain values. A refusal is its code. */
import { fromUtf8, toUtf8 } from '../../shared/bytes.ts';
import type { Call, CallResult, Peeked, QueueStats, Received } from '../../shared/core/calls.ts';
import { RingmailError } from '../../shared/errors.ts';
import type { Properties } from '../../shared/message/message.ts';
import type { NodeCalls } from '../../shared/node/node-calls.ts';
import type { QueueOptions } from '../../shared/queue/queue-options.ts';
import type { Selector } from '../../shared/queue/selector.ts';

type Success = Exclude<CallResult, { kind: 'error' }>;

export interface Reading {
  readonly waitMs?: number;
  readonly leaseMs?: number;
  readonly select?: Selector;
  readonly handle?: string;
}

export class Application {
  readonly #calls: NodeCalls;

  constructor(calls: NodeCalls) {
    this.#calls = calls;
  }

  ask(call: Call, signal?: AbortSignal): Promise<Success> {
    return this.#calls.call(call, signal);
  }

  /** What kind of answer, or the code of the refusal. */
  async code(call: Call): Promise<string> {
    try {
      return (await this.ask(call)).kind;
    } catch (error) {
      if (error instanceof RingmailError) return error.code;
      throw error;
    }
  }

  /** The identity. */
  async send(destination: string, body: string | Uint8Array, properties: Properties = {}): Promise<string> {
    const bytes = typeof body === 'string' ? toUtf8(body) : body;
    const sent = await this.ask({ verb: 'send', destination, body: bytes, properties });
    return sent.kind === 'sent' ? sent.identity : sent.kind;
  }

  /** `sent`, or the code of the refusal. */
  trySend(destination: string, body: string | Uint8Array, properties: Properties = {}): Promise<string> {
    const bytes = typeof body === 'string' ? toUtf8(body) : body;
    return this.code({ verb: 'send', destination, body: bytes, properties });
  }

  async receive(queue: string, how: Reading = {}, signal?: AbortSignal): Promise<Received | undefined> {
    const { waitMs = 0, leaseMs = 60_000, ...others } = how;
    const answer = await this.ask({ verb: 'receive', queue, waitMs, leaseMs, ...others }, signal);
    return answer.kind === 'received' ? answer.received : undefined;
  }

  async peek(queue: string, how: Omit<Reading, 'leaseMs'> = {}): Promise<Peeked | undefined> {
    const { waitMs = 0, ...others } = how;
    const answer = await this.ask({ verb: 'peek', queue, waitMs, bodies: 'with', ...others });
    return answer.kind === 'peeked' ? answer.peeked : undefined;
  }

  ack(received: Received | undefined): Promise<string> {
    return this.code({ verb: 'ack', lease: received?.lease ?? 'none' });
  }

  nack(received: Received | undefined, delayMs?: number): Promise<string> {
    return this.code({ verb: 'nack', lease: received?.lease ?? 'none', ...(delayMs !== undefined && { delayMs }) });
  }

  createQueue(queue: string, options: Partial<QueueOptions> = {}): Promise<string> {
    return this.code({ verb: 'createQueue', queue, options });
  }

  async queue(name: string): Promise<QueueStats | undefined> {
    return (await this.queues()).find((queue) => queue.name === name);
  }

  async queues(): Promise<readonly QueueStats[]> {
    const answer = await this.ask({ verb: 'queues' });
    return answer.kind === 'queues' ? answer.queues : [];
  }

  /** Receives and acknowledges all that is ready: the text of each. */
  async drain(queue: string): Promise<string[]> {
    const texts: string[] = [];
    for (let got = await this.receive(queue); got !== undefined; got = await this.receive(queue)) {
      texts.push(textOf(got));
      await this.ack(got);
    }
    return texts;
  }

  /** Looks at all that is ready: the text of each. */
  async look(queue: string): Promise<string[]> {
    const texts: string[] = [];
    let got = await this.peek(queue);
    while (got !== undefined) {
      texts.push(textOf(got));
      const place = { priority: got.message.priority, lookupId: got.lookupId };
      got = await this.peek(queue, { select: { by: 'after', place } });
    }
    return texts;
  }
}

export function textOf(got: { readonly message: { readonly body: Uint8Array } } | undefined): string {
  return got === undefined ? 'nothing' : (fromUtf8(got.message.body) ?? 'no text');
}
