/**
 * Writes the log of an open ring: frames at the head, and the anchor that says where the next recovery starts. Knows everything that
 * a frame's header says, and nothing of what is in the frame.
 */
import { invariant } from '../assert.ts';
import { equalBytes } from '../bytes.ts';
import { RingmailError } from '../errors.ts';
import type { FileIo } from './file-io.ts';
import { type FileSteps, fenceAfter, readFence, superblockWrites, writeBlocks } from './file-steps.ts';
import type { FrameContent } from './frame-content.ts';
import { encodeFrame, type FrameKind, type FrameSeal } from './frame-layout.ts';
import type { RingGeometry } from './geometry.ts';
import type { LiveSet } from './live-set.ts';
import type { Recovered } from './recovery.ts';
import { frameShare } from './reserve.ts';
import {
  type BootClock,
  COUNTER_MAX,
  decodeSuperblock,
  NUMBER_MAX,
  SUPERBLOCK_BYTES,
  type Superblock,
} from './superblock-layout.ts';

/** Superblocks that one opening may write before it must be opened anew to be counted again. */
const GENERATIONS_PER_OPENING = 0x100_0000;
/** Blocks behind the anchor that recovery may have to look through, however short the log. An anchor costs two blocks: 0.2 %. */
const ANCHOR_LAG_BLOCKS = 1024;
/** Blocks, frames, messages or milliseconds that one opening may use up: 34 years, if each takes a millisecond. */
const NUMBERS_PER_OPENING = 2 ** 40;

interface LogShell {
  readonly io: FileIo;
  readonly path: string;
  readonly epochRandom: number;
  readonly clock: BootClock | undefined;
}

export class LogWriter {
  readonly live: LiveSet;
  readonly seal: FrameSeal;
  readonly epoch: { readonly counter: number; readonly random: number };
  framesWritten = 0;
  blocksWritten = 0;
  lastFrame: { lsn: number; crc: number };
  /** Below this nothing is needed by the last proven frame (I1). */
  durableTailLsn: number;
  readonly #io: FileIo;
  /** The OPEN frame leaves the log readable from here on: the gaps in it are not on record yet. */
  readonly #gapsFromLsn: number;
  /** As large as the largest frame so far needed: most rings never write one of Fmax blocks. */
  #frameBuffer = new Uint8Array(0);
  #superblock: Superblock;
  #seq: number;
  #nextId: number;
  #queueTimeMs: number;
  #clockOffsetMs: number | undefined;
  /** How far the machine's clock is ahead of queue time: the same as long as this opening lasts. */
  readonly #bootAhead: { readonly bootId: Uint8Array; readonly aheadMs: number } | undefined;

  /** @throws RING_WORN_OUT */
  constructor(found: Recovered, live: LiveSet, shell: LogShell) {
    const { superblock, last } = found;
    const epoch = Math.max(superblock.epoch, last?.epoch ?? 0) + 1;
    const counter = Math.max(epoch, superblock.generation + GENERATIONS_PER_OPENING);
    if (counter > COUNTER_MAX) throw new RingmailError('RING_WORN_OUT', { path: shell.path, counter, counterMax: COUNTER_MAX });
    const nextId = Math.max(superblock.nextId, last?.nextId ?? 1);
    const queueTimeMs = Math.max(superblock.queueTimeMs + sinceMs(superblock.clock, shell.clock), last?.queueTimeMs ?? 0);
    const highest = NUMBERS_PER_OPENING + Math.max(found.endLsn, found.nextSeq, nextId, queueTimeMs);
    if (highest > NUMBER_MAX) {
      throw new RingmailError('RING_WORN_OUT', { path: shell.path, counter: highest, counterMax: NUMBER_MAX });
    }
    this.live = live;
    this.seal = found.seal;
    this.epoch = { counter: epoch, random: shell.epochRandom };
    this.lastFrame = { lsn: last?.lsn ?? 0, crc: last?.crc ?? 0 };
    this.durableTailLsn = Math.min(found.durableTailLsn, live.log.tailLsn);
    this.#io = shell.io;
    this.#gapsFromLsn = Math.max(found.gapsFromLsn, this.durableTailLsn);
    this.#superblock = superblock;
    this.#seq = found.nextSeq;
    this.#nextId = nextId;
    this.#queueTimeMs = queueTimeMs;
    this.#bootAhead = shell.clock && { bootId: shell.clock.bootId, aheadMs: shell.clock.bootMs - queueTimeMs };
  }

  get geometry(): RingGeometry {
    return this.#superblock.geometry;
  }

  get freeBlocks(): number {
    return this.geometry.blockCount - (this.live.log.headLsn - this.durableTailLsn);
  }

  /** Messages ever given an id in this ring. */
  get idsGiven(): number {
    return this.#nextId - 1;
  }

  nextId(): number {
    return this.#nextId++;
  }

  checksum(bytes: Uint8Array): number {
    return this.seal.checksum(bytes, this.seal.seed);
  }

