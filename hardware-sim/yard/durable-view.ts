/**
 * Which messages lie durably on a disk, as one knows who watches the writes that completed and looks into their frames. Nothing of
 * the node is asked: what it believes to be durable is what is judged by this.
 *
 *   write completed ──▶ frame ──▶ PUT: key of its body, by id    ACK: id is gone, for this reason
 */

import { invariant } from '../../shared/assert.ts';
import { concatBytes, NO_BYTES } from '../../shared/bytes.ts';
import { crc32 } from '../../shared/crc32.ts';
import { decodeFrame, type Frame, type FrameSeal } from '../../shared/ring/frame-layout.ts';
import { type RingGeometry, SUPERBLOCK_COPIES, segmentsOf, superblockOffset } from '../../shared/ring/geometry.ts';
import { sealOf } from '../../shared/ring/recovery.ts';
import { decodeSuperblock, SUPERBLOCK_BYTES, type Superblock } from '../../shared/ring/superblock-layout.ts';
import { openRing } from '../ring-driver.ts';
import type { SimDisk, SimFile } from '../sim-disk.ts';
import { keyIn, known, type Nature, sourceKey } from './letters.ts';

/** One durable copy. */
export interface Held {
  readonly key: string;
  readonly nature: Nature;
  readonly queue: number;
  readonly priority: number;
  readonly number: number;
  readonly notBeforeMs: number;
  readonly expiresAtMs: number;
  /** The beginning of its envelope, where its incarnation stands. */
  readonly head: Uint8Array;
  readonly sinceMs: number;
  /** Of a message that shares its body. */
  readonly holder?: number;
}

/** What a frame changed. A copy of what was there already, which cleaning makes, is neither. */
export interface Changes {
  readonly brought: readonly Held[];
  readonly ended: readonly { readonly held: Held; readonly reason: string }[];
}

const NO_CHANGES: Changes = { brought: [], ended: [] };

interface Write {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

interface Looked {
  readonly write: Write;
  readonly frame: (Frame & { bytes: Uint8Array }) | undefined;
  /** What is left for the next write to complete. */
  readonly part: Uint8Array | undefined;
}

const LSN_AT = 16;
/** Identity comes first in an envelope. */
const HEAD_BYTES = 160;

/** `older`: how many that came before it into the same journal are still there. */
type OnFreed = (key: string, reason: string, older: number) => void;

export class DurableView {
  readonly #seal: FrameSeal;
  readonly #geometry: RingGeometry;
  readonly #held = new Map<number, Held>();
  readonly #counts = new Map<string, number>();
  /** Keys of bodies that several messages share, by the id of their holder. */
  readonly #bodies = new Map<number, string>();
  readonly #onFreed: OnFreed;
  /** The part of a frame before the end of the ring; the rest follows at its beginning. */
  #part: Uint8Array | undefined;
  /** A write is looked at as it begins, and once it is done. */
  #looked: Looked | undefined;

  /** Of a disk on which nothing was stored yet. `onFreed`: the last copy of a message is gone, or it expired. */
  constructor(disk: SimDisk, geometry: RingGeometry, onFreed: OnFreed) {
    const superblock = superblockOf(disk, geometry);
    invariant(superblock !== undefined, 'a formatted file has a superblock');
    this.#geometry = geometry;
    this.#seal = sealOf(superblock, crc32);
    this.#onFreed = onFreed;
  }

  has(key: string): boolean {
    return this.#counts.has(key);
  }

