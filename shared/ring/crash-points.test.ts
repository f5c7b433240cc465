/**
 * Goal: whatever write the power fails in, the ring holds what was called durable and an in-flight frame whole or not at all.
 * Method: a script runs on a disk whose writes complete step by step. At every write the disk is cloned, the sectors on their way
 * are left old, new, half-written or garbage in many patterns, and each clone is opened, compared with the model, opened again, cut
 * inside its own recovery, and used.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { freshHarness, type ModelBatch, type RingHarness, ringLines } from '../../hardware-sim/ring-harness.ts';
import type { ChooseFate, SectorFate } from '../../hardware-sim/sim-disk.ts';
import { geometryFor } from './geometry.ts';

const SMALLEST = geometryFor(388 * 512, 512);
const STATES_MIN = 3000;
/** Above this many sectors patterns are sampled. */
const EXHAUSTIVE_SECTORS_MAX = 5;
/** How much is tried at each write: a full ring takes longer to open. */
const THOROUGH = { samples: 24, secondCutEvery: 1, useEvery: 4 };
const SAMPLED = { samples: 4, secondCutEvery: 6, useEvery: 6 };
type Effort = typeof THOROUGH;

type Step = ModelBatch | 'crash' | 'close' | 'fill';

const put = (number: number, bytes = 100): ModelBatch => ({ puts: [{ number, bytes }] });
const meta = (key: string, value: string | undefined): ModelBatch => ({ metas: [{ key, value }] });

const SCRIPTS: Record<string, readonly Step[]> = {
  'a first message': [put(1)],
  'small messages, each in a frame of its own': Array.from({ length: 24 }, (_, i) => put(i + 1, 20 * i)),
  'a queue that drains as it fills': Array.from({ length: 20 }, (_, i) => ({ ...put(i + 1, 700), acks: i < 3 ? [] : [i - 2] })),
  'messages over several blocks': [
    put(1, 1500),
    put(2, 3000),
    { acks: [1] },
    put(3, 700),
    { ...put(4, 1100), acks: [2] },
    put(5, 1000),
  ],
  'a transaction': [
    { puts: [{ number: 1, bytes: 40 }] },
    { puts: [2, 3].map((number) => ({ number, bytes: 300 })), acks: [1], metas: [{ key: 'cursor', value: '05' }] },
    { acks: [2, 3], metas: [{ key: 'cursor', value: '06' }] },
  ],
  'META that changes and goes': [
    meta('a', '01'),
    meta('b', '02'),
    meta('a', '03'),
    meta('b', undefined),
    meta('c', '04'),
    meta('a', '05'),
  ],
  'acknowledgements out of order': [put(1), put(2), put(3), put(4), { acks: [3] }, { acks: [1, 2] }, put(5), { acks: [4] }],
  'counts and delays': [
    put(9, 1300),
    put(1),
    put(2),
    { states: [{ number: 1, deliveryCount: 1, notBeforeMs: 5000 }] },
    { states: [{ number: 1, deliveryCount: 2, notBeforeMs: 6000 }] },
    { acks: [2] },
  ],
  'crashes between': [put(1), meta('a', '01'), 'crash', put(2), { acks: [1] }, 'crash', 'crash', put(3), meta('a', '02')],
  'clean closes between': [put(1), 'close', put(2), { acks: [1] }, 'close', 'close', put(3)],
  'a full ring that wraps': [
    'fill',
    ...Array.from({ length: 14 }, (_, i) => [{ acks: [3 * i + 1, 3 * i + 2] }, put(5001 + i, 900)]).flat(),
  ],
  'a full ring that crashes': ['fill', 'crash', put(5001, 900), { acks: [1, 2, 3] }, 'crash', 'crash', 'crash', put(5002, 100)],
};

/** Patterns of what became of `count` sectors: all there are of few, else a sample. */
function patterns(count: number, seed: string, samples: number): ChooseFate[] {
  const all =
    (fate: SectorFate): ChooseFate =>
    () =>
      fate;
  const chosen: ChooseFate[] = [all('old'), all('new'), all('garbage'), all('half')];
  if (count <= EXHAUSTIVE_SECTORS_MAX) {
    for (let mask = 1; mask < 2 ** count - 1; mask++) chosen.push((position) => ((mask >> position) & 1 ? 'new' : 'old'));
    for (let mask = 1; mask < 2 ** count - 1; mask++) chosen.push((position) => ((mask >> position) & 1 ? 'new' : 'garbage'));
  } else {
    const random = stream(seed, 'patterns');
    for (const at of [0, count - 1]) chosen.push((position) => (position === at ? 'old' : 'new'));
    chosen.push((position) => (position === 0 ? 'new' : 'old'));
    for (let i = 0; i < samples; i++) chosen.push(() => random.pick(['old', 'new', 'half', 'garbage']));
  }
  return chosen;
}

