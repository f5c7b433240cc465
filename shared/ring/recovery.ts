/**
 * Opening a ring file: superblocks, the end of the log, the live set, the OPEN frame that proves it, the anchor.
 *
 *   superblocks ─▶ walk from the anchor ─▶ last whole frame ─▶ apply tail..last ─▶ OPEN frame ─▶ superblock ─▶ serve
 *
 * The walk accepts only the exact (lsn, seq) with an epoch that never falls; where it misses, a bounded probe looks for a later
 * frame: found means damage in the middle (the walk goes on behind it and reports the gap), not found means the end of the log.
 * Nothing is served before the OPEN frame is durable: it re-logs every entry of the unproven suffix (docs/ring-file.md, I6).
 *
 * Written as a generator: it yields what it wants of the file and is resumed with the answer, so it is as free of I/O as the rest.
 */
import type { Checksum } from '../crc32.ts';
import { RingmailError } from '../errors.ts';
import type { DirectoryEntry } from './entry-layout.ts';
import { bodiesAreIntact, claimedBlocks, decodeFrame, type Frame, type FrameSeal } from './frame-layout.ts';
import { type FileSteps, readBlocks } from './file-steps.ts';
import { fileBytesOf, type RingGeometry } from './geometry.ts';
import { decodeSuperblock, FORMAT_MAJOR, SUPERBLOCK_BYTES, type Superblock } from './superblock-layout.ts';

/** Damage that the walk stepped over. Frames between the two sequence numbers are lost. */
export interface Gap {
  readonly lsn: number;
  readonly blocks: number;
  readonly framesLost: number;
  readonly idsLost: number;
}

export interface Recovered {
  readonly superblock: Superblock;
  readonly seal: FrameSeal;
  readonly gaps: readonly Gap[];
  /** A frame at the end that was not whole: the write a power cut interrupted, or (indistinguishable) one that rotted. */
  readonly tornBlocks: number;
  /** The last whole frame, with its bytes, or undefined in a ring that never held one. */
  readonly last: { readonly frame: Frame; readonly bytes: Uint8Array } | undefined;
  /** Below this nothing is needed by the last *proven* frame (I1). */
  readonly durableTailLsn: number;
  readonly endLsn: number;
}

/** A frame that the walk met; its entries are read again when they are applied, so that memory does not grow with the log. */
type Met = Pick<Frame, 'kind' | 'epoch' | 'lsn' | 'seq' | 'tailLsn' | 'blocks'>;

interface Walked {
  readonly frames: Met[];
  readonly gaps: Gap[];
}

/**
 * Reads the superblocks and the log, and hands every frame from the tail to the end to `apply`, in order.
 * @throws RING_FOREIGN, RING_TOO_NEW, RING_TRUNCATED
 */
