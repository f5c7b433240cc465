/**
 * A cable between two real lines: relays both ways at the pace of a baud, which a pseudo-terminal does not have, and damages on
 * request. It keeps real time; how bytes are paced and damaged is decided by `Wire`, which does not.
 *
 *   a ──onBytes──▶ Wire ──timer──▶ b.write          a slow reader at b fills the wire, then `a` is paused, if it can be
 *   a.write ◀──timer── Wire ◀──onBytes── b
 */

import type { Line } from '../shared/ports.ts';
import type { Prng } from './random.ts';
import { Wire, type WireFaults } from './wire.ts';

/** Backlog of a wire, in bytes, above which its source is paused: what the kernel holds for a terminal. */
export const PAUSE_BYTES = 4096;
/** What an end may hold unsent, in bytes. More is not handed to it but lost, as at a port that nobody reads. */
export const END_HELD_BYTES_MAX = 262_144;

/** A line that may be able to make its writers wait. */
export interface CableEnd extends Line {
  pause?(): void;
  resume?(): void;
}

export interface CableOptions {
  /** Bits per second; undefined: no pacing. */
  baud: number | undefined;
  random: Prng;
  faults?: { aToB?: Partial<WireFaults>; bToA?: Partial<WireFaults> };
}

export class Cable {
  /** One for each direction: faults to change, counters to read. */
  readonly aToB: Wire;
  readonly bToA: Wire;
  readonly #directions: readonly [Direction, Direction];

  /** Listens to both ends. When one closes the cable closes the other. */
  constructor(a: CableEnd, b: CableEnd, options: CableOptions) {
    const { baud, random, faults } = options;
    this.aToB = new Wire({ baud, random, ...(faults?.aToB && { faults: faults.aToB }) });
    this.bToA = new Wire({ baud, random, ...(faults?.bToA && { faults: faults.bToA }) });
    const there = new Direction(a, this.aToB, b);
    const back = new Direction(b, this.bToA, a);
    this.#directions = [there, back];
    a.listen({ onBytes: (bytes) => there.push(bytes), onDrained: () => back.drained(), onClosed: () => this.#end(b) });
    b.listen({ onBytes: (bytes) => back.push(bytes), onDrained: () => there.drained(), onClosed: () => this.#end(a) });
  }

  /** Both ends stay, nothing passes, and nothing tells them. */
  cut(): void {
    this.aToB.cut();
    this.bToA.cut();
  }

  restore(): void {
    this.aToB.restore();
    this.bToA.restore();
  }

  #end(other: CableEnd): void {
    for (const direction of this.#directions) direction.stop();
    other.close();
  }
}

/** From a source through a wire into a sink. */
class Direction {
  readonly #source: CableEnd;
  readonly #wire: Wire;
  readonly #sink: CableEnd;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sinkHeldBytes = 0;
  #state: 'flowing' | 'paused' | 'stopped' = 'flowing';

  constructor(source: CableEnd, wire: Wire, sink: CableEnd) {
    this.#source = source;
    this.#wire = wire;
    this.#sink = sink;
  }

  push(bytes: Uint8Array): void {
    if (this.#state === 'stopped') return;
    this.#wire.push(bytes, performance.now());
    if (this.#state === 'flowing' && this.#wire.backlogBytes > PAUSE_BYTES && this.#source.pause !== undefined) {
      this.#state = 'paused';
      this.#source.pause();
    }
    this.#arm();
  }

  drained(): void {
    this.#sinkHeldBytes = 0;
  }

  stop(): void {
    this.#state = 'stopped';
    clearTimeout(this.#timer);
  }

  #arm(): void {
    const { wakeAtMs } = this.#wire;
    if (this.#timer !== undefined || wakeAtMs === undefined) return;
    this.#timer = setTimeout(() => this.#deliver(), Math.max(0, Math.ceil(wakeAtMs - performance.now())));
  }

  #deliver(): void {
    this.#timer = undefined;
    const bytes = this.#wire.take(performance.now());
    if (this.#sinkHeldBytes > END_HELD_BYTES_MAX) this.#wire.counters.overrun += bytes.length;
    else if (bytes.length > 0) this.#sinkHeldBytes = this.#sink.write(bytes);
    if (this.#state === 'paused' && this.#wire.backlogBytes <= PAUSE_BYTES) {
      this.#state = 'flowing';
      this.#source.resume?.();
    }
    this.#arm();
  }
}
