/**
 * Every frame that can be found in a ring, whatever its lap and number, by looking at every block: for what no chain of frames leads
 * to any more. A frame says itself where it belongs, so one that stands elsewhere (in a message, say) is none.
 */

import { type ReadSteps, readBlocks, readWhatThereIs } from './file-steps.ts';
import { bodiesAreIntact, claimedBlocks, decodeFrame, FRAME_HEADER_BYTES, type Frame, type FrameSeal } from './frame-layout.ts';
import type { RingGeometry } from './geometry.ts';
import { readDirectory } from './log-walk.ts';
import { getUint53, NUMBER_MAX } from './superblock-layout.ts';

/** Read in one piece, in bytes. */
const PIECE_BYTES = 1024 * 1024;

export interface Scanned {
  readonly frame: Frame;
  /** All its bodies are what was stored. */
  readonly isWhole: boolean;
}

/** Hands every frame that begins in `blocks` blocks from `lsn` on to `onFrame`, in the order of places. */
export function* scanFrames(
  log: { readonly g: RingGeometry; readonly seal: FrameSeal },
  range: { readonly lsn: number; readonly blocks: number },
  onFrame: (scanned: Scanned) => void,
): ReadSteps<void> {
  const { g, seal } = log;
  let next = range.lsn;
  for (const end = range.lsn + range.blocks; next < end; ) {
    const first = next;
    const blocks = Math.min(Math.max(1, Math.floor(PIECE_BYTES / g.blockBytes)), end - next);
    const piece = yield* readWhatThereIs(g, first, blocks);
    while (next < first + blocks) {
      const at = (next - first) * g.blockBytes;
      const scanned = yield* frameIn(piece.subarray(at, at + g.blockBytes), { g, seal, place: next });
      if (scanned !== undefined) onFrame(scanned);
      // What lies in a whole frame is its own, even if it looks like a frame.
      next += scanned?.isWhole ? scanned.frame.blocks : 1;
    }
  }
}

/** The frame that begins in a block which stands at this place of the ring, in whatever lap. */
function* frameIn(
  block: Uint8Array,
  at: { readonly g: RingGeometry; readonly seal: FrameSeal; readonly place: number },
): ReadSteps<Scanned | undefined> {
  const { g, seal, place } = at;
  const lsn = lsnClaimed(block);
  if (lsn === undefined || lsn < g.blockCount || lsn % g.blockCount !== place % g.blockCount) return undefined;
  if (claimedBlocks(block, lsn, seal) === undefined) return undefined;
  const frame = yield* readDirectory(g, seal, lsn);
  if (frame === undefined) return undefined;
  const bytes = frame.blocks === 1 ? block : yield* readBlocks(g, lsn, frame.blocks);
  const whole = bytes && decodeFrame(bytes, lsn, seal);
  return { frame, isWhole: bytes !== undefined && whole !== undefined && bodiesAreIntact(whole, bytes, seal) };
}

/** The number a block gives itself, if it looks like the first of a frame at all. */
export function lsnClaimed(block: Uint8Array): number | undefined {
  if (block.length < FRAME_HEADER_BYTES || block[0] !== 0x52 || block[1] !== 0x4d || block[2] !== 0x46 || block[3] !== 0x31) {
    return undefined;
  }
  const lsn = getUint53(new DataView(block.buffer, block.byteOffset, block.byteLength), 16);
  return lsn <= NUMBER_MAX ? lsn : undefined;
}
