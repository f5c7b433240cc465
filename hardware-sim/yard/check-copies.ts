/**
 * S17: what a journal is to keep.
 *
 *   received in a queue with a journal ──▶ a copy where it was received      in the frame of its end
 *   sent, and a copy wanted ──▶ a copy at the node that took it              in the frame that stores it
 *   no room in the journal ──▶ its oldest go, counted                        no room in the frame ──▶ left out, counted
 */
import { endingsOf } from './endings.ts';
import type { History, Verdict } from './history.ts';
import { type HistoryIndex, indexOf, type Story, some } from './history-index.ts';
import { copyKey, isCopyKey } from './letters.ts';

const JOURNAL = ['$journal'];

/** Not judged: nodes whose disk was harmed, messages of which something was destroyed, and what may be a repeat. */
export function copiesAreKept(history: History): Verdict {
  const index = indexOf(history);
  const violations: string[] = [];
  let looked = index.copies.length;
  for (const { node } of index.end?.event.nodes ?? []) {
    if (index.isHarmed(node)) continue;
    const copies = copiesAt(index, node);
    for (const [previous, count] of copies) violations.push(...tooMany(index, { node, previous, count }));
    const wanted = wantedAt(index, node);
    looked += wanted.size;
    const missing = [...wanted].filter(([identity]) => !copies.has(identity)).map(([, key]) => key);
    const [dropped, left] = [index.droppedFrom(node, JOURNAL), index.leftOut(node, 'copies')];
    if (missing.length > dropped + left)
      violations.push(`${node} has no copy of ${some(missing)}, and says ${dropped} dropped, ${left} left out`);
    violations.push(...wrongEnds(index, node, dropped));
  }
  return { violations, looked };
}

/** By the identity of what was copied. */
function copiesAt(index: HistoryIndex, node: string): Map<string, number> {
  const copies = new Map<string, number>();
  for (const { event } of index.copies) {
    if (event.node !== node) continue;
    const previous = event.previous ?? `nothing, ${event.key}`;
    copies.set(previous, (copies.get(previous) ?? 0) + 1);
  }
  return copies;
}

function* tooMany(index: HistoryIndex, copy: { node: string; previous: string; count: number }): Generator<string> {
  const { node, previous, count } = copy;
  const story = index.byIdentity(previous);
  // Nobody was told what it is called.
  if (story === undefined || story.damage.length > 0 || index.mayRepeat(story)) return;
  const max = (isJournalled(index, story, node) ? 1 : 0) + (wantsCopy(story, node) ? 1 : 0);
  if (count > max) yield `${count} copies of ${story.key} (${previous}) at ${node}, at most ${max}`;
  const others = [...endingsOf(story).keys()].filter((ending) => ending !== 'received');
  if (max === 1 && !wantsCopy(story, node) && others.length > 0 && story.acks.length === 0)
    yield `a copy of ${story.key} at ${node}, which was ${others.join(', ')}`;
}

/** Identity and key of what must have a copy here, unless that was dropped or left out. */
function wantedAt(index: HistoryIndex, node: string): Map<string, string> {
  const wanted = new Map<string, string>();
  for (const story of index.stories.values()) {
    if (story.damage.length > 0 || (index.stories.get(copyKey(story.key))?.damage.length ?? 0) > 0) continue;
    const taken = wantsCopy(story, node) ? story.acceptances : [];
    const received = isJournalled(index, story, node) ? story.acks.filter(({ event }) => event.node === node) : [];
    for (const { event } of [...taken, ...received]) wanted.set(event.identity, story.key);
  }
  return wanted;
}

function isJournalled({ history }: HistoryIndex, { send }: Story, node: string): boolean {
  const destination = send?.event.destination ?? '';
  return destination.startsWith(`${node}/`) && history.facts.journals?.includes(destination) === true;
}

function wantsCopy({ send }: Story, node: string): boolean {
  return send?.event.node === node && send.event.journal === 'on';
}

/** A copy makes room for a newer one, and goes for no other reason. */
function* wrongEnds(index: HistoryIndex, node: string, dropped: number): Generator<string> {
  const ends = index.frees.filter(({ event }) => event.node === node && isCopyKey(event.key));
  for (const { event } of ends) {
    if (event.reason !== 'dropped') yield `${event.key} at ${node} went as ${event.reason}`;
    else if (event.older !== undefined) yield `${event.key} at ${node} dropped before ${event.older} older ones`;
  }
  if (ends.length > dropped) yield `${node} dropped ${ends.length} copies, and says ${dropped}`;
}
