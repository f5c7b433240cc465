/**
 * Goal: whatever write the power fails in, the ring holds what was called durable and an in-flight frame whole or not at all.
 * Method: a script runs on a disk whose writes complete step by step. At every write the disk is cloned, the sectors on their way
 * are left old, new, half-written or garbage in many patterns, and each clone is opened, compared with the model, opened again, cut
 * at every write of its own recovery, and used.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { differenceOf, freshHarness, type ModelBatch, type RingHarness, ringLines } from '../../hardware-sim/ring-harness.ts';
import type { ChooseFate, SectorFate } from '../../hardware-sim/sim-disk.ts';
import { toHex } from '../bytes.ts';
import { FRAME_KINDS } from './frame-layout.ts';
import { bodyBytesMaxOf, contentBytesMaxOf, geometryFor, superblockOffset } from './geometry.ts';
import { frameShare } from './reserve.ts';
import { COUNTER_MAX, decodeSuperblock, encodeSuperblock, type Superblock } from './superblock-layout.ts';

const SMALLEST = geometryFor(388 * 512, 512);
/** 'RMF1' */
const FRAME_MAGIC = '524d4631';
const BODY_BYTES_MAX = bodyBytesMaxOf(SMALLEST);
/** Every test run is to see 3,000 crash states at least; that many scripts see more than three times as many. */
const STATES_MIN = 10_000;
/** Above this many sectors patterns are sampled. */
const EXHAUSTIVE_SECTORS_MAX = 6;
/** How much is tried at each write: a full ring takes longer to open. */
const THOROUGH = { samples: 40, secondCutEvery: 1, useEvery: 8 };
const SAMPLED = { samples: 8, secondCutEvery: 9, useEvery: 11 };
type Effort = typeof THOROUGH;

/**
 * What a full ring is full of: messages alone; with delivery counts and META besides; messages of which every other is gone. `lap`:
 * of nothing that lives, and the head is just before the end of the file.
 */
type Fill = 'messages' | 'states' | 'holes' | 'lap';
type Batches = readonly ModelBatch[];
/** Several batches in one step are appended together. `closing`: and the ring is closed before any of them is written. */
type Step = ModelBatch | Batches | 'crash' | 'close' | ({ kind: 'fill'; of: Fill } | { kind: 'closing'; batches: Batches });

const put = (number: number, bytes = 100): ModelBatch => ({ puts: [{ number, bytes }] });
const meta = (key: string, value: string | undefined): ModelBatch => ({ metas: [{ key, value }] });
const ack = (...acks: number[]): ModelBatch => ({ acks });
const counted = (number: number, deliveryCount: number, notBeforeMs = 0): ModelBatch => ({
  states: [{ number, deliveryCount, notBeforeMs }],
});
const moved = (number: number, queue: number, moveCount: number): ModelBatch => ({ states: [{ number, queue, moveCount }] });
const fillWith = (of: Fill): Step => ({ kind: 'fill', of });
const closing = (...batches: Batches): Step => ({ kind: 'closing', batches });
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

