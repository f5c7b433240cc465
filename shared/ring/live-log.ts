/**
 * Which frames of the log still hold something that is needed: one counter per frame, at the block it begins in. The tail is the
 * first frame with a live entry; dead frames before it cost nothing to pass. Four bytes a block.
 */
import { invariant } from '../assert.ts';

/** What two bytes can count: a frame has fewer blocks and entries (frame-layout.ts), a longer gap is noted in pieces. */
const STRETCH_BLOCKS_MAX = 0xffff;

export class LiveLog {
  readonly #live: Uint16Array;
  readonly #blocks: Uint16Array;
  tailLsn: number;
  headLsn: number;

  constructor(blockCount: number, startLsn: number) {
    this.#live = new Uint16Array(blockCount);
    this.#blocks = new Uint16Array(blockCount);
    this.tailLsn = startLsn;
    this.headLsn = startLsn;
  }

  /** A frame, or a gap without one, of `blocks` blocks at the head. Nothing in it is live yet. */
  extend(blocks: number): void {
    for (let left = blocks; left > 0; left -= STRETCH_BLOCKS_MAX) {
      const at = this.headLsn % this.#live.length;
      const stretch = Math.min(left, STRETCH_BLOCKS_MAX);
      this.#blocks[at] = stretch;
      this.#live[at] = 0;
      this.headLsn += stretch;
    }
  }

  /** One more live entry in the frame at `lsn`. */
  gain(lsn: number): void {
    const at = lsn % this.#live.length;
    this.#live[at] = (this.#live[at] ?? 0) + 1;
  }

  /** An entry of the frame at `lsn` is needed no more. */
  lose(lsn: number): void {
    const at = lsn % this.#live.length;
    const live = this.#live[at] ?? 0;
    invariant(live > 0, `frame at ${lsn} has no live entry to lose`);
    this.#live[at] = live - 1;
  }

  /** Moves the tail over dead frames, up to the head. */
  advance(): void {
    while (this.tailLsn < this.headLsn) {
      const at = this.tailLsn % this.#live.length;
      if (this.#live[at] !== 0) return;
      this.tailLsn += this.#blocks[at] ?? 1;
    }
  }

  blocksAt(lsn: number): number {
    return this.#blocks[lsn % this.#blocks.length] ?? 0;
  }

  liveAt(lsn: number): number {
    return this.#live[lsn % this.#live.length] ?? 0;
  }
}
