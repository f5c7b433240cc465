/**
 * Where messages are handed out and looked at: who waits, what is leased to whom, and how a lease ends.
 *
 *   waits ──▶ handing out ──▶ leased ──▶ ack: ended                                        durable
 *     │                         │  ├───▶ deadLetter: in the dead letter queue              durable
 *     │                         │  ├───▶ nack: ready, or delayed, or poison                a delay is durable
 *     │                         └──┴───▶ deadline: as a nack
 *     └────▶ shown: it stays where it is
 *
 * The parts: waiting-receives.ts, selection.ts and named-search.ts, handing-out.ts, showing.ts, lease-endings.ts, coming-back.ts.
 */

import type { Intake } from '../custody/intake.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { earliest } from '../earliest.ts';
import { RingmailError } from '../errors.ts';
import { epochText } from '../message/identity.ts';
import { type Lease, Leases } from '../queue/leases.ts';
import type { Queue } from '../queue/queues.ts';
import type { Call } from './calls.ts';
import { ComingBack } from './coming-back.ts';
import { type CountedState, DeliveryCounts } from './delivery-counts.ts';
import { boundedMs, type DeskParts, type DeskShell } from './desk-shell.ts';
import { HandingOut } from './handing-out.ts';
import { LeaseEndings } from './lease-endings.ts';
import { Servings } from './servings.ts';
import { Showing } from './showing.ts';
import type { Waiting } from './waiting-receives.ts';

export class ReceiveDesk {
  readonly #store: NodeStore;
  readonly #intake: Intake;
  readonly #shell: DeskShell;
  readonly #handles: DeskParts['handles'];
  readonly #leases: Leases;
  readonly #counts: DeliveryCounts;
  readonly #endings: LeaseEndings;
  readonly #comingBack: ComingBack;
  readonly #handing: HandingOut;
  readonly #showing: Showing;
  readonly #servings: Servings;

  constructor({ store, intake, shell, endings, handles, Seeking }: DeskParts, suspectIdMax: number) {
    this.#store = store;
    this.#intake = intake;
    this.#shell = shell;
    this.#handles = handles;
    const counts = new DeliveryCounts(store.ring, suspectIdMax);
    const leases = new Leases(epochText(store.ring.epoch));
    this.#counts = counts;
    this.#leases = leases;
    this.#endings = new LeaseEndings({ store, shell, leases, counts, endings });
    this.#comingBack = new ComingBack({ store, shell, counts, endings: this.#endings, random: shell.random });
    const parts = {
      store,
      shell,
      leases,
      counts,
      unreadable: (slot: number) => this.#unreadable(slot),
      returned: (waiting: Waiting) => this.#servings.returned(waiting),
    };
    this.#handing = new HandingOut(parts);
    this.#showing = new Showing(parts);
    const served = { handing: this.#handing, showing: this.#showing, comingBack: this.#comingBack, endings: this.#endings };
    this.#servings = new Servings({ store, shell, Seeking, ...served });
  }

  /** @throws QUEUE_NOT_FOUND, NAME_INVALID, PROPERTY_INVALID, BUSY, and as `Handles.check` */
  receive(token: number, call: Call & { verb: 'receive' }): void {
    if (call.select?.by === 'arrivedAfter') {
      throw new RingmailError('PROPERTY_INVALID', { property: 'select', reason: 'arrivedAfter is for peek alone' });
    }
    this.#wait(token, call, { do: 'receive', leaseMs: boundedMs(call.leaseMs) });
  }

  /** @throws QUEUE_NOT_FOUND, NAME_INVALID, PROPERTY_INVALID, BUSY, and as `Handles.check` */
  peek(token: number, call: Call & { verb: 'peek' }): void {
    this.#wait(token, call, { do: 'peek', bodies: call.bodies });
  }

  #wait(token: number, call: Call & { verb: 'receive' | 'peek' }, wants: Waiting['wants']): void {
    const { queue, select = { by: 'first' } } = call;
    this.#servings.check(select);
    this.#intake.queue(queue);
    this.#handles.check(queue, wants.do, call.handle);
    const waitMs = boundedMs(call.waitMs);
    if (call.handle !== undefined) this.#handles.prolong(call.handle, waitMs);
    const deadlineMs = this.#store.nowMs + waitMs;
    this.#servings.add({ token, queue, deadlineMs, select, wants });
  }

