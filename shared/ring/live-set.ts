/**
 * What a ring holds: the index of its messages, its META values, and which frames of the log are still needed for them.
 * A frame acts in two steps. `plan`, when it is encoded: what it replaces dies where it was. `settle`, when it is durable: what it
 * brought is found there. Recovery does both at once.
 */
import { type DirectoryEntry, PUT_BYTES, type PutEntry } from './entry-layout.ts';
import type { Frame } from './frame-layout.ts';
import { LiveLog } from './live-log.ts';
import { MessageIndex, NO_SLOT } from './message-index.ts';
import { MetaTable } from './meta-table.ts';

export class LiveSet {
  readonly index = new MessageIndex();
  readonly metas = new MetaTable();
  readonly log: LiveLog;
  #messageBytes = 0;

  constructor(blockCount: number, startLsn: number) {
    this.log = new LiveLog(blockCount, startLsn);
  }

  /** Live bytes of messages and META as a densely packed log would hold them. */
  get bytes(): number {
    return this.#messageBytes + this.metas.bytes;
  }

  /** Liveness as it will be once the frame at `lsn` is durable. Acknowledged messages leave the index now. */
  plan(entries: readonly DirectoryEntry[], lsn: number): void {
    for (const entry of entries) {
      switch (entry.kind) {
        case 'put': {
          const slot = this.index.find(entry.id);
          if (slot !== NO_SLOT) this.log.lose(this.index.lsn[slot] ?? 0);
          this.log.gain(lsn);
          break;
        }
        case 'ack':
          for (let id = entry.id; id < entry.id + entry.count; id++) this.#forget(id);
          break;
        case 'state': {
          const slot = this.index.find(entry.id);
          if (slot !== NO_SLOT) this.index.deliveryCount[slot] = entry.deliveryCount;
          break;
        }
        case 'meta': {
          const old = this.metas.lsnOf(entry.key);
          if (old !== undefined) this.log.lose(old);
          this.metas.set(entry.key, entry.value, lsn);
          if (entry.value !== undefined) this.log.gain(lsn);
          break;
        }
      }
    }
  }

  /** The frame at `lsn` is durable. Returns the slots of its puts, in order. */
  settle(entries: readonly DirectoryEntry[], lsn: number): number[] {
    const slots: number[] = [];
    for (const entry of entries) {
      if (entry.kind !== 'put') continue;
      let slot = this.index.find(entry.id);
      if (slot === NO_SLOT) {
        slot = this.index.insert(entry.id);
        this.#messageBytes += PUT_BYTES + entry.bodyBytes;
      }
      this.#place(slot, entry, lsn);
      slots.push(slot);
    }
    return slots;
  }

  /** A frame met in recovery. */
  apply(frame: Frame): void {
    if (frame.lsn > this.log.headLsn) this.log.extend(frame.lsn - this.log.headLsn);
    this.log.extend(frame.blocks);
    this.plan(frame.entries, frame.lsn);
    this.settle(frame.entries, frame.lsn);
  }

  #forget(id: number): void {
    const slot = this.index.find(id);
    if (slot === NO_SLOT) return;
    this.log.lose(this.index.lsn[slot] ?? 0);
    this.#messageBytes -= PUT_BYTES + (this.index.bodyBytes[slot] ?? 0);
    this.index.remove(slot);
  }

  #place(slot: number, entry: PutEntry, lsn: number): void {
    const index = this.index;
    index.lsn[slot] = lsn;
    index.bodyOffset[slot] = entry.bodyOffset;
    index.bodyBytes[slot] = entry.bodyBytes;
    index.bodyCrc[slot] = entry.bodyCrc;
    index.number[slot] = entry.number;
    index.stream[slot] = entry.stream;
    index.queue[slot] = entry.queue;
    index.priority[slot] = entry.priority;
    index.deliveryCount[slot] = entry.deliveryCount;
  }
}
