/**
 * Makes the next packet of one stream out of what the custody sender gives:
 *
 *   what was lost            read from the ring again, in whatever packets it fits now
 *   a message begun          its next part
 *   then what is new         as many messages as fit one packet; a large one in parts; a gap or elsewhere alone, in a NOTE
 *
 * New bytes go out only within the stream's credit, and numbers only within reach of the cursor (docs/link.md, "Numbers in DATA").
 */
import type { NodeStore } from '../custody/node-store.ts';
import type { CustodySender, SendingStream } from '../custody/sender.ts';
import { afterItem, type Item } from '../custody/session.ts';
import { varintBytes } from '../varint.ts';
import { Compactor } from './compact.ts';
import { type DataContent, lowNumber } from './data-packet.ts';
import type { LineProfile } from './line-profile.ts';
import { MessageBatch, type MessageItem, payloadOf, wholeBytes } from './message-batch.ts';
import type { LinkStream } from './out-stream.ts';
import {
  DATA_HANDLE_FOLLOWS,
  FEATURE_BATCHES,
  FEATURE_COMPACT,
  FEATURE_FRAGMENTS,
  HEADER_BYTES,
  TRAILER_BYTES,
} from './packet-layout.ts';
import type { PacketSize } from './packet-size.ts';
import { ReadAhead } from './read-ahead.ts';
import type { Tlv } from './tlv.ts';

/** Of a packet of ours: what goes out again when it is lost. */
export type SentContent =
  | { readonly kind: 'numbers'; readonly stream: LinkStream; readonly from: number; readonly to: number }
  | { readonly kind: 'part'; readonly stream: LinkStream; readonly number: number; readonly offset: number; readonly end: number }
  | { readonly kind: 'declarations'; readonly streams: readonly LinkStream[] };

/** A packet without its number. */
export type Unnumbered =
  | { readonly kind: 'data'; readonly handle: number; readonly numberLow: number; readonly content: DataContent }
  | { readonly kind: 'note'; readonly tlvs: readonly Tlv[] };

export interface Made {
  readonly packet: Unnumbered;
  readonly sent: SentContent;
}

/** What the other side takes, and what we choose to send at most. */
export interface SendLimits {
  readonly dataSize: PacketSize;
  readonly packetBytesMax: number;
  readonly features: number;
  readonly messageForm: LineProfile['messageForm'];
}

export interface PacketMakerOptions {
  readonly store: NodeStore;
  readonly sender: CustodySender;
  readonly limits: SendLimits;
  /** A message fits no packet that the other side takes, and it takes no parts. It is not asked for again: it ends. */
  readonly onTooLarge: (stream: LinkStream, number: number) => void;
}

/** A message in the form in which it crosses this line. */
type LinkItem = MessageItem | Exclude<Item, { readonly kind: 'message' }>;

/** `yes`: nothing is under way. */
export type Hurry = 'yes' | 'no';

/** A number is meant within this of the cursor the other side told last. */
export const NUMBERS_AHEAD_MAX = 32_768;
/** Messages under way in parts at once: two of the largest fit what a receiver keeps. */
export const PARTING_COUNT_MAX = 2;
/** Header, packet number, low number, trailer. */
const DATA_BYTES = HEADER_BYTES + 1 + 2 + TRAILER_BYTES;

export class PacketMaker {
  /** A body is being read: ask again after the next step. */
  isLoading = false;
  /** Packets that carried something for the second time. */
  repeatedCount = 0;
  readonly #readAhead: ReadAhead;
  readonly #sender: CustodySender;
  readonly #limits: SendLimits;
  readonly #onTooLarge: (stream: LinkStream, number: number) => void;
  /** Undefined: every message goes as its envelope. */
  readonly #compactor: Compactor | undefined;
  readonly #parting = new Set<LinkStream>();
  /** Taken from the sender and not sent: it did not fit the packet. At most one, so that memory is bounded. */
  #spare: { stream: LinkStream; item: LinkItem } | undefined;

