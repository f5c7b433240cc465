/** S12 to S15: nobody is taken for another, damage is told, everything has its bound, and nothing broke that nobody broke. */
import { BLOCKED_COUNT_MAX } from '../../shared/limits.ts';
import { SOCKET_UNSENT_BYTES_MAX } from '../../shared/link/pacing.ts';
import { parseIdentity } from '../../shared/message/identity.ts';
import { endedAtMs } from './endings.ts';
import type { DestroyedEvent, History, Verdict } from './history.ts';
import { type HistoryIndex, indexOf, laneOf, lastBefore, type Story, some, type Told } from './history-index.ts';

/**
 * S12: an identity belongs to one message, and a message has one, the one of its origin and destination. Not judged: what says that it
 * may be a repeat, what a harmed origin numbered, and numbers that were given before they were written. That a stranger who repeats
 * recorded packets gets nowhere needs a stranger; there is none yet.
 */
export function identitiesHold(history: History): Verdict {
  const index = indexOf(history);
  const violations: string[] = [];
  const keys = new Map<string, string>();
  let looked = 0;
  for (const story of index.stories.values()) {
    const identities = new Set<string>();
    for (const { event } of [...story.acceptances, ...story.deliveries, ...story.effects, ...story.acks, ...story.givenUp]) {
      identities.add(event.identity);
    }
    looked += identities.size;
    const { key, sends, mayRepeat, copiesMax } = story;
    for (const identity of identities) {
      const parsed = parseIdentity(identity);
      if (parsed === undefined) violations.push(`${key} has ${identity}, which is no identity`);
      else if (sends.length > 0 && laneOf(parsed) !== story.lane) violations.push(`${key} of ${story.lane} has ${identity}`);
      const other = keys.get(identity);
      if (other !== undefined && !mayShare(index, identity, [key, other])) violations.push(`${identity} is ${other}, and ${key}`);
      keys.set(identity, other ?? key);
    }
    const origin = sends[0]?.event.node ?? '';
    if (identities.size > Math.max(1, copiesMax) && !mayRepeat && !index.isHarmed(origin))
      violations.push(`${key} has ${identities.size} identities: ${[...identities].join(', ')}`);
  }
  return { violations, looked };
}

function mayShare(index: HistoryIndex, identity: string, keys: readonly string[]): boolean {
  if (index.isHarmed(identity.split(':')[0] ?? '')) return true;
  return keys.some((key) =>
    index.story(key).acceptances.some(({ event }) => event.durability !== undefined && event.durability !== 'sync'),
  );
}

/** Harm that a node has to find out by itself, unlike a disk that was exchanged. */
const ROT = /\brots?\b|unreadable/;

/** S13: what a medium destroyed is told by whoever found it gone, or came in another way; nobody gets other bytes than were sent. */
export function damageIsTold(history: History): Verdict {
  const index = indexOf(history);
  const violations: string[] = [];
  for (const { place, event } of index.deliveries) {
    const send = event.key === undefined ? undefined : lastBefore(index.story(event.key).sends, place);
    if (send !== undefined && send.event.crc !== event.crc)
      violations.push(`${event.key} delivered at ${event.node} with other bytes`);
  }
  const rots = index.destroyed.filter(({ event }) => ROT.test(event.cause));
  const others = index.exchanges.length + index.destroyed.length - rots.length;
  const silent = index.end === undefined ? [] : rots.flatMap((rot) => untold(index, rot));
  // An exchanged disk takes the books along, and one that lies keeps none.
  if (silent.length > told(index) && others === 0) violations.push(`rotten, gone, and nobody told of it: ${some(silent)}`);
  return { violations, looked: rots.length };
}

/** Keys that rot took, that never came, and of which the node that lost them said nothing when it opened. */
function untold(index: HistoryIndex, { place, event }: Told<DestroyedEvent>): string[] {
  const { node, keys } = event;
  const end = index.atEnd(node);
  if (end === undefined) return [];
  const { lost } = end.stats.ring;
  const reports = index.servings.filter((one) => one.event.node === node && one.place > place).map((one) => one.event.report);
  const isTold = lost.frames > 0 || lost.ids > 0 || reports.some(({ gaps, tornBlocks }) => gaps.length > 0 || tornBlocks > 0);
  if (isTold) return [];
  return keys
    .map((key) => index.story(key))
    .filter(isGone)
    .map(({ key }) => key);
}

function isGone(story: Story): boolean {
  return endedAtMs(story) === undefined && story.liveAt.length === 0;
}

/** Messages that some node counts as damaged, or as missing. */
function told(index: HistoryIndex): number {
  let count = 0;
  for (const { stats } of index.end?.event.nodes ?? []) {
    count += stats.ring.corrupt;
    for (const account of stats.accounts) if (account.class === 'CORRUPT' || account.class === 'UNUSED') count += account.count;
  }
  return count;
}

/** A socket takes one write more than fits. */
const UNSENT_BYTES_MAX = SOCKET_UNSENT_BYTES_MAX + 64 * 1024;

/** S14: rings, queues, lines and waiting rooms stay within their bounds, and no error goes uncaught. */
export function boundsHold(history: History): Verdict {
  const index = indexOf(history);
  const { end } = index;
  const violations = history.facts.uncaught.map((text) => `uncaught: ${text}`);
  const over = (what: string, value: number, max: number) => {
    if (value > max) violations.push(`${what}: ${value}, at most ${max}`);
  };
  for (const { node, stats, ringBytes, ringBytesMax, unsentBytesMax } of end?.event.nodes ?? []) {
    over(`${node}, bytes of the ring file`, ringBytes, ringBytesMax ?? ringBytes);
    over(`${node}, live bytes of the ring`, stats.ring.bytesUsed, stats.ring.bytesMax);
    over(`${node}, unsent bytes of a line`, unsentBytesMax, UNSENT_BYTES_MAX);
    for (const { name, bytes, bytesLimit, blocked } of stats.queues) {
      // A block that can be read again brings back what was taken for lost, into a queue that was filled meanwhile.
      over(`${node}/${name}, bytes`, bytes, index.isHarmed(node) ? 2 * bytesLimit : bytesLimit);
      over(`${node}/${name}, blocked senders`, blocked, BLOCKED_COUNT_MAX);
    }
  }
  return { violations, looked: end?.event.nodes.length ?? 0 };
}

/** What only a mistake in the code says. */
const MISTAKE = /^(Error: )?(invariant|unreachable|InvariantViolation|Assertion|TypeError|RangeError|ReferenceError)/i;
/** A file that nobody harmed is not one that these speak of. */
const HARM_CODES: readonly string[] = [
  'RING_FOREIGN',
  'RING_TRUNCATED',
  'RING_DAMAGED',
  'RING_TOO_NEW',
  'RING_OTHER_NODE',
  'RING_WORN_OUT',
];

/** S15: a store stops only for what was done to it, or says with a code why; no assertion of the product fires. */
export function stopsAreExplained(history: History): Verdict {
  const { stops, openings } = indexOf(history);
  const violations: string[] = [];
  for (const { event } of stops) {
    const { node, code, text, because } = event;
    if (MISTAKE.test(text)) violations.push(`${node} stopped by its own mistake: ${text}`);
    else if (because === undefined && code === undefined) violations.push(`${node} stopped, nobody knows why: ${text}`);
    else if (because === undefined && code !== undefined && HARM_CODES.includes(code))
      violations.push(`${node} stopped with ${code}, and nothing was done to its file: ${text}`);
  }
  return { violations, looked: stops.length + openings.length };
}
