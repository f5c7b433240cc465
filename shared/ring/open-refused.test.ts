/** What is no ring of ours is refused by name, and nothing in it is changed. What only claims to be one is not believed. */
import { describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { framesOn } from '../../hardware-sim/ring-damage.ts';
import { formattedDisk, openRing } from '../../hardware-sim/ring-driver.ts';
import { freshHarness, RingHarness, readBody } from '../../hardware-sim/ring-harness.ts';
import { SimDisk } from '../../hardware-sim/sim-disk.ts';
import { equalBytes } from '../bytes.ts';
import { crc32 } from '../crc32.ts';
import { type ErrorCode, RingmailError } from '../errors.ts';
import { encodeFrame, FRAME_KINDS } from './frame-layout.ts';
import { geometryFor, segmentsOf, superblockOffset } from './geometry.ts';
import { sealOf } from './recovery.ts';
import { COUNTER_MAX, decodeSuperblock, encodeSuperblock, NUMBER_MAX, type Superblock } from './superblock-layout.ts';

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

/** What one opening may use up of a number of 48 bits: with more used up before it, there is no further opening. */
const NUMBERS_PER_OPENING = 2 ** 40;
const GENERATIONS_PER_OPENING = 2 ** 24;

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

  test.each(['anchorLsn', 'anchorSeq', 'nextId', 'queueTimeMs'] as const)(
    'the last opening that %s allows works for laps, and is the last',
    (field) => {
      const last = NUMBER_MAX - NUMBERS_PER_OPENING;
      const beyond = formatted('beyond');
      rewrite(beyond, { [field]: last + 1 });
      expect(codeOf(beyond)).toBe('RING_WORN_OUT');
      const disk = formatted('last');
      rewrite(disk, { [field]: last });
      const h = new RingHarness(disk);
      h.settle();
      for (let number = 1; h.ring.blocksWritten < 3 * SMALLEST.blockCount; number++) {
        h.nowMs += 1000;
        h.commit({
          puts: [{ number, bytes: 2000 }],
          acks: number > 12 ? [number - 12] : [],
          metas: [{ key: 'at', value: '01' }],
        });
      }
      h.check();
      h.checkBodies();
      const slots = [...h.ring.index.slots()];
      if (field === 'nextId') expect(Math.min(...slots.map((slot) => h.ring.index.id(slot)))).toBeGreaterThan(last);
      if (field === 'anchorLsn') expect(Math.min(...slots.map((slot) => h.ring.index.lsn(slot)))).toBeGreaterThan(last);
      if (field === 'queueTimeMs') expect(Math.min(...slots.map((slot) => h.ring.index.storedAtMs(slot)))).toBeGreaterThan(last);
      h.disk.kill();
      expect(codeOf(h.disk)).toBe('RING_WORN_OUT');
    },
  );

  test('the last generation from which a file is opened is written on', () => {
    const last = COUNTER_MAX - GENERATIONS_PER_OPENING;
    const beyond = formatted('generation');
    rewrite(beyond, { generation: last + 1 });
    expect(codeOf(beyond)).toBe('RING_WORN_OUT');
    const disk = formatted('generation');
    rewrite(disk, { generation: last });
    const h = new RingHarness(disk);
    h.settle();
    for (let number = 1; number < 200; number++) {
      h.commit({ puts: [{ number, bytes: 2000 }], acks: number > 12 ? [number - 12] : [] });
    }
    h.check();
    h.checkBodies();
    h.ring.close(() => {});
    h.settle();
    expect(h.ring.state).toBe('closed');
    expect(codeOf(h.disk)).toBe('RING_WORN_OUT');
  });

  test('the epoch of a frame counts as one of a superblock does', () => {
    const h = freshHarness({ geometry: SMALLEST, random: stream('frame', 'epochs'), completion: 'stepped' });
    h.settle();
    h.commit({ puts: [{ number: 1, bytes: 10 }] });
    h.ring.close(() => {});
    h.settle();
    rewrite(h.disk, { epoch: COUNTER_MAX - 2 });
    for (const counter of [COUNTER_MAX - 1, COUNTER_MAX]) {
      h.beginReopen();
      h.play();
      expect(h.ring.epoch.counter).toBe(counter);
      h.disk.step(); // the OPEN frame is durable, the superblock that says the same never is
      h.play();
      h.powerCut(() => 'old');
      expect(superblockOf(h.disk).epoch).toBeLessThan(counter);
    }
    expect(codeOf(h.disk)).toBe('RING_WORN_OUT');
  });

  test('a message whose every field is as large as it gets is read as it was written', () => {
    const disk = formatted('largest');
    const before = openRing(disk);
    before.play(0);
    const [u32, u48] = [2 ** 32 - 1, 2 ** 48 - 1];
    const largest = { queue: u32, stream: u32, epochCounter: u32, epochRandom: u32, number: u48, priority: 7 };
    const times = { expiresAtMs: u48, notBeforeMs: u48 };
    const body = stream('largest', 'body').bytes(before.ring.bodyBytesMax);
    const put = { ...largest, ...times, deliveryCount: 70_000, body };
    before.ring.append({ puts: [put] }, { nowMs: 0, delayMs: 0 }, () => {});
    before.play(0);
    disk.kill();
    const after = openRing(disk);
    after.play(0);
    const { index } = after.ring;
    const [slot = -1] = [...index.slots()];
    expect(index.count).toBe(1);
    for (const field of ['queue', 'stream', 'epochCounter', 'epochRandom', 'number', 'priority'] as const)
      expect(index[field](slot), field).toBe(largest[field]);
    expect([index.expiresAtMs(slot), index.notBeforeMs(slot)]).toEqual([u48, u48]);
    expect(index.deliveryCount(slot), 'a count stays at its last value').toBe(0xffff);
    expect(equalBytes(readBody(after, index.id(slot), 0) ?? new Uint8Array(), body)).toBe(true);
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

  /**
   * A body whose every block but the first is a frame that would go on behind the one that carries it: it acknowledges all there is
   * and sets META. In the blocks between them lie superblocks. `strange`: everything is guessed right but the file id.
   */
  function hostileBody(h: RingHarness, how: { fileId: 'known' | 'strange'; seq: number; lsn: number }): Uint8Array {
    const superblock = superblockOf(h.disk);
    const fileId = how.fileId === 'known' ? superblock.fileId : stream('another', 'file').bytes(16);
    const seal = sealOf({ ...superblock, fileId }, crc32);
    const blocks = 11;
    const body = new Uint8Array(blockBytes - 128 + blocks * blockBytes);
    for (let block = 1; block <= blocks; block++) {
      const into = new Uint8Array(blockBytes);
      if (block % 4 === 0) {
        const forged = { ...superblock, fileId, generation: 900, epoch: 900, anchorLsn: how.lsn, anchorSeq: how.seq };
        into.set(encodeSuperblock(forged, 0).subarray(0, blockBytes));
      } else {
        const kind = FRAME_KINDS[block % 3] ?? 'data';
        const next = { lsn: how.lsn + block, seq: how.seq + 1, prevCrc: 0, tailLsn: how.lsn + block, nextId: 1000 };
        const entries = [
          { kind: 'ack', reason: 'purged', id: 1, count: 500 } as const,
          { kind: 'meta', key: 'forged', value: Uint8Array.of(block) } as const,
        ];
        const claims = { relogged: kind === 'open' ? 9 : 0, queueTimeMs: 5000 };
        encodeFrame({ kind, epoch: h.ring.epoch.counter + (block % 2), ...next, ...claims }, { entries, bodies: [], into }, seal);
      }
      body.set(into, blockBytes - 128 + (block - 1) * blockBytes);
    }
    return body;
  }

  /** A ring with message 1, and message 2 with such a body for the frame behind it, which begins at `lsn`. */
  function besieged(fileId: 'known' | 'strange', completion: 'at-once' | 'stepped' = 'at-once') {
    const h = freshHarness({ geometry: SMALLEST, random: stream('besieged', 'disk'), completion });
    h.settle();
    h.commit({ puts: [{ number: 1, bytes: 100 }] });
    const lsn = h.ring.index.lsn([...h.ring.index.slots()][0] ?? 0) + 1;
    const body = hostileBody(h, { fileId, lsn, seq: h.ring.framesWritten + 1 });
    return { h, lsn, carrier: { puts: [{ number: 2, bytes: body.length, body }] } };
  }

  const offsetOf = (lsn: number) => (2 + (lsn % SMALLEST.blockCount)) * blockBytes;

  test.each(['known', 'strange'] as const)(
    'frames at every block of a body that lies whole, the file id %s, are not followed',
    (fileId) => {
      for (const behind of [0, 1, 3]) {
        const { h, lsn, carrier } = besieged(fileId);
        h.commit(carrier);
        expect([...h.ring.index.slots()].map((slot) => h.ring.index.lsn(slot))).toContain(lsn);
        // As guessed: nine frames beside the real ones, each with the number that comes next. Those of a strange file id are none.
        const frames = framesOn(h.disk.platter(), SMALLEST, sealOf(superblockOf(h.disk), crc32));
        const inside = frames.filter((frame) => frame.lsn > lsn && frame.lsn < lsn + 12);
        const carrierSeq = frames.find((frame) => frame.lsn === lsn)?.seq ?? 0;
        expect(inside.map((frame) => frame.seq - carrierSeq)).toEqual(fileId === 'known' ? new Array(9).fill(1) : []);
        for (let i = 0; i < behind; i++) h.commit({ puts: [{ number: 3 + i, bytes: 50 }] });
        for (const lost of [[], [0], [1], [0, 1, 2], [1, 2, 3], [0, 1, 3], [0, 2, 3]]) {
          const fork = h.fork(stream(lost.join(), 'fork'));
          for (const copy of lost) fork.disk.rot(superblockOffset(SMALLEST, copy), blockBytes, 'garbage');
          fork.powerCut();
          fork.reopen();
          expect(fork.ring.report.gaps).toEqual([]);
          fork.checkBodies();
          fork.powerCut();
          fork.reopen();
        }
        // The frame before it gone, and the one behind it.
        for (const [hit, number] of [[lsn - 1, 1] as const, [lsn + 12, 3] as const]) {
          if (hit > lsn && behind < 2) continue;
          const fork = h.fork(stream(hit, 'fork'));
          fork.disk.rot(offsetOf(hit), blockBytes, 'zeros');
          fork.beginReopen();
          fork.settle();
          const left = h.numbers().filter((one) => one !== number);
          expect([...fork.ring.index.slots()].map((slot) => fork.ring.index.number(slot)).sort()).toEqual(left);
          expect(fork.ring.metas.get('forged')).toBeUndefined();
          expect(fork.ring.report.gaps).toMatchObject([{ framesLost: 1, idsLost: 1 }]);
        }
      }
    },
  );

  test('frames of a strange file id are not followed where the frame around them is torn or gone either', () => {
    const { h, lsn, carrier } = besieged('strange', 'stepped');
    h.append(carrier);
    h.play();
    expect(h.disk.pendingSectorCount).toBe(12);
    for (let lostSector = 0; lostSector < 12; lostSector++) {
      for (const fate of ['old', 'half', 'garbage'] as const) {
        const fork = h.fork(stream(lostSector, fate));
        fork.powerCut((position) => (position === lostSector ? fate : 'new'));
        fork.reopen();
        expect(fork.ring.report.gaps).toEqual([]);
        expect(fork.ring.metas.get('forged')).toBeUndefined();
        fork.checkBodies();
      }
    }
    h.settle();
    h.commit({ puts: [{ number: 3, bytes: 50 }] });
    for (let block = 0; block < 12; block++) {
      const fork = h.fork(stream(block, 'rot'));
      fork.disk.rot(offsetOf(lsn + block), blockBytes, 'zeros');
      fork.beginReopen();
      fork.settle();
      expect(fork.ring.index.count).toBe(block === 0 ? 2 : 3);
      expect(fork.ring.metas.get('forged')).toBeUndefined();
      expect(fork.ring.report.gaps).toHaveLength(block === 0 ? 1 : 0);
    }
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