let statesSeen = 0;

/** Every pattern of a power cut at this moment, and what comes of it. */
function cutEverywhere(h: RingHarness, seed: string, effort: Effort): void {
  patterns(h.disk.pendingSectorCount, seed, effort.samples).forEach((choose, i) => {
    const random = stream(`${seed}/${i}`, 'crash');
    const crashed = h.fork(random);
    crashed.powerCut(choose);
    crashed.reopen();
    statesSeen += 1;
    expect(crashed.ring.report.gaps).toEqual([]);
    if (i % effort.secondCutEvery === 0) cutTheRecovery(h, choose, `${seed}/${i}`);
    if (i % effort.useEvery !== 1) return;

    const found = ringLines(crashed.ring);
    crashed.powerCut();
    crashed.reopen();
    expect(ringLines(crashed.ring)).toEqual(found);
    crashed.checkBodies();
    goOn(crashed);
  });
}

/** The same crash, and another one at each write of its recovery. */
function cutTheRecovery(h: RingHarness, choose: ChooseFate, seed: string): void {
  for (let writes = 0; ; writes++) {
    const random = stream(`${seed}/${writes}`, 'second crash');
    const crashed = h.fork(random);
    crashed.powerCut(choose);
    crashed.beginReopen();
    crashed.play();
    for (let i = 0; i < writes; i++) {
      crashed.disk.step();
      crashed.play();
    }
    if (!crashed.driver.isWriting) return;
    crashed.powerCut(() => random.pick(['old', 'new', 'garbage']));
    crashed.reopen();
    statesSeen += 1;
  }
}

function goOn(h: RingHarness): void {
  const [first] = h.numbers();
  h.commit({ puts: [{ number: 900_001, bytes: 60 }], metas: [{ key: 'after', value: '77' }] });
  if (first !== undefined) h.commit({ acks: [first] });
  h.powerCut();
  h.reopen();
  h.check();
}

/**
 * Messages up to the cap in dense frames at the tail, then garbage until so few blocks are free that cleaning alone may write:
 * what comes next finds the reserve short.
 */
function fill(h: RingHarness): void {
  let number = 1;
  while (h.ring.hasRoomFor(6000)) h.commit({ puts: Array.from({ length: 9 }, () => ({ number: number++, bytes: 600 })) });
  const meta: ModelBatch = { metas: [{ key: 'churn', value: '00'.repeat(400) }] };
  while (h.ring.freeBlocks > 5 * SMALLEST.frameBlocksMax) h.commit(meta);
}

function run(h: RingHarness, step: Step, how: { seed: string; effort: Effort }): void {
  const { seed, effort } = how;
  if (step === 'fill') return fill(h);
  if (step === 'close') h.ring.close(() => {});
  else if (step !== 'crash') h.append(step);
  if (step === 'crash') {
    h.powerCut();
    h.beginReopen();
  }
  h.play();
  for (let write = 0; h.driver.isWriting; write++) {
    cutEverywhere(h, `${seed}/${write}`, effort);
    h.disk.step();
    h.play();
  }
  if (step === 'crash') h.decide();
  if (step === 'close') h.reopen();
}

describe('a power cut in any write', () => {
  test.each(Object.keys(SCRIPTS))('%s', (name) => {
    const h = freshHarness({ geometry: SMALLEST, random: stream(name, 'disk'), completion: 'stepped' });
    h.settle();
    const script = SCRIPTS[name] ?? [];
    const effort = script.includes('fill') ? SAMPLED : THOROUGH;
    script.forEach((step, i) => {
      run(h, step, { seed: `${name}/${i}`, effort });
    });
    h.check();
    h.checkBodies();
  });

  test('the very first opening', () => {
    const h = freshHarness({ geometry: SMALLEST, random: stream('first', 'disk'), completion: 'stepped' });
    h.play();
    for (let write = 0; h.driver.isWriting; write++) {
      cutEverywhere(h, `first/${write}`, THOROUGH);
      h.disk.step();
      h.play();
    }
  });
});

afterAll(() => {
  expect(statesSeen).toBeGreaterThanOrEqual(STATES_MIN);
});
