/** CBOR written item by item, for whoever knows what comes: the bytes that `encodeCbor` has for the same values, without making them first. */
import { toUtf8 } from '../bytes.ts';

export const UINT = 0;
export const BYTE_STRING = 2;
const TEXT = 3;
export const ARRAY = 4;
export const MAP = 5;
export const FALSE = 0xf4;
export const TRUE = 0xf5;

const BYTES_AT_FIRST = 256;
const HEAD_BYTES_MAX = 9;
const TWO_32 = 2 ** 32;

export class CborWriter {
  #bytes = new Uint8Array(BYTES_AT_FIRST);
  #at = 0;

  /** Bytes written since `clear`. */
  get length(): number {
    return this.#at;
  }

  clear(): void {
    this.#at = 0;
  }

  /** Of a number, or of what is so long; in its shortest form. `value`: whole, from 0 to 2^53 - 1. */
  head(major: number, value: number): void {
    this.#reserve(HEAD_BYTES_MAX);
    const bytes = this.#bytes;
    const initial = major << 5;
    if (value < 24) {
      bytes[this.#at++] = initial | value;
      return;
    }
    const width = value < 0x100 ? 1 : value < 0x1_0000 ? 2 : value < TWO_32 ? 4 : 8;
    bytes[this.#at++] = initial | (width === 1 ? 24 : width === 2 ? 25 : width === 4 ? 26 : 27);
    if (width === 8) this.#low(Math.floor(value / TWO_32), 4);
    this.#low(value % TWO_32, Math.min(width, 4));
  }

  /** A byte as it is: FALSE, TRUE. */
  simple(byte: number): void {
    this.#reserve(1);
    this.#bytes[this.#at++] = byte;
  }

  /** A lone surrogate becomes U+FFFD. */
  text(text: string): void {
    for (let i = 0; i < text.length; i++) {
      if (text.charCodeAt(i) < 0x80) continue;
      const bytes = toUtf8(text);
      this.head(TEXT, bytes.length);
      return this.raw(bytes);
    }
    this.head(TEXT, text.length);
    this.#reserve(text.length);
    for (let i = 0; i < text.length; i++) this.#bytes[this.#at++] = text.charCodeAt(i);
  }

  byteString(bytes: Uint8Array): void {
    this.head(BYTE_STRING, bytes.length);
    this.raw(bytes);
  }

  /** Items that are written already. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Copies what was written from `from` to `to`. */
  copy({ from, to }: { from: number; to: number }, into: Uint8Array, offset: number): void {
    for (let i = from; i < to; i++) into[offset + i - from] = this.#bytes[i] ?? 0;
  }

  #low(value: number, width: number): void {
    for (let shift = 8 * (width - 1); shift >= 0; shift -= 8) this.#bytes[this.#at++] = (value >>> shift) & 0xff;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const grown = new Uint8Array(2 * (this.#at + bytes));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
  }
}
