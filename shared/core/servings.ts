/**
 * Serves who waits: only at queues where something happened, in order of arrival. A message that somebody wants by name or place goes
 * to him before it goes to who takes any.
 */
import type { NodeStore } from '../custody/node-store.ts';
import { RingmailError } from '../errors.ts';
import type { Queue } from '../queue/queues.ts';
import type { Selector } from '../queue/selector.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import type { ComingBack } from './coming-back.ts';
import type { DeskShell } from './desk-shell.ts';
import type { HandingOut } from './handing-out.ts';
import type { LeaseEndings } from './lease-endings.ts';
import type { Found } from './named-search.ts';
import type { MoreDesks } from './no-desk.ts';
import type { Showing } from './showing.ts';
import { type Waiting, WaitingReceives } from './waiting-receives.ts';

export interface ServingParts {
  readonly store: NodeStore;
  readonly shell: DeskShell;
  readonly handing: HandingOut;
  readonly showing: Showing;
  readonly comingBack: ComingBack;
  readonly endings: LeaseEndings;
  readonly Seeking: MoreDesks['Seeking'];
}

const ANY = () => true;

export class Servings {
  readonly #parts: ServingParts;
  readonly #waiting = new WaitingReceives();
  readonly #seeking: InstanceType<MoreDesks['Seeking']>;
  /** Queues to look at in this step. */
  readonly #due = new Set<string>();
  /** Those to look at whenever there is a step: something is being read, or poisoned messages stand in the way. */
  readonly #later = new Set<string>();

  constructor(parts: ServingParts) {
    this.#parts = parts;
    this.#seeking = new parts.Seeking({
      store: parts.store,
      found: (waiting, slot) => this.#found(waiting, slot),
      ended: (waiting) => this.#expire(waiting),
    });
  }

  /** @throws PROPERTY_INVALID for a selector that leads nowhere here */
  check(selector: Selector): void {
    this.#seeking.check(selector);
  }

  /** @throws BUSY */
  add(asked: Omit<Waiting, 'number'>): void {
    this.#waiting.add(asked, this.#parts.handing.count + this.#parts.showing.count);
    this.#due.add(asked.queue);
  }

  /** Its message came to nothing: it waits on. */
  returned(waiting: Waiting): void {
    this.#waiting.returned(waiting);
    this.#due.add(waiting.queue);
  }

  cancel(token: number): void {
    const waiting = this.#waiting.find(token);
    if (waiting !== undefined) this.#remove(waiting);
  }

  /** Nobody waits at this queue any more. Those who did, to be answered by the caller. */
  drop(queue: string): Waiting[] {
    const all = this.#waiting.allAt(queue);
    for (const waiting of all) this.#remove(waiting);
    return all;
  }

  pump(): void {
    const { store } = this.#parts;
    for (const queue of store.queues.changed) if (this.#waiting.at(queue.name) !== undefined) this.#due.add(queue.name);
    store.queues.changed.clear();
    for (const name of this.#later) this.#due.add(name);
    this.#later.clear();
    if (this.#due.size > 0) {
      const names = [...this.#due];
      this.#due.clear();
      for (const name of names) this.#serve(name);
    }
    const dueMs = this.#waiting.wakeAtMs;
    if (dueMs === undefined || dueMs > store.nowMs) return;
    for (const waiting of this.#waiting.due(store.nowMs)) {
      if (!this.#seeking.isLooking(waiting)) this.#expire(waiting);
    }
  }

  get wakeAtMs(): number | undefined {
    return this.#due.size > 0 ? this.#parts.store.nowMs : this.#waiting.wakeAtMs;
  }

  #serve(name: string): void {
    const waits = this.#waiting.at(name);
    const queue = this.#parts.store.queues.find(name);
    if (waits === undefined || queue === undefined) return;
    const how = this.#seeking.pump(queue, waits);
    if (how === 'more') this.#due.add(queue.name);
    if (how === 'reading') this.#later.add(queue.name);
    for (const waiting of waits.placed.values()) this.#servePlaced(queue, waiting);
    for (const waiting of waits.plain.values()) {
      const slot = this.#nextFor(queue, waiting.select);
      if (slot === NO_SLOT) break;
      this.#give(waiting, slot);
    }
  }

  #remove(waiting: Waiting): void {
    const { queue } = waiting;
    this.#waiting.remove(waiting);
    this.#seeking.removed(queue, this.#waiting.at(queue));
  }

  #servePlaced(queue: Queue, waiting: Waiting): void {
    const slot =
      waiting.wants.do === 'peek' ? this.#seeking.place(queue, waiting.select, ANY) : this.#nextFor(queue, waiting.select);
    if (slot !== NO_SLOT) this.#give(waiting, slot);
  }

  /** What a receive of any message, or of one by its place, gets. What was delivered too often is given up on the way. */
  #nextFor(queue: Queue, selector: Selector): number {
    const { store } = this.#parts;
    const { queues } = store;
    if (queue.options.state === 'paused') return NO_SLOT;
    for (;;) {
      const slot =
        selector.by === 'first' ? queues.next(queue) : this.#seeking.place(queue, selector, (one) => queues.mayLease(queue, one));
      if (slot === NO_SLOT) return NO_SLOT;
      const kept = this.#keepsOut(slot);
      if (kept === 'no') return slot;
      if (kept === 'not-yet') return NO_SLOT;
    }
  }

  /** Whether a message was delivered too often already: then it is out of the queue now, unless too many others wait for that. */
  #keepsOut(slot: number): 'no' | 'gone' | 'not-yet' {
    const { store, comingBack, endings } = this.#parts;
    const message = { slot, messageId: store.ring.index.id(slot) };
    if (!comingBack.isPoison(message)) return 'no';
    const queue = store.queues.of(slot);
    if (endings.isFull) {
      this.#later.add(queue.name);
      return 'not-yet';
    }
    store.queues.lease(queue, slot);
    comingBack.poison(message);
    return 'gone';
  }

  #found(waiting: Waiting, slot: number): Found {
    const { queues, ring } = this.#parts.store;
    if (!ring.index.isListed(slot)) return 'gone';
    if (waiting.wants.do === 'receive') {
      if (!queues.mayLease(queues.of(slot), slot)) return 'not-yet';
      const kept = this.#keepsOut(slot);
      if (kept !== 'no') return kept;
    }
    this.#give(waiting, slot);
    return waiting.wants.do === 'receive' ? 'taken' : 'kept';
  }

  #give(waiting: Waiting, slot: number): void {
    const { handing, showing } = this.#parts;
    this.#remove(waiting);
    if (waiting.wants.do === 'receive') handing.begin(waiting, waiting.wants.leaseMs, slot);
    else showing.begin(waiting, waiting.wants.bodies, slot);
  }

  /** Its time is up, and there is nothing. */
  #expire(waiting: Waiting): void {
    const { store, shell } = this.#parts;
    if (waiting.deadlineMs > store.nowMs) return;
    this.#remove(waiting);
    const wanted = this.#seeking.nameOf(waiting.select);
    if (wanted === undefined) return shell.answer(waiting.token, { kind: 'empty' });
    const error = new RingmailError('MESSAGE_NOT_FOUND', { queue: waiting.queue, wanted });
    shell.answer(waiting.token, { kind: 'error', error });
  }
}
