/**
 * One bit of the file turns over, wherever it lies. What that may cost:
 *
 *   superblock copy       nothing: another copy says the same
 *   header, directory     the frame; opening reports a gap of one frame
 *     said again          nothing: an OPEN frame behind it holds the same
 *     of the last frame   the frame, and no gap: nobody can tell it from a torn write, unless the anchor vouches for it
 *   body                  the message, which is called corrupt when it is fetched
 *     of the last frame   the frame as above, unless the anchor vouches for it
 *   padding               nothing
 *
 * Costs are told by a second reading of the log: its entries applied in order, without the frame that was hit.
 */
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { framesOn } from '../../hardware-sim/ring-damage.ts';
import { differenceOf, freshHarness, modelBody, type RingHarness, readBody } from '../../hardware-sim/ring-harness.ts';
import type { SimDisk } from '../../hardware-sim/sim-disk.ts';
import { equalBytes, toHex } from '../bytes.ts';
import { crc32 } from '../crc32.ts';
import { FRAME_HEADER_BYTES, type Frame } from './frame-layout.ts';
import { geometryFor, superblockOffset } from './geometry.ts';
import { sealOf } from './recovery.ts';
import { EPOCH_KEY, LOST_KEY } from './ring.ts';
import { decodeSuperblock, SUPERBLOCK_BYTES } from './superblock-layout.ts';

const SMALLEST = geometryFor(388 * 512, 512);
const { blockBytes, blockCount } = SMALLEST;
/** Where the fields of a header are that say where the frame is and how large: without them nobody knows that one was there. */
const SHAPE = [
  [0, 4],
  [16, 24],
  [36, 44],
] as const;

/** A ring in its second lap: every kind of entry, frames of one to ten blocks, acknowledgements of messages that still lie there. */
function inhabited(ending: 'killed' | 'closed clean'): RingHarness {
  const h = freshHarness({ geometry: SMALLEST, random: stream('rot', ending) });
  h.settle();
  while (h.ring.blocksWritten < 1.2 * blockCount) h.commit({ metas: [{ key: 'lap', value: '00'.repeat(200) }] });
  h.commit({ puts: [1, 2, 3].map((number) => ({ number, bytes: 150 * number, priority: number })) });
  h.commit({ puts: [{ number: 4, bytes: 4500 }], metas: [{ key: 'kept', value: '0102' }] });
  h.commit({ metas: [{ key: 'gone', value: 'aa' }] });
  h.commit({ puts: [5, 6, 7, 8, 9].map((number) => ({ number, bytes: 60 })), acks: [2] });
  h.disk.kill();
  h.reopen(); // an OPEN frame that says the last one again, and an anchor in the middle
  h.commit({ puts: [{ number: 10, bytes: 1200 }], states: [{ number: 1, deliveryCount: 3, notBeforeMs: 77 }] });
  h.commit({
    puts: [11, 12].map((number) => ({ number, bytes: 500 })),
    acks: [5, 6, 7],
    reason: 'expired',
    states: [{ number: 3, deliveryCount: 9, notBeforeMs: 0 }],
    metas: [
      { key: 'gone', value: undefined },
      { key: 'kept', value: '03'.repeat(30) },
    ],
  });
  h.commit({ puts: [{ number: 13, bytes: 0 }], acks: [9], states: [{ number: 1, deliveryCount: 4, notBeforeMs: 99 }] });
  h.commit({ puts: [{ number: 14, bytes: 700 }], acks: [8], metas: [{ key: 'last', value: '04' }] });
  if (ending === 'closed clean') {
    h.ring.close(() => {});
    h.settle();
  }
  return h;
}

/** Whole frames from the tail that the newest one names, oldest first. */
function logOf(disk: SimDisk): Frame[] {
  const platter = disk.platter();
  const superblock = decodeSuperblock(platter.subarray(0, SUPERBLOCK_BYTES));
  if (superblock === undefined) throw new Error('copy 0 is whole');
  const frames = framesOn(platter, SMALLEST, sealOf(superblock, crc32));
  const tail = frames.at(-1)?.tailLsn ?? 0;
  return frames.filter((frame) => frame.lsn >= tail);
}

