/**
 * How messages ended (docs/custody.md, section 5), and what excuses one that did not.
 *
 *   received ◀── acknowledged, or done by the application     dead-lettered ◀── given up, or found in $dead
 *   expired, purged, dropped, corrupt ◀── freed for that reason, or one of as many as the accounts of its lane speak of
 *
 * A write that was on its way when the power went may have ended a message without anybody seeing it: the accounts know.
 */
import { type HistoryIndex, nodeOf, type Story } from './history-index.ts';

export type Ending = 'received' | 'dead-lettered' | 'expired' | 'purged' | 'dropped' | 'corrupt';

/** Of the reasons a ring gives, those that end a message. */
const FREED_ENDINGS: Readonly<Record<string, Ending>> = {
  acknowledged: 'received',
  expired: 'expired',
  purged: 'purged',
  dropped: 'dropped',
  corrupt: 'corrupt',
};
/** The class under which a node accounts for a message that a ring freed for this reason. */
export function accountClass(reason: string): string {
  return reason === 'expired' ? 'RECEIVE_TIMEOUT' : reason === 'purged' ? 'Q_PURGED' : reason.toUpperCase();
}
/** In its queue, or before. */
const TIMEOUT_CLASSES: readonly string[] = ['RECEIVE_TIMEOUT', 'REACH_QUEUE_TIMEOUT'];
/** Accounts that tell of harm, and excuse nothing where there was none. */
const HARM_CLASSES: readonly string[] = ['UNUSED', 'CORRUPT'];

/** Every ending that somebody saw, each with when it was first seen; 0 where nobody saw when. What became of a dead letter later is not one. */
export function endingsOf(story: Story): Map<Ending, number> {
  const endings = new Map<Ending, number>();
  const see = (ending: Ending, atMs: number) => endings.set(ending, Math.min(atMs, endings.get(ending) ?? atMs));
  for (const { atMs } of [...story.acks, ...story.forwards]) see('received', atMs);
  for (const { atMs } of story.givenUp) see('dead-lettered', atMs);
  // Letters are read when all is over: when they were written nobody saw. Where one expired, that is its end.
  const expiredAt = new Set(story.frees.filter(({ event }) => event.reason === 'expired').map(({ event }) => event.node));
  const isExpired = expiredAt.size > 0;
  if (story.letters.length > 0 && story.givenUp.length === 0 && !isExpired) see(endingOf(story.letters), 0);
  const isLetter = endings.has('dead-lettered') || endings.has('expired') || isExpired;
  for (const { atMs, event } of story.frees) {
    const ending = FREED_ENDINGS[event.reason];
    const isOfLetter = isLetter && (event.node === story.destinationNode || expiredAt.has(event.node)) && ending !== 'expired';
    if (ending !== undefined && !isOfLetter) see(ending, atMs);
  }
  return endings;
}

/**
 * It ended on its way at this node, and went another way as well: what was unsure went both (docs/routes.md, 1). Its destination takes
 * what comes first.
 */
export function wentAnotherWay(story: Story, node: string): boolean {
  if (node === story.destinationNode) return false;
  const ends = [node, story.destinationNode, story.accepted?.event.node ?? story.sends[0]?.event.node];
  return story.frees.some(({ event }) => [event.node, ...event.heldBy].some((other) => !ends.includes(other)));
}

function endingOf(letters: Story['letters']): Ending {
  return letters.every(({ event }) => TIMEOUT_CLASSES.includes(event.classes.at(-1) ?? '')) ? 'expired' : 'dead-lettered';
}

/** When it ended; undefined while nobody saw it end. An effect is as good as an acknowledgement that was never answered. */
export function endedAtMs(story: Story): number | undefined {
  const { acks, effects } = story;
  let first = Math.min(acks[0]?.atMs ?? Number.POSITIVE_INFINITY, effects[0]?.atMs ?? Number.POSITIVE_INFINITY);
  if (first === Number.POSITIVE_INFINITY) for (const atMs of endingsOf(story).values()) first = Math.min(first, atMs);
  return first === Number.POSITIVE_INFINITY ? undefined : first;
}