  constructor(options: PacketMakerOptions) {
    this.#readAhead = new ReadAhead(options.store.ring);
    this.#sender = options.sender;
    this.#limits = options.limits;
    this.#onTooLarge = options.onTooLarge;
    const { features, messageForm } = options.limits;
    const { self, ring } = options.store;
    const isCompact = messageForm === 'compact' && (features & FEATURE_COMPACT) !== 0;
    // Of this opening of the store: what the offer of this session told.
    this.#compactor = isCompact ? new Compactor(self, ring.epoch) : undefined;
  }

  /** A body was not there when it was asked for, and may be now. */
  get mayRetry(): boolean {
    return this.isLoading && !this.#readAhead.isBusy;
  }

  /** The stream whose next item waits here and no longer at the sender. */
  get spareStream(): LinkStream | undefined {
    return this.#spare?.stream;
  }

  /**
   * Undefined when the stream has nothing that may go out now. `hurry`: nothing is under way, so a packet that is not full goes out
   * although the bodies that would fill it are being read.
   */
  make(stream: LinkStream, hurry: Hurry): Made | undefined {
    const sending = this.#sender.stream(stream.out);
    const repeat = this.#repeat(stream, sending);
    if (repeat !== undefined) this.repeatedCount += 1;
    if (repeat !== undefined || stream.lost.length > 0) return repeat;
    return stream.parting === undefined ? this.#fresh(stream, sending, hurry) : this.#nextPart(stream, sending);
  }

  /** The receiver spoke of the stream. A message it stopped in the middle makes place for others; its rest goes out as a repeat. */
  heard(stream: LinkStream, sending: SendingStream): void {
    const { parting } = stream;
    if (parting !== undefined && sending.credit === 0) {
      stream.lose({ kind: 'part', number: parting.number, offset: parting.offset, end: parting.payload.length });
      stream.parting = undefined;
    }
    if (stream.parting === undefined) this.#parting.delete(stream);
    const spare = this.#spare;
    if (spare?.stream === stream && afterItem(spare.item) <= sending.cursor) this.#spare = undefined;
  }

  /** The receiver refuses the message: what of it waits here is let fall, and others may go in parts. */
  refused(stream: LinkStream, number: number): void {
    if (stream.parting === undefined) this.#parting.delete(stream);
    if (this.#spare?.stream === stream && this.#spare.item.number === number) this.#spare = undefined;
  }

  #fresh(stream: LinkStream, sending: SendingStream, hurry: Hurry): Made | undefined {
    if (isStopped(stream, sending) && sending.send >= stream.out.lo) return undefined;
    const first = this.#take(stream, sending);
    if (first === undefined) return undefined;
    if (!mayFollow(sending, first)) return this.#putBack(stream, first);
    if (first.kind !== 'message') {
      stream.sent(afterItem(first) - 1, 0);
      return gapNote(stream, first);
    }
    const { length } = first.envelope;
    if (!stream.mayAdd(length, sending.credit)) return this.#putBack(stream, first);
    if (this.#goesInParts(stream, first)) return this.#inParts(stream, sending, first);
    if (wholeBytes(first) > this.#limits.packetBytesMax - headBytes(stream)) {
      stream.sent(first.number, 0);
      this.#onTooLarge(stream, first.number);
      return undefined;
    }
    const batch = new MessageBatch(this.#room(stream), this.#limits.dataSize, first);
    while (batch.isOpen && this.#limits.features & FEATURE_BATCHES) {
      const item = this.#take(stream, sending);
      if (item === undefined) {
        if (!this.isLoading || hurry === 'yes') break;
        this.#sender.rewind(sending, first.number);
        return undefined;
      }
      const isNext =
        item.kind === 'message' && mayFollow(sending, item) && stream.fits(batch.bytes + item.envelope.length, sending.credit);
      if (isNext && batch.add(item)) continue;
      this.#putBack(stream, item);
      break;
    }
    stream.sent(batch.to, batch.bytes);
    return packetOf(stream, batch);
  }

  /** It fits no packet of ours, or is better off in parts; and the other side takes those. */
  #goesInParts(stream: LinkStream, message: MessageItem): boolean {
    const { dataSize, features } = this.#limits;
    return (features & FEATURE_FRAGMENTS) !== 0 && dataSize.partCount(wholeBytes(message), this.#room(stream)) > 1;
  }

  #inParts(stream: LinkStream, sending: SendingStream, message: MessageItem): Made | undefined {
    if (this.#parting.size >= PARTING_COUNT_MAX && !this.#parting.has(stream)) return this.#putBack(stream, message);
    const { envelope, number } = message;
    this.#parting.add(stream);
    stream.sent(number, envelope.length);
    stream.parting = { number, payload: payloadOf(message), offset: 0 };
    return this.#nextPart(stream, sending);
  }

  #nextPart(stream: LinkStream, sending: SendingStream): Made | undefined {
    const { parting } = stream;
    if (parting === undefined || sending.credit === 0) return undefined;
    const made = this.#part(stream, parting, parting.payload.length);
    parting.offset = made.end;
    if (parting.offset < parting.payload.length) return made;
    stream.parting = undefined;
    this.#parting.delete(stream);
    return made;
  }

  /** What was lost, beginning with the lowest number. The sender's place in the stream is the same afterwards. */
  #repeat(stream: LinkStream, sending: SendingStream): Made | undefined {
    for (let lost = stream.lost[0]; lost !== undefined; lost = stream.lost[0]) {
      if (isStopped(stream, sending)) return undefined;
      const resume = sending.send;
      const from = lost.kind === 'numbers' ? lost.from : lost.number;
      this.#sender.rewind(sending, from);
      const made =
        lost.kind === 'numbers' ? this.#repeatNumbers(stream, sending, lost.to) : this.#repeatPart(stream, sending, lost);
      this.#sender.rewind(sending, resume);
      if (made !== 'gone') return made;
      stream.lost.shift();
    }
    return undefined;
  }

