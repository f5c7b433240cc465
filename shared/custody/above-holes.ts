/**
 * What lies above a hole: stored, acknowledged to the neighbour it came from, and not to be seen before the hole is gone.
 *
 *   placed ──below the first hole──▶ ready
 *      └─────above it──▶ held ──the hole is filled, ended or closed, durably──▶ ready, in order of number
 *
 * Whether a message is seen is decided by what is durable, not by what is planned: the frame that fills a hole makes its message ready
 * first, and then what waited for it. Holes are planned in `NodeStore.destinations`; here is what the disk has of them.
 *
 * Messages of a queue are handed out in order of arrival, and what waited arrived before what it waited for: it stands behind that one,
 * by its rank (MessageIndex.rank). At an opening the ranks are found again from what is there.
 */
import type { Queues } from '../queue/queues.ts';
import { type MessageIndex, NO_SLOT } from '../ring/message-index.ts';

interface Line {
  /** Of the first hole that is durable; Infinity: there is none. */
  first: number;
  /** Nothing of the stream may be handed out before a message of this rank. */
  rank: number;
  /** Ids of what is held, and of what ended meanwhile. */
  held: number[];
  /** The first hole has moved since somebody looked for what it held back. */
  state: 'at rest' | 'moved';
}

export class AboveHoles {
  readonly #lines = new Map<number, Line>();
  readonly #index: MessageIndex;
  readonly #queues: Queues;

  constructor(index: MessageIndex, queues: Queues) {
    this.#index = index;
    this.#queues = queues;
  }

  /** True while there is nothing to look for. */
  get isIdle(): boolean {
    return this.#lines.size === 0;
  }

  /** Handles of streams that have holes, planned or durable. */
  get handles(): Iterable<number> {
    return this.#lines.keys();
  }

  /** A hole of this stream is planned, or was found. */
  watch(handle: number): void {
    if (!this.#lines.has(handle))
      this.#lines.set(handle, { first: Number.POSITIVE_INFINITY, rank: 0, held: [], state: 'at rest' });
  }

  watches(handle: number): boolean {
    return this.#lines.has(handle);
  }

  /** The disk has it so: before the messages of that frame are placed. */
  stored(handle: number, first: number): void {
    const line = this.#lines.get(handle);
    if (line === undefined) return;
    if (first > line.first) line.state = 'moved';
    line.first = first;
  }

  /** Messages of the stream that nobody sees. */
  heldCount(handle: number): number {
    return this.#lines.get(handle)?.held.filter((id) => this.#queues.isHeld(id)).length ?? 0;
  }

  /** A durable message of a queue here takes its place. */
  place(handle: number, slot: number, queueTimeMs: number): void {
    const line = this.#lines.get(handle);
    if (line !== undefined && this.#index.number(slot) >= line.first) {
      line.held.push(this.#index.id(slot));
      this.#queues.hold(slot);
      return;
    }
    if (line !== undefined) line.rank = Math.max(line.rank, this.#index.rank(slot));
    this.#queues.enqueue(slot, queueTimeMs);
  }

  /** After the messages of that frame are placed: what waits for nothing any more is ready. `planned`: holes are on their way to the disk. */
  release(handle: number, queueTimeMs: number, planned: 'none' | 'holes'): void {
    const line = this.#lines.get(handle);
    if (line === undefined) return;
    if (line.state === 'moved') this.#free(line, queueTimeMs);
    if (planned === 'none' && line.held.length === 0 && line.first === Number.POSITIVE_INFINITY) this.#lines.delete(handle);
  }

  #free(line: Line, queueTimeMs: number): void {
    const index = this.#index;
    const waiting: number[] = [];
    const free: number[] = [];
    for (const id of line.held) {
      // What expired or was purged meanwhile is none of ours.
      const slot = this.#queues.isHeld(id) ? index.find(id) : NO_SLOT;
      if (slot === NO_SLOT) continue;
      if (index.number(slot) < line.first) free.push(slot);
      else waiting.push(id);
    }
    line.held = waiting;
    line.state = 'at rest';
    free.sort((a, b) => index.number(a) - index.number(b));
    for (const slot of free) {
      line.rank = Math.max(line.rank, index.id(slot));
      index.setRank(slot, line.rank);
      this.#queues.unhold(slot, queueTimeMs);
    }
  }

  /** Of the messages that an opening finds, in order of id: those of a stream stand in order of number, whenever they came. */
  rank(slots: readonly number[], streamOf: (slot: number) => number): void {
    const index = this.#index;
    const newest = new Map<number, number>();
    const mixed = new Set<number>();
    for (const slot of slots) {
      const stream = streamOf(slot);
      const number = index.number(slot);
      if (number < (newest.get(stream) ?? 0)) mixed.add(stream);
      else newest.set(stream, number);
    }
    if (mixed.size === 0) return;
    const ranks = new Map<number, number>();
    const ordered = slots.filter((slot) => mixed.has(streamOf(slot))).sort((a, b) => index.number(a) - index.number(b));
    for (const slot of ordered) {
      const rank = Math.max(ranks.get(streamOf(slot)) ?? 0, index.id(slot));
      ranks.set(streamOf(slot), rank);
      index.setRank(slot, rank);
    }
  }
}
