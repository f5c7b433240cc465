/**
 * cbor.ts, the guard before it and what both use of cbor-x, in half of their size: in the small build in their place
 * (scripts/core-bundle.mjs). One pass writes, one pass checks and reads. Same bytes, same values, the same errors at the same offsets; a
 * test compares the two.
 */
import { fromUtf8, toUtf8 } from '../bytes.ts';
import { RingmailError } from '../errors.ts';
import { CBOR_DEPTH_MAX, CBOR_ITEMS_MAX } from '../limits.ts';
import type { CborInput, CborKey, CborValue } from './cbor.ts';
import type { CborReason } from './cbor-guard.ts';

const BYTES_MIN = 128;
const HEAD_BYTES_MAX = 9;
const BIGNUM_BYTES_MAX = 64;
const TWO_32 = 2 ** 32;
const TWO_64 = 2n ** 64n;
/** They would reach the prototype of a plain object. */
const FORBIDDEN_KEYS = ['__proto__', 'constructor', 'prototype'];

/** @throws CBOR_UNENCODABLE as that of cbor.ts */
export function encodeCbor(value: CborInput): Uint8Array {
  const writer = new Writer();
  writer.write(value);
  const bytes = writer.written;
  try {
    decodeCbor(bytes);
  } catch (error) {
    throw error instanceof RingmailError ? unencodable((error as RingmailError<'CBOR_INVALID'>).details.reason) : error;
  }
  return bytes;
}

/** @throws CBOR_INVALID as that of cbor.ts */
export function decodeCbor(bytes: Uint8Array): CborValue {
  const reader = new Reader(bytes);
  const value = reader.value();
  if (reader.at < bytes.length) throw refused(reader.at, 'trailing');
  return value;
}

function unencodable(reason: string): RingmailError {
  return new RingmailError('CBOR_UNENCODABLE', { reason });
}

function refused(offset: number, reason: CborReason): RingmailError {
  return new RingmailError('CBOR_INVALID', { offset, reason });
}

function oneOf(value: bigint): number | bigint {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

class Writer {
  #bytes = new Uint8Array(BYTES_MIN);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  #itemsLeft = CBOR_ITEMS_MAX;
  #depthLeft = CBOR_DEPTH_MAX;

  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  write(value: unknown): void {
    if (--this.#itemsLeft < 0) throw unencodable('too-many-items');
    switch (typeof value) {
      case 'undefined':
        return this.#head(7, 23);
      case 'boolean':
        return this.#head(7, value ? 21 : 20);
      case 'number':
        return this.#number(value);
      case 'bigint':
        return this.#bigint(value);
      case 'string':
        return this.#string(3, toUtf8(value));
      case 'object':
        if (value === null) return this.#head(7, 22);
        if (value instanceof Uint8Array) return this.#string(2, value);
        if (this.#depthLeft-- === 0) throw unencodable('too-deep');
        this.#container(value);
        this.#depthLeft++;
        return;
      default:
        throw unencodable(`a ${typeof value} has no CBOR form`);
    }
  }

  #container(value: object): void {
    if (Array.isArray(value)) {
      this.#head(4, value.length);
      for (const item of value) this.write(item);
      return;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
    if (!(value instanceof Map) && !isPlain) throw unencodable('an instance of a class has no CBOR form');
    const entries = value instanceof Map ? [...value] : Object.entries(value);
    this.#head(5, entries.length);
    for (const [key, item] of entries) {
      this.write(key);
      this.write(item);
    }
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value)) return value < 0 ? this.#head(1, -1 - value) : this.#head(0, value);
    this.#need(HEAD_BYTES_MAX);
    this.#view.setUint8(this.#at, 0xfb);
    this.#view.setFloat64(this.#at + 1, Number.isNaN(value) ? Number.NaN : value);
    this.#at += HEAD_BYTES_MAX;
  }

  #bigint(value: bigint): void {
    const safe = oneOf(value);
    if (typeof safe === 'number') return this.#number(safe);
    const major = value < 0n ? 1 : 0;
    const argument = value < 0n ? -1n - value : value;
    // −2^64 would fit as well; cbor-x writes it as a big one.
    if (argument < TWO_64 && value !== -TWO_64) {
      this.#need(HEAD_BYTES_MAX);
      this.#view.setUint8(this.#at, (major << 5) | 27);
      this.#view.setBigUint64(this.#at + 1, argument);
      this.#at += HEAD_BYTES_MAX;
      return;
    }
    this.#head(6, 2 + major);
    const digits: number[] = [];
    for (let rest = argument; rest > 0n; rest >>= 8n) digits.unshift(Number(rest & 0xffn));
    this.#string(2, Uint8Array.from(digits));
  }

  #string(major: number, bytes: Uint8Array): void {
    this.#head(major, bytes.length);
    this.#need(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #head(major: number, argument: number): void {
    const [info, width] =
      argument < 24
        ? [argument, 0]
        : argument < 0x100
          ? [24, 1]
          : argument < 0x1_0000
            ? [25, 2]
            : argument < TWO_32
              ? [26, 4]
              : [27, 8];
    this.#need(HEAD_BYTES_MAX);
    this.#bytes[this.#at] = (major << 5) | info;
    for (let at = this.#at + width, rest = argument; at > this.#at; at--, rest = Math.floor(rest / 0x100))
      this.#bytes[at] = rest % 0x100;
    this.#at += 1 + width;
  }

  #need(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const wider = new Uint8Array(2 * this.#bytes.length + count);
    wider.set(this.#bytes);
    this.#bytes = wider;
    this.#view = new DataView(wider.buffer);
  }
}

