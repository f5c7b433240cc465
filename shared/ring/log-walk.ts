/**
 * The log from one end to the other: which frames there are, headers and directories only.
 *
 *   anchor ─▶ exactly the next (lsn, seq), epoch not falling, chained by prevCrc ─▶ … ─▶ nothing there
 *                                                                                          │ probe
 *                                            a later frame: go on behind it ◀──────────────┴──────▶ none: the end of the log
 *
 * Where even the anchor cannot be read, the probe looks through the whole ring, and the newest frame before it is found by looking
 * backwards: a ring that held something is never taken for an empty one.
 */
import { type ReadSteps, readBlocks, readWhatThereIs } from './file-steps.ts';
import { bodiesAreIntact, claimedBlocks, decodeFrame, type Frame, type FrameSeal } from './frame-layout.ts';
import type { RingGeometry } from './geometry.ts';
import { type Gap, type Met, Stretch, startBehind } from './log-stretch.ts';
import type { Superblock } from './superblock-layout.ts';

export interface Walked {
  readonly frames: readonly Met[];
  readonly gaps: readonly Gap[];
  /** Blocks of a frame at the end that begins but is not whole. */
  readonly tornBlocks: number;
  /** The anchor, or the newest frame before it where the anchor is damaged: surely on the medium. Undefined in a new ring. */
  readonly base: Frame | undefined;
}

/** At least this much is looked through behind a frame that is missing, in bytes. */
const PROBE_BYTES_MIN = 1024 * 1024;

interface Log {
  readonly g: RingGeometry;
  readonly seal: FrameSeal;
}

/** What a probe accepts. */
interface Wanted {
  readonly seqMin: number;
  readonly seqMax: number;
  readonly epochMin: number;
  readonly epochMax: number;
  /** No block from here on belongs to it. */
  readonly endMax: number;
}

/** From the anchor to the end of the log. */
export function* walk(superblock: Superblock, seal: FrameSeal): ReadSteps<Walked> {
  const { geometry: g, anchorLsn, anchorSeq, anchorCrc, nextId } = superblock;
  const log = { g, seal };
  const bounds = { limit: anchorLsn + g.blockCount, window: probeBlocks(g) };
  const start = { lsn: anchorLsn, seq: anchorSeq, nextId };
  if (superblock.epoch === 0) {
    const stretch = new Stretch('tip', start);
    yield* follow(log, stretch, bounds);
    return { frames: stretch.frames, gaps: stretch.gaps, tornBlocks: 0, base: undefined };
  }
  const anchor = yield* readDirectory(g, seal, anchorLsn);
  if (anchor?.seq !== anchorSeq || anchor.crc !== anchorCrc) return yield* walkWithoutAnchor(log, superblock, bounds);
  const stretch = new Stretch('tip', start);
  stretch.addAnchor(anchor);
  yield* follow(log, stretch, bounds);
  return { frames: stretch.frames, gaps: stretch.gaps, tornBlocks: yield* tornAt(log, stretch.next.lsn), base: anchor };
}

function* walkWithoutAnchor(log: Log, superblock: Superblock, bounds: { limit: number; window: number }): ReadSteps<Walked> {
  const { anchorLsn, anchorSeq, nextId, epoch } = superblock;
  const base = yield* newestBefore(superblock, log);
  const start = base === undefined ? { lsn: anchorLsn, seq: anchorSeq, nextId } : startBehind(base);
  const wanted = {
    seqMin: anchorSeq + 1,
    seqMax: anchorSeq + log.g.blockCount,
    epochMin: epoch,
    epochMax: Number.POSITIVE_INFINITY,
    endMax: bounds.limit,
  };
  const first = yield* probe(log, { lsn: anchorLsn + 1, end: bounds.limit }, wanted);
  if (first === undefined) {
    const framesLost = anchorSeq + 1 - start.seq;
    const idsLost = Math.max(0, nextId - start.nextId);
    const gap = { lsn: start.lsn, blocks: anchorLsn + 1 - start.lsn, framesLost, idsLost };
    return { frames: [], gaps: [gap], tornBlocks: 0, base };
  }
  const stretch = new Stretch('tip', start);
  stretch.add(yield* asFarAsWhole(log, first));
  yield* follow(log, stretch, bounds);
  return {
    frames: stretch.frames,
    gaps: stretch.gaps,
    tornBlocks: yield* tornAt(log, stretch.next.lsn),
    base,
  };
}

