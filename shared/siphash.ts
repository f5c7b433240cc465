/**
 * SipHash-2-4: a keyed hash of 64 bits [Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012]. Who does not know the key can
 * neither guess an output nor make two inputs collide.
 *
 * Four 64-bit words a, b, c, d; each is kept as two 32-bit halves, low first, because a BigInt would be allocated per operation.
 *
 *   a = k0 ^ "somepseu"   b = k1 ^ "dorandom"   c = k0 ^ "lygenera"   d = k1 ^ "tedbytes"
 *   each 8 bytes m, little-endian:  d ^= m   2 rounds   a ^= m
 *   last block: the bytes left over, zeros, and the input's length modulo 256 as its highest byte
 *   c ^= ff   4 rounds   result = a ^ b ^ c ^ d
 */

import { invariant } from './assert.ts';

const KEY_BYTES = 16;
const BLOCK_BYTES = 8;

interface Words {
  a0: number;
  a1: number;
  b0: number;
  b1: number;
  c0: number;
  c1: number;
  d0: number;
  d1: number;
}

/** The 8 bytes of the hash, little-endian, as the reference implementation prints them. The key has 16 bytes. */
export function sipHash(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  invariant(key.length === KEY_BYTES, 'a SipHash key has 16 bytes');
  const words = initialWords(key);
  const tailOffset = bytes.length - (bytes.length % BLOCK_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < tailOffset; i += BLOCK_BYTES) compress(words, view.getInt32(i, true), view.getInt32(i + 4, true));

  const tail = new Uint8Array(BLOCK_BYTES);
  tail.set(bytes.subarray(tailOffset));
  tail[BLOCK_BYTES - 1] = bytes.length & 0xff;
  const tailView = new DataView(tail.buffer);
  compress(words, tailView.getInt32(0, true), tailView.getInt32(4, true));

  words.c0 ^= 0xff;
  for (let i = 0; i < 4; i++) round(words);
  const result = new DataView(new ArrayBuffer(BLOCK_BYTES));
  result.setInt32(0, words.a0 ^ words.b0 ^ words.c0 ^ words.d0, true);
  result.setInt32(4, words.a1 ^ words.b1 ^ words.c1 ^ words.d1, true);
  return new Uint8Array(result.buffer);
}

function initialWords(key: Uint8Array): Words {
  const view = new DataView(key.buffer, key.byteOffset, KEY_BYTES);
  const [k00, k01, k10, k11] = [view.getInt32(0, true), view.getInt32(4, true), view.getInt32(8, true), view.getInt32(12, true)];
  return {
    a0: k00 ^ 0x70736575,
    a1: k01 ^ 0x736f6d65,
    b0: k10 ^ 0x6e646f6d,
    b1: k11 ^ 0x646f7261,
    c0: k00 ^ 0x6e657261,
    c1: k01 ^ 0x6c796765,
    d0: k10 ^ 0x79746573,
    d1: k11 ^ 0x74656462,
  };
}

function compress(words: Words, low: number, high: number): void {
  words.d0 ^= low;
  words.d1 ^= high;
  round(words);
  round(words);
  words.a0 ^= low;
  words.a1 ^= high;
}

/** SipRound. A rotation by 32 swaps the halves. */
function round(words: Words): void {
  let { a0, a1, b0, b1, c0, c1, d0, d1 } = words;
  let sum: number;

  sum = (a0 + b0) | 0;
  a1 = (a1 + b1 + carry(sum, b0)) | 0;
  a0 = sum;
  [b0, b1] = [(b0 << 13) | (b1 >>> 19), (b1 << 13) | (b0 >>> 19)];
  b0 ^= a0;
  b1 ^= a1;
  [a0, a1] = [a1, a0];

  sum = (c0 + d0) | 0;
  c1 = (c1 + d1 + carry(sum, d0)) | 0;
  c0 = sum;
  [d0, d1] = [(d0 << 16) | (d1 >>> 16), (d1 << 16) | (d0 >>> 16)];
  d0 ^= c0;
  d1 ^= c1;

  sum = (a0 + d0) | 0;
  a1 = (a1 + d1 + carry(sum, d0)) | 0;
  a0 = sum;
  [d0, d1] = [(d0 << 21) | (d1 >>> 11), (d1 << 21) | (d0 >>> 11)];
  d0 ^= a0;
  d1 ^= a1;

  sum = (c0 + b0) | 0;
  c1 = (c1 + b1 + carry(sum, b0)) | 0;
  c0 = sum;
  [b0, b1] = [(b0 << 17) | (b1 >>> 15), (b1 << 17) | (b0 >>> 15)];
  b0 ^= c0;
  b1 ^= c1;
  [c0, c1] = [c1, c0];

  words.a0 = a0;
  words.a1 = a1;
  words.b0 = b0;
  words.b1 = b1;
  words.c0 = c0;
  words.c1 = c1;
  words.d0 = d0;
  words.d1 = d1;
}

/** 1 when the 32-bit sum of something and `addend` wrapped. */
function carry(sum: number, addend: number): number {
  return sum >>> 0 < addend >>> 0 ? 1 : 0;
}
