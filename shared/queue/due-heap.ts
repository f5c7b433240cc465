/**
 * Messages by the time at which something is due for them, and those of one time in order of arrival: a binary heap in typed arrays, 20 bytes an entry, O(log n).
 *
 *   bytes  8 time (queue time, ms)   8 message id   4 slot
 *
 * Nothing is ever taken out of the middle: an entry whose message is gone, or has another time by now, is passed over when it comes
 * up, and swept out when such entries are the greater part.
 */

const ENTRIES_MIN = 64;
/** Up to so many stale entries nobody looks. */
const STALE_COUNT_MIN = 1024;

export interface Due {
  /** Queue time. */
  readonly atMs: number;
  readonly id: number;
  readonly slot: number;
}

export class DueHeap {
  #times = new Float64Array(0);
  #ids = new Float64Array(0);
  #slots = new Int32Array(0);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Memory taken. */
  get bytes(): number {
    return this.#times.byteLength + this.#ids.byteLength + this.#slots.byteLength;
  }

  /** The earliest time; undefined when nothing is due, ever. */
  get nextMs(): number | undefined {
    return this.#count === 0 ? undefined : this.#times[0];
  }

  /** The earliest entry, left where it is. */
  get first(): Due | undefined {
    return this.#count === 0 ? undefined : this.#at(0);
  }

  /** All entries, in no order; nothing may be pushed or popped meanwhile. */
  *[Symbol.iterator](): Generator<Due> {
    for (let at = 0; at < this.#count; at++) yield this.#at(at);
  }

  push(due: Due): void {
    if (this.#count === this.#times.length) this.#resize(Math.max(ENTRIES_MIN, Math.ceil(this.#count * 1.5)));
    this.#rise(this.#count++, due);
  }

  /** The earliest entry, taken out. */
  pop(): Due | undefined {
    if (this.#count === 0) return undefined;
    const first = this.#at(0);
    const last = this.#at(--this.#count);
    if (this.#count > 0) this.#sink(0, last);
    return first;
  }

  /** Drops entries that mean nothing any more, once they must be most of those that are there beside `liveMax` others. */
  sweep(liveMax: number, isLive: (due: Due) => boolean): void {
    if (this.#count < STALE_COUNT_MIN + 2 * liveMax) return;
    let kept = 0;
    for (let at = 0; at < this.#count; at++) {
      const due = this.#at(at);
      if (isLive(due)) this.#set(kept++, due);
    }
    this.#count = kept;
    this.#resize(Math.max(ENTRIES_MIN, Math.ceil(kept * 1.5)));
    for (let at = (kept >> 1) - 1; at >= 0; at--) this.#sink(at, this.#at(at));
  }

  /** Puts an entry in at a free place, or above it. */
  #rise(from: number, due: Due): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(due, parent)) break;
      this.#set(at, this.#at(parent));
      at = parent;
    }
    this.#set(at, due);
  }

  /** Puts an entry in at a free place, or below it. */
  #sink(from: number, due: Due): void {
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#count) break;
      if (child + 1 < this.#count && this.#isBefore(this.#at(child + 1), child)) child += 1;
      if (this.#isBefore(due, child)) break;
      this.#set(at, this.#at(child));
      at = child;
    }
    this.#set(at, due);
  }

  /** Of one time the earlier message comes first. */
  #isBefore({ atMs, id }: Due, at: number): boolean {
    const other = this.#times[at] ?? 0;
    return atMs < other || (atMs === other && id < (this.#ids[at] ?? 0));
  }

  #at(at: number): Due {
    return { atMs: this.#times[at] ?? 0, id: this.#ids[at] ?? 0, slot: this.#slots[at] ?? 0 };
  }

  #set(at: number, { atMs, id, slot }: Due): void {
    this.#times[at] = atMs;
    this.#ids[at] = id;
    this.#slots[at] = slot;
  }

  #resize(length: number): void {
    this.#times = resized(this.#times, new Float64Array(length));
    this.#ids = resized(this.#ids, new Float64Array(length));
    this.#slots = resized(this.#slots, new Int32Array(length));
  }
}

/** As much of it as fits, or all of it. */
function resized<T extends Float64Array | Int32Array>(from: T, into: T): T {
  into.set(from.subarray(0, Math.min(from.length, into.length)));
  return into;
}
