/**
 * Streams that end here: which numbers of each are known (destinations.ts, holes.ts), and what lies above their holes. What is planned of
 * them is in `destinations`; what the disk has of their holes, in `aboveHoles`.
 */
import { decodeCbor } from '../message/cbor.ts';
import type { Epoch } from '../message/identity.ts';
import { AboveHoles } from './above-holes.ts';
import { type Moved, planNumber } from './at-destination.ts';
import { type Destination, destinationOf, withHeld } from './destinations.ts';
import { firstHole } from './holes.ts';
import { type MetaChange, metaValues } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';

const NONE: readonly number[] = [];

export class StreamEnds {
  readonly destinations = new Map<number, Destination>();
  readonly aboveHoles: AboveHoles;
  readonly #store: NodeStore;

  constructor(store: NodeStore) {
    this.#store = store;
    this.aboveHoles = new AboveHoles(store.ring.index, store.queues);
  }

  /** After the streams. */
  load(): void {
    const { streams, nowMs, ring } = this.#store;
    for (const [handle, value] of metaValues(ring.metas, 'd/')) {
      if (!streams.has(Number(handle))) continue;
      const standing = streams.standing(Number(handle));
      const before = this.destinations.get(standing);
      const found = destinationOf(value, nowMs);
      if (before === undefined || before.next < found.next) this.destinations.set(standing, found);
    }
  }

  /**
   * What the ring holds as it opens, before it takes its place: what lies above holes is held again, and what lay above those that are
   * filled stands in its place. `slots`: in order of arrival.
   */
  found(slots: readonly number[]): void {
    const { streams, ring } = this.#store;
    const { index } = ring;
    const streamOf = (slot: number) => streams.standing(index.stream(slot));
    for (const [handle, destination] of this.destinations) {
      if (destination.holes.length + destination.closed.length === 0) continue;
      const numbers = slots.filter((slot) => streamOf(slot) === handle).map((slot) => index.number(slot));
      const found = withHeld(destination, numbers);
      this.destinations.set(handle, found);
      if (found.holes.length === 0) continue;
      this.aboveHoles.watch(handle);
      this.aboveHoles.stored(handle, firstHole(found));
    }
    this.aboveHoles.rank(
      slots.filter((slot) => index.queue(slot) !== 0),
      streamOf,
    );
  }

  /** The number that the next message of a stream has which begins here, planned ones counted. */
  next(handle: number): number {
    return this.destinations.get(handle)?.next ?? 1;
  }

  /** A message with this number is stored, or consumed: as `planNumber`. */
  plan(handle: number, message: { readonly number: number; readonly epoch: Epoch | undefined }): Moved {
    return planNumber(this.#store, handle, message);
  }

  /** A durable message of a queue here takes its place: in its queue, unless it lies above a hole. */
  place(slot: number): void {
    const { queues, queueTimeMs, streams, ring } = this.#store;
    if (this.aboveHoles.isIdle) queues.enqueue(slot, queueTimeMs);
    else this.aboveHoles.place(streams.standing(ring.index.stream(slot)), slot, queueTimeMs);
  }

  /**
   * The disk has these. Handles of streams whose holes may be others from now on: for `release`, once the messages of the frame are
   * placed.
   */
  stored(metas: readonly MetaChange[]): readonly number[] {
    if (this.aboveHoles.isIdle) return NONE;
    const moved: number[] = [];
    for (const { key, value } of metas) {
      const handle = key.startsWith('d/') ? Number(key.slice(2)) : 0;
      if (value === undefined || !this.aboveHoles.watches(handle)) continue;
      this.aboveHoles.stored(handle, firstHole(destinationOf(decodeCbor(value), this.#store.nowMs)));
      moved.push(handle);
    }
    return moved;
  }

  release(handles: readonly number[]): void {
    for (const handle of handles) {
      const { holes = [] } = this.destinations.get(handle) ?? {};
      this.aboveHoles.release(handle, this.#store.queueTimeMs, holes.length === 0 ? 'none' : 'holes');
    }
  }
}
