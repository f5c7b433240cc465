/**
 * Keeps a line open, or a place where lines come in: opens it, hands it over, and opens it again when it is gone, with a wait that
 * grows and is jittered so that fifty boxes do not knock at once. One dead port never stops another: each has a keeper of its own.
 */
import type { Line } from '../ports.ts';

/** First wait before it is opened again, and the longest. */
const WAIT_MS_MIN = 200;
const WAIT_MS_MAX = 5_000;
/** What lived this long was a good one: the wait starts small again. */
const GOOD_MS = 3_000;

interface Closable {
  close(): void | Promise<void>;
}

export interface KeptLine<T extends Closable = Line> {
  readonly name: string;
  readonly open: () => Promise<T>;
  /** Uses it until it is closed, by whomever; resolves with the reason then. */
  readonly use: (opened: T) => Promise<string>;
  /** Told of each reason once, until another comes. */
  readonly log: (level: 'info' | 'warn', text: string) => void;
}

/** Runs until `signal` aborts; what is open then is closed, and is no more when this resolves. */
export async function keepLine<T extends Closable>(kept: KeptLine<T>, signal: AbortSignal): Promise<void> {
  let waitMs = WAIT_MS_MIN;
  let lastReason = '';
  while (!signal.aborted) {
    const openedMs = performance.now();
    const reason = await useOnce(kept, signal);
    if (signal.aborted) return;
    if (performance.now() - openedMs > GOOD_MS) waitMs = WAIT_MS_MIN;
    if (reason !== lastReason) kept.log('warn', `${kept.name}: ${reason}`);
    lastReason = reason;
    await pause(waitMs * (0.5 + Math.random() / 2), signal);
    waitMs = Math.min(WAIT_MS_MAX, 2 * waitMs);
  }
}

async function useOnce<T extends Closable>(kept: KeptLine<T>, signal: AbortSignal): Promise<string> {
  let opened: T;
  try {
    opened = await kept.open();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  let closing: Promise<void> | undefined;
  const close = (): void => {
    closing = Promise.resolve(opened.close());
  };
  signal.addEventListener('abort', close, { once: true });
  if (signal.aborted) close();
  const reason = await kept.use(opened);
  signal.removeEventListener('abort', close);
  await closing;
  return reason;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
  });
}
