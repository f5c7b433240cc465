/**
 * A full ring says so, still takes acknowledgements, cleans without ever running out of room, and drains. The placement of what
 * lives is chosen against the cleaner: messages at the cap, dense at the tail, acknowledged in the order that hurts.
 */
import { describe, expect, test } from 'vitest';
import { type Prng, stream } from '../../hardware-sim/random.ts';
import { freshHarness, type RingHarness } from '../../hardware-sim/ring-harness.ts';
import { hasCode } from '../errors.ts';
import { FRAME_KINDS } from './frame-layout.ts';
import { geometryFor, geometryIsSafe, type RingGeometry } from './geometry.ts';

const SMALLEST = geometryFor(388 * 512, 512);

/** Kinds of the frames written, counted, and the fewest blocks that were free before any of them. */
function watch(h: RingHarness): { kinds: Record<string, number>; freeBlocksMin: number } {
  const seen = { kinds: {} as Record<string, number>, freeBlocksMin: Number.POSITIVE_INFINITY };
  h.disk.onWrite = ({ bytes, offset }) => {
    const isFrame = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === 0x31464d52 && offset > 0;
    if (!isFrame) return;
    const kind = FRAME_KINDS[bytes[12] ?? 0] ?? '?';
    seen.kinds[kind] = (seen.kinds[kind] ?? 0) + 1;
    // Of a frame that wraps this is the first part only: then the bound asked for is too strict.
    const blocks = bytes.length / h.ring.geometry.blockBytes;
    seen.freeBlocksMin = Math.min(seen.freeBlocksMin, h.ring.freeBlocks + blocks);
  };
  return seen;
}

/** Puts a message, or says that the ring is full. */
function tryPut(h: RingHarness, put: { number: number; bytes: number }): 'stored' | 'full' {
  try {
    h.append({ puts: [put] });
  } catch (error) {
    if (hasCode(error, 'QUEUE_FULL')) return 'full';
    throw error;
  }
  return 'stored';
}

describe('a full ring', () => {
  test('says QUEUE_FULL, keeps what it has, and drains again', () => {
    const h = freshHarness({ geometry: SMALLEST, random: stream('full', 'disk') });
    h.settle();
    let number = 1;
    while (tryPut(h, { number, bytes: 700 }) === 'stored') {
      h.settle();
      number += 1;
    }
    expect(h.ring.hasRoomFor(700)).toBe(false);
    h.check();
    for (const stored of h.numbers()) h.commit({ acks: [stored] });
    expect(h.ring.index.count).toBe(0);
    expect(tryPut(h, { number, bytes: 700 })).toBe('stored');
    h.settle();
    h.check();
  });

  test('refuses what can never fit, whatever there is', () => {
    const h = freshHarness({ geometry: SMALLEST, random: stream('large', 'disk') });
    h.settle();
    const { bodyBytesMax } = h.ring;
    h.commit({ puts: [{ number: 1, bytes: bodyBytesMax }] });
    expect(() => h.append({ puts: [{ number: 2, bytes: bodyBytesMax + 1 }] })).toThrow(/MESSAGE_TOO_LARGE/);
    const two = [3, 4].map((number) => ({ number, bytes: bodyBytesMax }));
    expect(() => h.append({ puts: two })).toThrow(/TRANSACTION_TOO_LARGE/);
    h.check();
    h.checkBodies();
  });

  test('keeps an eighth for META, refuses META that grows beyond what there is, and never one that does not grow', () => {
    const h = freshHarness({ geometry: SMALLEST, random: stream('meta', 'disk') });
    h.settle();
    let number = 1;
    while (tryPut(h, { number, bytes: 400 }) === 'stored') {
      h.settle();
      number += 1;
    }
    let keys = 0;
    const grow = () => h.commit({ metas: [{ key: `stream ${keys++}`, value: '00'.repeat(100) }] });
    expect(() => {
      for (;;) grow();
    }).toThrow(/QUEUE_FULL/);
    expect(keys * 120).toBeGreaterThan(h.ring.bytesMax / 8);
    h.commit({ metas: [{ key: 'stream 0', value: 'ff'.repeat(100) }] });
    h.commit({ metas: [{ key: 'stream 1', value: undefined }] });
    h.commit({ acks: [1], metas: [{ key: 'one more, in the room of what goes', value: 'aa' }] });
    h.check();
  });
});

