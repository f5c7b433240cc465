/**
 * Work on the file written as straight lines without I/O: a generator that yields what it wants of the file and is resumed with
 * the answer. A read is answered with its bytes, or undefined where the medium gave none; a write is answered once it is durable.
 */
import { type RingGeometry, segmentsOf, superblockOffset } from './geometry.ts';
import { encodeSuperblock, FENCE_BYTES, type Superblock } from './superblock-layout.ts';

export type FileRequest =
  | { readonly kind: 'read'; readonly offset: number; readonly bytes: number }
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Uint8Array };
export type FileSteps<T> = Generator<FileRequest, T, Uint8Array | undefined>;

/** Whole blocks from `lsn`, across the wrap if need be; undefined where the medium gives none. */
export function* readBlocks(g: RingGeometry, lsn: number, blocks: number): FileSteps<Uint8Array | undefined> {
  const into = new Uint8Array(blocks * g.blockBytes);
  let at = 0;
  for (const segment of segmentsOf(g, { lsn, skip: 0, bytes: into.length })) {
    const bytes = yield { kind: 'read', offset: segment.offset, bytes: segment.bytes };
    if (bytes === undefined) return undefined;
    into.set(bytes, at);
    at += segment.bytes;
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

/** Makes a superblock durable in its own pair of copies. */
export function* writeSuperblock(s: Superblock): FileSteps<void> {
  for (const copy of [s.generation & 1, (s.generation & 1) + 2]) {
    yield { kind: 'write', offset: superblockOffset(s.geometry, copy), bytes: encodeSuperblock(s, copy) };
  }
}

/** What stands where another opener would write the next superblock: any change of it means that we are not alone. */
export function* readFence(s: Superblock): FileSteps<{ offset: number; bytes: Uint8Array } | undefined> {
  const offset = superblockOffset(s.geometry, (s.generation + 1) & 1);
  const bytes = yield { kind: 'read', offset, bytes: FENCE_BYTES };
  return bytes && { offset, bytes: bytes.slice() };
}

/** The writes that make a zeroed file a ring: two generations, so that all four copies exist. */
export function* formatRing(geometry: RingGeometry, fileId: Uint8Array): FileSteps<void> {
  for (const generation of [0, 1]) {
    yield* writeSuperblock({
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
    });
  }
}
