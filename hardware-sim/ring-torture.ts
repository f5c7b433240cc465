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
import { crc32 } from '../shared/crc32.ts';
import { hasCode } from '../shared/errors.ts';
import { PUT_BYTES } from '../shared/ring/entry-layout.ts';
import type { FrameSeal } from '../shared/ring/frame-layout.ts';
import { sealOf } from '../shared/ring/recovery.ts';
import type { RingState } from '../shared/ring/ring.ts';
import { decodeSuperblock } from '../shared/ring/superblock-layout.ts';
import { type Prng, type Seed, stream } from './random.ts';
import { freshHarness, type ModelBatch, type RingHarness } from './ring-harness.ts';
import type { ChooseFate, SectorFate } from './sim-disk.ts';
import { drawTorture, type TortureDraw } from './torture-draw.ts';
import { lie, rot, type TorturedLife } from './torture-harm.ts';
import { TortureJudge } from './torture-judge.ts';
import { Traffic } from './torture-traffic.ts';

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

/** What may be said to a batch that wants room, and only to one. */
const REFUSALS = ['QUEUE_FULL', 'BUSY', 'MESSAGE_TOO_LARGE', 'TRANSACTION_TOO_LARGE'] as const;
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

class Life implements TorturedLife {
  readonly toll: Toll = { crashes: 0, syncFailures: 0, rottedBlocks: 0, laps: 0 };
  readonly story: string[] = [];
  readonly draw: TortureDraw;
  readonly h: RingHarness;
  readonly random: Prng;
  readonly #fates: Prng;
  readonly seal: FrameSeal;
  readonly traffic: Traffic;
  readonly judge: TortureJudge;
  superblocksRotted = 0;

  constructor(seed: Seed) {
    this.draw = drawTorture(seed);
    const { geometry, commitDelayMs, cacheBytesMax, pendingBytesMax } = this.draw;
    this.random = stream(seed, 'life');
    this.#fates = stream(seed, 'fates');
    const ring = { commitDelayMs, cacheBytesMax, pendingBytesMax };
    this.h = freshHarness({ geometry, random: stream(seed, 'disk'), completion: 'stepped', ring });
    const superblock = decodeSuperblock(this.h.disk.platter().subarray(0, 256));
    invariant(superblock !== undefined, 'a formatted file has a superblock');
    this.seal = sealOf(superblock, crc32);
    this.traffic = new Traffic(this.draw, { h: this.h, random: this.random, seal: this.seal });
    this.judge = new TortureJudge(this.h);
    this.tell(`${JSON.stringify(this.draw)}`);
  }

  live(): void {
    const { harm, steps, crashRate, harmRate } = this.draw;
    const random = this.random;
    this.h.settle();
    for (let step = 0; step < steps; step++) {
      this.h.nowMs += random.int(20);
      this.use();
      if (this.h.ring.state === 'stopped') {
        invariant(this.superblocksRotted > 0, `the ring stopped by itself: ${this.h.ring.failure?.message}`);
        this.tell(`step ${step}: stopped: ${this.h.ring.failure?.message}`);
        this.dieAndOpen();
      }
      if (random.chance(0.01)) this.#wouldSurvive();
      if (harm === 'rot' && random.chance(harmRate)) rot(this, step);
      if (harm === 'lies' && random.chance(harmRate)) lie(this, step);
      if (!random.chance(crashRate)) continue;
      this.tell(`step ${step}: crash`);
      this.crash();
    }
    this.#heal();
    this.toll.laps = this.h.disk.counters.bytesWritten / this.h.disk.bytes;
  }

  // What applications do.

  use(): void {
    const h = this.h;
    const random = this.random;
    for (let i = random.int(3); i >= 0; i--) this.append(this.traffic.batch((number) => this.judge.isLeaving(number)));
    if (random.chance(0.1)) h.driver.reads = random.pick(['answered', 'held']);
    if (random.chance(0.15)) this.#peek();
    h.play();
    if (random.chance(0.3)) h.driver.answerReads();
    if (random.chance(this.draw.idleRate)) return;
    for (let writes = 1 + random.int(4); writes > 0 && h.disk.step(); writes--) h.play();
    if (random.chance(0.05)) this.rest();
  }

