/**
 * The log of a new ring file, written from its start with what another ring held: messages keep id, name, counts and times.
 *
 *   frames, one behind the other from lsn N on ─▶ both pairs of superblocks, which name the last frame as the anchor, CLEAN
 *
 * The superblocks come last: a file that was not finished is no ring, and cannot be taken for one.
 */

import type { Checksum } from '../crc32.ts';
import { RingmailError } from '../errors.ts';
import { type DirectoryEntry, entryBytes, type PutEntry } from './entry-layout.ts';
import { type FileSteps, superblockWrites, writeBlocks } from './file-steps.ts';
import { encodeFrame, type FrameSeal } from './frame-layout.ts';
import {
  bodyBytesMaxOf,
  contentBytesMaxOf,
  fileBytesOf,
  geometryFor,
  liveBytesMaxOf,
  type RingGeometry,
  SUPERBLOCK_COPIES,
} from './geometry.ts';
import { EPOCH_KEY } from './opening.ts';
import { type BootClock, COUNTER_MAX, FLAG_CLEAN, FORMAT_MAJOR, NUMBER_MAX } from './superblock-layout.ts';

export interface NewLogOptions {
  readonly geometry: RingGeometry;
  readonly fileId: Uint8Array;
  readonly checksum: Checksum;
  /** Of the newest opening of the ring this one goes on from: the next opening is one above it. */
  readonly epoch: number;
  /** No id from here on was given out there. */
  readonly nextId: number;
  readonly queueTimeMs: number;
  readonly clock?: BootClock | undefined;
  /** For errors. */
  readonly path: string;
}

/** Blocks of the largest file a size is looked for: what 48 bits of bytes hold. */
const FILE_BYTES_MAX = 2 ** 47;

export class NewLog {
  liveBytes = 0;
  messages = 0;
  metas = 0;
  readonly #options: NewLogOptions;
  readonly #seal: FrameSeal;
  readonly #buffer: Uint8Array;
  readonly #startLsn: number;
  #entries: DirectoryEntry[] = [];
  #bodies: Uint8Array[] = [];
  #contentBytes = 0;
  #hasEpoch = false;
  #lsn: number;
  #seq = 1;
  #nextId: number;
  #last: { readonly lsn: number; readonly crc: number } = { lsn: 0, crc: 0 };

  constructor(options: NewLogOptions) {
    const { geometry, fileId, checksum } = options;
    const { blockBytes, frameBlocksMax, blockCount } = geometry;
    this.#options = options;
    this.#seal = { checksum, seed: checksum(fileId, 0), blockBytes, frameBlocksMax };
    this.#buffer = new Uint8Array(frameBlocksMax * blockBytes);
    this.#startLsn = blockCount;
    this.#lsn = blockCount;
    this.#nextId = options.nextId;
  }

