/** What is planned for the ring: batches, each indivisible, waiting in order for a frame. */
import { invariant } from '../assert.ts';
import {
  type AckReason,
  ENTRY_BYTES_MIN,
  META_KEY_BYTES_MAX,
  META_VALUE_BYTES_MAX,
  metaBytes,
  PUT_BYTES,
  STATE_BYTES,
} from './entry-layout.ts';

/** A message to store. `stream`, `number` and the epoch are its identity here (docs/custody.md). Times are queue time in whole ms; 0 is never. */
export interface NewMessage {
  /** Of a message that was in memory alone and is written down: it keeps it. */
  readonly id?: number;
  readonly moveCount?: number;
  readonly queue: number;
  readonly priority: number;
  readonly stream: number;
  readonly number: number;
  readonly epochCounter: number;
  readonly epochRandom: number;
  readonly deliveryCount: number;
  readonly expiresAtMs: number;
  readonly notBeforeMs: number;
  /**
   * Whose body it has. `itself`: it keeps one for those behind it in its batch that say `above`, and leaves the ring with the last of them,
   * by itself; its queue is 0, its stream and number too. A number: that of a holder in the ring, of which the batch ends a place.
   */
  readonly holder?: 'itself' | 'above' | number | undefined;
  /** Whoever ends it has to look into it first. */
  readonly attended?: true | undefined;
  readonly body: Uint8Array;
}

/**
 * A message from now on. What is left out stays as it is when the frame is made. `queue`: moved there, from a queue to one of its
 * subqueues, between two of them, or back.
 */
export interface StateChange {
  readonly id: number;
  readonly deliveryCount?: number;
  readonly notBeforeMs?: number;
  readonly queue?: number;
  readonly moveCount?: number;
}

/** One indivisible change: all of it becomes durable in one frame, or none. */
export interface Batch {
  readonly puts?: readonly NewMessage[];
  readonly acks?: readonly { readonly id: number; readonly reason: AckReason }[];
  readonly states?: readonly StateChange[];
  /** `overdraft`: it must find room whatever is there; of META, and seldom. */
  readonly room?: 'overdraft';
  /** A value of undefined deletes the key. */
  readonly metas?: readonly { readonly key: string; readonly value: Uint8Array | undefined }[];
}

/** `in-doubt`: the write failed, the frame may survive. `not-written`: the ring stopped before it was tried. */
export type Outcome = 'durable' | 'in-doubt' | 'not-written';
/** `slots` of the puts, in order, when durable. */
export type WhenDurable = (outcome: Outcome, slots: readonly number[]) => void;

/** Bytes that a batch adds to what lives in the ring, at most. */
export interface Growth {
  readonly messages: number;
  readonly meta: number;
}

export interface Pending {
  readonly batch: Batch;
  /** In a frame, at most. */
  readonly bytes: number;
  readonly grows: Growth;
  readonly dueMs: number;
  readonly done: WhenDurable;
}

/** Bytes a batch takes in a frame, at most: acknowledgements may share a run, values of one key replace each other. */
export function batchBytes(batch: Batch): number {
  let bytes = putBytes(batch);
  bytes += ENTRY_BYTES_MIN * (batch.acks?.length ?? 0) + STATE_BYTES * (batch.states?.length ?? 0);
  if (batch.metas === undefined) return bytes;
  for (const { key, value } of batch.metas) {
    invariant((value?.length ?? 0) <= META_VALUE_BYTES_MAX, `META ${key} is too large`);
    invariant(key.length <= META_KEY_BYTES_MAX, `META key ${key} is too long`);
    bytes += metaBytes(key, value);
  }
  return bytes;
}

/** What the messages of a batch add to what lives in the ring. */
export function putBytes(batch: Batch): number {
  let bytes = 0;
  if (batch.puts !== undefined) for (const put of batch.puts) bytes += PUT_BYTES + put.body.length;
  return bytes;
}

/** Taken ones are cut off the list when they are this many, and more than half of it; all at once when none is left: they are large. */
const CUT_COUNT_MIN = 64;

/** Batches in order of append. */
export class PendingBatches {
  #list: Pending[] = [];
  /** Place in the list of the first one that was not taken. */
  #first = 0;
  #bytes = 0;
  /** Those with nobody as urgent behind them: the first is the most urgent of all. */
  readonly #urgent: Pending[] = [];

  get count(): number {
    return this.#list.length - this.#first;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** When the most urgent of them wants to be written; infinite when there is none. */
  get dueMs(): number {
    return this.#urgent[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  push(pending: Pending): void {
    this.#list.push(pending);
    this.#bytes += pending.bytes;
    for (let last = this.#urgent.at(-1); last !== undefined && last.dueMs >= pending.dueMs; last = this.#urgent.at(-1)) {
      this.#urgent.pop();
    }
    this.#urgent.push(pending);
  }

  /** The first ones, as far as they fit into `bytesMax`; none overtakes another. */
  take(which: 'all' | 'without-puts' | 'none', bytesMax: number): Pending[] {
    const taken: Pending[] = [];
    let bytes = 0;
    for (let at = this.#first; which !== 'none' && at < this.#list.length; at++) {
      const pending = this.#list[at];
      if (pending === undefined || bytes + pending.bytes > bytesMax) break;
      if (which === 'without-puts' && (pending.batch.puts?.length ?? 0) > 0) break;
      bytes += pending.bytes;
      taken.push(pending);
      if (this.#urgent[0] === pending) this.#urgent.shift();
    }
    this.#bytes -= bytes;
    this.#first += taken.length;
    if (this.#first === this.#list.length || (this.#first >= CUT_COUNT_MIN && this.#first > this.#list.length / 2)) {
      this.#list = this.#list.slice(this.#first);
      this.#first = 0;
    }
    return taken;
  }

  takeAll(): Pending[] {
    return this.take('all', Number.POSITIVE_INFINITY);
  }
}