class Reader {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Of the item that is being read. */
  #start = 0;
  #items = 0;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** `what`: where it stands. */
  value(what: 'value' | 'key' | 'bignum' = 'value'): CborValue {
    this.#start = this.at;
    if (++this.#items > CBOR_ITEMS_MAX) throw this.#refused('too-many-items');
    const initial = this.#bytes[this.at++];
    if (initial === undefined) throw this.#refused('truncated');
    const major = initial >> 5;
    const info = initial & 0x1f;
    const argument = this.#argument(info);
    const length = Number(argument);
    if (what === 'bignum' && (major !== 2 || length > BIGNUM_BYTES_MAX)) throw this.#refused('bignum');
    this.#check(major, info, length);
    if (what === 'key' && major !== 0 && major !== 1 && major !== 3) throw this.#refused('key-type');
    switch (major) {
      case 0:
        return argument;
      case 1:
        return typeof argument === 'number' && argument < Number.MAX_SAFE_INTEGER ? -1 - argument : -1n - BigInt(argument);
      case 2:
        return this.#take(length).slice();
      case 3: {
        const text = fromUtf8(this.#take(length));
        if (text === undefined) throw this.#refused('utf8');
        return text;
      }
      case 6: {
        const bytes = this.value('bignum') as Uint8Array;
        const magnitude = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
        return oneOf(length === 2 ? magnitude : -1n - magnitude);
      }
      case 7:
        return this.#simple(info);
      default:
        return this.#container(major, length);
    }
  }

  #refused(reason: CborReason): RingmailError {
    return refused(this.#start, reason);
  }

  /** What is wrong with the item itself, wherever it stands, but for a text that is none. */
  #check(major: number, info: number, length: number): void {
    const left = this.#bytes.length - this.at;
    const least = major === 5 ? 2 * length : major >= 2 && major <= 4 ? length : 0;
    if (least > left) throw this.#refused('truncated');
    if (major === 6 && length !== 2 && length !== 3) throw this.#refused('tag');
    if (major === 7 && (info < 20 || info === 24)) throw this.#refused('simple');
  }

  #argument(info: number): number | bigint {
    if (info === 31) throw this.#refused('indefinite');
    if (info > 27) throw this.#refused('reserved');
    if (info < 24) return info;
    const at = this.at;
    this.at += 1 << (info - 24);
    if (this.at > this.#bytes.length) throw this.#refused('truncated');
    if (info === 27) return oneOf(this.#view.getBigUint64(at));
    let value = 0;
    for (let i = at; i < this.at; i++) value = value * 0x100 + (this.#bytes[i] ?? 0);
    return value;
  }

  #container(major: number, length: number): CborValue {
    const count = major === 5 ? 2 * length : length;
    if (this.#items + count > CBOR_ITEMS_MAX) throw this.#refused('too-many-items');
    if (this.#depth++ === CBOR_DEPTH_MAX) throw this.#refused('too-deep');
    let read: CborValue;
    if (major === 4) read = Array.from({ length }, () => this.value());
    else read = this.#map(length);
    this.#depth--;
    return read;
  }

  #map(length: number): Map<CborKey, CborValue> {
    const map = new Map<CborKey, CborValue>();
    for (let i = 0; i < length; i++) {
      const key = this.value('key') as CborKey;
      if (FORBIDDEN_KEYS.includes(String(key))) throw this.#refused('forbidden-key');
      if (map.has(key)) throw this.#refused('duplicate-key');
      map.set(key, this.value());
    }
    return map;
  }

  #simple(info: number): CborValue {
    switch (info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 25:
        return half(this.#view.getUint16(this.at - 2));
      case 26:
        return this.#view.getFloat32(this.at - 4);
      case 27:
        return this.#view.getFloat64(this.at - 8);
      default:
        return undefined;
    }
  }

  #take(count: number): Uint8Array {
    this.at += count;
    return this.#bytes.subarray(this.at - count, this.at);
  }
}

/** Sixteen bits: sign, five of exponent, ten of fraction [IEEE 754]. */
function half(bits: number): number {
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}
