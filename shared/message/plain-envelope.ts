/**
 * The envelope as nearly every message has it, read without decoding: no optional keys, keys in order, every length and number in its
 * shortest form. What is not exactly so is left to envelope.ts, which says the same of the same bytes, only later.
 *
 *   84                                  array of four
 *   01                                  version
 *   58 nn                               immutable part, bytes: (any head that a byte string may have)
 *     a8                                map of eight
 *     00 origin 01 incarnation 02 destination 03 priority      the same for all messages of a stream: compared with that, not read
 *     04 number 05 epoch 06 random 07 body
 *   1a ........                         crc of the immutable part
 *   a0 | a1 .. | a2 .. | a3 ..          hop part: 00 hops, 01 elapsed ms, 02 f5 replayed
 */
import { concatBytes, fromHex } from '../bytes.ts';
import { crc32c } from '../crc32c.ts';
import { encodeCbor } from './cbor.ts';
import { ENVELOPE_VERSION, type Hop } from './envelope.ts';
import type { Epoch, StreamKey } from './identity.ts';

export interface PlainEnvelope {
  readonly number: number;
  readonly epoch: Epoch;
  readonly hop: Hop;
  /** Where the hop part begins. */
  readonly hopOffset: number;
  readonly bodyOffset: number;
  readonly bodyBytes: number;
  /** Of the immutable part. */
  readonly crc: number;
}

/** A message of a stream that is known: nothing else is in its immutable part. */
export interface PlainMessage {
  readonly number: number;
  readonly epoch: Epoch;
  readonly body: Uint8Array;
}

const ARRAY_OF_FOUR = 0x84;
const MAP_OF_EIGHT = 0xa8;
const NO_HOP = 0xa0;
const UINT = 0;
const BYTE_STRING = 2;
const KEY_NUMBER = 4;
const KEY_EPOCH_COUNTER = 5;
const KEY_EPOCH_RANDOM = 6;
const KEY_BODY = 7;
const KEY_HOP_COUNT = 0;
const KEY_HOP_ELAPSED = 1;
const KEY_HOP_REPLAYED = 2;
const TRUE = 0xf5;
/** Head and value. */
const CRC_BYTES_MAX = 5;
/** Not the head of what was expected, or cut off. */
const NOT = -1;

/** Envelopes of one stream. */
export class PlainForm {
  readonly #names: Uint8Array;
  /** Behind the head that was read last. */
  #at = 0;

  constructor({ origin, incarnation, destination, priority }: StreamKey) {
    const fields = [
      [0, origin],
      [1, fromHex(incarnation) ?? new Uint8Array(0)],
      [2, destination],
      [3, priority],
    ] as const;
    this.#names = concatBytes(fields.flatMap(([key, value]) => [encodeCbor(key), encodeCbor(value)]));
  }

