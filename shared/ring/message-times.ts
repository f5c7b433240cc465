/**
 * Expiry and delay of messages, which most do not have: places for them come in chunks, and a chunk takes no memory before one of its
 * messages has such a time.
 *
 *   off len  field        of each of CHUNK_SLOTS slots
 *     0   6  expiresAtMs  queue time, 0 never
 *     6   6  notBeforeMs  queue time, 0 at once
 */
import { getUint48, setUint48 } from './uint48.ts';

/** Slots that get their memory together, in this table and in the index: a power of two, and little for a small engine (24 KiB). */
export const CHUNK_SLOTS = 512;
const TIMES_BYTES = 12;

export class MessageTimes {
  readonly #chunks: (DataView | undefined)[] = [];
  #count = 0;

  /** Memory taken. */
  get bytes(): number {
    return this.#count * CHUNK_SLOTS * TIMES_BYTES;
  }

  expiresAtMs(slot: number): number {
    return this.#get(slot, 0);
  }

  notBeforeMs(slot: number): number {
    return this.#get(slot, 6);
  }

  set(slot: number, times: { readonly expiresAtMs: number; readonly notBeforeMs: number }): void {
    this.#set(slot, 0, times.expiresAtMs);
    this.setNotBefore(slot, times.notBeforeMs);
  }

  setNotBefore(slot: number, notBeforeMs: number): void {
    this.#set(slot, 6, notBeforeMs);
  }

  #get(slot: number, field: number): number {
    const chunk = this.#chunks[Math.floor(slot / CHUNK_SLOTS)];
    return chunk === undefined ? 0 : getUint48(chunk, (slot % CHUNK_SLOTS) * TIMES_BYTES + field);
  }

  #set(slot: number, field: number, value: number): void {
    const at = Math.floor(slot / CHUNK_SLOTS);
    let chunk = this.#chunks[at];
    if (chunk === undefined) {
      if (value === 0) return;
      chunk = new DataView(new ArrayBuffer(CHUNK_SLOTS * TIMES_BYTES));
      while (this.#chunks.length < at) this.#chunks.push(undefined);
      this.#chunks[at] = chunk;
      this.#count += 1;
    }
    setUint48(chunk, (slot % CHUNK_SLOTS) * TIMES_BYTES + field, value);
  }
}
