/**
 * Virtual time: one heap of events for the whole simulation. Events of the same instant are shuffled by the seed: that is what
 * explores interleavings. Nothing here knows a real clock; a run is a function of its seed.
 */
import { invariant } from '../shared/assert.ts';
import type { Timers } from '../shared/ports.ts';
import type { Prng } from './random.ts';

/** The event loop's own, whatever stands in its place while a run lasts. */
const { setImmediate: nextTurn } = globalThis;

interface Event {
  readonly atMs: number;
  /** Drawn: orders events of one instant. */
  readonly tie: number;
  readonly run: () => void;
  cancelled: 'no' | 'yes';
}

/** Cancels the event it was given for. */
export type Cancel = () => void;

/**
 * When promises settle. `after-each`: between any two events, however deep the chain. `when-due`: only after events that said so with
 * `promised`; four times as fast, for worlds whose parts do.
 */
export type Settling = 'after-each' | 'when-due';

export class World {
  nowMs = 0;
  /** Events run so far. */
  steps = 0;
  readonly #heap: Event[] = [];
  readonly #random: Prng;
  readonly #settling: Settling;
  #isDue = true;

  constructor(random: Prng, settling: Settling = 'after-each') {
    this.#random = random;
    this.#settling = settling;
  }

  /** The event at hand settles promises: they run before the next one. */
  promised(): void {
    this.#isDue = true;
  }

  /** Runs `run` at this virtual time, or now if that has passed; never from inside this call. */
  at(atMs: number, run: () => void): Cancel {
    const event: Event = { atMs: Math.max(atMs, this.nowMs), tie: this.#random.next(), run, cancelled: 'no' };
    this.#push(event);
    return () => {
      event.cancelled = 'yes';
    };
  }

  after(ms: number, run: () => void): Cancel {
    return this.at(this.nowMs + ms, run);
  }

  /**
   * Runs events up to and including `untilMs`, or until `done` says so. At most `stepsMax` of them: a livelock is a failure. Before the
   * next event every promise that can settle does (see Settling): a file that answers later answers in its own instant.
   */
  async run(untilMs: number, done: () => boolean = () => false, stepsMax = 5_000_000): Promise<void> {
    const last = this.steps + stepsMax;
    await settled();
    // Another run that began beside this one may have brought it about.
    if (done()) return;
    for (let event = this.#heap[0]; event !== undefined && event.atMs <= untilMs; event = this.#heap[0]) {
      this.#pop();
      if (event.cancelled === 'yes') continue;
      this.nowMs = event.atMs;
      this.steps += 1;
      invariant(this.steps <= last, `no end after ${stepsMax} events`);
      event.run();
      if (this.#isDue || this.#settling === 'after-each') await settled();
      this.#isDue = false;
      if (done()) return;
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  /** The Timers port of one node. `offsetMs` is where its monotonic clock began; it runs `driftPpm` too fast. */
  timers(offsetMs = 0, driftPpm = 0): VirtualTimers {
    return new VirtualTimers(this, offsetMs, driftPpm);
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child])) child += 1;
      if (!isBefore(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
  }
}

/** Everything that waits for nothing but promises has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => nextTurn(resolve));
}

function isBefore(a: Event, b: Event | undefined): boolean {
  return b === undefined || a.atMs < b.atMs || (a.atMs === b.atMs && a.tie < b.tie);
}

export class VirtualTimers implements Timers {
  readonly #world: World;
  readonly #offsetMs: number;
  readonly #rate: number;
  #cancelWake: Cancel = () => {};
  #wakeAtMs: number | undefined;
  #whenAwake = () => {};
  #isOver = false;

  constructor(world: World, offsetMs: number, driftPpm: number) {
    this.#world = world;
    this.#offsetMs = offsetMs;
    this.#rate = 1 + driftPpm / 1e6;
  }

  nowMs(): number {
    return this.#world.nowMs * this.#rate + this.#offsetMs;
  }

  soon(callback: () => void): void {
    this.#world.after(0, () => {
      if (!this.#isOver) callback();
    });
  }

  wake(atMs: number, callback: () => void): void {
    this.#whenAwake = callback;
    // After most steps a node wants what it wanted before.
    if (this.#wakeAtMs === atMs) return;
    this.#cancelWake();
    this.#wakeAtMs = atMs;
    this.#cancelWake = this.#world.at(this.#worldMs(atMs), () => {
      this.#wakeAtMs = undefined;
      if (!this.#isOver) this.#whenAwake();
    });
  }

  /** Rounded up: a node that is woken a hair too early asks again without end. */
  #worldMs(atMs: number): number {
    const ms = (atMs - this.#offsetMs) / this.#rate;
    return ms * this.#rate + this.#offsetMs < atMs ? ms + 1e-6 * Math.max(1, ms) : ms;
  }

  cancel(): void {
    this.#wakeAtMs = undefined;
    this.#cancelWake();
  }

  /** The node lost power: nothing it had planned happens. */
  stop(): void {
    this.#isOver = true;
    this.cancel();
  }
}