const SCRIPTS: Record<string, readonly Step[]> = {
  'a first message': [put(1)],
  'small messages, each in a frame of its own': upTo(24).map((i) => put(i, 20 * i)),
  'a queue that drains as it fills': upTo(20).map((i) => ({ ...put(i, 700), acks: i < 4 ? [] : [i - 3] })),
  'messages over several blocks': [put(1, 1500), put(2, 2400), ack(1), put(3, 700), { ...put(4, 1100), acks: [2] }, put(5, 1000)],
  'a frame as large as they get': [
    put(1, BODY_BYTES_MAX),
    {
      puts: [{ number: 2, bytes: BODY_BYTES_MAX }, ...[{ number: 3, bytes: contentBytesMaxOf(SMALLEST) - BODY_BYTES_MAX - 128 }]],
    },
    { ...ack(1, 2), puts: [{ number: 4, bytes: BODY_BYTES_MAX }] },
  ],
  'a body that ends where its block does': [put(1, 384), put(2, 385), put(3, 384 + 512), put(4, 0), ack(2, 4), put(5, 384)],
  'a transaction': [
    { puts: [{ number: 1, bytes: 40 }] },
    { puts: [2, 3].map((number) => ({ number, bytes: 300 })), acks: [1], metas: [{ key: 'cursor', value: '05' }] },
    { acks: [2, 3], metas: [{ key: 'cursor', value: '06' }] },
  ],
  'a transaction of everything at once': [
    { puts: upTo(6).map((number) => ({ number, bytes: 50, priority: number % 4 })), metas: [{ key: 'a', value: '01' }] },
    {
      puts: [{ number: 7, bytes: 900 }],
      acks: [2, 3, 4],
      states: [{ number: 5, deliveryCount: 3, notBeforeMs: 70_000 }],
      metas: [
        { key: 'a', value: undefined },
        { key: 'b', value: '02' },
      ],
    },
    { ...ack(1, 5, 6, 7), metas: [{ key: 'b', value: undefined }] },
  ],
  'batches that share a frame, and some that need the next': [
    [put(1, 200), put(2, 200), meta('a', '01')],
    [put(3, 3000), put(4, 3000), ack(1), put(5, 2500), meta('a', '02')],
    [ack(2), ack(3), ack(4), counted(5, 1)],
  ],
  'META that changes and goes': [
    meta('a', '01'),
    meta('b', '02'),
    meta('a', '03'),
    meta('b', undefined),
    meta('c', '04'),
    meta('a', '05'),
  ],
  'META that is deleted, set again, and deleted where it never was': [
    meta('a', '01'),
    meta('a', undefined),
    meta('a', '02'),
    meta('never', undefined),
    [meta('a', undefined), meta('a', '03'), meta('b', '04'), meta('b', undefined)],
    'crash',
    meta('a', undefined),
  ],
  'META values of several blocks': [meta('long', '5a'.repeat(1400)), meta('long', 'a5'.repeat(1900)), meta('long', undefined)],
  'acknowledgements out of order': [put(1), put(2), put(3), put(4), ack(3), ack(1, 2), put(5), ack(4)],
  'runs of acknowledgements': [
    [...upTo(20).map((i) => put(i, 10))],
    [ack(2, 3, 4, 5), ack(6), ack(7, 8), ack(20)],
    ack(9, 11, 12, 13, 15),
    ack(1, 10, 14, 16, 17, 18, 19),
  ],
  'expired and dropped ones': [
    [...upTo(9).map((i) => put(i, 90))],
    [{ ...ack(1, 2), reason: 'expired' }, { ...ack(3, 4), reason: 'dropped' }, ack(5)],
    { ...put(10, 700), ...ack(6), reason: 'dropped' },
    { ...ack(7, 8), reason: 'expired' },
    { ...ack(9), reason: 'purged' },
  ],
  'a message replaced by a newer one': [
    put(1, 600),
    { ...put(2, 700), ...ack(1), reason: 'replaced' },
    { ...put(3, 100), ...ack(2), reason: 'replaced' },
    'crash',
    { ...put(4, 1200), ...ack(3), reason: 'replaced' },
  ],
  'counts and delays': [put(9, 1300), put(1), put(2), counted(1, 1, 5000), counted(1, 2, 6000), ack(2)],
  'a message that is moved and moved back': [
    [put(1, 600), put(2), put(3)],
    moved(1, 8, 1),
    [moved(2, 9, 1), counted(2, 4), { states: [{ number: 3, deliveryCount: 2, queue: 8, moveCount: 1 }] }],
    'crash',
    [moved(1, 7, 2), ack(3), moved(2, 8, 0xffff)],
    ack(1),
  ],
  'cleaning that carries what was moved': [
    fillWith('states'),
    ...[30, 31, 32].map((number) => moved(number, 8, number)),
    ack(4, 5, 6),
    ...upTo(5).map((i) => put(5000 + i, 500)),
    'crash',
    moved(31, 7, 32),
  ],
  'counts up to the last': [put(1), counted(1, 0xfffe), counted(1, 0xffff, 2 ** 48 - 1), 'crash', counted(1, 0), ack(1)],
  'crashes between': [put(1), meta('a', '01'), 'crash', put(2), ack(1), 'crash', 'crash', put(3), meta('a', '02')],
  'crashes behind frames of several blocks': [
    put(1, 1700),
    'crash',
    put(2, 2300),
    'crash',
    'crash',
    { ...put(3, 1500), acks: [2] },
    'crash',
  ],
  'clean closes between': [put(1), 'close', put(2), ack(1), 'close', 'close', put(3)],
  'closing with work outstanding': [
    put(9),
    closing(put(1, 800), meta('a', '01'), ack(9)),
    'crash',
    closing(put(2, 5000), put(3, 4000), ack(1)),
    closing(ack(2)),
  ],
  'many frames ahead of the anchor': [
    upTo(16).map((i) => put(i, 2700)),
    'crash',
    { ...put(17, 900), ...ack(...upTo(12)) },
    upTo(12).map((i) => put(17 + i, 2400)),
  ],
  'a frame around the end of the file': [fillWith('lap'), put(1, 3000), 'crash', put(2), ack(1)],
  'said again around the end of the file': [
    fillWith('lap'),
    put(1, 1100),
    'crash',
    { ...put(2, 500), ...ack(1) },
    'crash',
    'close',
  ],
  'a full ring that goes on': [fillWith('messages'), ...upTo(14).flatMap((i) => [ack(3 * i - 2, 3 * i - 1), put(5000 + i, 900)])],
  'a full ring that crashes': [
    fillWith('messages'),
    'crash',
    put(5001, 900),
    ack(1, 2, 3),
    'crash',
    'crash',
    'crash',
    put(5002, 100),
  ],
  'a full ring that refuses, and takes META all the same': [
    fillWith('messages'),
    ...upTo(6).map((i) => meta('counter', `0${i}`.repeat(150))),
    meta('new', '01'),
    meta('counter', undefined),
  ],
  'a full ring that drops the oldest': [
    fillWith('messages'),
    ...upTo(6).map((i): ModelBatch => ({ ...put(5000 + i, 500), ...ack(i), reason: 'dropped' })),
    'crash',
    { ...put(5010, 500), ...ack(7), reason: 'dropped' },
  ],
  'a full ring whose messages are replaced, beyond what may live': [
    fillWith('messages'),
    ...upTo(6).map((i): ModelBatch => ({ ...put(5000 + i, 1500), ...ack(4 * i), reason: 'replaced' })),
  ],
  'a full ring of which much expires': [
    fillWith('messages'),
    { ...ack(...upTo(40)), reason: 'expired' },
    put(5001, 5000),
    put(5002, 2500),
    { ...ack(...upTo(20).map((i) => 40 + 2 * i)), reason: 'expired' },
    put(5003, 2500),
  ],
  'cleaning that carries counts and META': [
    fillWith('states'),
    counted(30, 77, 9000),
    ack(4, 5, 6),
    ...upTo(5).map((i) => put(5000 + i, 500)),
    'crash',
    meta('m7', 'ff'),
    counted(30, 78),
  ],
  'cleaning past holes': [
    fillWith('holes'),
    ...upTo(8).flatMap((i) => [put(5000 + i, 400), ack(5000 + i)]),
    'crash',
    put(5100, 100),
  ],
};

