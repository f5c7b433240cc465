import { cobsBytesMax, decodeCobs } from './cobs.ts';

/**
 * Cuts what a line delivers into packets. A zero ends a run; a run is
 *
 *   empty                                        nothing: delimiters may be doubled
 *   COBS of at most `packetBytesMax` bytes       `frame`; whether its checksum holds is for `decodePacket` to say
 *   longer, or not COBS, and looks like text     `console`: a boot loader's or a shell's words, in pieces when they are long
 *   anything else                                `discarded`, with how many bytes and why
 *
 * Every byte that is not a delimiter is in exactly one event, and a run that never ends is reported each time the buffer is full.
 */

export type LineEvent =
  | { kind: 'frame'; bytes: Uint8Array }
  | { kind: 'console'; text: Uint8Array }
  | { kind: 'discarded'; bytes: number; reason: 'malformed' | 'too-long' };

/** Of a hundred bytes, how many must be printable for a run to count as text. */
const PRINTABLE_PERCENT = 90;
const DELIMITER = 0;

/** Turns chunks of any size into events, in order. Never throws: noise is an event. Holds one buffer, made once. */
export class Deframer {
  readonly #packetBytesMax: number;
  readonly #buffer: Uint8Array;
  #length = 0;
  /** The run did not fit the buffer: no part of it is a frame any more. */
  #isTooLong = false;

  constructor(packetBytesMax: number) {
    this.#packetBytesMax = packetBytesMax;
    this.#buffer = new Uint8Array(cobsBytesMax(packetBytesMax));
  }

  push(chunk: Uint8Array): LineEvent[] {
    const events: LineEvent[] = [];
    let start = 0;
    for (;;) {
      const zero = chunk.indexOf(DELIMITER, start);
      const end = zero < 0 ? chunk.length : zero;
      this.#collect(chunk.subarray(start, end), events);
      if (zero < 0) return events;
      this.#endRun(events);
      start = zero + 1;
    }
  }

  /** The line closed: reports what was begun. It is never a frame: nothing says that it is whole. */
  end(): LineEvent[] {
    const events: LineEvent[] = [];
    this.#giveUp(events, this.#isTooLong ? 'too-long' : 'malformed');
    this.#isTooLong = false;
    return events;
  }

  #collect(bytes: Uint8Array, events: LineEvent[]): void {
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#length === this.#buffer.length) {
        this.#isTooLong = true;
        this.#giveUp(events, 'too-long');
      }
      const part = rest.subarray(0, this.#buffer.length - this.#length);
      this.#buffer.set(part, this.#length);
      this.#length += part.length;
      rest = rest.subarray(part.length);
    }
  }

  #endRun(events: LineEvent[]): void {
    const packet = this.#isTooLong ? undefined : decodeCobs(this.#buffer.subarray(0, this.#length));
    const fits = packet !== undefined && packet.length <= this.#packetBytesMax;
    if (fits) {
      events.push({ kind: 'frame', bytes: packet });
      this.#length = 0;
    } else {
      this.#giveUp(events, this.#isTooLong || packet !== undefined ? 'too-long' : 'malformed');
    }
    this.#isTooLong = false;
  }

  #giveUp(events: LineEvent[], reason: 'malformed' | 'too-long'): void {
    if (this.#length === 0) return;
    const run = this.#buffer.subarray(0, this.#length);
    if (looksLikeText(run)) events.push({ kind: 'console', text: run.slice() });
    else events.push({ kind: 'discarded', bytes: run.length, reason });
    this.#length = 0;
  }
}

/** At least nine bytes of ten are printable ASCII, tab, CR or LF. For frames whose checksum fails too: text may happen to be COBS. */
export function looksLikeText(bytes: Uint8Array): boolean {
  let printable = 0;
  for (const byte of bytes) if ((byte >= 0x20 && byte <= 0x7e) || byte === 0x09 || byte === 0x0a || byte === 0x0d) printable++;
  return bytes.length > 0 && printable * 100 >= bytes.length * PRINTABLE_PERCENT;
}
