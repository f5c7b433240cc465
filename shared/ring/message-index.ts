/**
 * The messages of a ring, in memory: 48 bytes a message whatever its size, 6 to 8 for finding it by id, and a few more for those that
 * have a time (message-times.ts), were moved (move-counts.ts) or share their body (shared-bodies.ts). A *slot* is the place of a
 * message; it is used again after `remove`, so nobody keeps one beyond the message's life. `next`, `previous` and `isListed` belong
 * to whoever orders the messages (shared/queue/slot-list.ts). Memory comes in chunks of 512 slots that never move.
 *
 *   off len  field of a slot
 *     0   6  id             0 marks a free slot
 *     6   6  lsn            of the frame that holds the newest copy
 *    12   6  number         in its stream
 *    18   6  storedAtMs     queue time
 *    24   2  deliveryCount
 *    26   1  flags          bits 0..2 priority, 3 damaged, 4 listed, 5 attended, 6 shared (shared-bodies.ts)
 *    27   1  body           bits 16..19 of its offset, and of its length
 *    28   2  bodyOffset     bits 0..15; from the first byte of the frame
 *    30   2  bodyBytes      bits 0..15
 *    32   4  bodyCrc
 *    36   4  origin         queue, stream and epoch (origin-table.ts)
 *    40   4  next           slot, or -1; of a free slot the next free one
 *    44   4  previous       slot, or -1
 */
import { invariant } from '../assert.ts';
import type { PutEntry } from './entry-layout.ts';
import { CHUNK_SLOTS, MessageTimes } from './message-times.ts';
import { MoveCounts } from './move-counts.ts';
import { OriginTable } from './origin-table.ts';
import { SharedBodies } from './shared-bodies.ts';
import { getUint48, setUint48 } from './uint48.ts';

export const NO_SLOT = -1;
const SLOT_BYTES = 48;
const CHUNK_SHIFT = Math.log2(CHUNK_SLOTS);
const CHUNK_MASK = CHUNK_SLOTS - 1;
/** Places to find a message by id: a third of them at least is free. All are entered anew when they become more. */
const BUCKETS_PER_MESSAGE_MIN = 3 / 2;
const BUCKETS_GROWTH = 5 / 4;
const BUCKETS_MIN = 256;
const TWO_32 = 0x1_0000_0000;

const PRIORITY_BITS = 0b0000_0111;
const DAMAGED = 0b0000_1000;
const LISTED = 0b0001_0000;
const ATTENDED = 0b0010_0000;
const SHARED = 0b0100_0000;

/** What a STATE says of a message. What is left out stays as it is. */
export interface MessageState {
  readonly deliveryCount: number;
  readonly notBeforeMs: number;
  readonly moveCount?: number;
  readonly queue?: number;
}

export class MessageIndex {
  readonly #chunks: DataView[] = [];
  readonly #times = new MessageTimes();
  readonly #moves = new MoveCounts();
  /** By slot, of the few that stand behind messages that came later. */
  readonly #ranks = new Map<number, number>();
  readonly #origins = new OriginTable();
  readonly #shared = new SharedBodies();
  #buckets = new Int32Array(BUCKETS_MIN).fill(NO_SLOT);
  #free = NO_SLOT;
  #used = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Memory taken. */
  get bytes(): number {
    const slots = this.#chunks.length * CHUNK_SLOTS * SLOT_BYTES;
    return slots + this.#buckets.byteLength + this.#times.bytes + this.#moves.bytes + this.#origins.bytes + this.#shared.bytes;
  }

  /** Ascending in order of arrival; 0 where the slot is free, or never was one. */
  id(slot: number): number {
    const chunk = this.#chunks[slot >>> CHUNK_SHIFT];
    return chunk === undefined ? 0 : getUint48(chunk, at(slot));
  }

  /**
   * Its place in the order in which messages of a queue are handed out: its id, or that of a message that had to come before it and came
   * later (custody/above-holes.ts). Two of one rank are of one stream, in which their numbers order them.
   */
  rank(slot: number): number {
    return this.#ranks.size === 0 ? this.id(slot) : (this.#ranks.get(slot) ?? this.id(slot));
  }

