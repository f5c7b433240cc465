/**
 * What the compact hall's one box may write. Belts and uplink share a ring there, so a telegram costs one durable write: its message
 * and its belt's position are in one frame, and nothing is stored again on the way out.
 *
 *   messages stored  ==  telegrams acknowledged
 *   frames written   <=  telegrams acknowledged  +  frames that store no telegram, each kind of them bounded below
 *
 * Frames are those that were seen: a kill hides what an opening wrote after it was last asked, so their sum may be lower than what was
 * written, never higher. And where telegrams are few, what may be freed in between is as much as they are. So this finds a box that
 * writes without end or rewrites what it holds; that a telegram is one frame exactly, `one-write.test.ts` holds in virtual time.
 */

import { FREE_DELAY_MS } from '../../shared/custody/sender.ts';
import type { HallLedger } from './hall-ledger.ts';
import type { NodeView } from './hall-view.ts';

/** From the last arrival until the nodes were asked for the last time, in ms at most: the hall falls quiet, receipts still come. */
const AFTER_DRAIN_MS = 5_000;
/** Frames of an opening itself, of queues and streams that are new, and of the session with the central that follows. */
const FRESH_START_FRAMES = 16;

type Wrote = Pick<NodeView, 'role' | 'name' | 'stored' | 'framesWritten' | 'openings'>;
type Settled = Pick<HallLedger, 'accepted' | 'deadLettered' | 'outages' | 'seconds'>;

/** Each with the numbers; none for a box that wrote each telegram once. Only nodes with belts and an uplink are looked at. */
export function writeProblems(nodes: readonly Wrote[], ledger: Settled): string[] {
  const { accepted } = ledger;
  return nodes.flatMap(({ role, name, stored, framesWritten, openings }) => {
    if (role !== 'node') return [];
    const framesMax = accepted + otherFramesMax(ledger, openings);
    const problems: string[] = [];
    if (stored !== accepted) problems.push(`${name} stored ${stored} messages for ${accepted} acknowledged telegrams`);
    if (framesWritten > framesMax)
      problems.push(
        `${name} wrote ${framesWritten} frames for ${accepted} acknowledged telegrams, ${framesMax} at most are right`,
      );
    if (framesWritten === 0) problems.push(`${name} was never seen to write a frame`);
    return problems;
  });
}

/** Frames that store no telegram. */
export function otherFramesMax({ deadLettered, outages, seconds }: Omit<Settled, 'accepted'>, openings: number): number {
  // A receipt frees its messages in a frame that others may join; one that waits for nobody is written after FREE_DELAY_MS.
  const freeing = Math.ceil((seconds * 1000 + AFTER_DRAIN_MS) / FREE_DELAY_MS);
  // The application acknowledges each dead letter on this box by itself.
  const acknowledging = deadLettered;
  // An outage elsewhere ends a session too, and the one after it has a ticket of its own.
  const starting = (openings + outages) * FRESH_START_FRAMES;
  return freeing + acknowledging + starting;
}
