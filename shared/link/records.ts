/**
 * What the other side is to be told of its streams: {handle, cursor, credit}, durable cursors only.
 *
 *   the cursor moved, or was asked for ──▶ untold ──▶ told with the next ACK ──▶ recent: told again at the next two pings
 *   told a low credit ──▶ watched, whenever a frame was written, until it has grown enough to be worth telling
 */
import { CREDIT_BYTES_MAX } from '../custody/receiver.ts';
import { earliest } from '../earliest.ts';
import { varintBytes } from '../varint.ts';
import type { InStream } from './in-stream.ts';
import type { StreamCursor } from './packet-fields.ts';

/** Credit below this is watched. */
const LOW_CREDIT_BYTES = CREDIT_BYTES_MAX / 4;
/** Between two looks. */
const LOOK_MS = 20;

export class Records {
  readonly #untold = new Set<InStream>();
  #recent = new Set<InStream>();
  #recentBefore = new Set<InStream>();
  /** With the credit that was told. */
  readonly #low = new Map<InStream, number>();
  #lookAtMs = Number.NEGATIVE_INFINITY;
  #isLookWanted = false;
  /** As of the last `look`. */
  #framesSeen = -1;
  /** Since the last time that credits were looked at. */
  #mayHaveGrown = false;

  get hasNews(): boolean {
    return this.#untold.size > 0;
  }

  /** A stream may not send at all: the disk is behind, or full. */
  get isBusy(): boolean {
    for (const credit of this.#low.values()) if (credit === 0) return true;
    return false;
  }

  /** Nothing is watched, or nothing of it can have grown since the last `look`. */
  isAtEase(framesWritten: number): boolean {
    return this.#low.size === 0 || framesWritten === this.#framesSeen;
  }

  get wakeAtMs(): number | undefined {
    if (this.#isLookWanted) return this.#lookAtMs;
    const atMs = this.#retryAtMs;
    return atMs === undefined ? undefined : Math.max(atMs, this.#lookAtMs);
  }

  /** Streams that are watched. */
  get low(): Iterable<InStream> {
    return this.#low.keys();
  }

  add(stream: InStream): void {
    this.#untold.add(stream);
  }

  /** The other side asks how things stand: an ACK may have been lost. */
  asked(): void {
    for (const stream of this.#recent) this.#untold.add(stream);
    for (const stream of this.#recentBefore) this.#untold.add(stream);
    this.#recentBefore = this.#recent;
    this.#recent = new Set();
  }

  /** It was refused: that is told at once, and watched. */
  refused(stream: InStream): void {
    this.#low.set(stream, 0);
    this.#untold.add(stream);
    this.#mayHaveGrown = true;
  }

  /** Looks whether low credits have grown: room comes with frames, and who was refused has a time to try again. */
  look(nowMs: number, framesWritten: number): void {
    if (framesWritten !== this.#framesSeen) this.#mayHaveGrown = true;
    this.#framesSeen = framesWritten;
    const isDue = this.#low.size > 0 && (this.#mayHaveGrown || (this.#retryAtMs ?? nowMs + 1) <= nowMs);
    this.#isLookWanted = isDue && nowMs < this.#lookAtMs;
    if (!isDue || this.#isLookWanted) return;
    this.#mayHaveGrown = false;
    this.#lookAtMs = nowMs + LOOK_MS;
    for (const [stream, told] of this.#low) {
      if (stream.isRefused ? stream.recovers(nowMs) : isWorthTelling(stream.standing.credit, told)) this.#untold.add(stream);
    }
  }

  /** As many as fit into `bytesMax` with `headBytes` for each; the rest waits for the next time. */
  take(bytesMax: number, headBytes: number): StreamCursor[] {
    const records: StreamCursor[] = [];
    let bytes = 0;
    for (const stream of this.#untold) {
      const { handle, standing } = stream;
      const { cursor, credit } = standing;
      bytes += headBytes + varintBytes(handle) + varintBytes(cursor) + varintBytes(credit);
      if (bytes > bytesMax) break;
      records.push({ handle, cursor, credit });
      this.#untold.delete(stream);
      this.#recent.add(stream);
      if (credit < LOW_CREDIT_BYTES) this.#low.set(stream, credit);
      else this.#low.delete(stream);
    }
    return records;
  }

  /** When the first of those who were refused may try again. */
  get #retryAtMs(): number | undefined {
    let atMs: number | undefined;
    for (const stream of this.#low.keys()) atMs = earliest(atMs, stream.retryAtMs);
    return atMs;
  }
}

function isWorthTelling(credit: number, told: number): boolean {
  return credit > 0 && (credit >= 2 * told || credit >= LOW_CREDIT_BYTES);
}