const others: RingGeometry[] = [
  { blockBytes: 512, blockCount: 384, frameBlocksMax: 16, livePermille: 400, cleanDivisor: 4 },
  { blockBytes: 512, blockCount: 389, frameBlocksMax: 16, livePermille: 400, cleanDivisor: 4 },
  { blockBytes: 1024, blockCount: 1021, frameBlocksMax: 16, livePermille: 400, cleanDivisor: 4 },
  { blockBytes: 512, blockCount: 4099, frameBlocksMax: 64, livePermille: 490, cleanDivisor: 8 },
  { blockBytes: 512, blockCount: 700, frameBlocksMax: 32, livePermille: 450, cleanDivisor: 4 },
];

describe('never runs out of room', () => {
  test.each(
    others.filter(geometryIsSafe).map((g) => [`N=${g.blockCount} Fmax=${g.frameBlocksMax} B=${g.blockBytes}`, g] as const),
  )('%s, acknowledged in random order at the cap, with reopenings', (name, geometry) => {
    const random = stream(name, 'random order');
    const h = freshHarness({ geometry, random: stream(name, 'disk') });
    h.settle();
    const seen = watch(h);
    churn(h, {
      random,
      steps: geometry.blockCount < 1000 ? 1200 : 700,
      bytes: () => random.int(random.chance(0.2) ? h.ring.bodyBytesMax : 900),
    });
    expect(h.disk.counters.bytesWritten / h.disk.bytes).toBeGreaterThan(1);
    expect(seen.freeBlocksMin).toBeGreaterThanOrEqual(2 * geometry.frameBlocksMax);
    h.checkBodies();
  });

  test.each([
    ['bodies of the largest size', (h: RingHarness) => h.ring.bodyBytesMax],
    ['bodies just over half a frame', (h: RingHarness) => (h.ring.geometry.frameBlocksMax * h.ring.geometry.blockBytes) / 2 + 1],
    ['bodies that fill a block but for one byte', () => 512 - 64 - 64 - 1],
    ['bodies one byte over a block', () => 512 - 64 - 64 + 1],
    ['empty bodies', () => 0],
  ])('%s, dense at the tail, the newest acknowledged first', (name, bytes) => {
    const random = stream(name, 'newest first');
    const h = freshHarness({ geometry: SMALLEST, random: stream(name, 'disk') });
    h.settle();
    const seen = watch(h);
    let number = 1;
    const pinned: number[] = [];
    while (tryPut(h, { number, bytes: bytes(h) }) === 'stored') {
      pinned.push(number++);
      if (random.chance(0.3)) h.settle();
    }
    h.settle();
    for (let i = 0; i < 500; i++) {
      const last = h.numbers().at(-1);
      if (last !== undefined) h.commit({ acks: [last] });
      h.append({ puts: [{ number: number++, bytes: bytes(h) }] });
      if (random.chance(0.8)) h.settle();
      if (random.chance(0.05)) {
        h.settle();
        h.powerCut();
        h.reopen();
      }
    }
    h.settle();
    h.check();
    h.checkBodies();
    expect(h.numbers()).toContain(1);
    expect(seen.freeBlocksMin).toBeGreaterThanOrEqual(2 * SMALLEST.frameBlocksMax);
  });

  test('META alone, in frames as full as they get, never starves the message at the tail', () => {
    const h = freshHarness({ geometry: SMALLEST, random: stream('starve', 'disk') });
    h.settle();
    const seen = watch(h);
    h.commit({ puts: [{ number: 1, bytes: 6000 }] });
    for (let i = 0; i < 400; i++) {
      h.append({ metas: Array.from({ length: 7 }, (_, k) => ({ key: `k${k}`, value: `${i % 10}${k}`.repeat(1000) })) });
      h.settle();
    }
    h.check();
    h.checkBodies();
    expect(h.ring.blocksWritten).toBeGreaterThan(10 * SMALLEST.blockCount);
    expect(seen.kinds.copies).toBeGreaterThan(0);
    expect(seen.freeBlocksMin).toBeGreaterThanOrEqual(2 * SMALLEST.frameBlocksMax);
  });
});

