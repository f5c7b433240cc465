/**
 * S10: a transaction ends a message and sends others. Of these, and of the end, all is there or nothing, whatever happens to its node.
 *
 *   committing ──▶ the message is received, and all that it sent is there: each once
 *              └─▶ nothing is there, and the message comes again, or ends otherwise
 *
 * Whether the answer came does not matter. The same holds of every frame and of every disk that is opened after a crash, and of a redrive,
 * which ends a letter and sends its message again. Not judged: nodes whose disk was harmed, messages of which something was destroyed.
 */
import { endingsOf, unseenEndings } from './endings.ts';
import type { CommittingEvent, History, TogetherEvent, Verdict } from './history.ts';
import { type HistoryIndex, indexOf, type Story, some, type Told } from './history-index.ts';

export function transactionsAreWhole(history: History): Verdict {
  const index = indexOf(history);
  const violations: string[] = [];
  let looked = 0;
  for (const story of index.stories.values()) {
    const tried = new Map(story.commits.map(({ event }) => [`${event.node} ${event.identity}`, event]));
    for (const event of tried.values()) {
      if (index.isHarmed(event.node)) continue;
      const sent = event.sent.map((key) => index.story(key));
      if ([story, ...sent].some(({ damage }) => damage.length > 0)) continue;
      looked += 1;
      for (const text of broken(index, { story, sent, event })) violations.push(`${story.key} (${event.identity}): ${text}`);
    }
  }
  for (const { event } of index.togethers) {
    if (index.isHarmed(event.node)) continue;
    looked += 1;
    for (const text of torn(event)) violations.push(`${event.key} (${event.identity}), ${event.by}: ${text}`);
  }
  return { violations, looked };
}

/** At every instant: what one frame brought, or a disk showed after a crash. */
function* torn({ sent, there, source, seen }: TogetherEvent): Generator<string> {
  const where = seen === 'frame' ? 'in one frame' : 'on a disk after a crash';
  if (there.length < sent.length) yield `${there.length} of ${sent.length} ${where}, and the message ${SOURCES[source]}`;
  else if (source === 'stays') yield `all of ${sent.length} ${where}, and the message stays`;
}

const SOURCES = { ended: 'ended', stays: 'stays', 'not on the disk': 'is not there' } as const;

interface Transaction {
  readonly story: Story;
  readonly sent: readonly Story[];
  readonly event: CommittingEvent;
}

function* broken(index: HistoryIndex, { story, sent, event }: Transaction): Generator<string> {
  const { node, identity } = event;
  const seen = sent.map((one) => firstSeen(index, one));
  const there = sent.filter((_, at) => seen[at] !== undefined);
  const absent = sent.filter((_, at) => seen[at] === undefined);
  if (there.length > 0 && absent.length > 0) yield `${some(keysOf(there))} is there, and ${some(keysOf(absent))} is not`;
  const since = Math.min(...seen.map((place) => place ?? Number.POSITIVE_INFINITY));
  const again = story.deliveries.some((one) => one.place > since && one.event.node === node && one.event.identity === identity);
  if (again) yield `delivered again, though ${some(keysOf(there))} was sent`;
  if (there.length > 0 && isOnlyLife(index, story)) {
    const others = [...endingsOf(story).keys()].filter((ending) => ending !== 'received');
    if (others.length > 0) yield `${others.join(', ')}, though ${some(keysOf(there))} was sent`;
    if (story.liveAt.includes(node)) yield `still there, though ${some(keysOf(there))} was sent`;
  }
  if (absent.length > 0 && isReceived(index, story, event)) yield `received, and ${some(keysOf(absent))} was never sent`;
  for (const one of sent) {
    const identities = new Set([...one.acceptances, ...one.deliveries].map((told) => told.event.identity));
    if (identities.size > 1 && !index.mayRepeat(one))
      yield `${one.key} was sent ${identities.size} times: ${[...identities].join(', ')}`;
  }
}

/** Where in the history it is known to be there for the first time; the end of the history is the last place. */
function firstSeen(index: HistoryIndex, { acceptances, deliveries, frees, letters, liveAt }: Story): number | undefined {
  const places = [...acceptances, ...deliveries, ...frees, ...letters].map(({ place }: Told<unknown>) => place);
  if (liveAt.length > 0) places.push(index.history.events.length);
  return places.length === 0 ? undefined : Math.min(...places);
}

/** Nobody but this transaction can have ended it: it is gone, and nothing tells of another end. */
function isReceived(index: HistoryIndex, story: Story, { node, identity }: CommittingEvent): boolean {
  if (story.acks.some(({ event }) => event.node === node && event.identity === identity)) return true;
  if (index.wentWithMemory(story)) return false;
  if (index.atEnd(node) === undefined || !isOnlyLife(index, story) || story.liveAt.length > 0) return false;
  if (story.send?.event.timeToBeReceivedMs !== undefined || (unseenEndings(index).get(story.lane ?? '') ?? 0) > 0) return false;
  return [...endingsOf(story).keys()].every((ending) => ending === 'received');
}

function isOnlyLife(index: HistoryIndex, story: Story): boolean {
  const identities = new Set(story.deliveries.map(({ event }) => event.identity));
  return identities.size <= 1 && story.copiesMax <= 1 && !index.isDoubtful(story) && !index.mayRepeat(story);
}

function keysOf(stories: readonly Story[]): string[] {
  return stories.map(({ key }) => key);
}
