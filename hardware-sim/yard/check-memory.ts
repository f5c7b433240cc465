/**
 * S16: an express message lies in the memory of its node only.
 *
 *   accepted ──▶ received, given up, expired                as any other
 *            ├─▶ its node is stopped in order: written      as any other from then on
 *            └─▶ its node dies: gone, and `unknown`         never delivered again
 */
import type { History, Verdict } from './history.ts';
import { type HistoryIndex, indexOf, type Story } from './history-index.ts';

/** That it is not lost otherwise is S1: only a node that died excuses it. Not judged: nodes whose disk was harmed. */
export function memoryIsKept(history: History): Verdict {
  const index = indexOf(history);
  const violations: string[] = [];
  let looked = 0;
  for (const story of index.stories.values()) {
    const { accepted } = story;
    if (accepted?.event.durability !== 'volatile' || index.isHarmed(accepted.event.node)) continue;
    looked += 1;
    violations.push(...broken(index, story, accepted.place));
  }
  return { violations, looked };
}

function* broken(index: HistoryIndex, { key, accepted, acks, deliveries }: Story, since: number): Generator<string> {
  const { node = '', identity = '' } = accepted?.event ?? {};
  const down = index.firstDown(node, since);
  const isGone = down?.event.how === 'crash';
  if (isGone && deliveries.some(({ place }) => place > down.place)) yield `${key} delivered, though ${node} had died with it`;
  const acked = acks[0]?.place ?? Number.POSITIVE_INFINITY;
  if (deliveries.some(({ place }) => place > acked)) yield `${key} delivered after it was acknowledged at ${node}`;
  const asked = index.outcomes.find(({ event }) => event.identity === identity)?.event.outcome;
  if (asked === 'absent' || (asked === 'kept' && isGone)) yield `${key} (${identity}) is ${asked}, says ${node}`;
}