function probeBlocks(g: RingGeometry): number {
  return Math.max(2 * g.frameBlocksMax, Math.ceil(PROBE_BYTES_MIN / g.blockBytes));
}

/**
 * From the tail to a frame that is surely on the medium, which comes last; undefined where there is none before the damaged anchor.
 * All between was durable too: what is missing there is damage.
 */
export function* walkProven(
  log: Log,
  tailLsn: number,
  until: { lsn: number; seq: number; frame: Frame | undefined },
): ReadSteps<{ frames: readonly Met[]; gaps: readonly Gap[] }> {
  const { lsn: limit, seq, frame } = until;
  const stretch = new Stretch('proven', { lsn: tailLsn, seq: undefined, nextId: 0 });
  yield* follow(log, stretch, { limit, window: log.g.blockCount, seqMax: seq - 1, until: frame });
  if (frame !== undefined) stretch.add(yield* asFarAsWhole(log, frame));
  return { frames: stretch.frames, gaps: stretch.gaps };
}

/** Adds frame after frame to `stretch` until the log ends, or up to the limit, where `until` must be the next. */
function* follow(
  log: Log,
  stretch: Stretch,
  bounds: { limit: number; window: number; seqMax?: number; until?: Frame | undefined },
): ReadSteps<void> {
  const { limit, until } = bounds;
  for (;;) {
    const { last, next } = stretch;
    const frame = next.lsn < limit ? yield* readDirectory(log.g, log.seal, next.lsn) : undefined;
    // Where the medium does not even give the block, nothing can be said about how much is missing.
    const isGiven = frame !== undefined || next.lsn >= limit || (yield* readBlocks(log.g, next.lsn, 1)) !== undefined;
    const window = isGiven ? bounds.window : log.g.blockCount;
    const seqMin = next.seq ?? 0;
    const seqMax = Math.min(
      bounds.seqMax ?? Number.POSITIVE_INFINITY,
      next.seq === undefined ? Number.POSITIVE_INFINITY : seqMin + window,
    );
    const wanted = { seqMin, seqMax, epochMin: last?.epoch ?? 0, epochMax: Number.POSITIVE_INFINITY, endMax: limit };
    if (frame !== undefined && isWanted(frame, wanted) && stretch.isNext(frame)) {
      stretch.add(yield* asFarAsWhole(log, frame));
      continue;
    }
    if (next.lsn >= limit && (until === undefined || stretch.isNext(until))) return;
    const found =
      (yield* withinLast(log, last, wanted)) ??
      (yield* probe(log, { lsn: next.lsn, end: Math.min(next.lsn + 1 + window, limit) }, wanted));
    if (found === undefined || stretch.add(yield* asFarAsWhole(log, found)) === 'stranger') return;
  }
}

/** A frame that says others again stands for them only if it is whole: a torn one would take their place and then go itself. */
function* asFarAsWhole({ g, seal }: Log, frame: Frame): ReadSteps<Frame> {
  if (frame.relogged === 0) return frame;
  const bytes = yield* readBlocks(g, frame.lsn, frame.blocks);
  return bytes && bodiesAreIntact(frame, bytes, seal) ? frame : { ...frame, relogged: 0 };
}

/**
 * A later frame inside the blocks of the last one, which then never was a part of the history, or not as it stands there. Only where
 * its bodies are gone: so a body is never taken for a frame.
 */
function* withinLast(log: Log, last: Met | undefined, wanted: Wanted): ReadSteps<Frame | undefined> {
  if (last === undefined || last.blocks === 1) return undefined;
  const bytes = yield* readBlocks(log.g, last.lsn, last.blocks);
  const frame = bytes && decodeFrame(bytes, last.lsn, log.seal);
  if (bytes && frame && bodiesAreIntact(frame, bytes, log.seal)) return undefined;
  return yield* probe(log, { lsn: last.lsn + 1, end: Math.min(last.lsn + last.blocks, wanted.endMax) }, wanted);
}

