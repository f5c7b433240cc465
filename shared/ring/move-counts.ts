/**
 * How often messages were moved between a queue and its subqueues, which most never are: counts come in chunks of CHUNK_SLOTS, two
 * bytes a slot, and a chunk takes no memory before one of its messages was moved.
 */
import { CHUNK_SLOTS } from './message-times.ts';

export class MoveCounts {
  readonly #chunks: (Uint16Array | undefined)[] = [];
  #count = 0;

  /** Memory taken. */
  get bytes(): number {
    return this.#count * CHUNK_SLOTS * Uint16Array.BYTES_PER_ELEMENT;
  }

  get(slot: number): number {
    return this.#chunks[Math.floor(slot / CHUNK_SLOTS)]?.[slot % CHUNK_SLOTS] ?? 0;
  }

  set(slot: number, moves: number): void {
    const at = Math.floor(slot / CHUNK_SLOTS);
    let chunk = this.#chunks[at];
    if (chunk === undefined) {
      if (moves === 0) return;
      chunk = new Uint16Array(CHUNK_SLOTS);
      while (this.#chunks.length < at) this.#chunks.push(undefined);
      this.#chunks[at] = chunk;
      this.#count += 1;
    }
    chunk[slot % CHUNK_SLOTS] = moves;
  }
}
