/**
 * Entries of a frame's directory, each padded to 8 bytes. Little-endian, unsigned. Byte 0 is the type.
 *
 *   PUT    64 B   0 type 1        1 priority (bits 0..2), bit 3 COPY, bit 4 encrypted (reserved), bit 5 DAMAGED,
 *                                 bit 6 ATTENDED, bit 7 SHARED
 *                 2 deliveryCount u16    4 queue u32      8 id u48, from 1      14 moveCount u16
 *                16 bodyBytes u32       20 bodyCrc u32 (seeded)
 *                24 stream u32          28 epoch counter u32           32 epoch random u32
 *                36 SHARED: bits 0..15 of id - holder's id, else 0; itself the holder: 0
 *                38 number u48          44 storedAt u48 (queue time)   50 expiresAt u48 (0 never)
 *                56 notBefore u48       62 SHARED: bits 16..31 of that, else 0
 *   ACK     8 B   0 type 2        1 reason               2 id u48
 *   ACKR   16 B   0 type 3        1 reason               2 first id u48      8 count u32      12 reserved u32
 *                 count is 2 to 65,535
 *   STATE  24 B   0 type 4        1 priority             2 deliveryCount u16  4 queue u32
 *                 8 id u48       14 moveCount u16       16 notBefore u48     22 reserved u16
 *                 priority is for who inspects a file; it is not read. queue is where the message is from now on: another one
 *                 than before where it was moved; 0, or of a message in queue 0, moves nothing
 *   META    8 B + key + value     0 type 6    1 bit 0 tombstone    2 keyBytes u16    4 valueBytes u32
 *                 8 key (UTF-8), value; both in the directory, so that recovery never reads a body
 *   128..255      skipped by their length (u16 at 2), so that an older reader survives a newer note
 */
import { invariant } from '../assert.ts';
import { fromUtf8, toUtf8, utf8Bytes } from '../bytes.ts';
import { getUint48, setUint48 } from './uint48.ts';

export interface PutEntry {
  readonly kind: 'put';
  readonly id: number;
  readonly queue: number;
  readonly priority: number;
  readonly copy: boolean;
  /** The body is not what was stored any more: cleaning found it so. Its checksum is that of the bytes that are there. */
  readonly damaged: boolean;
  /** Somebody is to be told how it ends: what has to be known for that is read from its body. */
  readonly attended?: true | undefined;
  /** SHARED: the id of the message that keeps its body for it and for others; its own where it is that one (docs/ring-file.md, "Shared bodies"). */
  readonly holder?: number | undefined;
  readonly deliveryCount: number;
  /** Times it was moved between a queue and its subqueues. */
  readonly moveCount: number;
  readonly stream: number;
  readonly number: number;
  readonly epochCounter: number;
  readonly epochRandom: number;
  readonly storedAtMs: number;
  readonly expiresAtMs: number;
  readonly notBeforeMs: number;
  readonly bodyBytes: number;
  readonly bodyCrc: number;
  /** From the frame's first byte; computed, not stored. */
  readonly bodyOffset: number;
}
/** Why a message left the ring. The number is what stands in the file. */
export const ACK_REASONS = ['acknowledged', 'expired', 'dropped', 'purged', 'corrupt', 'handed-over', 'replaced'] as const;
export type AckReason = (typeof ACK_REASONS)[number];

/** `count` messages with contiguous ids left the ring. */
export interface AckEntry {
  readonly kind: 'ack';
  readonly reason: AckReason;
  readonly id: number;
  readonly count: number;
}
export interface StateEntry {
  readonly kind: 'state';
  readonly id: number;
  readonly queue: number;
  readonly priority: number;
  readonly deliveryCount: number;
  readonly moveCount: number;
  readonly notBeforeMs: number;
}
/** The newest value of a key wins; undefined deletes it. */
export interface MetaEntry {
  readonly kind: 'meta';
  readonly key: string;
  readonly value: Uint8Array | undefined;
}
export type DirectoryEntry = PutEntry | AckEntry | StateEntry | MetaEntry;

