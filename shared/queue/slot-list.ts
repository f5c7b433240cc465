/**
 * Ordered lists of messages, threaded through the index: three integers a message, no object. A message is in one list at most.
 * `key` decides the order within a list: the message id for queues, the stream's number for what goes out.
 */
import { invariant } from '../assert.ts';
import { type MessageIndex, NO_SLOT } from '../ring/message-index.ts';

export class SlotList {
  readonly #index: MessageIndex;
  readonly #id: number;
  readonly #orderBy: 'id' | 'number';
  head = NO_SLOT;
  tail = NO_SLOT;
  count = 0;
  bytes = 0;

  /** `id` tells the lists of one index apart. */
  constructor(index: MessageIndex, id: number, orderBy: 'id' | 'number') {
    this.#index = index;
    this.#id = id;
    this.#orderBy = orderBy;
  }

  /** Puts a message in its place: at the end in the usual case, by walking from there otherwise. */
  insert(slot: number): void {
    const index = this.#index;
    invariant(index.list[slot] === NO_SLOT, 'a message is in one list at most');
    let before = this.tail;
    const order = this.#orderOf(slot);
    while (before !== NO_SLOT && this.#orderOf(before) > order) before = index.previous[before] ?? NO_SLOT;
    const after = before === NO_SLOT ? this.head : (index.next[before] ?? NO_SLOT);
    this.#join(before, slot);
    this.#join(slot, after);
    index.list[slot] = this.#id;
    this.count += 1;
    this.bytes += index.bodyBytes[slot] ?? 0;
  }

  /** Returns a message to where it was: near the head, so the walk starts there. */
  reinsert(slot: number): void {
    const index = this.#index;
    const order = this.#orderOf(slot);
    let after = this.head;
    while (after !== NO_SLOT && this.#orderOf(after) < order) after = index.next[after] ?? NO_SLOT;
    const before = after === NO_SLOT ? this.tail : (index.previous[after] ?? NO_SLOT);
    this.#join(before, slot);
    this.#join(slot, after);
    index.list[slot] = this.#id;
    this.count += 1;
    this.bytes += index.bodyBytes[slot] ?? 0;
  }

  remove(slot: number): void {
    const index = this.#index;
    invariant(index.list[slot] === this.#id, 'the message is in this list');
    this.#join(index.previous[slot] ?? NO_SLOT, index.next[slot] ?? NO_SLOT);
    index.list[slot] = NO_SLOT;
    index.next[slot] = NO_SLOT;
    index.previous[slot] = NO_SLOT;
    this.count -= 1;
    this.bytes -= index.bodyBytes[slot] ?? 0;
  }

  next(slot: number): number {
    return this.#index.next[slot] ?? NO_SLOT;
  }

  #orderOf(slot: number): number {
    return this.#index[this.#orderBy][slot] ?? 0;
  }

  #join(before: number, after: number): void {
    if (before === NO_SLOT) this.head = after;
    else this.#index.next[before] = after;
    if (after === NO_SLOT) this.tail = before;
    else this.#index.previous[after] = before;
  }
}