  #repeatNumbers(stream: LinkStream, sending: SendingStream, to: number): Made | undefined | 'gone' {
    const first = this.#again(sending);
    if (first === undefined) return undefined;
    if (first.number > to) return 'gone';
    if (first.kind !== 'message') return restOf(stream, gapNote(stream, first), afterItem(first), to);
    if (!mayRepeat(sending, first)) return undefined;
    if (this.#goesInParts(stream, first)) {
      const part = { number: first.number, payload: payloadOf(first), offset: 0 };
      const made = this.#part(stream, part, part.payload.length);
      stream.lose({ kind: 'part', number: first.number, offset: made.end, end: part.payload.length });
      return restOf(stream, made, first.number + 1, to);
    }
    const batch = new MessageBatch(this.#room(stream), this.#limits.dataSize, first);
    while (batch.isOpen && batch.to < to && this.#limits.features & FEATURE_BATCHES) {
      const item = this.#again(sending);
      if (item?.kind !== 'message' || batch.bytes + item.envelope.length > sending.credit || !batch.add(item)) break;
    }
    return restOf(stream, packetOf(stream, batch), batch.to + 1, to);
  }

  #repeatPart(
    stream: LinkStream,
    sending: SendingStream,
    lost: { readonly number: number; readonly offset: number; readonly end: number },
  ): Made | undefined | 'gone' {
    const item = this.#again(sending);
    if (item === undefined) return undefined;
    if (item.number !== lost.number) return 'gone';
    if (item.kind !== 'message') return restOf(stream, gapNote(stream, item), 1, 0);
    if (!mayRepeat(sending, item)) return undefined;
    const made = this.#part(stream, { ...lost, payload: payloadOf(item) }, lost.end);
    if (made.end === lost.end) stream.lost.shift();
    else stream.lost[0] = { kind: 'part', ...lost, offset: made.end };
    return made;
  }

  /** Bytes of a message from `offset` on, up to `end` at the most: of parts of one size, as many as are best. */
  #part(
    stream: LinkStream,
    at: { readonly number: number; readonly payload: Uint8Array; readonly offset: number },
    end: number,
  ): Made & { readonly end: number } {
    const { number, offset } = at;
    const total = at.payload.length;
    const room = this.#room(stream) - varintBytes(offset === 0 ? total : offset);
    const left = end - offset;
    const partEnd = offset + Math.ceil(left / this.#limits.dataSize.partCount(left, room));
    const payload = at.payload.subarray(offset, partEnd);
    const content: DataContent =
      offset === 0 ? { kind: 'first', total, payload } : { kind: partEnd === total ? 'last' : 'middle', offset, payload };
    const sent = { kind: 'part' as const, stream, number, offset, end: partEnd };
    return { packet: { kind: 'data', handle: stream.handle, numberLow: lowNumber(number), content }, sent, end: partEnd };
  }

  #room(stream: LinkStream): number {
    return this.#limits.dataSize.bytesMax - headBytes(stream);
  }

  #take(stream: LinkStream, sending: SendingStream): LinkItem | undefined {
    const spare = this.#spare;
    if (spare?.stream === stream) {
      this.#spare = undefined;
      return spare.item;
    }
    const taken = this.#sender.take(sending);
    if (taken.kind === 'loading') {
      this.isLoading = true;
      this.#readAhead.begin(sending);
    }
    return taken.kind === 'item' ? this.#formed(sending, taken.item) : undefined;
  }

  /** What was sent before, read again. It is there as long as the receiver has not said that it is durable. */
  #again(sending: SendingStream): LinkItem | undefined {
    const taken = this.#sender.take(sending);
    if (taken.kind === 'item') return this.#formed(sending, taken.item);
    this.isLoading = true;
    return undefined;
  }

  /** The same each time, or parts that go out again would not fit the others. */
  #formed(sending: SendingStream, item: Item): LinkItem {
    if (item.kind !== 'message') return item;
    const compact = this.#compactor?.compact(sending.key, item);
    return compact === undefined ? item : { ...item, compact };
  }

  #putBack(stream: LinkStream, item: LinkItem): undefined {
    const spare = this.#spare;
    if (spare !== undefined && spare.stream !== stream)
      this.#sender.rewind(this.#sender.stream(spare.stream.out), spare.item.number);
    this.#spare = { stream, item };
    return undefined;
  }
}

