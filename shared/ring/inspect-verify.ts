/**
 * Everything in the log of a ring is read and checked; what is wrong is told with its place and with what it costs.
 *
 *   superblocks   each copy whole, in its place, zeros behind it
 *   log           from the tail to the end: no frame missing, chained by number, checksum, epoch, next id and queue time
 *   frames        bodies against their checksums, zeros to the end of the block
 *   behind        no frame of this history behind the end of the log, which an opening would never reach
 *
 * A torn frame at the end is no damage: it is what a power cut leaves, and was never acknowledged. A ring that is written to
 * meanwhile is read again; wrong is what is wrong each time.
 */
import { decodeDirectory, type PutEntry } from './entry-layout.ts';
import { type ReadSteps, readBlocks, readWhatThereIs } from './file-steps.ts';
import { claimedBlocks, decodeFrame, FRAME_HEADER_BYTES, type Frame } from './frame-layout.ts';
import { blockOffset, readSuperblockCopies } from './inspect-superblocks.ts';
import { type FrameNote, hasMoved, type RingSource, type RingView, readView, VIEWS_MAX } from './inspect-view.ts';
import type { Gap } from './log-stretch.ts';
import { NO_SLOT } from './message-index.ts';
import { scanFrames } from './salvage-scan.ts';
import { SUPERBLOCK_BYTES } from './superblock-layout.ts';

/** Which bodies are checked. */
export const BODY_CHOICES = ['all', 'live', 'none'] as const;
export type BodyChoice = (typeof BODY_CHOICES)[number];

export type ProblemCode =
  /** A copy of the superblock is not whole. The others hold; it is written anew with the generations to come. */
  | 'SUPERBLOCK_DAMAGED'
  /** Frames of the log cannot be read: what they said is lost. */
  | 'FRAMES_MISSING'
  /** Frames of this history lie behind the end of the log: opening stops before them. */
  | 'FRAMES_UNREACHED'
  /** The body of a message is not what was stored. */
  | 'BODY_DAMAGED'
  /** The same, found by cleaning earlier, and moved as such. */
  | 'BODY_KNOWN_DAMAGED'
  /** The same, of a message that is not there any more. Costs nothing. */
  | 'DEAD_BODY_DAMAGED'
  /** Something stands where zeros belong. Costs nothing. */
  | 'PADDING_NOT_ZERO'
  /** A frame names another predecessor than the one that is there. */
  | 'CHAIN_BROKEN'
  | 'EPOCH_FELL'
  | 'NEXT_ID_FELL'
  | 'QUEUE_TIME_FELL'
  /** A frame brings a message whose id it says was not given out yet. */
  | 'ID_OUT_OF_RANGE';

export interface MessageName {
  readonly id: number;
  readonly queue: number;
  readonly stream: number;
  readonly number: number;
}

/** What damage costs, as far as that can be known. */
export interface Lost {
  readonly frames?: number;
  /** Ids given out in what is lost, that nothing else shows. */
  readonly ids?: { readonly from: number; readonly to: number; readonly count: number };
  readonly messages?: readonly MessageName[];
  readonly metas?: readonly string[];
  /** `claimed`: as the damaged place itself says, which need not be true. */
  readonly said?: 'claimed';
}

export interface Problem {
  readonly code: ProblemCode;
  /** Undefined in a superblock. */
  readonly lsn?: number;
  /** In the file, in bytes. */
  readonly offset: number;
  readonly bytes: number;
  readonly lost: Lost;
}

export interface Verification {
  readonly reading: 'still' | 'moved';
  readonly problems: readonly Problem[];
  readonly frames: number;
  readonly blocks: number;
  readonly messages: number;
  readonly bodiesChecked: number;
  readonly tornBlocks: number;
}

/** @throws RING_FOREIGN, RING_TOO_NEW, RING_TRUNCATED */
export function* verifyRing(source: RingSource, bodies: BodyChoice): ReadSteps<Verification> {
  let problems: readonly Problem[] | undefined;
  for (let views = 1; ; views++) {
    const view = yield* readView(source);
    const check = new Check(view, bodies);
    yield* check.run();
    const moved = yield* hasMoved(view);
    problems = moved
      ? (problems ?? check.problems).filter((one) => check.problems.some((two) => isSame(one, two)))
      : check.problems;
    if (moved && problems.length > 0 && views < VIEWS_MAX) continue;
    return {
      reading: moved ? 'moved' : 'still',
      problems,
      frames: view.frames.length,
      blocks: view.frames.reduce((blocks, frame) => blocks + frame.blocks, 0),
      messages: view.contents.index.count,
      bodiesChecked: check.bodiesChecked,
      tornBlocks: view.found.tornBlocks,
    };
  }
}

