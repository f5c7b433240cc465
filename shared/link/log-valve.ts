/** Lets words through to the log as long as they are few: a noisy line must not fill a disk. */

/** Of what a link has to say itself. */
export const LOG_BURST_MAX = 10;
/** Of what comes from the other side: a boot loader says more at once. */
export const CONSOLE_BURST_MAX = 40;
const REFILL_MS = 1_000;

export class LogValve {
  readonly #burstMax: number;
  #tokens: number;
  #filledAtMs: number | undefined;
  #heldBack = 0;

  /** `burstMax` lines at once, then one a second. */
  constructor(burstMax: number) {
    this.#burstMax = burstMax;
    this.#tokens = burstMax;
  }

  /** The text to log, with how many were held back before it; undefined when it is one too many. */
  pass(text: string, nowMs: number): string | undefined {
    const sinceMs = nowMs - (this.#filledAtMs ?? nowMs);
    const refilled = Math.floor(sinceMs / REFILL_MS);
    this.#filledAtMs = (this.#filledAtMs ?? nowMs) + refilled * REFILL_MS;
    this.#tokens = Math.min(this.#burstMax, this.#tokens + refilled);
    if (this.#tokens === 0) {
      this.#heldBack += 1;
      return undefined;
    }
    this.#tokens -= 1;
    const note = this.#heldBack === 0 ? '' : ` (${this.#heldBack} lines before this one held back)`;
    this.#heldBack = 0;
    return text + note;
  }
}
