/** S5 to S7: the books agree with what happened, a yes means durable, and nobody lets go of what nobody else has. */
import { accountClass, endingsOf, isWithout, unseenEndings, wentWithItsBooks } from './endings.ts';
import type { EndEvent, FreedEvent, History, Verdict } from './history.ts';
import { type HistoryIndex, indexOf, type Story, some, type Told } from './history-index.ts';
import { isCopyKey, LETTER_QUEUES, RECORD_QUEUES } from './letters.ts';

/** A node is at rest when nothing left it or came to it for so long: a freed message leaves the ring within 50 ms and a write. */
const REST_MS = 1_000;

/** S5: at rest, what a node says it holds is what lies on its platter, and its accounts say what ended there. */
export function booksAgree(history: History): Verdict {
  const index = indexOf(history);
  const violations: string[] = [];
  let looked = 0;
  for (const one of index.end?.event.nodes ?? []) {
    if (!isAtRest(index, one.node)) continue;
    // A rotten body is in the books until somebody reads it, and on no platter.
    if (index.isHarmed(one.node)) continue;
    looked += 1;
    violations.push(...wrongHoldings(one), ...wrongAccounts(index, one.node));
  }
  return { violations, looked };
}

function isAtRest(index: HistoryIndex, node: string): boolean {
  const { history, end } = index;
  if (end === undefined) return false;
  for (let at = end.place - 1; at >= 0; at--) {
    const event = history.events[at];
    if (event === undefined || event.atMs < end.atMs - REST_MS) return true;
    switch (event.kind) {
      case 'send':
      case 'accepted':
      case 'delivered':
      case 'acked':
      case 'given-up':
      case 'returned':
      case 'freed':
        if (event.node === node) return false;
        if (event.kind === 'freed' && event.heldBy.includes(node)) return false;
        break;
      default:
    }
  }
  return true;
}

function wrongHoldings({ node, stats, live }: EndEvent['nodes'][number]): string[] {
  const queues = stats.queues.filter(({ name }) => !RECORD_QUEUES.includes(name));
  const queued = queues.reduce((sum, { ready, leased, delayed, held }) => sum + ready + leased + delayed + held, 0);
  // Words to senders are messages of the node itself.
  const own = stats.outgoing.filter(({ stream }) => !stream.includes('/$admin:'));
  const outgoing = own.reduce((sum, { held }) => sum + held, 0);
  if (queued + outgoing === live.length) return [];
  return [`${node} says ${queued} in queues and ${outgoing} to hand over, on its disk are ${live.length}: ${some(live)}`];
}

/** Classes whose every member is freed at its destination, or accounted for there from a gap. */
const COUNTED = ['expired', 'dropped', 'purged'] as const;

function wrongAccounts(index: HistoryIndex, node: string): string[] {
  const freed = new Map<string, number>();
  /** Of a lane: those that nobody saw end. A write may have ended them just before the power went. */
  const unseen = new Map<string, number>();
  let lettersOnTheWay = 0;
  for (const story of index.stories.values()) {
    const { lane } = story;
    // On its way nothing is dropped but from `$dead`, where it had its end before.
    if (story.destinationNode !== node && !isCopyKey(story.key) && isDroppedAt(story, node)) lettersOnTheWay += 1;
    if (lane === undefined || story.destinationNode !== node) continue;
    // What expires on its way has an account of another class, which its gap brings.
    const told = story.frees.filter(({ event }) => event.node === node || event.reason === 'purged');
    const reasons = new Set(told.map(({ event }) => event.reason));
    for (const reason of COUNTED)
      if (reasons.has(reason)) freed.set(`${lane} ${reason}`, (freed.get(`${lane} ${reason}`) ?? 0) + 1);
    // What becomes of a message that lies in memory only no disk shows.
    if (endingsOf(story).size === 0 || story.accepted?.event.durability === 'volatile')
      unseen.set(lane, (unseen.get(lane) ?? 0) + 1);
  }
  const accounts = index.accounts(node);
  const told = (lane: string, reason: string) => accounts.get(lane)?.get(accountClass(reason)) ?? 0;
  const violations: string[] = [];
  /** What is dropped from `$dead` has an account under the name of the letters. */
  let letters = -lettersOnTheWay;
  for (const lane of accounts.keys()) if (isOf(lane, LETTER_QUEUES)) letters += told(lane, 'dropped');
  if (letters < 0) violations.push(`${node} dropped ${lettersOnTheWay} on their way, and does not say so`);
  for (const lane of new Set([...accounts.keys(), ...[...freed.keys()].map((name) => name.slice(0, name.lastIndexOf(' ')))])) {
    if (isOf(lane, RECORD_QUEUES)) continue;
    for (const reason of COUNTED) {
      const count = freed.get(`${lane} ${reason}`) ?? 0;
      const total = told(lane, reason);
      let over = count - total;
      if (reason === 'dropped' && over > 0) {
        const covered = Math.min(over, Math.max(0, letters));
        letters -= covered;
        over -= covered;
      }
      const more = hasOneLife(index, lane) ? (unseen.get(lane) ?? 0) : Number.POSITIVE_INFINITY;
      if (over > 0 || -over > more) violations.push(`${node} says ${total} ${reason} of ${lane}, there were ${count}`);
    }
  }
  return violations;
}

/** A lane of what a node keeps for its own. */
function isOf(lane: string, queues: readonly string[]): boolean {
  return queues.some((queue) => lane.includes(`/${queue}:`));
}

