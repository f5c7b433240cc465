/** A queue as a loop: `for await (const delivery of …)`, with messages leased ahead. */
import { RingmailError } from '../../errors.ts';
import type { NodeCalls } from '../node-calls.ts';
import { type Delivery, giveBack, Leased } from './delivery.ts';
import { type From, LEASE_MS_DEFAULT, receiveFrom } from './receiving.ts';

export interface MessagesOptions {
  /** Messages leased ahead of the loop. Each is counted as a delivery when it is leased. 0: only the one that the loop asks for. */
  readonly prefetch?: number;
  /** How long each is yours from when it was leased, waiting for the loop included. Nothing renews it. 30,000. */
  readonly leaseMs?: number;
  /** Ends the loop. */
  readonly signal?: AbortSignal;
}

/** Bounds the memory of a loop: so many bodies. */
const PREFETCH_COUNT_MAX = 1_000;
/** One wait; the next one follows at once. */
const WAIT_MS = 30_000;

/**
 * One by one, without end; the loop ends by `break`, by the signal, or by an error of the node. What was leased ahead and not handed out
 * is given back then; what was handed out is the loop's own to acknowledge. What waited here longer than its lease is not handed out.
 */
export async function* messagesOf(node: NodeCalls, from: From, options: MessagesOptions): AsyncGenerator<Delivery> {
  const { prefetch = 0, leaseMs = LEASE_MS_DEFAULT, signal } = options;
  if (!Number.isSafeInteger(prefetch) || prefetch < 0 || prefetch > PREFETCH_COUNT_MAX)
    throw new RingmailError('PROPERTY_INVALID', { property: 'prefetch', reason: `not 0 to ${PREFETCH_COUNT_MAX}` });
  const stop = new AbortController();
  const end = (): void => stop.abort();
  if (signal?.aborted) return;
  signal?.addEventListener('abort', end, { once: true });
  const ahead: Leased[] = [];
  let asking: Promise<void> | undefined;
  const ask = (): Promise<void> => {
    asking ??= receiveFrom(node, from, { waitMs: WAIT_MS, leaseMs, signal: stop.signal })
      .then((received) => {
        if (received !== undefined) ahead.push(new Leased(node, received));
      })
      .finally(() => {
        asking = undefined;
      });
    return asking;
  };
  /** Asks in the background; an error is met by the loop, which asks again when it has nothing. */
  let isFilling = false;
  const fill = (): void => {
    if (isFilling || ahead.length >= prefetch || stop.signal.aborted) return;
    isFilling = true;
    const next = (): void => {
      isFilling = false;
      fill();
    };
    ask().then(next, () => {
      isFilling = false;
    });
  };
  try {
    for (;;) {
      for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) {
        fill();
        if (!next.isOver) yield next.delivery;
        if (stop.signal.aborted) return;
      }
      if (stop.signal.aborted) return;
      await ask();
    }
  } finally {
    signal?.removeEventListener('abort', end);
    stop.abort();
    await asking?.catch(() => {}); // the loop is over: what it would have been told, nobody asks
    await Promise.all(ahead.map(({ lease }) => giveBack(node, lease)));
  }
}
