/**
 * Any block may rot at any time. The ring opens all the same, loses what lay in that block and nothing else, and says that it did.
 * The very last frame is the exception that nobody can tell from a torn write: it goes as a whole, unless the anchor vouches for it.
 */
import { describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { freshHarness, modelBody, type RingHarness, readBody } from '../../hardware-sim/ring-harness.ts';
import type { SimDisk } from '../../hardware-sim/sim-disk.ts';
import { toHex } from '../bytes.ts';
import { crc32 } from '../crc32.ts';
import { decodeFrame, FRAME_HEADER_BYTES, type Frame } from './frame-layout.ts';
import { geometryFor, segmentsOf } from './geometry.ts';
import { sealOf } from './recovery.ts';
import { EPOCH_KEY, LOST_KEY } from './ring.ts';
import { decodeSuperblock } from './superblock-layout.ts';

const SMALLEST = geometryFor(388 * 512, 512);
const { blockBytes, blockCount } = SMALLEST;

/** Whole frames of the log on a disk, oldest first, from the tail that the newest one names. */
function logOf(disk: SimDisk): Frame[] {
  const platter = disk.platter();
  const superblock = decodeSuperblock(platter.subarray(0, 512));
  if (superblock === undefined) throw new Error('copy 0 is whole');
  const seal = sealOf(superblock, crc32);
  const frames: Frame[] = [];
  for (let block = 0; block < blockCount; block++) {
    const [first] = segmentsOf(SMALLEST, { lsn: block, skip: 0, bytes: blockBytes });
    const lsn = new DataView(platter.buffer).getUint32((first?.offset ?? 0) + 16, true);
    const parts = segmentsOf(SMALLEST, { lsn: block, skip: 0, bytes: 16 * blockBytes });
    const bytes = new Uint8Array(parts.flatMap(({ offset, bytes }) => [...platter.subarray(offset, offset + bytes)]));
    const frame = lsn % blockCount === block ? decodeFrame(bytes, lsn, seal) : undefined;
    if (frame !== undefined) frames.push(frame);
  }
  frames.sort((a, b) => a.lsn - b.lsn);
  const tail = frames.at(-1)?.tailLsn ?? 0;
  return frames.filter((frame) => frame.lsn >= tail);
}

function offsetOf(lsn: number): number {
  return (2 + (lsn % blockCount)) * blockBytes;
}

/** A log that wraps: messages of one to nine blocks, several to a frame, acknowledged in part, META here and there. */
function inhabited(seed: string): RingHarness {
  const h = freshHarness({ geometry: SMALLEST, random: stream(seed, 'disk') });
  const random = stream(seed, 'life');
  h.settle();
  let number = 1;
  while (h.disk.counters.bytesWritten < 1.3 * h.disk.bytes) {
    const puts = Array.from({ length: 1 + random.int(3) }, () => ({
      number: number++,
      bytes: random.int(random.chance(0.1) ? 4000 : 700),
    }));
    h.commit({ puts, metas: [{ key: `m${random.int(12)}`, value: toHex(random.bytes(1 + random.int(30))) }] });
    const live = h.numbers();
    while (live.length > 22) h.commit({ acks: live.splice(random.int(live.length), 2) });
    if (random.chance(0.3))
      h.commit({ states: [{ number: live[0] ?? 0, deliveryCount: random.int(9), notBeforeMs: random.int(99) }] });
  }
  return h;
}

/** What of a frame lies in a block of it. */
function hits(frame: Frame, block: number): 'directory' | { bodies: number[] } {
  const bodyBytes = frame.entries.reduce((sum, entry) => sum + (entry.kind === 'put' ? entry.bodyBytes : 0), 0);
  const firstBody = frame.entries.find((entry) => entry.kind === 'put');
  const directoryEnd = firstBody?.kind === 'put' ? firstBody.bodyOffset : FRAME_HEADER_BYTES;
  const start = block * blockBytes;
  if (start < directoryEnd || bodyBytes === 0) return 'directory';
  const bodies: number[] = [];
  for (const entry of frame.entries) {
    if (entry.kind !== 'put') continue;
    if (entry.bodyOffset < start + blockBytes && entry.bodyOffset + entry.bodyBytes > start) bodies.push(entry.number);
  }
  return { bodies };
}

interface Shown {
  readonly whole: Set<number>;
  readonly corrupt: Set<number>;
  readonly metas: Map<string, string>;
}

/** Opens the disk and reads everything. A body that is neither whole nor corrupt is a wrong one. */
function show(h: RingHarness): Shown {
  h.beginReopen();
  h.settle();
  const { ring } = h;
  expect(ring.state, String(ring.failure)).toBe('serving');
  const [whole, corrupt, metas] = [new Set<number>(), new Set<number>(), new Map<string, string>()];
  for (const slot of [...ring.index.slots()]) {
    const number = ring.index.number(slot);
    const body = readBody(h.driver, ring.index.id(slot), h.nowMs);
    if (body === undefined) corrupt.add(number);
    else if (toHex(body) === toHex(modelBody({ number, bytes: ring.index.bodyBytes(slot) }))) whole.add(number);
    else throw new Error(`message ${number} has a body that is not its own`);
  }
  for (const [key, value] of ring.metas.withPrefix('')) if (key !== EPOCH_KEY && key !== LOST_KEY) metas.set(key, toHex(value));
  return { whole, corrupt, metas };
}

const minus = (a: Iterable<number>, b: Set<number>) => [...a].filter((one) => !b.has(one));

describe.each(['closed clean', 'killed'])('after it was %s', (ending) => {
  const h = inhabited(ending);
  if (ending === 'closed clean') {
    h.ring.close(() => {});
    h.settle();
  }
  const live = new Set(h.numbers());
  const log = logOf(h.disk);
  const everPut = Math.max(...live);
  const last = log.at(-1);

  test('the log wraps, and its frames have several blocks', () => {
    expect(log.length).toBeGreaterThan(30);
    expect(log.some((frame) => frame.lsn % blockCount > (frame.lsn + frame.blocks) % blockCount)).toBe(true);
    expect(log.some((frame) => frame.blocks > 5)).toBe(true);
  });

  test.each(['zeros', 'garbage', 'one-bit'] as const)('AC-51 any block of the log becoming %s costs what lay in it', (how) => {
    let gaps = 0;
    // Zeros in every block of the log; the other two in every other frame, and in the last.
    for (const frame of log.filter((one, i) => how === 'zeros' || i % 2 === 0 || one === last)) {
      for (let block = 0; block < frame.blocks; block++) {
        const damaged = h.fork(stream(`${frame.lsn}/${block}`, how));
        damaged.disk.rot(offsetOf(frame.lsn + block), blockBytes, how);
        const { whole, corrupt, metas } = show(damaged);
        const hit = hits(frame, block);
        const inFrame = new Set(frame.entries.flatMap((entry) => (entry.kind === 'put' ? [entry.number] : [])));
        const lost = minus(live, new Set([...whole, ...corrupt]));
        const context = `frame ${frame.lsn} block ${block} of ${frame.blocks}`;
        const unproven = frame === last && ending === 'killed';

        expect(minus(lost, inFrame), `${context}: lost beyond the frame`).toEqual([]);
        const mayBeCorrupt = hit === 'directory' || unproven ? inFrame : new Set(hit.bodies);
        expect(minus(corrupt, mayBeCorrupt), `${context}: corrupt beyond the block`).toEqual([]);
        if (hit !== 'directory' && !unproven) expect(lost, `${context}: a body costs no more than its message`).toEqual([]);
        const again = minus(whole, live);
        const acked = frame.entries.some((entry) => entry.kind === 'ack');
        if (!acked) expect(again, `${context}: nothing comes back`).toEqual([]);
        for (const number of again) expect(number).toBeLessThanOrEqual(everPut);

        const isGone = how !== 'one-bit' && hit === 'directory' && block === 0;
        if (isGone && frame !== last) {
          expect(damaged.ring.report.gaps.length, `${context}: reported`).toBe(1);
          gaps += 1;
        }
        if (hit !== 'directory' && !unproven) expect(damaged.ring.report.gaps, context).toEqual([]);
        for (const [key, value] of h.durable.metas) {
          const isHere = frame.entries.some((entry) => entry.kind === 'meta' && entry.key === key);
          if (!isHere) expect(metas.get(key), `${context}: META ${key}`).toBe(value);
        }
      }
    }
    if (how !== 'one-bit') expect(gaps).toBeGreaterThan(12);
  });

  test('a block that holds nothing live costs nothing, whatever becomes of it', () => {
    const inLog = new Set(log.flatMap((frame) => Array.from({ length: frame.blocks }, (_, i) => (frame.lsn + i) % blockCount)));
    for (let block = 0; block < blockCount; block += 5) {
      if (inLog.has(block)) continue;
      const damaged = h.fork(stream(block, 'free'));
      damaged.disk.rot(offsetOf(block), blockBytes, 'garbage');
      damaged.beginReopen();
      damaged.settle();
      damaged.check();
      expect(damaged.ring.report.gaps).toEqual([]);
    }
  });

  test('AC-51 any superblock copy, and both of a pair, may be lost', () => {
    const offsets = [0, blockBytes, (2 + blockCount) * blockBytes, (3 + blockCount) * blockBytes];
    const sets = [[0], [1], [2], [3], [0, 2], [1, 3], [0, 1], [2, 3], [0, 1, 2], [1, 2, 3], [0, 1, 3], [0, 2, 3]];
    for (const set of sets) {
      const damaged = h.fork(stream(set.join(), 'superblocks'));
      for (const copy of set) damaged.disk.rot(offsets[copy] ?? 0, blockBytes, 'garbage');
      damaged.beginReopen();
      damaged.settle();
      expect(damaged.ring.state).toBe('serving');
      damaged.check();
      damaged.powerCut();
      damaged.reopen();
      damaged.check();
    }
  });

  test("a body that rotted stays its own message's trouble, also when cleaning has moved it into the last frame", () => {
    const rotten = log.find(
      (frame) => frame.blocks > 1 && frame.entries.some((entry) => entry.kind === 'put' && live.has(entry.number)),
    );
    const entry = rotten?.entries.find((one) => one.kind === 'put' && live.has(one.number));
    if (rotten === undefined || entry?.kind !== 'put') throw new Error('there is one');
    const damaged = h.fork(stream(ending, 'rot'));
    const block = Math.floor(entry.bodyOffset / blockBytes);
    damaged.disk.rot(offsetOf(rotten.lsn + block) + (entry.bodyOffset % blockBytes), 1, 'one-bit');
    const { corrupt } = show(damaged);
    expect([...corrupt]).toEqual([entry.number]);
    const before = [...damaged.ring.index.slots()].length;
    for (let i = 0; i < 400; i++) {
      damaged.commit({ metas: [{ key: 'm0', value: `${10 + (i % 90)}` }] });
      if (i % 7 !== 0) continue;
      damaged.powerCut();
      const now = show(damaged);
      expect(now.corrupt).toEqual(corrupt);
      expect(now.metas.get('m0')).toBe(`${10 + (i % 90)}`);
      expect([...damaged.ring.index.slots()].length).toBe(before);
    }
  });

  test('a block that cannot be read costs what lies in it, and no more', () => {
    for (const frame of log.filter((_, i) => i % 3 === 0)) {
      const damaged = h.fork(stream(frame.lsn, 'unreadable'));
      damaged.disk.failReads(offsetOf(frame.lsn + frame.blocks - 1), blockBytes);
      const { whole, corrupt } = show(damaged);
      const inFrame = new Set(frame.entries.flatMap((entry) => (entry.kind === 'put' ? [entry.number] : [])));
      expect(minus(live, new Set([...whole, ...inFrame])), `frame ${frame.lsn}`).toEqual([]);
      expect(minus(corrupt, inFrame), `frame ${frame.lsn}`).toEqual([]);
    }
  });

  test('a read that fails once costs nothing', () => {
    for (const frame of log) {
      const hiccup = h.fork(stream(frame.lsn, 'hiccup'));
      hiccup.disk.failReads(offsetOf(frame.lsn), blockBytes, 1);
      hiccup.beginReopen();
      hiccup.settle();
      hiccup.check();
      expect(hiccup.ring.report.gaps).toEqual([]);
    }
  });

  test('a damaged ring goes on, and is as it was left when opened again', () => {
    const random = stream(ending, 'go on');
    for (const frame of log.filter((_, i) => i % 4 === 0)) {
      const damaged = h.fork(random);
      damaged.disk.rot(offsetOf(frame.lsn), blockBytes, 'garbage');
      const first = show(damaged);
      const { ring } = damaged;
      expect(ring.freeBlocks).toBeGreaterThan(0);
      damaged.powerCut();
      const second = show(damaged);
      expect([...second.whole].sort()).toEqual([...first.whole].sort());
      expect(second.metas).toEqual(first.metas);
      expect(damaged.ring.report.gaps.length).toBeLessThanOrEqual(1);
    }
  });
});

test('a frame of another history in the place of the anchor is not taken for it', () => {
  const h = freshHarness({ geometry: SMALLEST, random: stream('histories', 'disk') });
  h.settle();
  h.commit({ puts: [{ number: 1, bytes: 10 }] });
  h.disk.kill();
  const other = h.fork(stream('other', 'disk'));
  other.beginReopen();
  other.beginReopen(); // its epoch has another random part
  for (const one of [h, other]) {
    if (one === h) h.beginReopen();
    one.settle();
  }
  const { anchorLsn } = decodeSuperblock(h.disk.platter().subarray(blockBytes, blockBytes + 256)) ?? { anchorLsn: 0 };
  const at = offsetOf(anchorLsn);
  h.disk.poke(at, other.disk.platter().subarray(at, at + blockBytes));
  h.disk.kill();
  h.beginReopen();
  h.settle();
  expect(h.ring.report.gaps).toHaveLength(1);
  h.check();
});

test('what lies behind more damage than is looked through is given up, and stays given up when it can be read again', () => {
  const geometry = geometryFor(3004 * 4096);
  const h = freshHarness({ geometry, random: stream('fork', 'disk') });
  h.settle();
  let number = 1;
  const anchor = () => {
    const front = new Uint8Array(2 * 4096);
    h.disk.read(0, front);
    const pair = [0, 4096].map((offset) => decodeSuperblock(front.subarray(offset, offset + 256)));
    return Math.max(...pair.map((superblock) => superblock?.anchorLsn ?? 0));
  };
  const head = () => Math.max(...[...h.ring.index.slots()].map((slot) => h.ring.index.lsn(slot)));
  do h.commit({ puts: [{ number: number++, bytes: 11_000 }] });
  while ((anchor() <= geometry.blockCount + 10 || head() - anchor() < 350) && h.ring.hasRoomFor(11_000));
  expect(head() - anchor()).toBeGreaterThanOrEqual(345);
  const from = (2 + ((anchor() + 30) % geometry.blockCount)) * 4096;
  h.disk.kill();
  const behind = h.disk.platter().slice(from + 100 * 4096, from + 300 * 4096);
  h.disk.rot(from, 300 * 4096, 'garbage');
  h.beginReopen();
  h.settle();
  const first = [...h.ring.index.slots()].map((slot) => h.ring.index.number(slot));
  expect(first.length).toBeGreaterThan(100);
  expect(Math.max(...first)).toBeLessThan(number - 50);
  for (let i = 0; i < 5; i++)
    h.ring.append({ metas: [{ key: 'new', value: Uint8Array.of(i) }] }, { nowMs: i, delayMs: 0 }, () => {});
  h.settle();
  h.disk.poke(from + 100 * 4096, behind);
  for (let opening = 0; opening < 3; opening++) {
    h.powerCut();
    h.beginReopen();
    h.settle();
    const now = [...h.ring.index.slots()].map((slot) => h.ring.index.number(slot));
    expect(now.sort()).toEqual(first.sort());
    expect(h.ring.metas.get('new')).toEqual(Uint8Array.of(4));
  }
});

test('blocks that cannot be read at all are stepped over, however many they are', () => {
  const geometry = geometryFor(3004 * 4096);
  const h = freshHarness({ geometry, random: stream('far', 'disk') });
  h.settle();
  for (let number = 1; number <= 220; number++) h.commit({ puts: [{ number, bytes: 11_000 }] });
  h.disk.kill();
  h.disk.failReads((2 + 20) * 4096, 600 * 4096);
  h.beginReopen();
  h.settle();
  const { gaps } = h.ring.report;
  expect(gaps).toHaveLength(1);
  const lost = h.durable.messages.size - h.ring.index.count;
  expect(lost).toBeGreaterThan(190);
  expect(lost).toBeLessThan(205);
  expect(gaps[0]).toMatchObject({ framesLost: lost, idsLost: lost });
});

test('a last frame that the medium does not give goes, like any other that rotted there, and opening says that something may have', () => {
  const h = freshHarness({ geometry: SMALLEST, random: stream('last', 'disk') });
  h.settle();
  h.commit({ puts: [{ number: 1, bytes: 10 }] });
  h.commit({ puts: [{ number: 2, bytes: 10 }] });
  const last = Math.max(...[...h.ring.index.slots()].map((slot) => h.ring.index.lsn(slot)));
  h.disk.kill();
  h.disk.failReads((2 + (last % blockCount)) * blockBytes, blockBytes);
  h.beginReopen();
  h.settle();
  h.believe();
  expect(h.numbers()).toEqual([1]);
  expect(h.ring.report).toEqual({ gaps: [], tornBlocks: 1, messages: 1 });
});
