/**
 * The desk where applications are served: send, receive under lease, acknowledge, give up. Every answer is given by token, once;
 * what needs the disk is answered when it is on the disk.
 */
import { Bodies } from '../custody/bodies.ts';
import type { Intake } from '../custody/intake.ts';
import { metaValue } from '../custody/meta-keys.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { RingmailError } from '../errors.ts';
import { decodeEnvelope, type Envelope } from '../message/envelope.ts';
import { identityText } from '../message/identity.ts';
import { checkProperties } from '../message/message.ts';
import { type Lease, Leases } from '../queue/leases.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import type { Outcome } from '../ring/ring.ts';
import type { Call, CallResult, Durability, Stats } from './calls.ts';

/** Longest wait of a receive, and longest lease: a day. What needs more asks again. */
export const WAIT_MS_MAX = 86_400_000;
/** Receives waiting at once, over all queues. Bounds memory, not use: each client needs one. */
export const WAITING_COUNT_MAX = 10_000;

/** What the desk needs of the node around it. */
interface Shell {
  readonly answer: Answer;
  readonly stats: () => Stats;
  readonly durability: () => Durability;
}
type Answer = (token: number, result: CallResult) => void;

interface Waiting {
  readonly token: number;
  readonly queue: string;
  readonly deadlineMs: number;
  readonly leaseMs: number;
}
/** A message on its way to a receiver while its body is read. */
interface Loading {
  readonly waiting: Waiting;
  readonly slot: number;
  readonly messageId: number;
}

export class Desk {
  readonly #store: NodeStore;
  readonly #intake: Intake;
  readonly #answer: Answer;
  readonly #shell: Shell;
  readonly #leases: Leases;
  readonly #bodies: Bodies;
  readonly #resting: { slot: number; messageId: number; atMs: number }[] = [];
  readonly #deliveries = new Map<number, number>();
  #waiting: Waiting[] = [];
  /** Dead-lettered by the application, while the body is read. */
  #giving: { token: number; lease: Lease; reason: string }[] = [];
  /** Receives whose message turned out unreadable: they wait on, first in line. */
  readonly #returned: Waiting[] = [];
  #loading: Loading[] = [];

  constructor(store: NodeStore, intake: Intake, shell: Shell) {
    this.#store = store;
    this.#bodies = new Bodies(store.ring);
    this.#intake = intake;
    this.#answer = shell.answer;
    this.#shell = shell;
    this.#leases = new Leases(`${store.ring.epoch.counter}.${store.ring.epoch.random.toString(36)}`);
  }

  /** Does what is asked, or answers with the coded error that says why not. */
  call(token: number, call: Call): void {
    try {
      this.#dispatch(token, call);
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      this.#answer(token, { kind: 'error', error });
    }
  }

  /** Nobody waits for this answer any more. A message already leased for it comes back at its deadline. */
  cancel(token: number): void {
    this.#waiting = this.#waiting.filter((waiting) => waiting.token !== token);
  }