describe('a stream of acknowledgements and META that never ends', () => {
  test('does not keep the largest messages from being moved', () => {
    const h = freshHarness({ geometry: SMALLEST, random: stream('stream', 'disk') });
    h.settle();
    const seen = watch(h);
    shortReserve(h);
    for (let i = 0; i < 500; i++) {
      for (let k = 0; k < 3; k++) h.append({ metas: [{ key: `s${k}`, value: `${10 + (i % 90)}`.repeat(600) }] });
      h.settle();
      expect(h.outstandingCount).toBe(0);
    }
    h.check();
    h.checkBodies();
    expect(seen.freeBlocksMin).toBeGreaterThanOrEqual(2 * SMALLEST.frameBlocksMax);
  });
});

/** What may live, dense at the tail, and so much garbage behind it that the reserve is short. */
function shortReserve(h: RingHarness): void {
  let number = 1;
  while (h.ring.hasRoomFor(6144)) h.commit({ puts: [{ number: number++, bytes: 6100 }] });
  for (let i = 0; h.ring.freeBlocks >= 4 * SMALLEST.frameBlocksMax; i++) {
    h.commit({ metas: [0, 1, 2, 3, 4, 5, 6].map((k) => ({ key: `k${k}`, value: `${i % 10}${k}`.repeat(1000) })) });
  }
}

describe('a node that never gets further than opening, with the reserve short', () => {
  test.each<[string, (random: Prng) => number]>([
    ['loses power after its OPEN frame, before the anchor', () => 1],
    ['loses power in the anchor', () => 2],
    ['loses power as soon as it serves', () => 3],
    ['loses power anywhere', (random) => random.int(4)],
  ])('%s, 200 times in a row', (name, writesOf) => {
    const random = stream(name, 'loop');
    const h = freshHarness({ geometry: SMALLEST, random: stream(name, 'disk'), completion: 'stepped' });
    h.settle();
    shortReserve(h);
    for (let i = 0; i < 200; i++) {
      h.powerCut(() => random.pick(['old', 'new', 'half', 'garbage']));
      h.beginReopen();
      h.play();
      for (let left = writesOf(random); left > 0 && h.disk.step(); left--) h.play();
    }
    h.powerCut();
    h.reopen();
    h.check();
    h.checkBodies();
    h.commit({ acks: [h.numbers()[0] ?? 0] });
    h.commit({ puts: [{ number: 777, bytes: 5000 }] });
    h.check();
  });

  test('is killed as often, its writes arriving whole', () => {
    const h = freshHarness({ geometry: SMALLEST, random: stream('kills', 'disk'), completion: 'stepped' });
    h.settle();
    shortReserve(h);
    for (let i = 0; i < 300; i++) {
      h.disk.kill();
      h.beginReopen();
      h.play();
      for (let left = i % 4; left > 0 && h.disk.step(); left--) h.play();
    }
    h.disk.kill();
    h.reopen();
    h.check();
    h.checkBodies();
  });
});

/** Fills up to the cap and replaces at random; now and then a crash. */
function churn(h: RingHarness, how: { random: Prng; steps: number; bytes: () => number }): void {
  const { random } = how;
  let number = 1;
  for (let step = 0; step < how.steps; step++) {
    while (tryPut(h, { number, bytes: how.bytes() }) === 'stored' && random.chance(0.9)) number += 1;
    number += 1;
    if (random.chance(0.5)) h.settle();
    const live = h.numbers();
    for (let i = random.int(3); i >= 0 && live.length > 0; i--) h.append({ acks: [live[random.int(live.length)] ?? 0] });
    if (random.chance(0.1)) h.append({ metas: [{ key: `k${random.int(20)}`, value: '5a'.repeat(random.int(200)) }] });
    if (random.chance(0.5)) h.settle();
    if (!random.chance(0.02)) continue;
    h.settle();
    h.powerCut();
    h.reopen();
  }
  h.settle();
  h.check();
}
