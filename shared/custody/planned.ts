/** A message as part of a batch, and with it the end of those whose place it takes. */
import { RingmailError } from '../errors.ts';
import type { Queue } from '../queue/queues.ts';
import { type Batch, batchBytes } from '../ring/batch.ts';
import { type AckReason, metaBytes } from '../ring/entry-layout.ts';
import { contentBytesMaxOf } from '../ring/geometry.ts';
import type { MetaTable } from '../ring/meta-table.ts';
import type { NewMessage, Ring } from '../ring/ring.ts';
import { lossAt } from './accounts.ts';
import { type Newcomer, ringBytesOf } from './message-room.ts';
import type { MetaChange } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';

/** Part of a batch. `settle` moves the counters in memory; call it when the batch has been planned. */
export interface Planned {
  readonly puts: readonly NewMessage[];
  readonly acks: readonly { readonly id: number; readonly reason: AckReason }[];
  readonly changes: readonly MetaChange[];
  readonly settle: () => void;
}

export const NOTHING: Planned = { puts: [], acks: [], changes: [], settle: () => {} };

/** Several as one, where none reads a counter that another one moves. */
export function joined(...parts: readonly Planned[]): Planned {
  return {
    puts: parts.flatMap(({ puts }) => puts),
    acks: parts.flatMap(({ acks }) => acks),
    changes: parts.flatMap(({ changes }) => changes),
    settle: () => {
      for (const { settle } of parts) settle();
    },
  };
}

/** Both as one; undefined where the ring takes only the first, or the second is refused by itself. */
export function withBeside(ring: Ring, first: Planned, begin: () => Planned): Planned | undefined {
  try {
    const both = joined(first, begin());
    return ring.admits(batchOf(both)) ? both : undefined;
  } catch (error) {
    if (!(error instanceof RingmailError)) throw error;
    return undefined;
  }
}

export function batchOf({ puts, acks, changes }: Planned): Batch {
  return { puts, acks, metas: changes };
}

/** Lets a message in: what it drops for that ends in the same batch, each in its account. @throws QUEUE_FULL; then nothing is changed */
export function withRoom(store: NodeStore, planned: Planned, queue: Queue | undefined, newcomer: Newcomer): Planned {
  const { ring, room } = store;
  const metaBytes = metaGrowth(ring.metas, planned.changes);
  const slots = room.admit(queue, newcomer, metaBytes);
  // Outside of a draft nobody asks what it took.
  if (slots.length === 0 && !store.draft.isOpen) return planned;
  const takes = (): void => {
    store.draft.takes(ringBytesOf(newcomer) + metaBytes);
    planned.settle();
  };
  if (slots.length === 0) return { puts: planned.puts, acks: planned.acks, changes: planned.changes, settle: takes };
  const { acks, changes: accounts, settle: drop } = givingWay(store, slots);
  const changes = [...planned.changes, ...accounts];
  const bytesLimit = contentBytesMaxOf(ring.geometry);
  const bytesNeeded = batchBytes({ puts: planned.puts, acks, metas: changes });
  // Of victims from very many streams the accounts alone can fill a frame.
  if (bytesNeeded > bytesLimit) {
    throw new RingmailError('QUEUE_FULL', { queue: queue?.name ?? '', bytesLimit, bytesUsed: 0, bytesNeeded });
  }
  const settle = (): void => {
    drop();
    takes();
  };
  return { puts: planned.puts, acks, changes, settle };
}

/** The end of ready messages in the frame of one that takes their place, each in its account. */
export function givingWay(store: NodeStore, slots: readonly number[]): Planned {
  const { ring, room, queues } = store;
  const { index } = ring;
  const acks = slots.map((slot) => ({ id: index.id(slot), reason: 'dropped' as const }));
  const accounts = store.planLosses(slots.map((slot) => lossAt(index, slot, 'DROPPED')));
  const settle = (): void => {
    room.dropped(slots);
    for (const slot of slots) {
      queues.end(slot);
      store.draft.note(() => queues.unend(slot));
    }
    accounts.settle();
  };
  return { puts: [], acks, changes: accounts.changes, settle };
}

/** What the changes add to META; of values that were there already, what they are longer. */
function metaGrowth(metas: MetaTable, changes: readonly MetaChange[]): number {
  let bytes = 0;
  for (const { key, value } of changes) {
    const before = metas.get(key);
    bytes += Math.max(0, metaBytes(key, value) - (before === undefined ? 0 : metaBytes(key, before)));
  }
  return bytes;
}
