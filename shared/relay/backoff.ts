/** A delay that doubles each time it ran out in vain, up to a limit, and starts anew after a success. */
export class Backoff {
  readonly #limits: { readonly minMs: number; readonly maxMs: number };
  #delayMs: number;

  constructor(limits: { readonly minMs: number; readonly maxMs: number }) {
    this.#limits = limits;
    this.#delayMs = limits.minMs;
  }

  get delayMs(): number {
    return this.#delayMs;
  }

  lengthen(): void {
    this.#delayMs = Math.min(2 * this.#delayMs, this.#limits.maxMs);
  }

  reset(): void {
    this.#delayMs = this.#limits.minMs;
  }
}
