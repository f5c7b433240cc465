/**
 * Opening a ring file: superblocks, the end of the log, the live set, and what the OPEN frame must say again.
 *
 *   superblock ─▶ walk from the anchor ─▶ last whole frame ─▶ apply tail..last ─▶ OPEN frame ─▶ superblock ─▶ serve
 *
 * A frame is *proven* when it is surely on the medium and not only in a cache that a failed sync left behind: the anchor, and every
 * frame that a DATA or COPIES frame follows, since that one was written only after its predecessor's sync had returned. Only the
 * last frame, or a chain of OPEN frames and the one before it, can be unproven (docs/ring-file.md, I2 and I6).
 *
 * Written as a generator: it yields what it wants of the file and is resumed with the answer, so it is as free of I/O as the rest.
 */
import type { Checksum } from '../crc32.ts';
import { type ReadSteps, readBlocks } from './file-steps.ts';
import { findSuperblock } from './find-superblock.ts';
import { bodiesAreIntact, decodeFrame, type Frame, type FrameSeal } from './frame-layout.ts';
import type { RingGeometry } from './geometry.ts';
import type { Gap, Met } from './log-stretch.ts';
import { readDirectory, type Walked, walk, walkProven } from './log-walk.ts';
import type { Superblock } from './superblock-layout.ts';

export interface Recovered {
  readonly superblock: Superblock;
  readonly seal: FrameSeal;
  readonly gaps: readonly Gap[];
  /** A frame at the end that was not whole: the write a power cut interrupted, or (indistinguishable) one that rotted. */
  readonly tornBlocks: number;
  /** The last whole frame, or undefined in a ring that never held one. */
  readonly last: Frame | undefined;
  /** Its bytes when it is not proven: then the OPEN frame says everything in it again. */
  readonly unproven: Uint8Array | undefined;
  /** Below this nothing is needed by the last *proven* frame (I1). */
  readonly durableTailLsn: number;
  readonly endLsn: number;
  readonly nextSeq: number;
  /** From here on the log must stay readable until its gaps are on record: the frame before the first one. */
  readonly gapsFromLsn: number;
}

/**
 * Reads the superblocks and the log, and hands every frame from the tail to the end to `apply`, in order.
 * @throws RING_FOREIGN, RING_TOO_NEW, RING_TRUNCATED
 */
export function* recover(
  file: { path: string; size: number },
  checksum: Checksum,
  applyTo: (frame: Frame, geometry: RingGeometry) => void,
): ReadSteps<Recovered> {
  const superblock = yield* findSuperblock(file);
  const { geometry, anchorLsn } = superblock;
  const apply = (frame: Frame) => applyTo(frame, geometry);
  const seal = sealOf(superblock, checksum);
  const walked = yield* walk(superblock, seal);
  const tip = yield* lastWhole(superblock, seal, walked);
  const { last, frames } = tip;
  const endLsn = Math.max(anchorLsn, last === undefined ? 0 : last.lsn + last.blocks);
  const oldTail = last?.tailLsn ?? anchorLsn;
  const tail = Math.max(oldTail, outrunLsn(geometry, last, anchorLsn));
  const { base } = walked;
  const until = { lsn: base?.lsn ?? anchorLsn, seq: base?.seq ?? superblock.anchorSeq, frame: base };
  const older = tail <= until.lsn ? yield* walkProven({ g: geometry, seal }, tail, until) : { frames: [], gaps: [] };
  const gaps = [...older.gaps, ...tip.gaps].filter((gap) => gap.lsn + gap.blocks > tail);
  // How much was in them nobody knows: what is outrun was moved on, by frames that are lost too.
  if (tail > oldTail) gaps.push({ lsn: oldTail, blocks: tail - oldTail, framesLost: 1, idsLost: 0 });
  const all = [...older.frames.filter((one) => one.lsn < anchorLsn), ...frames];
  for (const met of all) {
    if (met.lsn < tail) continue;
    const frame = yield* readDirectory(geometry, seal, met.lsn);
    if (frame !== undefined) apply(frame);
    else gaps.push({ lsn: met.lsn, blocks: met.blocks, framesLost: 1, idsLost: 0 });
  }
  return {
    superblock,
    seal,
    gaps,
    tornBlocks: walked.tornBlocks + tip.tornBlocks,
    last,
    unproven: tip.unproven,
    durableTailLsn:
      tip.unproven === undefined ? tail : Math.max(durableTail(frames, walked.base) ?? tail, endLsn - geometry.blockCount),
    endLsn,
    gapsFromLsn: gapsFrom(gaps, all),
    nextSeq: Math.max(superblock.anchorSeq, last === undefined ? 0 : last.seq + 1),
  };
}

