/** What the ring gets back for messages that are to end together, one after the other. */
import { PUT_BYTES } from './entry-layout.ts';
import { type MessageIndex, NO_SLOT } from './message-index.ts';

export class FreedBytes {
  readonly #index: MessageIndex;
  /** Of each holder the places that are among them. */
  readonly #places = new Map<number, number>();

  constructor(index: MessageIndex) {
    this.#index = index;
  }

  /** For one more. The last that shares a body brings that, too. */
  with(slot: number): number {
    const index = this.#index;
    const bytes = PUT_BYTES + index.bodyBytes(slot);
    const holder = index.holder(slot);
    if (holder === 0) return bytes;
    const places = (this.#places.get(holder) ?? 0) + 1;
    this.#places.set(holder, places);
    const held = places < index.placesOf(holder) ? NO_SLOT : index.find(holder);
    return held === NO_SLOT ? bytes : bytes + PUT_BYTES + index.bodyBytes(held);
  }
}
