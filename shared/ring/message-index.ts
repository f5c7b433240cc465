/**
 * The messages of a ring, in memory: columns of numbers with a free list, 46 bytes a message and 6 to 9 for finding it by id, whatever its
 * size; expiry, delay and delivery count take 14 more once any message has them. A *slot* is a place in the columns; it is used again
 * after `remove`, so nobody keeps one beyond the message's life. `next`, `previous` and `isListed` belong to whoever orders the
 * messages (shared/queue/slot-list.ts).
 *
 *   bytes  6 id   6 lsn   6 number   6 storedAt   5 body: offset and length of 20 bits each   4 checksum of the body
 *          4 origin: queue, stream, epoch   1 priority, damaged, listed   4 next   4 previous
 */
import { invariant } from '../assert.ts';
import type { PutEntry } from './entry-layout.ts';
import { type Column, RareColumn, Uint16Column, Uint48Column, widened } from './message-columns.ts';
import { OriginTable } from './origin-table.ts';

export const NO_SLOT = -1;
const SLOTS_MIN = 64;
/** Columns grow by an eighth: copying them is cheap, memory that nobody uses is not. */
const GROWTH = 9 / 8;
/** Places to find a message by id grow by themselves, by half, so that at least a third of them is free: entering all anew costs. */
const BUCKETS_GROWTH = 3 / 2;
const BUCKETS_PER_MESSAGE_MIN = 3 / 2;
const TWO_32 = 0x1_0000_0000;

const PRIORITY_BITS = 0b0000_0111;
const DAMAGED = 0b0000_1000;
const LISTED = 0b0001_0000;

export class MessageIndex {
  /** 0 marks a free slot. */
  readonly #id = new Uint48Column();
  readonly #lsn = new Uint48Column();
  readonly #number = new Uint48Column();
  readonly #storedAtMs = new Uint48Column();
  readonly #expiresAtMs = new RareColumn(new Uint48Column());
  readonly #notBeforeMs = new RareColumn(new Uint48Column());
  readonly #deliveryCount = new RareColumn(new Uint16Column());
  readonly #origins = new OriginTable();
  /** Low 16 bits of both, and the four above them in one byte. */
  #bodyOffset = new Uint16Array(0);
  #bodyBytes = new Uint16Array(0);
  #bodyHigh = new Uint8Array(0);
  #bodyCrc = new Uint32Array(0);
  #origin = new Uint32Array(0);
  #flags = new Uint8Array(0);
  #next = new Int32Array(0);
  #previous = new Int32Array(0);
  #buckets = new Int32Array(0);
  #free = NO_SLOT;
  #used = 0;
  #count = 0;

  constructor() {
    this.#resize(SLOTS_MIN);
    this.#widenBuckets();
  }

  get count(): number {
    return this.#count;
  }