export function* recover(
  file: { path: string; size: number },
  checksum: Checksum,
  applyTo: (frame: Frame, geometry: RingGeometry) => void,
): FileSteps<Recovered> {
  const superblock = yield* readSuperblock(file);
  const { geometry, anchorLsn } = superblock;
  const apply = (frame: Frame) => applyTo(frame, geometry);
  const seal = sealOf(superblock, checksum);
  const walked = yield* walk(superblock, seal);
  const suffix = yield* bodyCheckedSuffix(geometry, seal, walked.frames);
  const { last, frames } = suffix;
  const tail = last?.frame.tailLsn ?? anchorLsn;
  const gaps = [...walked.gaps];
  if (tail < anchorLsn) {
    const range = { lsn: tail, endLsn: anchorLsn, endSeq: frames[0]?.seq ?? superblock.anchorSeq };
    gaps.unshift(...(yield* applyProven(geometry, seal, { ...range, apply })));
  }
  for (const met of frames) {
    if (met.lsn < tail) continue;
    const frame = yield* readDirectory(geometry, seal, met.lsn);
    if (frame !== undefined) apply(frame);
    else gaps.push({ lsn: met.lsn, blocks: met.blocks, framesLost: 1, idsLost: 0 });
  }
  return {
    superblock,
    seal,
    gaps,
    tornBlocks: suffix.tornBlocks,
    last,
    durableTailLsn: durableTail(frames, anchorLsn),
    endLsn: last === undefined ? anchorLsn : last.frame.lsn + last.frame.blocks,
  };
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

function* readSuperblock(file: { path: string; size: number }): FileSteps<Superblock> {
  const { path, size } = file;
  let newest: Superblock | undefined;
  for (let blockBytes = 65_536; blockBytes >= 512; blockBytes /= 2) {
    for (const offset of [0, blockBytes, size - 2 * blockBytes, size - blockBytes]) {
      if (offset < 0 || offset + SUPERBLOCK_BYTES > size) continue;
      const bytes = yield { kind: 'read', offset, bytes: SUPERBLOCK_BYTES };
      const found = bytes && decodeSuperblock(bytes);
      if (found && (newest === undefined || found.generation > newest.generation)) newest = found;
    }
  }
  if (newest === undefined) throw new RingmailError('RING_FOREIGN', { path, reason: 'no superblock copy is readable' });
  if (newest.formatMajor !== FORMAT_MAJOR || newest.incompatible !== 0) {
    const format = `${newest.formatMajor}, features ${newest.incompatible}`;
    throw new RingmailError('RING_TOO_NEW', { path, format });
  }
  const bytesExpected = fileBytesOf(newest.geometry);
  if (size !== bytesExpected) throw new RingmailError('RING_TRUNCATED', { path, bytes: size, bytesExpected });
  return newest;
}

/**
 * Whole frames from the anchor to the end of the log. Where even the anchor is unreadable the probe looks through the whole ring:
 * a ring that held something is never taken for an empty one.
 */
function* walk(superblock: Superblock, seal: FrameSeal): FileSteps<Walked> {
  const g = superblock.geometry;
  const frames: Met[] = [];
  const gaps: Gap[] = [];
  let lsn = superblock.anchorLsn;
  let seq = superblock.anchorSeq;
  let epoch = 0;
  let nextId = superblock.nextId;
  const limit = lsn + g.blockCount;
  const window = Math.max(2 * g.frameBlocksMax, Math.ceil((1024 * 1024) / g.blockBytes));
  while (lsn < limit) {
    let frame = yield* readDirectory(g, seal, lsn);
    if (frame === undefined || frame.seq !== seq || frame.epoch < epoch) {
      const reach = frames.length === 0 && superblock.epoch > 0 ? g.blockCount : window;
      frame = yield* probe(g, seal, { lsn: lsn + 1, end: Math.min(lsn + 1 + reach, limit), seq, reach, epoch });
      if (frame === undefined) break;
      const idsLost = Math.max(0, frame.nextId - nextId - frame.entries.filter(isNewPut).length);
      gaps.push({ lsn, blocks: frame.lsn - lsn, framesLost: frame.seq - seq, idsLost });
    }
    const { kind, tailLsn, blocks } = frame;
    frames.push({ kind, epoch: frame.epoch, lsn: frame.lsn, seq: frame.seq, tailLsn, blocks });
    lsn = frame.lsn + blocks;
    seq = frame.seq + 1;
    epoch = frame.epoch;
    nextId = frame.nextId;
  }
  return { frames, gaps };
}

function isNewPut(entry: DirectoryEntry): boolean {
  return entry.kind === 'put' && !entry.copy;
}

/** Applies the frames of [lsn, endLsn), which lie before the anchor and so are all proven: what is missing there is damage. */
function* applyProven(
  g: RingGeometry,
  seal: FrameSeal,
  range: { lsn: number; endLsn: number; endSeq: number; apply: (frame: Frame) => void },
): FileSteps<Gap[]> {
  const gaps: Gap[] = [];
  let lsn = range.lsn;
  let seq = 0;
  let missing: { lsn: number; seq: number } | undefined;
  const closeGap = (endLsn: number, endSeq: number) => {
    if (missing === undefined) return;
    gaps.push({ lsn: missing.lsn, blocks: endLsn - missing.lsn, framesLost: Math.max(1, endSeq - missing.seq), idsLost: 0 });
    missing = undefined;
  };
  while (lsn < range.endLsn) {
    const frame = yield* readDirectory(g, seal, lsn);
    if (frame === undefined || frame.seq >= range.endSeq || frame.seq < seq) {
      missing ??= { lsn, seq };
      lsn += 1;
      continue;
    }
    closeGap(lsn, frame.seq);
    range.apply(frame);
    lsn += frame.blocks;
    seq = frame.seq + 1;
  }
  closeGap(range.endLsn, range.endSeq);
  return gaps;
}

/** The next frame of this log before `end`, or undefined: then the log ends here. */
function* probe(
  g: RingGeometry,
  seal: FrameSeal,
  from: { lsn: number; end: number; seq: number; reach: number; epoch: number },
): FileSteps<Frame | undefined> {
  for (let lsn = from.lsn; lsn < from.end; lsn++) {
    const frame = yield* readDirectory(g, seal, lsn);
    if (frame !== undefined && frame.seq > from.seq && frame.seq <= from.seq + from.reach && frame.epoch >= from.epoch) return frame;
  }
  return undefined;
}

/**
 * Drops frames at the end whose bodies are not whole. A torn OPEN frame proves nothing, so the frame before it is checked too;
 * a torn DATA frame proves the one before it.
 */
function* bodyCheckedSuffix(
  g: RingGeometry,
  seal: FrameSeal,
  met: readonly Met[],
): FileSteps<{ frames: Met[]; last: Recovered['last']; tornBlocks: number }> {
  const frames = [...met];
  let tornBlocks = 0;
  let proven: 'proven' | 'unproven' = 'unproven';
  for (let tip = frames.at(-1); tip !== undefined; tip = frames.at(-1)) {
    const bytes = yield* readBlocks(g, tip.lsn, tip.blocks);
    const frame = bytes && decodeFrame(bytes, tip.lsn, seal);
    if (bytes && frame && (proven === 'proven' || bodiesAreIntact(frame, bytes, seal))) {
      return { frames, last: { frame, bytes }, tornBlocks };
    }
    frames.pop();
    tornBlocks += tip.blocks;
    if (tip.kind === 'data') proven = 'proven';
  }
  return { frames, last: undefined, tornBlocks };
}

/** The tail of the last frame that is proven: only a DATA frame proves the frame before it (I2). */
function durableTail(frames: readonly Met[], anchorLsn: number): number {
  let at = frames.length - 1;
  while (at > 0 && frames[at]?.kind === 'open') at -= 1;
  const proven = frames[Math.max(0, at - 1)];
  return proven?.tailLsn ?? anchorLsn;
}

/** Header and directory of the frame at `lsn`, read in as few blocks as they need. */
function* readDirectory(g: RingGeometry, seal: FrameSeal, lsn: number): FileSteps<Frame | undefined> {
  const first = yield* readBlocks(g, lsn, 1);
  if (first === undefined) return undefined;
  const whole = decodeFrame(first, lsn, seal);
  if (whole !== undefined) return whole;
  const blocks = claimedBlocks(first, lsn, seal);
  if (blocks === undefined || blocks === 1) return undefined;
  const bytes = yield* readBlocks(g, lsn, blocks);
  return bytes === undefined ? undefined : decodeFrame(bytes, lsn, seal);
}