/** Scripts that begin in a file of which so much is used up already. */
const USED_UP: Record<string, Partial<Superblock>> = {
  'close to the last epoch': { epoch: COUNTER_MAX - 60 },
  'close to the last generation': { generation: COUNTER_MAX - 0x100_0000 - 200 },
  'close to the last queue time': { queueTimeMs: 2 ** 48 - 2 ** 40 - 100_000 },
};

/** Patterns of what became of `count` sectors: all there are of few, else a sample. */
function patterns(count: number, seed: string, samples: number): ChooseFate[] {
  const all =
    (fate: SectorFate): ChooseFate =>
    () =>
      fate;
  const chosen: ChooseFate[] = [all('old'), all('new'), all('garbage'), all('half')];
  if (count <= EXHAUSTIVE_SECTORS_MAX) {
    for (const [set, clear] of [['new', 'old'] as const, ['new', 'garbage'] as const, ['garbage', 'old'] as const])
      for (let mask = 1; mask < 2 ** count - 1; mask++) chosen.push((position) => ((mask >> position) & 1 ? set : clear));
  } else {
    const random = stream(seed, 'patterns');
    for (const at of [0, count - 1]) chosen.push((position) => (position === at ? 'old' : 'new'));
    chosen.push((position) => (position === 0 ? 'new' : 'old'));
    for (let i = 0; i < samples; i++) chosen.push(() => random.pick(['old', 'new', 'half', 'garbage']));
  }
  return chosen;
}

