/** Streams this ring knows, each with a handle of four bytes that entries and META keys use instead of its name. */
import { invariant } from '../assert.ts';
import { fromHex, toHex } from '../bytes.ts';
import { STREAM_COUNT_MAX } from '../limits.ts';
import { type StreamKey, streamText } from '../message/identity.ts';
import type { MetaTable } from '../ring/meta-table.ts';
import { type MetaChange, MetaFields, metaChange, metaValues } from './meta-keys.ts';

export class StreamTable {
  readonly #keys = new Map<number, StreamKey>();
  readonly #handles = new Map<string, number>();
  /** By the object that was asked with: those of a session are asked with for every message. */
  readonly #known = new WeakMap<StreamKey, number>();
  /** Opened, but the frame that says so is not durable yet. */
  readonly #planned = new Map<number, MetaChange>();
  #nextHandle = 1;

  load(metas: MetaTable): void {
    for (const [handle, value] of metaValues(metas, 's/')) {
      const fields = new MetaFields(value);
      const incarnation = toHex(fields.bytes(1));
      this.#enter(Number(handle), {
        origin: fields.text(0),
        incarnation,
        destination: fields.text(2),
        priority: fields.number(3),
      });
    }
  }

  key(handle: number): StreamKey {
    const key = this.#keys.get(handle);
    invariant(key !== undefined, `stream ${handle} is known`);
    return key;
  }

  /**
   * The handle that stands for its stream: of two of one stream the newer. Damage may bring an older one back, with messages of it; what
   * lies under it goes on under the other.
   */
  standing(handle: number): number {
    return this.#handles.get(streamText(this.key(handle))) ?? handle;
  }

  has(handle: number): boolean {
    return this.#keys.has(handle);
  }

  find(key: StreamKey): number | undefined {
    const known = this.#known.get(key);
    if (known !== undefined && this.#keys.has(known)) return known;
    const handle = this.#handles.get(streamText(key));
    if (handle !== undefined) this.#known.set(key, handle);
    return handle;
  }

  /** The handle of a stream, and what must be stored with its first message while it is new. Undefined at the limit. */
  open(key: StreamKey): { handle: number; changes: MetaChange[] } | undefined {
    const known = this.find(key);
    if (known !== undefined) {
      const planned = this.#planned.get(known);
      return { handle: known, changes: planned === undefined ? [] : [planned] };
    }
    if (this.#keys.size >= STREAM_COUNT_MAX) return undefined;
    const handle = this.#nextHandle;
    const incarnation = fromHex(key.incarnation);
    invariant(incarnation !== undefined, 'an incarnation is hex');
    this.#enter(handle, key);
    const change = metaChange(`s/${handle}`, [key.origin, incarnation, key.destination, key.priority]);
    this.#planned.set(handle, change);
    return { handle, changes: [change] };
  }

  /** No stream waits for the frame with its definition. */
  get isAllStored(): boolean {
    return this.#planned.size === 0;
  }

  /** A frame with the stream's definition is durable. */
  stored(handle: number): void {
    this.#planned.delete(handle);
  }

  /** Nothing is left of it, and nothing will come. */
  forget(handle: number): void {
    const key = this.#keys.get(handle);
    if (key === undefined) return;
    this.#keys.delete(handle);
    if (this.#handles.get(streamText(key)) === handle) this.#handles.delete(streamText(key));
  }

  *[Symbol.iterator](): Generator<[number, StreamKey]> {
    yield* this.#keys;
  }

  #enter(handle: number, key: StreamKey): void {
    this.#keys.set(handle, key);
    const text = streamText(key);
    this.#handles.set(text, Math.max(handle, this.#handles.get(text) ?? handle));
    this.#nextHandle = Math.max(this.#nextHandle, handle + 1);
  }
}
