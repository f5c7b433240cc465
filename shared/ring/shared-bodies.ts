/**
 * Bodies that several messages share. One message in no queue, the *holder*, keeps the body; each of the others, its *places*, says which
 * one that is. Most messages share nothing: distances come in chunks of CHUNK_SLOTS, four bytes a slot, and a chunk takes no memory
 * before one of its messages is a place.
 */
import { CHUNK_SLOTS } from './message-times.ts';

export class SharedBodies {
  readonly #chunks: (Uint32Array | undefined)[] = [];
  #count = 0;
  /** By the id of the holder. Also of one that damage took: its places say so when they are read. */
  readonly #places = new Map<number, number>();

  /** Memory taken by distances. */
  get bytes(): number {
    return this.#count * CHUNK_SLOTS * Uint32Array.BYTES_PER_ELEMENT;
  }

  /** Ids from the holder to the place in this slot; 0 for a holder. */
  distance(slot: number): number {
    return this.#chunks[Math.floor(slot / CHUNK_SLOTS)]?.[slot % CHUNK_SLOTS] ?? 0;
  }

  placesOf(holder: number): number {
    return this.#places.get(holder) ?? 0;
  }

  take(slot: number, { id, holder }: { readonly id: number; readonly holder: number }): void {
    const at = Math.floor(slot / CHUNK_SLOTS);
    let chunk = this.#chunks[at];
    if (chunk === undefined) {
      if (id === holder) return;
      chunk = new Uint32Array(CHUNK_SLOTS);
      while (this.#chunks.length < at) this.#chunks.push(undefined);
      this.#chunks[at] = chunk;
      this.#count += 1;
    }
    chunk[slot % CHUNK_SLOTS] = id - holder;
    if (id !== holder) this.#places.set(holder, this.placesOf(holder) + 1);
  }

  /** A place is gone; 0 was none. */
  release(holder: number): void {
    if (holder === 0) return;
    const left = this.placesOf(holder) - 1;
    if (left > 0) this.#places.set(holder, left);
    else this.#places.delete(holder);
  }
}