/** What a log says, in the words of `shownBy`. */
function saidBy(log: readonly Frame[]): string[] {
  const messages = new Map<number, { number: number; bytes: number; deliveryCount: number; notBeforeMs: number }>();
  const metas = new Map<string, string>();
  for (const { entries } of log) {
    for (const entry of entries) {
      if (entry.kind === 'put') {
        const { id, number, bodyBytes: bytes, deliveryCount, notBeforeMs } = entry;
        messages.set(id, { number, bytes, deliveryCount, notBeforeMs });
      } else if (entry.kind === 'ack') {
        for (let id = entry.id; id < entry.id + entry.count; id++) messages.delete(id);
      } else if (entry.kind === 'state') {
        const message = messages.get(entry.id);
        if (message) Object.assign(message, { deliveryCount: entry.deliveryCount, notBeforeMs: entry.notBeforeMs });
      } else if (entry.value === undefined) {
        metas.delete(entry.key);
      } else {
        metas.set(entry.key, toHex(entry.value));
      }
    }
  }
  for (const key of [EPOCH_KEY, LOST_KEY]) metas.delete(key);
  const lines = [...messages].map(
    ([id, m]) => `id ${id} number ${m.number} ${m.bytes} ${m.deliveryCount} ${m.notBeforeMs} whole`,
  );
  return [...lines, ...[...metas].map(([key, value]) => `meta ${key} ${value}`)].sort();
}

const ownBodies = new Map<number, Uint8Array>();

function ownBody(number: number, bytes: number): Uint8Array {
  const body = ownBodies.get(number) ?? modelBody({ number, bytes });
  ownBodies.set(number, body);
  return body;
}

/** What a ring shows, with every body fetched. A body that is neither whole nor called corrupt is a wrong one. */
function shownBy(h: RingHarness): string[] {
  const { index, metas } = h.ring;
  const lines: string[] = [];
  for (const slot of [...index.slots()]) {
    const [id, number, bytes] = [index.id(slot), index.number(slot), index.bodyBytes(slot)];
    const state = `${index.deliveryCount(slot)} ${index.notBeforeMs(slot)}`;
    const body = readBody(h.driver, id, h.nowMs);
    const isOwn = body !== undefined && equalBytes(body, ownBody(number, bytes));
    lines.push(`id ${id} number ${number} ${bytes} ${state} ${body === undefined ? 'corrupt' : isOwn ? 'whole' : 'wrong'}`);
  }
  for (const [key, value] of metas.withPrefix(''))
    if (key !== EPOCH_KEY && key !== LOST_KEY) lines.push(`meta ${key} ${toHex(value)}`);
  return lines.sort();
}

function offsetOf(frame: Frame, byte: number): number {
  const ringBytes = blockCount * blockBytes;
  return 2 * blockBytes + (((frame.lsn % blockCount) * blockBytes + byte) % ringBytes);
}

/** Opens a copy of the disk in which one bit is another. */
function openWith(h: RingHarness, offset: number, bit: number): RingHarness {
  const rotten = h.fork(stream('copy', 'disk'));
  const byte = new Uint8Array(1);
  rotten.disk.read(offset, byte);
  rotten.disk.poke(offset, Uint8Array.of((byte[0] ?? 0) ^ (1 << bit)));
  rotten.beginReopen();
  rotten.settle();
  if (rotten.ring.state !== 'serving') expect.fail(`not serving: ${rotten.ring.failure}`);
  return rotten;
}

/** Said by an `expect` only where it fails: this is asked for thousands of bits. */
function expectAlike(rotten: RingHarness, expected: readonly string[], context: string): void {
  const difference = differenceOf(shownBy(rotten), expected);
  if (difference !== '') expect.fail(`${context}: ${difference}`);
}

/** Of bytes that nobody reads, and of which one is as good as another, every so many-th. */
const UNREAD_EVERY = inject('sweep') === 'whole' ? 1 : 4;
const THOROUGH_EVERY = inject('sweep') === 'whole' ? 2 : 4;
/** Fields of a superblock, before what is reserved. */
const FIELDS_END = 144;
const EVERY_BIT = [0, 1, 2, 3, 4, 5, 6, 7];
const bytesOf = (from: number, end: number) => Array.from({ length: end - from }, (_, i) => from + i);

