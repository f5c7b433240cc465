/** Whole numbers as META has them, without a value in between. */
import type { CborInput } from '../message/cbor.ts';

const ARRAY_COUNT_SHORT = 23;
const SCRATCH = new Uint8Array(1 + 9 * ARRAY_COUNT_SHORT);

/** A whole number or a few of them: what nearly every META is, and every message brings two. The bytes are those of `encodeCbor`. */
export function encodeUints(value: CborInput): Uint8Array | undefined {
  if (typeof value === 'number') {
    const end = putUint(0, value);
    return end < 0 ? undefined : SCRATCH.slice(0, end);
  }
  if (!Array.isArray(value) || value.length > ARRAY_COUNT_SHORT) return undefined;
  SCRATCH[0] = 0x80 + value.length;
  let at = 1;
  for (const item of value) {
    at = typeof item === 'number' ? putUint(at, item) : -1;
    if (at < 0) return undefined;
  }
  return SCRATCH.slice(0, at);
}

function putUint(at: number, value: number): number {
  if (!Number.isSafeInteger(value) || value < 0 || Object.is(value, -0)) return -1;
  const [short, width] =
    value < 24 ? [value, 0] : value < 0x100 ? [24, 1] : value < 0x1_0000 ? [25, 2] : value < 0x1_0000_0000 ? [26, 4] : [27, 8];
  SCRATCH[at] = short;
  let rest = value;
  for (let i = width; i > 0; i--) {
    SCRATCH[at + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return at + 1 + width;
}
