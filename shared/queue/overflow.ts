/**
 * Which messages make room for a newcomer in their own queue. Only ready ones: what is under lease is somebody's, what is delayed was
 * promised for later, and what is held nobody has seen. Nothing is touched here: who asks plans their end in the batch that stores the newcomer, so nothing old is lost
 * unless the new one is durable.
 */
import { FreedBytes } from '../ring/freed-bytes.ts';
import { type MessageIndex, NO_SLOT } from '../ring/message-index.ts';
import type { Queue } from './queues.ts';

export interface Wanted {
  /** Bytes of bodies that must go from the queue. */
  readonly queueBytes: number;
  /** Bytes that must go from the ring: bodies and their entries. */
  readonly ringBytes: number;
  /** Nothing more urgent than this goes. */
  readonly priorityMax: number;
}

/** `oldest`: in order of arrival. `least-urgent`: by priority, the oldest first within one. */
export type VictimOrder = 'oldest' | 'least-urgent';

/** Slots that go, or undefined when all that may go is not enough. */
export function chooseVictims(queue: Queue, index: MessageIndex, order: VictimOrder, wanted: Wanted): number[] | undefined {
  const victims: number[] = [];
  let { queueBytes, ringBytes } = wanted;
  const freed = new FreedBytes(index);
  const slots = order === 'oldest' ? byAge(queue, index) : byUrgency(queue, wanted.priorityMax);
  while (queueBytes > 0 || ringBytes > 0) {
    const { value: slot, done } = slots.next();
    if (done) return undefined;
    victims.push(slot);
    queueBytes -= index.wholeBytes(slot);
    ringBytes -= freed.with(slot);
  }
  return victims;
}

function* byUrgency(queue: Queue, priorityMax: number): Generator<number, undefined> {
  for (const list of queue.ready.slice(0, priorityMax + 1)) {
    for (let slot = list.head; slot !== NO_SLOT; slot = list.next(slot)) yield slot;
  }
  return undefined;
}

/** The lists are in order of arrival each: the oldest of their heads is next. */
function* byAge(queue: Queue, index: MessageIndex): Generator<number, undefined> {
  const heads = queue.ready.map((list) => list.head);
  for (;;) {
    let oldest = -1;
    for (const [priority, slot] of heads.entries()) {
      const best = heads[oldest] ?? NO_SLOT;
      if (slot !== NO_SLOT && (best === NO_SLOT || index.rank(slot) < index.rank(best))) oldest = priority;
    }
    const slot = heads[oldest];
    if (slot === undefined) return undefined;
    yield slot;
    heads[oldest] = index.next(slot);
  }
}