interface Parts {
  readonly directoryEnd: number;
  readonly bodies: readonly { readonly id: number; readonly offset: number; readonly bytes: number }[];
  readonly paddingStart: number;
  readonly end: number;
}

function partsOf(frame: Frame): Parts {
  const bodies = frame.entries.flatMap((one) =>
    one.kind === 'put' ? [{ id: one.id, offset: one.bodyOffset, bytes: one.bodyBytes }] : [],
  );
  const end = frame.blocks * blockBytes;
  let directoryEnd = FRAME_HEADER_BYTES;
  for (const one of frame.entries) {
    if (one.kind === 'put') directoryEnd += 64;
    else if (one.kind === 'ack') directoryEnd += one.count === 1 ? 8 : 16;
    else if (one.kind === 'state') directoryEnd += 24;
    else directoryEnd += Math.ceil((8 + one.key.length + (one.value?.length ?? 0)) / 8) * 8;
  }
  const paddingStart = directoryEnd + bodies.reduce((sum, body) => sum + body.bytes, 0);
  return { directoryEnd, bodies, paddingStart, end };
}

describe.each(['killed', 'closed clean'] as const)('after the ring was %s', (ending) => {
  let h: RingHarness;
  let log: readonly Frame[];
  /** Whose headers, directories and padding are hit: all that have entries of interest, or the two that a clean end makes different. */
  let hit: readonly Frame[];
  let whole: readonly string[];
  let everyId: Map<number, number>;
  beforeAll(() => {
    h = inhabited(ending);
    log = logOf(h.disk);
    hit = log.slice(ending === 'killed' ? -10 : -2);
    whole = saidBy(log);
    // Ids by the frame that gave them.
    everyId = new Map();
    for (const frame of log)
      for (const one of frame.entries) if (one.kind === 'put' && !everyId.has(one.id)) everyId.set(one.id, frame.lsn);
  });

  const isUnproven = (frame: Frame) => ending === 'killed' && frame === log.at(-1);

  /** The frame is gone, and reported as what it can be known to be. */
  function expectLost(frame: Frame, at: { byte: number; bit: number }): void {
    const rotten = openWith(h, offsetOf(frame, at.byte), at.bit);
    const context = `frame ${frame.seq}, byte ${at.byte}, bit ${at.bit}`;
    const left = log.filter((one) => one !== frame);
    expectAlike(rotten, saidBy(left), context);
    const { gaps, tornBlocks } = rotten.ring.report;
    if (isUnproven(frame)) {
      expect(gaps, context).toEqual([]);
      const isShapeless = SHAPE.some(([from, end]) => at.byte >= from && at.byte < end);
      if (!isShapeless) expect(tornBlocks, context).toBe(frame.blocks);
      return;
    }
    const shown = new Set(left.flatMap((one) => one.entries.flatMap((entry) => (entry.kind === 'put' ? [entry.id] : []))));
    const idsLost = [...everyId].filter(([id, lsn]) => lsn === frame.lsn && !shown.has(id)).length;
    const isSaidAgain = log.some((one) => one.seq > frame.seq && one.seq - one.relogged <= frame.seq);
    if (isSaidAgain) return expect(gaps, context).toEqual([]);
    expect(gaps, context).toHaveLength(1);
    const blocks = frame === log.at(-1) ? 1 : frame.blocks; // no later frame says where it ended
    expect(gaps[0], context).toMatchObject({ lsn: frame.lsn, blocks, framesLost: 1, idsLost });
    expect(tornBlocks, context).toBe(0);
  }

  function expectNothingLost(offset: number, at: { bit: number; context: string }): void {
    const rotten = openWith(h, offset, at.bit);
    expectAlike(rotten, whole, at.context);
    const { gaps, tornBlocks } = rotten.ring.report;
    if (gaps.length > 0 || tornBlocks > 0) expect(rotten.ring.report, at.context).toMatchObject({ gaps: [], tornBlocks: 0 });
  }

  test('the log is in its second lap or later and has every kind of entry, and frames of one block and of many', () => {
    const intact = h.fork(stream('copy', 'disk'));
    intact.reopen();
    expect(differenceOf(shownBy(intact), whole)).toBe('');
    expect(log[0]?.lsn).toBeGreaterThan(2 * blockCount);
    const kinds = log.flatMap(({ entries }) =>
      entries.map((one) =>
        one.kind === 'ack' && one.count > 1 ? 'run' : one.kind === 'meta' && !one.value ? 'tombstone' : one.kind,
      ),
    );
    expect(new Set(kinds)).toEqual(new Set(['put', 'ack', 'run', 'state', 'meta', 'tombstone']));
    expect(new Set(log.map(({ blocks }) => blocks)).size).toBeGreaterThan(3);
    expect(new Set(log.map(({ kind }) => kind))).toEqual(new Set(['data', 'open']));
  });

  test('any bit of any superblock copy: nothing is lost', () => {
    for (const copy of [0, 1, 2, 3]) {
      for (const byte of bytesOf(0, ending === 'killed' ? blockBytes : SUPERBLOCK_BYTES)) {
        if (byte >= SUPERBLOCK_BYTES && byte % UNREAD_EVERY !== copy % UNREAD_EVERY) continue;
        const bits = byte < FIELDS_END && copy < 2 && ending === 'killed' ? EVERY_BIT : [byte % 8];
        for (const bit of bits) {
          const context = `copy ${copy}, byte ${byte}, bit ${bit}`;
          expectNothingLost(superblockOffset(SMALLEST, copy) + byte, { bit, context });
        }
      }
    }
  });

  test('AC-51 any bit of a header: that frame is lost, and nothing else', () => {
    hit.forEach((frame, i) => {
      // The last frames bit by bit, of the others every other one or fourth one, else a bit of each byte.
      const isThorough = i % THOROUGH_EVERY === 0 || i >= hit.length - 2;
      for (const byte of bytesOf(0, FRAME_HEADER_BYTES))
        for (const bit of isThorough ? EVERY_BIT : [(5 * byte) % 8]) expectLost(frame, { byte, bit });
    });
  });

  test('any byte of a directory: that frame is lost, and nothing else', () => {
    for (const frame of hit)
      for (const byte of bytesOf(FRAME_HEADER_BYTES, partsOf(frame).directoryEnd))
        expectLost(frame, { byte, bit: (3 * byte) % 8 });
  });

  test('the first, middle or last byte of a body: that message is corrupt, and nothing else', () => {
    for (const frame of log) {
      for (const { id, offset, bytes } of partsOf(frame).bodies) {
        for (const byte of new Set([0, bytes >> 1, bytes - 1])) {
          if (bytes === 0) continue;
          const at = { byte: offset + byte, bit: byte % 8 };
          if (isUnproven(frame)) {
            const rotten = openWith(h, offsetOf(frame, at.byte), at.bit);
            expect(differenceOf(shownBy(rotten), saidBy(log.slice(0, -1)))).toBe('');
            expect(rotten.ring.report).toMatchObject({ gaps: [], tornBlocks: frame.blocks });
            continue;
          }
          const rotten = openWith(h, offsetOf(frame, at.byte), at.bit);
          const isNewest = log.filter((one) => partsOf(one).bodies.some((body) => body.id === id)).at(-1) === frame;
          const expected = whole.map((line) =>
            isNewest && line.startsWith(`id ${id} `) ? line.replace('whole', 'corrupt') : line,
          );
          expect(differenceOf(shownBy(rotten), expected), `message id ${id}, byte ${byte}`).toBe('');
          expect(rotten.ring.report, `message id ${id}`).toMatchObject({ gaps: [], tornBlocks: 0 });
        }
      }
    }
  });

  test('any byte of padding: nothing is lost', () => {
    let bytes = 0;
    for (const frame of hit) {
      const { paddingStart, end } = partsOf(frame);
      for (const byte of bytesOf(paddingStart, end)) {
        bytes += 1;
        if (bytes % UNREAD_EVERY !== 0) continue;
        expectNothingLost(offsetOf(frame, byte), { bit: byte % 8, context: `frame ${frame.seq}, byte ${byte}` });
      }
    }
    expect(bytes).toBeGreaterThan(300);
  });
});
