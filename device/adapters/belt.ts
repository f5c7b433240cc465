/**
 * The adapter of one belt: what its controller tells becomes messages, and is answered when they are durable. Persist, then answer.
 *
 *   bytes ──▶ telegram ──▶ repeat? ── of the last stored ──▶ reply at once
 *                             │ └──── of a pending one ────▶ nothing: one reply will come
 *                             no
 *                             ▼
 *                          pending (one store in flight, QUEUE_COUNT_MAX behind it, more are dropped: the belt repeats)
 *                             │ stored(token)            │ notStored(token)
 *                             ▼                          ▼
 *                          reply; last := this        silence; the belt repeats
 *
 * The controller counts to 9999 and starts again, and starts at any number after a power cut: a sequence names no telegram. A repeat
 * is the same sequence with the same content as the last one stored. That pair, the position, goes into the frame of its message:
 *
 *     off  len  field       little-endian
 *       0    1  format      1
 *       1    2  sequence    1 … 9999
 *       3    4  crc         CRC-32 of the telegram
 *
 * No I/O, no clock, no promise. Each call returns what is to be done, in order.
 */

import { type Rp1745Reading, readRp1745 } from './rp1745.ts';
import { type DiscardReason, encodeAck, SEQUENCE_MAX, TelegramAssembler, type TelegramEvent } from './stx-etx.ts';

/** Telegrams waiting behind the store in flight. A controller sends one at a time; more than a few is noise or a second talker. */
export const QUEUE_COUNT_MAX = 4;
/** Length of a position. */
export const POSITION_BYTES = 7;

const POSITION_FORMAT = 1;

export type BeltOutput =
  | {
      kind: 'store';
      /** Name of this request in `stored` and `notStored`; never used again by this adapter. */
      token: number;
      telegram: Uint8Array;
      sequence: number;
      /** To be kept as META in the same frame; the newest one is what the constructor wants. */
      position: Uint8Array;
      /** Not `ok`: stored and answered all the same, then dead-lettered for `reason`. */
      reading: Rp1745Reading;
    }
  | { kind: 'reply'; bytes: Uint8Array };

export interface BeltCounters {
  /** Stored and answered, repeats not among them. */
  telegrams: number;
  /** Told again by the belt, not stored again. */
  repeats: number;
  /** Of `telegrams`, those that are not valid RP1745. */
  invalid: number;
  /** Stretches of bytes given up, by reason, and their bytes together. */
  discarded: Record<DiscardReason, number>;
  discardedBytes: number;
  /** Stores that failed, were in doubt or found no room: not answered. */
  unanswered: number;
  /** Dropped because QUEUE_COUNT_MAX telegrams waited already: not answered. */
  dropped: number;
  /** Positions given at the start that could not be read: a telegram told again now is stored twice. */
  positionsLost: number;
}

export interface BeltOptions {
  /** CRC-32 (or -C) of the bytes, unsigned. The same one for the life of the store. */
  crc32: (bytes: Uint8Array) => number;
  /** Newest durable position of this belt; undefined when it has none yet. */
  position?: Uint8Array | undefined;
}

interface Pending {
  token: number;
  telegram: Uint8Array;
  sequence: number;
  crc: number;
  reading: Rp1745Reading;
}

/**
 * After a store in doubt the ring reopens: make a new adapter then, with the position the ring has. Going on with the old one would
 * store a telegram twice that did survive.
 */
export class BeltAdapter {
  readonly counters: BeltCounters = {
    telegrams: 0,
    repeats: 0,
    invalid: 0,
    discarded: { checksum: 0, framing: 0, 'too-long': 0, sequence: 0 },
    discardedBytes: 0,
    unanswered: 0,
    dropped: 0,
    positionsLost: 0,
  };
  readonly #crc32: (bytes: Uint8Array) => number;
  readonly #assembler = new TelegramAssembler();
  /** The first is in flight. */
  readonly #pending: Pending[] = [];
  #last: BeltPosition | undefined;
  #nextToken = 1;

