/**
 * Streams of express messages: their own, under an incarnation of this opening, because their numbers are in memory only and begin at 1
 * again with the next one. A handle is durable only if a clean end writes messages of it down; META `x/<handle>` marks it then, and it
 * goes at the first opening that finds none of them left.
 */
import { toHex } from '../bytes.ts';
import type { Epoch, StreamKey } from '../message/identity.ts';
import type { MessageIndex } from '../ring/message-index.ts';
import type { MetaTable } from '../ring/meta-table.ts';
import { type MetaChange, metaChange, metaDelete, metaValues } from './meta-keys.ts';
import type { StreamTable } from './stream-table.ts';

export class ExpressStreams {
  readonly #handles = new Set<number>();

  /** Those of earlier openings; what forgets the ones without messages. */
  load(metas: MetaTable, streams: StreamTable, index: MessageIndex): MetaChange[] {
    for (const [handle] of metaValues(metas, 'x/')) this.#handles.add(Number(handle));
    if (this.#handles.size === 0) return [];
    const held = new Set<number>();
    for (const slot of index.slots()) held.add(index.stream(slot));
    const changes: MetaChange[] = [];
    for (const handle of this.#handles) {
      if (held.has(handle)) continue;
      this.#handles.delete(handle);
      streams.forget(handle);
      for (const prefix of ['x/', 's/', 'd/']) {
        if (metas.get(`${prefix}${handle}`) !== undefined) changes.push(metaDelete(`${prefix}${handle}`));
      }
    }
    return changes;
  }

  has(handle: number): boolean {
    return this.#handles.has(handle);
  }

  add(handle: number): void {
    this.#handles.add(handle);
  }

  /** What goes along with messages of it that are written down. */
  mark(handle: number): MetaChange {
    return metaChange(`x/${handle}`, true);
  }
}

/** The incarnation under which express messages of an opening are numbered: no two openings have the same. */
export function expressIncarnation({ counter, random }: Epoch): string {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, counter);
  view.setUint32(4, random);
  return toHex(bytes);
}

/** The stream in whose accounts its losses are counted: that of recoverable messages to the same queue. */
export function accountedAs(key: StreamKey, incarnation: string): StreamKey {
  return { origin: key.origin, incarnation, destination: key.destination, priority: key.priority };
}
