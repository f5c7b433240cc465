/**
 * What the ring promises on a disk that does not do what it says.
 *
 *   lost, misdirected  costs what lay in the frame that was written and in those that were hit: nothing is invented or mixed up, and what
 *                      is missing before a frame that stands, or before the anchor, is reported
 *   stale read         once: costs nothing, it is read again; only of the anchor, a gap. Again and again while opening: costs what the
 *                      block held, or, of a superblock, stops the ring at its fence
 *
 * What cannot be detected. A frame proves those before it, by number and by checksum, and the anchor proves the frame that it names.
 * Nothing proves the last frame: where it was lost, its place holds what the lap before left there, and this is how the end of a log
 * looks. The same goes for a last frame that is read stale. Its messages are gone without a word, and their ids are given again, since
 * nobody can see that they were used. An acknowledgement or a META value that is lost with its frame leaves what was before: the
 * message is there again, the value is the older one.
 */
import { describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { framesOn, Touched } from '../../hardware-sim/ring-damage.ts';
import { freshHarness, type ModelBatch, modelBody, type RingHarness, readBody } from '../../hardware-sim/ring-harness.ts';
import type { SimWrite } from '../../hardware-sim/sim-disk.ts';
import { toHex } from '../bytes.ts';
import { crc32 } from '../crc32.ts';
import { geometryFor } from './geometry.ts';
import { sealOf } from './recovery.ts';
import { EPOCH_KEY, LOST_KEY } from './ring.ts';
import { decodeSuperblock } from './superblock-layout.ts';

const SMALLEST = geometryFor(388 * 512, 512);
const { blockBytes, blockCount } = SMALLEST;
const SCRIPT_BATCHES = 14;

/** Bytes of each message ever put, and each value ever set, in this file. */
const bytesOf = new Map<number, number>();
const valuesOf = new Map<string, Set<string>>();

function batchOf(h: RingHarness, seed: string, number: number): ModelBatch {
  const random = stream(`${seed} ${number}`, 'batch');
  const puts = Array.from({ length: 1 + random.int(2) }, (_, i) => ({ number: number + i, bytes: random.int(900) }));
  const live = h.numbers();
  const acks = live.length > 16 ? live.slice(0, live.length - 16) : [];
  const metas = [{ key: `m${random.int(6)}`, value: toHex(random.bytes(8)) }];
  for (const put of puts) bytesOf.set(put.number, put.bytes);
  for (const { key, value } of metas) valuesOf.set(key, (valuesOf.get(key) ?? new Set()).add(value));
  return { puts, acks, metas };
}

/** A log that wraps, still open. */
function inhabited(): RingHarness {
  const h = freshHarness({ geometry: SMALLEST, random: stream('inhabited', 'disk') });
  h.settle();
  for (let number = 1; h.disk.counters.bytesWritten < 1.4 * h.disk.bytes; number += 10) h.commit(batchOf(h, 'base', number));
  return h;
}

const base = inhabited();
const superblock = decodeSuperblock(base.disk.platter().subarray(0, 256));
if (superblock === undefined) throw new Error('copy 0 is whole');
const seal = sealOf(superblock, crc32);

/** An opening and some batches on a copy of the base; ends early where the ring stops. Answers what was appended and never answered. */
function playScript(onWrite: (h: RingHarness, count: number, write: SimWrite) => void): { h: RingHarness; open: ModelBatch[] } {
  const h = base.fork(stream('script', 'disk'));
  let count = 0;
  h.disk.onWrite = (write) => onWrite(h, count++, write);
  h.disk.kill();
  h.beginReopen();
  h.settle();
  for (let i = 0; i < SCRIPT_BATCHES && h.ring.state === 'serving'; i++) {
    const batch = batchOf(h, 'script', 100_000 + 10 * i);
    h.commit(batch);
    if (h.outstandingCount > 0) return { h, open: [batch] };
  }
  h.disk.onWrite = undefined;
  return { h, open: [] };
}

function blocksOf(offset: number, bytes: number): Set<number> {
  const first = Math.floor(offset / blockBytes) - 2;
  const blocks = Array.from({ length: Math.ceil(bytes / blockBytes) }, (_, i) => first + i);
  return new Set(blocks.filter((block) => block >= 0 && block < blockCount));
}

interface Shown {
  readonly there: Set<number>;
  readonly corrupt: Set<number>;
}

/** Opens the disk and reads everything: nothing may be there that was never put, no body be another's, no value never set. */
function show(h: RingHarness, context: string): Shown {
  h.beginReopen();
  h.settle();
  const { ring } = h;
  expect(ring.state, `${context}: ${ring.failure}`).toBe('serving');
  const [there, corrupt] = [new Set<number>(), new Set<number>()];
  const slots = [...ring.index.slots()].sort((a, b) => ring.index.id(a) - ring.index.id(b));
  let before = 0;
  for (const slot of slots) {
    const number = ring.index.number(slot);
    const bytes = bytesOf.get(number);
    expect(bytes, `${context}: message ${number} was put, and has its length`).toBe(ring.index.bodyBytes(slot));
    expect(number, `${context}: ids rise with the numbers, and each is there once`).toBeGreaterThan(before);
    before = number;
    there.add(number);
    const body = readBody(h.driver, ring.index.id(slot), h.nowMs);
    if (body === undefined) corrupt.add(number);
    else if (toHex(body) !== toHex(modelBody({ number, bytes: bytes ?? 0 })))
      throw new Error(`${context}: wrong body of ${number}`);
  }
  for (const [key, value] of ring.metas.withPrefix('')) {
    if (key === EPOCH_KEY || key === LOST_KEY) continue;
    expect(valuesOf.get(key)?.has(toHex(value)), `${context}: ${key} was set to this once`).toBe(true);
  }
  return { there, corrupt };
}

const minus = (a: Iterable<number>, b: ReadonlySet<number>) => [...a].filter((one) => !b.has(one));

/** What a fault on these blocks may cost, with the frames as they stand on a disk without it. */
function touchedOn(platters: readonly Uint8Array[], blocks: ReadonlySet<number>): Touched {
  const touched = new Touched();
  for (const platter of platters) touched.add(framesOn(platter, SMALLEST, seal), SMALLEST, blocks);
  return touched;
}

/** The ring takes new messages with ids of their own, and the next opening shows what this one left. */
function goesOn(h: RingHarness, context: string): void {
  h.believe();
  for (let i = 0; i < 3; i++) h.commit(batchOf(h, 'after', 200_000 + 10 * i));
  h.powerCut();
  h.reopen();
  expect(h.ring.report.gaps.length, `${context}: a gap is told of until the tail has passed it`).toBeLessThanOrEqual(2);
  h.check();
}

/** Platters of the script without a fault, after each write, and its writes. */
const clean: { writes: SimWrite[]; platters: Uint8Array[] } = { writes: [], platters: [] };
{
  const { h } = playScript((now, _, write) => {
    if (clean.writes.length > 0) clean.platters.push(now.disk.platter());
    clean.writes.push(write);
  });
  clean.platters.push(h.disk.platter());
}
const cleanEnd = clean.platters.at(-1) ?? new Uint8Array(0);
const inRing = ({ offset }: SimWrite) => offset >= 2 * blockBytes && offset < (2 + blockCount) * blockBytes;
const lastFrameWrite = clean.writes.map(inRing).lastIndexOf(true);

interface Cost {
  readonly lost: number;
  /** Of those, the ones that must be reported. */
  readonly told: number;
}

/** The script with a fault at write `at`, the end of it, and what is there then. `hit`: blocks that hold what they should not. */
function judge(at: number, ending: 'power cut' | 'kill, then power cut', arm: (h: RingHarness) => void, hit: Set<number>): Cost {
  const context = `write ${at} of ${clean.writes.length}, ${ending}`;
  const { h, open } = playScript((now, count) => count === at && arm(now));
  const isWhole = h.ring.state === 'serving';
  const touched = touchedOn([clean.platters[at] ?? cleanEnd, cleanEnd], hit);
  const doubt = new Set(open.flatMap(({ puts = [], acks = [] }) => [...puts.map(({ number }) => number), ...acks]));
  if (ending !== 'power cut') {
    h.disk.kill();
    show(h, context);
  }
  h.powerCut();
  const shown = show(h, context);
  const live = new Set(h.durable.messages.keys());
  const lost = minus(live, shown.there).filter((number) => !doubt.has(number));
  expect(minus(lost, touched.numbers), `${context}: lost beyond the frames`).toEqual([]);
  expect(minus(shown.corrupt, touched.numbers), `${context}: corrupt beyond the frames`).toEqual([]);
  const again = minus(shown.there, live).filter((number) => !doubt.has(number));
  expect(minus(again, touched.numbers), `${context}: back beyond the frames`).toEqual([]);
  const { gaps, tornBlocks } = h.ring.report;
  const { told } = touchedOn([cleanEnd], hit);
  const mustBeTold = isWhole ? lost.filter((number) => told.has(number)) : [];
  if (gaps.length === 0 && tornBlocks === 0 && h.ring.losses.gaps === 0)
    expect(mustBeTold, `${context}: lost without a word`).toEqual([]);
  goesOn(h, context);
  return { lost: lost.length, told: mustBeTold.length };
}

test('the script writes frames of several blocks, and superblocks', () => {
  expect(clean.writes.length).toBeGreaterThan(SCRIPT_BATCHES + 2);
  expect(clean.writes.filter((write) => !inRing(write)).length).toBeGreaterThanOrEqual(2);
  expect(clean.writes.some(({ bytes }) => bytes.length > 2 * blockBytes)).toBe(true);
});

describe('a lost write', () => {
  const positions = clean.writes.map((_, at) => at);
  test.each(['new', 'old'] as const)('costs what lay in its frame and is reported; the cache shows what is %s', (cache) => {
    let [costly, reported] = [0, 0];
    for (const at of positions) {
      const { offset = 0, bytes = new Uint8Array(0) } = clean.writes[at] ?? {};
      const ending = at % 2 === 0 ? 'power cut' : 'kill, then power cut';
      const { lost, told } = judge(at, ending, (h) => h.disk.loseNextWrite(cache), blocksOf(offset, bytes.length));
      if (lost > 0) costly += 1;
      if (told > 0) reported += 1;
    }
    expect(costly).toBeGreaterThan(SCRIPT_BATCHES / 2);
    expect(reported).toBeGreaterThan(SCRIPT_BATCHES / 2);
  });

  test('that was the last frame goes without a word: nothing follows that could miss it', () => {
    const { h } = playScript((now, count) => count === lastFrameWrite && now.disk.loseNextWrite());
    h.powerCut();
    const { there } = show(h, 'last');
    expect(minus(h.durable.messages.keys(), there).length).toBeGreaterThan(0);
    expect(h.ring.report).toMatchObject({ gaps: [], tornBlocks: 0 });
    goesOn(h, 'last');
  });

  test('that was the last frame is reported when an anchor names it', () => {
    const { h } = playScript((now, count) => count === lastFrameWrite && now.disk.loseNextWrite());
    h.ring.close(() => {});
    h.settle();
    h.powerCut();
    const { there } = show(h, 'anchored');
    const lost = minus(h.durable.messages.keys(), there).length;
    expect(lost).toBeGreaterThan(0);
    expect(h.ring.report.gaps).toMatchObject([{ framesLost: 1, idsLost: lost }]);
    goesOn(h, 'anchored');
  });
});

describe('a misdirected write', () => {
  const targets: readonly (readonly [string, (write: SimWrite) => number])[] = [
    ['the block behind its own', ({ offset }) => offset + blockBytes],
    ['the block before its own', ({ offset }) => offset - blockBytes],
    ['the first superblock', () => 0],
    ['the last superblock', () => (3 + blockCount) * blockBytes],
    ['the other half of the ring', ({ offset }) => (2 + ((offset / blockBytes + blockCount / 2) % blockCount)) * blockBytes],
    ['what is oldest', () => (2 + ((framesOn(cleanEnd, SMALLEST, seal).at(-1)?.tailLsn ?? 0) % blockCount)) * blockBytes],
  ];
  test.each(targets)('to %s costs what lay in its frame and in those that it hit, and is reported', (_, target) => {
    let [costly, reported] = [0, 0];
    for (const [at, write] of clean.writes.entries()) {
      const to = Math.max(0, Math.min(target(write), base.disk.bytes - blockBytes));
      if (to === write.offset) continue;
      const hit = new Set([...blocksOf(write.offset, write.bytes.length), ...blocksOf(to, write.bytes.length)]);
      const cache = at % 2 === 0 ? 'new' : 'old';
      const { lost, told } = judge(at, 'power cut', (h) => h.disk.misdirectNextWrite(to, cache), hit);
      if (lost > 0) costly += 1;
      if (told > 0) reported += 1;
    }
    expect(costly).toBeGreaterThan(SCRIPT_BATCHES / 2);
    expect(reported).toBeGreaterThanOrEqual(5); // a hit superblock that reads show is a broken fence, which ends the script
  });
});

test('a superblock copy that landed in the place of another does not lock the ring', () => {
  const h = freshHarness({ geometry: SMALLEST, random: stream('copy', 'disk') });
  let count = 0;
  h.disk.onWrite = () => {
    count += 1; // the OPEN frame, copy 0 of the superblock, copy 2
    if (count === 3) h.disk.misdirectNextWrite(0);
  };
  h.settle();
  expect(count).toBe(3);
  h.powerCut();
  h.reopen();
});

describe('a stale read', () => {
  test('of a body costs nothing: it is read again', () => {
    const { h } = playScript(() => {});
    const { index } = h.ring;
    for (const slot of [...index.slots()]) {
      h.disk.staleNextRead();
      const body = readBody(h.driver, index.id(slot), h.nowMs);
      const number = index.number(slot);
      expect(body && toHex(body)).toBe(toHex(modelBody({ number, bytes: bytesOf.get(number) ?? 0 })));
    }
    expect(h.ring.corruptCount).toBe(0);
  });

  const { h: left } = playScript(() => {});
  const platter = left.disk.platter();
  const frames = framesOn(platter, SMALLEST, seal);
  const last = frames.at(-1);
  const anchorLsn = Math.max(...[0, blockBytes].map((at) => decodeSuperblock(platter.subarray(at, at + 256))?.anchorLsn ?? 0));
  const superblocks = [0, 1, 2 + blockCount, 3 + blockCount];
  /** Blocks of the file that the log takes. */
  const log: number[] = [];
  for (let lsn = last?.tailLsn ?? 0; lsn < (last?.lsn ?? 0) + (last?.blocks ?? 0); lsn++) log.push(2 + (lsn % blockCount));

  function openingStale(block: number, times: number): RingHarness {
    const h = left.fork(stream(block, 'stale'));
    h.disk.kill();
    for (let i = 0; i < times; i++) h.disk.staleNextRead(block * blockBytes, blockBytes);
    return h;
  }

  test('of any block while opening costs nothing: what is missing is looked for again, the anchor excepted', () => {
    for (const block of [...superblocks, ...log]) {
      const h = openingStale(block, 1);
      h.reopen();
      h.checkBodies();
      const { gaps, tornBlocks } = h.ring.report;
      const isAnchor = block === 2 + (anchorLsn % blockCount);
      expect(gaps.length + tornBlocks, `block ${block - 2}`).toBe(isAnchor ? 1 : 0);
    }
  });

  test('of a superblock again and again stops the ring at its fence, at the worst, and costs nothing', () => {
    let stops = 0;
    for (const times of [2, 3, 40]) {
      for (const block of superblocks) {
        const h = openingStale(block, times);
        for (h.beginReopen(), h.settle(); h.ring.state === 'stopped'; h.beginReopen(), h.settle()) {
          expect(String(h.ring.failure)).toMatch(/fence/);
          stops += 1;
          expect(stops).toBeLessThan(100);
        }
        h.decide();
        h.checkBodies();
      }
    }
    expect(stops).toBeGreaterThan(0);
  });

  test('of a block again and again while opening costs what it held, and is reported unless it was the end of the log', () => {
    const live = new Set(left.durable.messages.keys());
    let [costly, silent] = [0, 0];
    for (const times of [2, 4]) {
      for (const block of log) {
        const h = openingStale(block, times);
        const context = `block ${block - 2}, ${times} times`;
        const { there, corrupt } = show(h, context);
        const touched = touchedOn([platter], blocksOf(block * blockBytes, blockBytes));
        const lost = minus(live, there);
        expect(minus([...lost, ...corrupt, ...minus(there, live)], touched.numbers), context).toEqual([]);
        if (lost.length === 0) continue;
        costly += 1;
        if (h.ring.report.gaps.length > 0 || h.ring.report.tornBlocks > 0) continue;
        silent += 1;
        expect(block - 2, `${context}: lost without a word`).toBe((last?.lsn ?? 0) % blockCount);
      }
    }
    expect(silent).toBeGreaterThan(0);
    expect(costly).toBeGreaterThan(5 * silent);
  });
});
