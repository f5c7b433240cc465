/**
 * One life of a ring, as a seed draws it: batches of every kind, full rings, hostile bodies, and at any moment, openings included,
 * power cuts, kills, failed syncs, clean closes, a second owner, rot, unreadable blocks, lying flushes. It ends healed: everything
 * is read, drained, and filled once more.
 *
 * Judged after every opening: what was called durable is there, with a prefix of what nobody was answered for, whole batches, and
 * nothing else; no gap is reported; what was called not written is never seen; ids, numbers and times rise together. Where the
 * fault model promises less, less is asked: rot may cost what lies in the frames it hit, a lying flush what was written under it;
 * nothing is invented, mixed up or lost beyond that, and what is there then is the truth for the rest of the life.
 */
import { invariant } from '../shared/assert.ts';
import { equalBytes, toHex } from '../shared/bytes.ts';
import { crc32 } from '../shared/crc32.ts';
import { hasCode } from '../shared/errors.ts';
import { PUT_BYTES } from '../shared/ring/entry-layout.ts';
import { encodeFrame, type FrameKind, type FrameSeal } from '../shared/ring/frame-layout.ts';
import { bodyBytesMaxOf } from '../shared/ring/geometry.ts';
import { sealOf } from '../shared/ring/recovery.ts';
import { EPOCH_KEY, type RingState } from '../shared/ring/ring.ts';
import { decodeSuperblock } from '../shared/ring/superblock-layout.ts';
import { type Prng, type Seed, stream } from './random.ts';
import { framesOn, Touched } from './ring-damage.ts';
import { differenceOf, freshHarness, type ModelBatch, modelBody, type RingHarness, readBody, ringLines } from './ring-harness.ts';
import type { ChooseFate, SectorFate } from './sim-disk.ts';
import { drawTorture, type TortureDraw } from './torture-draw.ts';

/** What a life went through. */
export interface Toll {
  crashes: number;
  syncFailures: number;
  rottedBlocks: number;
  /** Times the ring was written through. */
  laps: number;
}

/** A promise was broken; `message` says which, `story` what happened last before that. */
export class TortureViolation extends Error {
  readonly story: readonly string[];

  constructor(cause: unknown, story: readonly string[]) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.story = story;
  }
}

/** Steps of a life that a violation tells of. */
const STORY_LINES = 40;

/** Lives the life of a seed. @throws TortureViolation */
export function tortureRing(seed: Seed): Toll {
  const life = new Life(seed);
  try {
    life.live();
  } catch (error) {
    throw new TortureViolation(error, life.story);
  }
  return life.toll;
}

class Life {
  readonly toll: Toll = { crashes: 0, syncFailures: 0, rottedBlocks: 0, laps: 0 };
  readonly story: string[] = [];
  readonly #draw: TortureDraw;
  readonly #h: RingHarness;
  readonly #random: Prng;
  readonly #fates: Prng;
  readonly #seal: FrameSeal;
  /** Sizes of all messages ever appended, bodies of those that have one of their own, and all values of META: what may show at all. */
  readonly #everBytes = new Map<number, number>();
  readonly #bodies = new Map<number, Uint8Array>();
  readonly #everValues = new Map<string, Set<string | undefined>>();
  /** Appended and not known to be durable, oldest first. */
  #open: ModelBatch[] = [];
  /** Called not written. */
  readonly #ghosts = new Set<number>();
  #refusalsSeen = 0;
  #number = 1;
  /** Damage of which the next opening does not know yet. */
  readonly #touched = new Touched();
  /** Messages whose bodies may be corrupt, for good. */
  readonly #mayBeCorrupt = new Set<number>();
  /** From the first damage on gaps may be reported, again and again. */
  #wasDamaged = false;
  #superblocksRotted = 0;

