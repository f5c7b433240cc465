/** S9 and S11: what was given up is found with its history, deliveries are counted, and the urgent go first. */
import { parseIdentity } from '../../shared/message/identity.ts';
import { excuseOf } from './endings.ts';
import type { DeadLetterEvent, DeliveredEvent, History, Verdict } from './history.ts';
import { type HistoryIndex, indexOf, type Story, some, type Told } from './history-index.ts';
import { LETTER_QUEUES } from './letters.ts';

/** A disk that was slow may still be behind for so long. */
const SLOW_MS = 5_000;

/**
 * S9: every message that an application gave up is in the dead letter queue of its queue, once, with class, reason and the identity it
 * had; a letter that is not there any more has an account, or was sent again. One that wanted no letter has an account, and none. What its queue gives up was delivered as often as it may be. A delivery count never falls, and stands still once: the first delivery may not be written yet when
 * the node dies.
 */
export function deadLettersAreKept(history: History): Verdict {
  const index = indexOf(history);
  const violations = [...missingLetters(index), ...wrongLetters(index), ...unaccounted(index)];
  let looked = index.letters.length;
  for (const story of index.stories.values()) {
    looked += story.givenUp.length + Math.max(0, story.deliveries.length - 1);
    violations.push(...wrongCounts(index, story), ...tooEarly(index, story));
  }
  return { violations, looked };
}

function missingLetters(index: HistoryIndex): string[] {
  const missing = new Map<string, string[]>();
  if (index.end === undefined) return [];
  for (const { key, givenUp, letters, damage, send } of index.stories.values()) {
    if (send?.event.deadLetter === 'off') continue;
    for (const { event } of givenUp) {
      const { node, identity } = event;
      const isThere = letters.some((one) => one.event.node === node && one.event.previous === identity);
      if (isThere || damage.length > 0 || index.isHarmed(node) || index.atEnd(node) === undefined) continue;
      missing.set(node, [...(missing.get(node) ?? []), key]);
    }
  }
  const violations: string[] = [];
  for (const [node, keys] of missing) {
    const dropped = index.droppedFrom(node, LETTER_QUEUES);
    if (keys.length > dropped + index.leftOut(node, 'letters'))
      violations.push(`given up at ${node}, not in $dead, and ${dropped} dropped from there: ${some(keys)}`);
  }
  return violations;
}

/** What was given up and wanted no letter has an account. */
function unaccounted(index: HistoryIndex): string[] {
  const givenUp = new Map<string, string[]>();
  for (const story of index.stories.values()) {
    const [first] = story.givenUp;
    if (story.send?.event.deadLetter !== 'off' || first === undefined || story.damage.length > 0) continue;
    const name = `${first.event.node} ${story.lane}`;
    givenUp.set(name, [...(givenUp.get(name) ?? []), story.key]);
  }
  const violations: string[] = [];
  for (const [name, keys] of givenUp) {
    const [node = '', lane = ''] = name.split(' ');
    if (index.isHarmed(node) || index.atEnd(node) === undefined) continue;
    const total = index.accounts(node).get(lane)?.get('POISON') ?? 0;
    if (total < keys.length)
      violations.push(`${keys.length} of ${lane} given up at ${node} without a letter, ${total} accounted for: ${some(keys)}`);
  }
  return violations;
}

/**
 * What its queue gives up was delivered as often as it may be, and is delivered no more often. A delivery may be counted of which nobody
 * knows, where its node died before the message was handed out.
 */
function* tooEarly(index: HistoryIndex, story: Story): Generator<string> {
  const { key, send, deliveries, letters, givenUp } = story;
  const max = index.history.facts.deliveriesMax?.[send?.event.destination ?? ''];
  if (max === undefined || index.isDoubtful(story) || index.mayRepeat(story)) return;
  const counts = deliveries.map(({ event }) => event.deliveryCount);
  for (const count of counts) if (count > max) yield `${key} delivered as number ${count}, of at most ${max}`;
  const isPoison = letters.some(({ event }) => event.classes.at(-1) === 'POISON');
  if (!isPoison || givenUp.length > 0) return;
  const unseen = index.openings.filter(({ event, place }) => event.node === story.destinationNode && place > (send?.place ?? 0));
  const most = Math.max(0, ...counts) + unseen.length;
  if (most < max) yield `${key} given up by its queue after ${most} deliveries, of at most ${max}`;
}

