/** L1 to L4: once nothing breaks any more all that can arrive does, in time, without a storm, and nodes come back in time. */
import { PROGRESS_MS_MAX, SYNC_MS_MAX, WINDOW_PUBLISH_COUNT_MAX } from '../../shared/limits.ts';
import { endedAtMs, excuseOf, unended } from './endings.ts';
import { PLACE_AWAY } from './fault-kinds.ts';
import type { History, Verdict } from './history.ts';
import { type HistoryIndex, indexOf, type Story, some } from './history-index.ts';

/** Every byte crosses its line, is repeated once, and the line speaks of it: three times its size. */
const LINE_SHARE = 3;
/** Until a session stands again: the longest waits of the relay, and leases, reconnects and openings beside them. */
const WAITS_MS = PROGRESS_MS_MAX + SYNC_MS_MAX + 60_000;

/** L1: after the trouble everything that can end does, within the time that its backlog takes on the slowest line, and the longest waits. */
export function everythingDrains(history: History): Verdict {
  const index = indexOf(history);
  const { healed, end } = index;
  const violations: string[] = [];
  if (healed === undefined || end === undefined) return { violations, looked: 0 };
  const boundMs = drainMs(history);
  let looked = 0;
  for (const story of index.accepted) {
    const endedMs = endedAtMs(story);
    if (endedMs !== undefined && endedMs <= healed.atMs) continue;
    looked += 1;
    const tookMs = (endedMs ?? 0) - dueMs(story, healed.atMs);
    if (endedMs !== undefined && tookMs > boundMs && excuseOf(index, story) === undefined)
      violations.push(`${story.key} took ${Math.round(tookMs)} ms after the trouble, at most ${Math.round(boundMs)}`);
  }
  if (index.dead.length === 0) {
    violations.push(...leftOver(index));
    if (end.atMs - healed.atMs > boundMs) violations.push(...stillHeld(index));
  }
  return { violations, looked };
}

/** Whatever excuses the loss of a message: where it is, it goes on. */
function stillHeld(index: HistoryIndex): string[] {
  const violations: string[] = [];
  const addresses = new Set(index.queueStates.map(({ event }) => `${event.node}/${event.queue}`));
  const paused = [...addresses].filter((address) => index.isPaused(address));
  for (const { node, stats } of index.end?.event.nodes ?? []) {
    for (const { stream, held, lo, next } of stats.outgoing)
      if (held > 0 && !paused.some((address) => stream.includes(`:${address}:`)))
        violations.push(`${node} holds ${held} of ${stream} (${lo} to ${next}), and hands nothing over`);
  }
  return violations;
}

/** L2: nodes that are dead for good, or for an hour, hold up nobody else. */
export function theDeadHoldUpNobody(history: History): Verdict {
  const index = indexOf(history);
  if (index.end === undefined) return { violations: [], looked: 0 };
  const away = heldUpByWhoIsAway(index);
  if (index.dead.length === 0) return away;
  const looked = index.accepted.filter((story) => excuseOf(index, story) === undefined).length;
  return { violations: [...away.violations, ...leftOver(index)], looked: away.looked + looked };
}

/** What neither comes from a node that is away nor goes there ends as soon as nothing else is amiss, as if all were over. */
function heldUpByWhoIsAway(index: HistoryIndex): Verdict {
  const violations: string[] = [];
  let looked = 0;
  const boundMs = drainMs(index.history);
  for (const away of index.faults.filter(({ event }) => event.fault === PLACE_AWAY)) {
    const { target, untilMs } = away.event;
    const others = index.faults.filter((fault) => fault !== away).map(({ event }) => event.untilMs);
    const fromMs = Math.max(away.atMs, ...others);
    for (const story of index.accepted) {
      const ends = [story.destinationNode, story.accepted?.event.node];
      const lastMs = dueMs(story, fromMs) + boundMs;
      if (ends.includes(target) || lastMs > untilMs) continue;
      looked += 1;
      const endedMs = endedAtMs(story);
      if (endedMs !== undefined && endedMs > lastMs && excuseOf(index, story) === undefined)
        violations.push(`${story.key} ended ${Math.round(endedMs - lastMs)} ms too late while ${target} was away`);
    }
  }
  return { violations, looked };
}

function leftOver(index: HistoryIndex): string[] {
  const { live, nowhere } = unended(index);
  const keys = [...live, ...[...nowhere.values()].flat()].map(({ key }) => key);
  return keys.length === 0 ? [] : [`${keys.length} of ${index.accepted.length} never ended: ${some(keys)}`];
}

function drainMs({ facts }: History): number {
  const { backlogBytesMax, lineBytesPerSecond } = facts;
  const lineMs = lineBytesPerSecond > 0 ? (LINE_SHARE * backlogBytesMax * 1_000) / lineBytesPerSecond : 0;
  return lineMs + WAITS_MS;
}

