/**
 * How long to wait before connecting again: anything from nothing to a bound (full jitter, so that thousands who lost one broker together
 * do not come back together), which doubles each time and is small again only after a connection that lasted. One that is
 * accepted and ended at once, again and again, is no success.
 */
const BOUND_MS_MIN = 200;
const BOUND_MS_MAX = 10_000;
/** A connection that lived this long was a good one. */
const GOOD_MS = 10_000;

export class ReconnectWait {
  readonly #chance: () => number;
  #boundMs = BOUND_MS_MIN;

  /** `chance`: from 0 to below 1. */
  constructor(chance: () => number) {
    this.#chance = chance;
  }

  /** After an attempt. `upMs`: how long it was up; undefined: never. */
  after(upMs: number | undefined): number {
    if (upMs !== undefined && upMs > GOOD_MS) this.reset();
    const waitMs = this.#chance() * this.#boundMs;
    this.#boundMs = Math.min(BOUND_MS_MAX, 2 * this.#boundMs);
    return waitMs;
  }

  /** It ended as we wanted. */
  reset(): void {
    this.#boundMs = BOUND_MS_MIN;
  }
}
