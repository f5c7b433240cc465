/**
 * A ring as custody and the link see one, without its file: what is durable is an image, a frame is one step from an image to the
 * next, and a power cut finds the image before the frame in flight or the one after it. What the real ring does with blocks and
 * sectors so that this holds is explored elsewhere (shared/ring/crash-points.test.ts, `npm run torture`).
 *
 *   append ──▶ pending ──begin──▶ in flight ──flush──▶ durable: callbacks
 *                                    └── power cut: lost | kept (nobody is told)
 *
 * As in the real ring, one frame is in flight, what is pending rides the next one, acknowledged messages leave the index and META
 * values are the new ones as soon as a frame begins, and new messages stand in the index when it is durable.
 */
import { invariant } from '../../shared/assert.ts';
import { RingmailError } from '../../shared/errors.ts';
import type { Batch, NewMessage, WhenDurable } from '../../shared/ring/batch.ts';
import { PUT_BYTES, type PutEntry } from '../../shared/ring/entry-layout.ts';
import { bodyBytesMaxOf, geometryFor, liveBytesMaxOf } from '../../shared/ring/geometry.ts';
import { MessageIndex, NO_SLOT } from '../../shared/ring/message-index.ts';
import { MetaTable } from '../../shared/ring/meta-table.ts';
import type { Ring } from '../../shared/ring/ring.ts';
import { Fingerprint } from './fingerprint.ts';

/** What survives a power cut. Never changed once made. */
export class Image {
  readonly openings: number;
  readonly nextId: number;
  readonly metas: ReadonlyMap<string, Uint8Array>;
  readonly messages: readonly Stored[];
  #print = '';

  constructor(content: Pick<Image, 'openings' | 'nextId' | 'metas' | 'messages'>) {
    this.openings = content.openings;
    this.nextId = content.nextId;
    this.metas = content.metas;
    this.messages = content.messages;
  }

  /** Stands for all of it. */
  get print(): string {
    if (this.#print !== '') return this.#print;
    const print = new Fingerprint().number(this.openings).number(this.nextId);
    for (const [key, value] of this.metas) print.text(key).bytes(value);
    for (const { id, message } of this.messages) print.number(id).value(message);
    this.#print = print.hex;
    return this.#print;
  }
}

export interface Stored {
  readonly id: number;
  readonly message: NewMessage;
}

interface Pending {
  readonly batch: Batch;
  readonly dueMs: number;
  readonly done: WhenDurable;
}

const GEOMETRY = geometryFor(388 * 4096);

export const BLANK: Image = new Image({ openings: 0, nextId: 1, metas: new Map(), messages: [] });

export class MemoryRing {
  state: 'serving' | 'stopped' = 'serving';
  framesWritten = 0;
  readonly epoch: { readonly counter: number; readonly random: number };
  readonly geometry = GEOMETRY;
  readonly index = new MessageIndex();
  readonly metas = new MetaTable();
  readonly bodyBytesMax = bodyBytesMaxOf(GEOMETRY);
  readonly messageBytesMax = liveBytesMaxOf(GEOMETRY);
  readonly canFetch = true;
  durable: Image;
  readonly #bodies = new Map<number, Uint8Array>();
  #pending: Pending[] = [];
  #inFlight: readonly Pending[] = [];
  #after: Image | undefined;
  #putBytes = 0;
  #flushes: 'honest' | 'lying' = 'honest';

  /** Opens an image: with the next epoch, which is durable at once. */
  constructor(image: Image, epochRandom: number) {
    this.epoch = { counter: image.openings + 1, random: epochRandom };
    this.durable = new Image({ ...image, openings: image.openings + 1 });
    for (const [key, value] of image.metas) this.metas.set(key, value, 1);
    for (const { id, message } of image.messages) this.#insert(id, message);
  }

  /** The same, to whoever takes nothing but a ring: private fields keep a class from being one by its shape. */
  get asRing(): Ring {
    return this as unknown as Ring;
  }

  /** What a power cut would find if the frame in flight came through. */
  get durableIfKept(): Image {
    return this.#after ?? this.durable;
  }

  get isWriting(): boolean {
    return this.#inFlight.length > 0;
  }

