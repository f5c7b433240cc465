/**
 * A superblock copy: the first 256 bytes of its block, the rest zero. Little-endian, unsigned.
 *
 *   off len  field
 *     0   8  magic            89 52 4D 52 0D 0A 1A 0A
 *     8   4  crc              CRC-32 of bytes 12..255
 *    12   2  formatMajor      another major is refused
 *    14   2  formatMinor
 *    16  16  fileId           random; its CRC-32 seeds every other checksum of the file
 *    32   4  blockBytes       B
 *    36   4  frameBlocksMax   Fmax
 *    40   8  blockCount       N
 *    48   4  incompatible     feature bits; an unknown one is refused
 *    52   4  compatible       feature bits; unknown ones are kept
 *    56   4  generation       +1 per update; the highest valid copy wins
 *    60   4  copy             0..3
 *    64   4  epoch            counter of openings
 *    68   4  flags            bit 0 CLEAN, bit 1 ENCRYPTED
 *    72   8  anchorLsn        a frame that was durable before this superblock was written
 *    80   8  anchorSeq
 *    88   4  anchorCrc        its header checksum
 *    92   2  livePermille     u
 *    94   2  cleanDivisor
 *    96   8  nextId           floor
 *   104   8  queueTimeMs
 *   112   8  reserved for a wall clock
 *   120   8  bootMs           milliseconds since the machine booted, at queueTimeMs
 *   128  16  bootId           which boot that was; zeros: not known
 *   144  48  reserved for encryption at rest (kdf id, salt, key check)
 *   192  64  reserved, zero
 *
 * Generation g lies in copies {g & 1, (g & 1) + 2}: one at each end of the file. The other pair is untouched, so a torn update
 * loses nothing, and an opener that is not us betrays itself by changing a copy at the front of the file (the fence).
 */
import { crc32 } from '../crc32.ts';
import type { RingGeometry } from './geometry.ts';

export const SUPERBLOCK_BYTES = 256;
/** The part of a superblock that the fence compares before each write: its checksum, and everything up to the epoch. */
export const FENCE_BYTES = 72;
export const FORMAT_MAJOR = 1;
export const FLAG_CLEAN = 1;
/** Epoch and generation have 32 bits and never wrap: a file that has used them up is copied into a new one. */
export const COUNTER_MAX = 0xffff_ffff;
/** LSN, sequence, message id and queue time have 48 bits wherever they are kept. */
export const NUMBER_MAX = 2 ** 48 - 1;

const MAGIC = [0x89, 0x52, 0x4d, 0x52, 0x0d, 0x0a, 0x1a, 0x0a];

export interface Superblock {
  readonly formatMajor: number;
  readonly fileId: Uint8Array;
  readonly geometry: RingGeometry;
  readonly incompatible: number;
  readonly compatible: number;
  readonly generation: number;
  readonly epoch: number;
  readonly flags: number;
  readonly anchorLsn: number;
  readonly anchorSeq: number;
  readonly anchorCrc: number;
  readonly nextId: number;
  readonly queueTimeMs: number;
  /** The clock beside which queue time stood at `queueTimeMs`; undefined where nobody knew. */
  readonly clock: BootClock | undefined;
}

/** A clock that does not stop while a process is down, but starts anew with the machine. */
export interface BootClock {
  /** 16 bytes, not all zero. */
  readonly bootId: Uint8Array;
  /** Since that boot, whole milliseconds. */
  readonly bootMs: number;
}

/** One copy, padded to a block. */
export function encodeSuperblock(s: Superblock, copy: number): Uint8Array {
  const bytes = new Uint8Array(s.geometry.blockBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, 0);
  view.setUint16(12, s.formatMajor, true);
  bytes.set(s.fileId, 16);
  view.setUint32(32, s.geometry.blockBytes, true);
  view.setUint32(36, s.geometry.frameBlocksMax, true);
  setUint53(view, 40, s.geometry.blockCount);
  view.setUint32(48, s.incompatible, true);
  view.setUint32(52, s.compatible, true);
  view.setUint32(56, s.generation, true);
  view.setUint32(60, copy, true);
  view.setUint32(64, s.epoch, true);
  view.setUint32(68, s.flags, true);
  setUint53(view, 72, s.anchorLsn);
  setUint53(view, 80, s.anchorSeq);
  view.setUint32(88, s.anchorCrc, true);
  view.setUint16(92, s.geometry.livePermille, true);
  view.setUint16(94, s.geometry.cleanDivisor, true);
  setUint53(view, 96, s.nextId);
  setUint53(view, 104, s.queueTimeMs);
  if (s.clock !== undefined) {
    setUint53(view, 120, s.clock.bootMs);
    bytes.set(s.clock.bootId, 128);
  }
  view.setUint32(8, crc32(bytes.subarray(12, SUPERBLOCK_BYTES), 0), true);
  return bytes;
}

/**
 * Returns undefined for anything that is not a whole, unmodified superblock copy, of whatever version. `copy` is which of the four it
 * says it is.
 */
export function decodeSuperblock(bytes: Uint8Array): (Superblock & { readonly copy: number }) | undefined {
  if (bytes.length < SUPERBLOCK_BYTES || !MAGIC.every((byte, i) => bytes[i] === byte)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(8, true) !== crc32(bytes.subarray(12, SUPERBLOCK_BYTES), 0)) return undefined;
  return {
    formatMajor: view.getUint16(12, true),
    fileId: bytes.slice(16, 32),
    geometry: {
      blockBytes: view.getUint32(32, true),
      frameBlocksMax: view.getUint32(36, true),
      blockCount: getUint53(view, 40),
      livePermille: view.getUint16(92, true),
      cleanDivisor: view.getUint16(94, true),
    },
    incompatible: view.getUint32(48, true),
    compatible: view.getUint32(52, true),
    generation: view.getUint32(56, true),
    copy: view.getUint32(60, true),
    epoch: view.getUint32(64, true),
    flags: view.getUint32(68, true),
    anchorLsn: getUint53(view, 72),
    anchorSeq: getUint53(view, 80),
    anchorCrc: view.getUint32(88, true),
    nextId: getUint53(view, 96),
    queueTimeMs: getUint53(view, 104),
    clock: decodeClock(view, bytes.slice(128, 144)),
  };
}

function decodeClock(view: DataView, bootId: Uint8Array): BootClock | undefined {
  return bootId.every((byte) => byte === 0) ? undefined : { bootId, bootMs: getUint53(view, 120) };
}

/** Eight bytes, of which a double holds 53 bits exactly. */
export function setUint53(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000), true);
}

export function getUint53(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * 0x1_0000_0000 + view.getUint32(offset, true);
}