function wrongLetters(index: HistoryIndex): string[] {
  const violations: string[] = [];
  const seen = new Set<string>();
  /** Sent again, by node and the message that was given up. */
  const again = new Map<string, string>();
  for (const { event } of index.letters) {
    const { node, key, previous, classes, reason, redriven } = event;
    const name = `${key ?? previous ?? 'a letter'} in $dead of ${node}`;
    if (classes.length === 0) violations.push(`${name}: no class`);
    if (reason === '') violations.push(`${name}: no reason`);
    const story = key === undefined ? undefined : index.story(key);
    if (story !== undefined && !index.isDoubtful(story)) violations.push(...wrongLink(story, { name, previous, classes, node }));
    if (story?.send?.event.deadLetter === 'off' && !index.isDoubtful(story)) violations.push(`${name}: it wanted none`);
    if (previous === undefined || index.isHarmed(node)) continue;
    if (isAstray(index, event)) violations.push(`${name}: its queue has a dead letter queue of its own, with room`);
    if (redriven !== undefined) {
      again.set(`${node} ${previous}`, redriven);
      continue;
    }
    const next = again.get(`${node} ${previous}`);
    if (next !== undefined && index.story(next).acceptances.length > 0)
      violations.push(`${name}: it was sent again as ${next}, and is still there`);
    if (seen.has(`${node} ${previous}`)) violations.push(`${name}: twice, of ${previous}`);
    seen.add(`${node} ${previous}`);
  }
  return violations;
}

/** Of an envelope around a body, at most. */
const ENVELOPE_BYTES_MAX = 700;

/** In `$dead`, though the dead letter queue of its own queue had room all the time: nothing ever left that one. */
function isAstray(index: HistoryIndex, { node, queue = '$dead', classes, previous, bytes = 0 }: DeadLetterEvent): boolean {
  const own = index.history.facts.letterQueues?.[parseIdentity(previous ?? '')?.destination ?? ''];
  if (own === undefined || queue !== '$dead' || classes.length > 1) return false;
  if (classes[0] !== 'POISON' && classes[0] !== 'RECEIVE_TIMEOUT') return false;
  const isSentAgain = index.letters.some(({ event }) => event.node === node && event.redriven !== undefined);
  const letters = index.atEnd(node)?.stats.queues.find(({ name }) => name === own.queue);
  if (letters === undefined || isSentAgain || letters.dropped > 0) return false;
  return letters.bytes + bytes + ENVELOPE_BYTES_MAX <= own.bytesLimit;
}

function* wrongLink(
  story: Story,
  letter: {
    readonly name: string;
    readonly previous: string | undefined;
    readonly classes: readonly string[];
    readonly node: string;
  },
): Generator<string> {
  const { name, previous, classes, node } = letter;
  const identities = new Set([...story.acceptances, ...story.deliveries, ...story.givenUp].map(({ event }) => event.identity));
  const wasDelivered = story.deliveries.some(({ event }) => event.node === node);
  if (previous === undefined && story.givenUp.length > 0) yield `${name}: no link to ${[...identities].join(', ')}`;
  if (
    previous !== undefined &&
    identities.size > 0 &&
    !identities.has(previous) &&
    !story.mayRepeat &&
    !hasMoved(story, previous)
  )
    yield `${name}: links to ${previous}, it was ${[...identities].join(', ')}`;
  if (classes.at(-1) === 'POISON' && !wasDelivered) yield `${name}: no application had it`;
}

/** A new life of its origin gave it another identity, of which nobody but the letter tells. */
function hasMoved(story: Story, previous: string): boolean {
  const [origin = '', incarnation = ''] = previous.split(':');
  const accepted = story.accepted?.event.identity.split(':');
  return accepted?.[0] === origin && accepted[1] !== incarnation;
}

