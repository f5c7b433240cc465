/**
 * The messages of a ring, in memory: typed arrays with a free list, about 100 bytes a message whatever its size. A *slot* is an index
 * into the arrays; it is reused after `remove`, so nobody keeps one beyond the message's life. `next`, `previous` and `list`
 * belong to whoever orders the messages (shared/queue/slot-list.ts).
 */
import { invariant } from '../assert.ts';

export const NO_SLOT = -1;
const SLOTS_MIN = 64;

export class MessageIndex {
  /** Message id, ascending in order of arrival. 0 marks a free slot. */
  id = new Float64Array(SLOTS_MIN);
  /** LSN of the frame that holds the newest copy. */
  lsn = new Float64Array(SLOTS_MIN);
  number = new Float64Array(SLOTS_MIN);
  /** Queue time, 0 for never. */
  storedAtMs = new Float64Array(SLOTS_MIN);
  expiresAtMs = new Float64Array(SLOTS_MIN);
  notBeforeMs = new Float64Array(SLOTS_MIN);
  bodyOffset = new Uint32Array(SLOTS_MIN);
  bodyBytes = new Uint32Array(SLOTS_MIN);
  bodyCrc = new Uint32Array(SLOTS_MIN);
  stream = new Uint32Array(SLOTS_MIN);
  queue = new Uint32Array(SLOTS_MIN);
  epochCounter = new Uint32Array(SLOTS_MIN);
  epochRandom = new Uint32Array(SLOTS_MIN);
  priority = new Uint8Array(SLOTS_MIN);
  /** 1 where the body is known to be lost. */
  damaged = new Uint8Array(SLOTS_MIN);
  deliveryCount = new Uint16Array(SLOTS_MIN);
  list = new Int32Array(SLOTS_MIN);
  next = new Int32Array(SLOTS_MIN);
  previous = new Int32Array(SLOTS_MIN);
  #buckets = new Int32Array(2 * SLOTS_MIN).fill(NO_SLOT);
  #free = NO_SLOT;
  #used = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Slot of a message, or NO_SLOT. */
  find(id: number): number {
    for (let at = this.#bucketOf(id); ; at = (at + 1) & (this.#buckets.length - 1)) {
      const slot = this.#buckets[at] ?? NO_SLOT;
      if (slot === NO_SLOT || this.id[slot] === id) return slot;
    }
  }

  /** A slot for a new id, all its fields unset but `id`, `list`, `next` and `previous`. */
  insert(id: number): number {
    invariant(id > 0, 'message ids start at 1');
    if (this.#free === NO_SLOT && this.#used === this.id.length) this.#grow();
    let slot = this.#free;
    if (slot === NO_SLOT) slot = this.#used++;
    else this.#free = this.next[slot] ?? NO_SLOT;
    this.id[slot] = id;
    this.list[slot] = NO_SLOT;
    this.next[slot] = NO_SLOT;
    this.previous[slot] = NO_SLOT;
    this.#count++;
    this.#enter(slot);
    return slot;
  }

  remove(slot: number): void {
    this.#leave(slot);
    this.id[slot] = 0;
    this.next[slot] = this.#free;
    this.#free = slot;
    this.#count--;
  }

  /** Every slot in use, in no order. */
  *slots(): Generator<number> {
    for (let slot = 0; slot < this.#used; slot++) if (this.id[slot] !== 0) yield slot;
  }

  #bucketOf(id: number): number {
    const mixed = Math.imul((id % 0x1_0000_0000) ^ Math.floor(id / 0x1_0000_0000), 0x9e37_79b1);
    return (mixed ^ (mixed >>> 15)) & (this.#buckets.length - 1);
  }

  #enter(slot: number): void {
    let at = this.#bucketOf(this.id[slot] ?? 0);
    while (this.#buckets[at] !== NO_SLOT) at = (at + 1) & (this.#buckets.length - 1);
    this.#buckets[at] = slot;
  }

  /** Backward-shift deletion: no tombstones, so a probe never gets longer than the load explains. */
  #leave(slot: number): void {
    const mask = this.#buckets.length - 1;
    let hole = this.#bucketOf(this.id[slot] ?? 0);
    while (this.#buckets[hole] !== slot) hole = (hole + 1) & mask;
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const other = this.#buckets[at] ?? NO_SLOT;
      if (other === NO_SLOT) break;
      const home = this.#bucketOf(this.id[other] ?? 0);
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      this.#buckets[hole] = other;
      hole = at;
    }
    this.#buckets[hole] = NO_SLOT;
  }

  #grow(): void {
    const length = 2 * this.id.length;
    this.id = widened(this.id, new Float64Array(length));
    this.lsn = widened(this.lsn, new Float64Array(length));
    this.number = widened(this.number, new Float64Array(length));
    this.storedAtMs = widened(this.storedAtMs, new Float64Array(length));
    this.expiresAtMs = widened(this.expiresAtMs, new Float64Array(length));
    this.notBeforeMs = widened(this.notBeforeMs, new Float64Array(length));
    this.bodyOffset = widened(this.bodyOffset, new Uint32Array(length));
    this.bodyBytes = widened(this.bodyBytes, new Uint32Array(length));
    this.bodyCrc = widened(this.bodyCrc, new Uint32Array(length));
    this.stream = widened(this.stream, new Uint32Array(length));
    this.queue = widened(this.queue, new Uint32Array(length));
    this.epochCounter = widened(this.epochCounter, new Uint32Array(length));
    this.epochRandom = widened(this.epochRandom, new Uint32Array(length));
    this.priority = widened(this.priority, new Uint8Array(length));
    this.damaged = widened(this.damaged, new Uint8Array(length));
    this.deliveryCount = widened(this.deliveryCount, new Uint16Array(length));
    this.list = widened(this.list, new Int32Array(length));
    this.next = widened(this.next, new Int32Array(length));
    this.previous = widened(this.previous, new Int32Array(length));
    this.#buckets = new Int32Array(2 * length).fill(NO_SLOT);
    for (let slot = 0; slot < this.#used; slot++) if (this.id[slot] !== 0) this.#enter(slot);
  }
}

function widened<T extends { set(from: T): void }>(from: T, into: T): T {
  into.set(from);
  return into;
}
