/**
 * The line of a baggage belt's controller, stop and wait. Bytes of eight bits, no escaping.
 *
 *   controller → device                                    device → controller
 *     off  len  field                                        off  len  field
 *       0    1  STX       02                                   0    1  ACK       06
 *       1    4  sequence  ASCII, 0001 … 9999, then 0001        1    4  sequence  of the telegram that is durable
 *       5    n  telegram  1 … 10,240 bytes, neither STX nor ETX
 *     5+n    1  ETX       03
 *     6+n    1  BCC       XOR of everything from STX to ETX, both included; may be any byte, STX and ETX too
 *
 *             STX                         ETX             BCC right / telegram
 *   noise ───────────▶ inside ───────────────────▶ check ──────────────────────▶ noise
 *     ▲                 │  ▲ └─ STX: discard, begin again │  BCC wrong / discard
 *     └── too long ─────┘  └──── BCC wrong and an STX ────┘
 *
 * What one XOR byte can do: it catches every single-bit error that leaves STX and ETX where they were. It does not see two equal
 * bytes lost, two bits flipped in the same column, and one time in 256 a text byte that an error made into STX or ETX, or longer
 * noise. The acknowledgement has no check at all. That is this protocol; whoever can choose speaks the link instead.
 */

import { invariant } from '../../shared/assert.ts';

export const STX = 0x02;
export const ETX = 0x03;
export const ACK = 0x06;
/** Highest sequence; the next one is 1. */
export const SEQUENCE_MAX = 9999;
/** One telegram, in bytes. What the sort controllers at hand allow; more without an ETX means that one was lost. */
export const TELEGRAM_BYTES_MAX = 10_240;
/** Noise is reported at least this often, in bytes, so that a line at the wrong baud is seen while it lasts. */
export const NOISE_BYTES_MAX = 4096;

const SEQUENCE_BYTES = 4;

export type DiscardReason = 'checksum' | 'framing' | 'too-long' | 'sequence';

export interface Discarded {
  kind: 'discarded';
  bytes: number;
  reason: DiscardReason;
}

export type TelegramEvent = { kind: 'telegram'; sequence: number; bytes: Uint8Array } | Discarded;

/**
 * Turns chunks of any size into telegrams. Never throws; a bad one is an event. The events depend on the bytes alone, not on how
 * they were split into chunks. Memory is one buffer of fixed size; the bytes of a telegram are a copy of their own.
 * Every byte is in exactly one telegram or discard, or still held.
 */
export class TelegramAssembler {
  /** Sequence and telegram of the one being read. */
  readonly #held = new Uint8Array(SEQUENCE_BYTES + TELEGRAM_BYTES_MAX);
  #length = 0;
  #bcc = 0;
  #noise = 0;
  #at: 'noise' | 'inside' | 'check' = 'noise';

  push(chunk: Uint8Array): TelegramEvent[] {
    const events: TelegramEvent[] = [];
    for (const byte of chunk) {
      switch (this.#at) {
        case 'noise':
          if (byte === STX) this.#begin(events);
          else this.#skip(events);
          break;
        case 'inside':
          this.#inside(byte, events);
          break;
        case 'check':
          this.#check(byte, events);
          break;
      }
    }
    return events;
  }