  append(batch: ModelBatch): void {
    const h = this.h;
    try {
      h.append(batch, this.random.chance(0.2) ? this.random.int(250) : 0);
    } catch (error) {
      const isExpected = REFUSALS.some((code) => hasCode(error, code));
      const grows = (batch.puts ?? []).length > 0 || (batch.metas ?? []).some(({ value }) => value !== undefined);
      if (hasCode(error, 'NODE_STOPPED') && h.ring.state === 'stopped') return;
      invariant(isExpected && grows, `refused without a reason: ${error}`);
      return;
    }
    this.judge.appended(batch);
  }

  /** Asks for a body while everything else goes on. The answer may come late, or never if the ring goes first. */
  #peek(): void {
    const { ring } = this.h;
    const live = this.h.numbers();
    const number = live[this.random.int(Math.max(1, live.length))];
    for (const slot of ring.index.slots()) {
      if (ring.index.number(slot) !== number || !ring.canFetch) continue;
      ring.fetchBody(ring.index.id(slot), (result) => {
        if (result.kind === 'body') this.judge.judgeBody(number, result.body);
        else if (result.kind === 'corrupt') invariant(this.judge.isExcused(number), `message ${number} is corrupt`);
        else invariant(!this.h.durable.messages.has(number) || this.#isGoing(number), `message ${number} is gone`);
      });
      return;
    }
  }

