/** Messages of one stream that go into one packet, one after the other. */
import type { Item } from '../custody/session.ts';
import { varintBytes } from '../varint.ts';
import { type CompactMessage, checkOf, compactPayload } from './compact.ts';
import { CHECK_BYTES, type DataContent, type MixedMessage, mixedLength } from './data-packet.ts';
import type { PacketSize } from './packet-size.ts';

/** `compact`: what crosses the line in place of the envelope. */
export type MessageItem = Item & { readonly kind: 'message' } & { readonly compact?: CompactMessage };

/** What crosses the line when it goes in parts. */
export function payloadOf({ envelope, compact }: MessageItem): Uint8Array {
  return compact === undefined ? envelope : compactPayload(compact);
}

/** When it goes whole, alone in its packet. */
export function wholeBytes({ envelope, compact }: MessageItem): number {
  return compact === undefined ? envelope.length : CHECK_BYTES + compact.body.length;
}

/** Of two payloads the one that is better for the line (packet-size.ts). */
export type PayloadChoice = Pick<PacketSize, 'mayGrow'>;

export class MessageBatch {
  readonly from: number;
  to: number;
  /** Of the envelopes alone: what credit counts. */
  bytes = 0;
  readonly #room: number;
  readonly #size: PayloadChoice;
  readonly #messages: MessageItem[] = [];
  readonly #compacts: CompactMessage[] = [];
  /** Of the payload, as a batch of envelopes alone and as a mixed one. */
  #plainBytes = 0;
  #mixedBytes = CHECK_BYTES;

  /** The first message goes, even if it is larger than `room`; no other does then. `size`: whether more in the packet is better. */
  constructor(room: number, size: PayloadChoice, first: MessageItem) {
    this.#room = room;
    this.#size = size;
    this.from = first.number;
    this.to = first.number;
    this.#enter(first);
  }

  /** Another one may fit. */
  get isOpen(): boolean {
    const wireBytes = this.#wireBytes;
    return wireBytes < this.#room && this.#size.mayGrow(wireBytes, wireBytes + 1);
  }

  /** False, and unchanged, when it is not the next one, does not fit, or makes the packet worse. */
  add(message: MessageItem): boolean {
    const isMixed = this.#compacts.length > 0 || message.compact !== undefined;
    const wireBytes = isMixed ? this.#mixedBytes + mixedBytesOf(message) : this.#plainBytes + plainBytesOf(message);
    if (message.number !== this.to + 1 || wireBytes > this.#room || !this.#size.mayGrow(this.#wireBytes, wireBytes)) return false;
    this.#enter(message);
    return true;
  }

  /** Of the payload, as it is now. */
  get #wireBytes(): number {
    return this.#compacts.length === 0 ? this.#plainBytes : this.#mixedBytes;
  }

  get content(): DataContent {
    const [first] = this.#messages;
    if (first !== undefined && this.#messages.length === 1) return contentOf(first);
    if (this.#compacts.length === 0) return { kind: 'batch', payloads: this.#messages.map(({ envelope }) => envelope) };
    return { kind: 'mixed', messages: this.#messages.map(mixedOf), check: checkOf(this.#compacts.map(({ crc }) => crc)) };
  }

  #enter(message: MessageItem): void {
    this.#messages.push(message);
    if (message.compact !== undefined) this.#compacts.push(message.compact);
    this.#plainBytes += plainBytesOf(message);
    this.#mixedBytes += mixedBytesOf(message);
    this.to = message.number;
    this.bytes += message.envelope.length;
  }
}

function contentOf({ envelope, compact }: MessageItem): DataContent {
  if (compact === undefined) return { kind: 'whole', payload: envelope };
  return { kind: 'compact', check: checkOf([compact.crc]), body: compact.body };
}

function mixedOf({ envelope, compact }: MessageItem): MixedMessage {
  return compact === undefined ? { form: 'full', bytes: envelope } : { form: 'compact', bytes: compact.body };
}

function mixedBytesOf(message: MessageItem): number {
  const { form, bytes } = mixedOf(message);
  return varintBytes(mixedLength(form, bytes.length)) + bytes.length;
}

function plainBytesOf({ envelope }: MessageItem): number {
  return varintBytes(envelope.length) + envelope.length;
}
