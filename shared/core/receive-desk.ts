/**
 * Where messages are handed out: who waits, what is leased to whom, and how a lease ends.
 *
 *   take ──▶ count written, if it must be ──▶ body read ──▶ leased ──▶ ack: ended                      durable
 *                                                             │  ├───▶ deadLetter: in $dead            durable
 *                                                             │  ├───▶ nack: ready, or delayed         a delay is durable
 *                                                             └──┴───▶ deadline: ready
 */
import { Bodies } from '../custody/bodies.ts';
import type { Intake } from '../custody/intake.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { RingmailError } from '../errors.ts';
import { decodeEnvelope, type Envelope } from '../message/envelope.ts';
import { identityText } from '../message/identity.ts';
import { type Lease, Leases } from '../queue/leases.ts';
import type { Queue } from '../queue/queues.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import { NUMBER_MAX } from '../ring/superblock-layout.ts';
import type { Call, CallResult } from './calls.ts';
import { type CountedState, DeliveryCounts } from './delivery-counts.ts';
import { boundedMs, type DeskParts, type DeskShell, outcomeResult } from './desk-shell.ts';
import type { Endings } from './endings.ts';
import type { Handles } from './handles.ts';

/** Receives waiting at once, over all queues. Bounds memory, not use: each client needs one. */
export const WAITING_COUNT_MAX = 10_000;

interface Waiting {
  readonly token: number;
  readonly queue: string;
  readonly deadlineMs: number;
  readonly leaseMs: number;
}
/** A message on its way to a receiver. */
interface Loading {
  readonly waiting: Waiting;
  readonly slot: number;
  readonly messageId: number;
  /** Deliveries, this one counted, once that is known; `writing` while it has to reach the disk first. */
  count: number | 'writing';
}

export class ReceiveDesk {
  readonly #store: NodeStore;
  readonly #intake: Intake;
  readonly #shell: DeskShell;
  readonly #endings: Endings;
  readonly #handles: Handles;
  readonly #leases: Leases;
  readonly #counts: DeliveryCounts;
  readonly #bodies: Bodies;
  #waiting: Waiting[] = [];
  /** Dead-lettered by the application, while the body is read. */
  #giving: { token: number; lease: Lease; reason: string }[] = [];
  /** Receives whose message turned out unreadable: they wait on, first in line. */
  readonly #returned: Waiting[] = [];
  #loading: Loading[] = [];

  constructor({ store, intake, shell, endings, handles }: DeskParts, suspectIdMax: number) {
    this.#store = store;
    this.#bodies = new Bodies(store.ring);
    this.#intake = intake;
    this.#shell = shell;
    this.#endings = endings;
    this.#handles = handles;
    this.#counts = new DeliveryCounts(store.ring, suspectIdMax);
    this.#leases = new Leases(`${store.ring.epoch.counter}.${store.ring.epoch.random.toString(36)}`);
  }