/** From when on it can be asked to end: after the trouble, its acceptance, and the delays that applications wished. */
function dueMs(story: Story, healedMs: number): number {
  const { send, accepted, returns } = story;
  const beganMs = Math.max(healedMs, accepted?.atMs ?? 0) + (send?.event.deliverAfterMs ?? 0);
  return returns.reduce((dueMs, { atMs, event }) => Math.max(dueMs, atMs + event.delayMs), beganMs);
}

/** Of one message on one line: its body four times at most, and what its packets, records and acknowledgements take beside it. */
const BYTES_SHARE = 4;
const BYTES_BESIDE = 600;
/** Of one end of a line that has nothing to say: a HELLO every 8 s where nobody answers, a ping and its answer otherwise. */
const IDLE_BYTES_PER_SECOND = 300;
/** What one fault may cost: a session made anew, and what was under way sent again. */
const FAULT_BYTES = 64 * 1024;
/** Syncs may follow each other in 200 ms, receipts as well; status messages beside them. */
const IDLE_PUBLISHES_PER_SECOND = 12;

/** L3: what is sent is in proportion to what is delivered: bytes on the lines, publishes to the broker. */
export function noStorm(history: History): Verdict {
  const index = indexOf(history);
  const { lineBytes, publishes } = history.facts;
  const accepted = index.accepted;
  const seconds = (history.events.at(-1)?.atMs ?? 0) / 1_000;
  const nodes = index.nodes.size;
  const faults = index.faults.length + index.stops.length;
  const contentBytes = accepted.reduce((sum, { send }) => sum + (send?.event.bytes ?? 0) + BYTES_BESIDE, 0);
  const bytesMax = (BYTES_SHARE + faults) * contentBytes + nodes * seconds * IDLE_BYTES_PER_SECOND + faults * FAULT_BYTES;
  const perFault = Math.min(WINDOW_PUBLISH_COUNT_MAX, accepted.length);
  const publishesMax = BYTES_SHARE * accepted.length + nodes * seconds * IDLE_PUBLISHES_PER_SECOND + faults * perFault;
  const violations: string[] = [];
  if (lineBytes > bytesMax) violations.push(`${lineBytes} bytes on the lines, at most ${Math.round(bytesMax)}`);
  if (publishes > publishesMax) violations.push(`${publishes} publishes, at most ${Math.round(publishesMax)}`);
  return { violations, looked: accepted.length };
}

/** The longest of an ordinary disk. */
const DISK_MS_MAX = 60;
/** Writes of an opening: fence, OPEN frame, anchor, tickets, accounts of what is damaged. Two more for each message that moves. */
const OPENING_WRITES = 200;
/** Reading the ring through, twice, at a tenth of what a slow card does. */
const READ_BYTES_PER_MS = 100;

/**
 * L4: an opening ends, and takes no longer than reading its ring, and the writes that this may need, take. Not judged: openings during
 * which something was done to the node.
 */
export function comesBackInTime(history: History): Verdict {
  const index = indexOf(history);
  const diskMs = history.facts.diskMsMax ?? DISK_MS_MAX;
  const violations: string[] = [];
  let looked = 0;
  for (const { atMs, event } of index.servings) {
    const { node, tookMs, report } = event;
    if (wasStruck(index, node, { fromMs: atMs - tookMs, toMs: atMs })) continue;
    looked += 1;
    const readMs = (2 * (index.atEnd(node)?.ringBytes ?? 0)) / READ_BYTES_PER_MS;
    const boundMs = readMs + diskMs * (OPENING_WRITES + 2 * report.messages);
    if (tookMs > boundMs) violations.push(`${node} took ${Math.round(tookMs)} ms to open, at most ${Math.round(boundMs)}`);
  }
  violations.push(...neverServed(index));
  return { violations, looked };
}

function wasStruck(index: HistoryIndex, node: string, during: { readonly fromMs: number; readonly toMs: number }): boolean {
  return index.faults.some(({ atMs, event }) => event.target === node && atMs <= during.toMs && event.untilMs >= during.fromMs);
}

/** Nodes whose last opening, after the trouble, came to nothing. */
function neverServed(index: HistoryIndex): string[] {
  const { healed, end, dead, openings, servings, stops } = index;
  if (healed === undefined || end === undefined) return [];
  const last = new Map<string, number>();
  for (const { place, event } of openings) last.set(event.node, place);
  for (const { place, event } of [...servings, ...stops]) if (place > (last.get(event.node) ?? 0)) last.delete(event.node);
  const stuck = [...last.keys()].filter((node) => !dead.includes(node) && index.atEnd(node) === undefined);
  return stuck.map((node) => `${node} opens, and never serves`);
}