function isSame(a: Problem, b: Problem): boolean {
  return a.code === b.code && a.lsn === b.lsn && a.offset === b.offset;
}

class Check {
  readonly problems: Problem[] = [];
  bodiesChecked = 0;
  readonly #view: RingView;
  readonly #bodies: BodyChoice;

  constructor(view: RingView, bodies: BodyChoice) {
    this.#view = view;
    this.#bodies = bodies;
  }

  *run(): ReadSteps<void> {
    yield* this.#superblocks();
    for (const gap of this.#view.found.gaps) yield* this.#gap(gap);
    let before: FrameNote | undefined;
    for (const note of this.#view.frames) {
      this.#chain(before, note);
      before = note;
      yield* this.#frame(note);
    }
    yield* this.#behind();
  }

  get #g() {
    return this.#view.found.superblock.geometry;
  }

  *#superblocks(): ReadSteps<void> {
    for (const { offset, state, padding } of yield* readSuperblockCopies(this.#g)) {
      const { blockBytes } = this.#g;
      if (state !== 'whole') this.problems.push({ code: 'SUPERBLOCK_DAMAGED', offset, bytes: SUPERBLOCK_BYTES, lost: {} });
      else if (padding !== 'zeros') {
        const at = { offset: offset + SUPERBLOCK_BYTES, bytes: blockBytes - SUPERBLOCK_BYTES };
        this.problems.push({ code: 'PADDING_NOT_ZERO', ...at, lost: {} });
      }
    }
  }

  /** What lay in a gap: ids by the frames around it, names by what is left of the first frame in it. */
  *#gap({ lsn, blocks, framesLost, idsLost }: Gap): ReadSteps<void> {
    const { frames } = this.#view;
    const before = frames.filter((frame) => frame.lsn < lsn).at(-1);
    const after = frames.find((frame) => frame.lsn >= lsn + blocks);
    const ids =
      idsLost > 0 && before && after ? { from: before.nextId, to: before.nextId + idsLost - 1, count: idsLost } : undefined;
    const claims = yield* this.#claimsOf(lsn);
    this.problems.push({
      code: 'FRAMES_MISSING',
      lsn,
      offset: blockOffset(this.#g, lsn),
      bytes: blocks * this.#g.blockBytes,
      lost: { frames: framesLost, ...(ids && { ids }), ...claims },
    });
  }

