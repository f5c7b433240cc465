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
import { BYTE_STRING, CborWriter, TRUE, UINT } from './cbor-writer.ts';
import { ENVELOPE_VERSION, FIRST_HOP, type Hop } from './envelope.ts';
import type { Epoch, StreamKey } from './identity.ts';
import { SmallPieces } from './small-pieces.ts';

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

/** An envelope and what it says. */
export interface WrittenEnvelope {
  readonly envelope: Uint8Array;
  readonly plain: PlainEnvelope;
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
const KEY_NUMBER = 4;
const KEY_EPOCH_COUNTER = 5;
const KEY_EPOCH_RANDOM = 6;
const KEY_BODY = 7;
const KEY_HOP_COUNT = 0;
const KEY_HOP_ELAPSED = 1;
const KEY_HOP_REPLAYED = 2;
/** Head and value. */
const CRC_BYTES_MAX = 5;
/** The checksum, but one in 65,536 that is a smaller number, and an empty hop part. */
const TAIL_BYTES_MAX = CRC_BYTES_MAX + 1;
/** Not the head of what was expected, or cut off. */
const NOT = -1;

const pieces = new SmallPieces();
const fieldWriter = new CborWriter();
const frameWriter = new CborWriter();

/** Envelopes of one stream. */
export class PlainForm {
  /** What every immutable part begins with, head and names, and its checksum. */
  readonly #begin: Uint8Array;
  readonly #beginCrc: number;
  /** Behind the head that was read last. */
  #at = 0;

  constructor({ origin, incarnation, destination, priority }: StreamKey) {
    const fields = [
      [0, origin],
      [1, fromHex(incarnation) ?? new Uint8Array(0)],
      [2, destination],
      [3, priority],
    ] as const;
    const names = fields.flatMap(([key, value]) => [encodeCbor(key), encodeCbor(value)]);
    this.#begin = concatBytes([Uint8Array.of(MAP_OF_EIGHT), ...names]);
    this.#beginCrc = crc32c(this.#begin);
  }

  /** Undefined: not of this stream, not of this form, or not whole. Its checksum holds otherwise. */
  read(bytes: Uint8Array): PlainEnvelope | undefined {
    if (bytes[0] !== ARRAY_OF_FOUR || bytes[1] !== ENVELOPE_VERSION) return undefined;
    this.#at = 2;
    const length = this.#head(bytes, BYTE_STRING);
    const start = this.#at;
    const end = start + length;
    if (length === NOT || end >= bytes.length || !this.#isBegun(bytes, start)) return undefined;
    const fieldsAt = start + this.#begin.length;
    this.#at = fieldsAt;
    const number = this.#field(bytes, KEY_NUMBER, UINT);
    const counter = this.#field(bytes, KEY_EPOCH_COUNTER, UINT);
    const random = this.#field(bytes, KEY_EPOCH_RANDOM, UINT);
    const bodyBytes = this.#field(bytes, KEY_BODY, BYTE_STRING);
    if (number < 0 || counter < 0 || random < 0 || bodyBytes < 0 || this.#at + bodyBytes !== end) return undefined;
    const bodyOffset = this.#at;
    this.#at = end;
    const crc = this.#head(bytes, UINT);
    if (crc !== crc32c(bytes.subarray(fieldsAt, end), this.#beginCrc)) return undefined;
    const hopOffset = this.#at;
    const hop = this.#hop(bytes);
    if (hop === undefined || this.#at !== bytes.length) return undefined;
    return { number, epoch: { counter, random }, hop, hopOffset, bodyOffset, bodyBytes, crc };
  }

  /** The envelope of its first hop, byte for byte as `encodeEnvelope` has it. */
  write({ number, epoch, body }: PlainMessage): WrittenEnvelope {
    const begin = this.#begin;
    const { start, fieldsAt, bodyOffset, end } = this.#heads({ number, epoch, bodyBytes: body.length });
    const whole = pieces.take(end + TAIL_BYTES_MAX);
    frameWriter.copy({ from: 0, to: start }, whole, 0);
    whole.set(begin, start);
    fieldWriter.copy({ from: 0, to: fieldWriter.length }, whole, fieldsAt);
    whole.set(body, bodyOffset);
    const crc = crc32c(whole.subarray(fieldsAt, end), this.#beginCrc);
    frameWriter.clear();
    frameWriter.head(UINT, crc);
    const hopOffset = end + frameWriter.length;
    frameWriter.simple(NO_HOP);
    frameWriter.copy({ from: 0, to: frameWriter.length }, whole, end);
    const envelope = frameWriter.length === TAIL_BYTES_MAX ? whole : whole.subarray(0, hopOffset + 1);
    return { envelope, plain: { number, epoch, hop: FIRST_HOP, hopOffset, bodyOffset, bodyBytes: body.length, crc } };
  }

  /** Bytes of that envelope, or up to four more: where the checksum is a small number. */
  bytesFor(message: Omit<PlainMessage, 'body'> & { readonly bodyBytes: number }): number {
    return this.#heads(message).end + TAIL_BYTES_MAX;
  }

  /** Writes what is before the immutable part, and what is in it behind the names and before the body; says what comes where. */
  #heads({ number, epoch, bodyBytes }: Omit<PlainMessage, 'body'> & { readonly bodyBytes: number }) {
    const fields = fieldWriter;
    fields.clear();
    fields.head(UINT, KEY_NUMBER);
    fields.head(UINT, number);
    fields.head(UINT, KEY_EPOCH_COUNTER);
    fields.head(UINT, epoch.counter);
    fields.head(UINT, KEY_EPOCH_RANDOM);
    fields.head(UINT, epoch.random);
    fields.head(UINT, KEY_BODY);
    fields.head(BYTE_STRING, bodyBytes);
    const immutableBytes = this.#begin.length + fields.length + bodyBytes;
    frameWriter.clear();
    frameWriter.simple(ARRAY_OF_FOUR);
    frameWriter.simple(ENVELOPE_VERSION);
    frameWriter.head(BYTE_STRING, immutableBytes);
    const start = frameWriter.length;
    const fieldsAt = start + this.#begin.length;
    return { start, fieldsAt, bodyOffset: fieldsAt + fields.length, end: start + immutableBytes };
  }

  #isBegun(bytes: Uint8Array, offset: number): boolean {
    const begin = this.#begin;
    for (let i = 0; i < begin.length; i++) if (bytes[offset + i] !== begin[i]) return false;
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
  const hop = frameWriter;
  hop.clear();
  hop.simple(NO_HOP + (count > 0 ? 1 : 0) + (elapsedMs > 0 ? 1 : 0) + (replayed === true ? 1 : 0));
  if (count > 0) {
    hop.head(UINT, KEY_HOP_COUNT);
    hop.head(UINT, count);
  }
  if (elapsedMs > 0) {
    hop.head(UINT, KEY_HOP_ELAPSED);
    hop.head(UINT, elapsedMs);
  }
  if (replayed === true) {
    hop.head(UINT, KEY_HOP_REPLAYED);
    hop.simple(TRUE);
  }
  const changed = pieces.take(hopOffset + hop.length);
  changed.set(bytes.subarray(0, hopOffset));
  hop.copy({ from: 0, to: hop.length }, changed, hopOffset);
  return changed;
}