  /** When the next frame wants to begin; undefined while one is in flight, or nothing is pending. */
  get dueMs(): number | undefined {
    return this.isDelaying ? Math.min(...this.#pending.map(({ dueMs }) => dueMs)) : undefined;
  }

  /** Something waits for a time that has not come. */
  get isDelaying(): boolean {
    return !this.isWriting && this.#pending.length > 0;
  }

  get bytesUsed(): number {
    return this.#putBytes + this.metas.bytes;
  }

  get bytesMax(): number {
    return this.messageBytesMax;
  }

  get pendingCount(): number {
    return this.#pending.length + this.#inFlight.length;
  }

  get messagesStored(): number {
    return this.durable.nextId - 1;
  }

  queueTime(nowMs: number): number {
    return nowMs;
  }

  hasRoomFor(bodyBytes: number): boolean {
    return this.bytesUsed + PUT_BYTES + bodyBytes <= this.messageBytesMax;
  }

  isCached(slot: number): boolean {
    return this.#bodies.has(this.index.id(slot));
  }

  cachedBody(slot: number): Uint8Array | undefined {
    return this.#bodies.get(this.index.id(slot));
  }

  fetchBody(): void {
    invariant(false, 'every body is in memory');
  }

  append(batch: Batch, when: { nowMs: number; delayMs: number }, done: WhenDurable): void {
    if (this.state !== 'serving') throw new RingmailError('NODE_STOPPED', { reason: 'stopped' });
    this.#pending.push({ batch, dueMs: when.nowMs + when.delayMs, done });
  }

  /** From now on a frame is called durable when it begins; a power cut may still find it lost. */
  lie(): void {
    this.#flushes = 'lying';
  }

  /** Begins a frame with all that is pending if some of it is due. */
  begin(nowMs: number): void {
    if (this.isWriting || !this.#pending.some(({ dueMs }) => dueMs <= nowMs)) return;
    this.#inFlight = this.#pending;
    this.#pending = [];
    this.#after = this.#imageAfter();
    for (const { batch } of this.#inFlight) {
      for (const { id } of batch.acks ?? []) this.#forget(id);
      for (const { key, value } of batch.metas ?? []) this.metas.set(key, value, 1);
    }
    if (this.#flushes === 'lying') this.#settle();
  }

  /** The frame in flight is durable. */
  flush(): void {
    const after = this.#after;
    invariant(after !== undefined, 'a frame is in flight');
    const before = this.durable;
    this.durable = after;
    this.#after = undefined;
    if (this.#flushes === 'honest') this.#settle(before);
    this.#inFlight = [];
  }

  addTo(print: Fingerprint): void {
    print
      .text(this.durable.print)
      .text(this.#after?.print ?? '')
      .text(this.state)
      .word(this.framesWritten);
    for (const [key, value] of this.metas.withPrefix('')) print.text(key).bytes(value);
    for (const list of [this.#inFlight, this.#pending]) {
      print.word(list.length);
      for (const { batch, dueMs } of list) print.number(dueMs).value(batch);
    }
  }

  #settle(before = this.durable): void {
    let id = before.nextId;
    const inFlight = this.#inFlight;
    if (this.#flushes === 'honest') this.#inFlight = [];
    this.framesWritten += 1;
    for (const { batch, done } of inFlight) {
      const slots: number[] = [];
      for (const message of batch.puts ?? []) slots.push(this.#insert(id++, message));
      done('durable', slots);
    }
  }

  #imageAfter(): Image {
    const metas = new Map(this.durable.metas);
    let messages = [...this.durable.messages];
    let { nextId } = this.durable;
    for (const { batch } of this.#inFlight) {
      for (const message of batch.puts ?? []) messages.push({ id: nextId++, message });
      const gone = new Set(batch.acks?.map(({ id }) => id));
      if (gone.size > 0) messages = messages.filter(({ id }) => !gone.has(id));
      for (const { key, value } of batch.metas ?? []) {
        metas.delete(key);
        if (value !== undefined) metas.set(key, value);
      }
    }
    return new Image({ openings: this.durable.openings, nextId, metas, messages });
  }

  #insert(id: number, message: NewMessage): number {
    const { body, holder: _nobody, ...fields } = message;
    const told = { copy: false, damaged: false, storedAtMs: 0, bodyBytes: body.length, bodyCrc: 0, bodyOffset: 0, moveCount: 0 };
    const entry: PutEntry = { kind: 'put', id, ...told, ...fields };
    this.#bodies.set(id, body);
    this.#putBytes += PUT_BYTES + body.length;
    return this.index.insert(entry, 1);
  }

  #forget(id: number): void {
    const slot = this.index.find(id);
    if (slot === NO_SLOT) return;
    this.#putBytes -= PUT_BYTES + this.index.bodyBytes(slot);
    this.#bodies.delete(id);
    this.index.remove(slot);
  }
}
