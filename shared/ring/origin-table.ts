/**
 * Where messages belong and where their numbers come from: (queue, stream, epoch). Thousands of messages share one, so it is kept
 * once and counted; a message holds four bytes that name it. What no message names any more is forgotten.
 */
import { invariant } from '../assert.ts';

export interface Origin {
  readonly queue: number;
  readonly stream: number;
  readonly epochCounter: number;
  readonly epochRandom: number;
}

const NONE = -1;
const ORIGINS_MIN = 16;
/** queue, stream, epoch counter, epoch random. */
const WORDS = 4;

export class OriginTable {
  #words = new Uint32Array(WORDS * ORIGINS_MIN);
  #uses = new Uint32Array(ORIGINS_MIN);
  /** The next one with the same hash, or the next free one. */
  #next = new Int32Array(ORIGINS_MIN);
  #buckets = new Int32Array(ORIGINS_MIN).fill(NONE);
  #free = NONE;
  #used = 0;
  /** Taken last: messages of one origin come one after the other. */
  #last = 0;

  /** Memory taken. */
  get bytes(): number {
    return [this.#words, this.#uses, this.#next, this.#buckets].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** The number of an origin, which has one use more. */
  take(origin: Origin): number {
    const last = this.#last;
    if ((this.#uses[last] ?? 0) > 0 && this.#is(last, origin)) {
      this.#uses[last] = (this.#uses[last] ?? 0) + 1;
      return last;
    }
    this.#last = this.#find(origin);
    return this.#last;
  }

  #find(origin: Origin): number {
    const bucket = this.#bucketOf(origin.queue, origin.stream, origin.epochCounter);
    for (let at = this.#buckets[bucket] ?? NONE; at !== NONE; at = this.#next[at] ?? NONE) {
      if (!this.#is(at, origin)) continue;
      this.#uses[at] = (this.#uses[at] ?? 0) + 1;
      return at;
    }
    return this.#add(origin);
  }

  /** One use less. */
  release(at: number): void {
    const uses = this.#uses[at] ?? 0;
    invariant(uses > 0, 'an origin is released as often as it was taken');
    this.#uses[at] = uses - 1;
    if (uses > 1) return;
    const bucket = this.#bucketOf(this.queue(at), this.stream(at), this.epochCounter(at));
    if (this.#buckets[bucket] === at) this.#buckets[bucket] = this.#next[at] ?? NONE;
    else {
      let before = this.#buckets[bucket] ?? NONE;
      while (this.#next[before] !== at) before = this.#next[before] ?? NONE;
      this.#next[before] = this.#next[at] ?? NONE;
    }
    this.#next[at] = this.#free;
    this.#free = at;
  }

  queue(at: number): number {
    return this.#words[WORDS * at] ?? 0;
  }

  stream(at: number): number {
    return this.#words[WORDS * at + 1] ?? 0;
  }

  epochCounter(at: number): number {
    return this.#words[WORDS * at + 2] ?? 0;
  }

  epochRandom(at: number): number {
    return this.#words[WORDS * at + 3] ?? 0;
  }

  #add(origin: Origin): number {
    if (this.#free === NONE && this.#used === this.#uses.length) this.#grow();
    let at = this.#free;
    if (at === NONE) at = this.#used++;
    else this.#free = this.#next[at] ?? NONE;
    const { queue, stream, epochCounter, epochRandom } = origin;
    this.#words.set([queue, stream, epochCounter, epochRandom], WORDS * at);
    this.#uses[at] = 1;
    this.#enter(at);
    return at;
  }

  #is(at: number, origin: Origin): boolean {
    return (
      this.stream(at) === origin.stream &&
      this.queue(at) === origin.queue &&
      this.epochCounter(at) === origin.epochCounter &&
      this.epochRandom(at) === origin.epochRandom
    );
  }

  #bucketOf(queue: number, stream: number, epochCounter: number): number {
    const mixed = Math.imul(stream ^ Math.imul(queue, 0x85eb_ca6b) ^ Math.imul(epochCounter, 0xc2b2_ae35), 0x9e37_79b1);
    return (mixed ^ (mixed >>> 15)) & (this.#buckets.length - 1);
  }

  #enter(at: number): void {
    const bucket = this.#bucketOf(this.queue(at), this.stream(at), this.epochCounter(at));
    this.#next[at] = this.#buckets[bucket] ?? NONE;
    this.#buckets[bucket] = at;
  }

  /** Called with all in use. */
  #grow(): void {
    const length = 2 * this.#uses.length;
    this.#words = widened(this.#words, new Uint32Array(WORDS * length));
    this.#uses = widened(this.#uses, new Uint32Array(length));
    this.#next = new Int32Array(length);
    this.#buckets = new Int32Array(length).fill(NONE);
    for (let at = 0; at < this.#used; at++) this.#enter(at);
  }
}

function widened(from: Uint32Array, into: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  into.set(from);
  return into;
}