  constructor(options: BeltOptions) {
    this.#crc32 = options.crc32;
    if (options.position === undefined) return;
    this.#last = decodePosition(options.position);
    if (this.#last === undefined) this.counters.positionsLost = 1;
  }

  /** From the line, in chunks of any size. */
  bytes(chunk: Uint8Array): BeltOutput[] {
    return this.#take(this.#assembler.push(chunk));
  }

  /** The line is gone: half a telegram is discarded. Stores in flight go on; their replies go to whatever line is there then. */
  lineClosed(): BeltOutput[] {
    return this.#take(this.#assembler.end());
  }

  /** Message and position of this request are durable. A token that is not in flight is ignored. */
  stored(token: number): BeltOutput[] {
    const done = this.#finish(token);
    if (done === undefined) return [];
    this.#last = { sequence: done.sequence, crc: done.crc };
    this.counters.telegrams += 1;
    if (!done.reading.ok) this.counters.invalid += 1;
    return [{ kind: 'reply', bytes: encodeAck(done.sequence) }, ...this.#storeFirst()];
  }

  /** Not stored, or nobody knows. Nothing is said to the belt, so it will tell again. A token that is not in flight is ignored. */
  notStored(token: number): BeltOutput[] {
    if (this.#finish(token) === undefined) return [];
    this.counters.unanswered += 1;
    return this.#storeFirst();
  }

  #take(events: readonly TelegramEvent[]): BeltOutput[] {
    const outputs: BeltOutput[] = [];
    for (const event of events) {
      if (event.kind === 'telegram') {
        outputs.push(...this.#telegram(event.sequence, event.bytes));
      } else {
        this.counters.discarded[event.reason] += 1;
        this.counters.discardedBytes += event.bytes;
      }
    }
    return outputs;
  }

  #telegram(sequence: number, telegram: Uint8Array): BeltOutput[] {
    const crc = this.#crc32(telegram);
    const isSame = (other: BeltPosition): boolean => other.sequence === sequence && other.crc === crc;
    if (this.#pending.some(isSame)) {
      this.counters.repeats += 1;
      return [];
    }
    if (this.#last !== undefined && isSame(this.#last)) {
      this.counters.repeats += 1;
      return [{ kind: 'reply', bytes: encodeAck(sequence) }];
    }
    if (this.#pending.length > QUEUE_COUNT_MAX) {
      this.counters.dropped += 1;
      return [];
    }
    this.#pending.push({ token: this.#nextToken++, telegram, sequence, crc, reading: readRp1745(telegram) });
    return this.#pending.length === 1 ? this.#storeFirst() : [];
  }

  #finish(token: number): Pending | undefined {
    return this.#pending[0]?.token === token ? this.#pending.shift() : undefined;
  }

  #storeFirst(): BeltOutput[] {
    const first = this.#pending[0];
    if (first === undefined) return [];
    const { token, telegram, sequence, reading } = first;
    return [{ kind: 'store', token, telegram, sequence, position: encodePosition(first), reading }];
  }
}

/** The telegram stored last. */
export interface BeltPosition {
  sequence: number;
  crc: number;
}

export function encodePosition(position: BeltPosition): Uint8Array {
  const bytes = new Uint8Array(POSITION_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, POSITION_FORMAT);
  view.setUint16(1, position.sequence, true);
  view.setUint32(3, position.crc, true);
  return bytes;
}

/** Undefined for anything that is not a whole position of a known format. */
export function decodePosition(bytes: Uint8Array): BeltPosition | undefined {
  if (bytes.length !== POSITION_BYTES || bytes[0] !== POSITION_FORMAT) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const sequence = view.getUint16(1, true);
  return sequence >= 1 && sequence <= SEQUENCE_MAX ? { sequence, crc: view.getUint32(3, true) } : undefined;
}
