/**
 * What every message does that enters a node, wherever it comes from: it becomes one entry of a batch, and its stream's counter moves
 * in the same frame. Of a stream that ends here the counter also says which epochs gave out its numbers (stream-epochs.ts).
 */
import type { Hop } from '../message/envelope.ts';
import type { Epoch, Identity, StreamKey } from '../message/identity.ts';
import type { Properties } from '../message/message.ts';
import type { Queue } from '../queue/queues.ts';
import type { NewMessage } from '../ring/ring.ts';
import type { Moved } from './at-destination.ts';
import type { Newcomer } from './message-room.ts';
import type { MetaChange } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';
import { counterChange } from './outgoing.ts';
import type { Planned } from './planned.ts';
import { entryTimes, NO_TIMES, passingTimes } from './queue-timers.ts';
import { isAttended } from './words.ts';

/** Where a message goes, who sent it, and what it is. */
export interface Entering {
  readonly handle: number;
  readonly identity: Identity;
  readonly epoch: Epoch;
  readonly queue: Queue | undefined;
  readonly envelope: Uint8Array;
  /** Where its body is another's: the envelope has a stand-in for it. */
  readonly shared?: Shared | undefined;
  readonly properties: Properties;
  readonly hop: Hop;
  /** What a node keeps for people: its timers are over, and nobody is told how it ends. */
  readonly what: Newcomer['what'];
}

/** A body that lies in the ring by itself, for several messages. */
export interface Shared {
  /** `above`: in the same batch, before them. Else its id. */
  readonly holder: 'above' | number;
  /** What the envelopes have in its place. */
  readonly standIn: Uint8Array;
  readonly bodyBytes: number;
  /** Room of the ring for the body: told to the first that shares it. */
  readonly ringBytes: number;
}

/** Bytes of a message in its queue, with all that belongs to it. */
export function wholeBytes({ envelope, shared }: Pick<Entering, 'envelope' | 'shared'>): number {
  return envelope.length + (shared?.bodyBytes ?? 0);
}

/** Its number is given, and nothing of it is stored: it goes on from its queue at once. */
export function passing(
  store: NodeStore,
  { handle, identity, epoch }: Pick<Entering, 'handle' | 'identity' | 'epoch'>,
  changes: readonly MetaChange[],
): Planned {
  const { origin, number } = identity;
  const { change, settle } = store.ends.plan(handle, { number, epoch: origin === store.self.name ? undefined : epoch });
  return { puts: [], acks: [], changes: [...changes, change], settle };
}

/** A message that enters as part of a batch: in its queue, or among what goes out, with its stream's counter behind it. */
export function entering(store: NodeStore, entered: Entering, changes: readonly MetaChange[]): Planned {
  const { handle, identity, epoch, queue } = entered;
  const bytes = wholeBytes(entered);
  const put = putOf(store, entered);
  const isOwn = identity.origin === store.self.name;
  const { number } = identity;
  const counted =
    queue === undefined
      ? countedTo(store, { handle, key: identity }, number + 1)
      : store.ends.plan(handle, { number, epoch: isOwn ? undefined : epoch });
  const settle = () => {
    counted.settle();
    if (queue === undefined) return;
    queue.plannedCount += 1;
    queue.plannedBytes += bytes;
    if (!store.draft.isOpen) return;
    store.draft.note(() => {
      queue.plannedCount -= 1;
      queue.plannedBytes -= bytes;
    });
  };
  return { puts: [put], acks: [], changes: [...changes, counted.change], settle };
}

/** A message as the ring stores it. */
export function putOf({ queueTimeMs }: NodeStore, entered: Entering): NewMessage {
  const { handle, identity, epoch, queue, envelope, properties, hop, what } = entered;
  const isMessage = what === 'message';
  const queueMs = queue?.options.timeToBeReceivedMs ?? 0;
  const { elapsedMs } = hop;
  const message = queue === undefined ? passingTimes : entryTimes;
  const times = isMessage ? message(properties, { elapsedMs, queueTimeMs, queueMs }) : NO_TIMES;
  return {
    queue: queue?.id ?? 0,
    priority: identity.priority,
    stream: handle,
    number: identity.number,
    epochCounter: epoch.counter,
    epochRandom: epoch.random,
    deliveryCount: 0,
    attended: isMessage && isAttended(properties, queue === undefined ? 'on its way' : 'in its queue') ? true : undefined,
    expiresAtMs: times.expiresAtMs,
    notBeforeMs: times.notBeforeMs,
    holder: entered.shared?.holder,
    body: envelope,
  };
}

/** The counter of a stream that leaves here at `next`: what to store, and how to move it once that is planned. */
export function countedTo(store: NodeStore, { handle, key }: { handle: number; key: StreamKey }, next: number): Moved {
  const { outgoing, draft } = store;
  const stream = outgoing.open(handle, key);
  const settle = (): void => {
    const before = stream.next;
    draft.note(() => {
      stream.next = before;
    });
    stream.next = next;
  };
  return { change: counterChange({ handle, lo: stream.lo, next }), settle };
}

/** The number its next message has, planned ones counted. `endsHere`: its destination is a queue of this node. */
export function nextNumber(
  { ends, outgoing }: NodeStore,
  { handle, key, endsHere }: { handle: number; key: StreamKey; endsHere: boolean },
): number {
  return endsHere ? ends.next(handle) : outgoing.open(handle, key).next;
}