function* wrongCounts(index: HistoryIndex, story: Story): Generator<string> {
  const last = new Map<string, { count: number; place: number; stood: 'stood' | 'never' }>();
  for (const { place, event } of story.deliveries) {
    const { node, identity, deliveryCount } = event;
    if (index.isHarmed(node)) continue;
    const name = `${node} ${identity}`;
    const before = last.get(name);
    const mayStand = before?.count === 1 && before.stood === 'never' && index.wasOpened(node, before.place, place);
    const isStanding = before !== undefined && deliveryCount === before.count;
    if (deliveryCount < 1 || (before !== undefined && deliveryCount <= before.count && !(isStanding && mayStand)))
      yield `${story.key} at ${node}: delivered as number ${deliveryCount}, after ${before?.count ?? 0}`;
    last.set(name, { count: deliveryCount, place, stood: isStanding ? 'stood' : 'never' });
  }
}

/**
 * S11: nobody is handed a message while a more urgent one is ready there, and in the end the least urgent are not left over. Not
 * judged: what may have been taken out of its queue a while before it was handed out, since its count had to be written first.
 */
export function urgentFirst(history: History): Verdict {
  const index = indexOf(history);
  const violations: string[] = [];
  const priorities = new Map<string, Set<number>>();
  for (const delivery of index.deliveries) {
    const { event } = delivery;
    const queue = `${event.node}/${event.queue}`;
    priorities.set(queue, (priorities.get(queue) ?? new Set()).add(event.priority));
    if (event.overtook.length === 0 || wasTakenBefore(index, delivery)) continue;
    const overtaken = event.overtook.filter((key) => !mayWait(index, key, delivery));
    if (overtaken.length > 0) violations.push(`${event.key ?? event.identity} at ${queue} overtook ${some(overtaken)}`);
  }
  violations.push(...starved(index));
  const looked = index.deliveries.filter(({ event }) => (priorities.get(`${event.node}/${event.queue}`)?.size ?? 0) > 1).length;
  return { violations, looked };
}

/** Its count was written first: it was delivered before, or was there when the node opened; or its disk was slow. */
function wasTakenBefore(index: HistoryIndex, { atMs, place, event }: Told<DeliveredEvent>): boolean {
  const sent = index.story(event.key ?? '').sends[0]?.place ?? -1;
  if (event.deliveryCount > 1 || index.wasOpened(event.node, sent, place)) return true;
  return index.faults.some(
    (fault) => fault.event.target === event.node && fault.atMs <= atMs && fault.event.untilMs >= atMs - SLOW_MS,
  );
}

/** It need not be ready: its body is damaged, it waits for its time, it was given back, or another reader is about to get it. */
function mayWait(index: HistoryIndex, key: string, { place, event }: Told<DeliveredEvent>): boolean {
  const { node } = event;
  const { send, damage, returns, deliveries, letters } = index.story(key);
  const isTimed = send?.event.deliverAfterMs !== undefined || send?.event.timeToBeReceivedMs !== undefined;
  if (damage.length > 0 || returns.length > 0 || letters.length > 0 || isTimed || index.isHarmed(node)) return true;
  const next = deliveries.find((one) => one.place > place && one.event.node === node);
  if (next === undefined) return false;
  const overtaker = index.story(event.key ?? '');
  const done = [...overtaker.acks, ...overtaker.givenUp, ...overtaker.returns].map((one) => one.place).filter((at) => at > place);
  return next.event.deliveryCount > 1 || next.place < Math.min(...done);
}

/** Left over at the end, while more urgent ones of the same queue went after everything was healed. */
function starved(index: HistoryIndex): string[] {
  const { healed, end } = index;
  if (healed === undefined || end === undefined) return [];
  const urgent = new Map<string, number>();
  for (const { place, event } of index.deliveries) {
    const queue = `${event.node}/${event.queue}`;
    if (place > healed.place) urgent.set(queue, Math.max(event.priority, urgent.get(queue) ?? 0));
  }
  const violations: string[] = [];
  for (const story of index.accepted) {
    const { key, send, liveAt, destinationNode } = story;
    if (
      send === undefined ||
      !liveAt.includes(destinationNode) ||
      story.effects.length > 0 ||
      excuseOf(index, story) !== undefined
    )
      continue;
    const { destination, priority } = send.event;
    if (priority < (urgent.get(destination) ?? 0))
      violations.push(`${key}, priority ${priority}, was left over in ${destination}`);
  }
  return violations;
}
