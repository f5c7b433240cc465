/**
 * The gate before the CBOR decoder [RFC 8949]: one linear pass that allocates nothing on the word of its input and does not
 * recurse, so that no input can exhaust stack or memory behind it.
 *
 *   off len  field                                  accepted
 *     0   1  initial byte: major type (3 bits),     info 0–23 is the argument itself; 24, 25, 26, 27: 1, 2, 4, 8 bytes follow;
 *            info (5 bits)                          28–30 are reserved, 31 is an indefinite length: both refused
 *     1 0–8  argument, big-endian                   any width, also where a shorter one would do
 *
 *   major  meaning        accepted
 *     0 1  integers       all 64 bits
 *       2  byte string    when its length fits what is left of the input
 *       3  text string    likewise, and strict UTF-8
 *       4  array          when as many items as it declares could still fit, at one byte each
 *       5  map            likewise; keys are integers or text, none twice, and not `__proto__`, `constructor` or `prototype`
 *       6  tag            2 and 3, an integer as a byte string of at most BIGNUM_BYTES_MAX. No other: in our formats a time is a
 *                         number with its unit, and a typed array is a byte string
 *       7  the rest       false, true, null, undefined and the three widths of floats. No other simple value
 *
 * Bounds: CBOR_DEPTH_MAX containers within one another, CBOR_ITEMS_MAX items in all. The three names would reach the prototype of
 * a plain object in whatever reads the map after us. Duplicates: RFC 8949 §5.6 leaves them to the application, and two readers that
 * keep different ones disagree about what was sent; keys are collected in one set for each open map, so the check is linear too.
 */

import { CBOR_DEPTH_MAX, CBOR_ITEMS_MAX } from '../limits.ts';

/** Bytes of an integer beyond 64 bits. Making a BigInt of them takes quadratic time. */
export const BIGNUM_BYTES_MAX = 64;

export type CborReason =
  | 'truncated'
  | 'trailing'
  | 'reserved'
  | 'indefinite'
  | 'tag'
  | 'bignum'
  | 'simple'
  | 'utf8'
  | 'key-type'
  | 'duplicate-key'
  | 'forbidden-key'
  | 'too-deep'
  | 'too-many-items';

/** What is wrong, and the offset of the item it is wrong with. */
export interface CborProblem {
  offset: number;
  reason: CborReason;
}

/** One accepted item: where it ends, and where the text strings in it start (initial byte) that begin with a byte order mark. */
export interface CborItem {
  end: number;
  markedTexts: readonly number[];
}

const MAJOR = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 } as const;
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

type Key = number | bigint | string;

/** An array or map whose items are still to come. `keys` is there for a map: then an even `left` says that a key is next. */
interface Level {
  left: number;
  readonly keys: Set<Key> | undefined;
}

interface Head {
  readonly major: number;
  readonly info: number;
  readonly argument: number;
  /** Offset behind initial byte and argument. */
  readonly end: number;
}

/** Checks the item at `offset`. Bytes behind it are not looked at: they are the next item of a sequence. */
export function checkCbor(bytes: Uint8Array, offset = 0): CborItem | { error: CborProblem } {
  const levels: Level[] = [];
  const markedTexts: number[] = [];
  let at = offset;
  let isBignum = false;
  const refuse = (reason: CborReason) => ({ error: { offset: at, reason } });

  for (let items = 1; ; items++) {
    if (items > CBOR_ITEMS_MAX) return refuse('too-many-items');
    const head = readHead(bytes, at);
    if (typeof head === 'string') return refuse(head);
    if (isBignum && (head.major !== MAJOR.bytes || head.argument > BIGNUM_BYTES_MAX)) return refuse('bignum');
    const problem = contentProblem(bytes, head);
    if (problem !== undefined) return refuse(problem);

    const level = levels.at(-1);
    if (level?.keys !== undefined && level.left % 2 === 0) {
      const keyProblem = addKey(level.keys, keyOf(bytes, head));
      if (keyProblem !== undefined) return refuse(keyProblem);
    }
    isBignum = head.major === MAJOR.tag;
    if (level !== undefined && !isBignum) level.left--;
    if (head.major === MAJOR.text && startsWithMark(bytes, head)) markedTexts.push(at);

    if (head.major === MAJOR.array || head.major === MAJOR.map) {
      const count = itemCount(head);
      if (items + count > CBOR_ITEMS_MAX) return refuse('too-many-items');
      if (levels.length === CBOR_DEPTH_MAX) return refuse('too-deep');
      levels.push({ left: count, keys: head.major === MAJOR.map ? new Set() : undefined });
    }
    while (levels.at(-1)?.left === 0) levels.pop();
    at = contentEnd(head);
    if (levels.length === 0 && !isBignum) return { end: at, markedTexts };
  }
}

