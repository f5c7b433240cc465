/**
 * Who is let in: what is stored and what is planned must stay within the live cap (I9), with a share of it kept for META, so that
 * counters and cursors are never refused for messages' sake.
 */
import { RingmailError } from '../errors.ts';
import type { Like } from '../part.ts';
import { type Batch, type Growth, type Pending, putBytes } from './batch.ts';
import { metaBytes, PUT_BYTES } from './entry-layout.ts';
import type { Express } from './express.ts';
import { liveBytesMaxOf, metaReserveBytesOf, OVERDRAFT_SHARE, type RingGeometry } from './geometry.ts';
import type { LiveSet } from './live-set.ts';
import { NO_SLOT } from './message-index.ts';

export class Room {
  readonly bytesMax: number;
  readonly #metaReserveBytes: number;
  readonly #live: LiveSet;
  readonly #express: Like<Express>;
  #plannedPutBytes = 0;
  #plannedMetaBytes = 0;

  constructor(geometry: RingGeometry, live: LiveSet, express: Like<Express>) {
    this.#express = express;
    this.bytesMax = liveBytesMaxOf(geometry);
    this.#metaReserveBytes = metaReserveBytesOf(geometry);
    this.#live = live;
  }

  /** Live bytes: what is stored, what is planned to be, and what is in memory alone and may have to be. */
  get bytesUsed(): number {
    return this.#live.bytes + this.#plannedPutBytes + this.#plannedMetaBytes + this.#express.bytes;
  }

  /** `bytesUsed` at which new messages are refused: the rest is kept for META. */
  get messageBytesMax(): number {
    const reserve = this.#metaReserveBytes - this.#live.metas.bytes - this.#plannedMetaBytes;
    return this.bytesMax - Math.max(0, reserve);
  }

  /** Judges a batch without planning for it. @throws as `admit` */
  check(batch: Batch, pending: { readonly bytes: number; readonly bytesMax: number }): void {
    const grows = { messages: putBytes(batch), meta: this.#metaGrowth(batch) };
    if (grows.messages + grows.meta > 0) this.#check(batch, grows, pending);
  }

  /** Plans for a batch. @throws QUEUE_FULL (queue ''), BUSY; then nothing is planned. */
  admit(batch: Batch, pending: { readonly bytes: number; readonly bytesMax: number }): Growth {
    const grows = { messages: putBytes(batch), meta: this.#metaGrowth(batch) };
    const written = writtenDown(batch);
    // What was in memory alone has its room already.
    this.#express.bytes -= written;
    try {
      if (grows.messages + grows.meta > 0) this.#check(batch, grows, pending);
    } catch (error) {
      this.#express.bytes += written;
      throw error;
    }
    this.#plannedPutBytes += grows.messages;
    this.#plannedMetaBytes += grows.meta;
    return grows;
  }

  /** META of a batch that is being written counts as stored from now on. */
  metaTaken({ grows }: Pending): void {
    this.#plannedMetaBytes -= grows.meta;
  }

  /** Messages of a batch are stored. */
  putsSettled({ grows }: Pending): void {
    this.#plannedPutBytes -= grows.messages;
  }

  #check(batch: Batch, grows: Growth, pending: { readonly bytes: number; readonly bytesMax: number }): void {
    const ends = batch.acks?.some(({ reason }) => reason !== 'dropped') ?? false;
    const replaces = ends || writtenDown(batch) > 0 || batch.room === 'overdraft';
    const overdraft = replaces ? Math.floor(this.bytesMax / OVERDRAFT_SHARE) : 0;
    const bytesLimit = (grows.messages === 0 ? this.bytesMax : this.messageBytesMax) + overdraft;
    const bytesNeeded = grows.messages + grows.meta;
    const { bytesUsed } = this;
    const isFull = bytesUsed + bytesNeeded > bytesLimit;
    if (isFull && (grows.messages > 0 || grows.meta > this.#freedBy(batch))) {
      throw new RingmailError('QUEUE_FULL', { queue: '', bytesLimit, bytesUsed, bytesNeeded });
    }
    if (grows.messages > 0 && !replaces && pending.bytes > pending.bytesMax) {
      throw new RingmailError('BUSY', { pending: pending.bytes, pendingMax: pending.bytesMax });
    }
  }

  /** Bytes of META that a batch adds at most: what it overwrites or deletes is not counted twice, what others plan is. */
  #metaGrowth(batch: Batch): number {
    let bytes = 0;
    if (batch.metas === undefined) return bytes;
    for (const { key, value } of batch.metas) {
      if (value === undefined) continue;
      const old = this.#live.metas.get(key);
      bytes += Math.max(0, metaBytes(key, value) - (old === undefined ? 0 : metaBytes(key, old)));
    }
    return bytes;
  }

  #freedBy(batch: Batch): number {
    const { index } = this.#live;
    let bytes = 0;
    for (const { id } of batch.acks ?? []) {
      const slot = index.find(id);
      if (slot !== NO_SLOT) bytes += PUT_BYTES + index.bodyBytes(slot);
    }
    return bytes;
  }
}

/** Bytes of messages that were in memory alone. */
function writtenDown({ puts }: Batch): number {
  let bytes = 0;
  if (puts !== undefined) for (const { id, body } of puts) if (id !== undefined) bytes += PUT_BYTES + body.length;
  return bytes;
}
