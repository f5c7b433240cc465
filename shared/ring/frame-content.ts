/** What goes into one frame: the batches it carries, the entries they become, and copies of what is live at the tail. */
import { invariant } from '../assert.ts';
import type { Checksum } from '../crc32.ts';
import type { NewMessage, Pending } from './batch.ts';
import {
  type AckEntry,
  type AckReason,
  DELIVERY_COUNT_MAX,
  type DirectoryEntry,
  entryBytes,
  MOVE_COUNT_MAX,
  type PutEntry,
} from './entry-layout.ts';
import { FRAME_HEADER_BYTES } from './frame-layout.ts';
import type { LiveSet } from './live-set.ts';
import { type MessageIndex, NO_SLOT } from './message-index.ts';

/** What a message gets from the frame that makes it durable. */
export interface Stamp {
  readonly nextId: () => number;
  readonly queueTimeMs: number;
  readonly checksum: (body: Uint8Array) => ReturnType<Checksum>;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export class FrameContent {
  readonly batches: Pending[] = [];
  readonly bodies: Uint8Array[] = [];
  /** `over-the-tail`: it replaces the first frame of the log and may lie where that lies. */
  place: 'free' | 'over-the-tail' = 'free';
  /** Ours alone: made for this frame, and completed by `placeBodies`. */
  readonly #entries: Writable<DirectoryEntry>[] = [];
  #directoryBytes = 0;
  #bodyBytes = 0;
  /** Places that a holder has left, of those that this frame changes. */
  readonly #placesLeft = new Map<number, number>();
  /** The run of acknowledgements that is still growing. */
  #run: Writable<AckEntry> | undefined;

  get entries(): readonly DirectoryEntry[] {
    return this.#entries;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** Header, directory and bodies, before padding. */
  get bytes(): number {
    return FRAME_HEADER_BYTES + this.#directoryBytes + this.#bodyBytes;
  }

  add(entry: Writable<DirectoryEntry>, body?: Uint8Array): void {
    this.#run = undefined;
    this.#entries.push(entry);
    this.#directoryBytes += entryBytes(entry);
    if (body === undefined) return;
    this.bodies.push(body);
    this.#bodyBytes += body.length;
  }

  /** Acks of contiguous ids become one run: FIFO consumers pay 16 bytes for thousands. */
  addAck(id: number, reason: AckReason): void {
    const run = this.#run;
    if (run === undefined || run.reason !== reason || run.id + run.count !== id) {
      const first = { kind: 'ack' as const, reason, id, count: 1 };
      this.add(first);
      this.#run = first;
      return;
    }
    this.#directoryBytes -= entryBytes(run);
    run.count += 1;
    this.#directoryBytes += entryBytes(run);
  }

  /** In order; of a META key that several set, the last value stands. */
  addBatches(batches: readonly Pending[], live: LiveSet, stamp: Stamp): void {
    const metas = new Map<string, Uint8Array | undefined>();
    for (const pending of batches) {
      this.#addBatch(pending, live, stamp);
      if (pending.batch.metas !== undefined) for (const { key, value } of pending.batch.metas) metas.set(key, value);
    }
    for (const [key, value] of metas) this.add({ kind: 'meta', key, value });
  }

  addCopies(copies: { entries: readonly DirectoryEntry[]; bodies: readonly Uint8Array[] }): void {
    let next = 0;
    for (const entry of copies.entries) this.add(entry, entry.kind === 'put' ? copies.bodies[next++] : undefined);
  }

  /** Bodies follow the directory in entry order: gives each put its offset from the frame's first byte. */
  placeBodies(): void {
    let bodyOffset = FRAME_HEADER_BYTES + this.#directoryBytes;
    for (const entry of this.#entries) {
      if (entry.kind !== 'put') continue;
      entry.bodyOffset = bodyOffset;
      bodyOffset += entry.bodyBytes;
    }
  }

  #addPuts(puts: readonly NewMessage[], index: MessageIndex, stamp: Stamp): void {
    let above = 0;
    for (const put of puts) {
      const entry = putEntry(put, stamp, above);
      if (put.holder === 'itself') above = entry.id;
      else if (entry.holder !== undefined) this.#placesLeft.set(entry.holder, this.#placesOf(entry.holder, index) + 1);
      this.add(entry, put.body);
    }
  }

  #placesOf(holder: number, index: MessageIndex): number {
    return this.#placesLeft.get(holder) ?? index.placesOf(holder);
  }

  /** A message that shared its body has ended: with the last of them the body goes. */
  #endHolder(id: number, index: MessageIndex): void {
    const slot = index.find(id);
    const holder = slot === NO_SLOT ? 0 : index.holder(slot);
    if (holder === 0) return;
    const left = this.#placesOf(holder, index) - 1;
    this.#placesLeft.set(holder, left);
    if (left === 0 && index.find(holder) !== NO_SLOT) this.addAck(holder, 'acknowledged');
  }

  #addBatch(pending: Pending, live: LiveSet, stamp: Stamp): void {
    const { puts, acks, states } = pending.batch;
    this.batches.push(pending);
    const { index } = live;
    if (puts !== undefined) this.#addPuts(puts, index, stamp);
    if (acks !== undefined) {
      for (const { id, reason } of acks) {
        this.addAck(id, reason);
        this.#endHolder(id, index);
      }
    }
    if (states === undefined) return;
    for (const { id, ...change } of states) {
      const slot = index.find(id);
      if (slot === NO_SLOT) continue;
      const state = {
        id,
        queue: change.queue ?? index.queue(slot),
        deliveryCount: Math.min(change.deliveryCount ?? index.deliveryCount(slot), DELIVERY_COUNT_MAX),
        moveCount: Math.min(change.moveCount ?? index.moveCount(slot), MOVE_COUNT_MAX),
        notBeforeMs: change.notBeforeMs ?? index.notBeforeMs(slot),
      };
      live.setState(state); // now, so that a copy in this very frame carries it (I7)
      this.add({ kind: 'state', priority: index.priority(slot), ...state });
    }
  }
}

function putEntry(put: NewMessage, stamp: Stamp, above: number): Writable<PutEntry> {
  invariant(put.holder !== 'above' || above > 0, 'a body that is shared stands before those who share it');
  const id = put.id ?? stamp.nextId();
  return {
    kind: 'put',
    id,
    holder: put.holder === 'itself' ? id : put.holder === 'above' ? above : put.holder,
    copy: false,
    damaged: false,
    attended: put.attended,
    queue: put.queue,
    priority: put.priority,
    stream: put.stream,
    number: put.number,
    epochCounter: put.epochCounter,
    epochRandom: put.epochRandom,
    deliveryCount: Math.min(put.deliveryCount, DELIVERY_COUNT_MAX),
    moveCount: put.moveCount ?? 0,
    expiresAtMs: put.expiresAtMs,
    notBeforeMs: put.notBeforeMs,
    storedAtMs: stamp.queueTimeMs,
    bodyBytes: put.body.length,
    bodyCrc: stamp.checksum(put.body),
    bodyOffset: 0,
  };
}
