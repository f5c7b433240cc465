/**
 * What time does to the queues: delays end, messages expire. An expired message is ended in one frame with its account, many in one
 * batch, and never delivered; one that is under lease when its time comes is the receiver's, and expires if it comes back.
 */
import type { NodeStore } from '../custody/node-store.ts';
import { DUE_COUNT_PER_STEP } from '../limits.ts';
import { contentBytesMaxOf } from '../ring/geometry.ts';

/** Of one expired message in a frame, at most: its ACK and an account. */
const EXPIRED_BYTES_MAX = 64;

export class DueWork {
  readonly #store: NodeStore;

  constructor(store: NodeStore) {
    this.#store = store;
  }

  /** True when nothing is due any more. While something is, nobody is served: it might be what has expired. */
  pump(): boolean {
    const { queues, ring } = this.#store;
    if (queues.nextDueMs === undefined) return true;
    const nowMs = this.#store.queueTimeMs;
    if (queues.nextDueMs > nowMs) return true;
    queues.release(nowMs, DUE_COUNT_PER_STEP);
    const perBatch = Math.floor(contentBytesMaxOf(ring.geometry) / 2 / EXPIRED_BYTES_MAX);
    this.#end(queues.expired(nowMs, Math.min(DUE_COUNT_PER_STEP, perBatch)));
    return queues.nextDueMs === undefined || queues.nextDueMs > nowMs;
  }

  /** In milliseconds of the core. */
  get wakeAtMs(): number | undefined {
    const { queues, nowMs } = this.#store;
    const dueMs = queues.nextDueMs;
    return dueMs === undefined ? undefined : nowMs + Math.max(0, dueMs - this.#store.queueTimeMs);
  }

  #end(slots: readonly number[]): void {
    if (slots.length === 0) return;
    const { queues, ring } = this.#store;
    const acks = slots.map((slot) => ({ id: ring.index.id(slot), reason: 'expired' as const }));
    const losses = slots.map((slot) => ({ handle: ring.index.stream(slot), class: 'RECEIVE_TIMEOUT' as const, count: 1 }));
    const accounts = this.#store.planLosses(losses);
    // Frees more than its accounts take: never refused.
    this.#store.commit({ acks, metas: accounts.changes }, () => {});
    accounts.settle();
    for (const slot of slots) queues.end(slot);
  }
}
