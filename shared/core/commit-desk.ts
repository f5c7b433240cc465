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
import type { MetaChange } from '../custody/meta-keys.ts';
import type { Planned } from '../custody/planned.ts';
import { RingmailError, refuseProperty } from '../errors.ts';
import { COMMIT_STEP_COUNT_MAX, COMMIT_WAITING_BYTES_MAX, COMMIT_WAITING_COUNT_MAX } from '../limits.ts';
import { epochText, type Identity, identityText } from '../message/identity.ts';
import { checkProperties } from '../message/message.ts';
import type { Lease } from '../queue/leases.ts';
import type { Batch, Outcome } from '../ring/ring.ts';
import type { Call, CallResult, TransactionStep } from './calls.ts';
import { type DeskParts, outcomeResult } from './desk-shell.ts';
import type { Cause } from './endings.ts';
import { type PlannedMove, planMove } from './moves.ts';
import { judgeOutcome } from './outcome.ts';
import { checkPositions, positionChange } from './positions.ts';
import type { ReceiveDesk } from './receive-desk.ts';
import { checkDestination, type SendDesk } from './send-desk.ts';
import { WaitingCalls } from './waiting-calls.ts';

type CommitCall = Call & { readonly verb: 'commit' };
type Step<D extends TransactionStep['do']> = TransactionStep & { readonly do: D };

type MovedLease = PlannedMove & { readonly lease: Lease };

/** A transaction as it goes into a batch. */
interface Transaction {
  readonly batch: Batch;
  readonly ended: readonly Lease[];
  readonly moves: readonly MovedLease[];
  readonly identities: readonly Identity[];
}

export class CommitDesk {
  readonly #parts: DeskParts;
  readonly #sends: SendDesk;
  readonly #receives: ReceiveDesk;
  /** Of this opening: transactions are told apart by it and a running number. */
  readonly #idPrefix: string;
  #lastId = 0;
  readonly #waiting: WaitingCalls<CommitCall>;

  constructor(parts: DeskParts, desks: { readonly sends: SendDesk; readonly receives: ReceiveDesk }) {
    this.#parts = parts;
    this.#sends = desks.sends;
    this.#receives = desks.receives;
    this.#idPrefix = epochText(parts.store.ring.epoch);
    this.#waiting = new WaitingCalls(parts.shell, (token, call) => this.#goes(token, call));
  }

  /** @throws whatever refuses it; then nothing was changed */
  call(token: number, call: Call & { readonly verb: 'commit' | 'outcome' | 'retireProducer' }): void {
    switch (call.verb) {
      case 'commit':
        this.#check(call);
        return this.#waiting.begin(token, call, (others) => checkRoom([...others, call]));
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
    this.#waiting.pump();
  }

  /** Nobody waits for this answer any more: what still waits is not done. */
  cancel(token: number): void {
    this.#waiting.cancel(token);
  }

  /** Answers those that wait: nothing of them was done. */
  close(): void {
    this.#waiting.close();
  }

  #check({ steps }: CommitCall): void {
    if (steps.length > COMMIT_STEP_COUNT_MAX) refuseProperty('steps', `more than ${COMMIT_STEP_COUNT_MAX}`);
    const leases = new Set<string>();
    for (const step of steps) {
      if (step.do === 'send') {
        checkProperties(step.properties);
        checkDestination(step.destination);
      } else if (step.do !== 'position') {
        if (leases.has(step.lease)) refuseProperty('lease', `${step.lease} is named twice`);
        leases.add(step.lease);
      }
    }
    checkPositions(
      this.#parts.store.ring.metas,
      steps.filter((step) => step.do === 'position'),
    );
  }

  /** False when it has to wait. @throws whatever refuses it; then nothing was changed */
  #goes(token: number, call: CommitCall): boolean {
    const { store, repeats } = this.#parts;
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