  /** Queue time: monotonic milliseconds, continued across openings. */
  queueTime(nowMs: number): number {
    this.#clockOffsetMs ??= this.#queueTimeMs - nowMs;
    this.#queueTimeMs = Math.max(this.#queueTimeMs, Math.floor(nowMs + this.#clockOffsetMs));
    return this.#queueTimeMs;
  }

  get queueTimeMs(): number {
    return this.#queueTimeMs;
  }

  get #clock(): BootClock | undefined {
    const ahead = this.#bootAhead;
    return ahead && { bootId: ahead.bootId, bootMs: Math.max(0, this.#queueTimeMs + ahead.aheadMs) };
  }

  /** From here on every write fails that another opener's superblock stands in the way of. @throws RING_LOCKED when one does already */
  *raiseFence(path: string): FileSteps<void> {
    const known = this.#superblock;
    const fence = yield* readFence(known.geometry);
    for (const offset of [0, known.geometry.blockBytes]) {
      const bytes = yield { kind: 'read', offset, bytes: SUPERBLOCK_BYTES };
      const newer = bytes && decodeSuperblock(bytes);
      // A copy that does not say of itself that it belongs here went astray: it is nobody's.
      const isInPlace = newer !== undefined && newer.copy * known.geometry.blockBytes === offset;
      if (isInPlace && newer.generation > known.generation) {
        throw new RingmailError('RING_LOCKED', { path, owner: 'another process, which opened it just now' });
      }
    }
    this.#io.fence = fence;
  }

  /** Encodes and writes a frame. Liveness is planned at once; the tail in its header is the one after it. */
  *writeFrame(kind: FrameKind, content: FrameContent, relogged = 0): FileSteps<void> {
    const { geometry } = this;
    const { log } = this.live;
    const lsn = log.headLsn;
    content.placeBodies();
    const { entries, bodies } = content;
    const frameBlocks = Math.ceil(content.bytes / geometry.blockBytes);
    if (this.#frameBuffer.length < frameBlocks * geometry.blockBytes) {
      this.#frameBuffer = new Uint8Array(frameBlocks * geometry.blockBytes);
    }
    // With the reserve short the tail must move: room comes before the record of what is lost.
    const isShort = frameShare(geometry, this.freeBlocks - frameBlocks).batches !== 'all';
    log.extend(frameBlocks);
    this.live.plan(entries, lsn);
    log.advance();
    const neededFromLsn = content.place === 'free' ? this.durableTailLsn : log.tailLsn;
    invariant(log.headLsn - geometry.blockCount <= neededFromLsn, 'I1: a needed block would be overwritten');
    const header = {
      kind,
      epoch: this.epoch.counter,
      lsn,
      seq: this.#seq,
      prevCrc: this.lastFrame.crc,
      tailLsn: Math.min(log.tailLsn, lsn, kind === 'open' && !isShort ? this.#gapsFromLsn : lsn),
      nextId: this.#nextId,
      relogged,
      queueTimeMs: this.#queueTimeMs,
    };
    const { blocks, crc } = encodeFrame(header, { entries, bodies, into: this.#frameBuffer }, this.seal);
    yield* writeBlocks(geometry, lsn, this.#frameBuffer.subarray(0, blocks * geometry.blockBytes));
    this.#seq += 1;
    this.lastFrame = { lsn, crc };
    this.durableTailLsn = header.tailLsn;
    this.framesWritten += 1;
    this.blocksWritten += blocks;
  }

  /** The anchor may lag: it only bounds how far recovery walks. It never points at a frame about to be overwritten. */
  get anchorIsFar(): boolean {
    const { log } = this.live;
    const lag = log.headLsn - this.#superblock.anchorLsn;
    return lag > Math.min(this.geometry.blockCount / 4, Math.max(ANCHOR_LAG_BLOCKS, (log.headLsn - log.tailLsn) / 2));
  }

  /** Makes the last frame, which is durable, the place where the next recovery starts. */
  *writeAnchor(flags: number): FileSteps<void> {
    const old = this.#superblock;
    const next: Superblock = {
      ...old,
      generation: old.generation + 1,
      epoch: this.epoch.counter,
      flags,
      anchorLsn: this.lastFrame.lsn,
      anchorSeq: this.#seq - 1,
      anchorCrc: this.lastFrame.crc,
      nextId: this.#nextId,
      queueTimeMs: this.#queueTimeMs,
      clock: this.#clock,
    };
    for (const write of superblockWrites(next)) {
      yield write;
      this.#io.fence = fenceAfter(this.#io.fence, write);
    }
    this.#superblock = next;
  }
}

/** Time from one reading of the machine's clock to another; none where it started anew between them, or nobody knows. */
function sinceMs(then: BootClock | undefined, now: BootClock | undefined): number {
  if (then === undefined || now === undefined || !equalBytes(then.bootId, now.bootId)) return 0;
  return Math.max(0, now.bootMs - then.bootMs);
}