function readHead(bytes: Uint8Array, offset: number): Head | CborReason {
  const initial = bytes[offset];
  if (initial === undefined) return 'truncated';
  const info = initial & 0x1f;
  if (info === 31) return 'indefinite';
  if (info > 27) return 'reserved';
  const width = info < 24 ? 0 : 1 << (info - 24);
  const end = offset + 1 + width;
  if (end > bytes.length) return 'truncated';
  return { major: initial >> 5, info, argument: info < 24 ? info : readArgument(bytes, offset + 1, end), end };
}

/** What is wrong with the item itself, wherever it stands. */
function contentProblem(bytes: Uint8Array, head: Head): CborReason | undefined {
  const bytesLeft = bytes.length - head.end;
  switch (head.major) {
    case MAJOR.bytes:
      return head.argument > bytesLeft ? 'truncated' : undefined;
    case MAJOR.text:
      if (head.argument > bytesLeft) return 'truncated';
      return isUtf8(bytes, head.end, contentEnd(head)) ? undefined : 'utf8';
    case MAJOR.array:
    case MAJOR.map:
      return itemCount(head) > bytesLeft ? 'truncated' : undefined;
    case MAJOR.tag:
      return head.argument === 2 || head.argument === 3 ? undefined : 'tag';
    case MAJOR.simple:
      return head.info >= 20 && head.info !== 24 ? undefined : 'simple';
    default:
      return undefined;
  }
}

function itemCount(head: Head): number {
  return head.major === MAJOR.map ? 2 * head.argument : head.argument;
}

function contentEnd(head: Head): number {
  return head.major === MAJOR.bytes || head.major === MAJOR.text ? head.end + head.argument : head.end;
}

/** Undefined for an item that cannot be a key. */
function keyOf(bytes: Uint8Array, head: Head): Key | undefined {
  if (head.major === MAJOR.text) return latin1(bytes, head.end, contentEnd(head));
  if (head.major !== MAJOR.unsigned && head.major !== MAJOR.negative) return undefined;
  const argument = head.argument < Number.MAX_SAFE_INTEGER ? head.argument : exactArgument(bytes, head.end);
  if (head.major === MAJOR.unsigned) return argument;
  return typeof argument === 'number' ? -1 - argument : -1n - argument;
}

function addKey(keys: Set<Key>, key: Key | undefined): CborReason | undefined {
  if (key === undefined) return 'key-type';
  if (typeof key === 'string' && FORBIDDEN_KEYS.has(key)) return 'forbidden-key';
  if (keys.has(key)) return 'duplicate-key';
  keys.add(key);
  return undefined;
}

/** Big-endian. Above 2^53 only nearly right, which is enough to compare a length with what is left. */
function readArgument(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i++) value = value * 0x100 + (bytes[i] ?? 0);
  return value;
}

/** An argument of 8 bytes, to the last bit. */
function exactArgument(bytes: Uint8Array, end: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset + end - 8, 8).getBigUint64(0);
}

/** A byte order mark, U+FEFF. */
function startsWithMark(bytes: Uint8Array, head: Head): boolean {
  return head.argument >= 3 && bytes[head.end] === 0xef && bytes[head.end + 1] === 0xbb && bytes[head.end + 2] === 0xbf;
}

/** One character for each byte: tells two UTF-8 strings apart, and shows the ASCII ones as they are. */
function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] ?? 0);
  return text;
}

/** No overlong form, surrogate, stray or missing byte, nothing above U+10FFFF [RFC 3629 §4]. */
function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; ) {
    const lead = bytes[i++] ?? 0;
    if (lead < 0x80) continue;
    if (lead < 0xc2 || lead > 0xf4) return false;
    const continuation = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if (continuation > end - i) return false;
    const second = bytes[i] ?? 0;
    const secondMin = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const secondMax = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (second < secondMin || second > secondMax) return false;
    for (const last = i++ + continuation; i < last; i++) if (((bytes[i] ?? 0) & 0xc0) !== 0x80) return false;
  }
  return true;
}