  constructor(seed: Seed) {
    this.#draw = drawTorture(seed);
    const { geometry, commitDelayMs, cacheBytesMax, pendingBytesMax } = this.#draw;
    this.#random = stream(seed, 'life');
    this.#fates = stream(seed, 'fates');
    const ring = { commitDelayMs, cacheBytesMax, pendingBytesMax };
    this.#h = freshHarness({ geometry, random: stream(seed, 'disk'), completion: 'stepped', ring });
    const superblock = decodeSuperblock(this.#h.disk.platter().subarray(0, 256));
    invariant(superblock !== undefined, 'a formatted file has a superblock');
    this.#seal = sealOf(superblock, crc32);
    this.#tell(`${JSON.stringify(this.#draw)}`);
  }

  live(): void {
    const { harm, steps, crashRate, harmRate } = this.#draw;
    const random = this.#random;
    this.#h.settle();
    for (let step = 0; step < steps; step++) {
      this.#h.nowMs += random.int(20);
      this.#use();
      if (this.#h.ring.state === 'stopped') {
        invariant(this.#superblocksRotted > 0, `the ring stopped by itself: ${this.#h.ring.failure?.message}`);
        this.#tell(`step ${step}: stopped: ${this.#h.ring.failure?.message}`);
        this.#dieAndOpen();
      }
      if (random.chance(0.01)) this.#wouldSurvive();
      if (harm === 'rot' && random.chance(harmRate)) this.#rot(step);
      if (harm === 'lies' && random.chance(harmRate)) this.#lie(step);
      if (!random.chance(crashRate)) continue;
      this.#tell(`step ${step}: crash`);
      this.#crash();
    }
    this.#heal();
    this.toll.laps = this.#h.disk.counters.bytesWritten / this.#h.disk.bytes;
  }

  // What applications do.

  #use(): void {
    const h = this.#h;
    const random = this.#random;
    for (let i = random.int(3); i >= 0; i--) this.#append(this.#batch());
    if (random.chance(0.1)) h.driver.reads = random.pick(['answered', 'held']);
    if (random.chance(0.15)) this.#peek();
    h.play();
    if (random.chance(0.3)) h.driver.answerReads();
    if (random.chance(this.#draw.idleRate)) return;
    for (let writes = 1 + random.int(4); writes > 0 && h.disk.step(); writes--) h.play();
    if (random.chance(0.05)) this.#rest();
  }

  #append(batch: ModelBatch): void {
    const h = this.#h;
    try {
      h.append(batch, this.#random.chance(0.2) ? this.#random.int(250) : 0);
    } catch (error) {
      const isExpected = hasCode(error, 'QUEUE_FULL') || hasCode(error, 'BUSY') || hasCode(error, 'MESSAGE_TOO_LARGE');
      const grows = (batch.puts ?? []).length > 0 || (batch.metas ?? []).some(({ value }) => value !== undefined);
      if (hasCode(error, 'NODE_STOPPED') && h.ring.state === 'stopped') return;
      invariant(isExpected && grows, `refused without a reason: ${error}`);
      return;
    }
    for (const { number, bytes, body } of batch.puts ?? []) {
      this.#everBytes.set(number, bytes);
      if (body !== undefined) this.#bodies.set(number, body);
    }
    for (const { key, value } of batch.metas ?? []) {
      const values = this.#everValues.get(key) ?? new Set();
      this.#everValues.set(key, values.add(value));
    }
    this.#open.push(batch);
  }

  #batch(): ModelBatch {
    const h = this.#h;
    const random = this.#random;
    const live = h.numbers();
    const roll = random.next();
    const isWanting = h.ring.bytesUsed < this.#draw.fullness * h.ring.bytesMax;
    if (live.length === 0 || (isWanting && roll < 0.6) || roll < 0.25) return { puts: this.#puts() };
    if (roll < 0.72) return { acks: Array.from({ length: 1 + random.int(4) }, () => this.#one(live)) };
    if (roll < 0.82) return { metas: Array.from({ length: 1 + random.int(3) }, () => this.#meta()) };
    if (roll < 0.88) {
      const state = { number: this.#one(live), deliveryCount: random.int(99), notBeforeMs: random.int(99_999) };
      return { states: [state] };
    }
    if (roll < 0.93) return this.#replacement(live);
    if (roll < 0.95) return { acks: live.slice(0, 40), reason: 'purged' };
    if (roll < 0.96) return {};
    return { puts: this.#puts(), acks: [this.#one(live)], metas: [this.#meta()], reason: 'dropped' };
  }

  #puts() {
    const { random, max } = { random: this.#random, max: bodyBytesMaxOf(this.#draw.geometry) };
    const count = random.chance(0.25) ? 2 + random.int(3) : 1;
    return Array.from({ length: count }, () => {
      const number = this.#number++;
      const priority = random.int(8);
      const body = random.chance(this.#draw.hostileRate) ? this.#hostileBody() : undefined;
      if (body !== undefined && body.length <= max) return { number, priority, bytes: body.length, body };
      const bytes = this.#bytes();
      return { number, priority, bytes: count > 1 ? Math.min(bytes, Math.floor(max / count)) : bytes };
    });
  }

  /** Sometimes a byte more than is allowed. */
  #bytes(): number {
    const random = this.#random;
    const max = bodyBytesMaxOf(this.#draw.geometry);
    const atMost = (bytes: number) => Math.min(bytes, max + 1);
    switch (this.#draw.sizes) {
      case 'empty':
        return random.chance(0.95) ? 0 : 1;
      case 'small':
        return atMost(random.int(300));
      case 'mixed':
        return atMost(random.int(random.chance(0.1) ? max + 2 : 900));
      case 'large':
        return max + 1 - random.int(random.chance(0.5) ? 3 : Math.floor(max / 3));
      case 'any':
        return random.int(max + 2);
    }
  }

  #one(live: readonly number[]): number {
    const { order } = this.#draw;
    const random = this.#random;
    const near = Math.min(live.length, 1 + random.int(3));
    const at = order === 'random' ? random.int(live.length) : order === 'oldest' ? near - 1 : live.length - near;
    return live[at] ?? 0;
  }

  #meta() {
    const random = this.#random;
    const key = `k${random.int(this.#draw.metaKeys)}`;
    if (random.chance(0.15)) return { key, value: undefined };
    const byte = (16 + random.int(240)).toString(16);
    return { key, value: byte.repeat(random.int(this.#draw.metaBytesMax + 1)) };
  }

  /** A message that takes the place of another, as a dead letter does: a little larger, in the same frame. */
  #replacement(live: readonly number[]): ModelBatch {
    const number = this.#one(live);
    const isLeaving = this.#open.some((batch) => batch.acks?.includes(number));
    if (isLeaving) return { acks: [number] };
    const bytes = (this.#h.durable.messages.get(number)?.bytes ?? 0) + this.#random.int(80);
    return { acks: [number], reason: 'replaced', puts: [{ number: this.#number++, bytes }] };
  }

  /** Blocks as they stand in the file, or frames that could come next, where blocks of the new frame will begin. */
  #hostileBody(): Uint8Array {
    const { geometry, harm } = this.#draw;
    const { blockBytes, blockCount } = geometry;
    const random = this.#random;
    const first = blockBytes - 128;
    const blocks = 1 + random.int(Math.max(1, Math.floor(geometry.frameBlocksMax / 2)));
    const body = new Uint8Array(first + blocks * blockBytes);
    const { index } = this.#h.ring;
    const head = Math.max(blockCount, ...[...index.slots()].map((slot) => index.lsn(slot)));
    // Who knows the file id may forge frames inside a message that a power cut tears: docs/ring-file.md says so.
    const seal = harm === 'kills' && random.chance(0.7) ? this.#seal : { ...this.#seal, seed: random.uint32() };
    for (let i = 0; i < blocks; i++) {
      const into = new Uint8Array(blockBytes);
      if (random.chance(0.5)) {
        const from = random.chance(0.05) ? random.int(2) : 2 + random.int(blockCount);
        this.#tryRead(from * blockBytes, into);
      } else {
        const lsn = head + 1 + i + random.int(3);
        const kind = random.pick<FrameKind>(['data', 'open', 'copies']);
        const next = { kind, epoch: 1 + random.int(500), lsn, seq: 2 + random.int(400) };
        const header = { ...next, prevCrc: 0, tailLsn: lsn - random.int(3), nextId: 1, relogged: random.int(20), queueTimeMs: 0 };
        const value = new Uint8Array(1);
        encodeFrame(header, { entries: [{ kind: 'meta', key: 'forged', value }], bodies: [], into }, seal);
      }
      body.set(into, first + i * blockBytes);
    }
    return body;
  }

  #tryRead(offset: number, into: Uint8Array): void {
    try {
      this.#h.disk.read(offset, into);
    } catch {
      into.fill(0); // an unreadable block makes a dull message
    }
  }

  /** Asks for a body while everything else goes on. The answer may come late, or never if the ring goes first. */
  #peek(): void {
    const { ring } = this.#h;
    const live = this.#h.numbers();
    const number = live[this.#random.int(Math.max(1, live.length))];
    for (const slot of ring.index.slots()) {
      if (ring.index.number(slot) !== number || !ring.canFetch) continue;
      ring.fetchBody(ring.index.id(slot), (result) => {
        if (result.kind === 'body') this.#judgeBody(number, result.body);
        else if (result.kind === 'corrupt') invariant(this.#isExcused(number), `message ${number} is corrupt`);
        else invariant(!this.#h.durable.messages.has(number) || this.#isGoing(number), `message ${number} is gone`);
      });
      return;
    }
  }

  #isGoing(number: number): boolean {
    return this.#h.ring.state === 'stopped' || this.#open.some((batch) => batch.acks?.includes(number));
  }

  // What happens to the machine.

  /** Any crash, openings that are cut short by more of them, and one that is not. */
  #crash(): void {
    const random = this.#random;
    const roll = random.next();
    if (roll < 0.06) return this.#close();
    if (roll < 0.1) return this.#usurp();
    this.#die();
    let cutShort = 0;
    while (random.chance(this.#draw.cutShortRate) && cutShort < 6) {
      cutShort += 1;
      this.#h.beginReopen();
      this.#h.play();
      for (let writes = random.int(4); writes > 0 && this.#h.disk.step(); writes--) this.#h.play();
      this.#die();
    }
    this.#reopen(cutShort);
    if (random.chance(0.15)) this.#checkBodies();
  }

  #dieAndOpen(): void {
    this.#die();
    this.#reopen(0);
  }

  /** Whatever is being written now, the process does not live to hear of it; or hears of its failure, and does not go on. */
  #die(): void {
    const h = this.#h;
    const random = this.#random;
    this.toll.crashes += 1;
    if (this.#draw.harm !== 'kills' && h.disk.pending.length > 0 && random.chance(0.3)) {
      const cache = random.pick<'new' | 'old'>(['new', 'old']);
      this.#tell(`a sync fails, the cache shows what is ${cache}`);
      h.disk.failNextSync(cache);
      h.settle();
      this.toll.syncFailures += 1;
      invariant(h.ring.state === 'stopped', 'a failed write stops the ring');
      this.#noteGhosts();
      if (random.chance(0.3)) h.ring.pump(h.nowMs + 1e6);
    } else if (h.ring.state === 'stopped') {
      this.#noteGhosts();
    }
    if (this.#draw.harm === 'kills' || random.chance(0.4)) {
      this.#tell('killed');
      h.disk.kill();
    } else {
      const fate = random.pick<SectorFate | 'any' | 'first' | 'rest'>([
        'any',
        'any',
        'any',
        'old',
        'new',
        'garbage',
        'half',
        'first',
        'rest',
      ]);
      this.#tell(`power cut, ${fate}, ${h.disk.pendingSectorCount} sectors on their way`);
      h.powerCut(this.#fate(fate));
    }
    // Another boot has another clock.
    if (random.chance(0.5)) h.nowMs = random.int(100_000);
  }

  #fate(fate: SectorFate | 'any' | 'first' | 'rest'): ChooseFate {
    if (fate === 'any') return () => this.#fates.pick<SectorFate>(['old', 'new', 'half', 'garbage']);
    if (fate === 'first') return (position) => (position === 0 ? 'new' : 'old');
    if (fate === 'rest') return (position) => (position === 0 ? 'old' : 'new');
    return () => fate;
  }

  /** The last outcomes belong to the last batches, in order: what was called not written must never be seen. */
  #noteGhosts(): void {
    const h = this.#h;
    const outcomes = h.refused.slice(this.#refusalsSeen);
    this.#refusalsSeen = h.refused.length;
    const open = this.#trimOpen();
    open.slice(open.length - outcomes.length).forEach((batch, i) => {
      if (outcomes[i] !== 'not-written') return;
      for (const { number } of batch.puts ?? []) this.#ghosts.add(number);
    });
  }

  #trimOpen(): ModelBatch[] {
    const { outstandingCount } = this.#h;
    this.#open = outstandingCount === 0 ? [] : this.#open.slice(-outstandingCount);
    return this.#open;
  }

  #close(): void {
    const h = this.#h;
    this.#tell('closed');
    this.#rest();
    if (this.#state() !== 'serving') return this.#dieAndOpen();
    this.#append(this.#batch());
    const isRoomy = h.ring.freeBlocks > 6 * this.#draw.geometry.frameBlocksMax;
    h.ring.close(() => {});
    h.settle();
    if (this.#state() === 'stopped') return this.#dieAndOpen();
    invariant(this.#state() === 'closed', 'a ring that is closed closes');
    invariant(h.outstandingCount === 0, 'a close writes what is pending');
    this.#reopen(0);
    if (!this.#wasDamaged && isRoomy) invariant(h.ring.blocksWritten === 1, 'nothing is said again after a clean close');
  }

  /** Another process opens the file of one that still lives: that one writes nothing any more. */
  #usurp(): void {
    const h = this.#h;
    this.#rest();
    if (h.ring.state !== 'serving' || this.#superblocksRotted > 0) return this.#dieAndOpen();
    this.#tell('a second owner');
    const first = h.driver;
    h.append({ metas: [{ key: 'never', value: '00' }] });
    h.beginReopen();
    h.settle();
    first.play(h.nowMs + 1e6);
    invariant(first.ring.state === 'stopped', 'an owner that was overtaken stops');
    this.#refusalsSeen = h.refused.length;
    this.#judge(0);
    this.#dieAndOpen();
  }

  #state(): RingState {
    return this.#h.ring.state;
  }

  #reopen(cutShort: number): void {
    const h = this.#h;
    h.beginReopen();
    h.settle();
    this.#judge(cutShort);
  }

  // What is broken beyond what the ring promises to survive unharmed.

  #rot(step: number): void {
    const { geometry } = this.#draw;
    const { blockBytes, blockCount } = geometry;
    const h = this.#h;
    const random = this.#random;
    while (h.disk.step()); // the ring does not hear of it yet
    if (random.chance(0.3)) return this.#hiccup();
    if (random.chance(0.1) && this.#superblocksRotted === 0) return this.#rotSuperblocks(step);
    const frames = framesOn(h.disk.platter(), geometry, this.#seal);
    const tail = frames.at(-1)?.tailLsn ?? 0;
    const log = frames.filter(({ lsn }) => lsn >= tail);
    const blocks = new Set<number>();
    for (let i = random.chance(0.6) ? 1 : 1 + random.int(6); i > 0; i--) {
      const frame = log[random.chance(0.2) ? log.length - 1 : random.int(Math.max(1, log.length))];
      const isAnywhere = frame === undefined || random.chance(0.1);
      const from = isAnywhere ? random.int(blockCount) : frame.lsn + (random.chance(0.4) ? 0 : random.int(frame.blocks));
      for (let k = random.chance(0.7) ? 1 : 1 + random.int(5); k > 0; k--) blocks.add((from + k - 1) % blockCount);
    }
    this.#touched.add(frames, geometry, blocks);
    this.#noteDamage();
    if (random.chance(0.25)) return this.#unreadable(step, blocks);
    for (const block of blocks) {
      const how = random.pick<'zeros' | 'garbage' | 'one-bit'>(['zeros', 'garbage', 'one-bit']);
      this.#tell(`step ${step}: block ${block} rots to ${how}`);
      h.disk.rot((2 + block) * blockBytes, blockBytes, how);
    }
    this.toll.rottedBlocks += blocks.size;
    if (random.chance(0.5)) this.#crash();
  }

  #noteDamage(): void {
    this.#wasDamaged = true;
    for (const number of this.#touched.numbers) this.#mayBeCorrupt.add(number);
  }

  /** Reads that fail once cost nothing. */
  #hiccup(): void {
    const { blockBytes, blockCount } = this.#draw.geometry;
    this.#h.disk.healReads();
    this.#h.disk.failReads(this.#random.int(blockCount + 4) * blockBytes, blockBytes, 1);
    if (this.#random.chance(0.5)) this.#dieAndOpen();
  }

  /** One pair, or a copy of it, once in a life: the other pair is what is left. While the ring serves, the fence sees it. */
  #rotSuperblocks(step: number): void {
    const { blockBytes, blockCount } = this.#draw.geometry;
    const random = this.#random;
    const pair = random.int(2);
    const copies = random.pick<number[]>([[pair], [pair + 2], [pair, pair + 2]]);
    this.#superblocksRotted = copies.length;
    this.toll.rottedBlocks += copies.length;
    for (const copy of copies) {
      this.#tell(`step ${step}: superblock copy ${copy} rots`);
      this.#h.disk.rot((copy < 2 ? copy : blockCount + copy) * blockBytes, 256, 'garbage');
    }
    if (random.chance(0.5)) this.#dieAndOpen();
  }

  /** Blocks cannot be read when the ring is opened, and later can again: then what lay in them may be there again. */
  #unreadable(step: number, blocks: ReadonlySet<number>): void {
    const { blockBytes } = this.#draw.geometry;
    const h = this.#h;
    this.#tell(`step ${step}: blocks ${[...blocks]} cannot be read`);
    for (const block of blocks) h.disk.failReads((2 + block) * blockBytes, blockBytes);
    this.toll.rottedBlocks += blocks.size;
    const touched = [[...this.#touched.numbers], [...this.#touched.metas]] as const;
    this.#dieAndOpen();
    this.#excuseWhatLiesIn(blocks);
    this.#checkBodies();
    if (this.#random.chance(0.5)) {
      this.#append({ metas: [this.#meta()] });
      h.settle();
    }
    h.disk.healReads();
    for (const number of touched[0]) this.#touched.numbers.add(number);
    for (const key of touched[1]) this.#touched.metas.add(key);
    this.#tell('they can be read again');
    this.#dieAndOpen();
  }

  /** The opening may have written over them: on this disk they stay unreadable. */
  #excuseWhatLiesIn(blocks: ReadonlySet<number>): void {
    const { blockBytes, blockCount } = this.#draw.geometry;
    const { index } = this.#h.ring;
    for (const slot of index.slots()) {
      const from = Math.floor(index.bodyOffset(slot) / blockBytes);
      const to = Math.floor((index.bodyOffset(slot) + index.bodyBytes(slot)) / blockBytes);
      for (let i = from; i <= to; i++) {
        if (blocks.has((index.lsn(slot) + i) % blockCount)) this.#mayBeCorrupt.add(index.number(slot));
      }
    }
  }

  /** Flushes are called durable and are not, until the power goes. */
  #lie(step: number): void {
    const h = this.#h;
    const random = this.#random;
    this.#rest();
    this.#tell(`step ${step}: flushes lie`);
    const places = this.#places();
    h.disk.lie();
    for (let i = random.int(random.chance(0.8) ? 12 : 60); i >= 0; i--) {
      this.#use();
      if (!random.chance(0.05)) continue;
      h.disk.kill();
      this.#reopen(0);
    }
    this.#rest();
    const now = this.#places();
    this.toll.crashes += 1;
    h.powerCut();
    h.disk.flush();
    h.beginReopen();
    h.settle();
    this.#wasDamaged = true;
    invariant(h.ring.state === 'serving', `the ring serves: ${h.ring.failure?.message}`);
    this.#judgeNothingInvented();
    const shown = this.#places();
    for (const [what, lsn] of places) {
      if (now.get(what) === lsn) invariant(shown.get(what) !== undefined, `${what} at ${lsn} was durable long before`);
    }
    for (const number of this.#everBytes.keys())
      if (places.get(`message ${number}`) === undefined) this.#mayBeCorrupt.add(number);
    for (const [what, lsn] of places) if (now.get(what) !== lsn) this.#mayBeCorrupt.add(Number(what.split(' ')[1]));
    h.believe();
    this.#open = [];
    this.#tell('and the power goes');
    this.#dieAndOpen();
  }

  /** Where everything lies. */
  #places(): Map<string, number> {
    const { index, metas } = this.#h.ring;
    const places = new Map<string, number>();
    for (const slot of index.slots()) places.set(`message ${index.number(slot)}`, index.lsn(slot));
    for (const [key] of metas.withPrefix('')) if (key !== EPOCH_KEY) places.set(`META ${key}`, metas.lsnOf(key) ?? 0);
    return places;
  }

  // What must be true.

  /** After an opening: everything that was called durable, and a prefix of what was not. */
  #judge(cutShort: number): void {
    const h = this.#h;
    const { ring } = h;
    invariant(ring.state === 'serving', `the ring serves: ${ring.failure?.message}`);
    if (this.#touched.isNothing) h.decide();
    else this.#judgeDamaged(cutShort);
    this.#open = [];
    if (!this.#wasDamaged) invariant(ring.report.gaps.length === 0, `gaps: ${JSON.stringify(ring.report.gaps)}`);
    invariant(ring.report.messages === ring.index.count, 'the report counts what is there');
    this.#judgeOrder();
  }

  /** All but what was touched is as it should be; of that, whatever shows was there once, and what is missing was reported. */
  #judgeDamaged(cutShort: number): void {
    const h = this.#h;
    const { numbers, metas, told } = this.#touched;
    const isUntouched = (line: string) => {
      const [kind, name] = line.split(' ');
      return kind === 'message' ? !numbers.has(Number(name)) : !metas.has(name ?? '');
    };
    const shown = ringLines(h.ring).filter(isUntouched);
    const candidate = h.durable.copy();
    let difference = differenceOf(shown, candidate.lines().filter(isUntouched));
    for (const batch of this.#trimOpen()) {
      if (difference === '') break;
      candidate.apply(batch);
      difference = differenceOf(shown, candidate.lines().filter(isUntouched));
    }
    invariant(difference === '', `damage costs more than what it hit:\n${difference}`);
    this.#judgeNothingInvented();
    const there = new Set([...h.ring.index.slots()].map((slot) => h.ring.index.number(slot)));
    const missing = [...told].filter((number) => candidate.messages.has(number) && !there.has(number));
    const { gaps, tornBlocks } = h.ring.report;
    // An opening that was cut short may have told nobody of what it found.
    if (cutShort === 0)
      invariant(missing.length === 0 || gaps.length > 0 || tornBlocks > 0, `${missing} are missing and nobody says so`);
    this.#touched.clear();
    h.believe();
  }

  #judgeNothingInvented(): void {
    const { index, metas } = this.#h.ring;
    const seen = new Set<number>();
    for (const slot of index.slots()) {
      const number = index.number(slot);
      invariant(!seen.has(number), `message ${number} is there twice`);
      seen.add(number);
      invariant(this.#everBytes.get(number) === index.bodyBytes(slot), `message ${number} is a phantom`);
    }
    for (const [key, value] of metas.withPrefix('')) {
      const wasSet = key === EPOCH_KEY || this.#everValues.get(key)?.has(toHex(value));
      invariant(wasSet === true, `META ${key} never had the value ${toHex(value)}`);
    }
  }

  #judgeOrder(): void {
    const { ring, nowMs } = this.#h;
    const { index } = ring;
    const slots = [...index.slots()].sort((a, b) => index.id(a) - index.id(b));
    let before = { number: 0, storedAtMs: 0 };
    for (const slot of slots) {
      const now = { number: index.number(slot), storedAtMs: index.storedAtMs(slot) };
      invariant(!this.#ghosts.has(now.number), `message ${now.number} was called not written`);
      invariant(now.number > before.number, `ids and numbers rise together: ${before.number}, ${now.number}`);
      invariant(now.storedAtMs >= before.storedAtMs, `queue time falls: ${before.storedAtMs}, ${now.storedAtMs}`);
      before = now;
    }
    invariant(ring.queueTime(nowMs) >= before.storedAtMs, 'queue time goes on where it was');
  }

  /** If the power went now, at its worst, and an opening failed with it: would everything that was called durable be there? */
  #wouldSurvive(): void {
    if (!this.#touched.isNothing || this.#superblocksRotted > 0) return;
    const fork = this.#h.fork(this.#fates);
    fork.powerCut(this.#fate(this.#random.pick<SectorFate | 'any'>(['any', 'garbage', 'old'])));
    fork.beginReopen();
    fork.play();
    fork.disk.step();
    fork.play();
    fork.powerCut();
    fork.reopen();
    fork.check();
    if (!this.#wasDamaged) invariant(fork.ring.report.gaps.length === 0, 'nothing is missing in the log');
  }

  /** Everything appended becomes durable, if the disk only works; and then the ring is what was appended. */
  #rest(): void {
    const h = this.#h;
    for (let round = 0; ; round++) {
      h.driver.reads = 'answered';
      h.driver.answerReads();
      h.settle();
      if (h.ring.state === 'stopped' && this.#superblocksRotted > 0) return;
      invariant(h.ring.state === 'serving', `the ring stopped by itself: ${h.ring.failure?.message}`);
      if (h.outstandingCount === 0) break;
      invariant(round < 3, 'what is appended becomes durable');
      h.nowMs += 1000;
    }
    this.#open = [];
    h.check();
  }

  #checkBodies(): void {
    const { ring, driver, nowMs } = this.#h;
    for (const slot of [...ring.index.slots()]) {
      const number = ring.index.number(slot);
      const body = readBody(driver, ring.index.id(slot), nowMs);
      if (body !== undefined) this.#judgeBody(number, body);
      else invariant(this.#isExcused(number), `the body of message ${number} is lost`);
    }
  }

  #judgeBody(number: number, body: Uint8Array): void {
    const bytes = this.#everBytes.get(number) ?? -1;
    const own = this.#bodies.get(number);
    const expected = own ?? modelBody({ number, bytes });
    invariant(equalBytes(body, expected), `message ${number} has a body that is not its own`);
  }

  #isExcused(number: number): boolean {
    return this.#mayBeCorrupt.has(number) || this.#touched.numbers.has(number);
  }

  /** The trouble is over: the ring holds what it should, lets go of all of it, and takes more. */
  #heal(): void {
    const h = this.#h;
    const random = this.#random;
    h.disk.healReads();
    this.#tell('healed');
    this.#rest();
    if (h.ring.state !== 'serving' || !this.#touched.isNothing) {
      this.#dieAndOpen();
      this.#rest();
    }
    this.#checkBodies();
    this.#die();
    this.#reopen(0);
    for (let live = h.numbers(); live.length > 0; live = h.numbers()) {
      const acks = Array.from({ length: 1 + random.int(20) }, () => this.#one(live));
      this.#append({ acks });
      if (random.chance(0.3)) this.#rest();
      else h.settle();
    }
    this.#rest();
    invariant(h.ring.index.count === 0, 'a ring that was drained is empty');
    for (const key of [...h.durable.metas.keys()]) this.#append({ metas: [{ key, value: undefined }] });
    this.#rest();
    const number = this.#number++;
    const bytes = Math.min(h.ring.bodyBytesMax, h.ring.messageBytesMax - h.ring.bytesUsed - PUT_BYTES);
    this.#everBytes.set(number, bytes);
    h.append({ puts: [{ number, bytes }] });
    this.#rest();
    this.#die();
    this.#reopen(0);
    h.check();
    this.#checkBodies();
    invariant([...h.ring.index.slots()].length === 1, 'the last message is there');
  }

  #tell(text: string): void {
    this.story.push(text);
    if (this.story.length > STORY_LINES) this.story.splice(1, 1);
  }
}