  #isGoing(number: number): boolean {
    return this.h.ring.state === 'stopped' || this.judge.isLeaving(number);
  }

  // What happens to the machine.

  /** Any crash, openings that are cut short by more of them, and one that is not. */
  crash(): void {
    const random = this.random;
    const roll = random.next();
    if (roll < 0.06) return this.#close();
    if (roll < 0.1) return this.#usurp();
    this.#die();
    let cutShort = 0;
    while (random.chance(this.draw.cutShortRate) && cutShort < 6) {
      cutShort += 1;
      this.h.beginReopen();
      this.h.play();
      for (let writes = random.int(4); writes > 0 && this.h.disk.step(); writes--) this.h.play();
      this.#die();
    }
    this.reopen(cutShort);
    if (random.chance(0.15)) this.judge.checkBodies();
  }

  dieAndOpen(): void {
    this.#die();
    this.reopen(0);
  }

  /** Whatever is being written now, the process does not live to hear of it; or hears of its failure, and does not go on. */
  #die(): void {
    const h = this.h;
    const random = this.random;
    this.toll.crashes += 1;
    if (this.draw.harm !== 'kills' && h.disk.pending.length > 0 && random.chance(0.3)) {
      const cache = random.pick<'new' | 'old'>(['new', 'old']);
      this.tell(`a sync fails, the cache shows what is ${cache}`);
      h.disk.failNextSync(cache);
      h.settle();
      this.toll.syncFailures += 1;
      invariant(h.ring.state === 'stopped', 'a failed write stops the ring');
      this.judge.noteGhosts();
      if (random.chance(0.3)) h.ring.pump(h.nowMs + 1e6);
    } else if (h.ring.state === 'stopped') {
      this.judge.noteGhosts();
    }
    if (this.draw.harm === 'kills' || random.chance(0.4)) {
      this.tell('killed');
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
      this.tell(`power cut, ${fate}, ${h.disk.pendingSectorCount} sectors on their way`);
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

  #close(): void {
    const h = this.h;
    this.tell('closed');
    this.rest();
    if (this.#state() !== 'serving') return this.dieAndOpen();
    this.append(this.traffic.batch((number) => this.judge.isLeaving(number)));
    const isRoomy = h.ring.freeBlocks > 6 * this.draw.geometry.frameBlocksMax;
    h.ring.close(() => {});
    h.settle();
    if (this.#state() === 'stopped') return this.dieAndOpen();
    invariant(this.#state() === 'closed', 'a ring that is closed closes');
    invariant(h.outstandingCount === 0, 'a close writes what is pending');
    this.reopen(0);
    if (!this.judge.wasDamaged && isRoomy) invariant(h.ring.blocksWritten === 1, 'nothing is said again after a clean close');
  }

  /** Another process opens the file of one that still lives: that one writes nothing any more. */
  #usurp(): void {
    const h = this.h;
    this.rest();
    if (h.ring.state !== 'serving' || this.superblocksRotted > 0) return this.dieAndOpen();
    this.tell('a second owner');
    const first = h.driver;
    h.append({ metas: [{ key: 'never', value: undefined }] }); // a full ring takes that too
    h.beginReopen();
    h.settle();
    first.play(h.nowMs + 1e6);
    invariant(first.ring.state === 'stopped', 'an owner that was overtaken stops');
    this.judge.forgetRefusals();
    this.judge.judge(0);
    this.dieAndOpen();
  }

  /** Read anew each time: the compiler believes that it cannot change. */
  #state(): RingState {
    return this.h.ring.state;
  }

  reopen(cutShort: number): void {
    const h = this.h;
    h.beginReopen();
    h.settle();
    this.tell(`opened: ${JSON.stringify(h.ring.report)}`);
    this.judge.judge(cutShort);
  }

  // What must be true.

  /** If the power went now, at its worst, and an opening failed with it: would everything that was called durable be there? */
  #wouldSurvive(): void {
    if (!this.judge.touched.isNothing || this.superblocksRotted > 0) return;
    const fork = this.h.fork(this.#fates);
    fork.powerCut(this.#fate(this.random.pick<SectorFate | 'any'>(['any', 'garbage', 'old'])));
    fork.beginReopen();
    fork.play();
    fork.disk.step();
    fork.play();
    fork.powerCut();
    fork.reopen();
    fork.check();
    if (!this.judge.wasDamaged) invariant(fork.ring.report.gaps.length === 0, 'nothing is missing in the log');
  }

  /** Everything appended becomes durable, if the disk only works; and then the ring is what was appended. */
  rest(): void {
    const h = this.h;
    for (let round = 0; ; round++) {
      h.driver.reads = 'answered';
      h.driver.answerReads();
      h.settle();
      if (h.ring.state === 'stopped' && this.superblocksRotted > 0) return;
      invariant(h.ring.state === 'serving', `the ring stopped by itself: ${h.ring.failure?.message}`);
      if (h.outstandingCount === 0) break;
      invariant(round < 3, 'what is appended becomes durable');
      h.nowMs += 1000;
    }
    this.judge.allDurable();
  }

  /** The trouble is over: the ring holds what it should, lets go of all of it, and takes more. */
  #heal(): void {
    const h = this.h;
    const random = this.random;
    h.disk.healReads();
    this.tell('healed');
    this.rest();
    if (h.ring.state !== 'serving' || !this.judge.touched.isNothing) {
      this.dieAndOpen();
      this.rest();
    }
    this.judge.checkBodies();
    this.#die();
    this.reopen(0);
    for (let live = h.numbers(); live.length > 0; live = h.numbers()) {
      const acks = Array.from({ length: 1 + random.int(20) }, () => this.traffic.one(live));
      this.append({ acks });
      if (random.chance(0.3)) this.rest();
      else h.settle();
    }
    this.rest();
    invariant(h.ring.index.count === 0, 'a ring that was drained is empty');
    for (const key of [...h.durable.metas.keys()]) this.append({ metas: [{ key, value: undefined }] });
    this.rest();
    const number = this.traffic.nextNumber();
    const bytes = Math.min(h.ring.bodyBytesMax, h.ring.messageBytesMax - h.ring.bytesUsed - PUT_BYTES);
    this.append({ puts: [{ number, bytes }] });
    this.rest();
    this.#die();
    this.reopen(0);
    h.check();
    this.judge.checkBodies();
    invariant([...h.ring.index.slots()].length === 1, 'the last message is there');
  }

  tell(text: string): void {
    this.story.push(text);
    if (this.story.length > STORY_LINES) this.story.splice(1, 1);
  }
}
