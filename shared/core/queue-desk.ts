/** Where queues are made, changed, listed, emptied and deleted, and where messages are put aside. */
import { unreachable } from '../assert.ts';
import { queueChange } from '../custody/queue-meta.ts';
import { RingmailError } from '../errors.ts';
import { isQueueName, isSystemQueue, parentName } from '../message/address.ts';
import { withOptions } from '../queue/check-options.ts';
import { QUEUE_DEFAULTS, type QueueOptions } from '../queue/queue-options.ts';
import type { Queue } from '../queue/queues.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import type { Outcome } from '../ring/ring.ts';
import type { Call, CallResult } from './calls.ts';
import { Clearing } from './clearing.ts';
import { type DeskParts, outcomeResult } from './desk-shell.ts';
import { planMove } from './moves.ts';

type QueueCall = Call & { readonly verb: 'createQueue' | 'setQueue' | 'deleteQueue' | 'queues' | 'purge' | 'move' };

/** Who is told that a queue is gone. */
interface Readers {
  /** Who waits for it is told QUEUE_DELETED, and its leases end: their messages are ready again. */
  queueDeleted(queue: Queue): void;
}

export class QueueDesk {
  readonly #parts: DeskParts;
  readonly #readers: Readers;
  readonly #clearing: Clearing;

  constructor(parts: DeskParts, readers: Readers) {
    this.#parts = parts;
    this.#readers = readers;
    this.#clearing = new Clearing(parts);
  }

  /** @throws whatever refuses it; then nothing was changed */
  call(token: number, call: QueueCall): void {
    switch (call.verb) {
      case 'createQueue':
        return this.#create(token, call.queue, call.options);
      case 'setQueue':
        return this.#set(token, call.queue, call.changes);
      case 'deleteQueue':
        return this.#delete(token, this.#named(call.queue, 'nobody deletes a system queue'));
      case 'queues':
        return this.#answer(token, { kind: 'queues', queues: this.#parts.shell.stats().queues });
      case 'purge': {
        const { queues } = this.#parts.store;
        return this.#clearing.purge(token, queues.reach(call.queue));
      }
      case 'move':
        return this.#move(token, call);
      default:
        return unreachable(call);
    }
  }

  /** Goes on with what takes more than one frame. */
  pump(): void {
    this.#clearing.pump();
  }

  get wakeAtMs(): number | undefined {
    return undefined;
  }

  #create(token: number, name: string, said: Partial<QueueOptions>): void {
    const { store, intake } = this.#parts;
    checkKind(name, 'nobody makes a system queue');
    if (!isQueueName(name)) throw new RingmailError('NAME_INVALID', { name, reason: 'queue: [a-z0-9][a-z0-9_-]{0,62}' });
    if (store.queues.find(name) !== undefined) throw new RingmailError('QUEUE_EXISTS', { queue: name });
    const options = withOptions(name, { ...QUEUE_DEFAULTS, bytesLimit: intake.queueBytesLimit }, said);
    this.#define(token, name, { ...options, source: 'call' });
  }

  #set(token: number, name: string, said: Partial<QueueOptions>): void {
    checkKind(name);
    const { options: before, source } = this.#parts.store.queues.get(name);
    const options = withOptions(name, before, said);
    if (options.ordering !== before.ordering)
      throw new RingmailError('PROPERTY_INVALID', { property: 'ordering', reason: `it is ${before.ordering}, for ever` });
    // A configured queue is the configuration's again when the node starts.
    this.#define(token, name, { ...options, source: source === 'config' ? 'config' : 'call' });
  }

  #define(token: number, name: string, definition: QueueOptions & { readonly source: 'config' | 'call' }): void {
    const { store } = this.#parts;
    const others = [...store.queues].filter((queue) => queue.parent === undefined && queue.name !== name);
    if (definition.bytesReserved > 0 || others.some(({ options }) => options.bytesReserved > 0))
      store.room.checkReserves([...others.map(({ options }) => options), definition]);
    store.defineQueue(name, definition, (outcome) => this.#done(token, outcome));
  }

  /** The mark rides a frame before all that follows from it; so nothing here waits for it. */
  #delete(token: number, queue: Queue): void {
    const { store } = this.#parts;
    const marks = store.queues.idsOf(queue).map((id) => queueChange({ ...queue, options: queue.options, id }, 'deleting'));
    store.commit({ metas: [...marks, ...this.#parts.repeats.forget(queue.name)], room: 'overdraft' }, () => {});
    store.queues.unname(queue);
    for (const one of [queue, ...queue.subqueues.values()]) this.#readers.queueDeleted(one);
    this.#clearing.delete(token, queue);
  }

  #move(token: number, { queue: name, lookupId, to, handle }: Call & { readonly verb: 'move' }): void {
    const { store, handles } = this.#parts;
    const { queues, ring } = store;
    const queue = queues.reach(name);
    handles.check(name, 'receive', handle);
    const slot = ring.index.find(lookupId);
    const isReady = slot !== NO_SLOT && ring.index.isListed(slot) && ring.index.queue(slot) !== 0 && queues.of(slot) === queue;
    if (!isReady) throw new RingmailError('MESSAGE_NOT_FOUND', { queue: name, wanted: String(lookupId) });
    const planned = planMove(store, slot, to);
    store.commit({ states: planned.states, metas: planned.changes }, (outcome) => {
      if (outcome === 'durable') planned.landed();
      this.#done(token, outcome);
    });
    planned.settle();
  }

  /** @throws QUEUE_NOT_FOUND, ACCESS_MODE_INVALID */
  #named(name: string, systemReason: string): Queue {
    checkKind(name, systemReason);
    return this.#parts.store.queues.get(name);
  }

  #done(token: number, outcome: Outcome): void {
    this.#answer(token, outcomeResult(this.#parts.store.ring, outcome, { kind: 'done' }));
  }

  #answer(token: number, result: CallResult): void {
    this.#parts.shell.answer(token, result);
  }
}

/** @throws ACCESS_MODE_INVALID for a subqueue, which has no properties of its own, and for a system queue, where that has a reason */
function checkKind(name: string, systemReason?: string): void {
  const isSystem = systemReason !== undefined && isSystemQueue(name);
  const reason = isSystem ? systemReason : 'a subqueue is made, and has its properties, by its queue';
  if (isSystem || parentName(name) !== undefined)
    throw new RingmailError('ACCESS_MODE_INVALID', { queue: name, needed: 'queue', reason });
}
