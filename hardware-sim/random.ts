/**
 * Chance that can be told again: sfc32 (Doty-Humphrey, PractRand), seeded through splitmix32. The same seed gives the same numbers
 * on every machine: 32-bit integer arithmetic only. Each part of the simulation takes a stream of its own by name, so that one that
 * draws more, or is new, changes nothing for the others.
 */

import type { Random } from '../shared/ports.ts';

/** Outputs thrown away before the first one given out: until then the state still shows the seed. */
const WARM_UP_COUNT = 12;

export type Seed = string | number;

/** Not for secrets. */
export class Prng implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  /** The four words of the state as they are; `stream` is how to get one from a seed. */
  constructor(a: number, b: number, c: number, counter: number) {
    this.#a = a | 0;
    this.#b = b | 0;
    this.#c = c | 0;
    this.#counter = counter | 0;
  }

  /** 32 random bits, unsigned. */
  uint32(): number {
    const out = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + out) | 0;
    return out >>> 0;
  }

  /** In [0, 1). */
  next(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** Whole number in [0, count). `count` from 1 to 2^32. */
  int(count: number): number {
    return Math.floor(this.next() * count);
  }

  /** True with this probability, 0 to 1. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly [T, ...T[]]): T {
    return list[this.int(list.length)] ?? list[0];
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let i = 0; i < count; i++) bytes[i] = this.uint32() >>> 24;
    return bytes;
  }
}

/** The stream `name` of `seed`. Streams of different names have nothing to do with each other. */
export function stream(seed: Seed, name: string): Prng {
  const mix = splitmix32(hash(`${typeof seed} ${seed} ${name}`));
  const prng = new Prng(mix(), mix(), mix(), 1);
  for (let i = 0; i < WARM_UP_COUNT; i++) prng.uint32();
  return prng;
}

function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return z ^ (z >>> 15);
  };
}

/** FNV-1a over UTF-16 units, both bytes of each. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    h = Math.imul(h ^ (unit & 0xff), 0x01000193);
    h = Math.imul(h ^ (unit >>> 8), 0x01000193);
  }
  return h | 0;
}