function isDroppedAt({ frees }: Story, node: string): boolean {
  return frees.some(({ event }) => event.reason === 'dropped' && event.node === node);
}

/** A store with a new incarnation sends what it holds again, as does a clone: the same message may end twice, under two identities. */
function hasOneLife(index: HistoryIndex, lane: string): boolean {
  const origin = lane.slice(0, lane.indexOf('>'));
  if (index.faults.some(({ event }) => event.fault === 'cloned' && event.target === origin)) return false;
  return new Set(index.servings.filter(({ event }) => event.node === origin).map(({ event }) => event.incarnation)).size <= 1;
}

/** S6: what was answered survives a power cut at that instant, and a power cut neither takes nor brings anything else. */
export function yesIsDurable(history: History): Verdict {
  const index = indexOf(history);
  const violations: string[] = [];
  let looked = index.cuts.length;
  const isLiar = (node: string, place: number) => index.liars(place).includes(node);
  for (const { key, acceptances, acks, givenUp } of index.stories.values()) {
    for (const { place, event } of acceptances) {
      if (event.durability !== undefined && event.durability !== 'sync') continue;
      looked += 1;
      if (event.kept === 'not-kept' && !isLiar(event.node, place))
        violations.push(`${key} accepted at ${event.node}, and not kept`);
    }
    for (const { place, event } of [...acks, ...givenUp]) {
      looked += 1;
      if (event.gone === 'still-there' && !isLiar(event.node, place))
        violations.push(`${key} ${event.kind} at ${event.node}, and still there`);
    }
  }
  for (const cut of index.cuts) violations.push(...harmOf(index, cut.event, cut.place));
  return { violations, looked };
}

function harmOf(index: HistoryIndex, cut: HistoryIndex['cuts'][number]['event'], place: number): string[] {
  const { node, missing, invented, gaps } = cut;
  const before = index.destroyed.filter((one) => one.event.node === node && one.place < place);
  const excused = new Set(before.flatMap(({ event }) => [...event.keys, ...event.doubtful]));
  const lost = missing.filter((key) => !excused.has(key));
  const found = invented.filter((key) => !excused.has(key));
  const violations: string[] = [];
  if (lost.length > 0) violations.push(`a power cut at ${node} takes ${some(lost)}`);
  if (found.length > 0) violations.push(`a power cut at ${node} brings ${some(found)}`);
  if (gaps > 0 && before.length === 0) violations.push(`a power cut at ${node} leaves ${gaps} gaps`);
  return violations;
}

/**
 * S7: the last copy leaves a disk for a reason that is true. Handed over: another node has it, or had it and it has ended since.
 * Acknowledged: an application had it, and did what it says. Corrupt: the disk was harmed. Expired is S8, dropped and purged are S5.
 */
export function nothingLetGo(history: History): Verdict {
  const index = indexOf(history);
  const violations: string[] = [];
  const handed = new Map<string, string[]>();
  for (const free of index.frees) {
    const { key, node, reason } = free.event;
    const story = index.story(key);
    const why = story.damage.length > 0 ? undefined : wrongReason(index, story, free);
    if (why === undefined) continue;
    const text = `${key} freed at ${node} as ${reason}: ${why}`;
    if (reason !== 'handed-over') violations.push(text);
    else handed.set(story.lane ?? '', [...(handed.get(story.lane ?? '') ?? []), text]);
  }
  // Too large for the next ring, expired in the last write before the power went: an account is all that is left of such.
  const unseen = handed.size === 0 ? new Map<string, number>() : unseenEndings(index);
  for (const [lane, texts] of handed) if (texts.length > (unseen.get(lane) ?? 0)) violations.push(...texts);
  return { violations, looked: index.frees.length };
}

/** Why what the ring says cannot be so. */
function wrongReason(index: HistoryIndex, story: Story, { place, event }: Told<FreedEvent>): string | undefined {
  const { node, reason, heldBy } = event;
  const wasDelivered = story.deliveries.some((one) => one.event.node === node && one.place < place);
  switch (reason) {
    case 'handed-over':
      if (!isWithout(heldBy, node) || hasEnded(story, node, place)) return undefined;
      // Of what had expired here before an old image was put back.
      if (index.isHarmed(node) && story.frees.some((one) => one.place < place && one.event.reason === 'expired'))
        return undefined;
      if (story.forwards.some((one) => one.place < place)) return undefined;
      // What ended at its destination without a letter has an account there, and nobody reads those of the dead.
      if (wentWithItsBooks(index, story) || index.dead.includes(story.destinationNode)) return undefined;
      return index.liars(place).some((liar) => liar !== node) ? undefined : 'nobody else has it';
    case 'acknowledged':
      if (!wasDelivered) return 'no application had it';
      return story.effects.some((one) => one.place < place) || index.isDoubtful(story)
        ? undefined
        : 'no application did what it says';
    case 'replaced':
      return wasDelivered || heldBy.length > 0 || story.letters.length > 0 || index.isDoubtful(story) ? undefined : 'by nothing';
    case 'corrupt':
      return index.isHarmed(node) ? undefined : 'nobody harmed this disk';
    default:
      return undefined;
  }
}

/** It came to its end elsewhere, before that place; a letter in `$dead` is read when all is over. */
function hasEnded(story: Story, node: string, place: number): boolean {
  const isBefore = (told: { readonly place: number }) => told.place < place;
  if (story.letters.length > 0 || [...story.effects, ...story.acks, ...story.givenUp].some(isBefore)) return true;
  return story.frees.some((one) => isBefore(one) && one.event.node !== node && one.event.reason !== 'handed-over');
}
