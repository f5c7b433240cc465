/**
 * Keeps a line open, or a place where lines come in: opens it, hands it over, and opens it again when it is gone, with a wait that
 * grows and is jittered so that fifty boxes do not knock at once. One dead port never stops another: each has a keeper of its own.
 *
 *   opening ──▶ in use ──▶ waiting 0.2 s, doubled each time, jittered ──▶ opening …
 *      │ never answers: said once, and waited for; a second try would hold another thread of the process
 *      └ can never succeed: said once, and not tried again
 */
import { hasCode } from '../errors.ts';
import type { Line } from '../ports.ts';

/** First wait before it is opened again, and the longest unless another is given. The wait is half of it to all of it, by chance. */
export const WAIT_MS_MIN = 200;
export const WAIT_MS_MAX = 5_000;
/** What lived longer than this was a good one: the wait starts small again. */
export const GOOD_MS = 3_000;
/** An attempt that has not come to an end by then is spoken of. */
export const OPEN_MS_MAX = 15_000;
/** How long the end waits for an attempt that is under way. What opens later is closed then. */
export const ABANDON_MS = 1_000;

interface Closable {
  close(): void | Promise<void>;
}

export interface KeptLine<T extends Closable = Line> {
  readonly name: string;
  readonly open: () => Promise<T>;
  /** Uses it until it is closed, by whomever; resolves with the reason then. */
  readonly use: (opened: T) => Promise<string>;
  /** Told of each reason once, until another comes or it was a good one in between. */
  readonly log: (level: 'info' | 'warn', text: string) => void;
  /** Told of each change: `opening`, `open`, or why it is not. */
  readonly state?: (text: string) => void;
  /** Longest wait, in ms; WAIT_MS_MAX unless given. */
  readonly waitMsMax?: number;
}

/** Time and chance. */
export interface KeeperWorld {
  /** Monotonic. */
  nowMs(): number;
  /** From 0 to 1, 1 excluded. */
  random(): number;
  /** Resolves then, or when `signal` aborts. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
}

const realWorld: KeeperWorld = { nowMs: () => performance.now(), random: Math.random, pause };

/** Runs until `signal` aborts; what is open then is closed, and is no more when this resolves. */
export async function keepLine<T extends Closable>(kept: KeptLine<T>, signal: AbortSignal, world = realWorld): Promise<void> {
  const { waitMsMax = WAIT_MS_MAX } = kept;
  let waitMs = WAIT_MS_MIN;
  let lastReason = '';
  while (!signal.aborted) {
    const { reason, openedMs, hope } = await useOnce(kept, signal, world);
    if (signal.aborted) return;
    kept.state?.(reason);
    if (openedMs !== undefined && world.nowMs() - openedMs > GOOD_MS) {
      waitMs = WAIT_MS_MIN;
      lastReason = '';
    }
    if (hope === 'none') {
      kept.log('warn', `${kept.name}: ${reason}; it is not tried again until the node starts anew`);
      return whenAborted(signal);
    }
    if (reason !== lastReason) kept.log('warn', `${kept.name}: ${reason}`);
    lastReason = reason;
    await world.pause(waitMs * (0.5 + world.random() / 2), signal);
    waitMs = Math.min(waitMsMax, 2 * waitMs);
  }
}

interface Attempt {
  readonly reason: string;
  /** When it was open; undefined when it never was. */
  readonly openedMs?: number;
  readonly hope: 'some' | 'none';
}

async function useOnce<T extends Closable>(kept: KeptLine<T>, signal: AbortSignal, world: KeeperWorld): Promise<Attempt> {
  let opened: T | 'abandoned';
  kept.state?.('opening');
  try {
    opened = await openOnce(kept, signal, world);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { reason, hope: hasCode(error, 'SERIALPORT_MISSING') ? 'none' : 'some' };
  }
  if (opened === 'abandoned') return { reason: 'closed', hope: 'some' };
  const line = opened;
  const openedMs = world.nowMs();
  kept.state?.('open');
  let closing: Promise<void> | undefined;
  const close = (): void => {
    closing = Promise.resolve(line.close());
  };
  signal.addEventListener('abort', close, { once: true });
  if (signal.aborted) close();
  const reason = await kept.use(line);
  signal.removeEventListener('abort', close);
  await closing;
  return { reason, openedMs, hope: 'some' };
}

/** Waits for one attempt, however long; once `signal` aborts, ABANDON_MS more, and what opens after that is closed. */
function openOnce<T extends Closable>(kept: KeptLine<T>, signal: AbortSignal, world: KeeperWorld): Promise<T | 'abandoned'> {
  const { name, log } = kept;
  const settled = new AbortController();
  let isAbandoned = false;
  return new Promise((resolve, reject) => {
    const abandon = async (): Promise<void> => {
      await world.pause(ABANDON_MS, settled.signal);
      if (settled.signal.aborted) return;
      isAbandoned = true;
      settled.abort();
      resolve('abandoned');
    };
    const onAbort = (): void => void abandon();
    const settle = (): void => {
      settled.abort();
      signal.removeEventListener('abort', onAbort);
    };
    void world.pause(OPEN_MS_MAX, settled.signal).then(() => {
      const isOver = settled.signal.aborted || signal.aborted;
      if (!isOver) log('warn', `${name}: opening it takes more than ${OPEN_MS_MAX} ms; it is waited for`);
    });
    const opening = (async () => kept.open())(); // one that throws at once fails like any other
    opening.then(
      (opened) => {
        settle();
        if (isAbandoned) void opened.close();
        else resolve(opened);
      },
      (error: unknown) => {
        settle();
        reject(error);
      },
    );
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
  });
}