  get keys(): ReadonlySet<string> {
    return new Set(this.#counts.keys());
  }

  get held(): ReadonlyMap<number, Held> {
    return this.#held;
  }

  /** These bytes are durable now. */
  wrote(write: Write, atMs: number): Changes {
    const frame = this.frameOf(write);
    if (frame === undefined) return NO_CHANGES;
    const { entries, bytes } = frame;
    const brought: Held[] = [];
    const ended: { id: number; held: Held; reason: string }[] = [];
    for (const entry of entries) {
      if (entry.kind === 'put') {
        const body = bytes.subarray(entry.bodyOffset, entry.bodyOffset + entry.bodyBytes);
        const before = this.#held.get(entry.id);
        if (entry.holder === entry.id) this.#bodies.set(entry.id, keyIn(body) ?? '');
        if (entry.holder === entry.id) continue;
        const about = (entry.copy ? before : undefined) ?? known(body, this.#bodies.get(entry.holder ?? 0));
        if (about === undefined) continue;
        const { key, nature } = about;
        const head = body.slice(0, HEAD_BYTES);
        const { queue, priority, number, notBeforeMs, expiresAtMs } = entry;
        const held = { key, nature, queue, priority, number, notBeforeMs, expiresAtMs, head, sinceMs: before?.sinceMs ?? atMs };
        this.#put(entry.id, held);
        if (before === undefined && !entry.copy) brought.push(held);
      } else if (entry.kind === 'ack') {
        for (let id = entry.id; id < entry.id + entry.count; id++) {
          const held = this.#held.get(id);
          if (held === undefined) continue;
          this.#drop(id, held);
          ended.push({ id, held, reason: entry.reason });
        }
      }
    }
    // An expired message leaves a letter, which is there from now on: not the message.
    for (const { id, held, reason } of ended) {
      const { key } = held;
      const isCopy = held.nature === 'copy';
      if (isCopy || reason === 'expired' || !this.has(key)) this.#onFreed(key, reason, isCopy ? this.#copiesBefore(id) : 0);
    }
    return { brought, ended };
  }

  #copiesBefore(id: number): number {
    let count = 0;
    for (const [other, { nature }] of this.#held) if (nature === 'copy' && other < id) count += 1;
    return count;
  }

  /** The frame that a write completes, with its bytes; undefined for a superblock, or a part. */
  frameOf(write: Write): (Frame & { bytes: Uint8Array }) | undefined {
    if (this.#looked?.write !== write) this.#looked = { write, ...this.#look(write) };
    this.#part = this.#looked.part;
    return this.#looked.frame;
  }

  #look({ offset, bytes }: Write): Omit<Looked, 'write'> {
    const { blockBytes, blockCount } = this.#geometry;
    const start = 2 * blockBytes;
    if (offset < start || offset >= start + blockCount * blockBytes) return { frame: undefined, part: this.#part };
    const whole = this.#part !== undefined && offset === start ? concatBytes([this.#part, bytes]) : bytes;
    const lsn = Number(new DataView(whole.buffer, whole.byteOffset).getBigUint64(LSN_AT, true) & 0xffff_ffff_ffffn);
    const frame = decodeFrame(whole, lsn, this.#seal);
    if (frame !== undefined && frame.blocks * blockBytes <= whole.length)
      return { frame: { ...frame, bytes: whole }, part: undefined };
    const isPart = offset + bytes.length === start + blockCount * blockBytes;
    return { frame: undefined, part: isPart ? bytes : undefined };
  }

  /** Keys of messages that a write on its way brings, and that it ends. Changes nothing. */
  keysOf(write: Write): { brought: string[]; ended: string[] } {
    const part = this.#part;
    const frame = this.frameOf(write);
    this.#part = part;
    const keys = { brought: [] as string[], ended: [] as string[] };
    for (const entry of frame?.entries ?? []) {
      if (entry.kind === 'put') {
        const body = frame?.bytes.subarray(entry.bodyOffset, entry.bodyOffset + entry.bodyBytes) ?? NO_BYTES;
        if (entry.holder === entry.id) continue;
        const shared =
          entry.holder === undefined ? undefined : (this.#bodies.get(entry.holder) ?? sharedKey(frame, entry.holder));
        const key = ((entry.copy ? this.#held.get(entry.id) : undefined) ?? known(body, shared))?.key;
        if (key !== undefined) keys.brought.push(key);
      } else if (entry.kind === 'ack') {
        for (let id = entry.id; id < entry.id + entry.count; id++) {
          const key = this.#held.get(id)?.key;
          if (key !== undefined) keys.ended.push(key);
        }
      }
    }
    return keys;
  }

  /** What was recovered is what is held; what was held before is as old as it was. */
  reset(found: ReadonlyMap<number, Omit<Held, 'sinceMs'>>, before: ReadonlyMap<number, Held>, atMs: number): void {
    for (const { key, holder } of found.values()) if (holder !== undefined) this.#bodies.set(holder, sourceKey(key) ?? key);
    for (const [id, one] of found) this.#put(id, { ...one, sinceMs: before.get(id)?.sinceMs ?? atMs });
  }

  #put(id: number, held: Held): void {
    const before = this.#held.get(id);
    if (before !== undefined) this.#drop(id, before);
    this.#held.set(id, held);
    this.#counts.set(held.key, (this.#counts.get(held.key) ?? 0) + 1);
  }

  #drop(id: number, { key }: Held): void {
    this.#held.delete(id);
    const left = (this.#counts.get(key) ?? 0) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}

/** Any copy of the superblock that is whole: what is fixed for the life of a file stands in each. */
export function superblockOf(disk: SimDisk, geometry: RingGeometry): Superblock | undefined {
  for (let copy = 0; copy < SUPERBLOCK_COPIES; copy++) {
    const at = superblockOffset(geometry, copy);
    const superblock = decodeSuperblock(disk.platter(at, SUPERBLOCK_BYTES));
    if (superblock !== undefined) return superblock;
  }
  return undefined;
}

/** What the product's own recovery finds on a disk that nobody uses: take a clone. Writes that fail are not what is asked about. */
export function recover(disk: SimDisk): { held: Map<number, Omit<Held, 'sinceMs'>>; gaps: number; failure: Error | undefined } {
  disk.healWrites();
  const driver = openRing(disk);
  do driver.play(0);
  while (disk.step());
  const { ring, file } = driver;
  const held = new Map<number, Omit<Held, 'sinceMs'>>();
  if (ring.state !== 'serving') return { held, gaps: 0, failure: ring.failure ?? new Error(ring.state) };
  const { index, geometry } = ring;
  const bodyAt = (slot: number) =>
    bodyOf(file, geometry, { lsn: index.lsn(slot), skip: index.bodyOffset(slot), bytes: index.bodyBytes(slot) });
  for (const slot of index.slots()) {
    if (index.isHolder(slot)) continue;
    const body = bodyAt(slot);
    const holder = index.holder(slot);
    const about = known(body, holder === 0 ? undefined : keyIn(bodyAt(index.find(holder))));
    if (about === undefined) continue;
    held.set(index.id(slot), {
      ...about,
      ...(holder !== 0 && { holder }),
      queue: index.queue(slot),
      priority: index.priority(slot),
      number: index.number(slot),
      notBeforeMs: index.notBeforeMs(slot),
      expiresAtMs: index.expiresAtMs(slot),
      head: body.slice(0, HEAD_BYTES),
    });
  }
  return { held, gaps: ring.report.gaps.length, failure: undefined };
}

/** Empty where the medium gives nothing. */
function bodyOf(file: SimFile, geometry: RingGeometry, at: { lsn: number; skip: number; bytes: number }): Uint8Array {
  const parts = segmentsOf(geometry, at).map(({ offset, bytes }) => {
    const part = new Uint8Array(bytes);
    try {
      file.read(offset, part);
    } catch {
      part.fill(0); // a bad block: the body is lost, and the message with it
    }
    return part;
  });
  return concatBytes(parts);
}

/** Of a body that is in the same frame as who shares it. */
function sharedKey(frame: (Frame & { bytes: Uint8Array }) | undefined, holder: number): string | undefined {
  for (const entry of frame?.entries ?? [])
    if (entry.kind === 'put' && entry.id === holder)
      return keyIn(frame?.bytes.subarray(entry.bodyOffset, entry.bodyOffset + entry.bodyBytes) ?? NO_BYTES);
  return undefined;
}
