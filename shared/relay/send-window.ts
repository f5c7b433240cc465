/**
 * What was published and has no receipt yet, oldest first. It bounds what a broker holds for us, and it says when something stands
 * still: `headSinceMs` is the time since which nothing of the oldest publish has been receipted.
 */
import type { SendingStream } from '../custody/sender.ts';

export interface WindowLimits {
  readonly publishCountMax: number;
  readonly bytesMax: number;
}

/** The part of one publish that belongs to one stream. */
export interface SentPart {
  readonly stream: SendingStream;
  /** The number after its last item. */
  after: number;
  /** Bytes of envelopes: what counts against credit. */
  bytes: number;
}

interface SentPublish {
  readonly bytes: number;
  readonly itemCount: number;
  parts: SentPart[];
}

export interface WindowHead {
  readonly stream: SendingStream;
  readonly number: number;
  /** Of the publish that it was in. */
  readonly itemCount: number;
  readonly bytes: number;
}

export class SendWindow {
  bytes = 0;
  headSinceMs = 0;
  readonly #limits: WindowLimits;
  readonly #outstanding = new Map<SendingStream, number>();
  #publishes: SentPublish[] = [];
  #headMark = 0;

  constructor(limits: WindowLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#publishes.length;
  }

  get isOpen(): boolean {
    return this.count < this.#limits.publishCountMax && this.bytes < this.#limits.bytesMax;
  }

  /** Bytes the next publish may have. A publish that alone is larger passes when nothing else is out. */
  get room(): number {
    return this.count === 0 ? Number.POSITIVE_INFINITY : this.#limits.bytesMax - this.bytes;
  }

  /** Bytes of envelopes of a stream beyond its cursor. */
  outstandingOf(stream: SendingStream): number {
    return this.#outstanding.get(stream) ?? 0;
  }

  /** What has been out for longest: the first item of it that has no receipt. */
  get head(): WindowHead | undefined {
    const [publish] = this.#publishes;
    const stream = publish?.parts[0]?.stream;
    return publish && stream && { stream, number: stream.cursor, itemCount: publish.itemCount, bytes: publish.bytes };
  }

  add({ parts, itemCount }: { parts: SentPart[]; itemCount: number }, bytes: number, nowMs: number): void {
    this.#publishes.push({ bytes, parts, itemCount });
    this.bytes += bytes;
    for (const { stream, bytes: cost } of parts) this.#outstanding.set(stream, this.outstandingOf(stream) + cost);
    if (this.count === 1) this.#newHead(nowMs);
  }

  /** After cursors have moved: lets go what they passed. True when something of the oldest publish was among it. */
  settle(nowMs: number): boolean {
    const headBefore = this.#publishes[0];
    this.#drop(({ stream, after }) => after <= stream.cursor);
    const hasProgressed = headBefore !== undefined && (this.#publishes[0] !== headBefore || this.#mark() !== this.#headMark);
    if (hasProgressed) this.#newHead(nowMs);
    return hasProgressed;
  }

  /** Nothing of this stream is on its way any more: the receiver said that it let it fall. */
  forget(stream: SendingStream, nowMs: number): void {
    const headBefore = this.#publishes[0];
    this.#drop((part) => part.stream === stream);
    if (this.#publishes[0] !== headBefore) this.#newHead(nowMs);
  }

  clear(): void {
    this.#publishes = [];
    this.#outstanding.clear();
    this.bytes = 0;
  }

  #drop(isOver: (part: SentPart) => boolean): void {
    for (const publish of this.#publishes) {
      if (!publish.parts.some(isOver)) continue;
      for (const { stream, bytes } of publish.parts.filter(isOver)) {
        const left = this.outstandingOf(stream) - bytes;
        if (left > 0) this.#outstanding.set(stream, left);
        else this.#outstanding.delete(stream);
      }
      publish.parts = publish.parts.filter((part) => !isOver(part));
      if (publish.parts.length === 0) this.bytes -= publish.bytes;
    }
    this.#publishes = this.#publishes.filter((publish) => publish.parts.length > 0);
  }

  #newHead(nowMs: number): void {
    this.headSinceMs = nowMs;
    this.#headMark = this.#mark();
  }

  /** Grows whenever a cursor of the oldest publish moves. */
  #mark(): number {
    return (this.#publishes[0]?.parts ?? []).reduce((sum, { stream }) => sum + stream.cursor, 0);
  }
}
