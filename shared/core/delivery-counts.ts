/**
 * How often each message was delivered. The count in its PUT or STATE entry is the truth; what is here is ahead of it by one at most.
 *
 *   first delivery    handed out at once. The count is written after COUNT_DELAY_MS, if the message is still there: who acknowledges
 *                     sooner costs nothing.
 *   any other one     written before the body is handed out. So is the first one of a message that was ever there when the node
 *                     opened after an unclean end: it may be what ended it, and must not come with the count 1 for ever.
 *   clean close       everything is written.
 */
import { COUNT_DELAY_MS } from '../limits.ts';
import { DELIVERY_COUNT_MAX } from '../ring/entry-layout.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import type { Ring } from '../ring/ring.ts';

/** As it goes into a batch. */
export interface CountedState {
  readonly id: number;
  readonly deliveryCount: number;
  readonly notBeforeMs: number;
}

/** STATE entries in one batch: 1.5 KB, which fits the smallest frame there is. */
export const STATES_PER_BATCH = 64;
/** Those done with are cut off the list when they are this many, and more than half of it. */
const CUT_COUNT_MIN = 64;

export class DeliveryCounts {
  readonly #ring: Ring;
  /** Up to this id messages may have been delivered by somebody who did not live to say so. */
  readonly #suspectIdMax: number;
  /** Counts that are not on the disk yet, by message id. */
  readonly #ahead = new Map<number, number>();
  /** Of these, those that nobody is writing. */
  readonly #unwritten = new Set<number>();
  /** In order of time; the ones before `#first` are done with. */
  #due: { readonly id: number; readonly atMs: number }[] = [];
  #first = 0;

  constructor(ring: Ring, suspectIdMax: number) {
    this.#ring = ring;
    this.#suspectIdMax = suspectIdMax;
  }

  /** Deliveries so far. */
  of(message: { slot: number; messageId: number }): number {
    return this.#ahead.get(message.messageId) ?? this.#ring.index.deliveryCount(message.slot);
  }

  /** True when the next delivery must be on the disk before the body is handed out. */
  isWrittenFirst(message: { slot: number; messageId: number }): boolean {
    return message.messageId <= this.#suspectIdMax || this.of(message) > 0;
  }

  /** Handed out for the first time; written later, if need be. */
  delivered(message: { slot: number; messageId: number }, nowMs: number): void {
    const { messageId } = message;
    this.#ahead.set(messageId, this.of(message) + 1);
    this.#unwritten.add(messageId);
    this.#due.push({ id: messageId, atMs: nowMs + COUNT_DELAY_MS });
  }

  /** The message's state with `more` deliveries, and another delay if any. The caller writes it, and says `written` then. */
  stateOf(message: { slot: number; messageId: number }, change: { more?: 1; notBeforeMs?: number }): CountedState {
    const deliveryCount = Math.min(this.of(message) + (change.more ?? 0), DELIVERY_COUNT_MAX);
    this.#ahead.set(message.messageId, deliveryCount);
    this.#unwritten.delete(message.messageId);
    const notBeforeMs = change.notBeforeMs ?? this.#ring.index.notBeforeMs(message.slot);
    return { id: message.messageId, deliveryCount, notBeforeMs };
  }

  /** These are on the disk. */
  written(states: readonly CountedState[]): void {
    for (const { id, deliveryCount } of states) {
      if (this.#ahead.get(id) === deliveryCount && !this.#unwritten.has(id)) this.#ahead.delete(id);
    }
  }

  /** The message ended: its count is of no use to anybody. */
  forget(messageId: number): void {
    this.#ahead.delete(messageId);
    this.#unwritten.delete(messageId);
  }

  get wakeAtMs(): number | undefined {
    for (let next = this.#due[this.#first]; next !== undefined; next = this.#due[this.#first]) {
      if (this.#unwritten.has(next.id)) return next.atMs;
      this.#first += 1;
    }
    this.#due = [];
    this.#first = 0;
    return undefined;
  }

  /** States whose time has come, as many as go into one batch. The caller writes them, and says `written` then. */
  takeDue(nowMs: number): CountedState[] {
    const states: CountedState[] = [];
    for (let atMs = this.wakeAtMs; atMs !== undefined && atMs <= nowMs; atMs = this.wakeAtMs) {
      if (states.length === STATES_PER_BATCH) break;
      const id = this.#due[this.#first]?.id ?? 0;
      this.#first += 1;
      states.push(...this.#take(id));
    }
    if (this.#first > CUT_COUNT_MIN && this.#first > this.#due.length / 2) {
      this.#due = this.#due.slice(this.#first);
      this.#first = 0;
    }
    return states;
  }

  /** All that nobody has written, in batches. */
  takeAll(): CountedState[][] {
    const states = [...this.#unwritten].flatMap((id) => this.#take(id));
    const batches: CountedState[][] = [];
    for (let at = 0; at < states.length; at += STATES_PER_BATCH) batches.push(states.slice(at, at + STATES_PER_BATCH));
    return batches;
  }

  #take(messageId: number): CountedState[] {
    const slot = this.#ring.index.find(messageId);
    return slot === NO_SLOT ? [] : [this.stateOf({ slot, messageId }, {})];
  }
}
