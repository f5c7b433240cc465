/**
 * The queues of a node that applications receive from: within a queue by priority, then in order of arrival. A lease ends by
 * acknowledgement, by its deadline, or with the process, and an unacknowledged message is ready again.
 *
 *   held: stored above a hole of its stream (custody/above-holes.ts)
 *    │ unhold
 *    │       enqueue                take                 ended: ACK planned
 *   durable ─────────▶ ready ─────────────────▶ leased ──────────────────────▶ away, until its frame is durable
 *      │                 ▲ ▲                       │
 *      │ not before      │ └───────────────────────┤ giveBack
 *      └──────▶ delayed ─┘ release                 │
 *                  ▲───────────────────────────────┘ giveBack, not before
 *
 * A ready or leased message may be moved between its queue and the parts of that: it is away until the frame that says so is durable.
 *
 * What a message is, is told without a list of its own for each: ready is in a list, held is noted, leased or away is noted where it has
 * a time to its name, anything else with a time is delayed.
 */
import { invariant } from '../assert.ts';
import { PRIORITY_MAX } from '../message/message.ts';
import { type MessageIndex, NO_SLOT } from '../ring/message-index.ts';
import { type Due, DueHeap } from './due-heap.ts';
import { type Queue, QueueTable } from './queue-table.ts';
import type { SlotList } from './slot-list.ts';

export { bytesUsed, messageCount, type Queue, readyCount } from './queue-table.ts';

export class Queues extends QueueTable {
  readonly #index: MessageIndex;
  readonly #delays = new DueHeap();
  readonly #expiries = new DueHeap();
  /** Ids of messages with a time that are leased, or whose end or move is planned. */
  readonly #away = new Set<number>();
  /** Ids of messages that nobody may see yet. */
  readonly #held = new Set<number>();
  /** Out of their queues, and not ended yet. */
  readonly #superseded: number[] = [];

  constructor(index: MessageIndex) {
    super(index);
    this.#index = index;
  }

  /** A durable message becomes visible, or waits for its time. */
  enqueue(slot: number, queueTimeMs = 0): Queue {
    const queue = this.#queueOf(slot);
    const expiresAtMs = this.#index.expiresAtMs(slot);
    if (expiresAtMs > 0) this.#note(this.#expiries, slot, expiresAtMs);
    queue.arrivedCount += 1;
    queue.strict?.add(slot);
    this.changed.add(queue);
    this.#settle(queue, slot, queueTimeMs);
    return queue;
  }

  /** A durable message that nobody may see before `unhold`. Its time runs. */
  hold(slot: number): void {
    const queue = this.#queueOf(slot);
    const expiresAtMs = this.#index.expiresAtMs(slot);
    if (expiresAtMs > 0) this.#note(this.#expiries, slot, expiresAtMs);
    queue.arrivedCount += 1;
    queue.heldCount += 1;
    queue.heldBytes += this.#index.bodyBytes(slot);
    this.#held.add(this.#index.id(slot));
  }

  /** It becomes visible, or waits for its time. */
  unhold(slot: number, queueTimeMs: number): void {
    const queue = this.#queueOf(slot);
    this.#held.delete(this.#index.id(slot));
    queue.heldCount -= 1;
    queue.heldBytes -= this.#index.bodyBytes(slot);
    queue.strict?.add(slot);
    this.changed.add(queue);
    this.#settle(queue, slot, queueTimeMs);
  }

  /** True of a message that nobody may see yet. One that ended is none. */
  isHeld(id: number): boolean {
    return this.#held.has(id);
  }

