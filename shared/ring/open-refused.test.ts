/** What is no ring of ours is refused by name, and nothing in it is changed. What only claims to be one is not believed. */
import { describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { formattedDisk, openRing } from '../../hardware-sim/ring-driver.ts';
import { freshHarness, RingHarness } from '../../hardware-sim/ring-harness.ts';
import { SimDisk } from '../../hardware-sim/sim-disk.ts';
import { equalBytes } from '../bytes.ts';
import { crc32 } from '../crc32.ts';
import { type ErrorCode, RingmailError } from '../errors.ts';
import { encodeFrame } from './frame-layout.ts';
import { geometryFor, segmentsOf, superblockOffset } from './geometry.ts';
import { sealOf } from './recovery.ts';
import { COUNTER_MAX, decodeSuperblock, encodeSuperblock, type Superblock } from './superblock-layout.ts';

const SMALLEST = geometryFor(388 * 512, 512);
const { blockBytes } = SMALLEST;

function codeOf(disk: SimDisk): ErrorCode | 'serving' | undefined {
  const before = disk.platter();
  const driver = openRing(disk);
  driver.play(0);
  if (driver.ring.state === 'serving') return 'serving';
  expect(driver.ring.state).toBe('stopped');
  expect(equalBytes(disk.platter(), before), 'nothing was changed').toBe(true);
  const { failure } = driver.ring;
  return failure instanceof RingmailError ? failure.code : undefined;
}

function diskOf(bytes: Uint8Array): SimDisk {
  const disk = new SimDisk({ bytes: bytes.length, random: stream('disk', 'of') });
  disk.poke(0, bytes);
  return disk;
}

function superblockOf(disk: SimDisk): Superblock {
  const found = decodeSuperblock(disk.platter().subarray(0, 512));
  if (found === undefined) throw new Error('copy 0 is whole');
  return found;
}

/** Replaces all four copies. */
function rewrite(disk: SimDisk, change: Partial<Superblock>): void {
  const superblock = { ...superblockOf(disk), ...change };
  for (const copy of [0, 1, 2, 3]) {
    const generation = superblock.generation - ((superblock.generation ^ copy) & 1);
    const bytes = encodeSuperblock({ ...superblock, generation: Math.max(generation, copy & 1) }, copy);
    disk.poke(superblockOffset(SMALLEST, copy), bytes.subarray(0, blockBytes));
  }
}

const formatted = (seed: string) => formattedDisk(SMALLEST, stream(seed, 'disk'));

describe('refused by name', () => {
  test('files that are something else, or nothing', () => {
    expect(codeOf(diskOf(new Uint8Array(0)))).toBe('RING_FOREIGN');
    expect(codeOf(diskOf(new Uint8Array(100)))).toBe('RING_FOREIGN');
    expect(codeOf(diskOf(new Uint8Array(388 * 512)))).toBe('RING_FOREIGN');
    expect(codeOf(diskOf(stream('noise', 'file').bytes(388 * 512)))).toBe('RING_FOREIGN');
  });

  test('a file cut short or grown, however much', () => {
    const whole = formatted('cut').platter();
    for (const bytes of [1, 511, 512, 1024, 100_000]) {
      expect(codeOf(diskOf(whole.subarray(0, whole.length - bytes))), `${bytes} less`).toBe('RING_TRUNCATED');
    }
    const grown = new Uint8Array(whole.length + 4096);
    grown.set(whole);
    expect(codeOf(diskOf(grown))).toBe('RING_TRUNCATED');
  });

  test('a newer format, and a feature that must be understood', () => {
    const newer = formatted('newer');
    rewrite(newer, { formatMajor: 2 });
    expect(codeOf(newer)).toBe('RING_TOO_NEW');
    const feature = formatted('feature');
    rewrite(feature, { incompatible: 1 });
    expect(codeOf(feature)).toBe('RING_TOO_NEW');
  });

  test('but not a feature that need not be, which stays noted', () => {
    const disk = formatted('compatible');
    rewrite(disk, { compatible: 0x40 });
    expect(codeOf(disk)).toBe('serving');
    expect(superblockOf(disk).compatible).toBe(0x40);
  });

  test('a geometry that is none of ours', () => {
    const changes = [
      { frameBlocksMax: 0 },
      { frameBlocksMax: 0xffffffff },
      { livePermille: 900 },
      { cleanDivisor: 0 },
      { blockCount: 5 },
    ];
    for (const change of changes) {
      const disk = formatted('geometry');
      rewrite(disk, { geometry: { ...SMALLEST, ...change } });
      expect(codeOf(disk), JSON.stringify(change)).toMatch(/RING_FOREIGN|RING_TRUNCATED/);
    }
  });

  test('a file whose counters are used up', () => {
    const epoch = formatted('epoch');
    rewrite(epoch, { epoch: COUNTER_MAX });
    expect(codeOf(epoch)).toBe('RING_WORN_OUT');
    const generation = formatted('generation');
    rewrite(generation, { generation: COUNTER_MAX - 1 });
    expect(codeOf(generation)).toBe('RING_WORN_OUT');
  });

  test('a file of which no superblock copy is left', () => {
    const disk = formatted('gone');
    for (const copy of [0, 1, 2, 3]) disk.rot(superblockOffset(SMALLEST, copy), blockBytes, 'garbage');
    expect(codeOf(disk)).toBe('RING_FOREIGN');
  });
});

describe('near the limits', () => {
  test('numbers far beyond 32 bits, and the last epoch', () => {
    const lsn = 2 ** 47 - 60;
    const disk = formatted('limits');
    rewrite(disk, { anchorLsn: lsn, anchorSeq: 2 ** 47 - 3, nextId: 2 ** 40 - 2, queueTimeMs: 2 ** 41 });
    const h = new RingHarness(disk);
    h.settle();
    for (let number = 1; number < 120; number++) {
      h.commit({ puts: [{ number, bytes: 300 }] });
      if (number > 20) h.commit({ acks: [number - 20] });
      if (number % 30 !== 0) continue;
      h.powerCut();
      h.reopen();
      expect(h.ring.report.gaps).toEqual([]);
    }
    h.checkBodies();
    expect(Math.max(...[...h.ring.index.slots()].map((slot) => h.ring.index.lsn(slot)))).toBeGreaterThan(2 ** 47);
    expect(Math.max(...[...h.ring.index.slots()].map((slot) => h.ring.index.id(slot)))).toBeGreaterThan(2 ** 40);
  });

  test.each(['anchorLsn', 'anchorSeq', 'nextId', 'queueTimeMs'] as const)(
    'a file whose %s might wrap within one opening',
    (field) => {
      const disk = formatted('wrap');
      rewrite(disk, { [field]: 2 ** 48 - 2 ** 40 });
      expect(codeOf(disk)).toBe('RING_WORN_OUT');
      rewrite(disk, { [field]: 2 ** 48 - 2 ** 40 - 2 });
      expect(codeOf(disk)).toBe('serving');
    },
  );

  test('the last epochs are used, and none wraps', () => {
    const h = freshHarness({ geometry: SMALLEST, random: stream('last', 'epochs') });
    h.settle();
    h.commit({ puts: [{ number: 1, bytes: 10 }] });
    h.ring.close(() => {});
    h.settle();
    rewrite(h.disk, { epoch: COUNTER_MAX - 2 });
    for (const counter of [COUNTER_MAX - 1, COUNTER_MAX]) {
      h.reopen();
      expect(h.ring.epoch.counter).toBe(counter);
      h.ring.close(() => {});
      h.settle();
    }
    h.check();
    expect(codeOf(h.disk)).toBe('RING_WORN_OUT');
  });
});

describe('hostile content', () => {
  test('a message that is a copy of this file is a message', () => {
    const h = freshHarness({ geometry: SMALLEST, random: stream('copy', 'disk'), completion: 'stepped' });
    const random = stream('copy', 'life');
    h.settle();
    let number = 1;
    for (let i = 0; i < 12; i++) h.commit({ puts: [{ number: number++, bytes: 200 + random.int(1500) }] });
    for (let i = 0; i < 150; i++) {
      // Blocks of the file as it is, superblocks too, where a block of the new frame will begin.
      const from = 512 * random.int(random.chance(0.2) ? 2 : 388 - 8);
      const body = new Uint8Array(384 + 6 * 512);
      body.set(h.disk.platter().subarray(from, from + 6 * 512), 384);
      h.append({
        puts: [{ number: number++, bytes: body.length, body }],
        acks: h.numbers().length > 14 ? h.numbers().slice(0, 2) : [],
      });
      h.play();
      if (random.chance(0.4)) {
        h.powerCut(() => random.pick(['old', 'new', 'half', 'garbage']));
        h.reopen();
        expect(h.ring.report.gaps).toEqual([]);
      }
      h.settle();
    }
    h.check();
    h.checkBodies();
  });

  test('even one that knows the file id and guesses what comes next is a message, once it is whole', () => {
    const h = freshHarness({ geometry: SMALLEST, random: stream('forged', 'disk') });
    h.settle();
    const seal = sealOf(superblockOf(h.disk), crc32);
    h.commit({ puts: [{ number: 1, bytes: 100 }] });
    const lsn = h.ring.index.lsn(h.ring.index.find(1)) + 1;
    const body = new Uint8Array(384 + 4 * 512);
    for (let block = 0; block < 4; block++) {
      const forged = {
        kind: 'data',
        epoch: 40,
        lsn: lsn + 1 + block,
        seq: 4 + block,
        prevCrc: 0,
        tailLsn: lsn,
        nextId: 9,
      } as const;
      const into = new Uint8Array(512);
      const meta = { kind: 'meta', key: 'forged', value: new Uint8Array(1) } as const;
      encodeFrame({ ...forged, relogged: 9, queueTimeMs: 0 }, { entries: [meta], bodies: [], into }, seal);
      body.set(into, 384 + block * 512);
    }
    h.commit({ puts: [{ number: 2, bytes: body.length, body }] });
    expect(h.ring.index.lsn(h.ring.index.find(2))).toBe(lsn); // as guessed
    h.powerCut();
    h.reopen();
    h.check();
    h.checkBodies();
    expect(h.ring.metas.get('forged')).toBeUndefined();
    // And when the frame before it is lost, so that the walk must look for the next one.
    const [at] = segmentsOf(SMALLEST, { lsn: lsn - 1, skip: 0, bytes: 512 });
    h.disk.rot(at?.offset ?? 0, 512, 'zeros');
    h.beginReopen();
    h.settle();
    expect(h.ring.metas.get('forged')).toBeUndefined();
    expect(h.ring.index.count).toBe(1);
  });

  test("a superblock in a message is not taken for the file's, also when a copy is lost", () => {
    const geometry = geometryFor(600 * 4096, 4096);
    const h = freshHarness({ geometry, random: stream('superblock', 'disk') });
    h.settle();
    const forged = encodeSuperblock({ ...superblockOf(h.disk), generation: 900, epoch: 900, anchorSeq: 1, nextId: 1 }, 0);
    const alone = { blockBytes: 65_536, blockCount: 400, frameBlocksMax: 8, livePermille: 400, cleanDivisor: 4 };
    const another = encodeSuperblock({ ...superblockOf(h.disk), generation: 901, geometry: alone }, 1);
    let number = 1;
    for (let i = 0; i < 60; i++) {
      const body = new Uint8Array(4096 - 128 + 8 * 4096);
      for (let at = 4096 - 128; at < body.length; at += 4096) body.set((i % 2 === 0 ? forged : another).subarray(0, 256), at);
      h.commit({ puts: [{ number: number++, bytes: body.length, body }] });
      if (h.numbers().length > 10) h.commit({ acks: h.numbers().slice(0, 1) });
    }
    for (const lost of [[], [0], [1], [0, 1], [0, 1, 2], [1, 2, 3]]) {
      const fork = h.fork(stream(lost.join(), 'fork'));
      for (const copy of lost) fork.disk.rot(superblockOffset(geometry, copy), 4096, 'garbage');
      fork.powerCut();
      fork.reopen();
      fork.check();
    }
  });
});
