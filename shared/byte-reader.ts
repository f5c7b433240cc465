import { readVarint, VARINT_MAX } from './varint.ts';

/**
 * Reads a byte string field by field, little-endian. Never throws: a field that is not whole is undefined, and so is every field
 * of at least one byte after it, so a decoder may read on and look once.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #offset: number;

  /** Reads `bytes` from `offset` to before `end`. */
  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#end = Math.min(end, bytes.length);
    this.#offset = offset;
  }

  /** Where the next field starts. */
  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return Math.max(0, this.#end - this.#offset);
  }

  u8(): number | undefined {
    return this.#fixed(1);
  }

  u16(): number | undefined {
    return this.#fixed(2);
  }

  u32(): number | undefined {
    return this.#fixed(4);
  }

  u48(): number | undefined {
    return this.#fixed(6);
  }

  /** Eight bytes; undefined above 2^53 − 1. */
  u64(): number | undefined {
    const value = this.#fixed(8);
    return value === undefined || value > VARINT_MAX ? this.#fail() : value;
  }

  /** Undefined for one that is cut off, padded or above 2^53 − 1. */
  varint(): number | undefined {
    const found = readVarint(this.#bytes, this.#offset, this.#end);
    if (found === undefined) return this.#fail();
    this.#offset = found.end;
    return found.value;
  }

  /** The next `length` bytes, as a view of what is being read. */
  bytes(length: number): Uint8Array | undefined {
    if (length > this.remaining) return this.#fail();
    const start = this.#offset;
    this.#offset += length;
    return this.#bytes.subarray(start, this.#offset);
  }

  /** Everything up to the end, as a view of what is being read. */
  rest(): Uint8Array {
    const start = Math.min(this.#offset, this.#end);
    this.#offset = this.#end;
    return this.#bytes.subarray(start, this.#end);
  }

  #fixed(width: number): number | undefined {
    if (width > this.remaining) return this.#fail();
    let value = 0;
    for (let i = this.#offset + width - 1; i >= this.#offset; i--) value = value * 0x100 + (this.#bytes[i] ?? 0);
    this.#offset += width;
    return value;
  }

  #fail(): undefined {
    this.#offset = this.#end;
    return undefined;
  }
}