  /** Serves who waits, returns what rested long enough, ends what timed out. Called after every step. */
  pump(nowMs: number): void {
    for (const lease of this.#leases.expire(nowMs)) this.#release(lease.slot, lease.messageId);
    for (let i = this.#resting.length - 1; i >= 0; i--) {
      const resting = this.#resting[i];
      if (resting === undefined || resting.atMs > nowMs) continue;
      this.#resting.splice(i, 1);
      this.#release(resting.slot, resting.messageId);
    }
    this.#finishLoading(nowMs);
    for (const { token, lease, reason } of this.#giving.splice(0))
      this.call(token, { verb: 'deadLetter', lease: lease.id, reason });
    const still: Waiting[] = [];
    for (const waiting of this.#waiting) if (!this.#serve(waiting, nowMs)) still.push(waiting);
    this.#waiting = [...this.#returned.splice(0), ...still];
  }

  get wakeAtMs(): number | undefined {
    const times = [this.#leases.nextDeadlineMs, ...this.#waiting.map((w) => w.deadlineMs), ...this.#resting.map((r) => r.atMs)];
    return times.reduce((a, b) => (b === undefined || (a !== undefined && a < b) ? a : b), undefined);
  }

  #dispatch(token: number, call: Call): void {
    switch (call.verb) {
      case 'send':
        return this.#send(token, call);
      case 'receive':
        return this.#receive(token, call);
      case 'ack':
        return this.#ack(token, this.#lease(call.lease));
      case 'nack': {
        const lease = this.#lease(call.lease);
        this.#leases.end(lease);
        this.#resting.push({ slot: lease.slot, messageId: lease.messageId, atMs: this.#store.nowMs + bounded(call.delayMs) });
        return this.#answer(token, { kind: 'done' });
      }
      case 'deadLetter':
        return this.#deadLetter(token, this.#lease(call.lease), call.reason);
      case 'position': {
        const value = metaValue(this.#store.ring.metas, `p/${call.name}`);
        return this.#answer(token, { kind: 'position', value: value instanceof Uint8Array ? value : undefined });
      }
      case 'stats':
        return this.#answer(token, { kind: 'stats', stats: this.#shell.stats() });
    }
  }

  #send(token: number, call: Call & { verb: 'send' }): void {
    checkProperties(call.properties);
    const content = { body: call.body, properties: call.properties };
    const planned =
      call.dead === undefined ? this.#intake.begin(call.destination, content) : this.#intake.beginDead(content, call.dead);
    const position = call.position === undefined ? [] : [this.#intake.position(call.position)];
    const identity = identityText(planned.identity);
    const batch = { puts: planned.puts, acks: planned.acks, metas: [...planned.changes, ...position] };
    const durability = this.#shell.durability();
    this.#store.commit(batch, (outcome) => this.#settled(token, outcome, { kind: 'sent', identity, durability }));
    planned.settle();
  }

  #receive(token: number, call: Call & { verb: 'receive' }): void {
    this.#intake.queue(call.queue);
    if (this.#waiting.length >= WAITING_COUNT_MAX) {
      throw new RingmailError('BUSY', { pending: this.#waiting.length, pendingMax: WAITING_COUNT_MAX });
    }
    const deadlineMs = this.#store.nowMs + bounded(call.waitMs);
    this.#waiting.push({ token, queue: call.queue, deadlineMs, leaseMs: bounded(call.leaseMs) });
  }

  #ack(token: number, lease: Lease): void {
    const acks = [{ id: lease.messageId, reason: 'acknowledged' as const }];
    this.#store.commit({ acks }, (outcome) => this.#settled(token, outcome, { kind: 'done' }));
    this.#leases.end(lease);
    this.#forget(lease);
  }

  #deadLetter(token: number, lease: Lease, reason: string): void {
    const envelope = this.#bodies.get(lease.slot);
    if (typeof envelope === 'string') {
      this.#giving.push({ token, lease, reason });
      return;
    }
    const { message } = decodeEnvelope(envelope);
    const { identity, epoch: _epoch, body, history, previous: _previous, ...properties } = message;
    const content = { body, properties, previous: identityText(identity), ...(history && { history }) };
    const planned = this.#intake.beginDead(content, { class: 'POISON', node: this.#store.self.name, reason });
    const acks = [...planned.acks, { id: lease.messageId, reason: 'replaced' as const }];
    const batch = { puts: planned.puts, acks, metas: planned.changes };
    this.#store.commit(batch, (outcome) => this.#settled(token, outcome, { kind: 'done' }));
    planned.settle();
    this.#leases.end(lease);
    this.#forget(lease);
  }

  #settled(token: number, outcome: Outcome, result: CallResult): void {
    const reason = this.#store.ring.failure?.message ?? 'stopped';
    const identity = result.kind === 'sent' ? result.identity : '';
    if (outcome === 'durable') return this.#answer(token, result);
    const error =
      outcome === 'in-doubt'
        ? new RingmailError('IN_DOUBT', { identity, reason })
        : new RingmailError('NODE_STOPPED', { reason });
    this.#answer(token, { kind: 'error', error });
  }

  #lease(id: string): Lease {
    const lease = this.#leases.find(id);
    if (lease === undefined) throw new RingmailError('LEASE_UNKNOWN', { lease: id });
    return lease;
  }

  #forget(message: { slot: number; messageId: number }): void {
    this.#store.queues.finish(message.slot);
    this.#deliveries.delete(message.messageId);
  }

  #release(slot: number, messageId: number): void {
    if (this.#store.ring.index.id(slot) === messageId) this.#store.queues.giveBack(slot);
  }

  /** True when the receive is answered, or its message is on the way. */
  #serve(waiting: Waiting, nowMs: number): boolean {
    const queue = this.#store.queues.find(waiting.queue);
    const slot = queue === undefined ? NO_SLOT : this.#store.queues.take(queue);
    if (slot !== NO_SLOT) {
      const loading = { waiting, slot, messageId: this.#store.ring.index.id(slot) };
      if (!this.#deliver(loading, nowMs)) this.#loading.push(loading);
      return true;
    }
    if (waiting.deadlineMs > nowMs) return false;
    this.#answer(waiting.token, { kind: 'empty' });
    return true;
  }

  #finishLoading(nowMs: number): void {
    const still: Loading[] = [];
    for (const loading of this.#loading) if (!this.#deliver(loading, nowMs)) still.push(loading);
    this.#loading = still;
  }

  /** False while the body is being read. A body that cannot be read ends the message, and the receiver waits on. */
  #deliver(loading: Loading, nowMs: number): boolean {
    const { waiting, slot, messageId } = loading;
    const body = this.#bodies.get(slot);
    if (body === 'loading') return false;
    const envelope = body === 'corrupt' ? undefined : this.#opened(body);
    if (envelope === undefined) return this.#giveUp(loading);
    const deliveryCount = (this.#deliveries.get(messageId) ?? 0) + 1;
    this.#deliveries.set(messageId, deliveryCount);
    const lease = this.#leases.grant({ slot, messageId }, nowMs + waiting.leaseMs);
    const received = { lease: lease.id, leaseMs: waiting.leaseMs, ...envelope, deliveryCount };
    this.#answer(waiting.token, { kind: 'received', received });
    return true;
  }

  #giveUp(loading: Loading): true {
    const { slot, messageId, waiting } = loading;
    const handle = this.#store.ring.index.stream(slot);
    const metas = [this.#store.account(handle, 'CORRUPT', 1)];
    this.#store.commit({ acks: [{ id: messageId, reason: 'corrupt' }], metas }, () => {});
    this.#forget({ slot, messageId });
    this.#returned.push(waiting);
    return true;
  }

  #opened(body: Uint8Array): Envelope | undefined {
    try {
      return decodeEnvelope(body);
    } catch (error) {
      if (error instanceof RingmailError) return undefined;
      throw error;
    }
  }
}

function bounded(ms: number): number {
  if (!Number.isFinite(ms) || ms < 0)
    throw new RingmailError('PROPERTY_INVALID', { property: 'time', reason: 'not milliseconds' });
  return Math.min(ms, WAIT_MS_MAX);
}