/** Messages of each lane that its accounts tell of, beyond those that somebody saw end, or saw destroyed. */
export function unseenEndings(index: HistoryIndex): Map<string, number> {
  const seen = new Map<string, number>();
  const count = (lane: string, kind: string) => seen.set(`${lane} ${kind}`, (seen.get(`${lane} ${kind}`) ?? 0) + 1);
  for (const story of index.stories.values()) {
    const { lane } = story;
    if (lane === undefined) continue;
    const reasons = new Set(story.frees.map(({ event }) => event.reason));
    // What is dropped of those that were given up, or expired, is dropped from `$dead`: an account of another lane.
    if (story.givenUp.length > 0 || reasons.has('expired')) reasons.delete('dropped');
    const isOnItsWay = story.frees.every(({ event }) => event.reason !== 'expired' || event.node !== story.destinationNode);
    const classes = new Set(
      [...reasons].map((one) => (one === 'expired' && isOnItsWay ? 'REACH_QUEUE_TIMEOUT' : accountClass(one))),
    );
    // Given up, and no letter wanted: its account says so.
    if (story.givenUp.length > 0 && story.send?.event.deadLetter === 'off') classes.add('POISON');
    for (const { event } of story.letters.slice(0, 1)) classes.add(event.classes.at(-1) ?? '');
    for (const ending of classes) count(lane, ending);
    if (story.damage.length > 0 && story.liveAt.length === 0 && endedAtMs(story) === undefined) count(lane, 'destroyed');
  }
  const hasClones = index.faults.some(({ event }) => event.fault === 'cloned');
  const unseen = new Map<string, number>();
  for (const node of index.nodes) {
    for (const [lane, classes] of index.accounts(node))
      unseen.set(lane, Math.max(unseenOf(node, lane, classes), unseen.get(lane) ?? 0));
  }
  return unseen;

  function unseenOf(node: string, lane: string, classes: ReadonlyMap<string, number>): number {
    let left = 0;
    // What a device gave to the clone of a gateway its centre hears to be elsewhere, counts, and does not wait for (custody.md, 6).
    let harmed = hasClones ? 0 : -(seen.get(`${lane} destroyed`) ?? 0);
    for (const [ending, total] of classes) {
      // On the way to a node that nobody reaches a letter has no account but its gap: what has one there has no letter.
      const isUnlettered = ending === 'BAD_DST_Q' && !lane.includes(`>${node}/`);
      const over = Math.max(0, total - (isUnlettered ? 0 : (seen.get(`${lane} ${ending}`) ?? 0)));
      if (HARM_CLASSES.includes(ending)) harmed += over;
      else left += over;
    }
    return left + (index.destroyed.length === 0 ? 0 : Math.max(0, harmed));
  }
}

/** Why nobody can be blamed for a message that did not end: its node is dead, its copies were destroyed, or nobody promised more. */
export function excuseOf(index: HistoryIndex, story: Story): string | undefined {
  const { accepted } = story;
  if (story.damage.length > 0) return 'destroyed';
  if (isOnTheDead(index, story)) return 'a dead node has it, or is in its way';
  if (accepted === undefined) return 'never accepted';
  if (wentWithItsDisk(index, story)) return 'went with its disk';
  const { node, durability, kept } = accepted.event;
  if (story.liveAt.length > 0 && index.isPaused(story.send?.event.destination ?? '')) return 'its queue is paused';
  if (durability === 'volatile') return index.wentWithMemory(story) ? 'it lay in memory only' : undefined;
  const isLater = durability !== undefined && durability !== 'sync';
  if (isLater && index.openings.some((opening) => opening.event.node === node && opening.place > accepted.place))
    return 'answered before it was written';
  if (kept === 'not-kept' && index.liars(accepted.place).includes(node)) return 'its disk lied';
  return wentToLiar(index, story) ? 'the disk of the next node lied' : undefined;
}

