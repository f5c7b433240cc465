/**
 * Work on the file written as straight lines without I/O: a generator that yields what it wants of the file and is resumed with
 * the answer. A read is answered with its bytes, or undefined where the medium gave none; a write is answered once it is durable.
 */
import { concatBytes } from '../bytes.ts';
import type { Fence } from '../ports.ts';
import { type RingGeometry, segmentsOf, superblockOffset } from './geometry.ts';
import { encodeSuperblock, FENCE_BYTES, type Superblock } from './superblock-layout.ts';

export interface ReadRequest {
  readonly kind: 'read';
  readonly offset: number;
  readonly bytes: number;
}
export interface WriteRequest {
  readonly kind: 'write';
  readonly offset: number;
  readonly bytes: Uint8Array;
}
export type FileRequest = ReadRequest | WriteRequest;
export type FileSteps<T> = Generator<FileRequest, T, Uint8Array | undefined>;
/** Steps that only read: these may run beside a write. */
export type ReadSteps<T> = Generator<ReadRequest, T, Uint8Array | undefined>;

/** A medium that gave nothing is asked once more before it is believed. */
const READ_ATTEMPTS = 2;

/** A range of the ring, across its wrap if need be; undefined where the medium gives none. */
export function* readRange(g: RingGeometry, at: { lsn: number; skip: number; bytes: number }): ReadSteps<Uint8Array | undefined> {
  const parts: Uint8Array[] = [];
  for (const segment of segmentsOf(g, at)) {
    let bytes: Uint8Array | undefined;
    for (let attempt = 0; attempt < READ_ATTEMPTS && bytes === undefined; attempt++) {
      bytes = yield { kind: 'read', offset: segment.offset, bytes: segment.bytes };
    }
    if (bytes === undefined) return undefined;
    parts.push(bytes);
  }
  return parts.length === 1 ? parts[0] : concatBytes(parts);
}

/** Whole blocks from `lsn`; undefined where the medium gives none. */
export function readBlocks(g: RingGeometry, lsn: number, blocks: number): ReadSteps<Uint8Array | undefined> {
  return readRange(g, { lsn, skip: 0, bytes: blocks * g.blockBytes });
}

/** Whole blocks from `lsn`, with zeros for those the medium does not give: a bad block costs what lies in it, not its neighbours. */
export function* readWhatThereIs(g: RingGeometry, lsn: number, blocks: number): ReadSteps<Uint8Array> {
  const whole = yield* readBlocks(g, lsn, blocks);
  if (whole !== undefined) return whole;
  const into = new Uint8Array(blocks * g.blockBytes);
  for (let i = 0; i < blocks; i++) {
    const block = yield* readBlocks(g, lsn + i, 1);
    if (block !== undefined) into.set(block, i * g.blockBytes);
  }
  return into;
}

/** Makes `bytes` durable from block `lsn` on. */
export function* writeBlocks(g: RingGeometry, lsn: number, bytes: Uint8Array): FileSteps<void> {
  let at = 0;
  for (const segment of segmentsOf(g, { lsn, skip: 0, bytes: bytes.length })) {
    yield { kind: 'write', offset: segment.offset, bytes: bytes.subarray(at, at + segment.bytes) };
    at += segment.bytes;
  }
}

/** The two writes, one after the other, that make a superblock durable in its own pair of copies. */
export function superblockWrites(s: Superblock): WriteRequest[] {
  return [s.generation & 1, (s.generation & 1) + 2].map((copy) => {
    return { kind: 'write', offset: superblockOffset(s.geometry, copy), bytes: encodeSuperblock(s, copy) };
  });
}

/**
 * What stands where any opener writes its superblocks, at the front of the file: a change that is not ours means that we are not
 * alone. Undefined where the medium gives nothing to compare with.
 */
export function* readFence(g: RingGeometry): ReadSteps<Fence | undefined> {
  const bytes = yield { kind: 'read', offset: 0, bytes: g.blockBytes + FENCE_BYTES };
  return bytes && { offset: 0, bytes: bytes.slice() };
}

/** The fence once `write` is durable. */
export function fenceAfter(fence: Fence | undefined, write: WriteRequest): Fence | undefined {
  if (fence === undefined || write.offset >= fence.offset + fence.bytes.length) return fence;
  const bytes = fence.bytes.slice();
  const from = write.offset - fence.offset;
  bytes.set(write.bytes.subarray(0, bytes.length - from), from);
  return { offset: fence.offset, bytes };
}

/** The writes that make a zeroed file a ring: two generations, so that all four copies exist. */
export function* formatRing(geometry: RingGeometry, fileId: Uint8Array): FileSteps<void> {
  for (const generation of [0, 1]) {
    yield* superblockWrites({
      formatMajor: 1,
      fileId,
      geometry,
      incompatible: 0,
      compatible: 0,
      generation,
      epoch: 0,
      flags: 0,
      anchorLsn: geometry.blockCount,
      anchorSeq: 1,
      anchorCrc: 0,
      nextId: 1,
      queueTimeMs: 0,
      clock: undefined,
    });
  }
}
