/**
 * The streams that the other side sends in this session: puts what arrives before the custody receiver in order, and says by records
 * what is durable.
 *
 *   DATA, GAP, ELSEWHERE ──▶ at the cursor ───────▶ receiver: new, repeat ─▶ arrived ──durable──▶ record {cursor, credit}
 *                       ├──▶ above it, room ──────▶ kept until its turn ──▶ arrived
 *                       └──▶ above it, no room; or no room at the receiver ▶ dropped, the record says credit 0
 *
 * A stream whose item found no room is *refused*: its credit is told as 0 until there is room for that item, so that the other side
 * neither hammers nor gives up.
 */

import { CREDIT_BYTES_MAX, type CustodyReceiver, type ReceiverSession } from '../custody/receiver.ts';
import { afterItem, type Item } from '../custody/session.ts';
import { hasCode } from '../errors.ts';
import { type StreamKey, streamText } from '../message/identity.ts';
import { varintBytes } from '../varint.ts';
import type { Part } from './assembly.ts';
import { CLASS_CODE } from './class-codes.ts';
import { type DataPacket, expandNumber } from './data-packet.ts';
import { KeptBytes, KeptItems } from './kept-items.ts';
import { earliest } from './earliest.ts';
import type { StreamCursor } from './packet-fields.ts';
import { NUMBER_MAX } from './packet-layout.ts';
import type { Tlv } from './tlv.ts';

/** What became of a packet. `protocol`: no honest side sends that. `fenced`: a newer session took over. */
export type Arrival = 'arrived' | 'dropped' | 'fenced' | 'protocol';

/** Credit below this is watched: what grows again is told without being asked. */
const LOW_CREDIT_BYTES = CREDIT_BYTES_MAX / 4;
/** Between two looks at low credits. */
const LOOK_MS = 20;
/** A refused stream with some credit, but less than its item seems to need, may try again after this; doubled each time in vain. */
const RETRY_MS_MIN = 2_000;
const RETRY_MS_MAX = 60_000;

interface InStream {
  readonly handle: number;
  readonly key: StreamKey;
  readonly kept: KeptItems;
  readonly whenDurable: () => void;
  /** Everything below is planned or durable at the receiver. It may know more, from an earlier session. */
  next: number;
  /** Newest cursor told or about to be: numbers of 16 bits are meant near it. */
  durable: number;
  toldCredit: number;
  refused: { readonly bytes: number; readonly sinceMs: number } | undefined;
  /** It may try an item that its credit does not cover: the estimate has been wrong long enough. */
  tries: 'within-credit' | 'anyway';
  retryMs: number;
}

export interface InboundOptions {
  readonly receiver: CustodyReceiver;
  readonly session: ReceiverSession;
  /** Largest message this node can store, in bytes of its envelope. */
  readonly messageBytesMax: number;
}

export class Inbound {
  readonly counters = { early: 0, noRoom: 0, notKept: 0, undeclared: 0, rejected: 0 };
  /** Something is kept for a stream that cannot go on, and others need the memory: only a new session frees it. */
  isClogged = false;
  readonly #options: InboundOptions;
  readonly #streams = new Map<number, InStream>();
  readonly #keptBytes = new KeptBytes();
  /** Their records go out with the next ACK. */
  readonly #untold = new Set<InStream>();
  /** Told since the last question, and before it: told again when asked, since an ACK may be lost. */
  #recent = new Set<InStream>();
  #recentBefore = new Set<InStream>();
  /** Told less than they could use. */
  readonly #low = new Set<InStream>();
  readonly #rejects = new Map<number, Tlv & { kind: 'reject' }>();
  #lookAtMs = Number.NEGATIVE_INFINITY;
  #isLookWanted = false;

  constructor(options: InboundOptions) {
    this.#options = options;
  }

  get isFenced(): boolean {
    return this.#options.session.state === 'fenced';
  }

  /** Records wait to be told. */
  get hasNews(): boolean {
    return this.#untold.size > 0;
  }

