/**
 * Virtual time for code that asks the globals: timers, immediates, the clocks and `Math.random` are the world's while it is installed.
 *
 *   setTimeout, setInterval    an event of the world; timers of one instant run in the order in which they were set, as Node's do
 *   setImmediate               an event of this instant, in the order of the calls: no time passes while a chain of them goes on
 *   Date, performance.now      EPOCH_MS and 0 at the beginning of the world
 *   Math.random                a stream of the seed
 *
 * Promises and `process.nextTick` stay as they are: they settle between two events of the world. A package that took `setImmediate`
 * for itself when it was loaded keeps the real one, which runs between two events as well, a turn of the loop later.
 */
import { invariant } from '../../shared/assert.ts';
import type { Prng } from '../random.ts';
import type { Cancel, World } from '../world.ts';
import { Patches } from './patches.ts';

/** 2024-01-01T00:00:00Z. */
const EPOCH_MS = 1_704_067_200_000;
/** Node's bounds of a delay; what lies outside is 1. */
const DELAY_MS_MIN = 1;
const DELAY_MS_MAX = 2 ** 31 - 1;

type Callback = (...args: unknown[]) => void;

let installed: VirtualClock | undefined;

/** Whether the globals tell virtual time now. */
export function isTimeVirtual(): boolean {
  return installed !== undefined;
}

export class VirtualClock {
  readonly #world: World;
  readonly #random: Prng;
  readonly #patches = new Patches();
  readonly #timers = new Map<number, VirtualTimer>();
  readonly #immediates = new Set<VirtualImmediate>();
  #order = 0;
  #ringsAtMs = Number.POSITIVE_INFINITY;
  #cancelRing: Cancel = () => {};

  constructor(options: { readonly world: World; readonly random: Prng }) {
    this.#world = options.world;
    this.#random = options.random;
  }

  /** The globals are virtual while `run` lasts, and real again after it, however it ends. */
  async during<T>(run: () => Promise<T>): Promise<T> {
    this.install();
    try {
      return await run();
    } finally {
      this.restore();
    }
  }