  /** @throws RING_TOO_SMALL, MESSAGE_TOO_LARGE */
  *put(entry: PutEntry, body: Uint8Array): FileSteps<void> {
    const bytesMax = bodyBytesMaxOf(this.#options.geometry);
    if (body.length > bytesMax) throw new RingmailError('MESSAGE_TOO_LARGE', { bytes: body.length, bytesMax });
    const bodyCrc = this.#seal.checksum(body, this.#seal.seed);
    this.#nextId = Math.max(this.#nextId, entry.id + 1);
    yield* this.#add({ ...entry, copy: false, damaged: false, bodyBytes: body.length, bodyCrc, bodyOffset: 0 }, body);
    this.messages += 1;
  }

  *meta(key: string, value: Uint8Array): FileSteps<void> {
    if (key === EPOCH_KEY) this.#hasEpoch = true;
    yield* this.#add({ kind: 'meta', key, value }, undefined);
    this.metas += 1;
  }

  /** Writes what is left, and the superblocks. */
  *finish(): FileSteps<void> {
    const { geometry, epoch, queueTimeMs, fileId, clock } = this.#options;
    if (!this.#hasEpoch) {
      const value = new Uint8Array(8);
      new DataView(value.buffer).setUint32(0, epoch, true);
      yield* this.#add({ kind: 'meta', key: EPOCH_KEY, value }, undefined);
    }
    yield* this.#flush();
    for (const generation of [0, 1]) {
      yield* superblockWrites({
        formatMajor: FORMAT_MAJOR,
        fileId,
        geometry,
        incompatible: 0,
        compatible: 0,
        generation,
        epoch,
        flags: FLAG_CLEAN,
        anchorLsn: this.#last.lsn,
        anchorSeq: this.#seq - 1,
        anchorCrc: this.#last.crc,
        nextId: this.#nextId,
        queueTimeMs,
        clock,
      });
    }
  }

  *#add(entry: DirectoryEntry, body: Uint8Array | undefined): FileSteps<void> {
    const { geometry, path } = this.#options;
    const bytes = entryBytes(entry) + (body?.length ?? 0);
    if (this.#contentBytes + bytes > contentBytesMaxOf(geometry)) yield* this.#flush();
    this.liveBytes += bytes;
    if (this.liveBytes > liveBytesMaxOf(geometry)) {
      // At least: what is still to come is not known here.
      const bytesNeeded = fileBytesFor({ liveBytes: this.liveBytes, bodyBytes: 0, blockBytes: geometry.blockBytes }) ?? 0;
      throw new RingmailError('RING_TOO_SMALL', { path, bytes: fileBytesOf(geometry), bytesNeeded });
    }
    this.#entries.push(entry);
    if (body !== undefined) this.#bodies.push(body);
    this.#contentBytes += bytes;
  }

  *#flush(): FileSteps<void> {
    if (this.#entries.length === 0) return;
    const { geometry, epoch, queueTimeMs } = this.#options;
    const { blocks, crc } = encodeFrame(
      {
        kind: 'data',
        epoch,
        lsn: this.#lsn,
        seq: this.#seq,
        prevCrc: this.#last.crc,
        tailLsn: this.#startLsn,
        nextId: this.#nextId,
        relogged: 0,
        queueTimeMs,
      },
      { entries: this.#entries, bodies: this.#bodies, into: this.#buffer },
      this.#seal,
    );
    yield* writeBlocks(geometry, this.#lsn, this.#buffer.subarray(0, blocks * geometry.blockBytes));
    this.#last = { lsn: this.#lsn, crc };
    this.#lsn += blocks;
    this.#seq += 1;
    this.#entries = [];
    this.#bodies = [];
    this.#contentBytes = 0;
  }
}

/** What a ring must be able to hold. */
export interface Load {
  readonly liveBytes: number;
  /** Of the largest body. */
  readonly bodyBytes: number;
  readonly blockBytes: number;
}

export function holds(g: RingGeometry, { liveBytes, bodyBytes }: Load): boolean {
  return liveBytesMaxOf(g) >= liveBytes && bodyBytesMaxOf(g) >= bodyBytes;
}

/** Bytes of the smallest file that holds it; undefined where none does, whatever its length. */
export function fileBytesFor(load: Load): number | undefined {
  const { blockBytes } = load;
  const fits = (blocks: number): boolean => {
    try {
      return holds(geometryFor(blocks * blockBytes, blockBytes), load);
    } catch (error) {
      if (error instanceof RingmailError) return false;
      throw error;
    }
  };
  let high = 2 * SUPERBLOCK_COPIES;
  while (!fits(high)) {
    high *= 2;
    if (high * blockBytes > FILE_BYTES_MAX) return undefined;
  }
  let low = high / 2;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle)) high = middle;
    else low = middle;
  }
  return high * blockBytes;
}

/** Counters from a file that somebody else made must leave room to go on. */
export function countersAreSane(counters: { epoch: number; nextId: number; queueTimeMs: number }): boolean {
  const { epoch, nextId, queueTimeMs } = counters;
  const isWhole = (value: number, max: number) => Number.isSafeInteger(value) && value >= 0 && value <= max;
  return isWhole(epoch, COUNTER_MAX - 1) && isWhole(nextId, NUMBER_MAX) && nextId > 0 && isWhole(queueTimeMs, NUMBER_MAX);
}
