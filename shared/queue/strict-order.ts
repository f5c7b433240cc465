/**
 * What a strict queue may hand out: of each stream its first message, if that is ready and nothing of the stream is under lease. So
 * nothing overtakes what waits for its delay, and whoever takes the first one holds back the others until it ends or is ready again.
 *
 *   stream A   1 leased   2 ready   3 ready       nothing of A
 *   stream B   4 delayed  6 ready                 nothing of B
 *   stream C   5 ready    7 ready                 5
 *
 * All messages of a stream are kept here in order of their numbers, 8 bytes each; the first ones that may go stand in a heap in the order in
 * which the queue hands out. Entries that are wrong by now are passed over when they come up.
 */
import { invariant } from '../assert.ts';
import { PRIORITY_MAX } from '../message/message.ts';
import { type MessageIndex, NO_SLOT } from '../ring/message-index.ts';
import { DueHeap } from './due-heap.ts';

/** Ids have 48 bits; the order is one number of 51, exact. */
const ID_COUNT = 2 ** 48;
/** Those done with are cut off a stream's list when they are this many, and more than half of it. */
const CUT_COUNT_MIN = 64;

interface Line {
  readonly stream: number;
  /** By number; those before `first` are done with. */
  slots: number[];
  first: number;
  leased: number;
  /** The slot that stands for this stream in the heap, or NO_SLOT. */
  offered: number;
}

export class StrictOrder {
  readonly #index: MessageIndex;
  readonly #lines = new Map<number, Line>();
  readonly #heads = new DueHeap();

  constructor(index: MessageIndex) {
    this.#index = index;
  }

  /** A message comes to the queue, whatever its state. */
  add(slot: number): void {
    const stream = this.#index.stream(slot);
    const line = this.#lines.get(stream) ?? { stream, slots: [], first: 0, leased: 0, offered: NO_SLOT };
    this.#lines.set(stream, line);
    line.slots.splice(this.#placeOf(line, slot), 0, slot);
  }

  /** A message is done with, and in no list any more. */
  remove(slot: number): void {
    const line = this.#lineOf(slot);
    const place = this.#placeOf(line, slot);
    invariant(line.slots[place] === slot, 'a message of a strict queue is known to it');
    if (place === line.first) line.first += 1;
    else line.slots.splice(place, 1);
    if (line.first > CUT_COUNT_MIN && line.first > line.slots.length / 2) {
      line.slots = line.slots.slice(line.first);
      line.first = 0;
    }
    if (line.first === line.slots.length) this.#lines.delete(line.stream);
    else this.#offer(line);
  }

  leased(slot: number): void {
    this.#lineOf(slot).leased += 1;
  }

  /** It goes back, or ends: `remove` comes next then. */
  unleased(slot: number): void {
    const line = this.#lineOf(slot);
    line.leased -= 1;
    this.#offer(line);
  }

  /** A message is ready: it may be the first of its stream. */
  ready(slot: number): void {
    this.#offer(this.#lineOf(slot));
  }

  /** The next message to hand out, or NO_SLOT. */
  next(): number {
    for (let top = this.#heads.first; top !== undefined; top = this.#heads.first) {
      const line = this.#lines.get(top.id);
      if (line !== undefined && line.offered === top.slot && this.#isFree(line, top.slot) && this.#keyOf(top.slot) === top.atMs) {
        return top.slot;
      }
      this.#heads.pop();
      if (line === undefined || line.offered !== top.slot) continue;
      line.offered = NO_SLOT;
      this.#offer(line);
    }
    return NO_SLOT;
  }

  /** Whether a ready message may be handed out of turn: others of its stream may stand before it, ready as well. */
  mayTake(slot: number): boolean {
    const line = this.#lineOf(slot);
    if (line.leased > 0) return false;
    for (let at = line.first; line.slots[at] !== slot; at++) if (!this.#index.isListed(line.slots[at] ?? NO_SLOT)) return false;
    return true;
  }

  /** Puts the first message of a stream into the heap, if it may go and is not there. */
  #offer(line: Line): void {
    const slot = line.slots[line.first] ?? NO_SLOT;
    if (slot === NO_SLOT || line.offered === slot || !this.#isFree(line, slot)) return;
    line.offered = slot;
    this.#heads.push({ atMs: this.#keyOf(slot), id: line.stream, slot });
    this.#heads.sweep(this.#lines.size, ({ id, slot: offered }) => this.#lines.get(id)?.offered === offered);
  }

  #isFree(line: Line, slot: number): boolean {
    return line.leased === 0 && line.slots[line.first] === slot && this.#index.isListed(slot);
  }

  #keyOf(slot: number): number {
    return (PRIORITY_MAX - this.#index.priority(slot)) * ID_COUNT + this.#index.rank(slot);
  }

  #lineOf(slot: number): Line {
    const line = this.#lines.get(this.#index.stream(slot));
    invariant(line !== undefined, 'the stream of a message of a strict queue is known to it');
    return line;
  }

  /** Where a message is in its line, or belongs. New ones belong at the end. */
  #placeOf(line: Line, slot: number): number {
    let low = line.first;
    let high = line.slots.length;
    if (low < high && this.#isBefore(line.slots[high - 1] ?? NO_SLOT, slot)) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isBefore(line.slots[middle] ?? NO_SLOT, slot)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** By number; a medium that lied may bring one back that is there already. */
  #isBefore(a: number, b: number): boolean {
    const index = this.#index;
    const [of, to] = [index.number(a), index.number(b)];
    return of < to || (of === to && index.id(a) < index.id(b));
  }
}
