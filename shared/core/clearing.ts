/**
 * Queues that are purged or deleted. Their messages end in frames of bounded size, each with what its end brings along (endings.ts).
 *
 *   purge    what is ready, delayed or held ends ─▶ told how many, once all of it is on the disk
 *   delete   mark on the disk, name free, waiters told, leases ended
 *                ─▶ what is there ends, and what still comes: sends on their way, delays being written
 *                ─▶ nothing left: its key goes, the highest id stays ─▶ told
 *
 * The mark lies in a frame before the first end, so a node that dies in the middle finds it and goes on. What is purged was there when the
 * purge began; a message that arrives later stays, one that comes back from its lease meanwhile may go with the others.
 */
import { unreachable } from '../assert.ts';
import { lossAt } from '../custody/accounts.ts';
import { queuesGone } from '../custody/queue-meta.ts';
import { hasCode, RingmailError } from '../errors.ts';
import { CLEARING_AHEAD_MAX, CLEARING_COUNT_MAX } from '../limits.ts';
import { messageCount, type Queue } from '../queue/queues.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import type { Outcome } from '../ring/ring.ts';
import { type DeskParts, outcomeResult } from './desk-shell.ts';

interface Job {
  /** Undefined: whoever asked is no more. */
  readonly token: number | undefined;
  readonly what: 'purge' | 'delete';
  readonly queues: readonly Queue[];
  /** Nothing that came later ends: by rank. */
  readonly idMax: number;
  /** Ids of those that wait for their time, or for others of their streams, still to be ended. */
  delayed: number[];
  /** Ends that wait for the disk. */
  flying: number;
  count: number;
  /** The key of a deleted queue is planned to go. */
  state: 'ending' | 'going' | 'over';
}

export class Clearing {
  readonly #parts: DeskParts;
  #jobs: Job[] = [];

  /** Goes on with what the node was deleting when it ended. */
  constructor(parts: DeskParts) {
    this.#parts = parts;
    for (const queue of parts.store.queues.deleting) this.delete(undefined, queue);
  }

  purge(token: number, queue: Queue): void {
    this.#begin({ token, what: 'purge', queues: [queue] });
  }

  /** The queue has lost its name, and that is planned. */
  delete(token: number | undefined, queue: Queue): void {
    this.#begin({ token, what: 'delete', queues: [queue, ...queue.subqueues.values()] });
  }

  /** Carries on as far as reads and writes allow: whatever they bring is a step, so nothing here needs a time to wake up. */
  pump(): void {
    if (this.#jobs.length === 0) return;
    for (const job of this.#jobs) this.#step(job);
    this.#jobs = this.#jobs.filter(({ state }) => state !== 'over');
  }

  #begin(job: Pick<Job, 'token' | 'what' | 'queues'>): void {
    const { queues } = this.#parts.store;
    const idMax =
      job.what === 'delete' ? Number.POSITIVE_INFINITY : Math.max(0, ...job.queues.map((queue) => this.#newest(queue)));
    const delayed = job.queues.flatMap((queue) => [...queues.delayedIn(queue), ...queues.heldIn(queue)]);
    this.#jobs.push({ ...job, idMax, delayed, flying: 0, count: 0, state: 'ending' });
  }

  #newest(queue: Queue): number {
    const { index } = this.#parts.store.ring;
    return Math.max(0, ...queue.ready.map(({ tail }) => (tail === NO_SLOT ? 0 : index.rank(tail))));
  }

  #step(job: Job): void {
    let left = CLEARING_COUNT_MAX - this.#jobs.reduce((sum, { flying }) => sum + flying, 0);
    let ahead = CLEARING_AHEAD_MAX;
    const end = (slot: number): 'ended' | 'waits' => {
      if (left <= 0 || ahead <= 0) return 'waits';
      const result = this.#end(job, slot);
      if (result === 'ended') left -= 1;
      else ahead = result === 'loading' ? ahead - 1 : 0;
      return result === 'ended' ? 'ended' : 'waits';
    };
    for (const queue of job.queues) this.#endReady(job, queue, end);
    const { queues } = this.#parts.store;
    // What a deleted queue still holds in other ways comes to this sooner or later.
    if (job.what === 'delete' && job.delayed.length === 0)
      job.delayed = job.queues.flatMap((queue) => [...queues.delayedIn(queue), ...queues.heldIn(queue)]);
    this.#endDelayed(job, end);
    if (job.flying === 0 && !this.#hasMore(job)) this.#finish(job);
  }

  #endReady(job: Job, queue: Queue, end: (slot: number) => 'ended' | 'waits'): void {
    const { index } = this.#parts.store.ring;
    for (const list of queue.ready) {
      let waiting = 0;
      for (let slot = list.head; slot !== NO_SLOT && index.rank(slot) <= job.idMax && waiting < CLEARING_AHEAD_MAX; ) {
        const next = list.next(slot);
        if (end(slot) === 'waits') waiting += 1;
        slot = next;
      }
    }
  }

  #endDelayed(job: Job, end: (slot: number) => 'ended' | 'waits'): void {
    const { ring, queues } = this.#parts.store;
    const waiting: number[] = [];
    let at = 0;
    for (; at < job.delayed.length && waiting.length < CLEARING_AHEAD_MAX; at++) {
      const id = job.delayed[at] ?? 0;
      const slot = ring.index.find(id);
      // Its time may have come since: then it was ready, and is whose it is now.
      const isThere = slot !== NO_SLOT && (ring.index.isListed(slot) || queues.isDelayed(slot) || queues.isHeld(id));
      if (isThere && job.queues.includes(queues.of(slot)) && end(slot) === 'waits') waiting.push(id);
    }
    job.delayed = at === 0 ? job.delayed : [...waiting, ...job.delayed.slice(at)];
  }

