/**
 * Messages as they come, one line of JSON each, for as long as the reader stays (docs/local-api.md, "Streams").
 *
 *   wait for room ──▶ receive ──▶ write the line ──▶ wait until it left ──┐
 *        ▲  fewer leases outstanding than `prefetch`                      │
 *        └────────────────────────────────────────────────────────────────┘
 *
 * One line at a time is under way, and its message is leased only once the line before it left: a slow reader holds one message in
 * memory, and at most `prefetch` leases. A line that never left gives its message back at once.
 */
import type { Call, Received } from '../../core/calls.ts';
import { WAIT_MS_MAX } from '../../core/desk-shell.ts';
import { RingmailError } from '../../errors.ts';
import { PREFETCH_DEFAULT, PREFETCH_MAX } from './api-limits.ts';
import type { Endpoint, Serving } from './endpoint.ts';
import { giveBack } from './give-back.ts';
import { LeaseBook } from './lease-book.ts';
import { type BodyAs, receivedJson } from './message-json.ts';
import { takeBodyAs, takeHandle, takeLeaseMs, takeWord } from './query-parts.ts';
import { errorJson, type LineSink, type Reply } from './reply.ts';
import { demand } from './rights.ts';

export const streamEndpoint: Endpoint = {
  method: 'POST',
  path: '/v1/stream/{queue}',
  parameters: ['prefetch', 'leaseMs', 'bodyAs', 'handle', 'whenClosed'],
  body: 'none',
  answers: [200],
  serve: stream,
};

interface Plan {
  readonly call: Call & { readonly verb: 'receive' };
  readonly bodyAs: BodyAs;
  readonly prefetch: number;
  readonly whenClosed: 'keep' | 'nack';
}

async function stream(serving: Serving): Promise<Reply> {
  const { ask, node, query, names } = serving;
  const [queue = ''] = names;
  demand(ask.client, 'receive', queue);
  const plan: Plan = {
    call: { verb: 'receive', queue, waitMs: WAIT_MS_MAX, leaseMs: takeLeaseMs(query), ...takeHandle(query, ask.client) },
    bodyAs: takeBodyAs(query),
    prefetch: query.takeWhole('prefetch', { min: 1, max: PREFETCH_MAX, missing: PREFETCH_DEFAULT }),
    whenClosed: takeWord(query, 'whenClosed', ['keep', 'nack']),
  };
  query.refuseOthers();
  // What is refused is refused by a status, before there are lines. A look costs nothing and leases nothing.
  const { handle } = plan.call;
  await node.call({ verb: 'peek', queue, waitMs: 0, bodies: 'without', ...(handle !== undefined && { handle }) });
  ask.client.take('streams');
  return {
    status: 200,
    headers: { 'Content-Type': 'application/x-ndjson' },
    body: '',
    lines: (sink) => new Stream(serving, plan, sink).run().finally(() => ask.client.give('streams')),
    undelivered: () => {},
  };
}

class Stream {
  readonly #serving: Serving;
  readonly #plan: Plan;
  readonly #sink: LineSink;
  /** Leased by this stream, and not known to have ended. */
  readonly #outstanding = new Set<string>();
  #wake: (() => void) | undefined;

  constructor(serving: Serving, plan: Plan, sink: LineSink) {
    this.#serving = serving;
    this.#plan = plan;
    this.#sink = sink;
    sink.signal.addEventListener('abort', () => this.#wake?.(), { once: true });
  }

  /** Ends when nobody reads any more, or after a line that says why. */
  async run(): Promise<void> {
    try {
      while (await this.#hasRoom()) {
        if (!(await this.#next())) return;
      }
      const { reason } = this.#sink.signal;
      if (reason instanceof RingmailError) await this.#sink.write(errorJson(reason));
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      await this.#sink.write(errorJson(error));
    } finally {
      if (this.#plan.whenClosed === 'nack') for (const lease of [...this.#outstanding]) giveBack(this.#serving, lease);
    }
  }

  /** Resolves when one more may be leased: true, or false when nobody wants it. */
  async #hasRoom(): Promise<boolean> {
    while (this.#outstanding.size >= this.#plan.prefetch && !this.#sink.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return !this.#sink.signal.aborted;
  }

  /** Hands out one message, if one comes. False when its line never left: nobody reads any more. */
  async #next(): Promise<boolean> {
    const { ask, leases } = this.#serving;
    LeaseBook.reserve(ask.client);
    const received = await this.#receive();
    if (received === undefined) {
      LeaseBook.release(ask.client);
      return true;
    }
    const { lease, leaseMs } = received;
    const onEnd = (): void => {
      this.#outstanding.delete(lease);
      this.#wake?.();
    };
    this.#outstanding.add(lease);
    leases.note(lease, { client: ask.client, leaseMs, onEnd }, performance.now());
    if (await this.#sink.write(receivedJson(received, this.#plan.bodyAs))) return true;
    giveBack(this.#serving, lease);
    return false;
  }

  async #receive(): Promise<Received | undefined> {
    const { ask, node } = this.#serving;
    try {
      const result = await node.call(this.#plan.call, this.#sink.signal);
      return result.kind === 'received' ? result.received : undefined;
    } catch (error) {
      LeaseBook.release(ask.client);
      throw error;
    }
  }
}
