/**
 * A line in virtual time: two ends behind the Line port, paced and damaged by a `Direction` each way.
 *
 *   a.write ─▶ aToB: held, paced, damaged, on its way ─▶ b.onBytes      what is done to bytes: line-faults.ts
 *   a.onBytes ◀─ bToA ◀─ b.write                                        where they wait and vanish: line-direction.ts
 *
 *   cut      both ends are closed             an unplugged adapter whose driver says so
 *   freeze   what is written stays unsent     one whose driver says nothing
 *   silence  what is written vanishes         half-open, a broken core, a dead peer
 *   stall    nothing arrives, then all of it  a modem or a serial server that hangs
 *
 * The two ends of a serial cable know nothing of each other, those of a socket close together. Everything happens as an event of the
 * scheduler, never inside a call.
 */
import { invariant } from '../shared/assert.ts';
import type { Line, LineListener } from '../shared/ports.ts';
import { Direction } from './line-direction.ts';
import type { SimLineFaults } from './line-faults.ts';
import type { Prng } from './random.ts';
import type { Scheduler } from './sim-broker.ts';

export type { SimLineFaults } from './line-faults.ts';

/** Which direction of a line is meant. */
export type LineWay = 'aToB' | 'bToA' | 'both';

export interface SimLineOptions {
  readonly world: Scheduler;
  readonly random: Prng;
  /** Bits per second; undefined: a socket. */
  readonly baud: number | undefined;
  /** Time on the way beside that of the bits: a USB adapter's 16 ms, a radio's 300. */
  readonly delayMs?: number;
  /** Line time of the lots in which bytes come out of it, in ms; LOT_MS (wire.ts) unless given. */
  readonly lotMs?: number;
  readonly faults?: { readonly aToB?: Partial<SimLineFaults>; readonly bToA?: Partial<SimLineFaults> };
}

export function simLines(options: SimLineOptions): SimLinePair {
  return new SimLinePair(options);
}

/**
 * Two cables exchange their `b` ends: whoever holds a `Line` keeps it and finds another peer at it, as when somebody plugs two devices
 * back into the wrong ports. What had not arrived is lost; ends set to different speeds hear garbage. Faults stay with their cable, and
 * so does its pace. Nothing happens when an end is closed: there is nothing to plug. Serial cables only.
 */
export function swapLines(one: SimLinePair, other: SimLinePair): void {
  one.swapWith(other);
}

export class SimLinePair {
  /** Bits per second; undefined: a socket. */
  readonly baud: number | undefined;
  readonly a: Line;
  /** May be changed at any time. */
  readonly faults: { readonly aToB: SimLineFaults; readonly bToA: SimLineFaults };
  readonly #world: Scheduler;
  readonly #ways: { readonly aToB: Direction; readonly bToA: Direction };
  #ends: readonly [SimEnd, SimEnd];
  #tickAtMs = Number.POSITIVE_INFINITY;

  constructor(options: SimLineOptions) {
    const { world, baud, random, delayMs = 0, lotMs, faults } = options;
    this.#world = world;
    this.baud = baud;
    const aToB = new Direction({ baud, random, delayMs, lotMs, faults: faults?.aToB });
    const bToA = new Direction({ baud, random, delayMs, lotMs, faults: faults?.bToA });
    aToB.back = bToA;
    bToA.back = aToB;
    const a = new SimEnd({ pair: this, out: aToB, into: bToA });
    this.#ways = { aToB, bToA };
    this.#ends = [a, new SimEnd({ pair: this, out: bToA, into: aToB })];
    this.a = a;
    this.faults = { aToB: aToB.faults, bToA: bToA.faults };
  }

