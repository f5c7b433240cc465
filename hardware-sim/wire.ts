/**
 * One direction of a cable: bytes go in at once and come out at the pace of the line, damaged as much as asked.
 *
 *   push ──▶ [ backlog ] ── one byte every 10 bits ──▶ dropped? ──▶ a bit flipped? ──▶ take
 *
 * Pure: time and chance are arguments. Damage is drawn byte by byte in order, so it depends on the bytes and the seed alone, never
 * on how they were split into chunks or when somebody looked.
 */

import { invariant } from '../shared/assert.ts';
import type { Prng } from './random.ts';

/** Start bit, eight data bits, stop bit. */
const BITS_PER_BYTE = 10;
/**
 * Bytes under way at most; more are lost and counted, as in a full FIFO. A pipe gives up to 65,536 bytes at once, also after a pause
 * was asked for: whoever can wait loses nothing.
 */
export const WIRE_BYTES_MAX = 262_144;
/**
 * Bytes come out in lots of about this much line time, in ms, as a UART's FIFO gives them: one wake-up for 46 bytes at 115,200. A USB
 * adapter waits up to 16.
 */
export const LOT_MS = 4;

export interface WireFaults {
  /** Probability that a byte vanishes. */
  dropRate: number;
  /** Probability that a byte has one bit flipped. A bit error rate p gives about 8 p. */
  flipRate: number;
}

export interface WireOptions {
  /** Bits per second; undefined: as fast as it comes. */
  baud: number | undefined;
  random: Prng;
  /** Line time of a lot, in ms, unless it is LOT_MS. */
  lotMs?: number;
  faults?: Partial<WireFaults>;
}

export class Wire {
  /** May be changed at any time; holds for bytes that come out from then on. */
  readonly faults: WireFaults;
  readonly counters = { passed: 0, dropped: 0, flipped: 0, lostInCut: 0, overrun: 0 };
  readonly #byteMs: number;
  readonly #lotBytes: number;
  readonly #random: Prng;
  readonly #backlog: Uint8Array[] = [];
  #backlogBytes = 0;
  /** When the sender's last byte that came out was through. */
  #freeAtMs = 0;
  #copper: 'whole' | 'cut' = 'whole';

  constructor(options: WireOptions) {
    invariant(options.baud === undefined || options.baud > 0, `baud ${options.baud}`);
    this.#byteMs = options.baud === undefined ? 0 : (1000 * BITS_PER_BYTE) / options.baud;
    this.#lotBytes = Math.max(1, Math.floor((options.lotMs ?? LOT_MS) / this.#byteMs));
    this.#random = options.random;
    this.faults = { dropRate: 0, flipRate: 0, ...options.faults };
  }

  /** Bytes under way. */
  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  /** When `take` has something to give; undefined: nothing is under way. */
  get wakeAtMs(): number | undefined {
    if (this.#backlogBytes === 0) return undefined;
    if (this.#byteMs === 0) return this.#freeAtMs;
    return this.#freeAtMs + Math.min(this.#lotBytes, this.#backlogBytes) * this.#byteMs;
  }

  /** Takes a copy. */
  push(bytes: Uint8Array, nowMs: number): void {
    if (this.#copper === 'cut') {
      this.counters.lostInCut += bytes.length;
      return;
    }
    const room = Math.min(bytes.length, WIRE_BYTES_MAX - this.#backlogBytes);
    this.counters.overrun += bytes.length - room;
    if (room === 0) return;
    if (this.#backlogBytes === 0) this.#freeAtMs = Math.max(this.#freeAtMs, nowMs);
    this.#backlog.push(bytes.slice(0, room));
    this.#backlogBytes += room;
  }

  /** What has come out by now; empty when nothing has. */
  take(nowMs: number): Uint8Array {
    // A wake-up at exactly `wakeAtMs` must find its bytes: the millionth absorbs the rounding of the division.
    const due = this.#byteMs === 0 ? this.#backlogBytes : Math.floor((nowMs - this.#freeAtMs) / this.#byteMs + 1e-6);
    const count = Math.max(0, Math.min(due, this.#backlogBytes));
    const out = this.#damaged(this.#shift(count));
    this.#freeAtMs += count * this.#byteMs;
    this.counters.passed += out.length;
    return out;
  }

  /** What is under way is lost, and what comes until `restore`. */
  cut(): void {
    this.#copper = 'cut';
    this.lose();
  }

  /** What is under way is lost; what comes is not. */
  lose(): void {
    this.counters.lostInCut += this.#backlogBytes;
    this.#backlog.length = 0;
    this.#backlogBytes = 0;
  }

  restore(): void {
    this.#copper = 'whole';
  }

  /** In place. */
  #damaged(bytes: Uint8Array): Uint8Array {
    if (this.faults.dropRate === 0 && this.faults.flipRate === 0) return bytes;
    let length = 0;
    for (const byte of bytes) {
      const arrived = this.#damage(byte);
      if (arrived !== undefined) bytes[length++] = arrived;
    }
    return bytes.slice(0, length);
  }

  #damage(byte: number): number | undefined {
    if (this.faults.dropRate > 0 && this.#random.chance(this.faults.dropRate)) {
      this.counters.dropped += 1;
      return undefined;
    }
    if (this.faults.flipRate > 0 && this.#random.chance(this.faults.flipRate)) {
      this.counters.flipped += 1;
      return byte ^ (1 << this.#random.int(8));
    }
    return byte;
  }

  #shift(count: number): Uint8Array {
    const out = new Uint8Array(count);
    this.#backlogBytes -= count;
    for (let at = 0; at < count; ) {
      const chunk = this.#backlog[0]!;
      const part = chunk.subarray(0, count - at);
      out.set(part, at);
      at += part.length;
      if (part.length === chunk.length) this.#backlog.shift();
      else this.#backlog[0] = chunk.subarray(part.length);
    }
    return out;
  }
}
