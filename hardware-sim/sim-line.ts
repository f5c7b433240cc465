/**
 * A line in virtual time: two ends behind the Line port, paced and damaged by a `Wire` each way.
 *
 *   a.write ─▶ [ held ] ─▶ Wire: pace, drop, flip ─▶ insert ─▶ [ on its way, `delayMs` ] ─▶ b.onBytes
 *
 * The two ends of a serial cable know nothing of each other, those of a socket close together. A silenced line loses everything and
 * tells nobody; a cut one is gone for both. Everything happens as an event of the scheduler, never inside a call.
 */
import { invariant } from '../shared/assert.ts';
import type { Line, LineListener } from '../shared/ports.ts';
import type { Prng } from './random.ts';
import type { Scheduler } from './sim-broker.ts';
import { Wire, type WireFaults } from './wire.ts';

export interface SimLineFaults extends WireFaults {
  /** Probability that a random byte appears before a byte. */
  insertRate: number;
}

export interface SimLineOptions {
  readonly world: Scheduler;
  readonly random: Prng;
  /** Bits per second; undefined: a socket. */
  readonly baud: number | undefined;
  /** Time on the way beside that of the bits: a USB adapter's 16 ms, a radio's 300. */
  readonly delayMs?: number;
  readonly faults?: { readonly aToB?: Partial<SimLineFaults>; readonly bToA?: Partial<SimLineFaults> };
}

/** Bytes handed to a wire ahead of its pace; the rest is held, and no byte is lost for want of room. */
const WIRE_AHEAD_BYTES = 16_384;

export function simLines(options: SimLineOptions): SimLinePair {
  return new SimLinePair(options);
}

export class SimLinePair {
  readonly a: Line;
  readonly b: Line;
  /** May be changed at any time. */
  readonly faults: { readonly aToB: SimLineFaults; readonly bToA: SimLineFaults };
  readonly #world: Scheduler;
  readonly #ends: readonly [SimEnd, SimEnd];
  readonly #together: 'yes' | 'no';
  #tickAtMs = Number.POSITIVE_INFINITY;

  constructor(options: SimLineOptions) {
    const { world, baud, random, delayMs = 0, faults } = options;
    this.#world = world;
    this.#together = baud === undefined ? 'yes' : 'no';
    const aToB = new Direction({ baud, random, delayMs, faults: faults?.aToB });
    const bToA = new Direction({ baud, random, delayMs, faults: faults?.bToA });
    const a = new SimEnd(this, aToB, bToA);
    const b = new SimEnd(this, bToA, aToB);
    this.#ends = [a, b];
    this.a = a;
    this.b = b;
    this.faults = { aToB: aToB.faults, bToA: bToA.faults };
  }

  /** One end at least is closed: the pair is of no use any more. */
  get isClosed(): boolean {
    return this.#ends.some((end) => !end.isOpen);
  }

  get nowMs(): number {
    return this.#world.nowMs;
  }

  /** Probability that a byte has one bit flipped, both ways. */
  noise(flipRate: number): void {
    for (const faults of [this.faults.aToB, this.faults.bToA]) faults.flipRate = flipRate;
  }

