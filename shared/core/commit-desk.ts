/**
 * Where several things are done in one frame, and where one asks what became of a frame.
 *
 *   asked ──▶ planned ──▶ appended ──▶ answered when its frame is on the disk
 *     ▲          │ └ refused: whatever was planned is taken back
 *     └ waits ◀──┘ a letter's body has to be read first
 *
 * Endings come first, then moves, then sends in their order: what ends makes room for what is sent, and no letter stands between two
 * messages of the transaction. A transaction that waits has planned nothing, and a lease that ends meanwhile refuses it.
 */
import { unreachable } from '../assert.ts';
import type { Planned } from '../custody/planned.ts';
import { RingmailError } from '../errors.ts';
import { COMMIT_STEP_COUNT_MAX, COMMIT_WAITING_BYTES_MAX, COMMIT_WAITING_COUNT_MAX } from '../limits.ts';
import { type Identity, identityText } from '../message/identity.ts';
import { checkProperties } from '../message/message.ts';
import type { Lease } from '../queue/leases.ts';
import type { Batch, Outcome } from '../ring/ring.ts';
import type { Call, CallResult, TransactionStep } from './calls.ts';
import { type DeskParts, outcomeResult } from './desk-shell.ts';
import type { Cause } from './endings.ts';
import { judgeOutcome } from './outcome.ts';
import { checkPosition } from './positions.ts';
import type { ReceiveDesk } from './receive-desk.ts';
import { checkDestination, type SendDesk } from './send-desk.ts';

type CommitCall = Call & { readonly verb: 'commit' };
type Step<D extends TransactionStep['do']> = TransactionStep & { readonly do: D };

/** A transaction as it goes into a batch. */
interface Transaction {
  readonly batch: Batch;
  readonly ended: readonly Lease[];
  readonly identities: readonly Identity[];
}

export class CommitDesk {
  readonly #parts: DeskParts;
  readonly #sends: SendDesk;
  readonly #receives: ReceiveDesk;
  /** Of this opening: transactions are told apart by it and a running number. */
  readonly #idPrefix: string;
  #lastId = 0;
  #waiting: { readonly token: number; readonly call: CommitCall; readonly bytes: number }[] = [];

  constructor(parts: DeskParts, desks: { readonly sends: SendDesk; readonly receives: ReceiveDesk }) {
    this.#parts = parts;
    this.#sends = desks.sends;
    this.#receives = desks.receives;
    const { counter, random } = parts.store.ring.epoch;
    this.#idPrefix = `${counter}.${random.toString(36)}`;
  }

  /** @throws whatever refuses it; then nothing was changed */
  call(token: number, call: Call & { readonly verb: 'commit' | 'outcome' | 'retireProducer' }): void {
    switch (call.verb) {
      case 'commit':
        this.#check(call);
        if (!this.#goes(token, call)) this.#wait(token, call);
        return;
      case 'outcome':
        return this.#tellOutcome(token, call);
      case 'retireProducer':
        return this.#parts.repeats.retire(call.producer, (outcome) => this.#settled(token, outcome, { kind: 'done' }));
      default:
        return unreachable(call);
    }
  }

  /** Goes on with transactions whose messages are being read. */
  pump(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) {
      try {
        if (!this.#goes(one.token, one.call)) this.#waiting.push(one);
      } catch (error) {
        if (!(error instanceof RingmailError)) throw error;
        this.#parts.shell.answer(one.token, { kind: 'error', error });
      }
    }
  }

  /** Nobody waits for this answer any more: what still waits is not done. */
  cancel(token: number): void {
    this.#waiting = this.#waiting.filter((one) => one.token !== token);
  }

  /** Answers those that wait: nothing of them was done. */
  close(): void {
    const error = new RingmailError('NODE_STOPPED', { reason: 'closing' });
    for (const { token } of this.#waiting.splice(0)) this.#parts.shell.answer(token, { kind: 'error', error });
  }

  #check({ steps }: CommitCall): void {
    if (steps.length > COMMIT_STEP_COUNT_MAX) refuse('steps', `more than ${COMMIT_STEP_COUNT_MAX}`);
    const leases = new Set<string>();
    for (const step of steps) {
      if (step.do === 'send') {
        checkProperties(step.properties);
        checkDestination(step.destination);
      } else if (step.do === 'position') {
        checkPosition(this.#parts.store.ring.metas, step);
      } else {
        if (leases.has(step.lease)) refuse('lease', `${step.lease} is named twice`);
        leases.add(step.lease);
      }
    }
  }

  #wait(token: number, call: CommitCall): void {
    const bytes = call.steps.reduce((sum, step) => sum + (step.do === 'send' ? step.body.length : 0), 0);
    const pending = this.#waiting.reduce((sum, one) => sum + one.bytes, bytes);
    if (this.#waiting.length >= COMMIT_WAITING_COUNT_MAX) {
      throw new RingmailError('BUSY', { pending: this.#waiting.length, pendingMax: COMMIT_WAITING_COUNT_MAX });
    }
    if (pending > COMMIT_WAITING_BYTES_MAX) throw new RingmailError('BUSY', { pending, pendingMax: COMMIT_WAITING_BYTES_MAX });
    this.#waiting.push({ token, call, bytes });
  }

  /** False when it has to wait. @throws whatever refuses it; then nothing was changed */
  #goes(token: number, call: CommitCall): boolean {
    const { store, shell, repeats } = this.#parts;
    if (repeats.answers(token, call)) return true;
    const { draft } = store;
    draft.open();
    try {
      const transaction = this.#plan(call);
      if (transaction === 'loading') {
        draft.undo();
        return false;
      }
      this.#append(token, call, transaction);
      draft.keep();
    } catch (error) {
      if (draft.isOpen) draft.undo();
      throw error;
    }
    return true;
  }
}

function refuse(property: string, reason: string): never {
  throw new RingmailError('PROPERTY_INVALID', { property, reason });
}
