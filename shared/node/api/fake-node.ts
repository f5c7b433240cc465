/** For tests: a node's calls over a few arrays, with every answer the same each time. Nothing here is durable. */

import type { Call, CallResult, Durability, Health, Received, Stats } from '../../core/calls.ts';
import { RingmailError } from '../../errors.ts';
import { formatAddress, parseAddress } from '../../message/address.ts';
import { identityText } from '../../message/identity.ts';
import { checkProperties, type Message, PRIORITY_DEFAULT } from '../../message/message.ts';
import { QUEUE_DEFAULTS } from '../../queue/queue-options.ts';
import type { NodeCalls } from '../node-calls.ts';

type Success = Exclude<CallResult, { kind: 'error' }>;

export const FAKE_NAME = 'belt1';
const INCARNATION = '00c0ffee00c0ffee';
const BODY_BYTES_LIMIT = 192 * 1024;

interface Held {
  readonly message: Message;
  deliveryCount: number;
}
interface Waiting {
  readonly queue: string;
  readonly leaseMs: number;
  readonly answer: (result: Success) => void;
}

export class FakeNode implements NodeCalls {
  /** Everything that was asked, in order. */
  readonly calls: Call[] = [];
  /** What each of the next calls is refused with. */
  readonly refusals: RingmailError[] = [];
  readonly queues = new Map<string, Held[]>();
  readonly leases = new Map<string, { readonly queue: string; readonly held: Held }>();
  waiting: Waiting[] = [];
  durability: Durability = 'sync';
  health: Health = { status: 'green', causes: [] };
  adapters: Stats['adapters'] = {};
  /** A call waits for this before it is done: a disk that takes its time. */
  disk: Promise<void> = Promise.resolve();
  readonly #numbers = new Map<string, number>();
  #leaseCount = 0;

  async call(call: Call, signal?: AbortSignal): Promise<Success> {
    this.calls.push(call);
    const refusal = this.refusals.shift();
    if (refusal !== undefined) throw refusal;
    await this.disk;
    switch (call.verb) {
      case 'send':
        return this.#send(call);
      case 'receive':
        return this.#receive(call, signal);
      case 'ack':
        this.#end(call.lease);
        return { kind: 'done' };
      case 'nack': {
        const { queue, held } = this.#end(call.lease);
        this.#put(queue, held);
        return { kind: 'done' };
      }
      case 'deadLetter': {
        const { held } = this.#end(call.lease);
        const ending = { class: 'POISON' as const, node: FAKE_NAME, reason: call.reason };
        const previous = identityText(held.message.identity);
        this.#put('$dead', { message: { ...held.message, previous, history: [ending] }, deliveryCount: 0 });
        return { kind: 'done' };
      }
      case 'position':
        return { kind: 'position', value: undefined };
      case 'stats':
        return { kind: 'stats', stats: this.#stats() };
      default:
        throw new RingmailError('REQUEST_INVALID', { reason: `${call.verb} is not faked yet` });
    }
  }

  #send({ destination, body, properties }: Extract<Call, { verb: 'send' }>): Success {
    checkProperties(properties);
    const address = parseAddress(destination, FAKE_NAME);
    if (body.length > BODY_BYTES_LIMIT) {
      throw new RingmailError('MESSAGE_TOO_LARGE', { bytes: body.length, bytesMax: BODY_BYTES_LIMIT });
    }
    const priority = properties.priority ?? PRIORITY_DEFAULT;
    const stream = { origin: FAKE_NAME, incarnation: INCARNATION, destination: formatAddress(address), priority };
    const number = (this.#numbers.get(`${stream.destination}:${priority}`) ?? 0) + 1;
    this.#numbers.set(`${stream.destination}:${priority}`, number);
    const identity = { ...stream, number };
    const message = { ...properties, identity, epoch: { counter: 1, random: 7 }, priority, body: body.slice() };
    if (address.node === FAKE_NAME) this.#put(address.queue, { message, deliveryCount: 0 });
    return { kind: 'sent', identity: identityText(identity), durability: this.durability };
  }

  #receive(call: Extract<Call, { verb: 'receive' }>, signal: AbortSignal | undefined): Success | Promise<Success> {
    const { queue, waitMs, leaseMs } = call;
    const list = this.queues.get(queue);
    if (list === undefined) throw new RingmailError('QUEUE_NOT_FOUND', { queue });
    const held = list.shift();
    if (held !== undefined) return { kind: 'received', received: this.#lease(queue, held, leaseMs) };
    if (waitMs === 0 || signal?.aborted === true) return { kind: 'empty' };
    return new Promise((resolve) => {
      const waiting = { queue, leaseMs, answer: resolve };
      const end = (): void => {
        this.waiting = this.waiting.filter((other) => other !== waiting);
        resolve({ kind: 'empty' });
      };
      this.waiting.push(waiting);
      setTimeout(end, waitMs).unref();
      signal?.addEventListener('abort', end, { once: true });
    });
  }

  #put(queue: string, held: Held): void {
    const list = this.queues.get(queue) ?? [];
    this.queues.set(queue, list);
    const before = list.findIndex((other) => other.message.priority < held.message.priority);
    list.splice(before < 0 ? list.length : before, 0, held);
    const waiting = this.waiting.find((other) => other.queue === queue);
    if (waiting === undefined) return;
    this.waiting = this.waiting.filter((other) => other !== waiting);
    list.splice(list.indexOf(held), 1);
    waiting.answer({ kind: 'received', received: this.#lease(queue, held, waiting.leaseMs) });
  }

  #lease(queue: string, held: Held, leaseMs: number): Received {
    this.#leaseCount += 1;
    const lease = `1.k3v9-${this.#leaseCount}`;
    held.deliveryCount += 1;
    this.leases.set(lease, { queue, held });
    const { message, deliveryCount } = held;
    return {
      lease,
      leaseMs,
      deliveryCount,
      moveCount: 0,
      lookupId: message.identity.number,
      hop: { count: 0, elapsedMs: 0 },
      message,
    };
  }

  #end(lease: string): { queue: string; held: Held } {
    const found = this.leases.get(lease);
    if (found === undefined) throw new RingmailError('LEASE_UNKNOWN', { lease });
    this.leases.delete(lease);
    return found;
  }

  #stats(): Stats {
    const leased = [...this.leases.values()];
    return {
      node: FAKE_NAME,
      incarnation: INCARNATION,
      epoch: 1,
      health: this.health,
      ring: {
        bytesUsed: 4096,
        bytesMax: 8_388_608,
        freeBlocks: 2000,
        messagesStored: 3,
        framesWritten: 3,
        blocksWritten: 3,
        gaps: 0,
        lost: { gaps: 0, frames: 0, ids: 0 },
        corrupt: 0,
        durability: this.durability,
        intervalMs: this.durability === 'interval' ? 50 : 0,
        ioMode: 'inline',
      },
      queues: [...this.queues].map(([name, list]) => ({
        name,
        ready: list.length,
        leased: leased.filter(({ queue }) => queue === name).length,
        bytes: list.reduce((bytes, { message }) => bytes + message.body.length, 0),
        ...QUEUE_DEFAULTS,
        bytesLimit: 1_048_576,
        delayed: 0,
        arrived: 0,
        ended: 0,
        blocked: 0,
        dropped: 0,
        expired: 0,
      })),
      outgoing: [{ stream: `${FAKE_NAME}:${INCARNATION}:central/bags:3`, held: 2, lo: 1, next: 3 }],
      uplink: 'none',
      links: [],
      clocks: [],
      accounts: [],
      counters: { redelivered: 0 },
      adapters: this.adapters,
    };
  }
}