  /** Ids of its messages that nobody may see yet, in no order. */
  heldIn(queue: Queue): number[] {
    if (queue.heldCount === 0) return [];
    return [...this.#held].filter((id) => this.#queueOf(this.#index.find(id)) === queue);
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
    queue.leasedBytes += this.#index.wholeBytes(slot);
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
    this.#comeBack(queue, slot, queueTimeMs);
    return queue;
  }

  /** A ready or leased message leaves its queue for another; the caller has planned the STATE that says so. */
  moveOut(slot: number, to: Queue): void {
    const queue = this.#queueOf(slot);
    if (this.#index.isListed(slot)) this.#listOf(queue, slot).remove(slot);
    else this.#unlease(queue, slot);
    this.#leave(queue, slot);
    if (this.#hasTime(slot)) this.#away.add(this.#index.id(slot));
    to.plannedCount += 1;
    to.plannedBytes += this.#index.wholeBytes(slot);
  }

  /** That STATE is durable: the message is in the other one. */
  moveIn(slot: number, queueTimeMs: number): void {
    const queue = this.#queueOf(slot);
    queue.plannedCount -= 1;
    queue.plannedBytes -= this.#index.wholeBytes(slot);
    queue.arrivedCount += 1;
    queue.strict?.add(slot);
    this.#comeBack(queue, slot, queueTimeMs);
  }

  /** A leased message is done with; the caller has planned its ACK. */
  finish(slot: number): Queue {
    const queue = this.#queueOf(slot);
    this.#unlease(queue, slot);
    this.#leave(queue, slot);
    return queue;
  }

  /** A message that is ready, delayed or held is done with; the caller has planned its ACK. */
  end(slot: number): void {
    const queue = this.#queueOf(slot);
    if (this.#held.delete(this.#index.id(slot))) return this.#endHeld(queue, slot);
    if (this.#hasTime(slot)) this.#away.add(this.#index.id(slot));
    if (this.#index.isListed(slot)) this.#listOf(queue, slot).remove(slot);
    else this.#undelay(queue, slot);
    this.#leave(queue, slot);
  }

  #endHeld(queue: Queue, slot: number): void {
    if (this.#hasTime(slot)) this.#away.add(this.#index.id(slot));
    queue.heldCount -= 1;
    queue.heldBytes -= this.#index.bodyBytes(slot);
    queue.endedCount += 1;
  }

  /** Takes `end` of a message that was ready back, before anything else happened. */
  unend(slot: number): void {
    this.#away.delete(this.#index.id(slot));
    this.#listOf(this.#queueOf(slot), slot).insert(slot);
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

  /** Takes ready messages out of their queue: a newer one stands in their place. The caller of `takeSuperseded` ends them. */
  supersede(slots: readonly number[]): void {
    for (const slot of slots) {
      this.#queueOf(slot).endingCount += 1;
      this.end(slot);
      this.#superseded.push(slot);
    }
  }

  /** Each once. The caller ends them, and says so to `leaves`. */
  takeSuperseded(): number[] {
    return this.#superseded.splice(0);
  }

  /** The end of a message that expired or was superseded is planned. */
  leaves(slot: number): void {
    this.#queueOf(slot).endingCount -= 1;
  }

  /** Ids of its messages that wait for their time, in no order. Looks at all that wait anywhere, once. */
  delayedIn(queue: Queue): number[] {
    if (queue.delayedCount === 0) return [];
    const ids = new Set<number>();
    for (const due of this.#delays) if (this.#isDelayed(due) && this.#queueOf(due.slot) === queue) ids.add(due.id);
    return [...ids];
  }

  /** True of a message that waits for its time, and nothing else was planned for it. */
  isDelayed(slot: number): boolean {
    return this.#isDelayed({ atMs: this.#index.notBeforeMs(slot), id: this.#index.id(slot), slot });
  }

  /** It was away, under lease or between two queues. */
  #comeBack(queue: Queue, slot: number, queueTimeMs: number): void {
    this.#away.delete(this.#index.id(slot));
    const expiresAtMs = this.#index.expiresAtMs(slot);
    // Its time came while it was away, and was passed over.
    if (expiresAtMs > 0 && expiresAtMs <= queueTimeMs) this.#note(this.#expiries, slot, expiresAtMs);
    this.#settle(queue, slot, queueTimeMs);
  }

  /** It is in this queue no more. */
  #leave(queue: Queue, slot: number): void {
    queue.endedCount += 1;
    if (queue.strict === undefined) return;
    queue.strict.remove(slot);
    this.changed.add(queue);
  }

  #settle(queue: Queue, slot: number, queueTimeMs: number): void {
    const notBeforeMs = this.#index.notBeforeMs(slot);
    if (notBeforeMs <= queueTimeMs) return this.#ready(queue, slot);
    queue.delayedCount += 1;
    queue.delayedBytes += this.#index.wholeBytes(slot);
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
    if (index.id(slot) !== id || index.notBeforeMs(slot) !== atMs || index.isListed(slot)) return false;
    return !this.#away.has(id) && !this.#held.has(id);
  }

  #expires({ atMs, id, slot }: Due): boolean {
    return this.#index.id(slot) === id && this.#index.expiresAtMs(slot) === atMs;
  }

  #hasTime(slot: number): boolean {
    return this.#index.expiresAtMs(slot) > 0 || this.#index.notBeforeMs(slot) > 0;
  }

  #unlease(queue: Queue, slot: number): void {
    queue.leasedCount -= 1;
    queue.leasedBytes -= this.#index.wholeBytes(slot);
    if (queue.strict === undefined) return;
    queue.strict.unleased(slot);
    this.changed.add(queue);
  }

  #undelay(queue: Queue, slot: number): void {
    queue.delayedCount -= 1;
    queue.delayedBytes -= this.#index.wholeBytes(slot);
  }

  #queueOf(slot: number): Queue {
    const queue = this.byId(this.#index.queue(slot));
    invariant(queue !== undefined, 'a stored message names a defined queue');
    return queue;
  }

  #listOf(queue: Queue, slot: number): SlotList {
    const list = queue.ready[this.#index.priority(slot)];
    invariant(list !== undefined, 'priorities are 0 to 7');
    return list;
  }
}