  *#claimsOf(lsn: number): ReadSteps<Lost> {
    const g = this.#g;
    const { seal } = this.#view.found;
    const first = yield* readBlocks(g, lsn, 1);
    const claimed = first && claimedBlocks(first, lsn, seal);
    if (first === undefined || claimed === undefined) return {};
    const bytes = claimed.directory === 1 ? first : yield* readWhatThereIs(g, lsn, claimed.directory);
    const header = new DataView(first.buffer, first.byteOffset, first.byteLength);
    const dirEnd = FRAME_HEADER_BYTES + header.getUint32(36, true);
    const entries = decodeDirectory(bytes.subarray(0, dirEnd), FRAME_HEADER_BYTES, header.getUint16(14, true));
    if (entries === undefined) return {};
    const messages = entries.flatMap((entry) => (entry.kind === 'put' ? [nameOf(entry)] : []));
    const metas = entries.flatMap((entry) => (entry.kind === 'meta' ? [entry.key] : []));
    return { ...(messages.length > 0 && { messages }), ...(metas.length > 0 && { metas }), said: 'claimed' };
  }

  #chain(before: FrameNote | undefined, frame: FrameNote): void {
    if (before === undefined) return;
    const add = (code: ProblemCode) => this.problems.push({ code, ...this.#placeOf(frame), lost: {} });
    if (frame.seq === before.seq + 1 && frame.prevCrc !== before.crc) add('CHAIN_BROKEN');
    if (frame.epoch < before.epoch) add('EPOCH_FELL');
    if (frame.nextId < before.nextId) add('NEXT_ID_FELL');
    if (frame.queueTimeMs < before.queueTimeMs) add('QUEUE_TIME_FELL');
  }

  #placeOf({ lsn, blocks }: FrameNote): { lsn: number; offset: number; bytes: number } {
    return { lsn, offset: blockOffset(this.#g, lsn), bytes: blocks * this.#g.blockBytes };
  }

  *#frame(note: FrameNote): ReadSteps<void> {
    const g = this.#g;
    const { seal } = this.#view.found;
    const bytes = yield* readWhatThereIs(g, note.lsn, note.blocks);
    const frame = decodeFrame(bytes, note.lsn, seal);
    if (frame === undefined) {
      // It was readable a moment ago.
      this.problems.push({ code: 'FRAMES_MISSING', ...this.#placeOf(note), lost: { frames: 1 } });
      return;
    }
    for (const entry of frame.entries) if (entry.kind === 'put') this.#body(frame, entry, bytes);
    const end = contentEndOf(bytes);
    const stray = bytes.findIndex((byte, at) => at >= end && byte !== 0);
    if (stray >= 0) {
      const offset = blockOffset(g, note.lsn + Math.floor(stray / g.blockBytes)) + (stray % g.blockBytes);
      this.problems.push({ code: 'PADDING_NOT_ZERO', lsn: note.lsn, offset, bytes: bytes.length - stray, lost: {} });
    }
  }

  #body(frame: Frame, entry: PutEntry, bytes: Uint8Array): void {
    const { index } = this.#view.contents;
    const { seal } = this.#view.found;
    const slot = index.find(entry.id);
    const isLive = slot !== NO_SLOT && index.lsn(slot) === frame.lsn && index.bodyOffset(slot) === entry.bodyOffset;
    const start = frame.lsn + Math.floor(entry.bodyOffset / this.#g.blockBytes);
    const offset = blockOffset(this.#g, start) + (entry.bodyOffset % this.#g.blockBytes);
    const place = { lsn: frame.lsn, offset, bytes: entry.bodyBytes };
    const lost = { messages: [nameOf(entry)] };
    if (entry.id >= frame.nextId) this.problems.push({ code: 'ID_OUT_OF_RANGE', ...place, lost: {} });
    if (isLive && entry.damaged) this.problems.push({ code: 'BODY_KNOWN_DAMAGED', ...place, lost });
    if (this.#bodies === 'none' || (this.#bodies === 'live' && !isLive)) return;
    this.bodiesChecked += 1;
    const body = bytes.subarray(entry.bodyOffset, entry.bodyOffset + entry.bodyBytes);
    if (seal.checksum(body, seal.seed) === entry.bodyCrc) return;
    this.problems.push(isLive ? { code: 'BODY_DAMAGED', ...place, lost } : { code: 'DEAD_BODY_DAMAGED', ...place, lost: {} });
  }

  /** A gap longer than an opening looks ahead ends its log there. What lies behind it is told here. */
  *#behind(): ReadSteps<void> {
    const { found } = this.#view;
    const { endLsn, nextSeq, last } = found;
    const tailLsn = Math.min(last?.tailLsn ?? endLsn, endLsn);
    const behind: Frame[] = [];
    const range = { lsn: endLsn, blocks: this.#g.blockCount - (endLsn - tailLsn) };
    let first: Frame | undefined;
    let frames = 0;
    yield* scanFrames({ g: this.#g, seal: found.seal }, range, ({ frame, isWhole }) => {
      if (!isWhole || frame.seq < nextSeq || frame.lsn < endLsn || frame.epoch < (last?.epoch ?? 0)) return;
      first ??= frame;
      frames += 1;
      if (behind.length < BEHIND_FRAMES_MAX) behind.push(frame);
    });
    if (first === undefined) return;
    const entries = behind.flatMap((frame) => frame.entries);
    this.problems.push({
      code: 'FRAMES_UNREACHED',
      lsn: first.lsn,
      offset: blockOffset(this.#g, first.lsn),
      bytes: this.#g.blockBytes,
      lost: {
        frames,
        messages: entries.flatMap((entry) => (entry.kind === 'put' && !entry.copy ? [nameOf(entry)] : [])),
        metas: [...new Set(entries.flatMap((entry) => (entry.kind === 'meta' ? [entry.key] : [])))],
      },
    });
  }
}

/** Header, directory and bodies of a frame that was decoded, in bytes, as its header says. */
function contentEndOf(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return FRAME_HEADER_BYTES + view.getUint32(36, true) + view.getUint32(40, true);
}

/** Frames behind the end whose messages are named; the others are only counted. */
const BEHIND_FRAMES_MAX = 64;

function nameOf({ id, queue, stream, number }: PutEntry): MessageName {
  return { id, queue, stream, number };
}
