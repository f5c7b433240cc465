/**
 * A frame of the ring: one commit, one durable write, padded with zeros to whole blocks. Little-endian, unsigned.
 *
 *   off len  field
 *     0   4  magic        'RMF1'
 *     4   4  crc          of bytes 8..64+dirBytes, seeded with the file's seed
 *     8   4  epoch        never smaller than in the frame before
 *    12   1  kind         0 DATA, 1 OPEN, 2 COPIES (of what lies intact elsewhere, and nothing else)
 *    13   1  flags        bit 0 MORE (reserved: a transaction over several frames)
 *    14   2  entryCount
 *    16   8  lsn          self-address: position and lap in one
 *    24   8  seq          +1 per frame, never reset
 *    32   4  prevCrc      crc field of the frame before
 *    36   4  dirBytes     directory, 8-byte aligned entries
 *    40   4  bodyBytes    bodies, in entry order, directly behind the directory
 *    44   4  tailDelta    lsn - tail: the oldest block still needed once this frame is durable
 *    48   6  nextId       above every message id used so far
 *    54   2  relogged     OPEN: so many frames directly before it are said again in it; else 0
 *    56   6  queueTimeMs  non-decreasing along the log
 *    62   2  reserved
 *    64      directory, bodies, padding
 */
import type { Checksum } from '../crc32.ts';
import { type DirectoryEntry, decodeDirectory, encodeDirectory } from './entry-layout.ts';
import { getUint53, setUint53 } from './superblock-layout.ts';
import { getUint48, setUint48 } from './uint48.ts';

export const FRAME_HEADER_BYTES = 64;
const MAGIC = 0x31464d52;

/** The number is what stands in the file. A COPIES frame proves its predecessor as a DATA frame does. */
export const FRAME_KINDS = ['data', 'open', 'copies'] as const;
export type FrameKind = (typeof FRAME_KINDS)[number];
/** Beyond this an OPEN frame claims no more: what it says is true, only less than it could. */
export const RELOGGED_MAX = 0xffff;

export interface FrameHeader {
  readonly kind: FrameKind;
  readonly epoch: number;
  readonly lsn: number;
  readonly seq: number;
  readonly prevCrc: number;
  readonly tailLsn: number;
  readonly nextId: number;
  readonly relogged: number;
  readonly queueTimeMs: number;
}

/** A decoded frame: bodies stay where they are, `bodyOffset` of an entry counts from the frame's first byte. */
export interface Frame extends FrameHeader {
  readonly crc: number;
  readonly blocks: number;
  readonly entries: readonly DirectoryEntry[];
}

/** What identifies the file a frame belongs to. */
export interface FrameSeal {
  readonly checksum: Checksum;
  readonly seed: number;
  readonly blockBytes: number;
  readonly frameBlocksMax: number;
}

function bodyBytesOf(entries: readonly DirectoryEntry[]): number {
  let bytes = 0;
  for (const entry of entries) if (entry.kind === 'put') bytes += entry.bodyBytes;
  return bytes;
}

/** Writes a frame to the start of `into` (which holds whole blocks) and returns its blocks and its crc field. */
export function encodeFrame(
  header: FrameHeader,
  content: { entries: readonly DirectoryEntry[]; bodies: readonly Uint8Array[]; into: Uint8Array },
  seal: FrameSeal,
): { blocks: number; crc: number } {
  const { entries, bodies, into } = content;
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  const dirBytes = encodeDirectory(entries, view, FRAME_HEADER_BYTES);
  let end = FRAME_HEADER_BYTES + dirBytes;
  for (const body of bodies) {
    into.set(body, end);
    end += body.length;
  }
  const blocks = Math.ceil(end / seal.blockBytes);
  into.fill(0, end, blocks * seal.blockBytes);
  view.setUint32(0, MAGIC, true);
  view.setUint32(8, header.epoch, true);
  view.setUint8(12, FRAME_KINDS.indexOf(header.kind));
  view.setUint8(13, 0);
  view.setUint16(14, entries.length, true);
  setUint53(view, 16, header.lsn);
  setUint53(view, 24, header.seq);
  view.setUint32(32, header.prevCrc, true);
  view.setUint32(36, dirBytes, true);
  view.setUint32(40, end - FRAME_HEADER_BYTES - dirBytes, true);
  view.setUint32(44, header.lsn - header.tailLsn, true);
  setUint48(view, 48, header.nextId);
  view.setUint16(54, header.relogged, true);
  setUint48(view, 56, header.queueTimeMs);
  view.setUint16(62, 0, true);
  const crc = seal.checksum(into.subarray(8, FRAME_HEADER_BYTES + dirBytes), seal.seed);
  view.setUint32(4, crc, true);
  return { blocks, crc };
}

/** How many blocks the frame that begins here claims, or undefined where none begins. Nothing is verified but the shape. */
export function claimedBlocks(bytes: Uint8Array, lsn: number, seal: FrameSeal): { frame: number; directory: number } | undefined {
  if (bytes.length < FRAME_HEADER_BYTES || bytes[0] !== (MAGIC & 0xff)) return undefined; // most blocks end here
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MAGIC || getUint53(view, 16) !== lsn) return undefined;
  const dirEnd = FRAME_HEADER_BYTES + view.getUint32(36, true);
  const frame = Math.ceil((dirEnd + view.getUint32(40, true)) / seal.blockBytes);
  return frame <= seal.frameBlocksMax ? { frame, directory: Math.ceil(dirEnd / seal.blockBytes) } : undefined;
}

/**
 * Returns undefined for anything that is not a whole, unmodified header and directory of this file at this place.
 * Bodies are not looked at: see `bodiesAreIntact`.
 */
export function decodeFrame(bytes: Uint8Array, lsn: number, seal: FrameSeal): Frame | undefined {
  const claimed = claimedBlocks(bytes, lsn, seal);
  if (claimed === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const dirBytes = view.getUint32(36, true);
  const dirEnd = FRAME_HEADER_BYTES + dirBytes;
  const kind = FRAME_KINDS[view.getUint8(12)];
  if (dirEnd > bytes.length || kind === undefined) return undefined;
  const crc = view.getUint32(4, true);
  if (seal.checksum(bytes.subarray(8, dirEnd), seal.seed) !== crc) return undefined;
  const entries = decodeDirectory(bytes.subarray(0, dirEnd), FRAME_HEADER_BYTES, view.getUint16(14, true));
  const tailDelta = view.getUint32(44, true);
  if (entries === undefined || tailDelta > lsn || bodyBytesOf(entries) !== view.getUint32(40, true)) return undefined;
  return {
    kind,
    epoch: view.getUint32(8, true),
    lsn,
    seq: getUint53(view, 24),
    prevCrc: view.getUint32(32, true),
    tailLsn: lsn - tailDelta,
    nextId: getUint48(view, 48),
    relogged: view.getUint16(54, true),
    queueTimeMs: getUint48(view, 56),
    crc,
    blocks: claimed.frame,
    entries,
  };
}

/** True when every body of the frame, whose whole bytes are given, has its checksum. */
export function bodiesAreIntact(frame: Frame, bytes: Uint8Array, seal: FrameSeal): boolean {
  for (const entry of frame.entries) {
    if (entry.kind !== 'put') continue;
    const body = bytes.subarray(entry.bodyOffset, entry.bodyOffset + entry.bodyBytes);
    if (body.length !== entry.bodyBytes || seal.checksum(body, seal.seed) !== entry.bodyCrc) return false;
  }
  return true;
}
