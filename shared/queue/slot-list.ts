/**
 * Ordered lists of messages, threaded through the index: two integers a message, no object. A message is in one list at most.
 * `key` decides the order within a list: the message id for queues, the stream's number for what goes out.
 */
import { invariant } from '../assert.ts';
import { type MessageIndex, NO_SLOT } from '../ring/message-index.ts';

export class SlotList {
  readonly #index: MessageIndex;
  readonly #orderBy: 'id' | 'number';
  head = NO_SLOT;
  tail = NO_SLOT;
  count = 0;
  bytes = 0;

  constructor(index: MessageIndex, orderBy: 'id' | 'number') {
    this.#index = index;
    this.#orderBy = orderBy;
  }

  /** Puts a message in its place: at the end in the usual case, by walking from there otherwise. */
  insert(slot: number): void {
    const index = this.#index;
    invariant(!index.isListed(slot), 'a message is in one list at most');
    let before = this.tail;
    const order = this.#orderOf(slot);
    while (before !== NO_SLOT && this.#orderOf(before) > order) before = index.previous(before);
    const after = before === NO_SLOT ? this.head : index.next(before);
    this.#join(before, slot);
    this.#join(slot, after);
    index.setListed(slot, 'listed');
    this.count += 1;
    this.bytes += index.bodyBytes(slot);
  }

  /** Returns a message to where it was: near the head, so the walk starts there. */
  reinsert(slot: number): void {
    const index = this.#index;
    const order = this.#orderOf(slot);
    let after = this.head;
    while (after !== NO_SLOT && this.#orderOf(after) < order) after = index.next(after);
    const before = after === NO_SLOT ? this.tail : index.previous(after);
    this.#join(before, slot);
    this.#join(slot, after);
    index.setListed(slot, 'listed');
    this.count += 1;
    this.bytes += index.bodyBytes(slot);
  }

  remove(slot: number): void {
    const index = this.#index;
    invariant(index.isListed(slot), 'the message is in this list');
    this.#join(index.previous(slot), index.next(slot));
    index.setListed(slot, 'unlisted');
    index.setNext(slot, NO_SLOT);
    index.setPrevious(slot, NO_SLOT);
    this.count -= 1;
    this.bytes -= index.bodyBytes(slot);
  }

  next(slot: number): number {
    return this.#index.next(slot);
  }

  #orderOf(slot: number): number {
    return this.#orderBy === 'id' ? this.#index.id(slot) : this.#index.number(slot);
  }

  #join(before: number, after: number): void {
    if (before === NO_SLOT) this.head = after;
    else this.#index.setNext(before, after);
    if (after === NO_SLOT) this.tail = before;
    else this.#index.setPrevious(after, before);
  }
}
