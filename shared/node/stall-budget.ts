/**
 * Whether the next durable write may stand in the way of the event loop. An inline write saves the hop to the thread pool and back,
 * which costs as much as the write itself on a fast medium; on a slow one it would hold up everything else.
 *
 *            16 writes, not hopelessly slow             8 fast ones
 *   async ─────────────────────────────────▶ probing ───────────────▶ inline
 *     ▲                                         │ one slow one           │ more than 6 slow ones in 128 (the 95th percentile),
 *     └──── pause doubled ──────────────────────┘                        │ or one that stalls everybody
 *     └──────────────────────────────────────────────────────────────────┘
 */

export type IoMode = 'inline' | 'async';

/** What one durable write may cost the event loop, in ms. */
export const STALL_MS = 1;
/** One write this slow ends inline writing at once, in ms: a link's timers begin to feel it. */
export const STALL_MS_MAX = 20;
/** Pooled writes slower than this on average, in ms, are not worth a probe: the hop is not what costs. */
const HOPELESS_MS = 4 * STALL_MS;
/** Writes that are looked back upon, and how many of them may have been slow. */
const WINDOW_COUNT = 128;
const SLOW_COUNT_MAX = 6;
const PROBE_COUNT = 8;
/** Pooled writes before the next probe: the first time, and at most. A probe that fails costs one slow write in so many. */
const PAUSE_COUNT_MIN = 16;
const PAUSE_COUNT_MAX = 1024;
/** Weight of the newest write in the average. */
const AVERAGE_WEIGHT = 0.1;

export class StallBudget {
  #state: 'async' | 'probing' | 'inline' = 'async';
  #averageMs = 0;
  #left = PAUSE_COUNT_MIN;
  #pause = PAUSE_COUNT_MIN;
  /** Of the last inline writes, round and round: 1 where one was slow. */
  readonly #slow = new Uint8Array(WINDOW_COUNT);
  #slowCount = 0;
  #at = 0;

  /** How the next write is to be done. */
  get mode(): IoMode {
    return this.#state === 'async' ? 'async' : 'inline';
  }

  /** A write, done as `mode` said, took so long. */
  took(ms: number): void {
    if (this.#state === 'async') return this.#tookAsync(ms);
    const slow = ms > STALL_MS ? 1 : 0;
    this.#slowCount += slow - (this.#slow[this.#at] ?? 0);
    this.#slow[this.#at] = slow;
    this.#at = (this.#at + 1) % WINDOW_COUNT;
    if (this.#state === 'inline') {
      if (this.#slowCount > SLOW_COUNT_MAX || ms > STALL_MS_MAX) this.#retreat();
      return;
    }
    if (this.#slowCount > 0) return this.#retreat();
    this.#left -= 1;
    if (this.#left > 0) return;
    this.#state = 'inline';
    this.#pause = PAUSE_COUNT_MIN;
  }

  #tookAsync(ms: number): void {
    this.#averageMs += AVERAGE_WEIGHT * (ms - this.#averageMs);
    this.#left -= 1;
    if (this.#left > 0) return;
    if (this.#averageMs > HOPELESS_MS) {
      this.#left = this.#pause;
      return;
    }
    this.#state = 'probing';
    this.#left = PROBE_COUNT;
    this.#slow.fill(0);
    this.#slowCount = 0;
  }

  #retreat(): void {
    this.#state = 'async';
    this.#averageMs = 0;
    this.#pause = Math.min(PAUSE_COUNT_MAX, 2 * this.#pause);
    this.#left = this.#pause;
  }
}