function packetOf(stream: LinkStream, batch: MessageBatch): Made {
  const { from, to, content } = batch;
  const packet = { kind: 'data' as const, handle: stream.handle, numberLow: lowNumber(from), content };
  return { packet, sent: { kind: 'numbers', stream, from, to } };
}

/** Bytes of a DATA packet around its content. */
function headBytes({ handle }: LinkStream): number {
  return DATA_BYTES + (handle >= DATA_HANDLE_FOLLOWS ? varintBytes(handle) : 0);
}

/** The receiver takes no bytes now, and there is nothing but bytes. */
function isStopped(stream: LinkStream, sending: SendingStream): boolean {
  return sending.credit === 0 && stream.out.gaps.length === 0;
}

/** The message at the cursor may always try while there is credit; others only if it covers them. */
function mayRepeat(sending: SendingStream, { number, envelope }: MessageItem): boolean {
  return sending.credit > 0 && (number <= sending.cursor || envelope.length <= sending.credit);
}

/** Within reach of the cursor; a gap that ends beyond it, only when nothing of its stream is under way. */
function mayFollow(sending: SendingStream, item: Item): boolean {
  const last = afterItem(item) - 1;
  return last < sending.cursor + NUMBERS_AHEAD_MAX || (item.kind !== 'message' && item.number <= sending.cursor);
}

function gapNote(stream: LinkStream, item: Exclude<LinkItem, MessageItem>): Made {
  const range = { handle: stream.handle, from: item.number, to: item.to };
  const tlv: Tlv =
    item.kind === 'gap' ? { kind: 'gap', ...range, class: item.class, node: item.node } : { kind: 'elsewhere', ...range };
  return { packet: { kind: 'note', tlvs: [tlv] }, sent: { kind: 'numbers', stream, from: item.number, to: item.to } };
}

/** `made` repeats the first of what was lost up to before `next`; what is left of it up to `to` stays lost. */
function restOf(stream: LinkStream, made: Made, next: number, to: number): Made {
  stream.lost.shift();
  if (next <= to) stream.lost.unshift({ kind: 'numbers', from: next, to });
  return made;
}
