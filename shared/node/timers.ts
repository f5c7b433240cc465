/** Real time behind the Timers port: monotonic milliseconds of this process. */
import type { Timers } from '../ports.ts';

/** Node fires a longer timeout at once, so a longer wait is made of several. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

export class NodeTimers implements Timers {
  #timeout: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;

  nowMs(): number {
    return performance.now();
  }

  soon(callback: () => void): void {
    setImmediate(callback);
  }

  wake(atMs: number, callback: () => void): void {
    this.cancel();
    const delayMs = atMs - performance.now();
    if (delayMs <= 0) this.#immediate = setImmediate(callback);
    else this.#timeout = setTimeout(() => this.#due(atMs, callback), Math.min(Math.ceil(delayMs), TIMEOUT_MS_MAX));
  }

  cancel(): void {
    clearTimeout(this.#timeout);
    clearImmediate(this.#immediate);
  }

  /** The event loop counts whole milliseconds of a time that it read earlier: a timeout can come a fraction too early. */
  #due(atMs: number, callback: () => void): void {
    if (performance.now() < atMs) this.wake(atMs, callback);
    else callback();
  }
}
