/**
 * S19: from the answer that a queue is paused until somebody asks it to go on.
 *
 *   asked ──▶ done: it hands out nothing, whatever its node goes through ──▶ asked to go on
 *         └─ what had been chosen before may still come
 */
import type { History, Verdict } from './history.ts';
import { type HistoryIndex, indexOf, type Told } from './history-index.ts';

/** What was chosen before is handed out by then, where nothing happens to the node. */
const CHOSEN_MS = 100;
/** A disk that was slow may still be behind for so long. */
const SLOW_MS = 5_000;

interface Rest {
  readonly node: string;
  readonly queue: string;
  readonly from: Told<unknown>;
  readonly to: number;
}

/** Not judged: nodes whose disk was harmed. */
export function pausedQueuesRest(history: History): Verdict {
  const index = indexOf(history);
  const violations: string[] = [];
  const rests = restsOf(index).filter(({ node }) => !index.isHarmed(node));
  for (const { node, queue, from, to } of rests) {
    for (const { atMs, place, event } of index.deliveries) {
      if (event.node !== node || event.queue !== queue || place < from.place || place > to) continue;
      const wasOpened = index.wasOpened(node, from.place, place);
      if (wasOpened || (atMs > from.atMs + CHOSEN_MS && !wasSlow(index, node, from.atMs, atMs)))
        violations.push(
          `${event.key ?? event.identity} handed out at ${node}/${queue}, paused for ${Math.round(atMs - from.atMs)} ms`,
        );
    }
    const state = index.atEnd(node)?.stats.queues.find(({ name }) => name === queue)?.state;
    if (to === Number.POSITIVE_INFINITY && state !== undefined && state !== 'paused')
      violations.push(`${node}/${queue} is ${state} at the end, and was paused`);
  }
  return { violations, looked: rests.length };
}

function restsOf(index: HistoryIndex): Rest[] {
  const rests: Rest[] = [];
  const states = index.queueStates;
  for (const from of states) {
    const { node, queue, state, stage } = from.event;
    if (state !== 'paused' || stage !== 'done') continue;
    const next = states.find(({ place, event }) => place > from.place && event.node === node && event.queue === queue);
    rests.push({ node, queue, from, to: next?.place ?? Number.POSITIVE_INFINITY });
  }
  return rests;
}

function wasSlow(index: HistoryIndex, node: string, fromMs: number, toMs: number): boolean {
  return index.faults.some(({ atMs, event }) => event.target === node && atMs <= toMs && event.untilMs >= fromMs - SLOW_MS);
}
