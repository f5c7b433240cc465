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
import { BodyCache } from './body-cache.ts';
import { Cleaner } from './cleaner.ts';
import { type AckReason, type DirectoryEntry, META_VALUE_BYTES_MAX, metaBytes, PUT_BYTES, type PutEntry } from './entry-layout.ts';
import { FileIo, type RingInput, type RingOutput } from './file-io.ts';
import { type FileSteps, readFence, writeBlocks, writeSuperblock } from './file-steps.ts';
import { encodeFrame, FRAME_HEADER_BYTES, type FrameKind, type FrameSeal, frameContentBytes } from './frame-layout.ts';
import { bodyBytesMaxOf, CLEAN_FACTOR, liveBytesMaxOf, RESERVE_FRAMES, type RingGeometry } from './geometry.ts';
import { LiveSet } from './live-set.ts';
import { NO_SLOT } from './message-index.ts';
import { type Gap, type Recovered, recover } from './recovery.ts';
import { FLAG_CLEAN, type Superblock } from './superblock-layout.ts';

/** A message to store. `stream`, `number` and the epoch are its identity here (docs/custody.md). Times are queue time; 0 is never. */
export interface NewMessage {
  readonly queue: number;
  readonly priority: number;
  readonly stream: number;
  readonly number: number;
  readonly epochCounter: number;
  readonly epochRandom: number;
  readonly deliveryCount: number;
  readonly expiresAtMs: number;
  readonly notBeforeMs: number;
  readonly body: Uint8Array;
}

/** One indivisible change: all of it becomes durable in one frame, or none. */
export interface Batch {
  readonly puts?: readonly NewMessage[];
  readonly acks?: readonly { readonly id: number; readonly reason: AckReason }[];
  readonly states?: readonly { readonly id: number; readonly deliveryCount: number; readonly notBeforeMs: number }[];
  /** A value of undefined deletes the key. */
  readonly metas?: readonly { readonly key: string; readonly value: Uint8Array | undefined }[];
}

/** `in-doubt`: the write failed, the frame may survive. `not-written`: the ring stopped before it was tried. */
export type Outcome = 'durable' | 'in-doubt' | 'not-written';
/** `slots` of the puts, in order, when durable. */
export type WhenDurable = (outcome: Outcome, slots: readonly number[]) => void;

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

interface Pending {
  readonly batch: Batch;
  readonly bytes: number;
  readonly dueMs: number;
  readonly done: WhenDurable;
}

interface FrameContent {
  readonly entries: DirectoryEntry[];
  readonly bodies: Uint8Array[];
  readonly batches: Pending[];
}