  /** The line ended: what was half there is noise, never a telegram. Ready for a new line afterwards. */
  end(): TelegramEvent[] {
    const events: TelegramEvent[] = [];
    this.#reportNoise(events);
    if (this.#at === 'inside') events.push({ kind: 'discarded', bytes: 1 + this.#length, reason: 'framing' });
    if (this.#at === 'check') events.push({ kind: 'discarded', bytes: 2 + this.#length, reason: 'framing' });
    this.#at = 'noise';
    return events;
  }

  #begin(events: TelegramEvent[]): void {
    this.#reportNoise(events);
    this.#at = 'inside';
    this.#length = 0;
    this.#bcc = STX;
  }

  #inside(byte: number, events: TelegramEvent[]): void {
    if (byte === STX) {
      events.push({ kind: 'discarded', bytes: 1 + this.#length, reason: 'framing' });
      this.#begin(events);
      return;
    }
    this.#bcc ^= byte;
    if (byte === ETX) {
      this.#at = 'check';
    } else if (this.#length < this.#held.length) {
      this.#held[this.#length++] = byte;
    } else {
      events.push({ kind: 'discarded', bytes: 2 + this.#length, reason: 'too-long' });
      this.#at = 'noise';
    }
  }

  #check(byte: number, events: TelegramEvent[]): void {
    this.#at = 'noise';
    if (byte === this.#bcc) {
      events.push(this.#finish());
    } else if (byte === STX) {
      // The check byte may be what was lost: then this STX is the controller telling it again.
      events.push({ kind: 'discarded', bytes: 2 + this.#length, reason: 'checksum' });
      this.#begin(events);
    } else {
      events.push({ kind: 'discarded', bytes: 3 + this.#length, reason: 'checksum' });
    }
  }

  #finish(): TelegramEvent {
    const bytes = 3 + this.#length;
    if (this.#length <= SEQUENCE_BYTES) return { kind: 'discarded', bytes, reason: 'framing' };
    const sequence = readSequence(this.#held, 0);
    if (sequence === undefined) return { kind: 'discarded', bytes, reason: 'sequence' };
    return { kind: 'telegram', sequence, bytes: this.#held.slice(SEQUENCE_BYTES, this.#length) };
  }

  #skip(events: TelegramEvent[]): void {
    this.#noise += 1;
    if (this.#noise === NOISE_BYTES_MAX) this.#reportNoise(events);
  }

  #reportNoise(events: TelegramEvent[]): void {
    if (this.#noise > 0) events.push({ kind: 'discarded', bytes: this.#noise, reason: 'framing' });
    this.#noise = 0;
  }
}

export type AckEvent = { kind: 'ack'; sequence: number } | Discarded;

/** The controller's side: finds ACK + sequence in whatever arrives. Never throws, holds four bytes, split-invariant. */
export class AckAssembler {
  readonly #held = new Uint8Array(SEQUENCE_BYTES);
  #length = 0;
  #noise = 0;
  #at: 'noise' | 'inside' = 'noise';

  push(chunk: Uint8Array): AckEvent[] {
    const events: AckEvent[] = [];
    for (const byte of chunk) {
      if (byte === ACK) this.#begin(events);
      else if (this.#at === 'noise') this.#skip(1, events);
      else if (byte < 0x30 || byte > 0x39) this.#giveUp(events);
      else this.#digit(byte, events);
    }
    return events;
  }

  end(): AckEvent[] {
    const events: AckEvent[] = [];
    if (this.#at === 'inside') this.#skip(1 + this.#length, events);
    this.#at = 'noise';
    this.#reportNoise(events);
    return events;
  }

  #begin(events: AckEvent[]): void {
    if (this.#at === 'inside') this.#skip(1 + this.#length, events);
    this.#at = 'inside';
    this.#length = 0;
  }

  #digit(byte: number, events: AckEvent[]): void {
    this.#held[this.#length++] = byte;
    if (this.#length < SEQUENCE_BYTES) return;
    this.#reportNoise(events);
    this.#at = 'noise';
    const sequence = readSequence(this.#held, 0);
    if (sequence === undefined) events.push({ kind: 'discarded', bytes: 1 + SEQUENCE_BYTES, reason: 'sequence' });
    else events.push({ kind: 'ack', sequence });
  }

  #giveUp(events: AckEvent[]): void {
    this.#at = 'noise';
    this.#skip(2 + this.#length, events);
  }

  #skip(bytes: number, events: AckEvent[]): void {
    this.#noise += bytes;
    if (this.#noise >= NOISE_BYTES_MAX) this.#reportNoise(events);
  }

  #reportNoise(events: AckEvent[]): void {
    if (this.#noise > 0) events.push({ kind: 'discarded', bytes: this.#noise, reason: 'framing' });
    this.#noise = 0;
  }
}

/** Why these bytes cannot be a telegram of this line; undefined when they can. */
export function telegramProblem(telegram: Uint8Array): 'empty' | 'too-long' | 'control-byte' | undefined {
  if (telegram.length === 0) return 'empty';
  if (telegram.length > TELEGRAM_BYTES_MAX) return 'too-long';
  return telegram.includes(STX) || telegram.includes(ETX) ? 'control-byte' : undefined;
}

/** What the controller puts on the line. The caller has asked `telegramProblem` where the bytes come from outside. */
export function encodeTelegram(sequence: number, telegram: Uint8Array): Uint8Array {
  invariant(telegramProblem(telegram) === undefined, `telegram is ${telegramProblem(telegram)}`);
  const bytes = new Uint8Array(1 + SEQUENCE_BYTES + telegram.length + 2);
  bytes[0] = STX;
  writeSequence(sequence, bytes);
  bytes.set(telegram, 1 + SEQUENCE_BYTES);
  bytes[bytes.length - 2] = ETX;
  bytes[bytes.length - 1] = xorOf(bytes);
  return bytes;
}

/** The answer to a telegram that is durable. */
export function encodeAck(sequence: number): Uint8Array {
  const bytes = new Uint8Array(1 + SEQUENCE_BYTES);
  bytes[0] = ACK;
  writeSequence(sequence, bytes);
  return bytes;
}

/** The sequence after this one. */
export function nextSequence(sequence: number): number {
  return sequence >= SEQUENCE_MAX ? 1 : sequence + 1;
}

/** The block check character: XOR of all bytes. */
export function xorOf(bytes: Uint8Array): number {
  let bcc = 0;
  for (const byte of bytes) bcc ^= byte;
  return bcc;
}

function writeSequence(sequence: number, into: Uint8Array): void {
  invariant(Number.isInteger(sequence) && sequence >= 1 && sequence <= SEQUENCE_MAX, `sequence ${sequence}`);
  for (let i = SEQUENCE_BYTES, rest = sequence; i > 0; i--, rest = Math.floor(rest / 10)) into[i] = 0x30 + (rest % 10);
}

/** Four digits, not 0000. */
function readSequence(bytes: Uint8Array, offset: number): number | undefined {
  let sequence = 0;
  for (let i = offset; i < offset + SEQUENCE_BYTES; i++) {
    const digit = bytes[i]! - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    sequence = 10 * sequence + digit;
  }
  return sequence === 0 ? undefined : sequence;
}
