/** S1 to S3: every message arrives or is accounted for, as it was sent, and once. */
import { endingsOf, unended, wentAnotherWay } from './endings.ts';
import type { DeliveredEvent, History, SendEvent, Verdict } from './history.ts';
import { type HistoryIndex, indexOf, lastBefore, type Story, some } from './history-index.ts';
import { sourceKey } from './letters.ts';

/** S1: every accepted message has exactly one ending, or is where nobody can be blamed for it. */
export function noLoss(history: History): Verdict {
  const index = indexOf(history);
  const violations: string[] = [];
  if (index.end === undefined) return { violations, looked: 0 };
  const { nowhere, live } = unended(index);
  for (const [lane, stories] of nowhere) violations.push(`accepted and nowhere, ${lane}: ${some(keysOf(stories))}`);
  for (const { key, liveAt } of live) violations.push(`${key} is still at ${liveAt.join(', ')}`);
  for (const story of index.accepted) {
    const endings = endingsAtDestination(index, story);
    if (endings.length > 1 && mayEndOnce(index, story)) violations.push(`${story.key} ended twice: ${endings.join(', ')}`);
  }
  return { violations, looked: index.accepted.length };
}

/**
 * What a node upstream gives up as corrupt may have arrived: the destination decides. A node whose disk was exchanged knows nobody below
 * it any more, and sends once more, upwards, what it had handed down.
 */
function endingsAtDestination(index: HistoryIndex, story: Story): string[] {
  const endings = endingsOf(story);
  const isAstray = story.letters.every(({ event }) => event.node !== story.destinationNode);
  if (isAstray && index.exchanges.length > 0 && story.givenUp.length === 0) endings.delete('dead-lettered');
  const expiries = story.frees.filter(({ event }) => event.reason === 'expired');
  if (expiries.length > 0 && expiries.every(({ event }) => wentAnotherWay(story, event.node))) endings.delete('expired');
  if (story.frees.every(({ event }) => event.reason !== 'corrupt' || event.node !== story.destinationNode))
    endings.delete('corrupt');
  return [...endings.keys()];
}

function mayEndOnce(index: HistoryIndex, story: Story): boolean {
  return !index.isDoubtful(story) && !index.mayRepeat(story) && story.copiesMax <= 1;
}

/** S2: what arrives was sent, byte for byte, to this queue, at this priority. */
export function noPhantom(history: History): Verdict {
  const index = indexOf(history);
  const violations: string[] = [];
  for (const { place, event } of index.deliveries) {
    if (event.queue === '$dead') continue;
    const { key, node, queue, identity } = event;
    if (key === undefined) {
      violations.push(`${identity} at ${node}/${queue}: a body that nobody sent`);
      continue;
    }
    const story = index.story(key);
    const send = lastBefore(story.sends, place)?.event;
    if (send === undefined) violations.push(`${key} at ${node}/${queue}: nobody sent it`);
    else if (story.send === undefined) violations.push(`${key} at ${node}/${queue}: it was refused, and nothing written`);
    else for (const what of differences(send, event)) violations.push(`${key} at ${node}/${queue}: ${what}`);
  }
  for (const { event } of index.letters) {
    if (event.key !== undefined && index.story(event.key).sends.length === 0)
      violations.push(`${event.key} in $dead of ${event.node}: nobody sent it`);
  }
  return { violations, looked: index.deliveries.length + index.letters.length };
}

function* differences(send: SendEvent, got: DeliveredEvent): Generator<string> {
  if (send.bytes !== got.bytes) yield `${got.bytes} bytes instead of ${send.bytes}`;
  else if (send.crc !== got.crc) yield 'other bytes than were sent';
  if (send.priority !== got.priority) yield `priority ${got.priority} instead of ${send.priority}`;
  if (send.destination !== `${got.node}/${got.queue}`) yield `sent to ${send.destination}`;
}

/** S3: an effect happens once; what says of itself that it may be a repeat is counted only. */
export function noDuplicateEffect(history: History): Verdict {
  const index = indexOf(history);
  const violations: string[] = [];
  let looked = 0;
  for (const story of index.stories.values()) {
    const { key, effects, copiesMax } = story;
    looked += effects.length;
    // Where a route made it, a store that was put back may make it again, and its source may come again.
    if (sourceKey(key) !== undefined && index.isDoubtful(story)) continue;
    const plain = effects.filter(({ event }) => event.maybeDuplicate === 'no');
    if (plain.length > Math.max(1, copiesMax))
      violations.push(`${key} took effect ${plain.length} times: ${plain.map(({ event }) => event.identity).join(', ')}`);
  }
  return { violations, looked };
}

function keysOf(stories: readonly Story[]): string[] {
  return stories.map(({ key }) => key);
}
