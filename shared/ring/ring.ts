/**
 * The ring: a durable log of messages and META values in one file of fixed size.
 *
 *            opened                 close()            flushed
 *   opening ───────▶ serving ──────────────▶ closing ─────────▶ closed
 *      │ refused        │ write failed, fence broken
 *      └───────────────▶└──────▶ stopped
 *
 * One write is in flight; whatever is appended meanwhile rides the next frame. An append is one indivisible part of one frame, and
 * its callback says `durable` only when that frame is. A failed write stops the ring for good: nothing is retried, what was in
 * flight is in doubt, and the file is opened anew with the next epoch (docs/ring-file.md, "Fail-stop").
 */
import { invariant } from '../assert.ts';
import { RingmailError } from '../errors.ts';
import type { Like, Maker } from '../part.ts';
import { type Batch, batchBytes, type NewMessage, type Pending, PendingBatches, type WhenDurable } from './batch.ts';
import { BodyCache } from './body-cache.ts';
import { ENTRY_BYTES_MIN, PUT_BYTES } from './entry-layout.ts';
import type { Express, ExpressPart } from './express.ts';
import { FileIo, type RingInput, type RingOutput } from './file-io.ts';
import { type FileSteps, readRange, readWhatThereIs } from './file-steps.ts';
import { FrameContent } from './frame-content.ts';
import { FRAME_HEADER_BYTES } from './frame-layout.ts';
import { bodyBytesMaxOf, CLEAN_FACTOR, contentBytesMaxOf, type RingGeometry } from './geometry.ts';
import { LiveSet } from './live-set.ts';
import { LOST_KEY, type Losses, lossesOf, withGaps } from './loss-record.ts';
import { NO_SLOT } from './message-index.ts';
import { type Opened, type OpeningOptions, type OpenReport, openLog } from './opening.ts';
import { copiesBlocksMax, frameShare } from './reserve.ts';
import { Room } from './room.ts';
import { FLAG_CLEAN } from './superblock-layout.ts';

export type { Batch, NewMessage, Outcome, WhenDurable } from './batch.ts';
export { LOST_KEY, type Losses } from './loss-record.ts';
export { EPOCH_KEY, type OpenReport } from './opening.ts';

export type BodyResult = { readonly kind: 'body'; readonly body: Uint8Array } | { readonly kind: 'gone' | 'corrupt' };

/** `epochRandom`: random part of the new epoch, 32 bits. */
export interface RingOptions extends OpeningOptions {
  /** Lets a frame wait for company: spares the card, delays the acknowledgement. */
  readonly commitDelayMs: number;
  readonly cacheBytesMax: number;
  readonly pendingBytesMax: number;
  /** What keeps messages in memory alone, or nothing that does (no-express.ts). */
  readonly Express: Maker<typeof Express>;
}

export type RingState = 'opening' | 'serving' | 'closing' | 'closed' | 'stopped';

/** What there is before the file is read: nothing. */
const NOTHING = new LiveSet(1, 0);
const NO_SLOTS: readonly number[] = [];
const NO_PUTS: readonly NewMessage[] = [];

export class Ring {
  state: RingState = 'opening';
  /** Why the ring is stopped, or why opening was refused. */
  failure: Error | undefined;
  /** Messages whose body failed its checksum: never delivered, counted, left for the salvage tool. */
  corruptCount = 0;
  readonly #options: RingOptions;
  readonly #io = new FileIo();
  readonly #cache: BodyCache;
  readonly #express: Like<Express>;
  readonly #pending = new PendingBatches();
  #opened: (Opened & { room: Room }) | undefined;
  #waitsFor: 'nothing' | 'victims' = 'nothing';
  #inFlight: readonly Pending[] = [];
  #whenClosed: (() => void) | undefined;
  /** As they will be once the record that is on its way is durable. */
  #losses: Losses | undefined;

