/** Messages of one stream that go into one packet, one after the other. */
import type { Item } from '../custody/session.ts';
import { varintBytes } from '../varint.ts';
import { COMPACT_HEAD_BYTES, type CompactMessage, checkOf, compactPayload } from './compact.ts';
import { CHECK_BYTES, type DataContent, type MixedMessage, mixedLength } from './data-packet.ts';

/** `compact`: what crosses the line in place of the envelope. */
export type MessageItem = Item & { readonly kind: 'message' } & { readonly compact?: CompactMessage };

/** What crosses the line when it goes whole, or in parts. */
export function payloadOf({ envelope, compact }: MessageItem): Uint8Array {
  return compact === undefined ? envelope : compactPayload(compact);
}

export function payloadBytes({ envelope, compact }: MessageItem): number {
  return compact === undefined ? envelope.length : COMPACT_HEAD_BYTES + compact.body.length;
}

export class MessageBatch {
  readonly from: number;
  to: number;
  /** Of the envelopes alone: what credit counts. */
  bytes = 0;
  readonly #room: number;
  readonly #messages: MessageItem[] = [];
  readonly #compacts: CompactMessage[] = [];
  /** Of the payload, as a batch of envelopes alone and as a mixed one. */
  #plainBytes = 0;
  #mixedBytes = CHECK_BYTES;

  /** The first message fits `room`, alone. */
  constructor(room: number, first: MessageItem) {
    this.#room = room;
    this.from = first.number;
    this.to = first.number;
    this.#enter(first);
  }

  /** Another one may fit. */
  get isOpen(): boolean {
    return (this.#compacts.length === 0 ? this.#plainBytes : this.#mixedBytes) < this.#room;
  }

  /** False, and unchanged, when it does not fit or is not the next one. */
  add(message: MessageItem): boolean {
    const isMixed = this.#compacts.length > 0 || message.compact !== undefined;
    const wireBytes = isMixed ? this.#mixedBytes + mixedBytesOf(message) : this.#plainBytes + plainBytesOf(message);
    if (message.number !== this.to + 1 || wireBytes > this.#room) return false;
    this.#enter(message);
    return true;
  }

  get content(): DataContent {
    const [first] = this.#messages;
    if (first !== undefined && this.#messages.length === 1) return { kind: 'whole', payload: payloadOf(first) };
    if (this.#compacts.length === 0) return { kind: 'batch', payloads: this.#messages.map(({ envelope }) => envelope) };
    return { kind: 'mixed', messages: this.#messages.map(mixedOf), check: checkOf(this.#compacts) };
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