let statesSeen = 0;
/** What was being written at some cut, and how full the ring was. */
const met = new Set<string>();

function note(h: RingHarness): void {
  const [write] = h.disk.pending;
  if (write === undefined) return;
  const isSuperblock = [0, 1, 2, 3].some((copy) => superblockOffset(SMALLEST, copy) === write.offset);
  const kind = toHex(write.bytes.subarray(0, 4)) === FRAME_MAGIC ? FRAME_KINDS[write.bytes[12] ?? 0] : undefined;
  met.add(isSuperblock ? 'superblock' : (kind ?? 'second part'));
  met.add(frameShare(SMALLEST, h.ring.freeBlocks).batches);
  if (write.bytes.length === SMALLEST.frameBlocksMax * SMALLEST.blockBytes) met.add('largest frame');
}

/** Every pattern of a power cut at this moment, and what comes of it. */
function cutEverywhere(h: RingHarness, seed: string, effort: Effort): void {
  note(h);
  patterns(h.disk.pendingSectorCount, seed, effort.samples).forEach((choose, i) => {
    const crashed = h.fork(stream(`${seed}/${i}`, 'crash'));
    crashed.powerCut(choose);
    recover(crashed, `${seed}/${i}`, i % effort.secondCutEvery === 0 ? 'cut' : 'left alone');
    const found = ringLines(crashed.ring);
    if (i % effort.useEvery === 1) crashed.powerCut();
    else crashed.disk.kill();
    reopen(crashed);
    const difference = differenceOf(ringLines(crashed.ring), found);
    if (difference !== '') expect.fail(`another opening shows something else:\n${difference}`);
    if (i % effort.useEvery !== 1) return;
    crashed.checkBodies();
    goOn(crashed);
  });
}

function reopen(crashed: RingHarness): void {
  crashed.reopen();
  expectNoGaps(crashed);
}

/** Opens the ring after a crash. `cut`: at each write of this recovery, a copy meets another crash there. */
function recover(crashed: RingHarness, seed: string, recovery: 'cut' | 'left alone'): void {
  statesSeen += 1;
  if (recovery === 'left alone') return reopen(crashed);
  crashed.beginReopen();
  crashed.play();
  for (let write = 0; crashed.driver.isWriting; write++) {
    const random = stream(`${seed}/${write}`, 'second crash');
    const again = crashed.fork(random);
    again.powerCut(() => random.pick(['old', 'new', 'half', 'garbage']));
    reopen(again);
    statesSeen += 1;
    crashed.disk.step();
    crashed.play();
  }
  crashed.decide();
  expectNoGaps(crashed);
}

/** An `expect` for each of the states costs as much as a part of the states. */
function expectNoGaps({ ring }: RingHarness): void {
  if (ring.report.gaps.length > 0) expect(ring.report.gaps).toEqual([]);
}

function goOn(h: RingHarness): void {
  const [first] = h.numbers();
  if (first !== undefined) h.commit(ack(first));
  const after = { metas: [{ key: 'after', value: '77' }] };
  if (h.ring.hasRoomFor(100)) h.commit({ ...put(900_001, 60), ...after });
  else if (h.ring.bytesUsed + 100 < h.ring.bytesMax) h.commit(after);
  h.powerCut();
  h.reopen();
  h.check();
}

/**
 * Messages up to the cap in dense frames at the tail, then garbage until so few blocks are free that cleaning alone may write:
 * what comes next finds the reserve short.
 */
