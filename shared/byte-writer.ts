import { invariant } from './assert.ts';
import { VARINT_MAX } from './varint.ts';

const START_BYTES = 64;

/**
 * Builds a byte string field by field, little-endian. Grows as needed, never beyond `bytesMax`: ask `fits` first where the world
 * decides the length; writing past it, or a number outside its field, is a bug and breaks an invariant.
 */
export class ByteWriter {
  readonly #bytesMax: number;
  #bytes: Uint8Array;
  #length = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#bytes = new Uint8Array(Math.min(START_BYTES, bytesMax));
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** Whether `count` more bytes stay within the limit. */
  fits(count: number): boolean {
    return this.#length + count <= this.#bytesMax;
  }

  u8(value: number): this {
    return this.#fixed(value, 1);
  }

  u16(value: number): this {
    return this.#fixed(value, 2);
  }

  u32(value: number): this {
    return this.#fixed(value, 4);
  }

  u48(value: number): this {
    return this.#fixed(value, 6);
  }

  /** Eight bytes for a number a double holds exactly: at most 2^53 − 1. */
  u64(value: number): this {
    invariant(value <= VARINT_MAX, 'a u64 from a number is at most 2^53 - 1');
    return this.#fixed(value, 8);
  }

  varint(value: number): this {
    invariant(Number.isSafeInteger(value) && value >= 0, 'a varint is an integer from 0 to 2^53 - 1');
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#push(0x80 | (rest % 0x80));
    return this.#push(rest);
  }

  bytes(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** What was written, as an array of its own. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #fixed(value: number, width: number): this {
    invariant(Number.isInteger(value) && value >= 0 && value < 2 ** (8 * width), `a field of ${width} bytes holds its number`);
    let rest = value;
    for (let i = 0; i < width; i++) {
      this.#push(rest % 0x100);
      rest = Math.floor(rest / 0x100);
    }
    return this;
  }

  #push(byte: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = byte;
    return this;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    invariant(needed <= this.#bytesMax, `a writer of at most ${this.#bytesMax} bytes is not asked for more`);
    const grown = new Uint8Array(Math.min(this.#bytesMax, Math.max(needed, 2 * this.#bytes.length)));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}