  /** @throws QUEUE_NOT_FOUND, NAME_INVALID, BUSY */
  receive(token: number, call: Call & { verb: 'receive' }): void {
    this.#intake.queue(call.queue);
    this.#handles.check(call.queue, 'receive', call.handle);
    if (this.#waiting.length >= WAITING_COUNT_MAX) {
      throw new RingmailError('BUSY', { pending: this.#waiting.length, pendingMax: WAITING_COUNT_MAX });
    }
    const deadlineMs = this.#store.nowMs + boundedMs(call.waitMs);
    this.#waiting.push({ token, queue: call.queue, deadlineMs, leaseMs: boundedMs(call.leaseMs) });
  }

  /** @throws QUEUE_NOT_FOUND, NAME_INVALID, BUSY */
  peek(_token: number, call: Call & { verb: 'peek' }): void {
    throw new Error(`not built yet: ${call.verb}`);
  }

  /** @throws LEASE_UNKNOWN */
  extend(_token: number, lease: string, _leaseMs: number): void {
    throw new Error(`not built yet: extend ${this.leaseOf(lease).id}`);
  }

  /** @throws LEASE_UNKNOWN */
  leaseOf(id: string): Lease {
    const lease = this.#leases.find(id);
    if (lease === undefined) throw new RingmailError('LEASE_UNKNOWN', { lease: id });
    return lease;
  }

  /** The end of a leased message is planned: the lease is over, and the message out of its queue. */
  finished(lease: Lease): void {
    this.#leases.end(lease);
    this.#store.queues.finish(lease.slot);
    this.#counts.forget(lease.messageId);
  }

  /** @throws LEASE_UNKNOWN */
  ack(token: number, leaseId: string): void {
    const lease = this.leaseOf(leaseId);
    const acks = [{ id: lease.messageId, reason: 'acknowledged' as const }];
    this.#store.commit({ acks }, (outcome) => this.#settled(token, outcome));
    this.finished(lease);
  }

  /** @throws LEASE_UNKNOWN, PROPERTY_INVALID */
  nack(token: number, leaseId: string, delay = 0): void {
    const lease = this.leaseOf(leaseId);
    const delayMs = boundedMs(delay);
    if (delayMs === 0) {
      this.#leases.end(lease);
      this.#release(lease);
      return this.#shell.answer(token, { kind: 'done' });
    }
    const notBeforeMs = Math.min(Math.ceil(this.#store.queueTimeMs + delayMs), NUMBER_MAX);
    const state = this.#counts.stateOf(lease, { notBeforeMs });
    this.#store.commit({ states: [state] }, (outcome) => {
      if (outcome === 'durable') {
        this.#counts.written([state]);
        this.#release(lease);
      }
      this.#settled(token, outcome);
    });
    this.#leases.end(lease);
  }

  /** @throws LEASE_UNKNOWN, and as `Intake.beginDead` */
  deadLetter(token: number, leaseId: string, reason: string): void {
    const lease = this.leaseOf(leaseId);
    const envelope = this.#bodies.get(lease.slot);
    if (typeof envelope === 'string') {
      this.#giving.push({ token, lease, reason });
      return;
    }
    const { message } = decodeEnvelope(envelope);
    const { identity, epoch: _epoch, body, history, previous: _previous, ...properties } = message;
    const content = { body, properties, previous: identityText(identity), ...(history && { history }) };
    const planned = this.#intake.beginDead(content, { class: 'POISON', node: this.#store.self.name, reason }, 'replacing');
    const acks = [...planned.acks, { id: lease.messageId, reason: 'replaced' as const }];
    const batch = { puts: planned.puts, acks, metas: planned.changes };
    this.#store.commit(batch, (outcome) => this.#settled(token, outcome));
    planned.settle();
    this.finished(lease);
  }

  /** Nobody waits for this answer any more. A message already leased for it comes back at its deadline. */
  cancel(token: number): void {
    this.#waiting = this.#waiting.filter((waiting) => waiting.token !== token);
  }

  /** The queue is gone: who waits for it is told, and its leases end. */
  queueDeleted(queue: Queue): void {
    const error = new RingmailError('QUEUE_DELETED', { queue: queue.name });
    const tell = ({ token }: Waiting): void => this.#shell.answer(token, { kind: 'error', error });
    for (const waiting of this.#waiting.filter((one) => one.queue === queue.name)) tell(waiting);
    this.#waiting = this.#waiting.filter((one) => one.queue !== queue.name);
    const { queues } = this.#store;
    const gone = this.#loading.filter(({ slot }) => queues.of(slot) === queue);
    this.#loading = this.#loading.filter((one) => !gone.includes(one));
    for (const { waiting, slot, messageId } of gone) {
      tell(waiting);
      this.#release({ slot, messageId });
    }
    for (const lease of [...this.#leases].filter(({ slot }) => queues.of(slot) === queue)) {
      this.#leases.end(lease);
      this.#release(lease);
    }
  }

  /** Ends leases whose time is up. */
  expire(nowMs: number): void {
    for (const lease of this.#leases.expire(nowMs)) this.#release(lease);
  }

  /** Serves who waits, tells who waited long enough. With `hold` nobody new is served. */
  pump(nowMs: number, serve: 'serve' | 'hold'): void {
    this.#write(this.#counts.takeDue(nowMs));
    const loading = this.#loading;
    this.#loading = [];
    for (const one of loading) if (!this.#deliver(one, nowMs)) this.#loading.push(one);
    for (const { token, lease, reason } of this.#giving.splice(0)) this.#giveAgain(token, lease, reason);
    const still: Waiting[] = [];
    for (const waiting of this.#waiting) if (!this.#serve(waiting, nowMs, serve)) still.push(waiting);
    this.#waiting = [...this.#returned.splice(0), ...still];
  }

  /** Plans to write what is not written yet of what is known. */
  close(): void {
    for (const states of this.#counts.takeAll()) this.#write(states);
  }

  get wakeAtMs(): number | undefined {
    const times = [this.#leases.nextDeadlineMs, this.#counts.wakeAtMs, ...this.#waiting.map((w) => w.deadlineMs)];
    return times.reduce((a, b) => (b === undefined || (a !== undefined && a < b) ? a : b), undefined);
  }

  #giveAgain(token: number, lease: Lease, reason: string): void {
    try {
      this.deadLetter(token, lease.id, reason);
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      this.#shell.answer(token, { kind: 'error', error });
    }
  }

  #write(states: readonly CountedState[]): void {
    if (states.length === 0) return;
    this.#store.commit({ states }, (outcome) => {
      if (outcome === 'durable') this.#counts.written(states);
    });
  }

  #settled(token: number, outcome: Parameters<typeof outcomeResult>[1], result: CallResult = { kind: 'done' }): void {
    this.#shell.answer(token, outcomeResult(this.#store.ring, outcome, result));
  }

  /** Its end is planned. */
  #finish(message: { slot: number; messageId: number }): void {
    this.#store.queues.finish(message.slot);
    this.#counts.forget(message.messageId);
  }

  #release({ slot, messageId }: { slot: number; messageId: number }): void {
    if (this.#store.ring.index.id(slot) === messageId) this.#store.queues.giveBack(slot, this.#store.queueTimeMs);
  }

  /** True when the receive is answered, or its message is on the way. */
  #serve(waiting: Waiting, nowMs: number, serve: 'serve' | 'hold'): boolean {
    const queue = this.#store.queues.find(waiting.queue);
    const slot = queue === undefined || serve === 'hold' ? NO_SLOT : this.#store.queues.take(queue);
    if (slot !== NO_SLOT) {
      const loading = this.#begin(waiting, slot);
      if (!this.#deliver(loading, nowMs)) this.#loading.push(loading);
      return true;
    }
    if (waiting.deadlineMs > nowMs || serve === 'hold') return false;
    this.#shell.answer(waiting.token, { kind: 'empty' });
    return true;
  }

  #begin(waiting: Waiting, slot: number): Loading {
    const message = { slot, messageId: this.#store.ring.index.id(slot) };
    const loading: Loading = { waiting, ...message, count: this.#counts.of(message) + 1 };
    if (!this.#counts.isWrittenFirst(message)) return loading;
    const state = this.#counts.stateOf(message, { more: 1 });
    loading.count = 'writing';
    this.#store.commit({ states: [state] }, (outcome) => {
      if (outcome !== 'durable') return;
      this.#counts.written([state]);
      loading.count = state.deliveryCount;
    });
    return loading;
  }

  /** False while its count is being written or its body read. A body that cannot be read ends the message, and the receiver waits on. */
  #deliver(loading: Loading, nowMs: number): boolean {
    const { waiting, slot, messageId, count } = loading;
    if (count === 'writing') return false;
    const body = this.#bodies.get(slot);
    if (body === 'loading') return false;
    const envelope = body === 'corrupt' ? undefined : this.#opened(body);
    if (envelope === undefined) return this.#giveUp(loading);
    if (count === 1 && this.#counts.of(loading) === 0) this.#counts.delivered(loading, nowMs);
    const lease = this.#leases.grant({ slot, messageId }, nowMs + waiting.leaseMs);
    const received = {
      lease: lease.id,
      leaseMs: waiting.leaseMs,
      ...envelope,
      deliveryCount: count,
      moveCount: 0,
      lookupId: messageId,
    };
    this.#shell.answer(waiting.token, { kind: 'received', received });
    return true;
  }

  #giveUp(loading: Loading): true {
    const { slot, messageId, waiting } = loading;
    const account = this.#store.planLosses([{ handle: this.#store.ring.index.stream(slot), class: 'CORRUPT', count: 1 }]);
    this.#store.commit({ acks: [{ id: messageId, reason: 'corrupt' }], metas: account.changes }, () => {});
    account.settle();
    this.#finish({ slot, messageId });
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
