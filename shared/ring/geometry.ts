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

export interface RingGeometry {
  /** B: bytes of a block, a power of two, 512 to 65,536. The unit of a durable write. */
  readonly blockBytes: number;
  /** N: blocks of the ring. */
  readonly blockCount: number;
  /** Fmax: the largest frame, in blocks. Bounds a transaction, a body and the memory of recovery. */
  readonly frameBlocksMax: number;
  /** u: live bytes may fill this many thousandths of the ring; the rest pays for cleaning (docs/ring-file.md, "Reserve"). */
  readonly livePermille: number;
  /** Cleaning starts when fewer than N / trigDivisor blocks are free. */
  readonly cleanDivisor: number;
}

/** Smallest ring the reserve arithmetic holds for. */
export const BLOCK_COUNT_MIN = 384;
/** From here on the large preset is safe. */
export const LARGE_BLOCK_COUNT_MIN = 4096;
export const SUPERBLOCK_COPIES = 4;
/** Blocks a frame that is not an OPEN frame leaves free, in frames: two OPEN frames and one of cleaning. */
export const RESERVE_FRAMES = 3;
/** Blocks scanned for live entries per block written, at the most. */
export const CLEAN_FACTOR = 8;
/** A log shorter than this is not cleaned for its length. */
export const CLEAN_LOG_BYTES_MIN = 1024 * 1024;
/** A log longer than this many times its live bytes is cleaned, so that recovery costs O(live). */
export const CLEAN_LOG_FACTOR = 4;

const LARGE = { frameBlocksMax: 64, livePermille: 480, cleanDivisor: 8 };
const SMALL = { frameBlocksMax: 16, livePermille: 400, cleanDivisor: 4 };

/** The geometry for a file of at most `fileBytes`: large preset from 16 MiB on, small below. @throws RING_SIZE_INVALID */
export function geometryFor(fileBytes: number, blockBytes = 4096): RingGeometry {
  const blockCount = Math.floor(fileBytes / blockBytes) - SUPERBLOCK_COPIES;
  const preset = blockCount >= LARGE_BLOCK_COUNT_MIN ? LARGE : SMALL;
  const geometry = { blockBytes, blockCount, ...preset };
  if (!geometryIsSafe(geometry)) {
    const bytesMin = (BLOCK_COUNT_MIN + SUPERBLOCK_COPIES) * blockBytes;
    throw new RingmailError('RING_SIZE_INVALID', { bytes: fileBytes, bytesMin });
  }
  return geometry;
}

/** The reserve arithmetic: cleaning always finds room for what it copies (storage rules I8, I9). */
export function geometryIsSafe(g: RingGeometry): boolean {
  const powerOfTwo = (g.blockBytes & (g.blockBytes - 1)) === 0;
  if (!powerOfTwo || g.blockBytes < 512 || g.blockBytes > 65_536 || g.blockCount < BLOCK_COUNT_MIN) return false;
  if (g.frameBlocksMax < 1 || g.cleanDivisor < 1 || g.livePermille < 1) return false;
  const live = (g.livePermille * g.blockCount) / 1000;
  const roundingLoss = g.blockCount / g.frameBlocksMax;
  const trigger = g.blockCount / g.cleanDivisor;
  return (
    trigger >= live / CLEAN_FACTOR + roundingLoss / CLEAN_FACTOR + RESERVE_FRAMES * g.frameBlocksMax * 0.5 &&
    live < g.blockCount / 2
  );
}

export function fileBytesOf(g: RingGeometry): number {
  return (g.blockCount + SUPERBLOCK_COPIES) * g.blockBytes;
}

/** Largest body of a message: three quarters of a frame, so that it always fits beside headers and copies. */
export function bodyBytesMaxOf(g: RingGeometry): number {
  return Math.floor((g.frameBlocksMax * g.blockBytes * 3) / 4);
}

/** Live bytes the ring admits: entries and bodies of messages and META (I9). */
export function liveBytesMaxOf(g: RingGeometry): number {
  return Math.floor((g.livePermille * g.blockCount * g.blockBytes) / 1000);
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
