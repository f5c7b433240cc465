import { describe, expect, test } from 'vitest';
import { toHex } from './bytes.ts';
import { sipHash } from './siphash.ts';

const key = Uint8Array.from({ length: 16 }, (_, i) => i);
const rising = (length: number) => Uint8Array.from({ length }, (_, i) => i);

describe('SipHash-2-4 with the key 00..0f of the bytes 00, 01, …', () => {
  // From the authors' vectors; the one of 15 bytes is the worked example of the paper's appendix, a129ca6149be45e5.
  test.each([
    [0, '310e0edd47db6f72'],
    [1, 'fd67dc93c539f874'],
    [2, '5a4fa9d909806c0d'],
    [3, '2d7efbd796666785'],
    [4, 'b7877127e09427cf'],
    [5, '8da699cd64557618'],
    [6, 'cee3fe586e46c9cb'],
    [7, '37d1018bf50002ab'],
    [8, '6224939a79f5f593'],
    [9, 'b0e4a90bdf82009e'],
    [10, 'f3b9dd94c5bb5d7a'],
    [11, 'a7ad6b22462fb3f4'],
    [12, 'fbe50e86bc8f1e75'],
    [13, '903d84c02756ea14'],
    [14, 'eef27a8e90ca23f7'],
    [15, 'e545be4961ca29a1'],
    [16, 'db9bc2577fcc2a3f'],
    [63, '724506eb4c328a95'],
  ])('%i of them', (length, expected) => expect(toHex(sipHash(key, rising(length)))).toBe(expected));
});

test('the place of key and input in memory does not matter', () => {
  const memory = Uint8Array.from({ length: 99 }, (_, i) => i - 3);
  expect(toHex(sipHash(memory.subarray(3, 19), memory.subarray(3, 18)))).toBe('e545be4961ca29a1');
});

test('another key gives another hash', () => {
  const seen = new Set([toHex(sipHash(key, rising(8)))]);
  for (let bit = 0; bit < 128; bit++) {
    const other = Uint8Array.from(key);
    other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    seen.add(toHex(sipHash(other, rising(8))));
  }
  expect(seen.size).toBe(129);
});

test('a key of another length is a bug', () => expect(() => sipHash(rising(15), rising(1))).toThrow('16 bytes'));
