/** The four superblock copies of a ring, each judged by itself: opening needs one of them, and says nothing of the others. */
import type { ReadSteps } from './file-steps.ts';
import { type RingGeometry, SUPERBLOCK_COPIES, superblockOffset } from './geometry.ts';
import { decodeSuperblock, SUPERBLOCK_BYTES, type Superblock } from './superblock-layout.ts';

export interface SuperblockCopy {
  readonly copy: number;
  /** In the file, in bytes. */
  readonly offset: number;
  readonly state: 'whole' | 'damaged' | 'unreadable';
  /** What it says; undefined where it is not whole. */
  readonly superblock: Superblock | undefined;
  /** It has the highest generation: opening goes by it. */
  readonly holds: boolean;
  /** Nothing but zeros behind it in its block. */
  readonly padding: 'zeros' | 'not-zeros';
}

/** In the order of their places. The geometry is that of the one that holds. */
export function* readSuperblockCopies(geometry: RingGeometry): ReadSteps<SuperblockCopy[]> {
  const copies: SuperblockCopy[] = [];
  for (let copy = 0; copy < SUPERBLOCK_COPIES; copy++) {
    const offset = superblockOffset(geometry, copy);
    const bytes = yield { kind: 'read', offset, bytes: geometry.blockBytes };
    const found = bytes && decodeSuperblock(bytes);
    const isHere = found?.copy === copy && found.geometry.blockBytes === geometry.blockBytes && found.generation % 2 === copy % 2;
    copies.push({
      copy,
      offset,
      state: bytes === undefined ? 'unreadable' : isHere ? 'whole' : 'damaged',
      superblock: isHere ? found : undefined,
      holds: false,
      padding: bytes?.subarray(SUPERBLOCK_BYTES).some((byte) => byte !== 0) ? 'not-zeros' : 'zeros',
    });
  }
  const newest = Math.max(...copies.map(({ superblock }) => superblock?.generation ?? -1));
  return copies.map((one) => ({ ...one, holds: one.superblock?.generation === newest }));
}

/** Where block `lsn` lies in the file. */
export function blockOffset(g: RingGeometry, lsn: number): number {
  return (2 + (lsn % g.blockCount)) * g.blockBytes;
}
