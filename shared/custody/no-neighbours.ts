/**
 * In the place of what a store keeps because there are other nodes (store-parts.ts): of a node that neither hands over nor takes. What a
 * node among others left in the ring it neither loses nor changes, and the next such node goes on with it:
 *
 *   messages for others, and their gaps    stay where they are, in nobody's list; they take their room
 *   what lies above holes                  is not seen: its holes are filled, or closed, by a node that has neighbours
 *   ways, cursors, tickets, words          are META, and stay as they are
 */
import { InvariantViolation } from '../assert.ts';
import type { CborInput, CborValue } from '../message/cbor.ts';
import type { Like } from '../part.ts';
import type { Moved } from './at-destination.ts';
import type { Hops } from './hops.ts';
import { metaChange, metaValues } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';
import type { NodeWords } from './node-words.ts';
import type { Outgoing } from './outgoing.ts';
import type { PassedOver } from './passed-over.ts';
import type { StoreParts } from './store-parts.ts';
import type { StreamEnds } from './stream-ends.ts';

/** For what only those call who know of neighbours. */
function never(): never {
  throw new InvariantViolation('there are no neighbours');
}

class NoOutgoing implements Like<Outgoing> {
  readonly count = 0;
  readonly open = never;
  readonly waits = never;

  get timed(): never {
    return never();
  }

  load(): void {}

  /** It stays where it is. */
  place(): void {}

  find(): undefined {}

  [Symbol.iterator](): IterableIterator<never> {
    return [].values();
  }
}

class NoHops implements Like<Hops> {
  readonly belowCountMax = 0;
  readonly changeCount = 0;
  readonly wakeAtMs = undefined;
  readonly notice = never;
  readonly state = never;
  readonly meet = never;

  get directory(): never {
    return never();
  }

  load(): void {}

  configure(): void {}

  isBelow(): boolean {
    return false;
  }

  isTurnedAway(): boolean {
    return false;
  }

  leadsTo(): boolean {
    return false;
  }

  of(): undefined {}

  upTo(): undefined {}

  pump(): void {}
}

class NoPassedOver implements Like<PassedOver> {
  readonly plan = never;

  load(): void {}

  of(): [] {
    return [];
  }
}

class NoWords implements Like<NodeWords> {
  readonly counts = { heard: 0, unknown: 0, malformed: 0 };
  readonly on = never;
  readonly onPassing = never;
  readonly heard = never;
  readonly passing = never;
}

/** Streams of this node to itself, which only grow. What is noted of them, and of those that came from others, stays as it is. */
class OwnEnds implements Like<StreamEnds> {
  readonly #store: NodeStore;
  /** As META `d/<handle>` has it (destinations.ts). */
  readonly #fields = new Map<number, readonly CborValue[]>();

  constructor(store: NodeStore) {
    this.#store = store;
  }

  get destinations(): never {
    return never();
  }

  get aboveHoles(): never {
    return never();
  }

  load(): void {
    const { streams, ring } = this.#store;
    for (const [handle, value] of metaValues(ring.metas, 'd/')) {
      if (!streams.has(Number(handle))) continue;
      const standing = streams.standing(Number(handle));
      const fields = Array.isArray(value) ? value : [value];
      const before = this.#fields.get(standing);
      if (before === undefined || nextOf(before) < nextOf(fields)) this.#fields.set(standing, fields);
    }
  }

  found(): void {}

  next(handle: number): number {
    return nextOf(this.#fields.get(handle));
  }

  plan(handle: number, { number }: { readonly number: number }): Moved {
    const before = this.#fields.get(handle);
    const after = [number + 1, ...(before ?? []).slice(1)];
    const settle = (): void => {
      this.#store.draft.note(() => (before === undefined ? this.#fields.delete(handle) : this.#fields.set(handle, before)));
      this.#fields.set(handle, after);
    };
    return { change: metaChange(`d/${handle}`, after.length === 1 ? number + 1 : (after as CborInput[])), settle };
  }

  place(slot: number): void {
    const { queues, queueTimeMs, streams, ring } = this.#store;
    const fields = this.#fields.get(streams.standing(ring.index.stream(slot)));
    if (ring.index.number(slot) < firstHoleOf(fields)) queues.enqueue(slot, queueTimeMs);
  }

  stored(): [] {
    return [];
  }

  release(): void {}
}

function nextOf(fields: readonly CborValue[] = []): number {
  const [next] = fields;
  return typeof next === 'number' ? next : 1;
}

/** The first of the two arrays has the holes, two numbers each, in ascending order. */
function firstHoleOf(fields: readonly CborValue[] = []): number {
  const holes = fields.find((field) => Array.isArray(field));
  const [first] = Array.isArray(holes) ? holes : [];
  return typeof first === 'number' ? first : Number.POSITIVE_INFINITY;
}

export const NO_NEIGHBOURS: StoreParts = {
  Outgoing: NoOutgoing,
  Hops: NoHops,
  StreamEnds: OwnEnds,
  PassedOver: NoPassedOver,
  NodeWords: NoWords,
  mendOutgoing: () => {},
};
