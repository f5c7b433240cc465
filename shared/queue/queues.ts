/**
 * The queues of a node that applications receive from: within a queue by priority, then in order of arrival. A lease ends by
 * acknowledgement, by its deadline, or with the process, and an unacknowledged message is ready again.
 *
 *            enqueue                take                 ended: ACK planned
 *   durable ─────────▶ ready ─────────────────▶ leased ──────────────────────▶ away, until its frame is durable
 *      │                 ▲ ▲                       │
 *      │ not before      │ └───────────────────────┤ giveBack
 *      └──────▶ delayed ─┘ release                 │
 *                  ▲───────────────────────────────┘ giveBack, not before
 *
 * What a message is, is told without a list of its own for each: ready is in a list, leased or away is noted where it has a time to
 * its name, anything else with a time is delayed.
 */
import { invariant } from '../assert.ts';
import { RingmailError } from '../errors.ts';
import { isQueueName } from '../message/address.ts';
import { PRIORITY_MAX } from '../message/message.ts';
import { type MessageIndex, NO_SLOT } from '../ring/message-index.ts';
import { type Due, DueHeap } from './due-heap.ts';
import { drops, QUEUE_DEFAULTS, type QueueDefinition, type QueueOptions } from './queue-options.ts';
import { SlotList } from './slot-list.ts';
import { StrictOrder } from './strict-order.ts';

export interface Queue {
  readonly name: string;
  /** Never reused; stands in every PUT entry of its messages. */
  readonly id: number;
  options: QueueOptions;
  /** By priority. */
  readonly ready: readonly SlotList[];
  delayedCount: number;
  delayedBytes: number;
  leasedCount: number;
  leasedBytes: number;
  /** Planned for the queue, not durable yet. */
  plannedCount: number;
  plannedBytes: number;
  /** Expired: nobody gets them any more, and their end is not planned yet. */
  endingCount: number;
  /** What a strict queue may hand out. */
  readonly strict: StrictOrder | undefined;
  /** Told of each message that becomes ready, while somebody waits for one by its name. */
  onReady: ((slot: number) => void) | undefined;
}

export class Queues {
  readonly #index: MessageIndex;
  readonly #byName = new Map<string, Queue>();
  readonly #byId = new Map<number, Queue>();
  readonly #delays = new DueHeap();
  readonly #expiries = new DueHeap();
  /** Ids of messages with a time that are leased, or whose end is planned. */
  readonly #away = new Set<number>();
  /** Where somebody may be served who could not be before: a message became ready, a stream free, the options others. The taker empties it. */
  readonly changed = new Set<Queue>();
  /** Those with a reserve: few. */
  reserved: readonly Queue[] = [];
  /** True when one of them drops messages to make room. */
  drops = false;
  #nextId = 1;

  constructor(index: MessageIndex) {
    this.#index = index;
  }

  /**
   * A queue as META remembers it, or a new one with a new id; a known one gets these options, and answers to that id too.
   * @throws NAME_INVALID
   */
  define(name: string, { id: knownId, ...definition }: QueueDefinition & { id?: number }): Queue {
    if (!isQueueName(name)) throw new RingmailError('NAME_INVALID', { name, reason: 'queue: [a-z0-9][a-z0-9_-]{0,62}' });
    const options = { ...QUEUE_DEFAULTS, ...definition };
    const known = this.#byName.get(name);
    const queue = known ?? this.#create(name, knownId ?? this.#nextId, options);
    queue.options = options;
    this.changed.add(queue);
    if (knownId !== undefined) this.#byId.set(knownId, queue);
    this.#nextId = Math.max(this.#nextId, (knownId ?? 0) + 1);
    this.reserved = [...this].filter((one) => one.options.bytesReserved > 0);
    this.drops = [...this].some(({ options }) => drops(options.whenFull));
    return queue;
  }

