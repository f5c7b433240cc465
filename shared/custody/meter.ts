/**
 * What a metered uplink may send: a bucket of bytes that time fills (docs/routes.md, section 7).
 *
 *   full ──spend──▶ open ──spent more than there is──▶ closed: in debt ──time──▶ open
 *
 * Whoever asks while it is open may send a whole publish or packet, larger than what is left or than the bucket: the debt is waited for
 * afterwards. Over T seconds a backlog gets burstBytes + T * bytesPerSecond, and at most one publish more. What may not wait is sent all
 * the same, and counted: the others wait the longer for it.
 *
 * One number says all of it: when the bucket will be full.
 */

/** As it is configured. */
export interface ByteCap {
  readonly bytesPerSecond: number;
  /** Bytes that may go at once after a quiet time. */
  readonly burstBytes: number;
}

export class Meter {
  readonly cap: ByteCap;
  /** Since it was made: all that was counted. */
  sentBytes = 0;
  readonly #burstMs: number;
  #fullAtMs = Number.NEGATIVE_INFINITY;

  /** Full. */
  constructor(cap: ByteCap) {
    this.cap = cap;
    this.#burstMs = (cap.burstBytes * 1000) / cap.bytesPerSecond;
  }

  /** Something went out, whether it might have or not. */
  spend(bytes: number, nowMs: number): void {
    this.sentBytes += bytes;
    this.#fullAtMs = Math.max(this.#fullAtMs, nowMs) + (bytes * 1000) / this.cap.bytesPerSecond;
  }

  isOpen(nowMs: number): boolean {
    return this.opensAtMs <= nowMs;
  }

  /** When something that waits may go; in the past while it is open. */
  get opensAtMs(): number {
    return this.#fullAtMs - this.#burstMs;
  }
}