  /** Another one after `swapLines`. */
  get b(): Line {
    return this.#ends[1];
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

  /** What is on its way and what is written is lost, and nobody is told, until `restore`. */
  silence(way: LineWay = 'both'): void {
    for (const direction of this.#of(way)) direction.silence();
    this.arm();
  }

  restore(way: LineWay = 'both'): void {
    for (const direction of this.#of(way)) direction.restore();
  }

  /** What is written stays unsent, without an error, until `thaw` sends it. */
  freeze(way: LineWay = 'both'): void {
    for (const direction of this.#of(way)) direction.freeze();
    this.arm();
  }

  thaw(way: LineWay = 'both'): void {
    for (const direction of this.#of(way)) direction.thaw(this.nowMs);
    this.arm();
  }

  /** What is written leaves and does not arrive, until `release` gives it all at once, however old. */
  stall(way: LineWay = 'both'): void {
    for (const direction of this.#of(way)) direction.stall();
  }

  release(way: LineWay = 'both'): void {
    for (const direction of this.#of(way)) direction.release(this.nowMs);
    this.arm();
  }

  /** Bytes that nobody wrote come out of the line, between two lots: what a boot loader or a forgotten `printf` says. */
  say(way: LineWay, bytes: Uint8Array): void {
    for (const direction of this.#of(way)) direction.say(bytes, this.nowMs);
    this.arm();
  }

  /** Listens in: `onBytes` is told of what passes, and must not change it. What `say` says is not among it. Replaces one before it. */
  tap(way: LineWay, onBytes: (bytes: Uint8Array) => void): void {
    for (const direction of this.#of(way)) direction.tap = onBytes;
  }

  /** For the ends: one was closed by its owner. */
  closedBy(end: SimEnd): void {
    for (const other of this.#ends) {
      if (other === end) other.end('closed');
      else if (this.baud === undefined) other.end('closed by the other end');
    }
    this.arm();
  }

  /** For `swapLines`. */
  swapWith(other: SimLinePair): void {
    invariant(this.baud !== undefined && other.baud !== undefined, 'a socket has no ends to swap');
    if (this === other || this.isClosed || other.isClosed) return;
    const pairs = [this, other] as const;
    const [mine, theirs] = [this.#ends[1], other.#ends[1]];
    this.#ends = [this.#ends[0], theirs];
    other.#ends = [other.#ends[0], mine];
    for (const pair of pairs) {
      const { aToB, bToA } = pair.#ways;
      const [a, b] = pair.#ends;
      b.plug({ pair, out: bToA, into: aToB });
      for (const way of [aToB, bToA]) {
        way.lose();
        way.speeds = a.baud === b.baud ? 'same' : 'different';
      }
    }
    for (const pair of pairs) pair.arm();
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

  #of(way: LineWay): readonly Direction[] {
    const { aToB, bToA } = this.#ways;
    return way === 'both' ? [aToB, bToA] : [this.#ways[way]];
  }

  #tick(atMs: number): void {
    if (this.#tickAtMs === atMs) this.#tickAtMs = Number.POSITIVE_INFINITY;
    const { nowMs } = this.#world;
    for (const end of this.#ends) end.out.move(nowMs);
    for (const end of this.#ends) end.report(nowMs);
    this.arm();
  }
}

interface Socket {
  readonly pair: SimLinePair;
  readonly out: Direction;
  readonly into: Direction;
}

class SimEnd implements Line {
  /** The speed it was opened with, whatever it is plugged into. */
  readonly baud: number | undefined;
  #plugged: Socket;
  #listener: LineListener | undefined;
  #state: 'open' | 'ended' | 'reported' = 'open';
  #reason = '';
  #owesDrained: 'no' | 'yes' = 'no';

  constructor(plugged: Socket) {
    this.#plugged = plugged;
    this.baud = plugged.pair.baud;
  }

  get out(): Direction {
    return this.#plugged.out;
  }

  plug(into: Socket): void {
    this.#plugged = into;
  }

  write(bytes: Uint8Array): number {
    if (this.#state !== 'open') return 0;
    this.out.push(bytes, this.#plugged.pair.nowMs);
    if (this.out.unsentBytes > 0) this.#owesDrained = 'yes';
    this.#plugged.pair.arm();
    return this.out.unsentBytes;
  }

  close(): void {
    if (this.#state === 'open') this.#plugged.pair.closedBy(this);
  }

  listen(listener: LineListener): void {
    invariant(this.#listener === undefined, 'a line has one listener');
    this.#listener = listener;
    this.#plugged.pair.arm();
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
    return this.#state === 'open' ? (isDrainedNow ? 0 : this.#plugged.into.arrivesAtMs) : undefined;
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
    return this.#state === 'open' ? this.#plugged.into.arrived(nowMs) : undefined;
  }
}