const SHARED = 0x80;
export const PUT_BYTES = 64;
/** How far behind its holder a message may be, in ids. */
export const HOLDER_DISTANCE_MAX = 0xffff_ffff;
export const STATE_BYTES = 24;
/** Smallest entry. Bounds how many entries, and how long a run of acknowledgements, a frame can hold. */
export const ENTRY_BYTES_MIN = 8;
/** The header counts entries in 16 bits. */
export const ENTRY_COUNT_MAX = 0xffff;
export const DELIVERY_COUNT_MAX = 0xffff;
export const MOVE_COUNT_MAX = 0xffff;
export const META_KEY_BYTES_MAX = 255;
export const META_VALUE_BYTES_MAX = 4096;

export function metaBytes(key: string, value: Uint8Array | undefined): number {
  return align(8 + utf8Bytes(key) + (value?.length ?? 0));
}

export function entryBytes(entry: DirectoryEntry): number {
  switch (entry.kind) {
    case 'put':
      return PUT_BYTES;
    case 'ack':
      return entry.count === 1 ? 8 : 16;
    case 'state':
      return STATE_BYTES;
    case 'meta':
      return metaBytes(entry.key, entry.value);
  }
}

/** Returns the bytes written. */
export function encodeDirectory(entries: readonly DirectoryEntry[], view: DataView, start: number): number {
  let at = start;
  for (const entry of entries) at += encodeEntry(entry, view, at);
  return at - start;
}

/** Writes every byte of an entry, reserved ones too: the buffer held another frame before. */
function encodeEntry(entry: DirectoryEntry, view: DataView, at: number): number {
  switch (entry.kind) {
    case 'put':
      encodePut(entry, view, at);
      return PUT_BYTES;
    case 'ack':
      view.setUint8(at, entry.count === 1 ? 2 : 3);
      view.setUint8(at + 1, reasonNumber(entry.reason));
      setUint48(view, at + 2, entry.id);
      if (entry.count === 1) return 8;
      view.setUint32(at + 8, entry.count, true);
      view.setUint32(at + 12, 0, true);
      return 16;
    case 'state':
      view.setUint8(at, 4);
      view.setUint8(at + 1, entry.priority);
      view.setUint16(at + 2, entry.deliveryCount, true);
      view.setUint32(at + 4, entry.queue, true);
      setUint48(view, at + 8, entry.id);
      view.setUint16(at + 14, entry.moveCount, true);
      setUint48(view, at + 16, entry.notBeforeMs);
      view.setUint16(at + 22, 0, true);
      return STATE_BYTES;
    case 'meta': {
      const key = toUtf8(entry.key);
      const bytes = align(8 + key.length + (entry.value?.length ?? 0));
      view.setUint8(at, 6);
      view.setUint8(at + 1, entry.value === undefined ? 1 : 0);
      view.setUint16(at + 2, key.length, true);
      view.setUint32(at + 4, entry.value?.length ?? 0, true);
      const into = new Uint8Array(view.buffer, view.byteOffset + at + 8, bytes - 8);
      into.set(key, 0);
      if (entry.value !== undefined) into.set(entry.value, key.length);
      into.fill(0, key.length + (entry.value?.length ?? 0));
      return bytes;
    }
  }
}

function reasonNumber(reason: AckReason): number {
  const number = ACK_REASONS.indexOf(reason);
  invariant(number >= 0, `${reason} is no reason that a reader would know`);
  return number;
}

function encodePut(entry: PutEntry, view: DataView, at: number): void {
  const distance = entry.holder === undefined ? 0 : entry.id - entry.holder;
  const marks =
    (entry.copy ? 8 : 0) | (entry.damaged ? 32 : 0) | (entry.attended ? 64 : 0) | (entry.holder === undefined ? 0 : SHARED);
  view.setUint8(at, 1);
  view.setUint8(at + 1, entry.priority | marks);
  view.setUint16(at + 2, entry.deliveryCount, true);
  view.setUint32(at + 4, entry.queue, true);
  setUint48(view, at + 8, entry.id);
  view.setUint16(at + 14, entry.moveCount, true);
  view.setUint32(at + 16, entry.bodyBytes, true);
  view.setUint32(at + 20, entry.bodyCrc, true);
  view.setUint32(at + 24, entry.stream, true);
  view.setUint32(at + 28, entry.epochCounter, true);
  view.setUint32(at + 32, entry.epochRandom, true);
  view.setUint16(at + 36, distance & 0xffff, true);
  setUint48(view, at + 38, entry.number);
  setUint48(view, at + 44, entry.storedAtMs);
  setUint48(view, at + 50, entry.expiresAtMs);
  setUint48(view, at + 56, entry.notBeforeMs);
  view.setUint16(at + 62, distance >>> 16, true);
}