/** The first frame of [lsn, end) that is as wanted. */
function* probe(log: Log, range: { lsn: number; end: number }, wanted: Wanted): ReadSteps<Frame | undefined> {
  const { g, seal } = log;
  for (let lsn = range.lsn; lsn < range.end; lsn += g.frameBlocksMax) {
    // Into a constant first, here and below: a small engine (QuickJS) does not compile `for (… of yield* …)`.
    const starts = yield* frameStarts(log, { lsn, end: Math.min(lsn + g.frameBlocksMax, range.end) });
    for (const start of starts) {
      const frame = yield* readDirectory(g, seal, start);
      if (frame !== undefined && isWanted(frame, wanted)) return frame;
    }
  }
  return undefined;
}

function isWanted({ seq, epoch, lsn, blocks }: Frame, { seqMin, seqMax, epochMin, epochMax, endMax }: Wanted): boolean {
  return seq >= seqMin && seq <= seqMax && epoch >= epochMin && epoch <= epochMax && lsn + blocks <= endMax;
}

/**
 * The newest frame before a damaged anchor. It was durable before the anchor was written. Newest by epoch, then by number: on a medium
 * that lost writes, frames of a history that was given up may stand at higher places than it.
 */
function* newestBefore(superblock: Superblock, log: Log): ReadSteps<Frame | undefined> {
  const { geometry: g, anchorLsn, anchorSeq, epoch } = superblock;
  const wanted = { seqMin: 1, seqMax: anchorSeq - 1, epochMin: 0, epochMax: epoch, endMax: anchorLsn };
  const lowest = Math.max(g.blockCount, anchorLsn - g.blockCount + 1);
  let newest: Frame | undefined;
  for (let end = anchorLsn; end > lowest; end -= g.frameBlocksMax) {
    const starts = yield* frameStarts(log, { lsn: Math.max(lowest, end - g.frameBlocksMax), end });
    for (const lsn of starts) {
      const frame = yield* readDirectory(g, log.seal, lsn);
      if (frame !== undefined && isWanted(frame, wanted) && isNewer(frame, newest)) newest = frame;
    }
  }
  return newest;
}

function isNewer(frame: Frame, other: Frame | undefined): boolean {
  if (other === undefined || frame.epoch !== other.epoch) return frame.epoch > (other?.epoch ?? -1);
  return frame.seq > other.seq;
}

/** Blocks of [lsn, end) that look like the first of a frame that belongs there. Read in one piece. */
function* frameStarts({ g, seal }: Log, range: { lsn: number; end: number }): ReadSteps<number[]> {
  const bytes = yield* readWhatThereIs(g, range.lsn, range.end - range.lsn);
  const starts: number[] = [];
  for (let lsn = range.lsn; lsn < range.end; lsn++) {
    const at = (lsn - range.lsn) * g.blockBytes;
    if (claimedBlocks(bytes.subarray(at, at + g.blockBytes), lsn, seal) !== undefined) starts.push(lsn);
  }
  return starts;
}

/** Blocks at the end of the log that are no frame, and may have been one. Of a block that the medium does not give nobody knows. */
function* tornAt({ g, seal }: Log, lsn: number): ReadSteps<number> {
  const block = yield* readBlocks(g, lsn, 1);
  if (block === undefined) return 1;
  return (decodeFrame(block, lsn, seal) === undefined && claimedBlocks(block, lsn, seal)?.frame) || 0;
}

/** Header and directory of the frame at `lsn`, read in as few blocks as they need. */
export function* readDirectory(g: RingGeometry, seal: FrameSeal, lsn: number): ReadSteps<Frame | undefined> {
  const first = yield* readBlocks(g, lsn, 1);
  if (first === undefined) return undefined;
  const whole = decodeFrame(first, lsn, seal);
  if (whole !== undefined) return whole;
  const blocks = claimedBlocks(first, lsn, seal)?.directory ?? 1;
  if (blocks === 1) return undefined;
  const bytes = yield* readBlocks(g, lsn, blocks);
  return bytes && decodeFrame(bytes, lsn, seal);
}
