/** What goes into one frame: the batches it carries, the entries they become, and copies of what is live at the tail. */
import type { Checksum } from '../crc32.ts';
import { type NewMessage, type Pending, pushAck } from './batch.ts';
import { DELIVERY_COUNT_MAX, type DirectoryEntry, type PutEntry } from './entry-layout.ts';
import { frameContentBytes } from './frame-layout.ts';
import type { LiveSet } from './live-set.ts';
import { NO_SLOT } from './message-index.ts';

/** What a message gets from the frame that makes it durable. */
export interface Stamp {
  readonly nextId: () => number;
  readonly queueTimeMs: number;
  readonly checksum: (body: Uint8Array) => ReturnType<Checksum>;
}

export class FrameContent {
  readonly entries: DirectoryEntry[] = [];
  readonly bodies: Uint8Array[] = [];
  readonly batches: Pending[] = [];

  get isEmpty(): boolean {
    return this.entries.length === 0;
  }

  /** In order; of a META key that several set, the last value stands. */
  addBatches(batches: readonly Pending[], live: LiveSet, stamp: Stamp): void {
    const metas = new Map<string, Uint8Array | undefined>();
    for (const pending of batches) {
      this.#addBatch(pending, live, stamp);
      for (const { key, value } of pending.batch.metas ?? []) metas.set(key, value);
    }
    for (const [key, value] of metas) this.entries.push({ kind: 'meta', key, value });
  }

  addCopies(copies: { entries: readonly DirectoryEntry[]; bodies: readonly Uint8Array[] }): void {
    this.entries.push(...copies.entries);
    this.bodies.push(...copies.bodies);
  }

  /** Bodies follow the directory in entry order: gives each put its offset from the frame's first byte. */
  placeBodies(): void {
    let bodyBytes = 0;
    for (const entry of this.entries) if (entry.kind === 'put') bodyBytes += entry.bodyBytes;
    let bodyOffset = frameContentBytes(this.entries) - bodyBytes;
    for (const [i, entry] of this.entries.entries()) {
      if (entry.kind !== 'put') continue;
      this.entries[i] = { ...entry, bodyOffset };
      bodyOffset += entry.bodyBytes;
    }
  }

  #addBatch(pending: Pending, live: LiveSet, stamp: Stamp): void {
    const { batch } = pending;
    this.batches.push(pending);
    for (const put of batch.puts ?? []) {
      this.entries.push(putEntry(put, stamp));
      this.bodies.push(put.body);
    }
    for (const { id, reason } of batch.acks ?? []) pushAck(this.entries, id, reason);
    for (const { id, notBeforeMs, ...rest } of batch.states ?? []) {
      const slot = live.index.find(id);
      if (slot === NO_SLOT) continue;
      const deliveryCount = Math.min(rest.deliveryCount, DELIVERY_COUNT_MAX);
      const where = { queue: live.index.queue(slot), priority: live.index.priority(slot) };
      live.setState({ id, deliveryCount, notBeforeMs }); // now, so that a copy in this very frame carries it (I7)
      this.entries.push({ kind: 'state', id, deliveryCount, notBeforeMs, ...where });
    }
  }
}

function putEntry(put: NewMessage, stamp: Stamp): PutEntry {
  const { queue, priority, stream, number, epochCounter, epochRandom, expiresAtMs, notBeforeMs } = put;
  return {
    kind: 'put',
    id: stamp.nextId(),
    copy: false,
    damaged: false,
    queue,
    priority,
    stream,
    number,
    epochCounter,
    epochRandom,
    deliveryCount: Math.min(put.deliveryCount, DELIVERY_COUNT_MAX),
    expiresAtMs,
    notBeforeMs,
    storedAtMs: stamp.queueTimeMs,
    bodyBytes: put.body.length,
    bodyCrc: stamp.checksum(put.body),
    bodyOffset: 0,
  };
}