/** Room every frame leaves, so that the OPEN frame that re-logs it can add the new epoch. */
const RELOG_BYTES = 128;
/** META may take an eighth of what may live: it is never refused for messages' sake. */
const META_SHARE = 8;
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
  #pending: Pending[] = [];
  #pendingBytes = 0;
  #dueMs = Number.POSITIVE_INFINITY;
  #plannedPutBytes = 0;
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
    return this.#live.bytes + this.#plannedPutBytes;
  }

  get bytesMax(): number {
    return liveBytesMaxOf(this.geometry);
  }

  get bodyBytesMax(): number {
    return bodyBytesMaxOf(this.geometry);
  }

  get pendingCount(): number {
    return this.#pending.length + this.#inFlight.length;
  }

  /** Messages whose body failed its checksum: never delivered, counted, left for the salvage tool. */
  get corruptCount(): number {
    return this.#corruptCount + (this.#cleaner?.corruptCount ?? 0);
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
   * Plans a batch for the next frame, or for one within `delayMs`. Ids are given in order of append.
   * @throws MESSAGE_TOO_LARGE, QUEUE_FULL (queue ''), BUSY, NODE_STOPPED; then nothing was planned.
   */
  append(batch: Batch, when: { nowMs: number; delayMs: number }, done: WhenDurable): void {
    if (this.state !== 'serving') throw new RingmailError('NODE_STOPPED', { reason: this.failure?.message ?? this.state });
    const bytes = batchBytes(batch);
    const bytesMax = this.#contentBytesMax;
    if (bytes > bytesMax) throw new RingmailError('MESSAGE_TOO_LARGE', { bytes, bytesMax });
    const puts = batch.puts ?? [];
    let putBytes = 0;
    for (const put of puts) {
      if (put.body.length > this.bodyBytesMax) {
        throw new RingmailError('MESSAGE_TOO_LARGE', { bytes: put.body.length, bytesMax: this.bodyBytesMax });
      }
      putBytes += PUT_BYTES + put.body.length;
    }
    if (putBytes > 0) this.#admit(putBytes);
    this.#plannedPutBytes += putBytes;
    const dueMs = when.nowMs + when.delayMs;
    this.#pending.push({ batch, bytes, dueMs, done });
    this.#pendingBytes += bytes;
    this.#dueMs = Math.min(this.#dueMs, dueMs);
  }

  /** True when a message with a body of this size would be taken now. */
  hasRoomFor(bodyBytes: number): boolean {
    return (
      this.bytesUsed + PUT_BYTES + bodyBytes <= this.bytesMax - this.#metaReserve && this.#pendingBytes <= this.#options.pendingBytesMax
    );
  }

  /** When `pump` should next be called; undefined when nothing waits for it. */
  get wakeAtMs(): number | undefined {
    if (this.#io.isBusy || this.state === 'opening' || this.state === 'stopped' || this.state === 'closed') return undefined;
    if (this.state === 'closing') return 0;
    return this.#pending.length === 0 ? undefined : this.#dueMs + this.#options.commitDelayMs;
  }

  /** Starts the next frame when one is due and nothing is in flight. */
  pump(nowMs: number): void {
    const due = this.wakeAtMs;
    if (due === undefined || due > nowMs) return;
    this.queueTime(nowMs);
    if (this.state === 'closing' && this.#pending.length === 0) return this.#finish();
    if (this.#anchorIsFar) return this.#run(this.#writeAnchor(0), () => {});
    this.#loadVictims();
    const content = this.#assemble();
    if (content === undefined) return;
    this.#inFlight = content.batches;
    this.#run(this.#writeFrame('data', content), () => this.#settled(content));
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
    const slot = this.index.find(id);
    invariant(slot !== NO_SLOT, 'only what is in the index is fetched');
    this.#fetch(id, 0, then);
  }

  /** A message moved by cleaning while it was read is simply read again; only damage that stays is called corrupt. */
  #fetch(id: number, attempt: number, then: (result: BodyResult) => void): void {
    const { index } = this;
    const slot = index.find(id);
    if (slot === NO_SLOT) return then({ kind: 'gone' });
    const lsn = index.lsn[slot] ?? 0;
    const at = { lsn, skip: index.bodyOffset[slot] ?? 0, bytes: index.bodyBytes[slot] ?? 0 };
    this.#io.read(this.geometry, at, (body) => {
      const now = index.find(id);
      if (now === NO_SLOT) return then({ kind: 'gone' });
      const moved = index.lsn[now] !== lsn;
      if (!moved && body !== undefined && this.#checksum(body) === index.bodyCrc[now]) {
        this.#cache.put(id, body);
        return then({ kind: 'body', body });
      }
      if (moved || attempt === 0) return this.#fetch(id, moved ? attempt : attempt + 1, then);
      this.#corruptCount += 1;
      then({ kind: 'corrupt' });
    });
  }

  #admit(putBytes: number): void {
    const bytesLimit = this.bytesMax - this.#metaReserve;
    if (this.bytesUsed + putBytes > bytesLimit) {
      throw new RingmailError('QUEUE_FULL', { queue: '', bytesLimit, bytesUsed: this.bytesUsed, bytesNeeded: putBytes });
    }
    const pendingMax = this.#options.pendingBytesMax;
    if (this.#pendingBytes > pendingMax) throw new RingmailError('BUSY', { pending: this.#pendingBytes, pendingMax });
  }

  /** What META may still grow by is kept from messages. */
  get #metaReserve(): number {
    return Math.max(0, Math.floor(this.bytesMax / META_SHARE) - this.metas.bytes);
  }

  get #contentBytesMax(): number {
    return this.geometry.frameBlocksMax * this.geometry.blockBytes - RELOG_BYTES - FRAME_HEADER_BYTES;
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
    const pending = this.#pending;
    this.#inFlight = [];
    this.#pending = [];
    this.#io.drop();
    for (const one of inFlight) one.done('in-doubt', []);
    for (const one of pending) one.done('not-written', []);
    this.#whenClosed?.();
  }

  #finish(): void {
    this.#run(this.#writeAnchor(FLAG_CLEAN), () => {
      this.state = 'closed';
      this.#whenClosed?.();
    });
  }

  *#open(): FileSteps<void> {
    let live: LiveSet | undefined;
    const found = yield* recover(this.#options, this.#options.checksum, (frame, geometry) => {
      live ??= new LiveSet(geometry.blockCount, frame.lsn);
      live.apply(frame);
    });
    this.#adopt(found, live ?? new LiveSet(found.superblock.geometry.blockCount, found.endLsn));
    yield* this.#writeOpenFrame(found);
    yield* this.#writeAnchor(0);
  }

  #adopt(found: Recovered, live: LiveSet): void {
    const { superblock } = found;
    const last = found.last?.frame;
    if (live.log.headLsn < found.endLsn) live.log.extend(found.endLsn - live.log.headLsn);
    live.log.advance();
    this.#live = live;
    this.#superblock = superblock;
    this.#seal = found.seal;
    this.#cleaner = new Cleaner(superblock.geometry, found.seal, live);
    this.#frameBuffer = new Uint8Array(superblock.geometry.frameBlocksMax * superblock.geometry.blockBytes);
    this.#durableTailLsn = Math.min(found.durableTailLsn, live.log.tailLsn);
    this.#seq = last === undefined ? superblock.anchorSeq : last.seq + 1;
    this.#lastFrame = { lsn: last?.lsn ?? 0, crc: last?.crc ?? 0 };
    this.#nextId = Math.max(superblock.nextId, last?.nextId ?? 1);
    this.#queueTimeMs = Math.max(superblock.queueTimeMs, last?.queueTimeMs ?? 0);
    this.epoch = { counter: Math.max(superblock.epoch, last?.epoch ?? 0) + 1, random: this.#options.epochRandom };
    this.report = { gaps: found.gaps, tornBlocks: found.tornBlocks, messages: live.index.count };
  }

  /** I6: everything the last frame said is said again under a new sync, before anything is served. */
  *#writeOpenFrame(found: Recovered): FileSteps<void> {
    const { geometry } = this;
    const { last } = found;
    const content: FrameContent = { entries: [], bodies: [], batches: [] };
    for (const entry of last?.frame.entries ?? []) {
      if (entry.kind === 'put') {
        const slot = this.index.find(entry.id);
        if (last === undefined || slot === NO_SLOT || this.index.lsn[slot] !== last.frame.lsn) continue;
        content.entries.push({ ...entry, copy: true, deliveryCount: this.index.deliveryCount[slot] ?? 0 });
        content.bodies.push(last.bytes.subarray(entry.bodyOffset, entry.bodyOffset + entry.bodyBytes));
      } else if (entry.kind !== 'meta' || entry.key !== EPOCH_KEY) {
        content.entries.push(entry);
      }
    }
    const epoch = new Uint8Array(8);
    new DataView(epoch.buffer).setUint32(0, this.epoch.counter, true);
    new DataView(epoch.buffer).setUint32(4, this.epoch.random, true);
    content.entries.push({ kind: 'meta', key: EPOCH_KEY, value: epoch });
    const blocks = Math.ceil(frameContentBytes(content.entries) / geometry.blockBytes);
    if (last !== undefined && blocks > this.freeBlocks) {
      yield* writeBlocks(geometry, last.frame.lsn, last.bytes);
      this.#durableTailLsn = last.frame.tailLsn;
    }
    yield* this.#writeFrame('open', content);
    this.#live.settle(content.entries, this.#lastFrame.lsn);
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
    yield* writeSuperblock(next);
    this.#superblock = next;
    this.#io.fence = yield* readFence(next);
  }

  #loadVictims(): void {
    const cleaner = this.#cleaner;
    invariant(cleaner !== undefined, 'the ring is open');
    if (!cleaner.isDue(this.freeBlocks)) return;
    const load = cleaner.nextLoad();
    if (load === undefined) return;
    cleaner.isLoading = true;
    const bytes = load.blocks * this.geometry.blockBytes;
    this.#io.read(this.geometry, { lsn: load.lsn, skip: 0, bytes }, (read) => cleaner.loaded(load, read));
  }

  /**
   * What goes into the next frame: batches in order, then copies of what is live at the tail. When the reserve is short the copies
   * go without new messages, which wait for them; undefined when there is nothing to write yet.
   */
  #assemble(): FrameContent | undefined {
    const { blockBytes, frameBlocksMax } = this.geometry;
    const content: FrameContent = { entries: [], bodies: [], batches: [] };
    const cleaner = this.#cleaner;
    invariant(cleaner !== undefined, 'the ring is open');
    const isShort = this.freeBlocks - frameBlocksMax < RESERVE_FRAMES * frameBlocksMax;
    const bytes = this.#takeBatches(content, isShort ? 'without-puts' : 'all');
    const blocks = Math.max(1, Math.ceil((FRAME_HEADER_BYTES + bytes) / blockBytes));
    if (cleaner.isDue(this.freeBlocks - blocks)) {
      const room = { bytes: this.#contentBytesMax - bytes, blocks: CLEAN_FACTOR * blocks };
      const copies = cleaner.take(room, content.entries);
      content.entries.push(...copies.entries);
      content.bodies.push(...copies.bodies);
    }
    if (content.entries.length > 0) return content;
    if (cleaner.isLoading) return undefined;
    this.#takeBatches(content, 'all');
    return content;
  }

  /** Moves batches from the queue into the frame, in order, as far as they fit. Returns their bytes. */
  #takeBatches(content: FrameContent, which: 'all' | 'without-puts'): number {
    const metas = new Map<string, Uint8Array | undefined>();
    let bytes = 0;
    let taken = 0;
    for (const pending of this.#pending) {
      if (bytes + pending.bytes > this.#contentBytesMax) break;
      if (which === 'without-puts' && (pending.batch.puts?.length ?? 0) > 0) break;
      bytes += pending.bytes;
      taken += 1;
      this.#addBatch(content, pending);
      for (const { key, value } of pending.batch.metas ?? []) metas.set(key, value);
    }
    for (const [key, value] of metas) content.entries.push({ kind: 'meta', key, value });
    this.#pending = this.#pending.slice(taken);
    this.#pendingBytes -= bytes;
    this.#dueMs = this.#pending.reduce((due, pending) => Math.min(due, pending.dueMs), Number.POSITIVE_INFINITY);
    return bytes;
  }

  #addBatch(content: FrameContent, pending: Pending): void {
    const { batch } = pending;
    content.batches.push(pending);
    for (const put of batch.puts ?? []) {
      content.entries.push(this.#putEntry(put));
      content.bodies.push(put.body);
    }
    for (const { id, reason } of batch.acks ?? []) pushAck(content.entries, id, reason);
    for (const state of batch.states ?? []) {
      const slot = this.index.find(state.id);
      if (slot === NO_SLOT) continue;
      const where = { queue: this.index.queue[slot] ?? 0, priority: this.index.priority[slot] ?? 0 };
      this.index.deliveryCount[slot] = state.deliveryCount; // now, so that a copy in this very frame carries it (I7)
      content.entries.push({ kind: 'state', ...state, ...where });
    }
  }

  #putEntry(put: NewMessage): PutEntry {
    const { queue, priority, stream, number, epochCounter, epochRandom, deliveryCount, expiresAtMs, notBeforeMs } = put;
    return {
      kind: 'put',
      id: this.#nextId++,
      copy: false,
      queue,
      priority,
      stream,
      number,
      epochCounter,
      epochRandom,
      deliveryCount,
      expiresAtMs,
      notBeforeMs,
      storedAtMs: this.#queueTimeMs,
      bodyBytes: put.body.length,
      bodyCrc: this.#checksum(put.body),
      bodyOffset: 0,
    };
  }

  /** Encodes and writes a frame. Liveness is planned at once; the tail in its header is the one after it. */
  *#writeFrame(kind: FrameKind, content: FrameContent): FileSteps<void> {
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
    for (const { batch, done } of content.batches) {
      const puts = batch.puts ?? [];
      const own = slots.slice(next, next + puts.length);
      next += puts.length;
      own.forEach((slot, i) => {
        const body = puts[i]?.body;
        if (body === undefined) return;
        this.#plannedPutBytes -= PUT_BYTES + body.length;
        this.#cache.put(this.index.id[slot] ?? 0, body);
      });
      for (const { id } of batch.acks ?? []) this.#cache.drop(id);
      done('durable', own);
    }
  }
}

/** Acks of contiguous ids become one run: FIFO consumers pay 16 bytes for thousands. */
function pushAck(entries: DirectoryEntry[], id: number, reason: AckReason): void {
  const last = entries.at(-1);
  if (last?.kind === 'ack' && last.reason === reason && last.id + last.count === id) {
    entries[entries.length - 1] = { ...last, count: last.count + 1 };
  } else {
    entries.push({ kind: 'ack', reason, id, count: 1 });
  }
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

function batchBytes(batch: Batch): number {
  let bytes = 0;
  for (const put of batch.puts ?? []) bytes += PUT_BYTES + put.body.length;
  bytes += 8 * (batch.acks?.length ?? 0) + 24 * (batch.states?.length ?? 0);
  for (const { key, value } of batch.metas ?? []) {
    invariant((value?.length ?? 0) <= META_VALUE_BYTES_MAX, `META ${key} is too large`);
    bytes += metaBytes(key, value);
  }
  return bytes;
}
