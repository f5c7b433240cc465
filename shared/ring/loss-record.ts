/**
 * What a ring has lost to damage in its life, kept by the ring itself in META `lost`: a gap is found by one opening, and is out of
 * sight when the tail has passed it.
 *
 *   off len  field
 *     0   6  gaps       all that were ever found
 *     6   6  frames     lost in them
 *    12   6  ids        message ids given out in them that nothing shows any more
 *    18      then 16 bytes for each gap that the log showed when this was written, so that it is not counted twice:
 *     0   6  lsn        6  4  frames        10  6  ids
 */
import type { Gap } from './log-stretch.ts';
import { getUint48, setUint48 } from './uint48.ts';

export const LOST_KEY = 'lost';

/** In the life of the ring. */
export interface Losses {
  readonly gaps: number;
  readonly frames: number;
  readonly ids: number;
}

export const NO_LOSSES: Losses = { gaps: 0, frames: 0, ids: 0 };

const TOTALS_BYTES = 18;
const GAP_BYTES = 16;
/** What a META value holds. Of more gaps than these the newest are remembered. */
const GAP_COUNT_MAX = 250;

export function lossesOf(value: Uint8Array | undefined): Losses {
  if (value === undefined || value.length < TOTALS_BYTES) return NO_LOSSES;
  const view = viewOf(value);
  return { gaps: getUint48(view, 0), frames: getUint48(view, 6), ids: getUint48(view, 12) };
}

/** The record with what `gaps`, found by an opening, add to it; undefined when they add nothing. */
export function withGaps(old: Uint8Array | undefined, gaps: readonly Gap[]): Uint8Array | undefined {
  const known = new Map<number, { frames: number; ids: number }>();
  for (let at = TOTALS_BYTES; old !== undefined && at + GAP_BYTES <= old.length; at += GAP_BYTES) {
    const view = viewOf(old);
    known.set(getUint48(view, at), { frames: view.getUint32(at + 6, true), ids: getUint48(view, at + 10) });
  }
  const total = { ...lossesOf(old) };
  let adds = false;
  for (const { lsn, framesLost, idsLost } of gaps) {
    const before = known.get(lsn);
    const frames = Math.max(0, framesLost - (before?.frames ?? 0));
    const ids = Math.max(0, idsLost - (before?.ids ?? 0));
    if (before !== undefined && frames === 0 && ids === 0) continue;
    adds = true;
    if (before === undefined) total.gaps += 1;
    total.frames += frames;
    total.ids += ids;
  }
  return adds ? encode(total, gaps.slice(-GAP_COUNT_MAX)) : undefined;
}

function encode(total: Losses, gaps: readonly Gap[]): Uint8Array {
  const value = new Uint8Array(TOTALS_BYTES + GAP_BYTES * gaps.length);
  const view = viewOf(value);
  setUint48(view, 0, total.gaps);
  setUint48(view, 6, total.frames);
  setUint48(view, 12, total.ids);
  gaps.forEach(({ lsn, framesLost, idsLost }, i) => {
    const at = TOTALS_BYTES + GAP_BYTES * i;
    setUint48(view, at, lsn);
    view.setUint32(at + 6, framesLost, true);
    setUint48(view, at + 10, idsLost);
  });
  return value;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
