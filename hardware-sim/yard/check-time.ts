/**
 * S8: a message lives as long as it may, and waits as long as it must. All in true time; a node's clock may run fast or slow.
 *
 *   sent ──▶ at its destination ──timeToBeReceived──▶ expired: never before that, never delivered after it
 *                    └──deliverAfter──▶ delivered: never before that
 */
import { endingsOf, wentAnotherWay } from './endings.ts';
import type { DeliveredEvent, History, Verdict } from './history.ts';
import { type HistoryIndex, indexOf, lastBefore, type Story, type Told } from './history-index.ts';

/** A clock may be wrong by a thousandth, five times what a cheap crystal is; both ends of a time are whole milliseconds. */
const DRIFT = 1e-3;
const ROUND_MS = 2;
/** A message may be handed out so long after its time: its body was on its way from the disk already. */
const LATE_MS = 60_000;

export function timesAreKept(history: History): Verdict {
  const index = indexOf(history);
  const violations: string[] = [];
  let looked = 0;
  for (const story of index.stories.values()) {
    const send = story.send?.event;
    if (send?.timeToBeReceivedMs !== undefined || send?.deliverAfterMs !== undefined) looked += 1;
    looked += story.returns.filter(({ event }) => event.delayMs > 0).length;
    violations.push(...expiry(index, story), ...delay(story), ...returned(index, story));
  }
  return { violations, looked };
}

function* expiry(index: HistoryIndex, story: Story): Generator<string> {
  const { key, send } = story;
  const ttlMs = send?.event.timeToBeReceivedMs;
  for (const { atMs, place, event } of story.frees) {
    if (event.reason !== 'expired') continue;
    if (send === undefined || ttlMs === undefined) yield `${key} expired at ${event.node}, and had no time to`;
    else if (isBefore(atMs - send.atMs, ttlMs)) yield `${key} expired after ${ms(atMs - send.atMs)} of ${ttlMs} ms`;
    if (index.isDoubtful(story) || index.mayRepeat(story) || wentAnotherWay(story, event.node)) continue;
    if (story.deliveries.some((one) => one.place > place)) yield `${key} delivered after it had expired at ${event.node}`;
    const others = [...endingsOf(story).keys()].filter((ending) => ending !== 'expired');
    if (others.length > 0) yield `${key} expired, and was ${others.join(', ')}`;
  }
  if (ttlMs === undefined) return;
  for (const delivery of story.deliveries) {
    const sinceMs = certainlyThereMs(index, story, delivery);
    if (sinceMs !== undefined && delivery.atMs - sinceMs > ttlMs * (1 + DRIFT) + LATE_MS)
      yield `${key} delivered ${ms(delivery.atMs - sinceMs)} after it came, of ${ttlMs} ms`;
  }
}

/** Since when it is at its destination, without an interruption that may have stopped the clock there; undefined: not known. */
function certainlyThereMs(index: HistoryIndex, story: Story, { place, event }: Told<DeliveredEvent>): number | undefined {
  const { node } = event;
  const accepted = story.acceptances.find((one) => one.event.node === node);
  const handed = story.frees.find((one) => one.event.reason === 'handed-over' && one.event.heldBy.includes(node));
  const came = accepted ?? handed;
  if (came === undefined || came.place > place || index.isHarmed(node) || index.wasOpened(node, came.place, place))
    return undefined;
  return index.faults.some((fault) => fault.event.target === node && fault.place < place && fault.event.untilMs >= came.atMs)
    ? undefined
    : came.atMs;
}

function* delay({ key, send, deliveries }: Story): Generator<string> {
  const delayMs = send?.event.deliverAfterMs;
  if (send === undefined || delayMs === undefined) return;
  for (const { atMs } of deliveries)
    if (isBefore(atMs - send.atMs, delayMs)) yield `${key} delivered after ${ms(atMs - send.atMs)}, not before ${delayMs} ms`;
}

/** Given back with a delay. Whether the node heard of it is certain only where nothing happened to it meanwhile. */
function* returned(index: HistoryIndex, story: Story): Generator<string> {
  for (const { atMs, place, event } of story.returns) {
    const { node, identity, delayMs } = event;
    const next = story.deliveries.find((one) => one.place > place && one.event.node === node && one.event.identity === identity);
    const last = lastBefore(
      story.deliveries.filter((one) => one.event.identity === identity),
      place,
    );
    if (next === undefined || delayMs === 0 || index.isHarmed(node) || index.wasOpened(node, place, next.place)) continue;
    const sinceMs = last?.atMs ?? atMs;
    if (index.faults.some(({ event: fault, ...at }) => fault.target === node && at.atMs <= next.atMs && fault.untilMs >= sinceMs))
      continue;
    if (isBefore(next.atMs - sinceMs, delayMs))
      yield `${story.key} delivered ${ms(next.atMs - sinceMs)} after it was given back for ${delayMs} ms`;
  }
}

function isBefore(ageMs: number, limitMs: number): boolean {
  return ageMs < limitMs * (1 - DRIFT) - ROUND_MS;
}

function ms(age: number): string {
  return `${Math.round(age)} ms`;
}
