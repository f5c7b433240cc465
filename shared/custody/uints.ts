/** Whole numbers as META has them, without a value in between. */
import type { CborInput } from '../message/cbor.ts';
import { ARRAY, CborWriter, UINT } from '../message/cbor-writer.ts';
import { SmallPieces } from '../message/small-pieces.ts';

const ARRAY_COUNT_SHORT = 23;
const writer = new CborWriter();
const pieces = new SmallPieces();

/** A whole number or a few of them: what nearly every META is, and every message brings two. The bytes are those of `encodeCbor`. */
export function encodeUints(value: CborInput): Uint8Array | undefined {
  writer.clear();
  if (typeof value === 'number') {
    if (!isUint(value)) return undefined;
    writer.head(UINT, value);
  } else {
    if (!Array.isArray(value) || value.length > ARRAY_COUNT_SHORT) return undefined;
    writer.head(ARRAY, value.length);
    for (let i = 0; i < value.length; i++) {
      const item: CborInput = value[i];
      if (!isUint(item)) return undefined;
      writer.head(UINT, item);
    }
  }
  const bytes = pieces.take(writer.length);
  writer.copy({ from: 0, to: writer.length }, bytes, 0);
  return bytes;
}

function isUint(value: CborInput): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0);
}
