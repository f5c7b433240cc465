/**
 * S18: what the `$admin` of a sender says of its messages (docs/queues.md, "Acknowledgements").
 *
 *   asked for   may be told
 *   reach       ACK_REACH_QUEUE              or the class of an end before its queue
 *   receive                     ACK_RECEIVE  or the class of an end
 *   full        ACK_REACH_QUEUE, ACK_RECEIVE or the class of an end
 */
import { endingsOf } from './endings.ts';
import type { History, Verdict } from './history.ts';
import { type HistoryIndex, indexOf, type Story } from './history-index.ts';

const REACHED = 'ACK_REACH_QUEUE';
const RECEIVED = 'ACK_RECEIVE';
const TIMEOUTS: readonly string[] = ['RECEIVE_TIMEOUT', 'REACH_QUEUE_TIMEOUT'];

/** Each word once, none that was not asked for, none that is not so. Not judged: what may be a repeat, and where a disk was harmed. */
export function wordsAreTrue(history: History): Verdict {
  const index = indexOf(history);
  const violations: string[] = [];
  let looked = 0;
  const told = new Map<string, string[]>();
  for (const { event } of index.words) told.set(event.about, [...(told.get(event.about) ?? []), event.label]);
  for (const [identity, labels] of told) {
    const story = index.byIdentity(identity);
    // Nobody else was told what it is called.
    if (story === undefined || index.isDoubtful(story) || index.mayRepeat(story) || story.copiesMax > 1) continue;
    if (!hasOneLife(index, story.destinationNode)) continue;
    looked += labels.length;
    for (const text of wrong(story, labels)) violations.push(`${story.key} (${identity}): ${text}`);
  }
  return { violations, looked };
}

function* wrong(story: Story, labels: readonly string[]): Generator<string> {
  const { acknowledge, timeToBeReceivedMs } = story.send?.event ?? {};
  if (acknowledge === undefined) yield `told ${labels.join(', ')}, and nobody had asked`;
  for (const label of new Set(labels)) {
    const count = labels.filter((one) => one === label).length;
    if (count > 1) yield `told ${label} ${count} times`;
  }
  if (labels.includes(REACHED) && acknowledge === 'receive') yield `told ${REACHED}, and only the end was asked for`;
  if (labels.includes(RECEIVED) && acknowledge === 'reach') yield `told ${RECEIVED}, and only its arrival was asked for`;
  const never = labels.filter((label) => label !== REACHED && label !== RECEIVED);
  if (labels.includes(RECEIVED) && never.length > 0) yield `told ${RECEIVED}, and ${never.join(', ')}`;
  if (labels.includes(REACHED) && acknowledge === 'reach' && never.length > 0) yield `told ${REACHED}, and ${never.join(', ')}`;
  const wasReceived = story.effects.length > 0 || story.acks.length > 0;
  if (labels.includes(RECEIVED) && !wasReceived) yield `told ${RECEIVED}, and nobody received it`;
  if (labels.includes(RECEIVED) && story.acks.length === 0) {
    const others = [...endingsOf(story).keys()].filter((ending) => ending !== 'received');
    if (others.length > 0) yield `told ${RECEIVED}, and it was ${others.join(', ')}`;
  }
  if (never.length > 0 && story.acks.length > 0) yield `told ${never.join(', ')}, and it was received`;
  if (never.length > 1) yield `told ${never.join(', ')}`;
  for (const label of never) {
    if (TIMEOUTS.includes(label) && timeToBeReceivedMs === undefined) yield `told ${label}, and it had no time to`;
    if (label === 'POISON' && story.deliveries.length === 0) yield `told ${label}, and no application had it`;
  }
}

/** A node with a new incarnation says what it still had to say once more. */
function hasOneLife(index: HistoryIndex, node: string): boolean {
  return new Set(index.servings.filter(({ event }) => event.node === node).map(({ event }) => event.incarnation)).size <= 1;
}