  /** Undefined: not of this stream, not of this form, or not whole. Its checksum holds otherwise. */
  read(bytes: Uint8Array): PlainEnvelope | undefined {
    if (bytes[0] !== ARRAY_OF_FOUR || bytes[1] !== ENVELOPE_VERSION) return undefined;
    this.#at = 2;
    const length = this.#head(bytes, BYTE_STRING);
    const start = this.#at;
    const end = start + length;
    if (length === NOT || end >= bytes.length || bytes[start] !== MAP_OF_EIGHT || !this.#isNamed(bytes, start + 1))
      return undefined;
    this.#at = start + 1 + this.#names.length;
    const number = this.#field(bytes, KEY_NUMBER, UINT);
    const counter = this.#field(bytes, KEY_EPOCH_COUNTER, UINT);
    const random = this.#field(bytes, KEY_EPOCH_RANDOM, UINT);
    const bodyBytes = this.#field(bytes, KEY_BODY, BYTE_STRING);
    if (number < 0 || counter < 0 || random < 0 || bodyBytes < 0 || this.#at + bodyBytes !== end) return undefined;
    const bodyOffset = this.#at;
    this.#at = end;
    const crc = this.#head(bytes, UINT);
    if (crc !== crc32c(bytes.subarray(start, end), 0)) return undefined;
    const hopOffset = this.#at;
    const hop = this.#hop(bytes);
    if (hop === undefined || this.#at !== bytes.length) return undefined;
    return { number, epoch: { counter, random }, hop, hopOffset, bodyOffset, bodyBytes, crc };
  }

  /** The envelope of its first hop, byte for byte as `encodeEnvelope` has it, and the checksum of its immutable part. */
  write({ number, epoch, body }: PlainMessage): { readonly envelope: Uint8Array; readonly crc: number } {
    const names = this.#names;
    const fields = fieldBytes(number, epoch, body.length);
    const immutableBytes = 1 + names.length + fields.length + body.length;
    const head = Uint8Array.of(ARRAY_OF_FOUR, ENVELOPE_VERSION, ...headBytes(BYTE_STRING, immutableBytes), MAP_OF_EIGHT);
    const crc = [names, fields, body].reduce((sum, bytes) => crc32c(bytes, sum), crc32c(head.subarray(-1), 0));
    return { envelope: concatBytes([head, names, fields, body, Uint8Array.of(...headBytes(UINT, crc), NO_HOP)]), crc };
  }

  /** Bytes of that envelope, or up to four more: where the checksum is a small number. */
  bytesFor({ number, epoch, bodyBytes }: Omit<PlainMessage, 'body'> & { readonly bodyBytes: number }): number {
    const immutableBytes = 1 + this.#names.length + fieldBytes(number, epoch, bodyBytes).length + bodyBytes;
    return 2 + headBytes(BYTE_STRING, immutableBytes).length + immutableBytes + CRC_BYTES_MAX + 1;
  }

  #isNamed(bytes: Uint8Array, offset: number): boolean {
    const names = this.#names;
    for (let i = 0; i < names.length; i++) if (bytes[offset + i] !== names[i]) return false;
    return true;
  }

  #hop(bytes: Uint8Array): Hop | undefined {
    const fields = (bytes[this.#at++] ?? 0) - NO_HOP;
    if (fields < 0 || fields > 3) return undefined;
    let left = fields;
    const next = (key: number): boolean => left > 0 && bytes[this.#at] === key && left-- > 0;
    const count = next(KEY_HOP_COUNT) ? this.#field(bytes, KEY_HOP_COUNT, UINT) : 0;
    const elapsedMs = next(KEY_HOP_ELAPSED) ? this.#field(bytes, KEY_HOP_ELAPSED, UINT) : 0;
    const isReplayed = next(KEY_HOP_REPLAYED);
    if (isReplayed && bytes[this.#at + 1] !== TRUE) return undefined;
    if (isReplayed) this.#at += 2;
    if (left > 0 || count < 0 || elapsedMs < 0) return undefined;
    return isReplayed ? { count, elapsedMs, replayed: true } : { count, elapsedMs };
  }

  #field(bytes: Uint8Array, key: number, major: number): number {
    if (bytes[this.#at] !== key) return NOT;
    this.#at += 1;
    return this.#head(bytes, major);
  }

  /** The number or length in a head of this major type, up to 2^53; in its shortest form. */
  #head(bytes: Uint8Array, major: number): number {
    const initial = bytes[this.#at] ?? 0xff;
    if (initial >> 5 !== major) return NOT;
    const short = initial & 0x1f;
    this.#at += 1;
    if (short < 24) return short;
    if (short > 27) return NOT;
    const width = 1 << (short - 24);
    let value = 0;
    for (let i = 0; i < width; i++) value = value * 256 + (bytes[this.#at + i] ?? Number.NaN);
    this.#at += width;
    const least = width === 1 ? 24 : 2 ** (4 * width);
    return value >= least && value <= Number.MAX_SAFE_INTEGER ? value : NOT;
  }
}

/** The same message with another hop part. */
export function withPlainHop(bytes: Uint8Array, hopOffset: number, { count, elapsedMs, replayed }: Hop): Uint8Array {
  const hop = [NO_HOP + (count > 0 ? 1 : 0) + (elapsedMs > 0 ? 1 : 0) + (replayed === true ? 1 : 0)];
  if (count > 0) hop.push(KEY_HOP_COUNT, ...headBytes(UINT, count));
  if (elapsedMs > 0) hop.push(KEY_HOP_ELAPSED, ...headBytes(UINT, elapsedMs));
  if (replayed === true) hop.push(KEY_HOP_REPLAYED, TRUE);
  const changed = new Uint8Array(hopOffset + hop.length);
  changed.set(bytes.subarray(0, hopOffset));
  changed.set(hop, hopOffset);
  return changed;
}

/** What is in an immutable part behind the names of its stream, up to the bytes of the body. */
function fieldBytes(number: number, epoch: Epoch, bodyBytes: number): Uint8Array {
  return Uint8Array.of(
    KEY_NUMBER,
    ...headBytes(UINT, number),
    KEY_EPOCH_COUNTER,
    ...headBytes(UINT, epoch.counter),
    KEY_EPOCH_RANDOM,
    ...headBytes(UINT, epoch.random),
    KEY_BODY,
    ...headBytes(BYTE_STRING, bodyBytes),
  );
}

/** Of a number or a length, in its shortest form. */
function headBytes(major: number, value: number): number[] {
  if (value < 24) return [(major << 5) | value];
  const width = value < 0x100 ? 1 : value < 0x1_0000 ? 2 : value < 0x1_0000_0000 ? 4 : 8;
  const bytes = [(major << 5) | (24 + Math.log2(width))];
  for (let i = width - 1; i >= 0; i--) bytes.push(Math.floor(value / 256 ** i) % 256);
  return bytes;
}
