/**
 * The lower half of the second decoder of the link: zeros, COBS, CRC-32C and the fields of docs/link.md, from that page alone.
 *
 *   bytes of one direction ──zeros──▶ runs ──COBS──▶ packets, header │ body │ trailer ──▶ fields, one after the other
 */

export const INTEGER_MAX = 2 ** 53 - 1;

/** A body that is not what the page says. */
export class Malformed extends Error {}

export function want(holds: boolean, why: string): asserts holds {
  if (!holds) throw new Malformed(why);
}

/** CRC-32C of the parts one after the other, a bit at a time. */
export function secondCrc(...parts: readonly Uint8Array[]): number {
  let register = 0xffffffff;
  for (const part of parts) {
    for (const byte of part) {
      register ^= byte;
      for (let bit = 0; bit < 8; bit++) {
        register = register & 1 ? (register >>> 1) ^ 0x82f63b78 : register >>> 1;
      }
    }
  }
  return ~register >>> 0;
}

/** Undefined for a run that is not COBS. */
export function secondUncobs(run: Uint8Array): Uint8Array | undefined {
  const packet: number[] = [];
  let at = 0;
  while (at < run.length) {
    const code = run[at++] ?? 0;
    if (code === 0 || at + code - 1 > run.length) return undefined;
    for (let left = code - 1; left > 0; left--) {
      const byte = run[at++] ?? 0;
      if (byte === 0) return undefined;
      packet.push(byte);
    }
    if (code !== 255 && at < run.length) packet.push(0);
  }
  return Uint8Array.from(packet);
}

/** Collects one direction's bytes into runs, by the rule of §1. `bytesHeld` never exceeds the longest run. */
export class SecondSplitter {
  readonly #packetBytesMax: number;
  readonly #runBytesMax: number;
  #run: number[] = [];
  #discarding = false;
  tooLong = 0;

  constructor(packetBytesMax: number) {
    this.#packetBytesMax = packetBytesMax;
    this.#runBytesMax = packetBytesMax + Math.floor(packetBytesMax / 254) + 1;
  }

  get bytesHeld(): number {
    return this.#run.length;
  }

  push(chunk: Uint8Array): Uint8Array[] {
    const runs: Uint8Array[] = [];
    for (const byte of chunk) {
      if (byte === 0) {
        if (!this.#discarding && this.#run.length > 0) this.#end(Uint8Array.from(this.#run), runs);
        this.#run = [];
        this.#discarding = false;
      } else if (!this.#discarding) {
        this.#run.push(byte);
        if (this.#run.length > this.#runBytesMax) {
          this.#run = [];
          this.#discarding = true;
          this.tooLong++;
        }
      }
    }
    return runs;
  }

  /** A run may be short enough and still hold too much. */
  #end(run: Uint8Array, runs: Uint8Array[]): void {
    if ((secondUncobs(run)?.length ?? 0) > this.#packetBytesMax) this.tooLong++;
    else runs.push(run);
  }
}

/** Reads fields one after the other; leaving the bytes is `Malformed`. */
export class Bytes {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  raw(count: number): Uint8Array {
    want(count <= this.left, 'a field that leaves the packet');
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  part(count: number): Bytes {
    return new Bytes(this.raw(count));
  }

  hex(count: number): string {
    return toHex(this.raw(count));
  }

  u8(): number {
    return little(this.raw(1));
  }

  u16(): number {
    return little(this.raw(2));
  }

  u32(): number {
    return little(this.raw(4));
  }

  u64(): number {
    const value = little(this.raw(8));
    want(value <= INTEGER_MAX, 'u64 above 2^53 - 1');
    return value;
  }

  vi(max: number): number {
    let value = 0;
    for (let count = 0; count < 8; count++) {
      const byte = this.u8();
      value += (byte & 0x7f) * 2 ** (7 * count);
      if (byte >= 0x80) continue;
      want(byte !== 0 || count === 0, 'a varint that is not the shortest');
      want(value <= max, 'a varint above its bound');
      return value;
    }
    throw new Malformed('a varint of more than 8 bytes');
  }

  text(): string {
    const bytes = this.raw(this.u8());
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new Malformed('text that is not UTF-8'); // the only thing that a fatal decoder throws
    }
  }
}

export function little(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}

export function littleBytes(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
}

export function toHex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
