/**
 * The ends of messages that were handed out. What has to be known of a message may have to be read first; meanwhile its lease is
 * nobody's: it cannot be ended twice, and no deadline overtakes its end.
 *
 *   ack, deadLetter ──▶ planned ──▶ in a frame: answered            refused: the lease holds as before
 *   poison ───────────▶ planned ──▶ in a frame                      refused: tried again, later each time, in nobody's hands meanwhile
 */
import type { NodeStore } from '../custody/node-store.ts';
import { RingmailError } from '../errors.ts';
import { ENDING_COUNT_PER_STEP, POISON_COUNT_MAX, POISON_RETRY_MS_MAX, POISON_RETRY_MS_MIN } from '../limits.ts';
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
interface Poison extends Ending {
  readonly lease: undefined;
  againAtMs: number;
  delayMs: number;
}

export class LeaseEndings {
  readonly #parts: EndingParts;
  /** Whose messages are being read. */
  #asked: Ending[] = [];
  #poisoned: Poison[] = [];

  constructor(parts: EndingParts) {
    this.#parts = parts;
  }

  /** True while so many poisoned messages wait for their letters that no more are taken. */
  get isFull(): boolean {
    return this.#poisoned.length >= POISON_COUNT_MAX;
  }

  /** Ends what is held, for who holds it. @throws as `Endings.plan`, `Ring.append`; then the lease holds */
  end(token: number, lease: Lease, cause: Cause): void {
    const { slot, messageId } = lease;
    const ending: Ending = { lease, slot, messageId, cause, token };
    if (this.#tryEnd(ending) === 'reading') this.#asked.push(ending);
    this.#parts.leases.end(lease);
  }

  /** Gives up what is out of its queue and in nobody's hands. `token`: whose nack it was, answered with it. */
  poison({ slot, messageId }: MessageAt, reason: string, token?: number): void {
    const cause: Cause = { class: 'POISON', reason };
    const poison: Poison = { lease: undefined, slot, messageId, cause, token, againAtMs: 0, delayMs: POISON_RETRY_MS_MIN };
    if (!this.#tryPoison(poison)) this.#poisoned.push(poison);
  }

  /** Goes on with those whose message was read by now, and with those that found no room. */
  pump(): void {
    const asked = this.#asked.splice(0, ENDING_COUNT_PER_STEP);
    this.#asked.unshift(...asked.filter((ending) => !this.#goesOn(ending)));
    const { nowMs } = this.#parts.store;
    let left = ENDING_COUNT_PER_STEP;
    this.#poisoned = this.#poisoned.filter((poison) => poison.againAtMs > nowMs || left-- <= 0 || !this.#tryPoison(poison));
  }

  get wakeAtMs(): number | undefined {
    let next: number | undefined;
    for (const { againAtMs } of this.#poisoned) {
      // Those being read are woken by what is read.
      if (againAtMs > 0 && (next === undefined || againAtMs < next)) next = againAtMs;
    }
    return next;
  }

  /** The queue is being deleted: what is not planned yet is not ended here. Messages, and whom nobody will answer any more. */
  drop(queue: Queue): { readonly messages: MessageAt[]; readonly tokens: number[] } {
    const { queues } = this.#parts.store;
    const isThere = ({ slot }: Ending) => queues.of(slot) === queue;
    const dropped: Ending[] = [...this.#asked.filter(isThere), ...this.#poisoned.filter(isThere)];
    this.#asked = this.#asked.filter((ending) => !dropped.includes(ending));
    this.#poisoned = this.#poisoned.filter((ending) => !dropped.includes(ending));
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
  #tryPoison(poison: Poison): boolean {
    try {
      return this.#tryEnd(poison) === 'ended';
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      poison.againAtMs = this.#parts.store.nowMs + poison.delayMs;
      poison.delayMs = Math.min(2 * poison.delayMs, POISON_RETRY_MS_MAX);
      if (poison.token !== undefined) this.#parts.shell.answer(poison.token, { kind: 'done' });
      poison.token = undefined;
      return false;
    }
  }

  #tryEnd({ slot, messageId, cause, token }: Ending): 'ended' | 'reading' {
    const { store, counts, endings, shell } = this.#parts;
    const planned = endings.plan(slot, cause);
    if (planned === 'loading') return 'reading';
    const { puts, acks, changes: metas, settle } = planned;
    store.commit({ puts, acks, metas }, (outcome) => {
      if (token !== undefined) shell.answer(token, outcomeResult(store.ring, outcome, { kind: 'done' }));
    });
    settle();
    store.queues.finish(slot);
    counts.forget(messageId);
    return 'ended';
  }
}
