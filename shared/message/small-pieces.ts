/**
 * Memory for small arrays, many to a piece: one of its own for each costs a JavaScript engine more than what is written into it. Whoever
 * keeps one keeps the piece: what lives long is copied out.
 */
import { NO_BYTES } from '../bytes.ts';

/** What is kept at most beside a small array that is kept alone. */
const PIECE_BYTES = 4096;
/** What is larger has memory of its own. */
const SMALL_BYTES_MAX = 512;

export class SmallPieces {
  #piece = NO_BYTES;
  #at = 0;

  /** Zeros. */
  take(bytes: number): Uint8Array {
    if (bytes > SMALL_BYTES_MAX) return new Uint8Array(bytes);
    if (this.#at + bytes > this.#piece.length) {
      this.#piece = new Uint8Array(PIECE_BYTES);
      this.#at = 0;
    }
    const start = this.#at;
    this.#at += bytes;
    return this.#piece.subarray(start, this.#at);
  }
}