  /** @throws LEASE_UNKNOWN, PROPERTY_INVALID */
  extend(token: number, leaseId: string, leaseMs: number): void {
    const lease = this.leaseOf(leaseId);
    this.#leases.extend(lease, this.#store.nowMs + boundedMs(leaseMs));
    this.#shell.answer(token, { kind: 'done' });
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

  /** The move of a leased message is planned: the lease is over. Its count goes with it. */
  moved(lease: Lease): void {
    this.#leases.end(lease);
  }

  /** @throws LEASE_UNKNOWN, and as `Endings.plan` */
  ack(token: number, leaseId: string): void {
    this.#endings.end(token, this.leaseOf(leaseId), { class: 'received' });
  }

  /** A delay of its own, 0 too, stands for the queue's back-off. @throws LEASE_UNKNOWN, PROPERTY_INVALID */
  nack(token: number, leaseId: string, delayMs: number | undefined): void {
    const lease = this.leaseOf(leaseId);
    const ownDelayMs = delayMs === undefined ? undefined : boundedMs(delayMs);
    this.#leases.end(lease);
    this.#comingBack.back(token, lease, ownDelayMs);
  }

  /** @throws LEASE_UNKNOWN, and as `Endings.plan` */
  deadLetter(token: number, leaseId: string, reason: string): void {
    this.#endings.end(token, this.leaseOf(leaseId), { class: 'POISON', reason });
  }

  /** Nobody waits for this answer any more. A message on its way to it goes back; one whose lease is in an answer already is given back by who has that. */
  cancel(token: number): void {
    this.#servings.cancel(token);
    this.#handing.cancel(token);
    this.#showing.cancel(token);
  }

  /**
   * A queue is being deleted: who waits for it is told so, and what was handed out of it is back in it, its leases unknown. Ends that
   * are planned already stand.
   */
  queueDeleted(queue: Queue): void {
    const error = new RingmailError('QUEUE_DELETED', { queue: queue.name });
    const waiting = [...this.#servings.drop(queue.name), ...this.#handing.drop(queue), ...this.#showing.drop(queue.name)];
    const ending = this.#endings.drop(queue);
    for (const token of [...waiting.map((one) => one.token), ...ending.tokens]) {
      this.#shell.answer(token, { kind: 'error', error });
    }
    const leased = [...this.#leases].filter(({ slot }) => this.#store.queues.of(slot) === queue);
    for (const lease of leased) this.#leases.end(lease);
    for (const { slot } of [...leased, ...ending.messages]) this.#store.queues.giveBack(slot, this.#store.queueTimeMs);
  }

  /** Somebody opened a queue alone: who waits for it has no handle, and is told so. What was handed out stays handed out. */
  openedAlone(queue: Queue): void {
    const error = new RingmailError('SHARING_VIOLATION', { queue: queue.name });
    for (const { token } of this.#servings.drop(queue.name)) this.#shell.answer(token, { kind: 'error', error });
  }

  /** Ends leases whose time is up. */
  expire(nowMs: number): void {
    const expired = this.#leases.expire(nowMs);
    if (expired.length > 0) this.#comingBack.expired(expired);
  }

  /** Serves who waits, tells who waited long enough. With `hold` nobody new is served. */
  pump(nowMs: number, serve: 'serve' | 'hold'): void {
    this.#write(this.#counts.takeDue(nowMs));
    this.#handing.pump();
    this.#showing.pump();
    this.#endings.pump();
    if (serve === 'serve') this.#servings.pump();
  }

  /** Plans to write what is not written yet of what is known. */
  close(): void {
    for (const states of this.#counts.takeAll()) this.#write(states);
  }

  get wakeAtMs(): number | undefined {
    return earliest(this.#leases.nextDeadlineMs, this.#counts.wakeAtMs, this.#endings.wakeAtMs, this.#servings.wakeAtMs);
  }

  #write(states: readonly CountedState[]): void {
    if (states.length === 0) return;
    this.#store.commit({ states }, (outcome) => {
      if (outcome === 'durable') this.#counts.written(states);
    });
  }

  /** Its body does not decode, or rotted: nobody gets it, and it ends. */
  #unreadable(slot: number): void {
    const { ring, queues } = this.#store;
    if (ring.index.isListed(slot)) queues.lease(queues.of(slot), slot);
    const message = { slot, messageId: ring.index.id(slot) };
    this.#endings.giveUp(message, { class: 'CORRUPT', reason: 'it cannot be read' });
  }
}
