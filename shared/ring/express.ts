/**
 * Messages in memory only, in the index beside those of the log: they have ids of the same counter and slots of the same kind, and no
 * frame. Nothing that is said of them reaches the disk, and the cleaner never meets them: no frame has their LSN.
 *
 *   taken ──▶ arriving ──▶ in the index ──ended──▶ gone
 *                               └──stored──▶ an ordinary message with the same id: a node that closes writes them down
 *
 * Their room is counted as if they were stored, so that they can be at any time. What arrives waits for a frame with messages that is
 * being written: ids ascend in the order in which messages are seen.
 */
import { invariant } from '../assert.ts';
import { RingmailError } from '../errors.ts';
import { EXPRESS_BYTES_MAX } from '../limits.ts';
import type { Batch, NewMessage, StateChange, WhenDurable } from './batch.ts';
import { DELIVERY_COUNT_MAX, MOVE_COUNT_MAX, PUT_BYTES } from './entry-layout.ts';
import { type MessageIndex, NO_SLOT } from './message-index.ts';

/** Of no frame: logical block numbers begin behind the first lap. */
const NO_LSN = 0;

/** What of a batch is about messages in memory. */
export interface ExpressPart {
  readonly ids: readonly number[];
  readonly states: readonly StateChange[];
}

interface Arriving {
  readonly put: NewMessage;
  readonly placed: (slot: number) => void;
}

export class Express {
  readonly #bodies = new Map<number, Uint8Array>();
  /** Their end is planned. */
  readonly #ending = new Set<number>();
  #arriving: Arriving[] = [];
  /** Batches about nothing else: they need no frame. */
  #instant: { readonly part: ExpressPart; readonly done: WhenDurable }[] = [];
  /** Entries and bodies, those that arrive included. */
  bytes = 0;

  /** @throws QUEUE_FULL */
  check(bytes: number): void {
    const bytesNeeded = PUT_BYTES + bytes;
    if (this.bytes + bytesNeeded <= EXPRESS_BYTES_MAX) return;
    throw new RingmailError('QUEUE_FULL', { queue: '', bytesLimit: EXPRESS_BYTES_MAX, bytesUsed: this.bytes, bytesNeeded });
  }

  take(put: NewMessage, placed: (slot: number) => void): void {
    this.bytes += PUT_BYTES + put.body.length;
    this.#arriving.push({ put, placed });
  }

  get hasArriving(): boolean {
    return this.#arriving.length > 0;
  }

  get hasInstant(): boolean {
    return this.#instant.length > 0;
  }

  body(id: number): Uint8Array | undefined {
    return this.#bodies.size === 0 ? undefined : this.#bodies.get(id);
  }

  /** Those whose end nobody planned, by id. */
  *ids(): Generator<number> {
    for (const id of this.#bodies.keys()) if (!this.#ending.has(id)) yield id;
  }

  /** The part of a batch that is about messages here, and the rest; undefined when it is about none. */
  split(batch: Batch): { part: ExpressPart; rest: Batch } | undefined {
    if (this.#bodies.size === 0) return undefined;
    const isHere = ({ id }: { readonly id: number }) => this.#bodies.has(id);
    const ids = (batch.acks ?? []).filter(isHere).map(({ id }) => id);
    const states = (batch.states ?? []).filter(isHere);
    if (ids.length + states.length === 0) return undefined;
    const isElsewhere = (one: { readonly id: number }) => !isHere(one);
    const rest = { ...batch, acks: batch.acks?.filter(isElsewhere) ?? [], states: batch.states?.filter(isElsewhere) ?? [] };
    return { part: { ids, states }, rest };
  }

  /** These are planned to end, and their counts are as they are said to be from now on. */
  plan({ ids, states }: ExpressPart, index: MessageIndex): void {
    for (const id of ids) this.#ending.add(id);
    for (const { queue: _later, moveCount: _too, ...state } of states) setState(index, state);
  }

  /** A batch about nothing else. `done` is called from `settleInstant`. */
  addInstant(part: ExpressPart, done: WhenDurable): void {
    this.#instant.push({ part, done });
  }

  /** Carries out what needs no frame. */
  settleInstant(index: MessageIndex): void {
    for (const { part, done } of this.#instant.splice(0)) {
      this.end(part, index);
      done('durable', []);
    }
  }

  /** Gives all that arrive an id and a place in the index. */
  settleArriving(index: MessageIndex, stamp: { nextId: () => number; queueTimeMs: number }): void {
    for (const { put, placed } of this.#arriving.splice(0)) {
      const { body, holder: _nobody, ...fields } = put;
      const told = { copy: false, damaged: false, moveCount: 0, storedAtMs: stamp.queueTimeMs, bodyCrc: 0, bodyOffset: 0 };
      const id = stamp.nextId();
      const slot = index.insert({ kind: 'put', ...told, ...fields, id, bodyBytes: body.length }, NO_LSN);
      // It may lie here for long, and hold no more memory than its own.
      this.#bodies.set(id, body.slice());
      placed(slot);
    }
  }

  /** They ended, and others are in another queue: with the frame that says so, where there is one. */
  end({ ids, states }: ExpressPart, index: MessageIndex): void {
    for (const state of states) setState(index, state);
    for (const id of ids) {
      this.bytes -= PUT_BYTES + (this.#bodies.get(id)?.length ?? 0);
      this.forget(id, index);
    }
  }

  /** Out of memory and index; whoever asks for this has it in no list. */
  forget(id: number, index: MessageIndex): void {
    const slot = index.find(id);
    if (!this.#bodies.delete(id) || slot === NO_SLOT) return;
    this.#ending.delete(id);
    invariant(!index.isListed(slot), 'a message that ends is in no list');
    index.remove(slot);
  }

  /** The ring stopped: nothing of what waits was done. */
  takeAll(): WhenDurable[] {
    this.#arriving = [];
    return this.#instant.splice(0).map(({ done }) => done);
  }
}

function setState(index: MessageIndex, { id, ...change }: StateChange): void {
  const slot = index.find(id);
  if (slot === NO_SLOT) return;
  index.setState(slot, {
    deliveryCount: Math.min(change.deliveryCount ?? index.deliveryCount(slot), DELIVERY_COUNT_MAX),
    moveCount: Math.min(change.moveCount ?? index.moveCount(slot), MOVE_COUNT_MAX),
    notBeforeMs: change.notBeforeMs ?? index.notBeforeMs(slot),
    queue: change.queue ?? index.queue(slot),
  });
}
