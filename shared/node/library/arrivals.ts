/**
 * Following what arrives in a queue, by lookup id, without taking anything: each message is seen once, in order of arrival, also while
 * somebody has it under lease. Acknowledgements, replies and triggers are read so.
 */
import type { NodeCalls } from '../node-calls.ts';
import { ask } from './asking.ts';
import type { Glance } from './receiving.ts';
import { peekAt } from './receiving.ts';

/** One wait; the next one follows at once. */
const WAIT_MS = 30_000;

/** A lookup id that no message has yet: what is after it arrives from now on. */
export async function newestLookupId(node: NodeCalls): Promise<number> {
  return (await ask(node, { verb: 'stats' }, 'stats')).stats.ring.messagesStored;
}

/** The next one after a lookup id, or undefined after a while, or when the signal is aborted. */
export function arrivalAfter(
  node: NodeCalls,
  queue: string,
  how: { lookupId: number; bodies: 'with' | 'without'; signal: AbortSignal; waitMs?: number },
): Promise<Glance | undefined> {
  const { lookupId, bodies, signal, waitMs = WAIT_MS } = how;
  return peekAt(node, { queue }, { select: { by: 'arrivedAfter', lookupId }, bodies, signal, waitMs });
}
