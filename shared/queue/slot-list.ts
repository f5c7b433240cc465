/**
 * Ordered lists of messages, threaded through the index: two integers a message, no object. A message is in one list at most. Queues
 * are in order of rank, which is the message id but for those that had to wait for others; what goes out, by the stream's number.
 */
import { invariant } from '../assert.ts';
import { type MessageIndex, NO_SLOT } from '../ring/message-index.ts';

export class SlotList {
  readonly #index: MessageIndex;
  readonly #orderBy: 'rank' | 'number';
  head = NO_SLOT;
  tail = NO_SLOT;
  count = 0;
  bytes = 0;

  constructor(index: MessageIndex, orderBy: 'rank' | 'number') {
    this.#index = index;
    this.#orderBy = orderBy;
  }

  /** Puts a message in its place, walking from both ends at once: new ones belong at the end, returned ones near the head. */
  insert(slot: number): void {
    const index = this.#index;
    invariant(!index.isListed(slot), 'a message is in one list at most');
    const before = this.#placeOf(this.#orderOf(slot), index.number(slot));
    const after = before === NO_SLOT ? this.head : index.next(before);
    this.#join(before, slot);
    this.#join(slot, after);
    index.setListed(slot, 'listed');
    this.count += 1;
    this.bytes += index.wholeBytes(slot);
  }

  remove(slot: number): void {
    const index = this.#index;
    invariant(index.isListed(slot), 'the message is in this list');
    this.#join(index.previous(slot), index.next(slot));
    index.setListed(slot, 'unlisted');
    index.setNext(slot, NO_SLOT);
    index.setPrevious(slot, NO_SLOT);
    this.count -= 1;
    this.bytes -= index.wholeBytes(slot);
  }

  next(slot: number): number {
    return this.#index.next(slot);
  }

  /** The last one that comes before `order`, which none of the list has; NO_SLOT when they all come after it. */
  lastBefore(order: number): number {
    return this.head === NO_SLOT ? NO_SLOT : this.#placeOf(order, 0);
  }

  /** The first one that comes after `order`, which none of the list has. */
  firstAfter(order: number): number {
    const before = this.lastBefore(order);
    return before === NO_SLOT ? this.head : this.#index.next(before);
  }

  /** The last one that comes before `order`, and before `number` among those of the same order. */
  #placeOf(order: number, number: number): number {
    let before = this.tail;
    let after = this.head;
    for (;;) {
      if (before === NO_SLOT || this.#isBefore(before, order, number)) return before;
      if (after === NO_SLOT || !this.#isBefore(after, order, number))
        return after === NO_SLOT ? this.tail : this.#index.previous(after);
      before = this.#index.previous(before);
      after = this.#index.next(after);
    }
  }

  #isBefore(slot: number, order: number, number: number): boolean {
    const own = this.#orderOf(slot);
    return own < order || (own === order && this.#index.number(slot) < number);
  }

  #orderOf(slot: number): number {
    return this.#orderBy === 'rank' ? this.#index.rank(slot) : this.#index.number(slot);
  }

  #join(before: number, after: number): void {
    if (before === NO_SLOT) this.head = after;
    else this.#index.setNext(before, after);
    if (after === NO_SLOT) this.tail = before;
    else this.#index.setPrevious(after, before);
  }
}