/** Returns undefined when the entries do not fill `bytes` from `start` exactly. The checksum is the caller's. */
export function decodeDirectory(bytes: Uint8Array, start: number, count: number): DirectoryEntry[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: DirectoryEntry[] = [];
  let bodyOffset = bytes.length;
  let at = start;
  for (let i = 0; i < count; i++) {
    if (at + 8 > bytes.length) return undefined;
    const type = view.getUint8(at);
    if (type >= 128) {
      at += align(Math.max(8, view.getUint16(at + 2, true)));
      continue;
    }
    const entry = decodeEntry(bytes, at, bodyOffset);
    if (entry === undefined) return undefined;
    if (entry.kind === 'put') bodyOffset += entry.bodyBytes;
    entries.push(entry);
    at += entryBytes(entry);
  }
  return at === bytes.length ? entries : undefined;
}

function decodeEntry(bytes: Uint8Array, at: number, bodyOffset: number): DirectoryEntry | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const room = bytes.length - at;
  switch (view.getUint8(at)) {
    case 1:
      return room < PUT_BYTES || getUint48(view, at + 8) === 0 ? undefined : decodePut(view, at, bodyOffset);
    case 2:
    case 3: {
      const run = view.getUint8(at) === 3;
      const reason = ACK_REASONS[view.getUint8(at + 1)];
      if (reason === undefined || (run && room < 16)) return undefined;
      const count = run ? view.getUint32(at + 8, true) : 1;
      if (run && (count < 2 || count > ENTRY_COUNT_MAX)) return undefined;
      return { kind: 'ack', reason, id: getUint48(view, at + 2), count };
    }
    case 4:
      if (room < STATE_BYTES) return undefined;
      return {
        kind: 'state',
        priority: view.getUint8(at + 1),
        deliveryCount: view.getUint16(at + 2, true),
        queue: view.getUint32(at + 4, true),
        id: getUint48(view, at + 8),
        moveCount: view.getUint16(at + 14, true),
        notBeforeMs: getUint48(view, at + 16),
      };
    case 6: {
      const keyEnd = at + 8 + view.getUint16(at + 2, true);
      const valueEnd = keyEnd + view.getUint32(at + 4, true);
      if (align(valueEnd - at) > room) return undefined;
      const key = fromUtf8(bytes.subarray(at + 8, keyEnd));
      if (key === undefined) return undefined;
      const tombstone = view.getUint8(at + 1) === 1;
      return { kind: 'meta', key, value: tombstone ? undefined : bytes.slice(keyEnd, valueEnd) };
    }
    default:
      return undefined;
  }
}

/** Undefined for one whose holder there cannot be. */
function decodePut(view: DataView, at: number, bodyOffset: number): PutEntry | undefined {
  const flags = view.getUint8(at + 1);
  const id = getUint48(view, at + 8);
  const distance = view.getUint16(at + 36, true) + view.getUint16(at + 62, true) * 0x1_0000;
  const isShared = (flags & SHARED) !== 0;
  if (isShared && distance >= id) return undefined;
  return {
    kind: 'put',
    priority: flags & 7,
    copy: (flags & 8) !== 0,
    damaged: (flags & 32) !== 0,
    attended: (flags & 64) !== 0 ? true : undefined,
    holder: isShared ? id - distance : undefined,
    deliveryCount: view.getUint16(at + 2, true),
    queue: view.getUint32(at + 4, true),
    id,
    moveCount: view.getUint16(at + 14, true),
    bodyBytes: view.getUint32(at + 16, true),
    bodyCrc: view.getUint32(at + 20, true),
    bodyOffset,
    stream: view.getUint32(at + 24, true),
    epochCounter: view.getUint32(at + 28, true),
    epochRandom: view.getUint32(at + 32, true),
    number: getUint48(view, at + 38),
    storedAtMs: getUint48(view, at + 44),
    expiresAtMs: getUint48(view, at + 50),
    notBeforeMs: getUint48(view, at + 56),
  };
}

function align(bytes: number): number {
  return (bytes + 7) & ~7;
}
