/**
 * What a log says that a ring holds, put together from its frames in order, for who only reads: messages by id and META by key.
 * Unlike the live set of an open ring it does not count what each frame is still needed for, so frames may be missing.
 */
import { PUT_BYTES } from './entry-layout.ts';
import type { Frame } from './frame-layout.ts';
import { MessageIndex, NO_SLOT } from './message-index.ts';
import { MetaTable } from './meta-table.ts';

/** `messages`: of a frame that is not whole only the messages are taken, never what it ends or replaces. */
export type Share = 'all' | 'messages';

export class Contents {
  readonly index = new MessageIndex();
  readonly metas = new MetaTable();

  /** Frames come in the order of their numbers. */
  apply(frame: Frame, share: Share = 'all'): void {
    const { index } = this;
    for (const entry of frame.entries) {
      if (entry.kind === 'put') {
        const slot = index.find(entry.id);
        if (slot === NO_SLOT) index.insert(entry, frame.lsn);
        else if (share === 'all') index.replace(slot, entry, frame.lsn);
      }
      if (share === 'messages') continue;
      if (entry.kind === 'ack') for (let id = entry.id; id < entry.id + entry.count; id++) this.#forget(id);
      if (entry.kind === 'state') {
        const slot = index.find(entry.id);
        if (slot !== NO_SLOT) index.setState(slot, entry);
      }
      if (entry.kind === 'meta') this.metas.set(entry.key, entry.value, frame.lsn);
    }
  }

  /** Live bytes as a densely packed log would hold them. */
  get bytes(): number {
    let bytes = this.metas.bytes;
    for (const slot of this.index.slots()) bytes += PUT_BYTES + this.index.bodyBytes(slot);
    return bytes;
  }

  get bodyBytesMax(): number {
    let bytes = 0;
    for (const slot of this.index.slots()) bytes = Math.max(bytes, this.index.bodyBytes(slot));
    return bytes;
  }

  /** Ids of all messages, ascending: the order of their arrival. */
  ids(): Float64Array {
    const ids = new Float64Array(this.index.count);
    let at = 0;
    for (const slot of this.index.slots()) ids[at++] = this.index.id(slot);
    return ids.sort();
  }

  /** All is applied: what an opening would find of bodies that nobody shares any more, too. */
  dropIdle(): void {
    for (const id of [...this.index.idle()]) this.#forget(id);
  }

  #forget(id: number): void {
    const slot = this.index.find(id);
    if (slot !== NO_SLOT) this.index.remove(slot);
  }
}
