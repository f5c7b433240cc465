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
        case 'state':
          this.setState(entry);
          break;
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

  /** What the next copy of a message will say of it. */
  setState(state: { readonly id: number; readonly deliveryCount: number; readonly notBeforeMs: number }): void {
    const slot = this.index.find(state.id);
    if (slot === NO_SLOT) return;
    this.index.deliveryCount[slot] = state.deliveryCount;
    this.index.notBeforeMs[slot] = state.notBeforeMs;
  }

  /** The put entry that says all of a message as it is now; its body lies where it lay. */
  copyOf(slot: number): PutEntry {
    const { index } = this;
    return {
      kind: 'put',
      copy: true,
      damaged: index.damaged[slot] === 1,
      id: index.id[slot] ?? 0,
      queue: index.queue[slot] ?? 0,
      priority: index.priority[slot] ?? 0,
      deliveryCount: index.deliveryCount[slot] ?? 0,
      stream: index.stream[slot] ?? 0,
      number: index.number[slot] ?? 0,
      epochCounter: index.epochCounter[slot] ?? 0,
      epochRandom: index.epochRandom[slot] ?? 0,
      storedAtMs: index.storedAtMs[slot] ?? 0,
      expiresAtMs: index.expiresAtMs[slot] ?? 0,
      notBeforeMs: index.notBeforeMs[slot] ?? 0,
      bodyBytes: index.bodyBytes[slot] ?? 0,
      bodyCrc: index.bodyCrc[slot] ?? 0,
      bodyOffset: index.bodyOffset[slot] ?? 0,
    };
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
    index.damaged[slot] = entry.damaged ? 1 : 0;
    index.epochCounter[slot] = entry.epochCounter;
    index.epochRandom[slot] = entry.epochRandom;
    index.storedAtMs[slot] = entry.storedAtMs;
    index.expiresAtMs[slot] = entry.expiresAtMs;
    index.notBeforeMs[slot] = entry.notBeforeMs;
  }
}
