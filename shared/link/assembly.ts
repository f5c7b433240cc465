/**
 * A message that comes in parts, in whatever order and sizes. Its memory is that of the message once its size is known, and grows
 * with what has come before that.
 */
import { ByteRanges } from './byte-ranges.ts';

/** Holes in one message at most: more than a window of lost packets makes. Bounds the list of what has come. */
const RANGE_COUNT_MAX = 128;
const START_BYTES = 4096;

export interface Part {
  readonly offset: number;
  readonly payload: Uint8Array;
  /** Bytes of the whole message: the first part says it, and the last one by where it ends. */
  readonly total: number | undefined;
}

export class Assembly {
  readonly #ranges = new ByteRanges(RANGE_COUNT_MAX);
  #buffer = new Uint8Array(0);
  #total: number | undefined;

  get total(): number | undefined {
    return this.#total;
  }

  /** Bytes of memory it takes. */
  get bytes(): number {
    return this.#buffer.length;
  }

  /** Bytes of memory it will take with this part. */
  bytesWith(part: Part): number {
    const total = this.#total ?? part.total;
    if (total !== undefined) return Math.max(total, this.#buffer.length);
    const needed = part.offset + part.payload.length;
    return needed <= this.#buffer.length ? this.#buffer.length : Math.max(START_BYTES, 2 * needed);
  }

  /** `conflict`: it cannot be a part of this message. `full`: too many holes, as good as lost. */
  add(part: Part): 'added' | 'full' | 'conflict' {
    const end = part.offset + part.payload.length;
    const total = this.#total ?? part.total;
    if (part.total !== undefined && part.total !== total) return 'conflict';
    if (total !== undefined && Math.max(end, this.#ranges.end) > total) return 'conflict';
    if (!this.#ranges.add(part.offset, end)) return 'full';
    this.#total = total;
    this.#reserve(this.bytesWith(part));
    this.#buffer.set(part.payload, part.offset);
    return 'added';
  }

  /** The message, once all of it is there. */
  get whole(): Uint8Array | undefined {
    const total = this.#total;
    return total !== undefined && this.#ranges.covers(total) ? this.#buffer.subarray(0, total) : undefined;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#buffer.length) return;
    const grown = new Uint8Array(bytes);
    grown.set(this.#buffer);
    this.#buffer = grown;
  }
}
