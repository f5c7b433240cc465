/** Real time behind the Timers port: monotonic milliseconds of this process. */
import type { Timers } from '../ports.ts';

/** Node fires a longer timeout at once; the core is simply asked again. */
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
    else this.#timeout = setTimeout(callback, Math.min(Math.ceil(delayMs), TIMEOUT_MS_MAX));
  }

  cancel(): void {
    clearTimeout(this.#timeout);
    clearImmediate(this.#immediate);
  }
}