  constructor(options: RingOptions) {
    this.#options = options;
    this.#express = new options.Express();
    this.#cache = new BodyCache(options.cacheBytesMax);
    this.#run(this.#open(), () => {
      this.state = 'serving';
      this.#recordLosses();
    });
  }

  /** What to do next with the file. Empties the list. */
  takeOutputs(): RingOutput[] {
    return this.#io.takeOutputs();
  }

  input(input: RingInput): void {
    this.#io.input(input);
  }

  get report(): OpenReport {
    return this.#opened?.report ?? { gaps: [], tornBlocks: 0, messages: 0 };
  }

  /** To damage, in the life of the ring. Gaps that the last opening found are counted as soon as the ring serves, and soon durably. */
  get losses(): Losses {
    return this.#losses ?? lossesOf(this.metas.get(LOST_KEY));
  }

  get epoch(): { readonly counter: number; readonly random: number } {
    return this.#opened?.writer.epoch ?? { counter: 0, random: 0 };
  }

  get geometry(): RingGeometry {
    return this.#log.geometry;
  }

  get index() {
    return (this.#opened?.writer.live ?? NOTHING).index;
  }

  get metas() {
    return (this.#opened?.writer.live ?? NOTHING).metas;
  }

  /** Live bytes: what is stored, and what is planned to be. */
  get bytesUsed(): number {
    return this.#room.bytesUsed;
  }

  get bytesMax(): number {
    return this.#room.bytesMax;
  }

  /** `bytesUsed` at which new messages are refused: the rest is kept for META. */
  get messageBytesMax(): number {
    return this.#room.messageBytesMax;
  }

  get bodyBytesMax(): number {
    return bodyBytesMaxOf(this.geometry);
  }

  get pendingCount(): number {
    return this.#pending.count + this.#inFlight.length;
  }

  get framesWritten(): number {
    return this.#opened?.writer.framesWritten ?? 0;
  }

  get blocksWritten(): number {
    return this.#opened?.writer.blocksWritten ?? 0;
  }

  /** Messages ever stored in this ring, whatever became of them. */
  get messagesStored(): number {
    return this.#opened?.writer.idsGiven ?? 0;
  }

  get freeBlocks(): number {
    return this.#log.freeBlocks;
  }

  /** Queue time: monotonic milliseconds, continued across openings. */
  queueTime(nowMs: number): number {
    return this.#log.queueTime(nowMs);
  }

  /**
   * Plans a batch for the next frame, or for one within `delayMs`. Ids are given in order of append. A batch that replaces a message
   * by another one, or ends one, finds room where a new message does not. Acknowledgements and META that does not grow are always taken.
   * @throws MESSAGE_TOO_LARGE, TRANSACTION_TOO_LARGE, QUEUE_FULL (queue ''), BUSY, NODE_STOPPED; then nothing was planned.
   */
  append(batch: Batch, when: { nowMs: number; delayMs: number }, done: WhenDurable): void {
    if (this.state !== 'serving') throw new RingmailError('NODE_STOPPED', { reason: this.failure?.message ?? this.state });
    if (batch.puts !== undefined) for (const { body } of batch.puts) this.#checkBody(body.length);
    const split = this.#express.split(batch);
    const own = split?.rest ?? batch;
    if (split !== undefined && isEmpty(own)) {
      // All of it is about messages in memory: no frame has to say it.
      this.#express.addInstant(split.part, done);
      return this.#express.plan(split.part, this.index);
    }
    const bytes = this.#bytesOf(own);
    const bytesMax = contentBytesMaxOf(this.geometry);
    if (bytes > bytesMax) throw new RingmailError('TRANSACTION_TOO_LARGE', { bytes, bytesMax });
    const pending = { bytes: this.#pending.bytes, bytesMax: this.#options.pendingBytesMax };
    const grows = this.#room.admit(batch, pending);
    if (split !== undefined) this.#express.plan(split.part, this.index);
    const dueMs = when.nowMs + when.delayMs;
    this.#pending.push({
      batch: own,
      bytes,
      grows,
      dueMs,
      done: split === undefined ? done : this.#endingBeside(split.part, done),
    });
  }

  /** What is in memory alone ends with the frame that ends the rest. */
  #endingBeside(part: ExpressPart, done: WhenDurable): WhenDurable {
    return (outcome, slots) => {
      if (outcome === 'durable') this.#express.end(part, this.index);
      done(outcome, slots);
    };
  }

  /** True when `append` would take this batch now. */
  admits(batch: Batch): boolean {
    if (this.state !== 'serving' || this.#bytesOf(batch) > contentBytesMaxOf(this.geometry)) return false;
    try {
      for (const { body } of batch.puts ?? []) this.#checkBody(body.length);
      this.#room.check(batch, { bytes: this.#pending.bytes, bytesMax: this.#options.pendingBytesMax });
      return true;
    } catch (error) {
      if (error instanceof RingmailError) return false;
      throw error;
    }
  }

  /**
   * Takes a message into memory alone; `placed` is called with its slot: from inside this call, or when the frame is durable that is being
   * written with messages. It is never in doubt, and gone when the ring is not closed in order.
   * @throws MESSAGE_TOO_LARGE, QUEUE_FULL (queue ''), NODE_STOPPED; then nothing was planned
   */
  takeExpress(put: NewMessage, placed: (slot: number) => void): void {
    this.checkExpress(put.body.length);
    this.#express.take(put, placed);
    if (!this.#hasPutsInFlight) this.#settleArriving();
  }

  /** @throws as `takeExpress` */
  checkExpress(bodyBytes: number): void {
    if (this.state !== 'serving') throw new RingmailError('NODE_STOPPED', { reason: this.failure?.message ?? this.state });
    this.#checkBody(bodyBytes);
    this.#express.check(bodyBytes);
    if (this.hasRoomFor(bodyBytes)) return;
    const bytesNeeded = PUT_BYTES + bodyBytes;
    throw new RingmailError('QUEUE_FULL', {
      queue: '',
      bytesLimit: this.messageBytesMax,
      bytesUsed: this.bytesUsed,
      bytesNeeded,
    });
  }

  /** Slots of all that are in memory alone, whose end nobody planned. What arrives takes its place first. */
  expressSlots(): number[] {
    this.#settleArriving();
    return [...this.#express.ids()].map((id) => this.index.find(id));
  }

  /** True when a message with a body of this size would be taken now. */
  hasRoomFor(bodyBytes: number): boolean {
    const isFull = this.bytesUsed + PUT_BYTES + bodyBytes > this.messageBytesMax;
    return !isFull && this.#pending.bytes <= this.#options.pendingBytesMax;
  }

  /** When `pump` should next be called; undefined when nothing waits for it, or only an answer of the file can help. */
  get wakeAtMs(): number | undefined {
    if (this.#express.hasInstant) return 0;
    if (this.#io.isBusy || this.#waitsFor === 'victims') return undefined;
    if (this.state === 'closing') return 0;
    return this.state !== 'serving' || this.#pending.count === 0 ? undefined : this.#pending.dueMs + this.#options.commitDelayMs;
  }

  /** Starts the next frame when one is due and nothing is in flight. */
  pump(nowMs: number): void {
    this.#express.settleInstant(this.index);
    const due = this.wakeAtMs;
    if (due === undefined || due > nowMs) return;
    this.queueTime(nowMs);
    if (this.state === 'closing' && this.#pending.count === 0) return this.#finish();
    if (this.#log.anchorIsFar) return this.#run(this.#log.writeAnchor(0), () => {});
    this.#loadVictims();
    const content = this.#assemble();
    if (content === undefined) return;
    this.#inFlight = content.batches;
    const kind = content.batches.length === 0 ? 'copies' : 'data';
    this.#run(this.#log.writeFrame(kind, content), () => this.#settled(content));
  }

  /** Writes what is pending and marks the file CLEAN. `whenClosed` is called once, also when the ring stops first. */
  close(whenClosed: () => void): void {
    if (this.state === 'stopped' || this.state === 'closed') return whenClosed();
    invariant(this.state === 'serving', 'a ring that serves is closed once');
    this.state = 'closing';
    this.#whenClosed = whenClosed;
  }

  /** True when the body is in memory. */
  isCached(slot: number): boolean {
    const id = this.index.id(slot);
    return this.#cache.has(id) || this.#express.body(id) !== undefined;
  }

  /** The body if it is in memory: to keep, and not to change. */
  cachedBody(slot: number): Uint8Array | undefined {
    const id = this.index.id(slot);
    return this.#express.body(id) ?? this.#cache.get(id);
  }

  get canFetch(): boolean {
    return this.#io.canRead;
  }

  /** Reads the body of a message from the file; the answer never comes from inside this call. */
  fetchBody(id: number, then: (result: BodyResult) => void): void {
    invariant(this.index.find(id) !== NO_SLOT, 'only what is in the index is fetched');
    this.#fetch(id, 0, then);
  }

  /** A message moved by cleaning while it was read is simply read again; only damage that stays is called corrupt. */
  #fetch(id: number, attempt: number, then: (result: BodyResult) => void): void {
    const { index } = this;
    const slot = index.find(id);
    if (slot === NO_SLOT) return then({ kind: 'gone' });
    const lsn = index.lsn(slot);
    const at = { lsn, skip: index.bodyOffset(slot), bytes: index.bodyBytes(slot) };
    this.#io.readBeside(readRange(this.geometry, at), (body) => {
      const now = index.find(id);
      if (now === NO_SLOT) return then({ kind: 'gone' });
      const moved = index.lsn(now) !== lsn;
      const isDamaged = index.isDamaged(now);
      if (!moved && !isDamaged && body !== undefined && this.#log.checksum(body) === index.bodyCrc(now)) {
        this.#cache.put(id, body);
        return then({ kind: 'body', body });
      }
      if (this.state === 'stopped' || this.state === 'closed') return then({ kind: 'gone' });
      if (moved || attempt === 0) return this.#fetch(id, moved ? attempt : attempt + 1, then);
      this.corruptCount += 1;
      then({ kind: 'corrupt' });
    });
  }

  /** In a frame, at most: with a message that shares its body that may end, too. */
  #bytesOf(batch: Batch): number {
    const { index } = this;
    let bytes = batchBytes(batch);
    for (const { id } of batch.acks ?? []) {
      const slot = index.find(id);
      if (slot !== NO_SLOT && index.holder(slot) > 0) bytes += ENTRY_BYTES_MIN;
    }
    return bytes;
  }

  #checkBody(bytes: number): void {
    const bytesMax = this.bodyBytesMax;
    if (bytes > bytesMax) throw new RingmailError('MESSAGE_TOO_LARGE', { bytes, bytesMax });
  }

  get #log() {
    invariant(this.#opened !== undefined, 'the ring is open');
    return this.#opened.writer;
  }

  get #room() {
    invariant(this.#opened !== undefined, 'the ring is open');
    return this.#opened.room;
  }

  get #cleaner() {
    invariant(this.#opened !== undefined, 'the ring is open');
    return this.#opened.cleaner;
  }

  #open(): FileSteps<void> {
    return openLog(this.#options, this.#io, (opened) => {
      const { geometry, live } = opened.writer;
      this.#opened = { ...opened, room: new Room(geometry, live, this.#express) };
    });
  }

  /** Before anything else is: what one opening found the next one may not find, since the tail moves on. */
  #recordLosses(): void {
    const value = withGaps(this.metas.get(LOST_KEY), this.report.gaps);
    if (value === undefined) return;
    this.#losses = lossesOf(value);
    const batch = { metas: [{ key: LOST_KEY, value }] };
    const grows = { messages: 0, meta: 0 };
    this.#pending.push({ batch, bytes: batchBytes(batch), grows, dueMs: Number.NEGATIVE_INFINITY, done: () => {} });
  }

  #run(steps: FileSteps<unknown>, whenDone: () => void): void {
    this.#io.run(steps, whenDone, (error) => this.#stop(error));
  }

  #stop(error: Error): void {
    this.state = 'stopped';
    this.failure = error;
    const inFlight = this.#inFlight;
    const pending = this.#pending.takeAll();
    const whenClosed = this.#whenClosed;
    this.#inFlight = [];
    this.#whenClosed = undefined;
    this.#io.stopWriting();
    for (const done of this.#express.takeAll()) done('not-written', []);
    for (const one of inFlight) one.done('in-doubt', []);
    for (const one of pending) one.done('not-written', []);
    whenClosed?.();
  }

  #finish(): void {
    this.#run(this.#log.writeAnchor(FLAG_CLEAN), () => {
      this.state = 'closed';
      const whenClosed = this.#whenClosed;
      this.#whenClosed = undefined;
      whenClosed?.();
    });
  }

  #loadVictims(): void {
    const cleaner = this.#cleaner;
    if (cleaner.need(this.freeBlocks) === 'nothing') return;
    const load = cleaner.nextLoad();
    if (load === undefined) return;
    cleaner.isLoading = true;
    this.#io.readBeside(readWhatThereIs(this.geometry, load.lsn, load.blocks), (bytes) => {
      cleaner.loaded(load, bytes);
      this.#waitsFor = 'nothing';
    });
  }

  /**
   * What goes into the next frame: batches in order, then copies of what is live at the tail; how much of each, reserve.ts says.
   * Undefined while nothing may be written before the blocks at the tail are read.
   */
  #assemble(): FrameContent | undefined {
    const { geometry } = this;
    const { blockBytes, frameBlocksMax } = geometry;
    const cleaner = this.#cleaner;
    const log = this.#log;
    const free = log.freeBlocks;
    const share = frameShare(geometry, free);
    const content = new FrameContent();
    const contentBytesMax = contentBytesMaxOf(geometry);
    const bytesMax = contentBytesMax - (frameBlocksMax - share.blocksMax) * blockBytes;
    const batches = this.#pending.take(share.batches, bytesMax);
    if (batches.length === 0) {
      const room = Math.min(copiesBlocksMax(geometry, free) * blockBytes - FRAME_HEADER_BYTES, contentBytesMax);
      content.addCopies(cleaner.take({ bytes: room, blocks: frameBlocksMax }, content.entries));
      if (content.isEmpty && !cleaner.isLoading && this.report.gaps.length > 0) this.#copyOverTail(content);
      invariant(!content.isEmpty || cleaner.isLoading, 'I8: cleaning finds room for what it copies');
      if (content.isEmpty) this.#waitsFor = 'victims';
      return content.isEmpty ? undefined : content;
    }
    const stamp = {
      nextId: () => log.nextId(),
      queueTimeMs: log.queueTimeMs,
      checksum: (body: Uint8Array) => log.checksum(body),
    };
    content.addBatches(batches, log.live, stamp);
    for (const pending of batches) this.#room.metaTaken(pending);
    this.#addCopies(content, bytesMax + FRAME_HEADER_BYTES);
    return content;
  }

  /**
   * A medium that lied can leave a log so long that nothing fits before its tail. Then the first frame of it is written again at the
   * head, over the place where it lies: not safe against a power cut, but the only way on.
   */
  #copyOverTail(content: FrameContent): void {
    const bytes = this.#cleaner.firstBlocks * this.geometry.blockBytes - FRAME_HEADER_BYTES;
    content.addCopies(this.#cleaner.take({ bytes, blocks: 1 }, content.entries));
    content.place = 'over-the-tail';
  }

  /** Copies of what lives at the tail ride along: as many as cleaning needs, or only what would be padding otherwise. */
  #addCopies(content: FrameContent, bytesMax: number): void {
    const cleaner = this.#cleaner;
    const { blockBytes } = this.geometry;
    const blocks = Math.ceil(content.bytes / blockBytes);
    const need = cleaner.need(this.freeBlocks - blocks);
    const scanned = CLEAN_FACTOR * blocks;
    if (need === 'blocks') content.addCopies(cleaner.take({ bytes: bytesMax - content.bytes, blocks: scanned }, content.entries));
    if (need !== 'padding') return;
    const padding = Math.min(blocks * blockBytes, bytesMax) - content.bytes;
    content.addCopies(cleaner.takeWhatFits({ bytes: padding, blocks: scanned }, content.entries));
  }

  #settled(content: FrameContent): void {
    const log = this.#log;
    for (const { batch } of content.batches)
      for (const { id } of batch.puts ?? NO_PUTS) if (id !== undefined) this.#express.forget(id, this.index);
    const slots = log.live.settle(content.entries, log.lastFrame.lsn);
    this.#inFlight = [];
    let next = 0;
    for (const pending of content.batches) {
      const { batch } = pending;
      this.#room.putsSettled(pending);
      if (batch.puts !== undefined) for (const { body } of batch.puts) this.#cache.put(this.index.id(slots[next++] ?? 0), body);
      if (batch.acks !== undefined) for (const { id } of batch.acks) this.#cache.drop(id);
    }
    // Only now: whoever is told may append, and look at anything.
    next = 0;
    for (const { batch, done } of content.batches) {
      const end = next + (batch.puts?.length ?? 0);
      done('durable', next === end ? NO_SLOTS : slots.slice(next, end));
      next = end;
    }
    this.#settleArriving();
  }

  get #hasPutsInFlight(): boolean {
    return this.#inFlight.some(({ batch }) => (batch.puts?.length ?? 0) > 0);
  }

  #settleArriving(): void {
    if (!this.#express.hasArriving) return;
    const log = this.#log;
    this.#express.settleArriving(this.index, { nextId: () => log.nextId(), queueTimeMs: log.queueTimeMs });
  }
}

function isEmpty({ puts = [], acks = [], states = [], metas = [] }: Batch): boolean {
  return puts.length + acks.length + states.length + metas.length === 0;
}