  /** Ends one message, with all that belongs to it, or, where that has no room, with its account alone. */
  #end(job: Job, slot: number): 'ended' | 'loading' | 'full' {
    const { store, endings } = this.#parts;
    const { ring, queues } = store;
    const cause = CAUSES[job.what];
    try {
      const planned = endings.plan(slot, cause);
      if (planned === 'loading') return 'loading';
      this.#commit(job, { puts: planned.puts, acks: planned.acks, metas: planned.changes });
      planned.settle();
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      if (error.code === 'BUSY' && ring.pendingCount > 0) return 'full';
      const account = store.planLosses([lossAt(ring.index, slot, cause.class)]);
      this.#commit(job, { acks: [{ id: ring.index.id(slot), reason: 'purged' }], metas: account.changes });
      account.settle();
    }
    queues.end(slot);
    return 'ended';
  }

  #commit(job: Job, batch: Parameters<DeskParts['store']['commit']>[0]): void {
    this.#parts.store.commit(batch, (outcome) => {
      job.flying -= 1;
      if (outcome === 'durable') job.count += 1;
      else this.#fail(job, outcome);
    });
    job.flying += 1;
  }

  #fail(job: Job, outcome: Outcome): void {
    if (job.state === 'over') return;
    job.state = 'over';
    if (job.token === undefined) return;
    const { shell, store } = this.#parts;
    shell.answer(job.token, outcomeResult(store.ring, outcome, { kind: 'done' }));
  }

  /** True while something of it is to be ended. */
  #hasMore(job: Job): boolean {
    if (job.what === 'delete') return job.queues.some((queue) => messageCount(queue) + queue.endingCount > 0);
    const { index } = this.#parts.store.ring;
    const isEmpty = job.queues.every(({ ready }) => ready.every(({ head }) => head === NO_SLOT || index.rank(head) > job.idMax));
    return job.delayed.length > 0 || !isEmpty;
  }

  #finish(job: Job): void {
    if (job.state !== 'ending') return;
    const { shell } = this.#parts;
    switch (job.what) {
      case 'purge':
        job.state = 'over';
        if (job.token !== undefined) shell.answer(job.token, { kind: 'purged', count: job.count });
        return;
      case 'delete':
        return this.#forget(job);
      default:
        return unreachable(job.what);
    }
  }

  #forget(job: Job): void {
    const { shell, store } = this.#parts;
    try {
      store.commit({ metas: queuesGone(store.queues, job.queues), room: 'overdraft' }, (outcome) => {
        if (outcome !== 'durable') return this.#fail(job, outcome);
        job.state = 'over';
        for (const queue of job.queues) store.queues.forget(queue);
        if (job.token !== undefined) shell.answer(job.token, { kind: 'done' });
      });
      job.state = 'going';
    } catch (error) {
      // META is full to the last byte: tried again with the next step, until something else has ended.
      if (!hasCode(error, 'QUEUE_FULL')) throw error;
    }
  }
}

const CAUSES = {
  purge: { class: 'Q_PURGED', reason: 'its queue was purged' },
  delete: { class: 'Q_DELETED', reason: 'its queue was deleted' },
} as const;