  /** True while the rank of some message is not its id. */
  get isRanked(): boolean {
    return this.#ranks.size > 0;
  }

  /** Of a message that is in no list. */
  setRank(slot: number, rank: number): void {
    if (rank === this.id(slot)) this.#ranks.delete(slot);
    else this.#ranks.set(slot, rank);
  }

  /** Of the frame that holds the newest copy. */
  lsn(slot: number): number {
    return getUint48(this.#chunk(slot), at(slot) + 6);
  }

  number(slot: number): number {
    return getUint48(this.#chunk(slot), at(slot) + 12);
  }

  /** Queue time. */
  storedAtMs(slot: number): number {
    return getUint48(this.#chunk(slot), at(slot) + 18);
  }

  /** Queue time, 0 for never. */
  expiresAtMs(slot: number): number {
    return this.#times.expiresAtMs(slot);
  }

  /** Queue time, 0 for at once. */
  notBeforeMs(slot: number): number {
    return this.#times.notBeforeMs(slot);
  }

  deliveryCount(slot: number): number {
    return this.#chunk(slot).getUint16(at(slot) + 24, true);
  }

  /** Times it was moved between a queue and its subqueues. */
  moveCount(slot: number): number {
    return this.#moves.get(slot);
  }

  priority(slot: number): number {
    return this.#flags(slot) & PRIORITY_BITS;
  }

  /** The body is known to be lost. */
  isDamaged(slot: number): boolean {
    return (this.#flags(slot) & DAMAGED) !== 0;
  }

  /** Somebody is to be told how it ends. */
  isAttended(slot: number): boolean {
    return (this.#flags(slot) & ATTENDED) !== 0;
  }

  /** The id of the message that keeps the body of this one, or 0. What is stored here is what this one has for itself. */
  holder(slot: number): number {
    const distance = (this.#flags(slot) & SHARED) === 0 ? 0 : this.#shared.distance(slot);
    return distance === 0 ? 0 : this.id(slot) - distance;
  }

  /** It keeps a body for others, and is no message itself. */
  isHolder(slot: number): boolean {
    return (this.#flags(slot) & SHARED) !== 0 && this.#shared.distance(slot) === 0;
  }

  /** Messages whose body the one with this id keeps. */
  placesOf(holder: number): number {
    return this.#shared.placesOf(holder);
  }

  /** Ids of holders of which no place is left. */
  *idle(): Generator<number> {
    for (const slot of this.slots()) if (this.isHolder(slot) && this.placesOf(this.id(slot)) === 0) yield this.id(slot);
  }

  /** Bytes of a message with all that belongs to it, wherever that lies: what counts in its queue. */
  wholeBytes(slot: number): number {
    const holder = this.holder(slot);
    const held = holder === 0 ? NO_SLOT : this.find(holder);
    return this.bodyBytes(slot) + (held === NO_SLOT ? 0 : this.bodyBytes(held));
  }

  /** In a list of somebody's. */
  isListed(slot: number): boolean {
    return (this.#flags(slot) & LISTED) !== 0;
  }

  /** From the first byte of the frame. */
  bodyOffset(slot: number): number {
    const chunk = this.#chunk(slot);
    return (chunk.getUint8(at(slot) + 27) & 0x0f) * 0x1_0000 + chunk.getUint16(at(slot) + 28, true);
  }

  bodyBytes(slot: number): number {
    const chunk = this.#chunk(slot);
    return (chunk.getUint8(at(slot) + 27) >> 4) * 0x1_0000 + chunk.getUint16(at(slot) + 30, true);
  }

  bodyCrc(slot: number): number {
    return this.#chunk(slot).getUint32(at(slot) + 32, true);
  }

  queue(slot: number): number {
    return this.#origins.queue(this.#origin(slot));
  }

  stream(slot: number): number {
    return this.#origins.stream(this.#origin(slot));
  }

  epochCounter(slot: number): number {
    return this.#origins.epochCounter(this.#origin(slot));
  }

  epochRandom(slot: number): number {
    return this.#origins.epochRandom(this.#origin(slot));
  }

  /** The put entry that says all of a message as it is now; its body lies where it lay. */
  copyOf(slot: number): PutEntry {
    return {
      kind: 'put',
      copy: true,
      damaged: this.isDamaged(slot),
      attended: this.isAttended(slot) ? true : undefined,
      holder: this.isHolder(slot) ? this.id(slot) : this.holder(slot) || undefined,
      id: this.id(slot),
      queue: this.queue(slot),
      priority: this.priority(slot),
      deliveryCount: this.deliveryCount(slot),
      moveCount: this.moveCount(slot),
      stream: this.stream(slot),
      number: this.number(slot),
      epochCounter: this.epochCounter(slot),
      epochRandom: this.epochRandom(slot),
      storedAtMs: this.storedAtMs(slot),
      expiresAtMs: this.expiresAtMs(slot),
      notBeforeMs: this.notBeforeMs(slot),
      bodyBytes: this.bodyBytes(slot),
      bodyCrc: this.bodyCrc(slot),
      bodyOffset: this.bodyOffset(slot),
    };
  }

  next(slot: number): number {
    return this.#chunk(slot).getInt32(at(slot) + 40, true);
  }

  previous(slot: number): number {
    return this.#chunk(slot).getInt32(at(slot) + 44, true);
  }

  setNext(slot: number, next: number): void {
    this.#chunk(slot).setInt32(at(slot) + 40, next, true);
  }

  setPrevious(slot: number, previous: number): void {
    this.#chunk(slot).setInt32(at(slot) + 44, previous, true);
  }

  setListed(slot: number, state: 'listed' | 'unlisted'): void {
    const flags = this.#flags(slot);
    this.#chunk(slot).setUint8(at(slot) + 26, state === 'listed' ? flags | LISTED : flags & ~LISTED);
  }

  /** Slot of a message, or NO_SLOT. */
  find(id: number): number {
    const { length } = this.#buckets;
    for (let bucket = this.#bucketOf(id); ; bucket = bucket + 1 === length ? 0 : bucket + 1) {
      const slot = this.#buckets[bucket] ?? NO_SLOT;
      if (slot === NO_SLOT || this.id(slot) === id) return slot;
    }
  }

  /** A slot for a new message, in no list. */
  insert(entry: PutEntry, lsn: number): number {
    invariant(entry.id > 0, 'message ids start at 1');
    const slot = this.#takeSlot();
    const chunk = this.#chunk(slot);
    setUint48(chunk, at(slot), entry.id);
    chunk.setUint8(at(slot) + 26, 0);
    chunk.setInt32(at(slot) + 40, NO_SLOT, true);
    chunk.setInt32(at(slot) + 44, NO_SLOT, true);
    chunk.setUint32(at(slot) + 36, this.#origins.take(entry), true);
    this.#place(slot, entry, lsn);
    this.#count++;
    if (this.#count * BUCKETS_PER_MESSAGE_MIN > this.#buckets.length) this.#widenBuckets();
    else this.#enter(slot);
    return slot;
  }

  /** A newer copy of a message, which says all there is to say of it. */
  replace(slot: number, entry: PutEntry, lsn: number): void {
    const old = this.#origin(slot);
    this.#chunk(slot).setUint32(at(slot) + 36, this.#origins.take(entry), true);
    this.#origins.release(old);
    this.#place(slot, entry, lsn);
  }

  setState(slot: number, { deliveryCount, notBeforeMs, moveCount = this.#moves.get(slot), queue = 0 }: MessageState): void {
    this.#chunk(slot).setUint16(at(slot) + 24, deliveryCount, true);
    this.#times.setNotBefore(slot, notBeforeMs);
    this.#moves.set(slot, moveCount);
    const before = this.queue(slot);
    // What passes through is in no queue, and nothing that an entry says brings it into one, or one of a queue on its way.
    if (queue === before || queue === 0 || before === 0) return;
    const old = this.#origin(slot);
    const moved = {
      ...{ queue, stream: this.stream(slot) },
      ...{ epochCounter: this.epochCounter(slot), epochRandom: this.epochRandom(slot) },
    };
    this.#chunk(slot).setUint32(at(slot) + 36, this.#origins.take(moved), true);
    this.#origins.release(old);
  }

  remove(slot: number): void {
    this.#leave(slot);
    this.#shared.release(this.holder(slot));
    this.#ranks.delete(slot);
    this.#origins.release(this.#origin(slot));
    setUint48(this.#chunk(slot), at(slot), 0);
    this.setNext(slot, this.#free);
    this.#free = slot;
    this.#count--;
  }

  /** Every slot in use, in no order. */
  *slots(): Generator<number> {
    for (let slot = 0; slot < this.#used; slot++) if (this.id(slot) !== 0) yield slot;
  }

  #chunk(slot: number): DataView {
    const chunk = this.#chunks[slot >>> CHUNK_SHIFT];
    invariant(chunk !== undefined, 'a slot of this index');
    return chunk;
  }

  #flags(slot: number): number {
    return this.#chunk(slot).getUint8(at(slot) + 26);
  }

  #origin(slot: number): number {
    return this.#chunk(slot).getUint32(at(slot) + 36, true);
  }

  #takeSlot(): number {
    const slot = this.#free;
    if (slot !== NO_SLOT) {
      this.#free = this.next(slot);
      return slot;
    }
    if (this.#used === this.#chunks.length * CHUNK_SLOTS) {
      this.#chunks.push(new DataView(new ArrayBuffer(CHUNK_SLOTS * SLOT_BYTES)));
    }
    return this.#used++;
  }

  #place(slot: number, entry: PutEntry, lsn: number): void {
    const chunk = this.#chunk(slot);
    const start = at(slot);
    this.#shared.release(this.holder(slot));
    setUint48(chunk, start + 6, lsn);
    setUint48(chunk, start + 12, entry.number);
    setUint48(chunk, start + 18, entry.storedAtMs);
    chunk.setUint16(start + 24, entry.deliveryCount, true);
    const shared = entry.holder === undefined ? 0 : SHARED;
    const marks = (entry.damaged ? DAMAGED : 0) | (entry.attended ? ATTENDED : 0) | shared;
    chunk.setUint8(start + 26, (this.#flags(slot) & LISTED) | entry.priority | marks);
    chunk.setUint8(start + 27, (entry.bodyOffset >>> 16) | ((entry.bodyBytes >>> 16) << 4));
    chunk.setUint16(start + 28, entry.bodyOffset & 0xffff, true);
    chunk.setUint16(start + 30, entry.bodyBytes & 0xffff, true);
    chunk.setUint32(start + 32, entry.bodyCrc, true);
    this.#times.set(slot, entry);
    this.#moves.set(slot, entry.moveCount);
    if (entry.holder !== undefined) this.#shared.take(slot, { id: entry.id, holder: entry.holder });
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
    let bucket = this.#bucketOf(this.id(slot));
    while (this.#buckets[bucket] !== NO_SLOT) bucket = bucket + 1 === length ? 0 : bucket + 1;
    this.#buckets[bucket] = slot;
  }

  /** Backward-shift deletion: no tombstones, so a probe never gets longer than the load explains. */
  #leave(slot: number): void {
    const buckets = this.#buckets;
    const { length } = buckets;
    let hole = this.#bucketOf(this.id(slot));
    while (buckets[hole] !== slot) hole = hole + 1 === length ? 0 : hole + 1;
    for (let bucket = hole; ; ) {
      bucket = bucket + 1 === length ? 0 : bucket + 1;
      const other = buckets[bucket] ?? NO_SLOT;
      if (other === NO_SLOT) break;
      // It may move into the hole unless its home lies behind the hole: then nobody would look for it there.
      const home = this.#bucketOf(this.id(other));
      const isBehindHole = home <= bucket ? hole < home || hole > bucket : hole < home && hole > bucket;
      if (isBehindHole) continue;
      buckets[hole] = other;
      hole = bucket;
    }
    buckets[hole] = NO_SLOT;
  }

  #widenBuckets(): void {
    const length = 8 * Math.ceil((this.#count * BUCKETS_PER_MESSAGE_MIN * BUCKETS_GROWTH) / 8);
    this.#buckets = new Int32Array(length).fill(NO_SLOT);
    for (let slot = 0; slot < this.#used; slot++) if (this.id(slot) !== 0) this.#enter(slot);
  }
}

/** Of a slot, in its chunk. */
function at(slot: number): number {
  return (slot & CHUNK_MASK) * SLOT_BYTES;
}
