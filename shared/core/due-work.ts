/**
 * What time, and a newer message, does to the queues: delays end, messages expire, or are superseded where the latest alone is kept. What
 * expired is out of its queue at once and never delivered; it ends in one frame with its account, its letter and the word to its sender,
 * once its body is read.
 *
 *   ready, delayed ──time is over──▶ expired ──body read, or not needed──▶ end planned ──durable──▶ gone
 *                                       └ a node that ends here finds it expired when it opens
 *
 * A superseded one goes the same way, without a letter. A node that ends before it has ended finds it ready.
 *
 * One that is under lease when its time comes is the receiver's, and expires if it comes back. Of many that expire together only half a
 * frame is on its way to the disk at a time: the other half is for those who send.
 */

import type { NodeStore } from '../custody/node-store.ts';
import { batchOf } from '../custody/planned.ts';
import { DUE_COUNT_PER_STEP, EXPIRED_READ_COUNT } from '../limits.ts';
import { batchBytes } from '../ring/batch.ts';
import { contentBytesMaxOf } from '../ring/geometry.ts';
import type { Endings } from './endings.ts';

const SUPERSEDED = { class: 'SUPERSEDED', reason: 'a newer one came' } as const;
const TIME_OVER = { class: 'RECEIVE_TIMEOUT', reason: 'nobody received it in time' } as const;

export class DueWork {
  readonly #store: NodeStore;
  readonly #endings: Endings;
  /** Slots of expired and superseded messages in that order; the ring counts them still. */
  #expired: number[] = [];
  /** Which of them are superseded. */
  readonly #superseded = new Set<number>();
  /** The end of so many of the first ones is planned. */
  #first = 0;
  /** On their way to the disk. */
  #bytesInFlight = 0;
  #isHeldUp = false;

  constructor(store: NodeStore, endings: Endings) {
    this.#store = store;
    this.#endings = endings;
  }

  /** True when nothing is due any more. While something is, nobody is served: it might be what has expired. */
  pump(): boolean {
    const { queues } = this.#store;
    const nowMs = this.#store.queueTimeMs;
    for (const slot of queues.takeSuperseded()) {
      this.#superseded.add(slot);
      this.#expired.push(slot);
    }
    if (queues.nextDueMs !== undefined && queues.nextDueMs <= nowMs) {
      queues.release(nowMs, DUE_COUNT_PER_STEP);
      for (const slot of queues.takeExpired(nowMs, DUE_COUNT_PER_STEP)) this.#expired.push(slot);
    }
    if (this.#expired.length > 0) this.#endExpired();
    return queues.nextDueMs === undefined || queues.nextDueMs > nowMs;
  }

  /** In milliseconds of the core. */
  get wakeAtMs(): number | undefined {
    const { queues, nowMs } = this.#store;
    if (this.#expired.length > 0 && !this.#isHeldUp) return nowMs;
    const dueMs = queues.nextDueMs;
    return dueMs === undefined ? undefined : nowMs + Math.max(0, dueMs - this.#store.queueTimeMs);
  }

  /** As many as there is room for; what reads or writes just now wakes the node when it is done. */
  #endExpired(): void {
    const bytesMax = Math.floor(contentBytesMaxOf(this.#store.ring.geometry) / 2);
    const reading: number[] = [];
    let left = DUE_COUNT_PER_STEP;
    while (
      this.#first < this.#expired.length &&
      left > 0 &&
      reading.length < EXPIRED_READ_COUNT &&
      this.#bytesInFlight < bytesMax
    ) {
      const slot = this.#expired[this.#first++] ?? 0;
      left -= 1;
      if (!this.#end(slot)) reading.push(slot);
    }
    this.#isHeldUp = reading.length > 0 || this.#bytesInFlight >= bytesMax;
    this.#first -= reading.length;
    for (const [i, slot] of reading.entries()) this.#expired[this.#first + i] = slot;
    if (this.#first < this.#expired.length && this.#first <= DUE_COUNT_PER_STEP) return;
    this.#expired = this.#expired.slice(this.#first);
    this.#first = 0;
  }

  /** False while its body is read. */
  #end(slot: number): boolean {
    const planned = this.#endings.plan(slot, this.#superseded.has(slot) ? SUPERSEDED : TIME_OVER);
    if (planned === 'loading') return false;
    this.#superseded.delete(slot);
    const batch = batchOf(planned);
    const bytes = batchBytes(batch);
    // Frees more than its account takes: never refused.
    this.#store.commit(batch, () => {
      this.#bytesInFlight -= bytes;
    });
    planned.settle();
    this.#store.queues.leaves(slot);
    this.#bytesInFlight += bytes;
    return true;
  }
}