  /** Pulled out: both ends are closed, with what was on its way. */
  cut(reason = 'unplugged'): void {
    for (const end of this.#ends) end.end(reason);
    this.arm();
  }

  /** Nothing passes and nobody is told, until `restore`. */
  silence(): void {
    for (const end of this.#ends) end.out.silence();
    this.arm();
  }

  restore(): void {
    for (const end of this.#ends) end.out.restore();
  }

  /** For the ends: one was closed by its owner. */
  closedBy(end: SimEnd): void {
    for (const other of this.#ends) {
      if (other === end) other.end('closed');
      else if (this.#together === 'yes') other.end('closed by the other end');
    }
    this.arm();
  }

  /** For the ends: makes sure that what happens next is looked at. An event too many finds nothing to do. */
  arm(): void {
    const { nowMs } = this.#world;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const end of this.#ends) {
      for (const atMs of [end.wakeAtMs, end.out.wakeAtMs])
        if (atMs !== undefined && atMs < nextMs) nextMs = Math.max(nowMs, atMs);
    }
    if (nextMs >= this.#tickAtMs) return;
    this.#tickAtMs = nextMs;
    this.#world.at(nextMs, () => this.#tick(nextMs));
  }

  #tick(atMs: number): void {
    if (this.#tickAtMs === atMs) this.#tickAtMs = Number.POSITIVE_INFINITY;
    const { nowMs } = this.#world;
    for (const end of this.#ends) end.out.move(nowMs);
    for (const end of this.#ends) end.report(nowMs);
    this.arm();
  }
}

class SimEnd implements Line {
  readonly out: Direction;
  readonly #in: Direction;
  readonly #pair: SimLinePair;
  #listener: LineListener | undefined;
  #state: 'open' | 'ended' | 'reported' = 'open';
  #reason = '';
  #owesDrained: 'no' | 'yes' = 'no';

  constructor(pair: SimLinePair, out: Direction, into: Direction) {
    this.#pair = pair;
    this.out = out;
    this.#in = into;
  }

  write(bytes: Uint8Array): number {
    if (this.#state !== 'open') return 0;
    this.out.push(bytes, this.#pair.nowMs);
    if (this.out.unsentBytes > 0) this.#owesDrained = 'yes';
    this.#pair.arm();
    return this.out.unsentBytes;
  }

  close(): void {
    if (this.#state === 'open') this.#pair.closedBy(this);
  }

  listen(listener: LineListener): void {
    invariant(this.#listener === undefined, 'a line has one listener');
    this.#listener = listener;
    this.#pair.arm();
  }

  end(reason: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    this.#reason = reason;
    this.out.drop();
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get wakeAtMs(): number | undefined {
    if (this.#listener === undefined) return undefined;
    if (this.#state === 'ended') return 0;
    const isDrainedNow = this.#owesDrained === 'yes' && this.out.unsentBytes === 0;
    return this.#state === 'open' ? (isDrainedNow ? 0 : this.#in.arrivesAtMs) : undefined;
  }

  report(nowMs: number): void {
    const listener = this.#listener;
    if (listener === undefined) return;
    for (let bytes = this.#take(nowMs); bytes !== undefined; bytes = this.#take(nowMs)) listener.onBytes(bytes);
    if (this.#state === 'open' && this.#owesDrained === 'yes' && this.out.unsentBytes === 0) {
      this.#owesDrained = 'no';
      listener.onDrained?.();
    }
    if (this.#state !== 'ended') return;
    this.#state = 'reported';
    listener.onClosed(this.#reason);
  }

  #take(nowMs: number): Uint8Array | undefined {
    return this.#state === 'open' ? this.#in.arrived(nowMs) : undefined;
  }
}

/** One way: what its writer's end holds, the wire, and what is on its way. */
class Direction {
  readonly faults: SimLineFaults;
  readonly #wire: Wire;
  readonly #random: Prng;
  readonly #delayMs: number;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #onItsWay: { atMs: number; bytes: Uint8Array }[] = [];

  constructor(options: { baud: number | undefined; random: Prng; delayMs: number; faults: Partial<SimLineFaults> | undefined }) {
    const { baud, random, delayMs, faults } = options;
    this.#wire = new Wire({ baud, random, ...(faults && { faults }) });
    this.faults = Object.assign(this.#wire.faults, { insertRate: faults?.insertRate ?? 0 });
    this.#random = random;
    this.#delayMs = delayMs;
  }

  get unsentBytes(): number {
    return this.#heldBytes + this.#wire.backlogBytes;
  }

  get wakeAtMs(): number | undefined {
    return this.#wire.wakeAtMs;
  }

  get arrivesAtMs(): number | undefined {
    return this.#onItsWay[0]?.atMs;
  }

  push(bytes: Uint8Array, nowMs: number): void {
    this.#held.push(bytes.slice());
    this.#heldBytes += bytes.length;
    this.#feed(nowMs);
  }

  /** What came out of the wire by now is on its way. */
  move(nowMs: number): void {
    for (let bytes = this.#wire.take(nowMs); bytes.length > 0; bytes = this.#wire.take(nowMs)) {
      this.#onItsWay.push({ atMs: nowMs + this.#delayMs, bytes: this.#insert(bytes) });
      this.#feed(nowMs);
    }
    this.#feed(nowMs);
  }

  arrived(nowMs: number): Uint8Array | undefined {
    const [first] = this.#onItsWay;
    if (first === undefined || first.atMs > nowMs) return undefined;
    this.#onItsWay.shift();
    return first.bytes;
  }

  silence(): void {
    this.#wire.cut();
    this.drop();
  }

  restore(): void {
    this.#wire.restore();
  }

  drop(): void {
    this.#held = [];
    this.#heldBytes = 0;
    this.#onItsWay = [];
  }

  #feed(nowMs: number): void {
    while (this.#held[0] !== undefined && this.#wire.backlogBytes < WIRE_AHEAD_BYTES) {
      const [first] = this.#held;
      const part = first.subarray(0, WIRE_AHEAD_BYTES);
      if (part.length === first.length) this.#held.shift();
      else this.#held[0] = first.subarray(part.length);
      this.#heldBytes -= part.length;
      this.#wire.push(part, nowMs);
    }
  }

  #insert(bytes: Uint8Array): Uint8Array {
    if (this.faults.insertRate === 0) return bytes;
    const out: number[] = [];
    for (const byte of bytes) {
      if (this.#random.chance(this.faults.insertRate)) out.push(this.#random.int(256));
      out.push(byte);
    }
    return Uint8Array.from(out);
  }
}
