/**
 * A message moves between a queue and its subqueues: one STATE in the ring says so, and the entry of a subqueue that is new to the
 * ring beside it. Before that frame is durable the message is nowhere to be had, after it is in its place in the other one.
 */

import type { MetaChange } from '../custody/meta-keys.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { subqueueChange } from '../custody/queue-meta.ts';
import { RingmailError } from '../errors.ts';
import { isSystemQueue } from '../message/address.ts';
import type { Queue } from '../queue/queues.ts';
import type { StateChange } from '../ring/batch.ts';
import { MOVE_COUNT_MAX } from '../ring/entry-layout.ts';

/** Part of a batch. Nothing is changed before `settle`, which is for when the batch is planned; `landed` is for when it is durable. */
export interface PlannedMove {
  readonly states: readonly StateChange[];
  readonly changes: readonly MetaChange[];
  readonly settle: () => void;
  readonly landed: () => void;
}

/**
 * For a message that is ready, or under lease: `settle` takes it out of its queue either way; the lease is the caller's to end.
 * @throws ACCESS_MODE_INVALID, QUEUE_NOT_FOUND, BUSY
 */
export function planMove(store: NodeStore, slot: number, to: string): PlannedMove {
  const { queues, ring } = store;
  const from = queues.of(slot);
  const target = targetOf(store, from, to);
  const id = ring.index.id(slot);
  const moveCount = Math.min(ring.index.moveCount(slot) + 1, MOVE_COUNT_MAX);
  const isNew = target.kept === 'ram' && target.parent !== undefined;
  return {
    states: [{ id, queue: target.id, moveCount }],
    changes: isNew && target.parent ? [subqueueChange(target, target.parent)] : [],
    settle: () => {
      target.kept = 'ring';
      queues.moveOut(slot, target);
    },
    landed: () => queues.moveIn(slot, store.queueTimeMs),
  };
}

function targetOf(store: NodeStore, from: Queue, to: string): Queue {
  const whole = from.parent ?? from;
  const target = store.queues.reach(to);
  const refused = (reason: string) => new RingmailError('ACCESS_MODE_INVALID', { queue: to, needed: 'move', reason });
  if (isSystemQueue(whole.name)) throw refused('a system queue has no parts');
  if ((target.parent ?? target) !== whole) throw refused(`not a part of ${whole.name}`);
  if (target === from) throw refused('it is there already');
  return target;
}
