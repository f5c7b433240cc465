/**
 * One stream that the other side sends: puts its items before the custody receiver in order.
 *
 *   item ──▶ at the cursor ─────────────▶ receiver: new, repeat ─▶ arrived; then whatever is kept and has its turn now
 *       ├──▶ above it, room ────────────▶ kept until its turn ──▶ arrived
 *       ├──▶ above it, no room, or no room at the receiver ─────▶ dropped, as if the line had lost it
 *       └──▶ this node can never take it ───────────────────────▶ rejected: arrived, not kept; the stream waits for its gap
 *
 * A stream whose item found no room is *refused*: its credit is told as 0 until there is room for that item, so that the other side
 * neither hammers nor gives up. A rejected message moves no cursor: its sender ends it, and says so by a gap (rejections.ts).
 */
import type { Refusal } from '../custody/arrival-endings.ts';
import type { Acceptance, CustodyReceiver, ReceiverSession } from '../custody/receiver.ts';
import { afterItem, type Item, type MessageItem } from '../custody/session.ts';
import type { EndingClass } from '../message/classes.ts';
import type { Epoch, StreamKey } from '../message/identity.ts';
import type { Part } from './assembly.ts';
import { Rebuilder, type Rebuilt } from './compact.ts';
import type { DataContent } from './data-packet.ts';
import { type KeptBytes, KeptItems } from './kept-items.ts';
import { NUMBER_MAX } from './packet-layout.ts';
import type { Rejections } from './rejections.ts';

/**
 * What became of what a packet brought. `no-memory`: dropped, and there was no room to keep it. `fenced`: a newer session took over.
 * `protocol`: no honest side sends that.
 */
export type Arrival = 'arrived' | 'dropped' | 'no-memory' | 'fenced' | 'protocol';

/** A refused stream with some credit, but less than its item seems to need, may try again after this; doubled each time in vain. */
const RETRY_MS_MIN = 2_000;
const RETRY_MS_MAX = 60_000;

export interface InStreamOptions {
  readonly handle: number;
  readonly key: StreamKey;
  readonly receiver: CustodyReceiver;
  readonly session: ReceiverSession;
  /** Of the sender's store, as it told in this session. */
  readonly epoch: Epoch;
  /** Largest message this node can store, in bytes of its envelope. */
  readonly messageBytesMax: number;
  readonly keptBytes: KeptBytes;
  readonly rejections: Rejections;
  readonly counters: InCounters;
  /** Called when the durable cursor has moved. */
  readonly whenMoved: (stream: InStream) => void;
}

export interface InCounters {
  /** Items above the cursor. */
  early: number;
  /** Items the receiver had no room for. */
  noRoom: number;
  /** Early ones that were dropped. */
  notKept: number;
  /** Messages that this node can never take. */
  rejected: number;
  /** Compact messages that are not what their sender says. */
  wrongChecks: number;
}

export class InStream {
  readonly handle: number;
  readonly key: StreamKey;
  readonly #options: InStreamOptions;
  readonly #kept: KeptItems;
  readonly #rebuilder: Rebuilder;
  readonly #whenDurable: () => void;
  /** Everything below is planned or durable at the receiver. It may know more, from an earlier session. */
  #next: number;
  #refused: { readonly bytes: number; readonly sinceMs: number } | undefined;
  /** It may try an item that its credit does not cover: the estimate has been wrong long enough. */
  #tries: 'within-credit' | 'anyway' = 'within-credit';
  #retryMs = RETRY_MS_MIN;

  constructor(options: InStreamOptions) {
    this.handle = options.handle;
    this.key = options.key;
    this.#options = options;
    this.#rebuilder = new Rebuilder(options.key, options.epoch);
    this.#kept = new KeptItems(options.keptBytes, (number, payload) => this.#checked(this.#rebuilder.together(number, payload)));
    this.#whenDurable = () => options.whenMoved(this);
    this.#next = this.standing.cursor;
  }

