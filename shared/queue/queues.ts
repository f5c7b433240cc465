/**
 * The queues of a node that applications receive from: within a queue by priority, then in order of arrival. A message is ready or
 * leased; a lease ends by acknowledgement, by its deadline, or with the process, and an unacknowledged message is ready again.
 */
import { invariant } from '../assert.ts';
import { RingmailError } from '../errors.ts';
import { isQueueName } from '../message/address.ts';
import { PRIORITY_MAX } from '../message/message.ts';
import { type MessageIndex, NO_SLOT } from '../ring/message-index.ts';
import { SlotList } from './slot-list.ts';

export interface Queue {
  readonly name: string;
  /** Never reused; stands in every PUT entry of its messages. */
  readonly id: number;
  /** Bytes of bodies, ready and leased, beyond which a send is refused. */
  bytesLimit: number;
  /** By priority. */
  readonly ready: readonly SlotList[];
  leasedCount: number;
  leasedBytes: number;
  /** Planned for the queue, not durable yet. */
  plannedBytes: number;
}

export class Queues {
  readonly #index: MessageIndex;
  readonly #byName = new Map<string, Queue>();
  readonly #byId = new Map<number, Queue>();
  #nextId = 1;

  constructor(index: MessageIndex) {
    this.#index = index;
  }

  /** A queue as META remembers it, or a new one with a new id. @throws NAME_INVALID */
  define(name: string, options: { id?: number; bytesLimit: number }): Queue {
    if (!isQueueName(name)) throw new RingmailError('NAME_INVALID', { name, reason: 'queue: [a-z0-9][a-z0-9_-]{0,62}' });
    const known = this.#byName.get(name);
    if (known !== undefined) {
      known.bytesLimit = options.bytesLimit;
      return known;
    }
    const id = options.id ?? this.#nextId;
    this.#nextId = Math.max(this.#nextId, id + 1);
    const ready = Array.from({ length: PRIORITY_MAX + 1 }, () => new SlotList(this.#index, 'id'));
    const queue = { name, id, ready, bytesLimit: options.bytesLimit, leasedCount: 0, leasedBytes: 0, plannedBytes: 0 };
    this.#byName.set(name, queue);
    this.#byId.set(id, queue);
    return queue;
  }

  find(name: string): Queue | undefined {
    return this.#byName.get(name);
  }

  /** @throws QUEUE_NOT_FOUND */
  get(name: string): Queue {
    const queue = this.#byName.get(name);
    if (queue === undefined) throw new RingmailError('QUEUE_NOT_FOUND', { queue: name });
    return queue;
  }

  byId(id: number): Queue | undefined {
    return this.#byId.get(id);
  }

  [Symbol.iterator](): IterableIterator<Queue> {
    return this.#byName.values();
  }

  /** A durable message becomes visible. */
  enqueue(slot: number): Queue {
    const queue = this.#queueOf(slot);
    this.#listOf(queue, slot).insert(slot);
    return queue;
  }

  /** The next message, out of the ready ones and into the leased ones; NO_SLOT when none is ready. */
  take(queue: Queue): number {
    for (let priority = PRIORITY_MAX; priority >= 0; priority--) {
      const list = queue.ready[priority];
      if (list === undefined || list.head === NO_SLOT) continue;
      const slot = list.head;
      list.remove(slot);
      queue.leasedCount += 1;
      queue.leasedBytes += this.#index.bodyBytes(slot);
      return slot;
    }
    return NO_SLOT;
  }

  /** A leased message goes back to its place. */
  giveBack(slot: number): Queue {
    const queue = this.#queueOf(slot);
    this.#unlease(queue, slot);
    this.#listOf(queue, slot).reinsert(slot);
    return queue;
  }

  /** A leased message is done with; the caller has planned its ACK. */
  finish(slot: number): Queue {
    const queue = this.#queueOf(slot);
    this.#unlease(queue, slot);
    return queue;
  }

  #unlease(queue: Queue, slot: number): void {
    queue.leasedCount -= 1;
    queue.leasedBytes -= this.#index.bodyBytes(slot);
  }

  #queueOf(slot: number): Queue {
    const queue = this.#byId.get(this.#index.queue(slot));
    invariant(queue !== undefined, 'a stored message names a defined queue');
    return queue;
  }

  #listOf(queue: Queue, slot: number): SlotList {
    const list = queue.ready[this.#index.priority(slot)];
    invariant(list !== undefined, 'priorities are 0 to 7');
    return list;
  }
}

export function readyCount(queue: Queue): number {
  return queue.ready.reduce((count, list) => count + list.count, 0);
}

/** Bytes of bodies a queue holds or has planned. */
export function bytesUsed(queue: Queue): number {
  return queue.ready.reduce((bytes, list) => bytes + list.bytes, 0) + queue.leasedBytes + queue.plannedBytes;
}