  /** A stream was refused or has no credit: the disk is behind, or full. */
  get isBusy(): boolean {
    for (const stream of this.#low) if (stream.toldCredit === 0) return true;
    return false;
  }

  get keptBytes(): number {
    return this.#keptBytes.used;
  }

  get wakeAtMs(): number | undefined {
    if (this.#low.size === 0) return undefined;
    if (this.#isLookWanted) return this.#lookAtMs;
    let atMs: number | undefined;
    for (const { refused, retryMs } of this.#low) if (refused !== undefined) atMs = earliest(atMs, refused.sinceMs + retryMs);
    return atMs === undefined ? undefined : Math.max(atMs, this.#lookAtMs);
  }

  /** A handle and its stream, as their sender declares them. Again is fine, another stream under the same handle is not. */
  open(handle: number, key: StreamKey): 'opened' | 'conflict' {
    const known = this.#streams.get(handle);
    if (known !== undefined && streamText(known.key) !== streamText(key)) return 'conflict';
    const stream = known ?? this.#newStream(handle, key);
    this.#streams.set(handle, stream);
    this.#untold.add(stream);
    return 'opened';
  }

  data(packet: DataPacket, nowMs: number): Arrival {
    const stream = this.#streams.get(packet.handle);
    if (stream === undefined) return this.#undeclared();
    const number = expandNumber(packet.numberLow, stream.durable);
    if (number === undefined) return 'protocol';
    const { content } = packet;
    switch (content.kind) {
      case 'whole':
        return this.#item(stream, { kind: 'message', number, envelope: content.payload }, nowMs);
      case 'batch':
        return this.#batch(stream, { number, payloads: content.payloads }, nowMs);
      case 'first':
        return this.#part(stream, { number, part: { offset: 0, payload: content.payload, total: content.total } }, nowMs);
      case 'middle':
        return this.#part(stream, { number, part: { ...content, total: undefined } }, nowMs);
      case 'last': {
        const { offset, payload } = content;
        return this.#part(stream, { number, part: { offset, payload, total: offset + payload.length } }, nowMs);
      }
    }
  }

  /** GAP or ELSEWHERE of a NOTE. */
  gap(handle: number, item: Item, nowMs: number): Arrival {
    const stream = this.#streams.get(handle);
    return stream === undefined ? this.#undeclared() : this.#item(stream, item, nowMs);
  }

  /** The other side asks how things stand. */
  asked(): void {
    for (const stream of this.#recent) this.#untold.add(stream);
    for (const stream of this.#recentBefore) this.#untold.add(stream);
    this.#recentBefore = this.#recent;
    this.#recent = new Set();
  }

  /** Looks whether credits that were low have grown. Called after every step of the node. */
  pump(nowMs: number): void {
    if (this.#low.size === 0) return;
    this.#isLookWanted = nowMs < this.#lookAtMs;
    if (this.#isLookWanted) return;
    this.#lookAtMs = nowMs + LOOK_MS;
    for (const stream of this.#low) this.#look(stream, nowMs);
  }

  /** Records, as many as fit into `bytesMax` with `headBytes` for each; the rest waits for the next time. Durable cursors only. */
  takeRecords(bytesMax: number, headBytes: number): StreamCursor[] {
    const records: StreamCursor[] = [];
    let bytes = 0;
    for (const stream of this.#untold) {
      const { cursor, credit } = this.#standing(stream);
      bytes += headBytes + varintBytes(stream.handle) + varintBytes(cursor) + varintBytes(credit);
      if (bytes > bytesMax) break;
      records.push({ handle: stream.handle, cursor, credit });
      stream.durable = cursor;
      stream.toldCredit = credit;
      this.#untold.delete(stream);
      this.#recent.add(stream);
      if (credit < LOW_CREDIT_BYTES) this.#low.add(stream);
      else this.#low.delete(stream);
    }
    return records;
  }

  /** What cannot be taken at all, to be said in a NOTE. */
  takeRejects(): Tlv[] {
    if (this.#rejects.size === 0) return [];
    const rejects = [...this.#rejects.values()];
    this.#rejects.clear();
    return rejects;
  }

  #newStream(handle: number, key: StreamKey): InStream {
    const { cursor, credit } = this.#options.receiver.cursorOf(this.#options.session, key);
    const stream: InStream = {
      handle,
      key,
      kept: new KeptItems(this.#keptBytes),
      whenDurable: () => void this.#untold.add(stream),
      next: cursor,
      durable: cursor,
      toldCredit: credit,
      refused: undefined,
      tries: 'within-credit',
      retryMs: RETRY_MS_MIN,
    };
    return stream;
  }

  #undeclared(): Arrival {
    this.counters.undeclared += 1;
    return 'dropped';
  }

  #batch(stream: InStream, batch: { number: number; payloads: readonly Uint8Array[] }, nowMs: number): Arrival {
    let worst: Arrival = 'arrived';
    let number = batch.number;
    for (const envelope of batch.payloads) {
      const arrival = this.#item(stream, { kind: 'message', number, envelope }, nowMs);
      if (arrival === 'fenced' || arrival === 'protocol') return arrival;
      if (arrival === 'dropped') worst = arrival;
      number += 1;
    }
    return worst;
  }

  #item(stream: InStream, item: Item, nowMs: number): Arrival {
    if (afterItem(item) > NUMBER_MAX) return 'protocol';
    const bytes = item.kind === 'message' ? item.envelope.length : 0;
    if (bytes > this.#options.messageBytesMax) return this.#reject(stream, item.number);
    const verdict = this.#offer(stream, item);
    switch (verdict) {
      case 'new':
        stream.refused = undefined;
        stream.retryMs = RETRY_MS_MIN;
        return this.#drain(stream, nowMs);
      case 'repeat':
        return 'arrived';
      case 'ahead':
        return this.#keep(stream, item);
      case 'no-room':
        return this.#refuse(stream, bytes, nowMs);
      case 'too-large':
        return this.#reject(stream, item.number);
      case 'stale':
        return 'fenced';
    }
  }

  #offer(stream: InStream, item: Item): 'new' | 'repeat' | 'ahead' | 'no-room' | 'stale' | 'too-large' {
    const { receiver, session } = this.#options;
    try {
      const verdict = receiver.item(session, { stream: stream.key, item }, stream.whenDurable);
      if (verdict === 'new' || verdict === 'repeat') stream.next = Math.max(stream.next, afterItem(item));
      return verdict;
    } catch (error) {
      if (hasCode(error, 'MESSAGE_TOO_LARGE')) return 'too-large';
      throw error;
    }
  }

  /** Gives the receiver what was kept and whose turn it is now. */
  #drain(stream: InStream, nowMs: number): Arrival {
    for (;;) {
      stream.kept.dropBelow(stream.next);
      const { first } = stream.kept;
      if (first === undefined || first.number > stream.next) return 'arrived';
      const verdict = this.#offer(stream, first);
      if (verdict === 'stale') return 'fenced';
      if (verdict === 'too-large') this.#reject(stream, first.number);
      if (verdict === 'no-room') this.#refuse(stream, first.kind === 'message' ? first.envelope.length : 0, nowMs);
      if (verdict !== 'new' && verdict !== 'repeat') return 'arrived';
    }
  }

  #keep(stream: InStream, item: Item): Arrival {
    this.counters.early += 1;
    if (stream.refused !== undefined) return this.#notKept();
    return stream.kept.keep(item) ? 'arrived' : this.#noMemory(stream);
  }

  #part(stream: InStream, at: { number: number; part: Part }, nowMs: number): Arrival {
    const { number, part } = at;
    const { messageBytesMax } = this.#options;
    if (number < stream.next) return 'arrived';
    if (number >= NUMBER_MAX) return 'protocol';
    if (Math.max(part.total ?? 0, part.offset + part.payload.length) > messageBytesMax) return this.#reject(stream, number);
    if (!stream.kept.has(number)) {
      if (stream.refused !== undefined) return this.#notKept();
      const isNext = number === stream.next && stream.tries === 'within-credit';
      if (isNext && part.total !== undefined && this.#standing(stream).credit < part.total) {
        return this.#refuse(stream, part.total, nowMs);
      }
    }
    const kept = stream.kept.keepPart(number, part);
    switch (kept) {
      case 'kept':
        return 'arrived';
      case 'whole':
        return this.#drain(stream, nowMs);
      case 'full':
        return this.#noMemory(stream);
      case 'conflict':
        return 'protocol';
    }
  }

  #notKept(): Arrival {
    this.counters.notKept += 1;
    return 'dropped';
  }

  #noMemory(stream: InStream): Arrival {
    for (const other of this.#low) {
      if (other !== stream && other.refused !== undefined && other.kept.bytes > 0) this.isClogged = true;
    }
    return this.#notKept();
  }

  /** There is no room for the item at the cursor. */
  #refuse(stream: InStream, bytes: number, nowMs: number): Arrival {
    this.counters.noRoom += 1;
    stream.refused = { bytes, sinceMs: nowMs };
    stream.tries = 'within-credit';
    this.#low.add(stream);
    this.#untold.add(stream);
    return 'dropped';
  }

  /** This item can never be taken. Its sender answers with a gap, or waits for somebody to look. */
  #reject(stream: InStream, number: number): Arrival {
    this.counters.rejected += 1;
    stream.kept.drop(number);
    this.#rejects.set(stream.handle, { kind: 'reject', handle: stream.handle, number, reason: CLASS_CODE.TOO_LARGE });
    return 'dropped';
  }

  #look(stream: InStream, nowMs: number): void {
    const credit = this.#creditOf(stream);
    const { refused } = stream;
    if (refused !== undefined) {
      const hasWaited = nowMs >= refused.sinceMs + stream.retryMs;
      if (hasWaited) {
        stream.retryMs = Math.min(RETRY_MS_MAX, 2 * stream.retryMs);
        stream.refused = { ...refused, sinceMs: nowMs };
      }
      if (credit < refused.bytes && !(hasWaited && credit > 0)) return;
      stream.tries = hasWaited ? 'anyway' : 'within-credit';
      stream.refused = undefined;
      this.#drain(stream, nowMs);
      this.#untold.add(stream);
      return;
    }
    const isWorthTelling = credit > 0 && (credit >= 2 * stream.toldCredit || credit >= LOW_CREDIT_BYTES);
    if (isWorthTelling) this.#untold.add(stream);
  }

  #standing(stream: InStream): { cursor: number; credit: number } {
    const { cursor, credit } = this.#options.receiver.cursorOf(this.#options.session, stream.key);
    return { cursor, credit: stream.refused === undefined ? credit : 0 };
  }

  #creditOf(stream: InStream): number {
    return this.#options.receiver.cursorOf(this.#options.session, stream.key).credit;
  }
}
