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
import type { Checksum } from '../crc32.ts';
import { RingmailError } from '../errors.ts';
import {
  type Batch,
  batchBytes,
  type NewMessage,
  type Pending,
  PendingBatches,
  pushAck,
  putBytes,
  type WhenDurable,
} from './batch.ts';
import { BodyCache } from './body-cache.ts';
import { Cleaner } from './cleaner.ts';
import { DELIVERY_COUNT_MAX, type DirectoryEntry, metaBytes, PUT_BYTES, type PutEntry } from './entry-layout.ts';
import { FileIo, type RingInput, type RingOutput } from './file-io.ts';
import {
  type FileSteps,
  fenceAfter,
  type ReadSteps,
  readFence,
  readRange,
  readWhatThereIs,
  superblockWrites,
  writeBlocks,
} from './file-steps.ts';
import {
  encodeFrame,
  FRAME_HEADER_BYTES,
  type Frame,
  type FrameKind,
  type FrameSeal,
  frameContentBytes,
  RELOGGED_MAX,
} from './frame-layout.ts';
import { bodyBytesMaxOf, CLEAN_FACTOR, contentBytesMaxOf, liveBytesMaxOf, type RingGeometry } from './geometry.ts';
import { LiveSet } from './live-set.ts';
import type { Gap } from './log-stretch.ts';
import { NO_SLOT } from './message-index.ts';
import { type Recovered, recover } from './recovery.ts';
import { copiesBlocksMax, frameShare, openReserveBlocks } from './reserve.ts';
import { COUNTER_MAX, decodeSuperblock, FLAG_CLEAN, SUPERBLOCK_BYTES, type Superblock } from './superblock-layout.ts';

export type { Batch, NewMessage, Outcome, WhenDurable } from './batch.ts';

export type BodyResult = { readonly kind: 'body'; readonly body: Uint8Array } | { readonly kind: 'gone' | 'corrupt' };

export interface RingOptions {
  readonly path: string;
  readonly size: number;
  readonly checksum: Checksum;
  /** Random part of the new epoch, 32 bits. */
  readonly epochRandom: number;
  /** Lets a frame wait for company: spares the card, delays the acknowledgement. */
  readonly commitDelayMs: number;
  readonly cacheBytesMax: number;
  readonly pendingBytesMax: number;
}

/** What opening found. Zeros and empty lists when nothing was wrong. */
export interface OpenReport {
  readonly gaps: readonly Gap[];
  readonly tornBlocks: number;
  readonly messages: number;
}

export type RingState = 'opening' | 'serving' | 'closing' | 'closed' | 'stopped';

interface FrameContent {
  readonly entries: DirectoryEntry[];
  readonly bodies: Uint8Array[];
  readonly batches: Pending[];
}

/** An eighth of what may live is kept from messages: up to it META is never refused for messages' sake. */
const META_SHARE = 8;
/** A batch that replaces messages may overdraw what may live by a quarter of it: cleaning still gains, only later. */
const OVERDRAFT_SHARE = 4;
/** Superblocks that one opening may write before it must be opened anew to be counted again. */
const GENERATIONS_PER_OPENING = 0x100_0000;
/** Key of the epoch in META: [counter u32 LE, random u32 LE]. */
export const EPOCH_KEY = 'epoch';

export class Ring {
  state: RingState = 'opening';
  report: OpenReport = { gaps: [], tornBlocks: 0, messages: 0 };
  /** Why the ring is stopped, or why opening was refused. */
  failure: Error | undefined;
  epoch = { counter: 0, random: 0 };
  framesWritten = 0;
  blocksWritten = 0;
  readonly #options: RingOptions;
  readonly #io = new FileIo();
  readonly #cache: BodyCache;
  #live = new LiveSet(1, 0);
  #superblock: Superblock | undefined;
  #seal: FrameSeal | undefined;
  #cleaner: Cleaner | undefined;
  #frameBuffer = new Uint8Array(0);
  readonly #pending = new PendingBatches();
  #plannedPutBytes = 0;
  #plannedMetaBytes = 0;
  #waitsFor: 'nothing' | 'victims' = 'nothing';
  #inFlight: readonly Pending[] = [];
  #nextId = 1;
  #seq = 1;
  #lastFrame = { lsn: 0, crc: 0 };
  #durableTailLsn = 0;
  #queueTimeMs = 0;
  #clockOffsetMs: number | undefined;
  #whenClosed: (() => void) | undefined;
  #corruptCount = 0;

