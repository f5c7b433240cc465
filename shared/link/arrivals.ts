/**
 * Packet numbers that came in, and what an ACK says about them. A packet counts as arrived only when all that it brought is kept
 * here; one that was dropped for want of room is told like one that the line lost, and comes again under a new number.
 */
import { PACKET_NUMBERS, WINDOW_MAX } from './packet-layout.ts';

/** Packets that may come before an acknowledgement is due at once. */
const UNACKNOWLEDGED_MAX = 2;
const DELAY_MS_MAX = 255;

export class Arrivals {
  readonly #window: number;
  readonly #ackDelayMs: number;
  readonly #numbers: number;
  /** By position modulo their count: whether the packet arrived. */
  readonly #kept = new Uint8Array(WINDOW_MAX);
  /** Newest position heard, arrived or dropped; newest one that arrived, and when. */
  #heard = -1;
  #largest = -1;
  #largestAtMs = 0;
  #unacknowledged = 0;
  #dueAtMs: number | undefined;

  /** `packetNumbers`: how many there are. */
  constructor(options: { window: number; ackDelayMs: number; packetNumbers?: number }) {
    this.#window = options.window;
    this.#ackDelayMs = options.ackDelayMs;
    this.#numbers = options.packetNumbers ?? PACKET_NUMBERS;
  }

  /** A packet came. Returns its position; undefined for one from before the session's first, which no order explains. */
  heard(pn: number): number | undefined {
    const ahead = (pn - (this.#heard % this.#numbers) + this.#numbers) % this.#numbers;
    const position = this.#heard + (ahead < this.#numbers / 2 ? ahead : ahead - this.#numbers);
    if (position < 0) return undefined;
    for (let next = this.#heard + 1; next <= position; next++) this.#kept[next % WINDOW_MAX] = 0;
    this.#heard = Math.max(this.#heard, position);
    return position;
  }

  /** What it brought is kept. `when`: whether its sender, or its content, wants an answer at once. */
  arrived(position: number, when: 'now' | 'soon', nowMs: number): void {
    if (this.#heard - position < WINDOW_MAX) this.#kept[position % WINDOW_MAX] = 1;
    if (position > this.#largest) {
      this.#largest = position;
      this.#largestAtMs = nowMs;
    }
    this.#unacknowledged += 1;
    if (when === 'now' || this.#unacknowledged >= UNACKNOWLEDGED_MAX || this.#isMissingAny) this.due(nowMs);
    else this.due(nowMs + this.#ackDelayMs);
  }

  /** An acknowledgement is wanted at this time, or earlier if one was. */
  due(atMs: number): void {
    this.#dueAtMs = this.#dueAtMs === undefined ? atMs : Math.min(this.#dueAtMs, atMs);
  }

  get dueAtMs(): number | undefined {
    return this.#dueAtMs;
  }

  /** The first fields of an ACK that goes out now. */
  acknowledge(nowMs: number): { largest: number; delayMs: number; bitmap: Uint8Array } {
    this.#dueAtMs = undefined;
    this.#unacknowledged = 0;
    if (this.#largest < 0) return { largest: this.#numbers - 1, delayMs: 0, bitmap: new Uint8Array(0) };
    const delayMs = Math.min(DELAY_MS_MAX, Math.max(0, Math.floor(nowMs - this.#largestAtMs)));
    return { largest: this.#largest % this.#numbers, delayMs, bitmap: this.#bitmap() };
  }

  get #isMissingAny(): boolean {
    for (let position = this.#oldest; position < this.#largest; position++) if (!this.#has(position)) return true;
    return false;
  }

  /** The oldest position the other side may still wait for. */
  get #oldest(): number {
    return Math.max(0, this.#largest - this.#window + 1, this.#heard - WINDOW_MAX + 1);
  }

  #has(position: number): boolean {
    return this.#heard - position < WINDOW_MAX && this.#kept[position % WINDOW_MAX] === 1;
  }

  #bitmap(): Uint8Array {
    if (!this.#isMissingAny) return new Uint8Array(0);
    const bitmap = new Uint8Array(Math.ceil((this.#window - 1) / 8));
    for (let bit = 0; bit < 8 * bitmap.length; bit++) {
      const position = this.#largest - 1 - bit;
      if (position >= 0 && this.#has(position)) bitmap[bit >> 3] = (bitmap[bit >> 3] ?? 0) | (1 << (bit & 7));
    }
    return bitmap;
  }
}
