/**
 * CBOR as this project writes and reads it, and the only place that knows cbor-x.
 *
 *   value                                   bytes
 *   integer, |n| < 2^64                     the shortest form; beyond 64 bits tag 2 or 3
 *   other number                            a double (fb …); NaN in one form only; −0 is written as 0
 *   text                                    UTF-8; a lone surrogate is written as U+FFFD
 *   Uint8Array                              byte string, no tag
 *   array; Map, plain object                definite lengths, entries in the order of insertion
 *   false true null undefined               f4 f5 f6 f7
 *
 * The same bytes on every host: cbor-x by itself writes integers above 2^32 as floats, small BigInts in nine bytes, and a lone
 * surrogate in one of two ways depending on what the host offers; it drops a byte order mark where the host has a TextDecoder.
 * So values are brought into one form before it sees them, and text that begins with that mark is decoded here.
 */

import { Encoder } from 'cbor-x/index-no-eval';
import { fromUtf8 } from '../bytes.ts';
import { RingmailError } from '../errors.ts';
import { CBOR_DEPTH_MAX, CBOR_ITEMS_MAX } from '../limits.ts';
import { checkCbor } from './cbor-guard.ts';

export type CborKey = number | bigint | string;

/** What decoding gives. Integers are numbers as long as a double holds them exactly, and BigInts beyond. */
export type CborValue =
  | undefined
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | CborValue[]
  | Map<CborKey, CborValue>;

/** What can be encoded: the above, read-only ones of them, and plain objects, whose keys become text. */
export type CborInput =
  | undefined
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly CborInput[]
  | ReadonlyMap<CborKey, CborInput>
  | { readonly [key: string]: CborInput };

const codec = new Encoder({ useRecords: false, variableMapSize: true, mapsAsObjects: false, tagUint8Array: false });

/**
 * The bytes of one value; `decodeCbor` accepts every result.
 * @throws CBOR_UNENCODABLE for anything else than a `CborInput`, and for one beyond the limits of `checkCbor`.
 */
export function encodeCbor(value: CborInput): Uint8Array {
  const encoded = new Uint8Array(codec.encode(oneForm(value, { itemsLeft: CBOR_ITEMS_MAX, depthLeft: CBOR_DEPTH_MAX })));
  const checked = checkCbor(encoded);
  if ('error' in checked) throw new RingmailError('CBOR_UNENCODABLE', { reason: checked.error.reason });
  return encoded;
}

/**
 * The value of one item that fills `bytes`. Maps become `Map`, byte strings copies, integers beyond 2^53 BigInts.
 * @throws CBOR_INVALID for anything `checkCbor` refuses and for bytes left over.
 */
export function decodeCbor(bytes: Uint8Array): CborValue {
  const checked = checkCbor(bytes);
  if ('error' in checked) throw new RingmailError('CBOR_INVALID', checked.error);
  if (checked.end !== bytes.length) throw new RingmailError('CBOR_INVALID', { offset: checked.end, reason: 'trailing' });
  if (checked.markedTexts.length === 0) {
    // A view of its own, because cbor-x hangs a property on the array it is given.
    return plain(codec.decode(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)), undefined);
  }
  // As byte strings these texts come back whole, and as views whose offset tells them from the real byte strings.
  const source = new Uint8Array(bytes);
  const textOffsets = new Set<number>();
  for (const offset of checked.markedTexts) {
    const initial = bytes[offset] ?? 0;
    const argumentBytes = (initial & 0x1f) < 24 ? 0 : 1 << ((initial & 0x1f) - 24);
    source[offset] = initial ^ TEXT_OR_BYTES;
    textOffsets.add(offset + 1 + argumentBytes);
  }
  return plain(codec.decode(source), textOffsets);
}

/** The bit in which the initial bytes of a text string and of a byte string of the same length differ. */
const TEXT_OR_BYTES = 0x20;

/** What is left of the limits. Cycles meet the depth, shared parts that multiply meet the count. */
interface Budget {
  itemsLeft: number;
  depthLeft: number;
}

/** The same value in the one form cbor-x writes as the table says. */
function oneForm(value: unknown, budget: Budget): unknown {
  if (--budget.itemsLeft < 0) throw new RingmailError('CBOR_UNENCODABLE', { reason: 'too-many-items' });
  switch (typeof value) {
    case 'undefined':
    case 'boolean':
      return value;
    case 'number':
      return oneNumber(value);
    case 'bigint':
      return isSafe(value) ? oneNumber(Number(value)) : value;
    case 'string':
      return wellFormed(value);
    case 'object': {
      if (value === null) return null;
      if (value instanceof Uint8Array) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
      if (budget.depthLeft-- === 0) throw new RingmailError('CBOR_UNENCODABLE', { reason: 'too-deep' });
      const container = oneContainer(value, budget);
      budget.depthLeft++;
      return container;
    }
    default:
      throw new RingmailError('CBOR_UNENCODABLE', { reason: `a ${typeof value} has no CBOR form` });
  }
}

function oneContainer(value: object, budget: Budget): unknown {
  if (Array.isArray(value)) return Array.from(value, (item) => oneForm(item, budget));
  if (!(value instanceof Map) && !isPlainObject(value)) {
    throw new RingmailError('CBOR_UNENCODABLE', { reason: 'an instance of a class has no CBOR form' });
  }
  const map = new Map<unknown, unknown>();
  let count = 0;
  for (const [key, item] of value instanceof Map ? value : Object.entries(value)) {
    map.set(oneForm(key, budget), oneForm(item, budget));
    count++;
  }
  if (map.size < count) throw new RingmailError('CBOR_UNENCODABLE', { reason: 'duplicate-key' });
  return map;
}

/** Integers above 32 bits as BigInts, or cbor-x writes them as floats. */
function oneNumber(value: number): unknown {
  if (Number.isNaN(value)) return Number.NaN;
  return Number.isSafeInteger(value) && (value > 0xffff_ffff || value < -0x1_0000_0000) ? BigInt(value) : value;
}

function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}

function isSafe(value: bigint): boolean {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
}

/** Made by a literal, by `Object.create(null)`, or by JSON, of this realm or another. */
function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** What cbor-x decoded, as a `CborValue`. Only ever sees what the guard let through, so its depth is bounded. */
function plain(decoded: unknown, textOffsets: ReadonlySet<number> | undefined): CborValue {
  if (typeof decoded === 'bigint') return isSafe(decoded) ? Number(decoded) : decoded;
  if (decoded instanceof Uint8Array) {
    return textOffsets?.has(decoded.byteOffset) ? (fromUtf8(decoded) ?? '') : decoded.slice();
  }
  if (Array.isArray(decoded)) return decoded.map((item) => plain(item, textOffsets));
  if (decoded instanceof Map) {
    const map = new Map<CborKey, CborValue>();
    for (const [key, item] of decoded) map.set(plain(key, textOffsets) as CborKey, plain(item, textOffsets));
    return map;
  }
  return decoded as undefined | null | boolean | number | string;
}
