/**
 * What is done to a tortured ring beyond what it promises to survive unharmed: rot, blocks that cannot be read, flushes that lie. The
 * judge is told what was hit before it is.
 */
import type { FrameSeal } from '../shared/ring/frame-layout.ts';
import type { Prng } from './random.ts';
import { framesOn } from './ring-damage.ts';
import type { ModelBatch, RingHarness } from './ring-harness.ts';
import type { TortureDraw } from './torture-draw.ts';
import type { TortureJudge } from './torture-judge.ts';
import type { Traffic } from './torture-traffic.ts';

/** The life that meets it. */
export interface TorturedLife {
  readonly draw: TortureDraw;
  readonly h: RingHarness;
  readonly random: Prng;
  readonly seal: FrameSeal;
  readonly judge: TortureJudge;
  readonly traffic: Traffic;
  readonly toll: { crashes: number; rottedBlocks: number };
  superblocksRotted: number;
  tell(text: string): void;
  append(batch: ModelBatch): void;
  /** Applications and disk go on for a moment. */
  use(): void;
  /** All that was appended becomes durable. */
  rest(): void;
  /** Any crash, openings that are cut short, and one that is not. */
  crash(): void;
  dieAndOpen(): void;
  reopen(cutShort: number): void;
}

export function rot(life: TorturedLife, step: number): void {
  const { geometry } = life.draw;
  const { blockBytes, blockCount } = geometry;
  const h = life.h;
  const random = life.random;
  while (h.disk.step()); // the ring does not hear of it yet
  if (random.chance(0.3)) return hiccup(life);
  if (random.chance(0.1) && life.superblocksRotted === 0) return rotSuperblocks(life, step);
  const frames = framesOn(h.disk.platter(), geometry, life.seal);
  const tail = frames.at(-1)?.tailLsn ?? 0;
  const log = frames.filter(({ lsn }) => lsn >= tail);
  const blocks = new Set<number>();
  for (let i = random.chance(0.6) ? 1 : 1 + random.int(6); i > 0; i--) {
    const frame = log[random.chance(0.2) ? log.length - 1 : random.int(Math.max(1, log.length))];
    const isAnywhere = frame === undefined || random.chance(0.1);
    const from = isAnywhere ? random.int(blockCount) : frame.lsn + (random.chance(0.4) ? 0 : random.int(frame.blocks));
    for (let k = random.chance(0.7) ? 1 : 1 + random.int(5); k > 0; k--) blocks.add((from + k - 1) % blockCount);
  }
  life.judge.touched.add(frames, geometry, blocks);
  life.judge.noteDamage();
  if (random.chance(0.25)) return unreadable(life, step, blocks);
  for (const block of blocks) {
    const how = random.pick<'zeros' | 'garbage' | 'one-bit'>(['zeros', 'garbage', 'one-bit']);
    life.tell(`step ${step}: block ${block} rots to ${how}`);
    h.disk.rot((2 + block) * blockBytes, blockBytes, how);
  }
  life.toll.rottedBlocks += blocks.size;
  if (random.chance(0.5)) life.crash();
}

/** Reads that fail once cost nothing. */
function hiccup(life: TorturedLife): void {
  const { blockBytes, blockCount } = life.draw.geometry;
  life.h.disk.healReads();
  life.h.disk.failReads(life.random.int(blockCount + 4) * blockBytes, blockBytes, 1);
  if (life.random.chance(0.5)) life.dieAndOpen();
}

/** One pair, or a copy of it, once in a life: the other pair is what is left. While the ring serves, the fence sees it. */
function rotSuperblocks(life: TorturedLife, step: number): void {
  const { blockBytes, blockCount } = life.draw.geometry;
  const random = life.random;
  const pair = random.int(2);
  const copies = random.pick<number[]>([[pair], [pair + 2], [pair, pair + 2]]);
  life.superblocksRotted = copies.length;
  life.toll.rottedBlocks += copies.length;
  for (const copy of copies) {
    life.tell(`step ${step}: superblock copy ${copy} rots`);
    life.h.disk.rot((copy < 2 ? copy : blockCount + copy) * blockBytes, 256, 'garbage');
  }
  if (random.chance(0.5)) life.dieAndOpen();
}

/** Blocks cannot be read when the ring is opened, and later can again: then what lay in them may be there again. */
function unreadable(life: TorturedLife, step: number, blocks: ReadonlySet<number>): void {
  const { blockBytes } = life.draw.geometry;
  const h = life.h;
  life.tell(`step ${step}: blocks ${[...blocks]} cannot be read`);
  for (const block of blocks) h.disk.failReads((2 + block) * blockBytes, blockBytes);
  life.toll.rottedBlocks += blocks.size;
  const touched = [[...life.judge.touched.numbers], [...life.judge.touched.metas]] as const;
  life.dieAndOpen();
  excuseWhatLiesIn(life, blocks);
  life.judge.checkBodies();
  if (life.random.chance(0.5)) {
    life.append({ metas: [life.traffic.meta()] });
    h.settle();
  }
  h.disk.healReads();
  for (const number of touched[0]) life.judge.touched.numbers.add(number);
  for (const key of touched[1]) life.judge.touched.metas.add(key);
  life.tell('they can be read again');
  life.dieAndOpen();
}

/** The opening may have written over them: on this disk they stay unreadable. */
function excuseWhatLiesIn(life: TorturedLife, blocks: ReadonlySet<number>): void {
  const { blockBytes, blockCount } = life.draw.geometry;
  const { index } = life.h.ring;
  for (const slot of index.slots()) {
    const from = Math.floor(index.bodyOffset(slot) / blockBytes);
    const to = Math.floor((index.bodyOffset(slot) + index.bodyBytes(slot)) / blockBytes);
    for (let i = from; i <= to; i++) {
      if (blocks.has((index.lsn(slot) + i) % blockCount)) life.judge.excuse(index.number(slot));
    }
  }
}

/** Flushes are called durable and are not, until the power goes. */
export function lie(life: TorturedLife, step: number): void {
  const h = life.h;
  const random = life.random;
  life.rest();
  life.tell(`step ${step}: flushes lie`);
  const places = life.judge.places();
  h.disk.lie();
  for (let i = random.int(random.chance(0.8) ? 12 : 60); i >= 0; i--) {
    life.use();
    if (!random.chance(0.05)) continue;
    h.disk.kill();
    life.reopen(0);
  }
  life.rest();
  const now = life.judge.places();
  life.toll.crashes += 1;
  h.powerCut();
  h.disk.flush();
  h.beginReopen();
  h.settle();
  life.judge.judgeLies(places, now);
  life.tell('and the power goes');
  life.dieAndOpen();
}
