/**
 * How late the event loop comes to what is due: a tick is due every millisecond, and each that was missed counts with its own delay.
 * So a loop that stands still half of the time shows it in its median, however few timers fire meanwhile.
 */
import { Histogram } from './histogram.ts';

const TICK_MS = 1;

export class LoopDelay {
  readonly #delays = new Histogram();
  #dueMs = performance.now() + TICK_MS;
  #timer = setTimeout(() => this.#tick(), TICK_MS);

  /** The 99th percentile so far, in ms. */
  stop(): number {
    clearTimeout(this.#timer);
    return this.#delays.percentile(0.99);
  }

  #tick(): void {
    const nowMs = performance.now();
    for (; this.#dueMs <= nowMs; this.#dueMs += TICK_MS) this.#delays.add(nowMs - this.#dueMs);
    this.#timer = setTimeout(() => this.#tick(), TICK_MS);
  }
}
