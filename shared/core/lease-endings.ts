/**
 * The ends of messages that were handed out. What has to be known of a message may have to be read first; meanwhile its lease is
 * nobody's: it cannot be ended twice, and no deadline overtakes its end.
 *
 *   ack, deadLetter ──▶ planned ──▶ in a frame: answered            refused: the lease holds as before
 *   poison, rot ──────▶ planned ──▶ in a frame                      refused: tried again, later each time, in nobody's hands meanwhile
 */
import type { NodeStore } from '../custody/node-store.ts';
import { batchOf } from '../custody/planned.ts';
import { RingmailError } from '../errors.ts';
import { ENDING_COUNT_PER_STEP, GIVEN_UP_COUNT_MAX, LETTER_RETRY_MS_MAX, LETTER_RETRY_MS_MIN } from '../limits.ts';
import type { Lease, Leases } from '../queue/leases.ts';
import type { Queue } from '../queue/queues.ts';
import type { DeliveryCounts } from './delivery-counts.ts';
import { type DeskShell, outcomeResult } from './desk-shell.ts';
import type { Cause, Endings } from './endings.ts';

export interface MessageAt {
  readonly slot: number;
  readonly messageId: number;
}

export interface EndingParts {
  readonly store: NodeStore;
  readonly shell: DeskShell;
  readonly leases: Leases;
  readonly counts: DeliveryCounts;
  readonly endings: Endings;
}

/** By whom a message is ended: who holds its lease, or nobody any more; `token` is answered when it is done with, if anybody waits. */
interface Ending extends MessageAt {
  readonly lease: Lease | undefined;
  readonly cause: Cause;
  token: number | undefined;
}
interface GivenUp extends Ending {
  readonly lease: undefined;
  againAtMs: number;
  delayMs: number;
}

export class LeaseEndings {
  readonly #parts: EndingParts;
  /** Whose messages are being read. */
  #asked: Ending[] = [];
  #givenUp: GivenUp[] = [];

  constructor(parts: EndingParts) {
    this.#parts = parts;
  }

  /** True while so many messages wait for their letters that no more are given up for having been delivered too often. */
  get isFull(): boolean {
    return this.#givenUp.length >= GIVEN_UP_COUNT_MAX;
  }

  /** Ends what is held, for who holds it. @throws as `Endings.plan`, `Ring.append`; then the lease holds */
  end(token: number, lease: Lease, cause: Cause): void {
    const { slot, messageId } = lease;
    const ending: Ending = { lease, slot, messageId, cause, token };
    if (this.#tryEnd(ending) === 'reading') this.#asked.push(ending);
    this.#parts.leases.end(lease);
  }

  /** Gives up what is out of its queue and in nobody's hands. `token`: whose nack it was, answered with it. */
  giveUp({ slot, messageId }: MessageAt, cause: Cause, token?: number): void {
    const givenUp: GivenUp = { lease: undefined, slot, messageId, cause, token, againAtMs: 0, delayMs: LETTER_RETRY_MS_MIN };
    if (!this.#tryGiveUp(givenUp)) this.#givenUp.push(givenUp);
  }

  /** Goes on with those whose message was read by now, and with those that found no room. */
  pump(): void {
    const asked = this.#asked.splice(0, ENDING_COUNT_PER_STEP);
    this.#asked.unshift(...asked.filter((ending) => !this.#goesOn(ending)));
    const { nowMs } = this.#parts.store;
    let left = ENDING_COUNT_PER_STEP;
    this.#givenUp = this.#givenUp.filter((one) => one.againAtMs > nowMs || left-- <= 0 || !this.#tryGiveUp(one));
  }

  get wakeAtMs(): number | undefined {
    let next: number | undefined;
    for (const { againAtMs } of this.#givenUp) {
      // Those being read are woken by what is read.
      if (againAtMs > 0 && (next === undefined || againAtMs < next)) next = againAtMs;
    }
    return next;
  }

  /** The queue is being deleted: what is not planned yet is not ended here. Messages, and whom nobody will answer any more. */
  drop(queue: Queue): { readonly messages: MessageAt[]; readonly tokens: number[] } {
    const { queues } = this.#parts.store;
    const isThere = ({ slot }: Ending) => queues.of(slot) === queue;
    const dropped: Ending[] = [...this.#asked.filter(isThere), ...this.#givenUp.filter(isThere)];
    this.#asked = this.#asked.filter((ending) => !dropped.includes(ending));
    this.#givenUp = this.#givenUp.filter((ending) => !dropped.includes(ending));
    return { messages: dropped, tokens: dropped.flatMap(({ token }) => (token === undefined ? [] : [token])) };
  }

  /** False while its message is being read. */
  #goesOn(ending: Ending): boolean {
    const { leases, shell } = this.#parts;
    try {
      return this.#tryEnd(ending) === 'ended';
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      if (ending.lease !== undefined) leases.restore(ending.lease);
      if (ending.token !== undefined) shell.answer(ending.token, { kind: 'error', error });
      return true;
    }
  }

  /** True when it is on its way. One that is refused comes again; who gave it back need not wait for that. */
  #tryGiveUp(one: GivenUp): boolean {
    try {
      return this.#tryEnd(one) === 'ended';
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      one.againAtMs = this.#parts.store.nowMs + one.delayMs;
      one.delayMs = Math.min(2 * one.delayMs, LETTER_RETRY_MS_MAX);
      if (one.token !== undefined) this.#parts.shell.answer(one.token, { kind: 'done' });
      one.token = undefined;
      return false;
    }
  }

  #tryEnd({ slot, messageId, cause, token }: Ending): 'ended' | 'reading' {
    const { store, counts, endings, shell } = this.#parts;
    const planned = endings.plan(slot, cause);
    if (planned === 'loading') return 'reading';
    store.commit(batchOf(planned), (outcome) => {
      if (token !== undefined) shell.answer(token, outcomeResult(store.ring, outcome, { kind: 'done' }));
    });
    planned.settle();
    store.queues.finish(slot);
    counts.forget(messageId);
    return 'ended';
  }
}
