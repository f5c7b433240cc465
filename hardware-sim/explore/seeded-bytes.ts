/**
 * Random bytes of one opening of a store: a function of its seed and of how many were drawn before, so that a node that is made again
 * from its inputs draws the same, and two openings never do.
 */
import type { Random } from '../../shared/ports.ts';

export class SeededBytes implements Random {
  readonly #seed: number;
  #drawn = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    let state = Math.imul(this.#seed + 1, 0x9e37_79b1) ^ Math.imul(this.#drawn + 1, 0x85eb_ca6b);
    for (let at = 0; at < count; at++) {
      state = Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x6d2b_79f5;
      bytes[at] = (state ^ (state >>> 13)) >>> 11;
    }
    this.#drawn += 1;
    return bytes;
  }
}
