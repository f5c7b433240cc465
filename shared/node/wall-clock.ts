/** The system's clock behind the WallClock port, finer than the milliseconds that it tells. */
import type { WallClock } from '../ports.ts';

const US_PER_MS = 1_000;

/**
 * `dateMs` counts whole milliseconds and may be set; `steadyMs` counts fractions and may not. What lies between them is known to a
 * millisecond from one look, and better from many: it is kept where every look allows it, and moved where one does not.
 */
export class SystemWallClock implements WallClock {
  readonly #dateMs: () => number;
  readonly #steadyMs: () => number;
  #betweenMs = Number.NEGATIVE_INFINITY;

  constructor(dateMs: () => number = Date.now, steadyMs: () => number = () => performance.now()) {
    this.#dateMs = dateMs;
    this.#steadyMs = steadyMs;
  }

  nowUs(): number {
    const steadyMs = this.#steadyMs();
    const leastMs = this.#dateMs() - steadyMs;
    this.#betweenMs = Math.min(leastMs + 1, Math.max(leastMs, this.#betweenMs));
    return Math.floor(US_PER_MS * (steadyMs + this.#betweenMs));
  }
}