  /** One at a time in a process. */
  install(): void {
    invariant(installed === undefined, 'the globals tell one virtual time at once');
    installed = this;
    const { clearTimeout, clearInterval, clearImmediate } = globalThis;
    const set = (name: string, value: unknown) => this.#patches.replace(globalThis, name, value);
    set('setTimeout', (run: Callback, ms?: number, ...args: unknown[]) => this.#timer('once', ms, () => run(...args)));
    set('setInterval', (run: Callback, ms?: number, ...args: unknown[]) => this.#timer('again', ms, () => run(...args)));
    set('setImmediate', (run: Callback, ...args: unknown[]) => this.#immediate(() => run(...args)));
    // Who clears a timer of before the run means that one.
    set('clearTimeout', (timer?: Parameters<typeof clearTimeout>[0]) => this.#clear(timer) || clearTimeout(timer));
    set('clearInterval', (timer?: Parameters<typeof clearInterval>[0]) => this.#clear(timer) || clearInterval(timer));
    set('clearImmediate', (one?: Parameters<typeof clearImmediate>[0]) => {
      if (!this.#immediates.delete(one as unknown as VirtualImmediate)) clearImmediate(one);
    });
    const nowMs = () => Math.floor(EPOCH_MS + this.#world.nowMs);
    set('Date', dateThatTells(nowMs));
    this.#patches.replace(performance, 'now', () => this.#world.nowMs);
    this.#patches.replace(Math, 'random', () => this.#random.next());
  }

  /** What was still planned never happens. */
  restore(): void {
    invariant(installed === this, 'installed');
    installed = undefined;
    this.#patches.restore();
    this.#cancelRing();
    this.#ringsAtMs = Number.POSITIVE_INFINITY;
    this.#timers.clear();
    this.#immediates.clear();
  }

  #timer(kind: 'once' | 'again', ms: number | undefined, run: () => void): VirtualTimer {
    const delayMs = ms !== undefined && ms >= DELAY_MS_MIN && ms <= DELAY_MS_MAX ? Math.trunc(ms) : DELAY_MS_MIN;
    const timer = new VirtualTimer({ clock: this, id: ++this.#order, kind, delayMs, run });
    this.start(timer);
    return timer;
  }

  /** For its timers: counts from now. */
  start(timer: VirtualTimer): void {
    timer.state = 'set';
    timer.order = ++this.#order;
    timer.dueMs = this.#world.nowMs + timer.delayMs;
    this.#timers.set(timer.id, timer);
    if (timer.dueMs < this.#ringsAtMs) this.#ringAt(timer.dueMs);
  }

  /** For its timers. */
  stop(timer: VirtualTimer): void {
    timer.state = 'cleared';
    this.#timers.delete(timer.id);
  }

  /** Whether it was one of these. An interval may be cleared while it runs. */
  #clear(timer: unknown): boolean {
    const found = timer instanceof VirtualTimer ? timer : this.#timers.get(Number(timer));
    if (found !== undefined) this.stop(found);
    return found !== undefined;
  }

  #ringAt(atMs: number): void {
    this.#cancelRing();
    this.#ringsAtMs = atMs;
    this.#cancelRing = this.#world.at(atMs, () => this.#ring());
  }

  /** Runs one timer that is due, if there is any, and comes back for the next: what that one started settles in between. */
  #ring(): void {
    this.#world.promised();
    this.#ringsAtMs = Number.POSITIVE_INFINITY;
    const first = this.#first();
    if (first !== undefined && first.dueMs <= this.#world.nowMs) this.#run(first);
    const next = this.#first();
    if (next !== undefined && next.dueMs < this.#ringsAtMs) this.#ringAt(next.dueMs);
  }

  #run(timer: VirtualTimer): void {
    if (timer.kind === 'once') this.#timers.delete(timer.id);
    timer.state = 'running';
    timer.run();
    // Neither cleared nor set anew meanwhile.
    if (timer.state === 'running' && timer.kind === 'again') this.start(timer);
  }

  #first(): VirtualTimer | undefined {
    let first: VirtualTimer | undefined;
    for (const timer of this.#timers.values()) if (first === undefined || timer.isBefore(first)) first = timer;
    return first;
  }

  #immediate(run: () => void): VirtualImmediate {
    const immediate = new VirtualImmediate(run);
    this.#immediates.add(immediate);
    this.#world.after(0, () => {
      this.#world.promised();
      const [first] = this.#immediates;
      if (first === undefined) return;
      this.#immediates.delete(first);
      first.run();
    });
    return immediate;
  }
}

/** As much of Node's `Timeout` as there is to it here: nothing keeps a process alive. */
class VirtualTimer {
  readonly #clock: VirtualClock;
  readonly id: number;
  readonly kind: 'once' | 'again';
  readonly delayMs: number;
  readonly run: () => void;
  dueMs = 0;
  order = 0;
  state: 'set' | 'running' | 'cleared' = 'set';

  constructor(options: { clock: VirtualClock; id: number; kind: 'once' | 'again'; delayMs: number; run: () => void }) {
    this.#clock = options.clock;
    this.id = options.id;
    this.kind = options.kind;
    this.delayMs = options.delayMs;
    this.run = options.run;
  }

  isBefore(other: VirtualTimer): boolean {
    return this.dueMs < other.dueMs || (this.dueMs === other.dueMs && this.order < other.order);
  }

  refresh(): this {
    if (this.state !== 'cleared') this.#clock.start(this);
    return this;
  }

  close(): this {
    this.#clock.stop(this);
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  [Symbol.toPrimitive](): number {
    return this.id;
  }
}

class VirtualImmediate {
  readonly run: () => void;

  constructor(run: () => void) {
    this.run = run;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }
}

/** `Date` as it is, but for the present. */
function dateThatTells(nowMs: () => number): DateConstructor {
  return new Proxy(Date, {
    get: (date, key) => (key === 'now' ? nowMs : Reflect.get(date, key)),
    apply: (date) => new date(nowMs()).toString(),
    construct: (date, args, subject) => Reflect.construct(date, args.length === 0 ? [nowMs()] : args, subject),
  });
}