  /** All of it, one step after the other; counters move on with each. */
  #plan(call: CommitCall): Transaction | 'loading' {
    const { store, intake } = this.#parts;
    const leases = call.steps.map((step) => ('lease' in step ? this.#receives.leaseOf(step.lease) : undefined));
    const parts: Planned[] = [];
    const ended: Lease[] = [];
    for (const [at, step] of call.steps.entries()) {
      const lease = leases[at];
      if (lease === undefined || (step.do !== 'ack' && step.do !== 'deadLetter')) continue;
      const part = this.#parts.endings.plan(lease.slot, causeOf(step));
      if (part === 'loading') return 'loading';
      part.settle();
      this.#free(lease.slot);
      parts.push(part);
      ended.push(lease);
    }
    const moves: MovedLease[] = [];
    for (const [at, step] of call.steps.entries()) {
      const lease = leases[at];
      if (lease !== undefined && step.do === 'move') moves.push({ lease, ...planMove(store, lease.slot, step.to) });
    }
    const sends = call.steps.filter((step) => step.do === 'send');
    const id = `${this.#idPrefix}-${++this.#lastId}`;
    const identities: Identity[] = [];
    for (const [index, { destination, body, properties }] of sends.entries()) {
      const refusal = this.#sends.refusalAt(destination);
      if (refusal !== undefined) throw refusal;
      const part = intake.begin(destination, { body, properties, transaction: { id, index, count: sends.length } });
      part.settle();
      parts.push(part);
      identities.push(part.identity);
    }
    const positions = call.steps.filter((step) => step.do === 'position').map(positionChange);
    const remembered = this.#parts.repeats.plan(call, { kind: 'committed', identities });
    // Each part knows the counters as they are after it: the last value of a key is that of the whole.
    const metas = new Map<string, MetaChange>();
    for (const change of [...[...parts, ...moves].flatMap(({ changes }) => changes), ...positions, ...remembered])
      metas.set(change.key, change);
    const puts = parts.flatMap((part) => part.puts);
    const acks = parts.flatMap((part) => part.acks);
    const states = moves.flatMap((move) => move.states);
    return { batch: { puts, acks, states, metas: [...metas.values()] }, ended, moves, identities };
  }

  /** What is leased leaves its queue in the frame that brings the rest. */
  #free(slot: number): void {
    const { ring, queues, draft } = this.#parts.store;
    const queue = queues.of(slot);
    draft.frees(queue.parent ?? queue, ring.index.wholeBytes(slot));
  }

  /** @throws as `Ring.append`; then nothing was planned */
  #append(token: number, call: CommitCall, { batch, ended, moves, identities }: Transaction): void {
    const { store, shell, repeats } = this.#parts;
    const isForDisk = call.by !== undefined || call.steps.some((step) => step.do !== 'send');
    const intervalMs = isForDisk ? undefined : shell.intervalMs;
    const durability = shell.durability();
    const isLater = intervalMs !== undefined && durability !== 'volatile';
    const names = identities.map(identityText);
    const result: CallResult = { kind: 'committed', identities: names, durability: isLater ? 'interval' : durability };
    let over: (outcome: Outcome) => void = () => {};
    store.commit(
      batch,
      (outcome) => {
        if (outcome === 'durable') for (const move of moves) move.landed();
        if (intervalMs === undefined) this.#settled(token, outcome, result);
        over(outcome);
      },
      intervalMs ?? 0,
    );
    over = repeats.planned(call, identities, result);
    for (const lease of ended) this.#receives.finished(lease);
    for (const { lease, settle } of moves) {
      this.#receives.moved(lease);
      settle();
    }
    if (intervalMs !== undefined) shell.answer(token, result);
  }

  #tellOutcome(token: number, { identity, epoch }: Call & { readonly verb: 'outcome' }): void {
    const { store, shell } = this.#parts;
    const { outcome, when } = judgeOutcome(store, identity, epoch);
    const result: CallResult = { kind: 'outcome', outcome };
    if (when === 'now') return shell.answer(token, result);
    store.commit({}, (written) => this.#settled(token, written, result));
  }

  #settled(token: number, outcome: Outcome, result: CallResult): void {
    this.#parts.shell.answer(token, outcomeResult(this.#parts.store.ring, outcome, result));
  }
}

/** @throws BUSY when these are too many to wait together, or hold too much */
function checkRoom(calls: readonly CommitCall[]): void {
  if (calls.length > COMMIT_WAITING_COUNT_MAX)
    throw new RingmailError('BUSY', { pending: calls.length - 1, pendingMax: COMMIT_WAITING_COUNT_MAX });
  const steps = calls.flatMap((call) => call.steps);
  const pending = steps.reduce((sum, step) => sum + (step.do === 'send' ? step.body.length : 0), 0);
  if (pending > COMMIT_WAITING_BYTES_MAX) throw new RingmailError('BUSY', { pending, pendingMax: COMMIT_WAITING_BYTES_MAX });
}

function causeOf(step: Step<'ack' | 'deadLetter'>): Cause {
  return step.do === 'ack' ? { class: 'received' } : { class: 'POISON', reason: step.reason };
}
