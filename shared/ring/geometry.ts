/**
 * Where things lie in the ring file.
 *
 *   byte 0            superblock copy 0      (B bytes)
 *        B            superblock copy 1
 *        2B           ring: N blocks of B bytes; block(lsn) = 2B + (lsn mod N) * B
 *        2B + N*B     superblock copy 2
 *        3B + N*B     superblock copy 3
 *
 * An LSN is a logical block number: it starts at N (so that no block of lap 0 is ever valid) and only grows.
 */
import { RingmailError } from '../errors.ts';
import { FRAME_HEADER_BYTES } from './frame-layout.ts';

export interface RingGeometry {
  /** B: bytes of a block, a power of two, 512 to 65,536. The unit of a durable write. */
  readonly blockBytes: number;
  /** N: blocks of the ring. */
  readonly blockCount: number;
  /** Fmax: the largest frame, in blocks. Bounds a transaction, a body and the memory of recovery. */
  readonly frameBlocksMax: number;
  /** u: live bytes may fill this many thousandths of the ring; the rest pays for cleaning (docs/ring-file.md, "Reserve"). */
  readonly livePermille: number;
  /** Cleaning starts when fewer than N / cleanDivisor blocks are free. */
  readonly cleanDivisor: number;
}

export const BLOCK_BYTES_MIN = 512;
export const BLOCK_BYTES_MAX = 65_536;
/** Of Fmax: halves and quarters of a frame are whole blocks. */
export const FRAME_BLOCKS_MIN = 4;
/** Of a frame. Its header counts entries in 16 bits, and the smallest entry has 8 bytes. */
export const FRAME_BYTES_MAX = 512 * 1024;
/** Smallest ring the reserve arithmetic holds for. */
export const BLOCK_COUNT_MIN = 384;
/** From here on the large preset is safe: a file of 16 MiB has so many blocks of 4 KiB beside its superblocks. */
export const LARGE_BLOCK_COUNT_MIN = 4092;
export const SUPERBLOCK_COPIES = 4;
/** Blocks that a frame with new messages leaves free, in frames (reserve.ts). */
export const RESERVE_FRAMES = 3;
/** A batch that replaces messages may overdraw what may live by this part of it: cleaning still gains, only later. */
export const OVERDRAFT_SHARE = 4;
/** Room for META of about 400 streams. */
const META_RESERVE_BYTES_MIN = 64 * 1024;
/** Blocks scanned for live entries per block written, at the most. */
export const CLEAN_FACTOR = 8;
/** A log shorter than this is not cleaned for its length. */
export const CLEAN_LOG_BYTES_MIN = 1024 * 1024;
/**
 * A log longer than this many times its live bytes is cleaned, so that recovery costs O(live): beyond it padding takes copies, beyond
 * twice as much they take blocks of their own.
 */
export const CLEAN_LOG_FACTOR = 8;

/** Room every frame leaves for the epoch entry of the OPEN frame that says it again: 24 bytes, and as much again three times. */
const RELOG_BYTES = 128;

/** The later cleaning begins, the less is copied: a larger ring can wait longer. */
const LARGE = { frameBlocksMax: 64, livePermille: 490, cleanDivisors: [12, 11, 10, 9, 8] };
const SMALL = { frameBlocksMax: 16, livePermille: 400, cleanDivisors: [4] };

/**
 * The geometry for a file of at most `fileBytes`: the large preset where it is safe (from 16 MiB on), else the small one.
 * @throws RING_SIZE_INVALID
 */
export function geometryFor(fileBytes: number, blockBytes = 4096): RingGeometry {
  const blockCount = Math.floor(fileBytes / blockBytes) - SUPERBLOCK_COPIES;
  const presets = blockCount >= LARGE_BLOCK_COUNT_MIN ? [LARGE, SMALL] : [SMALL];
  for (const { cleanDivisors, livePermille, ...preset } of presets) {
    const frameBlocksMax = Math.min(preset.frameBlocksMax, Math.floor(FRAME_BYTES_MAX / blockBytes));
    for (const cleanDivisor of cleanDivisors) {
      const geometry = { blockBytes, blockCount, frameBlocksMax, livePermille, cleanDivisor };
      if (geometryIsSafe(geometry)) return geometry;
    }
  }
  const bytesMin = (BLOCK_COUNT_MIN + SUPERBLOCK_COPIES) * blockBytes;
  throw new RingmailError('RING_SIZE_INVALID', { bytes: fileBytes, bytesMin });
}

