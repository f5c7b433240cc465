/**
 * One way of a simulated line: what its writer's end holds, the wire, and what is on its way.
 *
 *   push ─▶ [ held ] ─▶ Wire: pace, drop, flip ─▶ LineDamage ─▶ [ on its way, `delayMs` ] ─▶ arrived
 *             frozen: nothing leaves   silent: all is lost          stalled: nothing arrives, then all of it at once
 */
import { concatBytes } from '../shared/bytes.ts';
import { LineDamage, NO_LINE_FAULTS, type SimLineFaults } from './line-faults.ts';
import type { Prng } from './random.ts';
import { Wire } from './wire.ts';

/** Bytes handed to a wire ahead of its pace; the rest is held, and no byte is lost for want of room. */
const WIRE_AHEAD_BYTES = 16_384;
/** What a stalled way keeps, in bytes; more is lost. */
export const STALLED_BYTES_MAX = 262_144;

export interface DirectionOptions {
  readonly baud: number | undefined;
  readonly random: Prng;
  readonly delayMs: number;
  /** See WireOptions. */
  readonly lotMs: number | undefined;
  readonly faults: Partial<SimLineFaults> | undefined;
}

export class Direction {
  readonly faults: SimLineFaults;
  /** `different`: the two ends of the cable are set to different speeds. */
  speeds: 'same' | 'different' = 'same';
  /** Told of what comes out of the wire, damage and all, before it is on its way. */
  tap: ((bytes: Uint8Array) => void) | undefined;
  /** The way in which the writer hears itself, if it does. */
  back: Direction | undefined;
  readonly #wire: Wire;
  readonly #damage: LineDamage;
  readonly #delayMs: number;
  #writer: 'writes' | 'frozen' = 'writes';
  #flow: 'moving' | 'stalled' = 'moving';
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** By time of arrival. */
  #onItsWay: { readonly atMs: number; readonly bytes: Uint8Array }[] = [];

  constructor({ baud, random, delayMs, lotMs, faults }: DirectionOptions) {
    this.#wire = new Wire({ baud, random, ...(lotMs !== undefined && { lotMs }), ...(faults && { faults }) });
    this.faults = Object.assign(this.#wire.faults, { ...NO_LINE_FAULTS, ...faults });
    this.#damage = new LineDamage(this.faults, random);
    this.#delayMs = delayMs;
  }

  get unsentBytes(): number {
    return this.#heldBytes + this.#wire.backlogBytes;
  }

  get wakeAtMs(): number | undefined {
    return this.#wire.wakeAtMs;
  }

  get arrivesAtMs(): number | undefined {
    return this.#flow === 'stalled' ? undefined : this.#onItsWay[0]?.atMs;
  }

  push(bytes: Uint8Array, nowMs: number): void {
    this.#held.push(bytes.slice());
    this.#heldBytes += bytes.length;
    this.#feed(nowMs);
  }

  /** What came out of the wire by now is on its way: in whole lots, whoever looks in between. */
  move(nowMs: number): void {
    while (this.#hasLot(nowMs)) {
      const bytes = this.#wire.take(nowMs);
      const { back } = this;
      if (back !== undefined && this.faults.echo === 'local') back.#send(bytes.slice(), nowMs);
      const out = this.#damage.apply(bytes, this.speeds);
      this.tap?.(out);
      this.#send(out, nowMs + this.#delayMs);
      this.#feed(nowMs);
    }
    this.#feed(nowMs);
  }

  /** What is there by now, piece by piece. */
  arrived(nowMs: number): Uint8Array | undefined {
    const [first] = this.#onItsWay;
    if (first === undefined || first.atMs > nowMs || this.#flow === 'stalled') return undefined;
    const { pieceBytesMax } = this.faults;
    if (first.bytes.length > pieceBytesMax) {
      this.#onItsWay[0] = { atMs: first.atMs, bytes: first.bytes.subarray(pieceBytesMax) };
      return first.bytes.slice(0, pieceBytesMax);
    }
    this.#onItsWay.shift();
    return first.bytes;
  }

  /** These bytes come between those of the writer, whatever it is saying. */
  say(bytes: Uint8Array, nowMs: number): void {
    this.#send(bytes.slice(), nowMs + this.#delayMs);
  }

  silence(): void {
    this.#wire.cut();
    this.drop();
  }

  restore(): void {
    this.#wire.restore();
  }

  /** What is in the wire is lost; what is held, and what comes, is held. */
  freeze(): void {
    this.#writer = 'frozen';
    this.#wire.lose();
  }

  thaw(nowMs: number): void {
    this.#writer = 'writes';
    this.#feed(nowMs);
  }

  stall(): void {
    this.#flow = 'stalled';
  }

  /** What had arrived meanwhile is there, in one. */
  release(nowMs: number): void {
    if (this.#flow === 'moving') return;
    this.#flow = 'moving';
    const due = this.#onItsWay.filter(({ atMs }) => atMs <= nowMs);
    if (due.length === 0) return;
    this.#onItsWay.splice(0, due.length, { atMs: nowMs, bytes: concatBytes(due.map(({ bytes }) => bytes)) });
  }

  /** All that is written and has not arrived, wherever it is. */
  lose(): void {
    this.#wire.lose();
    this.drop();
  }

  drop(): void {
    this.#held = [];
    this.#heldBytes = 0;
    this.#onItsWay = [];
  }

  #hasLot(nowMs: number): boolean {
    const { wakeAtMs } = this.#wire;
    return wakeAtMs !== undefined && wakeAtMs <= nowMs;
  }

  #feed(nowMs: number): void {
    while (this.#writer === 'writes' && this.#held[0] !== undefined && this.#wire.backlogBytes < WIRE_AHEAD_BYTES) {
      const [first] = this.#held;
      const part = first.subarray(0, WIRE_AHEAD_BYTES);
      if (part.length === first.length) this.#held.shift();
      else this.#held[0] = first.subarray(part.length);
      this.#heldBytes -= part.length;
      this.#wire.push(part, nowMs);
    }
  }

  #send(bytes: Uint8Array, atMs: number): void {
    if (bytes.length === 0) return;
    if (this.#flow === 'stalled' && this.#waitingBytes + bytes.length > STALLED_BYTES_MAX) {
      this.#wire.counters.overrun += bytes.length;
      return;
    }
    // What comes a longer way is overtaken by an echo.
    let place = this.#onItsWay.length;
    while (place > 0 && (this.#onItsWay[place - 1]?.atMs ?? 0) > atMs) place -= 1;
    this.#onItsWay.splice(place, 0, { atMs, bytes });
  }

  get #waitingBytes(): number {
    return this.#onItsWay.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }
}