/**
 * A superblock that vouches for frames that are not there: the medium lied. Of what the last whole frame still counts on, the first
 * blocks were written over since, as far as the writer of the lost frames knew. What stands there all the same is below this, and
 * given up: a log longer than the ring has no place for the next frame.
 */
function outrunLsn(g: RingGeometry, last: Frame | undefined, anchorLsn: number): number {
  if (last === undefined || last.lsn + last.blocks >= anchorLsn) return 0;
  return anchorLsn - g.blockCount + g.frameBlocksMax;
}

function gapsFrom(gaps: readonly Gap[], frames: readonly Met[]): number {
  const first = Math.min(Number.POSITIVE_INFINITY, ...gaps.map(({ lsn }) => lsn));
  const before = frames.filter(({ lsn }) => lsn < first).at(-1);
  return gaps.length === 0 ? first : (before?.lsn ?? first);
}

/** What binds every checksum of a file to that file. */
export function sealOf(superblock: Superblock, checksum: Checksum): FrameSeal {
  return {
    checksum,
    seed: checksum(superblock.fileId, 0),
    blockBytes: superblock.geometry.blockBytes,
    frameBlocksMax: superblock.geometry.frameBlocksMax,
  };
}

interface Tip {
  readonly frames: readonly Met[];
  readonly gaps: readonly Gap[];
  readonly last: Frame | undefined;
  readonly unproven: Uint8Array | undefined;
  readonly tornBlocks: number;
}

/**
 * Drops frames at the end that a power cut may have torn: unproven ones whose bodies are not whole. A torn OPEN frame proves
 * nothing, so the frame before it is checked too, and what is missing before it was perhaps never there; any other torn frame proves
 * all before it. A body that rotted in a proven frame costs its message and nothing else.
 */
function* lastWhole(superblock: Superblock, seal: FrameSeal, walked: Walked): ReadSteps<Tip> {
  const { geometry: g } = superblock;
  const { base } = walked;
  const frames = [...walked.frames];
  let gaps = walked.gaps;
  let tornBlocks = 0;
  let isProven = false;
  for (let tip = frames.at(-1); tip !== undefined; tip = frames.at(-1)) {
    if (tip.lsn === base?.lsn) return { frames, gaps, last: base, unproven: undefined, tornBlocks };
    if (isProven) {
      const last = yield* readDirectory(g, seal, tip.lsn);
      if (last !== undefined) return { frames, gaps, last, unproven: undefined, tornBlocks };
    } else {
      const bytes = yield* readBlocks(g, tip.lsn, tip.blocks);
      const last = bytes && decodeFrame(bytes, tip.lsn, seal);
      if (bytes && last && bodiesAreIntact(last, bytes, seal)) return { frames, gaps, last, unproven: bytes, tornBlocks };
      if (tip.kind !== 'open') isProven = true;
      else gaps = gaps.filter((gap) => gap.lsn + gap.blocks !== tip.lsn);
    }
    frames.pop();
    tornBlocks += tip.blocks;
  }
  return { frames, gaps, last: base, unproven: undefined, tornBlocks };
}

/**
 * The tail of the last frame that is proven, when the last frame is not: stepping back over OPEN frames leads to the one whose
 * predecessor is.
 */
function durableTail(frames: readonly Met[], base: Met | undefined): number | undefined {
  let at = frames.length - 1;
  while (at >= 0 && frames[at]?.kind === 'open') at -= 1;
  const proven = at > 0 ? frames[at - 1] : base;
  return proven?.tailLsn;
}
