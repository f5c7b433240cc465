/**
 * What cbor.ts uses of cbor-x, in a twentieth of its size: the embedded profile is bundled with this in its place (scripts/build.mjs).
 * Same bytes, same values; a test compares the two. It sees only what cbor.ts lets through: on the way out values in their one form,
 * on the way in bytes that the guard found whole, so it checks nothing.
 */
import { fromUtf8, toUtf8 } from '../bytes.ts';

const CHUNK_BYTES_MIN = 128;
const TWO_64 = 2n ** 64n;

export class Encoder {
  #bytes = new Uint8Array(CHUNK_BYTES_MIN);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  encode(value: unknown): Uint8Array {
    this.#at = 0;
    this.#write(value);
    const { buffer } = this.#bytes;
    this.#bytes = new Uint8Array(CHUNK_BYTES_MIN);
    this.#view = new DataView(this.#bytes.buffer);
    return new Uint8Array(buffer, 0, this.#at);
  }

  /** Byte strings are parts of `bytes`. */
  decode(bytes: Uint8Array): unknown {
    return new Reader(bytes).value();
  }

  #write(value: unknown): void {
    switch (typeof value) {
      case 'boolean':
        return this.#head(7, value ? 21 : 20);
      case 'number':
        return this.#number(value);
      case 'bigint':
        return this.#bigint(value);
      case 'string': {
        const text = toUtf8(value);
        this.#head(3, text.length);
        return this.#raw(text);
      }
      case 'object':
        return value === null ? this.#head(7, 22) : this.#object(value);
      default:
        return this.#head(7, 23);
    }
  }

  #object(value: object): void {
    if (value instanceof Uint8Array) {
      this.#head(2, value.length);
      this.#raw(value);
    } else if (Array.isArray(value)) {
      this.#head(4, value.length);
      for (const item of value) this.#write(item);
    } else {
      const map = value as ReadonlyMap<unknown, unknown>;
      this.#head(5, map.size);
      for (const [key, item] of map) {
        this.#write(key);
        this.#write(item);
      }
    }
  }

  /** Integers of more than 32 bits come as BigInts. */
  #number(value: number): void {
    if (Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff) return this.#head(0, value);
    if (Number.isInteger(value) && value < 0 && value >= -0x1_0000_0000) return this.#head(1, -1 - value);
    this.#need(9);
    this.#view.setUint8(this.#at, 0xfb);
    this.#view.setFloat64(this.#at + 1, value);
    this.#at += 9;
  }

  #bigint(value: bigint): void {
    const major = value < 0n ? 1 : 0;
    const argument = value < 0n ? -1n - value : value;
    if (argument <= 0xffff_ffffn) return this.#head(major, Number(argument));
    // −2^64 would fit as well; cbor-x writes it as a big one.
    if (argument < TWO_64 && value !== -TWO_64) {
      this.#need(9);
      this.#view.setUint8(this.#at, (major << 5) | 27);
      this.#view.setBigUint64(this.#at + 1, argument);
      this.#at += 9;
      return;
    }
    this.#head(6, 2 + major);
    const hex = argument.toString(16);
    const digits = hex.length % 2 === 0 ? hex : `0${hex}`;
    this.#head(2, digits.length / 2);
    this.#raw(Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16)));
  }

  #head(major: number, argument: number): void {
    this.#need(5);
    const initial = major << 5;
    if (argument < 24) this.#view.setUint8(this.#at++, initial | argument);
    else if (argument < 0x100) {
      this.#view.setUint16(this.#at, ((initial | 24) << 8) | argument);
      this.#at += 2;
    } else if (argument < 0x1_0000) {
      this.#view.setUint8(this.#at, initial | 25);
      this.#view.setUint16(this.#at + 1, argument);
      this.#at += 3;
    } else {
      this.#view.setUint8(this.#at, initial | 26);
      this.#view.setUint32(this.#at + 1, argument);
      this.#at += 5;
    }
  }

  #raw(bytes: Uint8Array): void {
    this.#need(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
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
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  value(): unknown {
    const initial = this.#bytes[this.#at] ?? 0;
    const major = initial >> 5;
    const info = initial & 0x1f;
    if (major === 7) return this.#simple(info);
    this.#at += 1;
    const argument = this.#argument(info);
    if (major === 0) return argument;
    if (major === 1) return typeof argument === 'bigint' ? -1n - argument : -1 - argument;
    const count = Number(argument);
    switch (major) {
      case 2:
        return this.#take(count);
      case 3:
        return fromUtf8(this.#take(count));
      case 4:
        return Array.from({ length: count }, () => this.value());
      case 5: {
        const map = new Map<unknown, unknown>();
        for (let i = 0; i < count; i++) map.set(this.value(), this.value());
        return map;
      }
      default: {
        const magnitude = (this.value() as Uint8Array).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
        return count === 2 ? magnitude : -1n - magnitude;
      }
    }
  }

  /** A number as far as one holds it. */
  #argument(info: number): number | bigint {
    if (info < 24) return info;
    const at = this.#at;
    this.#at += 1 << (info - 24);
    switch (info) {
      case 24:
        return this.#view.getUint8(at);
      case 25:
        return this.#view.getUint16(at);
      case 26:
        return this.#view.getUint32(at);
      default: {
        const wide = this.#view.getBigUint64(at);
        return wide < Number.MAX_SAFE_INTEGER ? Number(wide) : wide;
      }
    }
  }

  #simple(info: number): unknown {
    const at = this.#at + 1;
    this.#at = info < 24 ? at : at + (1 << (info - 24));
    switch (info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 25:
        return half(this.#view.getUint16(at));
      case 26:
        return this.#view.getFloat32(at);
      case 27:
        return this.#view.getFloat64(at);
      default:
        return undefined;
    }
  }

  #take(count: number): Uint8Array {
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
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
