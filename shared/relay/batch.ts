/** One publish while it is being filled: items of one topic, within the bytes it may have. */
import type { SendingStream } from '../custody/sender.ts';
import type { Item } from '../custody/session.ts';
import { BATCH_ITEM_COUNT_MAX } from '../limits.ts';
import { encodeItem, PUBLISH_HEADER_BYTES_MAX } from './publish-layout.ts';
import type { SentPart } from './send-window.ts';

export interface BatchLimits {
  /** Of the payload; one item alone may be larger. */
  readonly bytesMax: number;
  /** Of the payload, whatever is in it: what the broker takes. */
  readonly payloadBytesMax: number;
  /** What the window has left; nothing may be larger. */
  readonly roomBytes: number;
  readonly itemCountMax: number;
}

export class Batch {
  readonly topic: string;
  readonly items: Uint8Array[] = [];
  readonly parts: SentPart[] = [];
  bytes = PUBLISH_HEADER_BYTES_MAX;
  /** Something did not fit: the batch is published as it is. */
  isFull = false;
  readonly #limits: BatchLimits;

  constructor(topic: string, limits: BatchLimits) {
    this.topic = topic;
    this.#limits = { ...limits, itemCountMax: Math.min(limits.itemCountMax, BATCH_ITEM_COUNT_MAX) };
  }

  /** Bytes of envelopes of a stream in here. */
  bytesOf(stream: SendingStream): number {
    return this.parts.reduce((sum, part) => sum + (part.stream === stream ? part.bytes : 0), 0);
  }

  /** Adds an item, or says that it does not fit; `too-large`: it never will. */
  offer(stream: SendingStream, item: Item): 'added' | 'does-not-fit' | 'too-large' {
    const encoded = encodeItem(stream.key, item);
    const bytes = this.bytes + encoded.length;
    const { bytesMax, payloadBytesMax, roomBytes } = this.#limits;
    if (this.items.length === 0 && bytes > payloadBytesMax) return 'too-large';
    if (bytes > Math.min(roomBytes, payloadBytesMax) || (this.items.length > 0 && bytes > bytesMax)) {
      this.isFull = true;
      return 'does-not-fit';
    }
    this.items.push(encoded);
    this.bytes = bytes;
    this.isFull = this.items.length >= this.#limits.itemCountMax;
    const cost = costOf(item);
    const last = this.parts.at(-1);
    if (last?.stream === stream) {
      last.after = stream.send;
      last.bytes += cost;
    } else {
      this.parts.push({ stream, after: stream.send, bytes: cost });
    }
    return 'added';
  }
}

/** What an item takes of its stream's credit: bytes of its envelope. A gap is free, so that it passes a full queue. */
export function costOf(item: Item): number {
  return item.kind === 'message' ? item.envelope.length : 0;
}
