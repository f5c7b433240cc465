/**
 * Block size and seed of a ring without a superblock, by its frames: whatever looks like a frame that begins where it says votes for
 * the seed that would make its checksum right. Frames of one file agree; chance does not.
 */
import { RingmailError } from '../errors.ts';
import { type ReadSteps, readBlocks, readWhatThereIs } from './file-steps.ts';
import { claimedBlocks, decodeFrame, FRAME_HEADER_BYTES, type FrameSeal } from './frame-layout.ts';
import { BLOCK_BYTES_MAX, BLOCK_BYTES_MIN, FRAME_BYTES_MAX, type RingGeometry, SUPERBLOCK_COPIES } from './geometry.ts';
import type { RingSource } from './inspect-view.ts';
import { lsnClaimed } from './salvage-scan.ts';
import { seedFor } from './salvage-seed.ts';

/** A directory beyond this gets no vote: undoing its checksum takes a millisecond, and smaller ones are there in any ring. */
const DIRECTORY_BYTES_MAX = 64 * 1024;
/** So many frames that agree end the search for other block sizes. */
const VOTES_ENOUGH = 8;
/** Votes held at once. Frames that do not agree are noise: with so many seeds in sight none is the seed of this file. */
const SEEDS_MAX = 1_000_000;
const PIECE_BYTES = 1024 * 1024;

export interface FoundSeal {
  readonly geometry: RingGeometry;
  readonly seal: FrameSeal;
  /** Frames that agree on it. */
  readonly votes: number;
}

/** @throws RING_FOREIGN when no two frames agree, and none has a body that does */
export function* findSeal(source: RingSource, blockBytes: number | undefined): ReadSteps<FoundSeal> {
  let best: FoundSeal | undefined;
  for (let b = blockBytes ?? BLOCK_BYTES_MIN; b <= (blockBytes ?? BLOCK_BYTES_MAX); b *= 2) {
    const blockCount = Math.floor(source.size / b) - SUPERBLOCK_COPIES;
    if (blockCount < 1) break;
    const geometry = {
      blockBytes: b,
      blockCount,
      frameBlocksMax: Math.floor(FRAME_BYTES_MAX / b),
      livePermille: 0,
      cleanDivisor: 0,
    };
    const found = yield* mostVoted(source, geometry);
    if (found !== undefined && found.votes > (best?.votes ?? 0)) best = found;
    if (best !== undefined && best.votes >= VOTES_ENOUGH) break;
  }
  if (best === undefined) {
    throw new RingmailError('RING_FOREIGN', {
      path: source.path,
      reason: 'no superblock copy is whole, and no two frames agree',
    });
  }
  return best;
}

function* mostVoted(source: RingSource, geometry: RingGeometry): ReadSteps<FoundSeal | undefined> {
  const { checksum } = source;
  const votes = new Map<number, { count: number; lsn: number }>();
  const seal = { checksum, seed: 0, blockBytes: geometry.blockBytes, frameBlocksMax: geometry.frameBlocksMax };
  const pieceBlocks = Math.max(1, Math.floor(PIECE_BYTES / geometry.blockBytes));
  for (let first = 0; first < geometry.blockCount; first += pieceBlocks) {
    const blocks = Math.min(pieceBlocks, geometry.blockCount - first);
    const piece = yield* readWhatThereIs(geometry, geometry.blockCount + first, blocks);
    for (let i = 0; i < blocks; i++) {
      const block = piece.subarray(i * geometry.blockBytes, (i + 1) * geometry.blockBytes);
      const lsn = lsnClaimed(block);
      if (lsn === undefined || lsn < geometry.blockCount || lsn % geometry.blockCount !== first + i) continue;
      const seed = yield* seedOf(block, lsn, { geometry, seal });
      if (seed === undefined) continue;
      const vote = votes.get(seed);
      if (vote !== undefined) vote.count += 1;
      else if (votes.size < SEEDS_MAX) votes.set(seed, { count: 1, lsn });
    }
  }
  const [most] = [...votes].sort(([, a], [, b]) => b.count - a.count);
  if (most === undefined) return undefined;
  const [seed, { count, lsn }] = most;
  const found = { geometry, seal: { ...seal, seed }, votes: count };
  return count > 1 || (yield* bodyAgrees(found, lsn)) ? found : undefined;
}

/** The seed that makes the checksum of the frame that seems to begin at `lsn` right. */
function* seedOf(
  block: Uint8Array,
  lsn: number,
  log: { readonly geometry: RingGeometry; readonly seal: FrameSeal },
): ReadSteps<number | undefined> {
  const claimed = claimedBlocks(block, lsn, log.seal);
  const header = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const dirBytes = header.getUint32(36, true);
  if (claimed === undefined || dirBytes > DIRECTORY_BYTES_MAX) return undefined;
  const bytes = claimed.directory === 1 ? block : yield* readBlocks(log.geometry, lsn, claimed.directory);
  if (bytes === undefined) return undefined;
  return seedFor(bytes.subarray(8, FRAME_HEADER_BYTES + dirBytes), header.getUint32(4, true), log.seal.checksum);
}

/** Where there is only one frame: one of its bodies has its checksum under the same seed. */
function* bodyAgrees({ geometry, seal }: FoundSeal, lsn: number): ReadSteps<boolean> {
  const first = yield* readBlocks(geometry, lsn, 1);
  const claimed = first && claimedBlocks(first, lsn, seal);
  const bytes = claimed && (yield* readBlocks(geometry, lsn, claimed.frame));
  const frame = bytes && decodeFrame(bytes, lsn, seal);
  if (bytes === undefined || frame === undefined) return false;
  return frame.entries.some((entry) => {
    if (entry.kind !== 'put' || entry.bodyBytes === 0) return false;
    const body = bytes.subarray(entry.bodyOffset, entry.bodyOffset + entry.bodyBytes);
    return seal.checksum(body, seal.seed) === entry.bodyCrc;
  });
}