  constructor(options: RingOptions) {
    this.#options = options;
    this.#cache = new BodyCache(options.cacheBytesMax);
    this.#run(this.#open(), () => {
      this.state = 'serving';
    });
  }

  /** What to do next with the file. Empties the list. */
  takeOutputs(): RingOutput[] {
    return this.#io.takeOutputs();
  }

  input(input: RingInput): void {
    this.#io.input(input);
  }

  get geometry(): RingGeometry {
    return this.#opened().geometry;
  }

  get index() {
    return this.#live.index;
  }

  get metas() {
    return this.#live.metas;
  }

  /** Live bytes: what is stored, and what is planned to be. */
  get bytesUsed(): number {
    return this.#live.bytes + this.#plannedPutBytes + this.#plannedMetaBytes;
  }

  get bytesMax(): number {
    return liveBytesMaxOf(this.geometry);
  }

  get bodyBytesMax(): number {
    return bodyBytesMaxOf(this.geometry);
  }

  get pendingCount(): number {
    return this.#pending.count + this.#inFlight.length;
  }

  /** Messages whose body failed its checksum: never delivered, counted, left for the salvage tool. */
  get corruptCount(): number {
    return this.#corruptCount;
  }

  /** Messages ever stored in this ring, whatever became of them. */
  get messagesStored(): number {
    return this.#nextId - 1;
  }

  get freeBlocks(): number {
    return this.geometry.blockCount - (this.#live.log.headLsn - this.#durableTailLsn);
  }

  /** Queue time: monotonic milliseconds, continued across openings. */
  queueTime(nowMs: number): number {
    this.#clockOffsetMs ??= this.#queueTimeMs - nowMs;
    this.#queueTimeMs = Math.max(this.#queueTimeMs, Math.floor(nowMs + this.#clockOffsetMs));
    return this.#queueTimeMs;
  }

  /**
   * Plans a batch for the next frame, or for one within `delayMs`. Ids are given in order of append. A batch that replaces a message
   * by another one finds room where a new message does not. Acknowledgements and META that does not grow are always taken.
   * @throws MESSAGE_TOO_LARGE, QUEUE_FULL (queue ''), BUSY, NODE_STOPPED; then nothing was planned.
   */
  append(batch: Batch, when: { nowMs: number; delayMs: number }, done: WhenDurable): void {
    if (this.state !== 'serving') throw new RingmailError('NODE_STOPPED', { reason: this.failure?.message ?? this.state });
    const bytes = batchBytes(batch);
    const bytesMax = contentBytesMaxOf(this.geometry);
    if (bytes > bytesMax) throw new RingmailError('MESSAGE_TOO_LARGE', { bytes, bytesMax });
    for (const { body } of batch.puts ?? []) {
      if (body.length > this.bodyBytesMax) {
        throw new RingmailError('MESSAGE_TOO_LARGE', { bytes: body.length, bytesMax: this.bodyBytesMax });
      }
    }
    const grows = { messages: putBytes(batch), meta: this.#metaGrowth(batch) };
    this.#admit(batch, grows);
    this.#plannedPutBytes += grows.messages;
    this.#plannedMetaBytes += grows.meta;
    this.#pending.push({ batch, bytes, metaGrowth: grows.meta, dueMs: when.nowMs + when.delayMs, done });
  }

  /** True when a message with a body of this size would be taken now. */
  hasRoomFor(bodyBytes: number): boolean {
    const isFull = this.bytesUsed + PUT_BYTES + bodyBytes > this.bytesMax - this.#metaReserve;
    return !isFull && this.#pending.bytes <= this.#options.pendingBytesMax;
  }

  /** When `pump` should next be called; undefined when nothing waits for it, or only an answer of the file can help. */
  get wakeAtMs(): number | undefined {
    if (this.#io.isBusy || this.#waitsFor === 'victims') return undefined;
    if (this.state === 'closing') return 0;
    return this.state !== 'serving' || this.#pending.count === 0 ? undefined : this.#pending.dueMs + this.#options.commitDelayMs;
  }

  /** Starts the next frame when one is due and nothing is in flight. */
  pump(nowMs: number): void {
    const due = this.wakeAtMs;
    if (due === undefined || due > nowMs) return;
    this.queueTime(nowMs);
    if (this.state === 'closing' && this.#pending.count === 0) return this.#finish();
    if (this.#anchorIsFar) return this.#run(this.#writeAnchor(0), () => {});
    this.#loadVictims();
    const content = this.#assemble();
    if (content === undefined) return;
    this.#inFlight = content.batches;
    const kind = content.batches.length === 0 ? 'copies' : 'data';
    this.#run(this.#writeFrame(kind, content), () => this.#settled(content));
  }

  /** Writes what is pending and marks the file CLEAN. `whenClosed` is called once, also when the ring stops first. */
  close(whenClosed: () => void): void {
    if (this.state === 'stopped' || this.state === 'closed') return whenClosed();
    invariant(this.state === 'serving', 'a ring that serves is closed once');
    this.state = 'closing';
    this.#whenClosed = whenClosed;
  }

  /** The body if it is in memory. */
  cachedBody(slot: number): Uint8Array | undefined {
    return this.#cache.get(this.index.id[slot] ?? 0);
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
    const lsn = index.lsn[slot] ?? 0;
    const at = { lsn, skip: index.bodyOffset[slot] ?? 0, bytes: index.bodyBytes[slot] ?? 0 };
    this.#io.readBeside(readRange(this.geometry, at), (body) => {
      const now = index.find(id);
      if (now === NO_SLOT) return then({ kind: 'gone' });
      const moved = index.lsn[now] !== lsn;
      const isDamaged = index.damaged[now] === 1;
      if (!moved && !isDamaged && body !== undefined && this.#checksum(body) === index.bodyCrc[now]) {
        this.#cache.put(id, body);
        return then({ kind: 'body', body });
      }
      if (this.state === 'stopped' || this.state === 'closed') return then({ kind: 'gone' });
      if (moved || attempt === 0) return this.#fetch(id, moved ? attempt : attempt + 1, then);
      this.#corruptCount += 1;
      then({ kind: 'corrupt' });
    });
  }

  #admit(batch: Batch, grows: { messages: number; meta: number }): void {
    if (grows.messages + grows.meta === 0) return;
    const replaces = batch.acks?.some((ack) => ack.reason === 'replaced') ?? false;
    const overdraft = replaces ? Math.floor(this.bytesMax / OVERDRAFT_SHARE) : 0;
    const bytesLimit = this.bytesMax + overdraft - (grows.messages === 0 ? 0 : this.#metaReserve);
    const bytesNeeded = grows.messages + grows.meta;
    const { bytesUsed } = this;
    const isFull = bytesUsed + bytesNeeded > bytesLimit;
    if (isFull && (grows.messages > 0 || grows.meta > this.#freedBy(batch))) {
      throw new RingmailError('QUEUE_FULL', { queue: '', bytesLimit, bytesUsed, bytesNeeded });
    }
    const pendingMax = this.#options.pendingBytesMax;
    if (grows.messages > 0 && !replaces && this.#pending.bytes > pendingMax) {
      throw new RingmailError('BUSY', { pending: this.#pending.bytes, pendingMax });
    }
  }

  /** Bytes of META that a batch adds at most: what it overwrites or deletes is not counted twice, what others plan is. */
  #metaGrowth(batch: Batch): number {
    let bytes = 0;
    for (const { key, value } of batch.metas ?? []) {
      if (value === undefined) continue;
      const old = this.metas.get(key);
      bytes += Math.max(0, metaBytes(key, value) - (old === undefined ? 0 : metaBytes(key, old)));
    }
    return bytes;
  }

  #freedBy(batch: Batch): number {
    let bytes = 0;
    for (const { id } of batch.acks ?? []) {
      const slot = this.index.find(id);
      if (slot !== NO_SLOT) bytes += PUT_BYTES + (this.index.bodyBytes[slot] ?? 0);
    }
    return bytes;
  }

  /** What META may still grow by is kept from messages. */
  get #metaReserve(): number {
    return Math.max(0, Math.floor(this.bytesMax / META_SHARE) - this.metas.bytes - this.#plannedMetaBytes);
  }

  #opened(): Superblock {
    invariant(this.#superblock !== undefined, 'the ring is open');
    return this.#superblock;
  }

  #checksum(bytes: Uint8Array): number {
    invariant(this.#seal !== undefined, 'the ring is open');
    return this.#seal.checksum(bytes, this.#seal.seed);
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
    for (const one of inFlight) one.done('in-doubt', []);
    for (const one of pending) one.done('not-written', []);
    whenClosed?.();
  }

  #finish(): void {
    this.#run(this.#writeAnchor(FLAG_CLEAN), () => {
      this.state = 'closed';
      const whenClosed = this.#whenClosed;
      this.#whenClosed = undefined;
      whenClosed?.();
    });
  }

  *#open(): FileSteps<void> {
    let live: LiveSet | undefined;
    const found = yield* recover(this.#options, this.#options.checksum, (frame, geometry) => {
      live ??= new LiveSet(geometry.blockCount, frame.lsn);
      live.apply(frame);
    });
    this.#adopt(found, live ?? new LiveSet(found.superblock.geometry.blockCount, found.endLsn));
    yield* this.#raiseFence(found.superblock);
    yield* this.#writeOpenFrame(found);
    yield* this.#writeAnchor(0);
  }

  #adopt(found: Recovered, live: LiveSet): void {
    const { superblock, last } = found;
    const { path } = this.#options;
    const epoch = Math.max(superblock.epoch, last?.epoch ?? 0) + 1;
    const counters = Math.max(epoch, superblock.generation + GENERATIONS_PER_OPENING);
    if (counters > COUNTER_MAX) throw new RingmailError('RING_WORN_OUT', { path, counter: counters, counterMax: COUNTER_MAX });
    if (live.log.headLsn < found.endLsn) live.log.extend(found.endLsn - live.log.headLsn);
    live.log.advance();
    this.#live = live;
    this.#superblock = superblock;
    this.#seal = found.seal;
    this.#cleaner = new Cleaner(superblock.geometry, found.seal, live);
    this.#frameBuffer = new Uint8Array(superblock.geometry.frameBlocksMax * superblock.geometry.blockBytes);
    this.#durableTailLsn = Math.min(found.durableTailLsn, live.log.tailLsn);
    this.#seq = found.nextSeq;
    this.#lastFrame = { lsn: last?.lsn ?? 0, crc: last?.crc ?? 0 };
    this.#nextId = Math.max(superblock.nextId, last?.nextId ?? 1);
    this.#queueTimeMs = Math.max(superblock.queueTimeMs, last?.queueTimeMs ?? 0);
    this.epoch = { counter: epoch, random: this.#options.epochRandom };
    this.report = { gaps: found.gaps, tornBlocks: found.tornBlocks, messages: live.index.count };
  }

  /** From here on every write fails that another opener's superblock stands in the way of. @throws RING_LOCKED when one does already */
  *#raiseFence(known: Superblock): FileSteps<void> {
    const fence = yield* readFence(known.geometry);
    for (const offset of [0, known.geometry.blockBytes]) {
      const bytes = yield { kind: 'read', offset, bytes: SUPERBLOCK_BYTES };
      const newer = bytes && decodeSuperblock(bytes);
      if (newer && newer.generation > known.generation) {
        throw new RingmailError('RING_LOCKED', { path: this.#options.path, owner: 'another process, which opened it just now' });
      }
    }
    this.#io.fence = fence;
  }

  /**
   * I6: what the last frame said is said again under a new sync before anything is served, unless it is proven. Where there is no
   * room for that, the frame itself is written once more, with the same bytes and in its place: then it is proven, and little is
   * left to say. With the reserve short, an OPEN frame that says nothing again carries copies, so that even a node that never gets
   * further than this moves on.
   */
  *#writeOpenFrame(found: Recovered): FileSteps<void> {
    const { geometry } = this;
    const { last, unproven } = found;
    let content = this.#openContent();
    let relogged = 0;
    if (last !== undefined && unproven !== undefined) {
      const again = this.#openContent(last, unproven);
      const left = this.freeBlocks - Math.ceil(frameContentBytes(again.entries) / geometry.blockBytes);
      const mayRewrite = last.kind !== 'data';
      if (left < 0 || (mayRewrite && left < openReserveBlocks(geometry))) {
        yield* writeBlocks(geometry, last.lsn, unproven);
        this.#durableTailLsn = last.tailLsn;
      } else {
        content = again;
        relogged = Math.min(RELOGGED_MAX, last.relogged + 1);
      }
    }
    if (relogged === 0 && frameShare(geometry, this.freeBlocks).batches !== 'all') yield* this.#addCopies(content);
    yield* this.#writeFrame('open', content, relogged);
    this.#live.settle(content.entries, this.#lastFrame.lsn);
  }

  /** The new epoch, and every entry of `last` that still matters. */
  #openContent(last?: Frame, bytes: Uint8Array = new Uint8Array(0)): FrameContent {
    const content: FrameContent = { entries: [], bodies: [], batches: [] };
    for (const entry of last?.entries ?? []) {
      if (entry.kind === 'put') {
        const slot = this.index.find(entry.id);
        if (last === undefined || slot === NO_SLOT || this.index.lsn[slot] !== last.lsn) continue;
        content.entries.push(this.#live.copyOf(slot));
        content.bodies.push(bytes.subarray(entry.bodyOffset, entry.bodyOffset + entry.bodyBytes));
      } else if (entry.kind !== 'meta' || entry.key !== EPOCH_KEY) {
        content.entries.push(entry);
      }
    }
    const epoch = new Uint8Array(8);
    new DataView(epoch.buffer).setUint32(0, this.epoch.counter, true);
    new DataView(epoch.buffer).setUint32(4, this.epoch.random, true);
    content.entries.push({ kind: 'meta', key: EPOCH_KEY, value: epoch });
    return content;
  }

  *#addCopies(content: FrameContent): ReadSteps<void> {
    const { geometry } = this;
    const cleaner = this.#openedCleaner();
    const load = cleaner.nextLoad();
    const blocks = copiesBlocksMax(geometry, this.freeBlocks);
    if (load === undefined || blocks < 1) return;
    cleaner.loaded(load, yield* readWhatThereIs(geometry, load.lsn, load.blocks));
    const bytes = Math.min(blocks * geometry.blockBytes - frameContentBytes(content.entries), contentBytesMaxOf(geometry));
    addTo(content, cleaner.take({ bytes, blocks: geometry.frameBlocksMax }, content.entries));
  }

  /** The anchor may lag: it only bounds how far recovery walks. It never points at a frame about to be overwritten. */
  get #anchorIsFar(): boolean {
    const { log } = this.#live;
    const lag = log.headLsn - this.#opened().anchorLsn;
    return lag > Math.min(this.geometry.blockCount / 4, Math.max(256, (log.headLsn - log.tailLsn) / 2));
  }

  /** Makes the last frame, which is durable, the place where the next recovery starts. */
  *#writeAnchor(flags: number): FileSteps<void> {
    const old = this.#opened();
    const next: Superblock = {
      ...old,
      generation: old.generation + 1,
      epoch: this.epoch.counter,
      flags,
      anchorLsn: this.#lastFrame.lsn,
      anchorSeq: this.#seq - 1,
      anchorCrc: this.#lastFrame.crc,
      nextId: this.#nextId,
      queueTimeMs: this.#queueTimeMs,
    };
    for (const write of superblockWrites(next)) {
      yield write;
      this.#io.fence = fenceAfter(this.#io.fence, write);
    }
    this.#superblock = next;
  }

  #openedCleaner(): Cleaner {
    invariant(this.#cleaner !== undefined, 'the ring is open');
    return this.#cleaner;
  }

  #loadVictims(): void {
    const cleaner = this.#openedCleaner();
    if (!cleaner.isDue(this.freeBlocks)) return;
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
    const cleaner = this.#openedCleaner();
    const free = this.freeBlocks;
    const share = frameShare(geometry, free);
    const content: FrameContent = { entries: [], bodies: [], batches: [] };
    const contentBytesMax = contentBytesMaxOf(geometry);
    const bytesMax = contentBytesMax - (frameBlocksMax - share.blocksMax) * blockBytes;
    const batches = this.#pending.take(share.batches, bytesMax);
    const bytes = batches.reduce((sum, pending) => sum + pending.bytes, 0);
    this.#addBatches(content, batches);
    const blocks = Math.ceil((FRAME_HEADER_BYTES + bytes) / blockBytes);
    if (batches.length === 0) {
      const room = Math.min(copiesBlocksMax(geometry, free) * blockBytes - FRAME_HEADER_BYTES, contentBytesMax);
      addTo(content, cleaner.take({ bytes: room, blocks: frameBlocksMax }, content.entries));
      invariant(content.entries.length > 0 || cleaner.isLoading, 'I8: cleaning finds room for what it copies');
      if (content.entries.length === 0) this.#waitsFor = 'victims';
      return content.entries.length === 0 ? undefined : content;
    }
    if (cleaner.isDue(free - blocks)) {
      addTo(content, cleaner.take({ bytes: bytesMax - bytes, blocks: CLEAN_FACTOR * blocks }, content.entries));
    }
    return content;
  }

  #addBatches(content: FrameContent, batches: readonly Pending[]): void {
    const metas = new Map<string, Uint8Array | undefined>();
    for (const pending of batches) {
      this.#addBatch(content, pending);
      this.#plannedMetaBytes -= pending.metaGrowth;
      for (const { key, value } of pending.batch.metas ?? []) metas.set(key, value);
    }
    for (const [key, value] of metas) content.entries.push({ kind: 'meta', key, value });
  }

  #addBatch(content: FrameContent, pending: Pending): void {
    const { batch } = pending;
    content.batches.push(pending);
    for (const put of batch.puts ?? []) {
      content.entries.push(this.#putEntry(put));
      content.bodies.push(put.body);
    }
    for (const { id, reason } of batch.acks ?? []) pushAck(content.entries, id, reason);
    for (const { id, notBeforeMs, ...rest } of batch.states ?? []) {
      const slot = this.index.find(id);
      if (slot === NO_SLOT) continue;
      const deliveryCount = Math.min(rest.deliveryCount, DELIVERY_COUNT_MAX);
      const where = { queue: this.index.queue[slot] ?? 0, priority: this.index.priority[slot] ?? 0 };
      this.#live.setState({ id, deliveryCount, notBeforeMs }); // now, so that a copy in this very frame carries it (I7)
      content.entries.push({ kind: 'state', id, deliveryCount, notBeforeMs, ...where });
    }
  }

  #putEntry(put: NewMessage): PutEntry {
    const { queue, priority, stream, number, epochCounter, epochRandom, expiresAtMs, notBeforeMs } = put;
    return {
      kind: 'put',
      id: this.#nextId++,
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
      storedAtMs: this.#queueTimeMs,
      bodyBytes: put.body.length,
      bodyCrc: this.#checksum(put.body),
      bodyOffset: 0,
    };
  }

  /** Encodes and writes a frame. Liveness is planned at once; the tail in its header is the one after it. */
  *#writeFrame(kind: FrameKind, content: FrameContent, relogged = 0): FileSteps<void> {
    const { geometry } = this;
    const { log } = this.#live;
    const lsn = log.headLsn;
    const seal = this.#seal;
    invariant(seal !== undefined, 'the ring is open');
    const entries = placeBodies(content.entries);
    content.entries.splice(0, content.entries.length, ...entries);
    log.extend(Math.ceil(frameContentBytes(entries) / geometry.blockBytes));
    this.#live.plan(entries, lsn);
    log.advance();
    invariant(log.headLsn - geometry.blockCount <= this.#durableTailLsn, 'I1: a needed block would be overwritten');
    const header = {
      kind,
      epoch: this.epoch.counter,
      lsn,
      seq: this.#seq,
      prevCrc: this.#lastFrame.crc,
      tailLsn: Math.min(log.tailLsn, lsn),
      nextId: this.#nextId,
      relogged,
      queueTimeMs: this.#queueTimeMs,
    };
    const { blocks, crc } = encodeFrame(header, { entries, bodies: content.bodies, into: this.#frameBuffer }, seal);
    yield* writeBlocks(geometry, lsn, this.#frameBuffer.subarray(0, blocks * geometry.blockBytes));
    this.#seq += 1;
    this.#lastFrame = { lsn, crc };
    this.#durableTailLsn = header.tailLsn;
    this.framesWritten += 1;
    this.blocksWritten += blocks;
  }

  #settled(content: FrameContent): void {
    const slots = this.#live.settle(content.entries, this.#lastFrame.lsn);
    this.#inFlight = [];
    let next = 0;
    const settled = content.batches.map(({ batch, done }) => {
      const puts = batch.puts ?? [];
      const own = slots.slice(next, next + puts.length);
      next += puts.length;
      this.#plannedPutBytes -= putBytes(batch);
      puts.forEach(({ body }, i) => {
        this.#cache.put(this.index.id[own[i] ?? 0] ?? 0, body);
      });
      for (const { id } of batch.acks ?? []) this.#cache.drop(id);
      return () => done('durable', own);
    });
    for (const tell of settled) tell();
  }
}

function addTo(content: FrameContent, copies: { entries: readonly DirectoryEntry[]; bodies: readonly Uint8Array[] }): void {
  content.entries.push(...copies.entries);
  content.bodies.push(...copies.bodies);
}

/** Bodies follow the directory in entry order: gives each put its offset from the frame's first byte. */
function placeBodies(entries: readonly DirectoryEntry[]): DirectoryEntry[] {
  let bodyBytes = 0;
  for (const entry of entries) if (entry.kind === 'put') bodyBytes += entry.bodyBytes;
  let bodyOffset = frameContentBytes(entries) - bodyBytes;
  return entries.map((entry) => {
    if (entry.kind !== 'put') return entry;
    const placed = { ...entry, bodyOffset };
    bodyOffset += entry.bodyBytes;
    return placed;
  });
}
