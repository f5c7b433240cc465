/**
 * The timers of a message as they stand in its entry at its destination, in queue time: what is left of them after the way here, which
 * the hop part of the envelope tells. A way that nobody measured counts as none: late rather than early.
 */
import type { Properties } from '../message/message.ts';
import { NUMBER_MAX } from '../ring/superblock-layout.ts';

export interface EntryTimes {
  /** 0: never. */
  readonly expiresAtMs: number;
  /** 0: at once. */
  readonly notBeforeMs: number;
}

export const NO_TIMES: EntryTimes = { expiresAtMs: 0, notBeforeMs: 0 };

/**
 * The same for a message that only passes through, or is sent from here: when it has to have left this node, and, for whoever hands it on,
 * that it has a delay. The smaller of its two timers ends it.
 */
export function passingTimes(
  timers: Properties,
  { elapsedMs, queueTimeMs }: { elapsedMs: number; queueTimeMs: number },
): EntryTimes {
  const { timeToReachQueueMs = Number.POSITIVE_INFINITY, timeToBeReceivedMs = Number.POSITIVE_INFINITY } = timers;
  const least = Math.min(timeToReachQueueMs, timeToBeReceivedMs);
  const { deliverAfterMs } = timers;
  const left = {
    ...(deliverAfterMs !== undefined && { deliverAfterMs }),
    ...(least < Number.POSITIVE_INFINITY && { timeToBeReceivedMs: least }),
  };
  return entryTimes(left, { elapsedMs, queueTimeMs, queueMs: 0 });
}

/** `queueMs`: what its queue gives to a message that says nothing, from now on; 0: it never expires. */
export function entryTimes(
  timers: Properties,
  { elapsedMs, queueTimeMs, queueMs }: { elapsedMs: number; queueTimeMs: number; queueMs: number },
): EntryTimes {
  const { timeToBeReceivedMs, deliverAfterMs } = timers;
  if (timeToBeReceivedMs === undefined && deliverAfterMs === undefined && queueMs === 0) return NO_TIMES;
  const left = (ms: number) => queueTimeMs + Math.max(0, ms - elapsedMs);
  const standardMs = queueMs === 0 ? 0 : queueTimeMs + queueMs;
  const expiresAtMs = timeToBeReceivedMs === undefined ? standardMs : Math.max(1, left(timeToBeReceivedMs));
  const notBeforeMs = deliverAfterMs === undefined || deliverAfterMs <= elapsedMs ? 0 : left(deliverAfterMs);
  return { expiresAtMs: expiresAtMs > NUMBER_MAX ? 0 : expiresAtMs, notBeforeMs: Math.min(notBeforeMs, NUMBER_MAX) };
}
