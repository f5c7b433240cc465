/**
 * What a ring holds: the index of its messages, its META values, and which frames of the log are still needed for them.
 * A frame acts in two steps. `plan`, when it is encoded: what it replaces dies where it was. `settle`, when it is durable: what it
 * brought is found there. Recovery does both at once.
 */
import { type DirectoryEntry, PUT_BYTES, type PutEntry } from './entry-layout.ts';
import type { Frame } from './frame-layout.ts';
import { LiveLog } from './live-log.ts';
import { MessageIndex, type MessageState, NO_SLOT } from './message-index.ts';
import { MetaTable } from './meta-table.ts';

export class LiveSet {
  readonly index = new MessageIndex();
  readonly metas = new MetaTable();
  readonly log: LiveLog;
  displacedCount = 0;
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
          const slot = this.#find(entry);
          if (slot !== NO_SLOT) this.log.lose(this.index.lsn(slot));
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
  setState(state: MessageState & { readonly id: number }): void {
    const slot = this.index.find(state.id);
    if (slot !== NO_SLOT) this.index.setState(slot, state);
  }

  /** The frame at `lsn` is durable. Returns the slots of its puts, in order. */
  settle(entries: readonly DirectoryEntry[], lsn: number): number[] {
    const slots: number[] = [];
    for (const entry of entries) {
      if (entry.kind !== 'put') continue;
      let slot = this.#find(entry);
      if (slot === NO_SLOT) {
        slot = this.index.insert(entry, lsn);
        this.#messageBytes += PUT_BYTES + entry.bodyBytes;
      } else {
        this.index.replace(slot, entry, lsn);
      }
      slots.push(slot);
    }
    return slots;
  }

  /**
   * A frame met in recovery. On a medium that lied an id may have been given twice (I10): the later message has it, the earlier is
   * lost, and counted in `displacedCount`.
   */
  apply(frame: Frame): void {
    for (const entry of frame.entries) {
      if (entry.kind !== 'put' || entry.copy || this.index.find(entry.id) === NO_SLOT) continue;
      this.#forget(entry.id);
      this.displacedCount += 1;
    }
    if (frame.lsn > this.log.headLsn) this.log.extend(frame.lsn - this.log.headLsn);
    this.log.extend(frame.blocks);
    this.plan(frame.entries, frame.lsn);
    this.settle(frame.entries, frame.lsn);
  }

  /** All is applied: bodies whose last place damage took, or the frame that would have ended them with it, are nobody's. */
  dropIdle(): void {
    for (const id of [...this.index.idle()]) this.#forget(id);
  }

  /** Only what is said again was ever said before: an id is given once (I10). */
  #find(entry: PutEntry): number {
    return entry.copy ? this.index.find(entry.id) : NO_SLOT;
  }

  #forget(id: number): void {
    const slot = this.index.find(id);
    if (slot === NO_SLOT) return;
    this.log.lose(this.index.lsn(slot));
    this.#messageBytes -= PUT_BYTES + this.index.bodyBytes(slot);
    this.index.remove(slot);
  }
}