  #create(name: string, id: number, options: QueueOptions): Queue {
    this.#nextId = Math.max(this.#nextId, id + 1);
    const ready = Array.from({ length: PRIORITY_MAX + 1 }, () => new SlotList(this.#index, 'id'));
    const none = {
      delayedCount: 0,
      delayedBytes: 0,
      leasedCount: 0,
      leasedBytes: 0,
      plannedCount: 0,
      plannedBytes: 0,
      endingCount: 0,
    };
    const strict = options.ordering === 'strict' ? new StrictOrder(this.#index) : undefined;
    const queue: Queue = { name, id, options, ready, ...none, strict, onReady: undefined };
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

  /** A durable message becomes visible, or waits for its time. */
  enqueue(slot: number, queueTimeMs = 0): Queue {
    const queue = this.#queueOf(slot);
    const expiresAtMs = this.#index.expiresAtMs(slot);
    if (expiresAtMs > 0) this.#note(this.#expiries, slot, expiresAtMs);
    queue.strict?.add(slot);
    this.#settle(queue, slot, queueTimeMs);
    return queue;
  }

  /** The next message, out of the ready ones and into the leased ones; NO_SLOT when none may be handed out. */
  take(queue: Queue): number {
    const slot = this.next(queue);
    if (slot !== NO_SLOT) this.lease(queue, slot);
    return slot;
  }

  /** The message that is handed out next; NO_SLOT when none is ready, or the queue is paused. */
  next(queue: Queue): number {
    if (queue.options.state === 'paused') return NO_SLOT;
    if (queue.strict !== undefined) return queue.strict.next();
    for (let priority = PRIORITY_MAX; priority >= 0; priority--) {
      const head = queue.ready[priority]?.head ?? NO_SLOT;
      if (head !== NO_SLOT) return head;
    }
    return NO_SLOT;
  }

  /** Whether a ready message may be handed out, if somebody asks for it and no other. */
  mayLease(queue: Queue, slot: number): boolean {
    return queue.options.state !== 'paused' && (queue.strict === undefined || queue.strict.mayTake(slot));
  }

  /** A ready message is handed out. */
  lease(queue: Queue, slot: number): void {
    this.#listOf(queue, slot).remove(slot);
    queue.leasedCount += 1;
    queue.leasedBytes += this.#index.bodyBytes(slot);
    if (this.#hasTime(slot)) this.#away.add(this.#index.id(slot));
    queue.strict?.leased(slot);
  }

  /** The queue of a message that is stored in one here. */
  of(slot: number): Queue {
    return this.#queueOf(slot);
  }

  /** A leased message goes back to its place, or waits for its time. */
  giveBack(slot: number, queueTimeMs = 0): Queue {
    const queue = this.#queueOf(slot);
    this.#unlease(queue, slot);
    this.#away.delete(this.#index.id(slot));
    const expiresAtMs = this.#index.expiresAtMs(slot);
    // Its time came while it was leased, and was passed over.
    if (expiresAtMs > 0 && expiresAtMs <= queueTimeMs) this.#note(this.#expiries, slot, expiresAtMs);
    this.#settle(queue, slot, queueTimeMs);
    return queue;
  }

  /** A leased message is done with; the caller has planned its ACK. */
  finish(slot: number): Queue {
    const queue = this.#queueOf(slot);
    this.#unlease(queue, slot);
    queue.strict?.remove(slot);
    return queue;
  }

  /** A message that is ready or delayed is done with; the caller has planned its ACK. */
  end(slot: number): void {
    const queue = this.#queueOf(slot);
    if (this.#hasTime(slot)) this.#away.add(this.#index.id(slot));
    if (this.#index.isListed(slot)) this.#listOf(queue, slot).remove(slot);
    else this.#undelay(queue, slot);
    if (queue.strict === undefined) return;
    queue.strict.remove(slot);
    this.changed.add(queue);
  }

  /** The ACK of a message is durable: nothing of it is left. */
  ended(id: number): void {
    if (this.#away.size > 0) this.#away.delete(id);
  }

  /** When something is due next, in queue time: a delay is over, or a message expires. */
  get nextDueMs(): number | undefined {
    const delay = this.#delays.nextMs;
    const expiry = this.#expiries.nextMs;
    return delay === undefined || (expiry !== undefined && expiry < delay) ? expiry : delay;
  }

  /** Makes ready whose delay is over: at most `countMax`. */
  release(queueTimeMs: number, countMax: number): void {
    for (let left = countMax; left > 0 && (this.#delays.nextMs ?? Number.POSITIVE_INFINITY) <= queueTimeMs; left--) {
      const due = this.#delays.pop();
      if (due === undefined || !this.#isDelayed(due)) continue;
      const queue = this.#queueOf(due.slot);
      this.#undelay(queue, due.slot);
      this.#ready(queue, due.slot);
    }
  }

  /**
   * Takes messages out of their queues that nobody has under lease and whose time is over: at most `countMax`. The caller ends them, and
   * says so to `leaves`.
   */
  takeExpired(queueTimeMs: number, countMax: number): number[] {
    const slots = new Set<number>();
    for (let left = countMax; left > 0 && (this.#expiries.nextMs ?? Number.POSITIVE_INFINITY) <= queueTimeMs; left--) {
      const due = this.#expiries.pop();
      if (due !== undefined && this.#expires(due) && !this.#away.has(due.id)) slots.add(due.slot);
    }
    for (const slot of slots) {
      this.#queueOf(slot).endingCount += 1;
      this.end(slot);
    }
    return [...slots];
  }

  /** The end of a message that expired is planned. */
  leaves(slot: number): void {
    this.#queueOf(slot).endingCount -= 1;
  }

  #settle(queue: Queue, slot: number, queueTimeMs: number): void {
    const notBeforeMs = this.#index.notBeforeMs(slot);
    if (notBeforeMs <= queueTimeMs) return this.#ready(queue, slot);
    queue.delayedCount += 1;
    queue.delayedBytes += this.#index.bodyBytes(slot);
    this.#note(this.#delays, slot, notBeforeMs);
  }

  #ready(queue: Queue, slot: number): void {
    this.#listOf(queue, slot).insert(slot);
    queue.strict?.ready(slot);
    this.changed.add(queue);
    queue.onReady?.(slot);
  }

  #note(heap: DueHeap, slot: number, atMs: number): void {
    heap.push({ atMs, id: this.#index.id(slot), slot });
    heap.sweep(this.#index.count, (due) => (heap === this.#delays ? this.#isDelayed(due) : this.#expires(due)));
  }

  #isDelayed({ atMs, id, slot }: Due): boolean {
    const index = this.#index;
    return index.id(slot) === id && index.notBeforeMs(slot) === atMs && !index.isListed(slot) && !this.#away.has(id);
  }

  #expires({ atMs, id, slot }: Due): boolean {
    return this.#index.id(slot) === id && this.#index.expiresAtMs(slot) === atMs;
  }

  #hasTime(slot: number): boolean {
    return this.#index.expiresAtMs(slot) > 0 || this.#index.notBeforeMs(slot) > 0;
  }

  #unlease(queue: Queue, slot: number): void {
    queue.leasedCount -= 1;
    queue.leasedBytes -= this.#index.bodyBytes(slot);
    if (queue.strict === undefined) return;
    queue.strict.unleased(slot);
    this.changed.add(queue);
  }

  #undelay(queue: Queue, slot: number): void {
    queue.delayedCount -= 1;
    queue.delayedBytes -= this.#index.bodyBytes(slot);
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

/** Messages a queue holds or has planned. */
export function messageCount(queue: Queue): number {
  return readyCount(queue) + queue.delayedCount + queue.leasedCount + queue.plannedCount;
}

/** Bytes of bodies a queue holds or has planned. */
export function bytesUsed(queue: Queue): number {
  const readyBytes = queue.ready.reduce((bytes, list) => bytes + list.bytes, 0);
  return readyBytes + queue.delayedBytes + queue.leasedBytes + queue.plannedBytes;
}
