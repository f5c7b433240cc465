/**
 * Bodies read or written lately, by message id. Ids ascend, so the place of a body is its id modulo the number of places. The bytes lie one
 * behind the other in one piece of memory that is written round and round:
 *
 *   │ newest ◀── oldest bodies … │ next │ oldest … newest ──▶ │
 *
 * A copy in and, for the few that are asked for, a copy out: an object for each that is kept would outlive collection after collection,
 * which costs more than both.
 */
import { SmallPieces } from '../message/small-pieces.ts';

/** A place for so many bytes of room: bodies of this size fill both at once. */
const BYTES_PER_PLACE = 256;
const PLACES_MIN = 16;
/** Ids begin at 1: what a place has before its first body, and what no message has. */
const NO_ID = 0;

export class BodyCache {
  readonly #places: number;
  readonly #ids: Float64Array;
  /** Where a body begins, in bytes written since the beginning, those left out at the end of a round included. */
  readonly #starts: Float64Array;
  readonly #lengths: Uint32Array;
  readonly #memory: Uint8Array;
  readonly #pieces = new SmallPieces();
  #written = 0;
  /** The same, in the memory. */
  #at = 0;

  constructor(bytesMax: number) {
    this.#places = Math.max(PLACES_MIN, Math.floor(bytesMax / BYTES_PER_PLACE));
    this.#ids = new Float64Array(this.#places);
    this.#starts = new Float64Array(this.#places);
    this.#lengths = new Uint32Array(this.#places);
    this.#memory = new Uint8Array(bytesMax);
  }

  has(id: number): boolean {
    if (id === NO_ID) return false;
    const place = id % this.#places;
    return this.#ids[place] === id && this.#written - (this.#starts[place] ?? 0) <= this.#memory.length;
  }

  /** Bytes of its own. */
  get(id: number): Uint8Array | undefined {
    if (!this.has(id)) return undefined;
    const place = id % this.#places;
    const length = this.#lengths[place] ?? 0;
    const at = this.#at - (this.#written - (this.#starts[place] ?? 0));
    const start = at < 0 ? at + this.#memory.length : at;
    const body = this.#pieces.take(length);
    body.set(this.#memory.subarray(start, start + length));
    return body;
  }

  /** The body of an id is always the same one. */
  put(id: number, body: Uint8Array): void {
    const left = this.#memory.length - this.#at;
    if (body.length > this.#memory.length) return;
    if (body.length > left) {
      this.#written += left;
      this.#at = 0;
    }
    const place = id % this.#places;
    this.#memory.set(body, this.#at);
    this.#ids[place] = id;
    this.#starts[place] = this.#written;
    this.#lengths[place] = body.length;
    this.#written += body.length;
    this.#at += body.length;
  }

  drop(id: number): void {
    const place = id % this.#places;
    if (this.#ids[place] === id) this.#ids[place] = NO_ID;
  }
}
