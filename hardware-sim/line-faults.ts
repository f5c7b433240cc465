/**
 * What a line does to its bytes beside pacing them, one direction at a time. Each stage is off unless asked for, and draws only then.
 *
 *   wire ─▶ burst ─▶ other baud ─▶ break ─▶ insert ─▶ tty: XON XOFF, CR, FF ─▶ twice ─▶ overrun ─▶ on its way
 *
 * Damage goes byte by byte in order and so depends on bytes and seed alone; only an overrun sees the lots in which a UART gives them.
 */
import type { Prng } from './random.ts';
import type { WireFaults } from './wire.ts';

export interface SimLineFaults extends WireFaults {
  /** Probability that a random byte appears before a byte. */
  insertRate: number;
  /** Probability that a byte begins a burst, in which every other byte is garbage: the bad state of Gilbert and Elliott. */
  burstRate: number;
  /** How long a burst lasts, in bytes, on average. 1 at least. */
  burstBytesMean: number;
  /** Probability that a byte comes twice. */
  duplicateRate: number;
  /** Probability that a lot of three bytes or more overruns the FIFO of its receiver: some of its middle is lost. */
  overrunRate: number;
  /** Probability that a break, a run of zeros, comes before a byte. */
  breakRate: number;
  /** `swallowed`: a terminal in between takes 0x11 and 0x13 for flow control. */
  xonXoff: 'pass' | 'swallowed';
  /** `lf`: a terminal in between turns 0x0D into 0x0A (ICRNL). */
  carriageReturn: 'pass' | 'lf';
  /** `doubled`: a terminal in between marks 0xFF by another one (PARMRK). */
  ff: 'pass' | 'doubled';
  /** `other`: the receiver listens at another speed, and all is garbage. */
  baud: 'same' | 'other';
  /** `local`: whoever writes hears it too, as it left. */
  echo: 'none' | 'local';
  /** What arrives is given in pieces of at most this many bytes; 1 splits at every offset. */
  pieceBytesMax: number;
}

export const NO_LINE_FAULTS: SimLineFaults = {
  dropRate: 0,
  flipRate: 0,
  insertRate: 0,
  burstRate: 0,
  burstBytesMean: 20,
  duplicateRate: 0,
  overrunRate: 0,
  breakRate: 0,
  xonXoff: 'pass',
  carriageReturn: 'pass',
  ff: 'pass',
  baud: 'same',
  echo: 'none',
  pieceBytesMax: Number.POSITIVE_INFINITY,
};

/** Zeros of a break, at most: 16 bytes of 115,200 bit/s are 1.4 ms. */
export const BREAK_BYTES_MAX = 16;
/** Probability that a byte of a burst is garbage. */
const BURST_GARBAGE = 0.5;
/** Probability that a byte heard at another speed is no byte at all. */
const MISREAD_LOST = 0.25;

const XON = 0x11;
const XOFF = 0x13;
const LF = 0x0a;
const CR = 0x0d;
const FF = 0xff;

export class LineDamage {
  readonly #faults: SimLineFaults;
  readonly #random: Prng;
  #weather: 'good' | 'burst' = 'good';

  /** Reads the faults anew at every byte. */
  constructor(faults: SimLineFaults, random: Prng) {
    this.#faults = faults;
    this.#random = random;
  }

  /** What becomes of one lot. The same array when nothing is wrong. */
  apply(bytes: Uint8Array, speeds: 'same' | 'different'): Uint8Array {
    if (speeds === 'same' && this.#isHarmless) {
      this.#weather = 'good';
      return bytes;
    }
    const out: number[] = [];
    for (const byte of bytes) this.#one(byte, speeds, out);
    return this.#overrun(Uint8Array.from(out));
  }

  get #isHarmless(): boolean {
    const { insertRate, burstRate, duplicateRate, overrunRate, breakRate, xonXoff, carriageReturn, ff, baud } = this.#faults;
    const rates = insertRate + burstRate + duplicateRate + overrunRate + breakRate;
    return rates === 0 && xonXoff === 'pass' && carriageReturn === 'pass' && ff === 'pass' && baud === 'same';
  }

  #one(sent: number, speeds: 'same' | 'different', out: number[]): void {
    const faults = this.#faults;
    const random = this.#random;
    let byte = this.#burst(sent);
    if (speeds === 'different' || faults.baud === 'other') {
      byte = random.int(256);
      if (random.chance(MISREAD_LOST)) return;
    }
    if (faults.breakRate > 0 && random.chance(faults.breakRate)) {
      for (let left = 1 + random.int(BREAK_BYTES_MAX); left > 0; left--) out.push(0);
    }
    if (faults.insertRate > 0 && random.chance(faults.insertRate)) out.push(random.int(256));
    if (faults.xonXoff === 'swallowed' && (byte === XON || byte === XOFF)) return;
    if (faults.carriageReturn === 'lf' && byte === CR) byte = LF;
    out.push(byte);
    if (faults.ff === 'doubled' && byte === FF) out.push(byte);
    if (faults.duplicateRate > 0 && random.chance(faults.duplicateRate)) out.push(byte);
  }

  #burst(byte: number): number {
    const { burstRate, burstBytesMean } = this.#faults;
    if (burstRate === 0) {
      this.#weather = 'good';
      return byte;
    }
    const isTurning = this.#random.chance(this.#weather === 'good' ? burstRate : 1 / burstBytesMean);
    if (isTurning) this.#weather = this.#weather === 'good' ? 'burst' : 'good';
    return this.#weather === 'burst' && this.#random.chance(BURST_GARBAGE) ? this.#random.int(256) : byte;
  }

  /** First and last byte arrive, and a part between them does not. */
  #overrun(lot: Uint8Array): Uint8Array {
    const { overrunRate } = this.#faults;
    if (overrunRate === 0 || lot.length < 3 || !this.#random.chance(overrunRate)) return lot;
    const from = 1 + this.#random.int(lot.length - 2);
    const to = from + 1 + this.#random.int(lot.length - 1 - from);
    const kept = new Uint8Array(lot.length - (to - from));
    kept.set(lot.subarray(0, from));
    kept.set(lot.subarray(to), from);
    return kept;
  }
}