  /** Where it stands, in words that can be told: the durable cursor, and what may come beyond it. */
  get standing(): { cursor: number; credit: number } {
    const { cursor, credit } = this.#options.receiver.cursorOf(this.#options.session, this.key);
    return { cursor, credit: this.#refused === undefined ? credit : 0 };
  }

  get isRefused(): boolean {
    return this.#refused !== undefined;
  }

  get keptBytes(): number {
    return this.#kept.bytes;
  }

  /** When a refused stream may try again although its credit seems too small. */
  get retryAtMs(): number | undefined {
    return this.#refused && this.#refused.sinceMs + this.#retryMs;
  }

  /** The envelopes of what came whole, the first of them `number`; undefined when a check is wrong, which ends the session. */
  rebuilt(number: number, content: DataContent & { kind: 'compact' | 'mixed' }): readonly Rebuilt[] | undefined {
    if (content.kind === 'mixed') return this.#checked(this.#rebuilder.batch(number, content.messages, content.check));
    const rebuilt = this.#checked(this.#rebuilder.whole(number, content));
    return rebuilt && [rebuilt];
  }

  item(item: Item, nowMs: number): Arrival {
    if (afterItem(item) > NUMBER_MAX) return 'protocol';
    if (item.kind === 'message') {
      const isRejected = this.#options.rejections.meets(this.handle, item.number, nowMs);
      return isRejected ? 'arrived' : this.#item(item, nowMs);
    }
    const arrival = this.#item(item, nowMs);
    if (arrival === 'arrived') this.#options.rejections.ended(this.handle, item.number, item.to);
    return arrival;
  }

  /** Of several that came in one packet the first ones, where they may be taken as one: how many have arrived. The others one by one. */
  run(items: readonly MessageItem[]): number {
    const { receiver, session, rejections } = this.#options;
    const first = items[0]?.number ?? 0;
    if (first !== this.#next || first + items.length > NUMBER_MAX) return 0;
    if (this.#refused !== undefined || this.#kept.count > 0 || !rejections.isEmpty) return 0;
    const taken = receiver.run(session, { stream: this.key, items }, this.#whenDurable);
    this.#next += taken;
    if (taken > 0) this.#retryMs = RETRY_MS_MIN;
    return taken;
  }

  part(number: number, part: Part, nowMs: number): Arrival {
    const { rejections, messageBytesMax } = this.#options;
    if (number < this.#next || rejections.meets(this.handle, number, nowMs)) return 'arrived';
    if (number >= NUMBER_MAX) return 'protocol';
    const needed = this.#envelopeBytes(number, part);
    if (needed > messageBytesMax) return this.#reject(number, 'TOO_LARGE');
    if (!this.#kept.has(number)) {
      if (this.#refused !== undefined) return this.#dropped('dropped');
      const isNext = number === this.#next && this.#tries === 'within-credit';
      if (isNext && part.total !== undefined && this.standing.credit < needed) return this.#refuse(needed, nowMs);
    }
    switch (this.#kept.keepPart(number, part)) {
      case 'kept':
        return 'arrived';
      case 'whole':
        return this.#drain(nowMs);
      case 'full':
        return this.#dropped('no-memory');
      case 'conflict':
        return 'protocol';
    }
  }

  /** Bytes of the message's envelope; as far as its parts tell, at the least. */
  #envelopeBytes(number: number, { offset, payload, total }: Part): number {
    const bytes = Math.max(total ?? 0, offset + payload.length);
    return offset === 0 ? this.#rebuilder.bytesOf(number, payload, bytes) : bytes;
  }

  #checked<T>(rebuilt: T | undefined): T | undefined {
    if (rebuilt === undefined) this.#options.counters.wrongChecks += 1;
    return rebuilt;
  }

  /** Looks whether a refused stream may go on. True when it may. */
  recovers(nowMs: number): boolean {
    const refused = this.#refused;
    if (refused === undefined) return false;
    const hasWaited = nowMs >= refused.sinceMs + this.#retryMs;
    const { credit } = this.#options.receiver.cursorOf(this.#options.session, this.key);
    if (hasWaited) {
      this.#retryMs = Math.min(RETRY_MS_MAX, 2 * this.#retryMs);
      this.#refused = { ...refused, sinceMs: nowMs };
    }
    // What has no bytes waits for something else, of which no credit tells: a hole that is gone (custody/holes.ts).
    const isCovered = refused.bytes > 0 && credit >= refused.bytes;
    if (!isCovered && !(hasWaited && credit > 0)) return false;
    this.#tries = hasWaited ? 'anyway' : 'within-credit';
    this.#refused = undefined;
    this.#drain(nowMs);
    return true;
  }

  #item(item: Item, nowMs: number): Arrival {
    const verdict = this.#offer(item);
    switch (verdict) {
      case 'new':
        this.#refused = undefined;
        this.#retryMs = RETRY_MS_MIN;
        return this.#drain(nowMs);
      case 'repeat':
        return 'arrived';
      case 'ahead':
        return this.#keep(item);
      case 'no-room':
        return this.#refuse(bytesOf(item), nowMs);
      case 'stale':
        return 'fenced';
      default:
        return this.#reject(item.number, verdict.refused);
    }
  }

  #offer(item: Item): Acceptance | Refusal {
    const { receiver, session } = this.#options;
    const verdict = receiver.item(session, { stream: this.key, item }, this.#whenDurable);
    if (verdict === 'new' || verdict === 'repeat') this.#next = Math.max(this.#next, afterItem(item));
    return verdict;
  }

  /** Gives the receiver what was kept and has its turn now. What it cannot take yet was told as arrived, and stays kept. */
  #drain(nowMs: number): Arrival {
    for (;;) {
      this.#kept.dropBelow(this.#next);
      const { first } = this.#kept;
      if (first === undefined || first.number > this.#next) return 'arrived';
      const verdict = this.#offer(first);
      if (verdict === 'stale') return 'fenced';
      if (typeof verdict === 'object') return this.#reject(first.number, verdict.refused);
      if (verdict === 'no-room') this.#refuse(bytesOf(first), nowMs);
      if (verdict !== 'new' && verdict !== 'repeat') return 'arrived';
    }
  }

  #keep(item: Item): Arrival {
    this.#options.counters.early += 1;
    // A gap needs no room, and may be what a rejected message waits for.
    if (this.#refused !== undefined && item.kind === 'message') return this.#dropped('dropped');
    return this.#kept.keep(item) ? 'arrived' : this.#dropped('no-memory');
  }

  #dropped(how: 'dropped' | 'no-memory'): Arrival {
    this.#options.counters.notKept += 1;
    return how;
  }

  /** It counts as arrived, so that it is not sent again, and nothing of it is kept. */
  #reject(number: number, why: EndingClass): Arrival {
    const { rejections, counters } = this.#options;
    const place = number === this.#next ? 'at-cursor' : 'ahead';
    if (!rejections.add({ handle: this.handle, number, class: why }, place)) return this.#dropped('dropped');
    counters.rejected += 1;
    this.#kept.drop(number);
    // What it had no room for is not coming any more.
    if (place === 'at-cursor') this.#refused = undefined;
    return 'arrived';
  }

  #refuse(bytes: number, nowMs: number): Arrival {
    this.#options.counters.noRoom += 1;
    this.#refused = { bytes, sinceMs: nowMs };
    this.#tries = 'within-credit';
    return 'dropped';
  }
}

function bytesOf(item: Item): number {
  return item.kind === 'message' ? item.envelope.length : 0;
}