  /** Memory taken. */
  get bytes(): number {
    const narrow = [this.#bodyOffset, this.#bodyBytes, this.#bodyHigh, this.#bodyCrc, this.#origin, this.#flags];
    const arrays = [...narrow, this.#next, this.#previous, this.#buckets];
    const columns = [...this.#columns, this.#origins].reduce((sum, { bytes }) => sum + bytes, 0);
    return arrays.reduce((sum, { byteLength }) => sum + byteLength, columns);
  }

  /** Ascending in order of arrival; 0 where the slot is free. */
  id(slot: number): number {
    return this.#id.get(slot);
  }

  /** Of the frame that holds the newest copy. */
  lsn(slot: number): number {
    return this.#lsn.get(slot);
  }

  number(slot: number): number {
    return this.#number.get(slot);
  }

  /** Queue time. */
  storedAtMs(slot: number): number {
    return this.#storedAtMs.get(slot);
  }

  /** Queue time, 0 for never. */
  expiresAtMs(slot: number): number {
    return this.#expiresAtMs.get(slot);
  }

  /** Queue time, 0 for at once. */
  notBeforeMs(slot: number): number {
    return this.#notBeforeMs.get(slot);
  }

  deliveryCount(slot: number): number {
    return this.#deliveryCount.get(slot);
  }

  /** From the first byte of the frame. */
  bodyOffset(slot: number): number {
    return ((this.#bodyHigh[slot] ?? 0) & 0x0f) * 0x1_0000 + (this.#bodyOffset[slot] ?? 0);
  }

  bodyBytes(slot: number): number {
    return ((this.#bodyHigh[slot] ?? 0) >> 4) * 0x1_0000 + (this.#bodyBytes[slot] ?? 0);
  }

  bodyCrc(slot: number): number {
    return this.#bodyCrc[slot] ?? 0;
  }

  queue(slot: number): number {
    return this.#origins.queue(this.#origin[slot] ?? 0);
  }

  stream(slot: number): number {
    return this.#origins.stream(this.#origin[slot] ?? 0);
  }

  epochCounter(slot: number): number {
    return this.#origins.epochCounter(this.#origin[slot] ?? 0);
  }

  epochRandom(slot: number): number {
    return this.#origins.epochRandom(this.#origin[slot] ?? 0);
  }

  priority(slot: number): number {
    return (this.#flags[slot] ?? 0) & PRIORITY_BITS;
  }

  /** The body is known to be lost. */
  isDamaged(slot: number): boolean {
    return ((this.#flags[slot] ?? 0) & DAMAGED) !== 0;
  }

  /** In a list of somebody's. */
  isListed(slot: number): boolean {
    return ((this.#flags[slot] ?? 0) & LISTED) !== 0;
  }

  next(slot: number): number {
    return this.#next[slot] ?? NO_SLOT;
  }

  previous(slot: number): number {
    return this.#previous[slot] ?? NO_SLOT;
  }

  setNext(slot: number, next: number): void {
    this.#next[slot] = next;
  }

  setPrevious(slot: number, previous: number): void {
    this.#previous[slot] = previous;
  }

  setListed(slot: number, state: 'listed' | 'unlisted'): void {
    const flags = this.#flags[slot] ?? 0;
    this.#flags[slot] = state === 'listed' ? flags | LISTED : flags & ~LISTED;
  }

  /** Slot of a message, or NO_SLOT. */
  find(id: number): number {
    const { length } = this.#buckets;
    for (let at = this.#bucketOf(id); ; at = at + 1 === length ? 0 : at + 1) {
      const slot = this.#buckets[at] ?? NO_SLOT;
      if (slot === NO_SLOT || this.#id.get(slot) === id) return slot;
    }
  }

  /** A slot for a new message, in no list. */
  insert(entry: PutEntry, lsn: number): number {
    invariant(entry.id > 0, 'message ids start at 1');
    if (this.#free === NO_SLOT && this.#used === this.#flags.length) this.#resize(Math.ceil(this.#used * GROWTH));
    let slot = this.#free;
    if (slot === NO_SLOT) slot = this.#used++;
    else this.#free = this.#next[slot] ?? NO_SLOT;
    this.#id.set(slot, entry.id);
    this.#next[slot] = NO_SLOT;
    this.#previous[slot] = NO_SLOT;
    this.#flags[slot] = 0;
    this.#count++;
    if (this.#count * BUCKETS_PER_MESSAGE_MIN > this.#buckets.length) this.#widenBuckets();
    else this.#enter(slot);
    this.#origin[slot] = this.#origins.take(entry);
    this.#place(slot, entry, lsn);
    return slot;
  }

  /** A newer copy of a message, which says all there is to say of it. */
  replace(slot: number, entry: PutEntry, lsn: number): void {
    const old = this.#origin[slot] ?? 0;
    this.#origin[slot] = this.#origins.take(entry);
    this.#origins.release(old);
    this.#place(slot, entry, lsn);
  }

  setState(slot: number, state: { readonly deliveryCount: number; readonly notBeforeMs: number }): void {
    this.#deliveryCount.set(slot, state.deliveryCount);
    this.#notBeforeMs.set(slot, state.notBeforeMs);
  }

  remove(slot: number): void {
    this.#leave(slot);
    this.#origins.release(this.#origin[slot] ?? 0);
    this.#id.set(slot, 0);
    this.#next[slot] = this.#free;
    this.#free = slot;
    this.#count--;
  }

  /** Every slot in use, in no order. */
  *slots(): Generator<number> {
    for (let slot = 0; slot < this.#used; slot++) if (this.#id.get(slot) !== 0) yield slot;
  }

  #place(slot: number, entry: PutEntry, lsn: number): void {
    this.#lsn.set(slot, lsn);
    this.#number.set(slot, entry.number);
    this.#storedAtMs.set(slot, entry.storedAtMs);
    this.#expiresAtMs.set(slot, entry.expiresAtMs);
    this.#notBeforeMs.set(slot, entry.notBeforeMs);
    this.#deliveryCount.set(slot, entry.deliveryCount);
    this.#bodyOffset[slot] = entry.bodyOffset;
    this.#bodyBytes[slot] = entry.bodyBytes;
    this.#bodyHigh[slot] = (entry.bodyOffset >>> 16) | ((entry.bodyBytes >>> 16) << 4);
    this.#bodyCrc[slot] = entry.bodyCrc;
    this.#flags[slot] = ((this.#flags[slot] ?? 0) & LISTED) | entry.priority | (entry.damaged ? DAMAGED : 0);
  }

  /** Eight ids in a row stand in a row, as they are asked for; which eight stand where is left to chance. */
  #bucketOf(id: number): number {
    const group = Math.floor(id / 8);
    const mixed = Math.imul((group % TWO_32) ^ Math.floor(group / TWO_32), 0x9e37_79b1);
    const groups = this.#buckets.length / 8;
    return 8 * Math.floor((((mixed ^ (mixed >>> 15)) >>> 0) / TWO_32) * groups) + (id % 8);
  }

  #enter(slot: number): void {
    const { length } = this.#buckets;
    let at = this.#bucketOf(this.#id.get(slot));
    while (this.#buckets[at] !== NO_SLOT) at = at + 1 === length ? 0 : at + 1;
    this.#buckets[at] = slot;
  }

  /** Backward-shift deletion: no tombstones, so a probe never gets longer than the load explains. */
  #leave(slot: number): void {
    const { length } = this.#buckets;
    const after = (at: number) => (at + 1 === length ? 0 : at + 1);
    const distance = (from: number, to: number) => (to >= from ? to - from : to - from + length);
    let hole = this.#bucketOf(this.#id.get(slot));
    while (this.#buckets[hole] !== slot) hole = after(hole);
    for (let at = after(hole); ; at = after(at)) {
      const other = this.#buckets[at] ?? NO_SLOT;
      if (other === NO_SLOT) break;
      const home = this.#bucketOf(this.#id.get(other));
      if (distance(home, at) < distance(hole, at)) continue;
      this.#buckets[hole] = other;
      hole = at;
    }
    this.#buckets[hole] = NO_SLOT;
  }

  get #columns(): Column[] {
    const always = [this.#id, this.#lsn, this.#number, this.#storedAtMs];
    return [...always, this.#expiresAtMs, this.#notBeforeMs, this.#deliveryCount];
  }

  #resize(length: number): void {
    for (const column of this.#columns) column.resize(length);
    this.#bodyOffset = widened(this.#bodyOffset, new Uint16Array(length));
    this.#bodyBytes = widened(this.#bodyBytes, new Uint16Array(length));
    this.#bodyHigh = widened(this.#bodyHigh, new Uint8Array(length));
    this.#bodyCrc = widened(this.#bodyCrc, new Uint32Array(length));
    this.#origin = widened(this.#origin, new Uint32Array(length));
    this.#flags = widened(this.#flags, new Uint8Array(length));
    this.#next = widened(this.#next, new Int32Array(length));
    this.#previous = widened(this.#previous, new Int32Array(length));
  }

  #widenBuckets(): void {
    const wanted = Math.max(SLOTS_MIN, this.#count) * BUCKETS_PER_MESSAGE_MIN * BUCKETS_GROWTH;
    const length = 8 * Math.ceil(wanted / 8);
    this.#buckets = new Int32Array(length).fill(NO_SLOT);
    for (let slot = 0; slot < this.#used; slot++) if (this.#id.get(slot) !== 0) this.#enter(slot);
  }
}