/**
 * The reserve arithmetic (docs/ring-file.md, "Reserve"): cleaning that starts at N / cleanDivisor free blocks meets at worst all that
 * lives, packed densely, before it gains anything. It copies CLEAN_FACTOR blocks per block written, and each full frame may round up
 * by one block; what is left must be the reserve. And a lap of cleaning, which leaves what lives and at most a block for every
 * CLEAN_FACTOR that it scanned, must free enough for new messages to go on.
 */
export function geometryIsSafe(g: RingGeometry): boolean {
  const powerOfTwo = (g.blockBytes & (g.blockBytes - 1)) === 0;
  if (!powerOfTwo || g.blockBytes < BLOCK_BYTES_MIN || g.blockBytes > BLOCK_BYTES_MAX || g.blockCount < BLOCK_COUNT_MIN)
    return false;
  if (g.frameBlocksMax < FRAME_BLOCKS_MIN || g.frameBlocksMax * g.blockBytes > FRAME_BYTES_MAX) return false;
  if (g.cleanDivisor < 1 || g.livePermille < 1) return false;
  const live = (g.livePermille * g.blockCount) / 1000;
  const roundingLoss = g.blockCount / g.frameBlocksMax;
  const trigger = g.blockCount / g.cleanDivisor;
  const worstPrefix = Math.max(g.frameBlocksMax, live / CLEAN_FACTOR + roundingLoss);
  const cleaned = g.blockCount * (1 - 1 / CLEAN_FACTOR) - live * (1 + 1 / OVERDRAFT_SHARE);
  const frames = RESERVE_FRAMES + 1;
  return (
    trigger >= worstPrefix + RESERVE_FRAMES * g.frameBlocksMax && cleaned > frames * g.frameBlocksMax && live < g.blockCount / 2
  );
}

export function fileBytesOf(g: RingGeometry): number {
  return (g.blockCount + SUPERBLOCK_COPIES) * g.blockBytes;
}

/**
 * Entries and bodies of a frame, in bytes: what fits its blocks beside the header, less RELOG_BYTES for the epoch that an OPEN frame
 * adds when it says everything again.
 */
export function contentBytesMaxOf(g: RingGeometry): number {
  return g.frameBlocksMax * g.blockBytes - FRAME_HEADER_BYTES - RELOG_BYTES;
}

/** Largest body of a message: three quarters of a frame, so that it always fits beside headers and copies. */
export function bodyBytesMaxOf(g: RingGeometry): number {
  return Math.floor((g.frameBlocksMax * g.blockBytes * 3) / 4);
}

/** Live bytes the ring admits: entries and bodies of messages and META (I9). */
export function liveBytesMaxOf(g: RingGeometry): number {
  return Math.floor((g.livePermille * g.blockCount * g.blockBytes) / 1000);
}

/**
 * The part of it that is kept from messages, so that META (counters, cursors, accounts) is never refused for their sake: an eighth in
 * a small ring, a sixty-fourth in a large one. What META needs grows with streams, not with the file.
 */
export function metaReserveBytesOf(g: RingGeometry): number {
  const bytes = liveBytesMaxOf(g);
  return Math.floor(Math.max(bytes / 64, Math.min(bytes / 8, META_RESERVE_BYTES_MIN)));
}

export function superblockOffset(g: RingGeometry, copy: number): number {
  return copy < 2 ? copy * g.blockBytes : (g.blockCount + copy) * g.blockBytes;
}

export interface Segment {
  readonly offset: number;
  readonly bytes: number;
}

/** File ranges of `bytes` bytes that begin `skip` bytes into block `lsn`: one, or two where the ring wraps. */
export function segmentsOf(g: RingGeometry, at: { lsn: number; skip: number; bytes: number }): Segment[] {
  const ringBytes = g.blockCount * g.blockBytes;
  const start = ((at.lsn % g.blockCount) * g.blockBytes + at.skip) % ringBytes;
  const base = 2 * g.blockBytes;
  const first = Math.min(at.bytes, ringBytes - start);
  const head = { offset: base + start, bytes: first };
  return first === at.bytes ? [head] : [head, { offset: base, bytes: at.bytes - first }];
}
