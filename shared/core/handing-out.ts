/**
 * A message on its way to a receiver:
 *
 *   out of the queue ──▶ count written, if it must be ──▶ body read ──▶ leased, and answered
 *        ▲                                                   │ unreadable: it ends, and the receiver waits on
 *        └── its receiver, or its queue, is gone ────────────┘
 */
import { Bodies } from '../custody/bodies.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { RingmailError } from '../errors.ts';
import { decodeEnvelope, type Envelope } from '../message/envelope.ts';
import type { Leases } from '../queue/leases.ts';
import type { Queue } from '../queue/queues.ts';
import type { DeliveryCounts } from './delivery-counts.ts';
import type { DeskShell } from './desk-shell.ts';
import type { Waiting } from './waiting-receives.ts';

export interface HandingParts {
  readonly store: NodeStore;
  readonly shell: DeskShell;
  readonly leases: Leases;
  readonly counts: DeliveryCounts;
  /** The message is unreadable: it ends, out of whatever state it is in. */
  readonly unreadable: (slot: number) => void;
  /** Its message came to nothing: it waits on. */
  readonly returned: (waiting: Waiting) => void;
}

interface Loading {
  readonly waiting: Waiting;
  readonly leaseMs: number;
  readonly slot: number;
  readonly messageId: number;
  /** Deliveries, this one counted, once that is known; `writing` while it has to reach the disk first. */
  count: number | 'writing';
}

export class HandingOut {
  readonly #parts: HandingParts;
  readonly #bodies: Bodies;
  #loading: Loading[] = [];

  constructor(parts: HandingParts) {
    this.#parts = parts;
    this.#bodies = new Bodies(parts.store.ring);
  }

  get count(): number {
    return this.#loading.length;
  }

  /** Takes a ready message out of its queue, for one who wants it. */
  begin(waiting: Waiting, leaseMs: number, slot: number): void {
    const { store, counts } = this.#parts;
    store.queues.lease(store.queues.of(slot), slot);
    const message = { slot, messageId: store.ring.index.id(slot) };
    const loading: Loading = { waiting, leaseMs, ...message, count: counts.of(message) + 1 };
    if (counts.isWrittenFirst(message)) this.#writeCount(loading);
    if (!this.#deliver(loading)) this.#loading.push(loading);
  }

  pump(): void {
    const loading = this.#loading;
    this.#loading = [];
    for (const one of loading) if (!this.#deliver(one)) this.#loading.push(one);
  }

  /** Nobody waits for it any more: what is on its way goes back. Its delivery may be counted. */
  cancel(token: number): void {
    this.#goBack(({ waiting }) => waiting.token === token);
  }

  /** The queue is being deleted: what is on its way goes back, and those who were to have it are returned. */
  drop(queue: Queue): Waiting[] {
    const { store } = this.#parts;
    return this.#goBack(({ slot }) => store.queues.of(slot) === queue);
  }

  #goBack(which: (loading: Loading) => boolean): Waiting[] {
    const { store } = this.#parts;
    const back = this.#loading.filter(which);
    if (back.length === 0) return [];
    this.#loading = this.#loading.filter((one) => !back.includes(one));
    for (const { slot, messageId } of back) {
      this.#bodies.forget(messageId);
      store.queues.giveBack(slot, store.queueTimeMs);
    }
    return back.map(({ waiting }) => waiting);
  }

  #writeCount(loading: Loading): void {
    const { store, counts } = this.#parts;
    const state = counts.stateOf(loading, { more: 1 });
    loading.count = 'writing';
    store.commit({ states: [state] }, (outcome) => {
      if (outcome !== 'durable') return;
      counts.written([state]);
      loading.count = state.deliveryCount;
    });
  }

  /** False while its count is being written or its body read. */
  #deliver(loading: Loading): boolean {
    const { store, shell, leases, counts } = this.#parts;
    const { waiting, leaseMs, slot, messageId, count } = loading;
    if (count === 'writing') return false;
    const body = this.#bodies.get(slot);
    if (body === 'loading') return false;
    const envelope = body === 'corrupt' ? undefined : openedEnvelope(body);
    if (envelope === undefined) {
      this.#parts.unreadable(slot);
      this.#parts.returned(waiting);
      return true;
    }
    if (count === 1 && counts.of(loading) === 0) counts.delivered(loading, store.nowMs);
    const lease = leases.grant({ slot, messageId }, store.nowMs + leaseMs);
    const seen = { deliveryCount: count, moveCount: store.ring.index.moveCount(slot), lookupId: messageId };
    shell.answer(waiting.token, { kind: 'received', received: { lease: lease.id, leaseMs, ...envelope, ...seen } });
    return true;
  }
}

/** Undefined for what is no message. */
export function openedEnvelope(body: Uint8Array): Envelope | undefined {
  try {
    return decodeEnvelope(body);
  } catch (error) {
    if (error instanceof RingmailError) return undefined;
    throw error;
  }
}
