/**
 * The streams that the other side sends in this session: which handle is which, what becomes of its packets, and what it is told.
 *
 *   STREAM ──▶ opened, answered by a record      DATA, GAP, ELSEWHERE ──▶ InStream ──▶ custody receiver ──durable──▶ Records
 *                                                                                         └── never ──▶ Rejections ──▶ REJECT
 */
import { invariant } from '../assert.ts';
import type { CustodyReceiver, ReceiverSession } from '../custody/receiver.ts';
import type { Item, MessageItem } from '../custody/session.ts';
import { earliest } from '../earliest.ts';
import { type Epoch, type StreamKey, streamText } from '../message/identity.ts';
import type { Rebuilt } from './compact.ts';
import { type DataPacket, expandNumber } from './data-packet.ts';
import { type Arrival, InStream } from './in-stream.ts';
import { KeptBytes } from './kept-items.ts';
import type { StreamCursor } from './packet-fields.ts';
import { Records } from './records.ts';
import { Rejections } from './rejections.ts';
import type { Tlv } from './tlv.ts';

export interface InboundOptions {
  readonly receiver: CustodyReceiver;
  readonly session: ReceiverSession;
  /** Of the sender's store, as it told in this session. */
  readonly epoch: Epoch;
  /** Largest message this node can store, in bytes of its envelope. */
  readonly messageBytesMax: number;
}

export class Inbound {
  readonly counters = { early: 0, noRoom: 0, notKept: 0, rejected: 0, wrongChecks: 0, undeclared: 0 };
  /** Something is kept for a stream that cannot go on, and others need the memory: only a new session frees it. */
  isClogged = false;
  readonly #options: InboundOptions;
  readonly #streams = new Map<number, InStream>();
  readonly #keptBytes = new KeptBytes();
  readonly #records = new Records();
  readonly #rejections = new Rejections();

  constructor(options: InboundOptions) {
    this.#options = options;
  }

  get isFenced(): boolean {
    return this.#options.session.state === 'fenced';
  }

  /** Records wait to be told. */
  get hasNews(): boolean {
    return this.#records.hasNews;
  }

  /** Nothing can have changed but by an input or by the disk, which makes news. */
  get isQuiet(): boolean {
    const isAtEase = this.#records.isAtEase(this.#options.receiver.framesWritten);
    return !this.isFenced && !this.isClogged && !this.#records.hasNews && isAtEase;
  }

  get isBusy(): boolean {
    return this.#records.isBusy;
  }

  get keptBytes(): number {
    return this.#keptBytes.used;
  }

  get wakeAtMs(): number | undefined {
    return earliest(this.#records.wakeAtMs, this.#rejections.wakeAtMs);
  }

  /** A handle and its stream, as their sender declares them. Again is fine, another stream under the same handle is not. */
  open(handle: number, key: StreamKey): 'opened' | 'conflict' {
    const known = this.#streams.get(handle);
    if (known !== undefined && streamText(known.key) !== streamText(key)) return 'conflict';
    const stream = known ?? this.#newStream(handle, key);
    this.#records.add(stream);
    return 'opened';
  }

  data(packet: DataPacket, nowMs: number): Arrival {
    const stream = this.#streams.get(packet.handle);
    if (stream === undefined) return this.#undeclared();
    const number = expandNumber(packet.numberLow, stream.standing.cursor);
    if (number === undefined) return 'protocol';
    const { content } = packet;
    switch (content.kind) {
      case 'whole':
        return this.#batch(stream, { number, messages: [asItIs(content.payload)] }, nowMs);
      case 'batch':
        return this.#batch(stream, { number, messages: content.payloads.map(asItIs) }, nowMs);
      case 'compact':
      case 'mixed':
        return this.#batch(stream, { number, messages: stream.rebuilt(number, content) }, nowMs);
      case 'first':
        return this.#noted(stream, stream.part(number, { ...content, offset: 0 }, nowMs));
      case 'middle':
        return this.#noted(stream, stream.part(number, { ...content, total: undefined }, nowMs));
      case 'last': {
        const total = content.offset + content.payload.length;
        return this.#noted(stream, stream.part(number, { ...content, total }, nowMs));
      }
    }
  }

  /** GAP or ELSEWHERE of a NOTE. */
  gap(handle: number, item: Item, nowMs: number): Arrival {
    const stream = this.#streams.get(handle);
    return stream === undefined ? this.#undeclared() : this.#noted(stream, stream.item(item, nowMs));
  }

  /** The other side asks how things stand. */
  asked(): void {
    this.#records.asked();
    this.#rejections.asked();
  }

  /** Called after every step of the node. */
  pump(nowMs: number): void {
    this.#records.look(nowMs, this.#options.receiver.framesWritten);
    this.#rejections.pump(nowMs);
  }

  takeRecords(bytesMax: number, headBytes: number): StreamCursor[] {
    return this.#records.take(bytesMax, headBytes);
  }

  /** REJECTs to say now, as many as fit. */
  takeRejects(bytesMax: number, nowMs: number): (Tlv & { kind: 'reject' })[] {
    return this.#rejections.take(bytesMax, nowMs);
  }

  /** They did not arrive. */
  rejectsLost(tlvs: readonly (Tlv & { kind: 'reject' })[]): void {
    this.#rejections.lost(tlvs);
  }

  #newStream(handle: number, key: StreamKey): InStream {
    const shared = { keptBytes: this.#keptBytes, rejections: this.#rejections, counters: this.counters };
    const whenMoved = (stream: InStream) => this.#records.add(stream);
    const stream = new InStream({ ...this.#options, ...shared, handle, key, whenMoved });
    this.#streams.set(handle, stream);
    return stream;
  }

  #batch(
    stream: InStream,
    batch: { readonly number: number; readonly messages: readonly Rebuilt[] | undefined },
    nowMs: number,
  ): Arrival {
    if (batch.messages === undefined) return 'protocol';
    const items = batch.messages.map(({ envelope, plain }, at): MessageItem => {
      return { kind: 'message', number: batch.number + at, envelope, plain };
    });
    let worst: Arrival = 'arrived';
    for (let at = stream.run(items); at < items.length; at++) {
      const item = items[at];
      invariant(item !== undefined, 'an item of the batch');
      const arrival = this.#noted(stream, stream.item(item, nowMs));
      if (arrival === 'fenced' || arrival === 'protocol') return arrival;
      if (arrival !== 'arrived') worst = arrival;
    }
    return worst;
  }

  /** What follows from an arrival, besides its acknowledgement. */
  #noted(stream: InStream, arrival: Arrival): Arrival {
    if (arrival === 'no-memory') this.#noMemory(stream);
    if (stream.isRefused) this.#records.refused(stream);
    return arrival;
  }

  #undeclared(): Arrival {
    this.counters.undeclared += 1;
    return 'dropped';
  }

  #noMemory(stream: InStream): void {
    const stuck = [...this.#records.low].filter((other) => other.isRefused);
    for (const handle of this.#rejections.inVain) stuck.push(this.#streams.get(handle) ?? stream);
    if (stuck.some((other) => other !== stream && other.keptBytes > 0)) this.isClogged = true;
  }
}

/** It came as an envelope. */
function asItIs(envelope: Uint8Array): Rebuilt {
  return { envelope, plain: undefined };
}
