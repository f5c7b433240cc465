/** Messages of one stream that go into one packet, one after the other. */
import type { Item } from '../custody/session.ts';
import { varintBytes } from '../varint.ts';
import type { DataContent } from './data-packet.ts';

export type MessageItem = Item & { readonly kind: 'message' };

export class MessageBatch {
  readonly from: number;
  to: number;
  /** Of the messages alone. */
  bytes: number;
  readonly #room: number;
  readonly #first: Uint8Array;
  readonly #payloads: Uint8Array[];
  #wireBytes: number;

  /** The first message fits `room`, alone. */
  constructor(room: number, first: MessageItem) {
    this.#room = room;
    this.#first = first.envelope;
    this.#payloads = [first.envelope];
    this.from = first.number;
    this.to = first.number;
    this.bytes = first.envelope.length;
    this.#wireBytes = varintBytes(this.bytes) + this.bytes;
  }

  /** Another one may fit. */
  get isOpen(): boolean {
    return this.#wireBytes < this.#room;
  }

  /** False, and unchanged, when it does not fit or is not the next one. */
  add({ number, envelope }: MessageItem): boolean {
    const wireBytes = this.#wireBytes + varintBytes(envelope.length) + envelope.length;
    if (number !== this.to + 1 || wireBytes > this.#room) return false;
    this.#payloads.push(envelope);
    this.#wireBytes = wireBytes;
    this.to = number;
    this.bytes += envelope.length;
    return true;
  }

  get content(): DataContent {
    const payloads = this.#payloads;
    return payloads.length === 1 ? { kind: 'whole', payload: this.#first } : { kind: 'batch', payloads };
  }
}
