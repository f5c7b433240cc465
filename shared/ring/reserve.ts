/**
 * What the next frame may hold, by how many blocks are free. F is Fmax, the largest frame.
 *
 *   free blocks   the frame may hold                                  blocks   leaves free
 *   ≥ 4 F         anything; copies ride along when cleaning is due    F        3 F
 *   ≥ 3 F         no new messages: acknowledgements, META, copies     F / 2    2.5 F
 *   below         copies only                                         F        2
 *
 * A frame of copies replaces whole frames at the tail and never takes more blocks than they did, so it gives back at least what it
 * takes as soon as it is durable. Its originals lie intact until the next frame: it may be written again in place, and so may an
 * OPEN frame that no anchor points to. Every other frame is only said again, which needs its size once more: F after the first
 * line, F / 2 and a block after the second. So an opening never finds less than 2 F free blocks but those of openings that were cut
 * short, and the largest message (3/4 F and a block) can always be moved.
 */
import type { RingGeometry } from './geometry.ts';
import { RESERVE_FRAMES } from './geometry.ts';

export interface FrameShare {
  readonly batches: 'all' | 'without-puts' | 'none';
  /** Largest frame, in blocks, when there are batches in it. */
  readonly blocksMax: number;
}

export function frameShare(g: RingGeometry, freeBlocks: number): FrameShare {
  const frame = g.frameBlocksMax;
  if (freeBlocks >= (RESERVE_FRAMES + 1) * frame) return { batches: 'all', blocksMax: frame };
  if (freeBlocks >= RESERVE_FRAMES * frame) return { batches: 'without-puts', blocksMax: frame >> 1 };
  return { batches: 'none', blocksMax: 0 };
}

/** Largest frame that holds copies and nothing else: leaves room for a short OPEN frame, and one more. */
export function copiesBlocksMax(g: RingGeometry, freeBlocks: number): number {
  return Math.min(g.frameBlocksMax, freeBlocks - 2);
}

/** Free blocks that an OPEN frame leaves if it says again what an OPEN frame before it said: else that one is written in place. */
export function openReserveBlocks(g: RingGeometry): number {
  return 2 * g.frameBlocksMax;
}
