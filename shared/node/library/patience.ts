/** What a loop does when its node says no: wait and ask again, or end. */
import { RingmailError } from '../../errors.ts';

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 5_000;

/** Codes after which asking again may help by itself. */
const PASSING = new Set(['NODE_STOPPED', 'NODE_UNREACHABLE', 'BUSY', 'SHARING_VIOLATION', 'IN_DOUBT', 'QUEUE_FULL']);

export function mayPass(error: unknown): boolean {
  return error instanceof RingmailError && PASSING.has(error.code);
}

/** Waits, doubled each time in vain. */
export class Patience {
  #ms = RETRY_MS_MIN;

  reset(): void {
    this.#ms = RETRY_MS_MIN;
  }

  async wait(signal: AbortSignal): Promise<void> {
    const ms = this.#ms;
    this.#ms = Math.min(RETRY_MS_MAX, 2 * ms);
    await rest(ms, signal);
  }
}

/** Resolves after so many ms, or when the signal is aborted. */
export function rest(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}

/** Resolves when the signal is aborted. */
export function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