function fill(h: RingHarness, how: Fill): void {
  if (how === 'lap') {
    while (h.ring.blocksWritten % SMALLEST.blockCount < SMALLEST.blockCount - 5) h.commit(meta('churn', '00'));
    return;
  }
  let number = 1;
  while (h.ring.hasRoomFor(6000)) h.commit({ puts: Array.from({ length: 9 }, () => ({ number: number++, bytes: 600 })) });
  if (how === 'states') {
    for (const one of h.numbers().filter((_, i) => i % 3 === 0)) h.append(counted(one, 1 + (one % 9), 100 * one));
    for (let key = 0; key < 20; key++) h.append(meta(`m${key}`, 'ab'.repeat(10 + key)));
    h.settle();
  }
  if (how === 'holes') h.commit(ack(...h.numbers().filter((_, i) => i % 2 === 0)));
  // Where there is much to clean, fewer than cleaning begins at are not to be had.
  const freeBlocksMax = how === 'holes' ? SMALLEST.blockCount / SMALLEST.cleanDivisor : 5 * SMALLEST.frameBlocksMax;
  while (h.ring.freeBlocks > freeBlocksMax) h.commit(meta('churn', '00'.repeat(400)));
}

function run(h: RingHarness, step: Step, how: { seed: string; effort: Effort }): void {
  const { seed, effort } = how;
  const isClosing = step === 'close' || (typeof step === 'object' && 'kind' in step && step.kind === 'closing');
  if (step === 'crash') {
    h.powerCut();
    h.beginReopen();
  } else if (step === 'close') {
    h.ring.close(() => {});
  } else if ('kind' in step) {
    if (step.kind === 'fill') return fill(h, step.of);
    for (const batch of step.batches) h.append(batch);
    h.ring.close(() => {});
  } else {
    for (const batch of Array.isArray(step) ? step : [step]) h.append(batch);
  }
  h.play();
  for (let write = 0; h.driver.isWriting; write++) {
    cutEverywhere(h, `${seed}/${write}`, effort);
    h.disk.step();
    h.play();
  }
  if (step === 'crash') h.decide();
  if (isClosing) h.reopen();
}

function play(h: RingHarness, name: string, script: readonly Step[]): void {
  const effort = script.some((step) => typeof step === 'object' && 'kind' in step && step.kind === 'fill' && step.of !== 'lap')
    ? SAMPLED
    : THOROUGH;
  script.forEach((step, i) => {
    run(h, step, { seed: `${name}/${i}`, effort });
  });
  h.check();
  h.checkBodies();
}

const begin = (name: string) => freshHarness({ geometry: SMALLEST, random: stream(name, 'disk'), completion: 'stepped' });

describe('a power cut in any write', () => {
  test.each(Object.entries(SCRIPTS))('AC-50 %s', (name, script) => {
    const h = begin(name);
    h.settle();
    play(h, name, script);
  });

  test.each(Object.entries(USED_UP))('%s', (name, change) => {
    const h = begin(name);
    h.settle();
    h.ring.close(() => {});
    h.settle();
    const whole = decodeSuperblock(h.disk.platter().subarray(0, 256)) ?? decodeSuperblock(new Uint8Array(256));
    if (whole === undefined) throw new Error('copy 0 is whole');
    for (const copy of [0, 1, 2, 3]) {
      const changed = { ...whole, ...change };
      const generation = changed.generation - ((changed.generation ^ copy) & 1);
      h.disk.poke(superblockOffset(SMALLEST, copy), encodeSuperblock({ ...changed, generation }, copy));
    }
    h.reopen();
    play(h, name, [put(1, 900), 'crash', { ...put(2), acks: [1] }, 'close', meta('a', '01'), 'crash', 'crash', put(3)]);
  });

  test('the very first opening', () => {
    const h = begin('first');
    h.play();
    for (let write = 0; h.driver.isWriting; write++) {
      cutEverywhere(h, `first/${write}`, THOROUGH);
      h.disk.step();
      h.play();
    }
  });
});

afterAll(() => {
  expect([...met].sort()).toEqual(
    [...FRAME_KINDS, 'superblock', 'second part', 'largest frame', 'all', 'without-puts', 'none'].sort(),
  );
  expect(statesSeen).toBeGreaterThanOrEqual(STATES_MIN);
});
