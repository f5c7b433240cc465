/**
 * The desk where applications are served: send, receive under lease, acknowledge, give up. Every answer is given by token, once;
 * what needs the disk is answered when it is on the disk.
 */

import { unreachable } from '../assert.ts';
import type { Intake } from '../custody/intake.ts';
import { metaValue } from '../custody/meta-keys.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { earliest } from '../earliest.ts';
import { RingmailError } from '../errors.ts';
import type { Call } from './calls.ts';
import type { DeskParts, DeskShell } from './desk-shell.ts';
import { DueWork } from './due-work.ts';
import { Endings } from './endings.ts';
import type { MoreDesks } from './no-desk.ts';
import { ReceiveDesk } from './receive-desk.ts';
import { SendDesk } from './send-desk.ts';

export class Desk {
  readonly #store: NodeStore;
  /** Messages up to this id may have ended a node. */
  readonly suspectIdMax: number;
  readonly #shell: DeskShell;
  readonly #sends: SendDesk;
  readonly #receives: ReceiveDesk;
  readonly #commits: InstanceType<MoreDesks['CommitDesk']>;
  readonly #queues: InstanceType<MoreDesks['QueueDesk']>;
  readonly #ledgers: InstanceType<MoreDesks['LedgerDesk']>;
  readonly #letters: InstanceType<MoreDesks['LetterDesk']>;
  readonly #holes: InstanceType<MoreDesks['HoleDesk']>;
  readonly #probes: InstanceType<MoreDesks['ProbeDesk']>;
  readonly #handles: DeskParts['handles'];
  readonly #express: DeskParts['express'];
  readonly #due: DueWork;
  /** Something was due and is not dealt with: go on at once. */
  #isBehind = false;

  constructor(store: NodeStore, intake: Intake, shell: DeskShell & { readonly suspectIdMax: number; readonly desks: MoreDesks }) {
    const { CommitDesk, QueueDesk, LedgerDesk, LetterDesk, HoleDesk, ProbeDesk, Handles, Repeats, ExpressSends, Seeking } =
      shell.desks;
    this.#store = store;
    this.#shell = shell;
    this.suspectIdMax = shell.suspectIdMax;
    this.#handles = new Handles(store);
    this.#express = new ExpressSends({ store, intake, shell });
    const endings = new Endings(store, intake);
    const parts: DeskParts = {
      store,
      intake,
      shell,
      endings,
      handles: this.#handles,
      repeats: new Repeats(store, shell),
      express: this.#express,
      Seeking,
    };
    this.#sends = new SendDesk(parts);
    this.#receives = new ReceiveDesk(parts, shell.suspectIdMax);
    this.#commits = new CommitDesk(parts, { sends: this.#sends, receives: this.#receives });
    this.#queues = new QueueDesk(parts, this.#receives);
    this.#ledgers = new LedgerDesk(parts);
    this.#letters = new LetterDesk(parts);
    this.#holes = new HoleDesk(parts);
    this.#probes = new ProbeDesk(parts);
    this.#due = new DueWork(store, endings);
  }

  /** Does what is asked, or answers with the coded error that says why not. */
  call(token: number, call: Call): void {
    try {
      this.#dispatch(token, call);
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      this.#shell.answer(token, { kind: 'error', error });
    }
  }

  /** Nobody waits for this answer any more. */
  cancel(token: number): void {
    this.#sends.cancel(token);
    this.#receives.cancel(token);
    this.#commits.cancel(token);
    this.#letters.cancel(token);
    this.#probes.cancel(token);
  }

  /** Serves who waits, returns what rested long enough, ends what timed out. Called after every step. */
  pump(nowMs: number): void {
    if (this.#store.ring.state !== 'serving') return;
    this.#receives.expire(nowMs);
    this.#holes.pump();
    this.#isBehind = !this.#due.pump();
    this.#queues.pump();
    this.#letters.pump();
    this.#probes.pump();
    this.#commits.pump();
    this.#receives.pump(nowMs, this.#isBehind ? 'hold' : 'serve');
    this.#sends.pump(nowMs);
  }

  /** Answers the senders who wait for room, and plans to write what only memory knows. The ring is closed next. */
  close(): void {
    this.#sends.close();
    this.#probes.close();
    this.#commits.close();
    this.#letters.close();
    this.#receives.close();
    this.#express.close();
  }

  /** Senders that wait for room in a queue. */
  blockedIn(queue: string): number {
    return this.#sends.blockedIn(queue);
  }

  get wakeAtMs(): number | undefined {
    if (this.#store.ring.state !== 'serving') return undefined;
    if (this.#isBehind) return this.#store.nowMs;
    return earliest(
      this.#receives.wakeAtMs,
      this.#sends.wakeAtMs,
      this.#due.wakeAtMs,
      this.#queues.wakeAtMs,
      this.#holes.wakeAtMs,
      this.#probes.wakeAtMs,
    );
  }

  #open(token: number, call: Call & { readonly verb: 'open' }): void {
    const handle = this.#handles.open(call);
    if (call.share === 'alone') {
      const queue = this.#store.queues.get(call.queue);
      for (const part of [queue, ...queue.subqueues.values()]) this.#receives.openedAlone(part);
    }
    this.#shell.answer(token, { kind: 'opened', handle });
  }

  #dispatch(token: number, call: Call): void {
    switch (call.verb) {
      case 'send':
        return this.#sends.send(token, call);
      case 'receive':
        return this.#receives.receive(token, call);
      case 'peek':
        return this.#receives.peek(token, call);
      case 'ack':
        return this.#receives.ack(token, call.lease);
      case 'nack':
        return this.#receives.nack(token, call.lease, call.delayMs);
      case 'deadLetter':
        return this.#receives.deadLetter(token, call.lease, call.reason);
      case 'extend':
        return this.#receives.extend(token, call.lease, call.leaseMs);
      case 'commit':
      case 'outcome':
      case 'retireProducer':
        return this.#commits.call(token, call);
      case 'createQueue':
      case 'setQueue':
      case 'deleteQueue':
      case 'queues':
      case 'purge':
      case 'move':
        return this.#queues.call(token, call);
      case 'holes':
      case 'closeHoles':
        return this.#holes.call(token, call);
      case 'probe':
        return this.#probes.call(token, call);
      case 'ledger':
        return this.#ledgers.call(token, call);
      case 'redrive':
        return this.#letters.redrive(token, call);
      case 'open':
        return this.#open(token, call);
      case 'close':
        this.#handles.close(call.handle);
        return this.#shell.answer(token, { kind: 'done' });
      case 'position': {
        const value = metaValue(this.#store.ring.metas, `p/${call.name}`);
        return this.#shell.answer(token, { kind: 'position', value: value instanceof Uint8Array ? value : undefined });
      }
      case 'stats':
        return this.#shell.answer(token, { kind: 'stats', stats: this.#shell.stats() });
      default:
        return unreachable(call);
    }
  }
}