/** A disk that had begun to lie is the only one that may have said it has this. */
function wentToLiar(index: HistoryIndex, { frees }: Story): boolean {
  return frees.some(({ place, event }) => {
    const vanished = event.reason === 'handed-over' && isWithout(event.heldBy, event.node);
    return vanished && index.liars(place).some((liar) => liar !== event.node);
  });
}

export function isWithout(heldBy: readonly string[], node: string): boolean {
  return heldBy.every((other) => other === node);
}

function isOnTheDead(index: HistoryIndex, story: Story): boolean {
  const { dead } = index;
  if (dead.length === 0) return false;
  if (dead.includes(story.destinationNode)) return true;
  if (story.liveAt.length === 0) return [...holdersOf(story).keys()].some((node) => dead.includes(node));
  return story.liveAt.every((node) => node !== story.destinationNode && isCutOff(index, node));
}

/** Nodes that may hold it, and since when: those that once had it, less those that are known to have freed it since. */
function holdersOf(story: Story): Map<string, number> {
  const holders = new Map<string, number>();
  for (const { atMs, event } of story.acceptances) holders.set(event.node, atMs);
  for (const { atMs, event } of story.frees) {
    for (const node of event.heldBy) if (!holders.has(node)) holders.set(node, atMs);
    holders.delete(event.node);
  }
  return holders;
}

/** Where it lay, the disk was exchanged since: nobody looked what was on it in that instant. */
function wentWithItsDisk(index: HistoryIndex, story: Story): boolean {
  if (index.exchanges.length === 0) return false;
  if (wentWithItsBooks(index, story)) return true;
  const holders = holdersOf(story);
  return index.exchanges.some(({ event }) => event.untilMs >= (holders.get(event.target) ?? Number.POSITIVE_INFINITY));
}

/**
 * Handed over, and on no disk: where it went it ended in the frame that took it, expired, and all that told of that was an account. The
 * disk with that account was exchanged since.
 */
export function wentWithItsBooks(index: HistoryIndex, { frees, destinationNode }: Story): boolean {
  const last = frees.filter(({ event }) => event.reason === 'handed-over' && isWithout(event.heldBy, event.node)).at(-1);
  if (last === undefined) return false;
  return index.exchanges.some(({ event }) => event.target === destinationNode && event.untilMs >= last.atMs);
}

/** What leaves this node goes to a dead one, as far as anybody saw; or nothing ever left it, and some node is dead. */
function isCutOff(index: HistoryIndex, node: string): boolean {
  const next = new Set<string>();
  for (const { event } of index.frees) {
    if (event.node === node && event.reason === 'handed-over') for (const other of event.heldBy) next.add(nodeOf(other));
  }
  next.delete(node);
  return next.size === 0 || [...next].some((other) => index.dead.includes(other));
}

/** Accepted, not seen to end, and nothing excuses it: by lane, less as many as the accounts explain of those that are nowhere. */
export function unended(index: HistoryIndex): Unended {
  const known = unendedOf.get(index) ?? findUnended(index);
  unendedOf.set(index, known);
  return known;
}

interface Unended {
  readonly nowhere: ReadonlyMap<string, readonly Story[]>;
  readonly live: readonly Story[];
}

/** Three checks ask. */
const unendedOf = new WeakMap<HistoryIndex, Unended>();

function findUnended(index: HistoryIndex): Unended {
  const nowhere = new Map<string, Story[]>();
  const live: Story[] = [];
  for (const story of index.accepted) {
    if (endedAtMs(story) !== undefined || excuseOf(index, story) !== undefined) continue;
    if (story.liveAt.length > 0) live.push(story);
    else nowhere.set(story.lane ?? '', [...(nowhere.get(story.lane ?? '') ?? []), story]);
  }
  const unseen = nowhere.size === 0 ? new Map<string, number>() : unseenEndings(index);
  for (const [lane, stories] of nowhere) if (stories.length <= (unseen.get(lane) ?? 0)) nowhere.delete(lane);
  return { nowhere, live };
}
