/** What looking at a ring tells, whole and damaged in every region. Core only: a simulated disk, no files. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { framesOn } from '../../hardware-sim/ring-damage.ts';
import { formattedDisk, openRing, playSteps, type RingDriver } from '../../hardware-sim/ring-driver.ts';
import { SimDisk } from '../../hardware-sim/sim-disk.ts';
import { equalBytes } from '../bytes.ts';
import { crc32 } from '../crc32.ts';
import type { ReadSteps } from './file-steps.ts';
import type { Frame } from './frame-layout.ts';
import { geometryFor, type RingGeometry, segmentsOf, superblockOffset } from './geometry.ts';
import { inspectRing } from './inspect.ts';
import { type BodyChoice, type Verification, verifyRing } from './inspect-verify.ts';
import { readView } from './inspect-view.ts';
import { NO_SLOT } from './message-index.ts';
import type { Batch, NewMessage } from './ring.ts';

const GEOMETRY = geometryFor(400 * 512, 512);

function look<T>(disk: SimDisk, steps: (source: { path: string; size: number; checksum: typeof crc32 }) => ReadSteps<T>): T {
  return playSteps(steps({ path: 'sim', size: disk.bytes, checksum: crc32 }), disk.open());
}

function verify(disk: SimDisk, bodies: BodyChoice = 'live'): Verification {
  return look(disk, (source) => verifyRing(source, bodies));
}

function message(number: number, bytes: number): NewMessage {
  const body = Uint8Array.from({ length: bytes }, (_, i) => i * number + 1);
  const name = { queue: 7, priority: 3, stream: 9, number, epochCounter: 1, epochRandom: 5, deliveryCount: 0 };
  return { ...name, expiresAtMs: 0, notBeforeMs: 0, body };
}

function commit(driver: RingDriver, batch: Batch, nowMs = 0): void {
  driver.ring.append(batch, { nowMs, delayMs: 0 }, () => {});
  driver.play(nowMs);
}

/** A ring of `count` messages in frames of their own, id = number; each third is acknowledged. */
function filled(count: number, g: RingGeometry = GEOMETRY, ending: 'closed' | 'killed' = 'closed', bodyBytes = 700): SimDisk {
  const disk = formattedDisk(g, stream('tools', 'disk'));
  const driver = openRing(disk);
  driver.play(0);
  for (let n = 1; n <= count; n++) {
    commit(driver, { puts: [message(n, bodyBytes)], metas: [{ key: `k/${n % 5}`, value: Uint8Array.from([n]) }] }, n);
    if (n % 3 === 0) commit(driver, { acks: [{ id: n, reason: 'acknowledged' }] }, n);
  }
  if (ending === 'closed') {
    driver.ring.close(() => {});
    driver.play(count);
  }
  return disk;
}

function framesOf(disk: SimDisk, g: RingGeometry = GEOMETRY): Frame[] {
  const { found } = look(disk, readView);
  return framesOn(disk.platter(), g, found.seal);
}

function frameWith(disk: SimDisk, id: number): Frame {
  const frame = framesOf(disk).find(({ entries }) => entries.some((entry) => entry.kind === 'put' && entry.id === id));
  if (frame === undefined) throw new Error(`no frame with message ${id}`);
  return frame;
}

/** Flips a bit of a frame, so many bytes behind its first. */
function hit(disk: SimDisk, frame: Frame, skip: number): number {
  const [at] = segmentsOf(GEOMETRY, { lsn: frame.lsn, skip, bytes: 1 });
  const offset = at?.offset ?? 0;
  disk.poke(offset, Uint8Array.from([(disk.platter()[offset] ?? 0) ^ 0x10]));
  return offset;
}

describe('inspect', () => {
  test('tells what a golden ring holds, and changes no byte of it', () => {
    const bytes = new Uint8Array(gunzipSync(readFileSync(join(import.meta.dirname, '../../test/golden/ring-v1-clean.ring.gz'))));
    const disk = new SimDisk({ bytes: bytes.length, random: stream('tools', 'golden') }, bytes);
    const seen = look(disk, inspectRing);
    expect(seen).toMatchObject({
      reading: 'still',
      closed: 'clean',
      epoch: { counter: 1, random: 0x11223344 },
      messages: 2,
      gaps: [],
      tornBlocks: 0,
      queueTimeMs: 400,
      nextId: 7,
      queues: [
        { queue: 7, messages: 1, bodyBytes: 3 },
        { queue: 0xffff_ffff, messages: 1, bodyBytes: 4 },
      ],
      opening: { epoch: 2, relogged: 0 },
    });
    expect(seen.superblocks.map(({ state, holds }) => [state, holds])).toEqual([
      ['whole', seen.superblocks[0]?.holds],
      ['whole', seen.superblocks[1]?.holds],
      ['whole', seen.superblocks[0]?.holds],
      ['whole', seen.superblocks[1]?.holds],
    ]);
    expect(seen.superblocks.filter(({ holds }) => holds)).toHaveLength(2);
    expect(equalBytes(disk.platter(), bytes)).toBe(true);
  });

  test('of a killed ring says what is torn; a torn DATA frame proves the one before, so nothing is said again', () => {
    const bytes = new Uint8Array(gunzipSync(readFileSync(join(import.meta.dirname, '../../test/golden/ring-v1-killed.ring.gz'))));
    const disk = new SimDisk({ bytes: bytes.length, random: stream('tools', 'golden') }, bytes);
    const seen = look(disk, inspectRing);
    expect(seen).toMatchObject({ closed: 'not-clean', messages: 2, tornBlocks: 4 });
    expect(seen.opening.relogged).toBe(0);
  });

  test('finds the same live set, room and tail as an opening', () => {
    for (const ending of ['closed', 'killed'] as const) {
      const disk = filled(60, GEOMETRY, ending);
      const seen = look(disk, inspectRing);
      const driver = openRing(disk);
      driver.play(0);
      expect(seen.opening.relogged > 0).toBe(ending === 'killed');
      expect(seen.messages).toBe(driver.ring.index.count);
      // The OPEN frame repeats what is not proven; what lives is the same, but for the epoch, which is as long as the one before.
      expect(seen.liveBytes).toBe(driver.ring.bytesUsed);
      expect(seen.nextId).toBe(driver.ring.messagesStored + 1);
      expect(seen.opening.epoch).toBe(driver.ring.epoch.counter);
    }
  });

  test('of a new ring that was never opened', () => {
    const disk = formattedDisk(GEOMETRY, stream('tools', 'new'));
    expect(look(disk, inspectRing)).toMatchObject({
      messages: 0,
      frames: [],
      gaps: [],
      epoch: { counter: 0 },
      opening: { epoch: 1 },
    });
    expect(verify(disk)).toMatchObject({ problems: [], reading: 'still' });
  });
});

describe('verify', () => {
  test.each(['closed', 'killed'] as const)('finds nothing wrong in a ring that was %s, over several laps', (ending) => {
    const disk = formattedDisk(GEOMETRY, stream('tools', 'laps'));
    const driver = openRing(disk);
    driver.play(0);
    for (let n = 1; n <= 600; n++) {
      commit(driver, { puts: [message(n, 900)], metas: [{ key: 'last', value: Uint8Array.from([n & 255]) }] }, n);
      if (n > 20) commit(driver, { acks: [{ id: n - 20, reason: 'acknowledged' }] }, n);
    }
    if (ending === 'closed') driver.ring.close(() => {});
    driver.play(600);
    const before = disk.platter();
    expect(verify(disk, 'all')).toMatchObject({ problems: [], reading: 'still', messages: 20 });
    expect(equalBytes(disk.platter(), before)).toBe(true);
  });

  test.each([0, 1, 2, 3])('superblock copy %i is told with its place, and costs nothing', (copy) => {
    const disk = filled(20);
    disk.rot(superblockOffset(GEOMETRY, copy) + 60, 20, 'garbage');
    expect(verify(disk).problems).toEqual([
      { code: 'SUPERBLOCK_DAMAGED', offset: superblockOffset(GEOMETRY, copy), bytes: 256, lost: {} },
    ]);
  });

  test('all four superblocks gone: no ring', () => {
    const disk = filled(20);
    for (const copy of [0, 1, 2, 3]) disk.rot(superblockOffset(GEOMETRY, copy), 512, 'zeros');
    expect(() => verify(disk)).toThrow('RING_FOREIGN');
  });

  test.each([
    ['magic', 0],
    ['header', 50],
    ['directory', 64 + 40],
  ])('a damaged %s costs its frame, and its message is named where it can be', (_where, skip) => {
    const disk = filled(20);
    const frame = frameWith(disk, 10);
    hit(disk, frame, skip);
    const [problem, ...rest] = verify(disk).problems;
    expect(rest).toEqual([]);
    expect(problem).toMatchObject({
      code: 'FRAMES_MISSING',
      lsn: frame.lsn,
      lost: { frames: 1, ids: { from: 10, to: 10, count: 1 } },
    });
    if (skip === 64 + 40) {
      expect(problem?.lost).toMatchObject({ messages: [{ queue: 7, stream: 9 }], metas: ['k/0'], said: 'claimed' });
    }
  });

  test('a damaged live body costs its message, which is named', () => {
    const disk = filled(20);
    const frame = frameWith(disk, 10);
    const put = frame.entries.find((entry) => entry.kind === 'put');
    hit(disk, frame, (put?.kind === 'put' ? put.bodyOffset : 0) + 600);
    expect(verify(disk).problems).toMatchObject([
      { code: 'BODY_DAMAGED', lsn: frame.lsn, bytes: 700, lost: { messages: [{ id: 10, queue: 7, stream: 9, number: 10 }] } },
    ]);
    expect(verify(disk, 'none').problems).toEqual([]);
  });

  test('the body of a message that was acknowledged is looked at when asked for, and costs nothing', () => {
    const disk = filled(20);
    const frame = frameWith(disk, 9);
    const put = frame.entries.find((entry) => entry.kind === 'put');
    hit(disk, frame, (put?.kind === 'put' ? put.bodyOffset : 0) + 10);
    expect(verify(disk).problems).toEqual([]);
    expect(verify(disk, 'all').problems).toMatchObject([{ code: 'DEAD_BODY_DAMAGED', lsn: frame.lsn, lost: {} }]);
  });

  test('a byte in the padding is told with its place, and costs nothing', () => {
    const disk = filled(20);
    const frame = frameWith(disk, 10);
    const offset = hit(disk, frame, frame.blocks * 512 - 3);
    expect(verify(disk).problems).toMatchObject([{ code: 'PADDING_NOT_ZERO', lsn: frame.lsn, offset, lost: {} }]);
  });

  test('a block the medium does not give is a missing frame', () => {
    const disk = filled(20);
    const frame = frameWith(disk, 10);
    const [at] = segmentsOf(GEOMETRY, { lsn: frame.lsn, skip: 0, bytes: 512 });
    disk.failReads(at?.offset ?? 0, 512);
    expect(verify(disk).problems).toMatchObject([{ code: 'FRAMES_MISSING', lsn: frame.lsn }]);
  });

  test('a gap of 2 MiB, longer than opening looks ahead, does not hide what lies behind it', () => {
    const g = geometryFor(16 * 1024 * 1024, 4096);
    const disk = filled(90, g, 'killed', 40_000);
    const frames = framesOf(disk, g).filter(({ lsn }) => lsn > look(disk, readView).found.superblock.anchorLsn);
    const first = frames[2];
    if (first === undefined) throw new Error('no frames behind the anchor');
    const [at] = segmentsOf(g, { lsn: first.lsn, skip: 0, bytes: 1 });
    disk.rot(at?.offset ?? 0, 2 * 1024 * 1024, 'zeros');
    const { problems } = verify(disk);
    expect(problems.map(({ code }) => code)).toEqual(['FRAMES_UNREACHED']);
    expect(problems[0]?.lost.frames).toBeGreaterThan(0);
    expect(problems[0]?.lost.messages?.map(({ number }) => number)).toContain(90);
  });

  test('a body that cleaning found damaged and moved is told as known', () => {
    const disk = formattedDisk(GEOMETRY, stream('tools', 'known'));
    const driver = openRing(disk);
    driver.play(0);
    commit(driver, { puts: [message(1, 900)] });
    const frame = frameWith(disk, 1);
    const put = frame.entries.find((entry) => entry.kind === 'put');
    hit(disk, frame, (put?.kind === 'put' ? put.bodyOffset : 0) + 10);
    for (let n = 2; n <= 300; n++) {
      commit(driver, { puts: [message(n, 900)] }, n);
      if (n > 10) commit(driver, { acks: [{ id: n - 8, reason: 'acknowledged' }] }, n);
    }
    expect(frameWith(disk, 1).lsn).toBeGreaterThan(frame.lsn);
    expect(verify(disk, 'all').problems).toMatchObject([
      { code: 'BODY_KNOWN_DAMAGED', bytes: 900, lost: { messages: [{ id: 1, number: 1 }] } },
    ]);
  });

  test('what a torn write left at the end is no damage', () => {
    const disk = formattedDisk(GEOMETRY, stream('tools', 'torn'), 'stepped');
    const driver = openRing(disk);
    const settle = (nowMs: number) => {
      driver.play(nowMs);
      while (disk.step()) driver.play(nowMs);
    };
    settle(0);
    driver.ring.append({ puts: [message(1, 700)] }, { nowMs: 0, delayMs: 0 }, () => {});
    settle(0);
    driver.ring.append({ puts: [message(2, 3000)] }, { nowMs: 1, delayMs: 0 }, () => {});
    driver.play(1);
    disk.powerCut((position) => (position < 2 ? 'new' : 'old'));
    expect(verify(disk, 'all')).toMatchObject({ problems: [], messages: 1 });
    expect(verify(disk).tornBlocks).toBeGreaterThan(0);
  });
});

describe('a ring that is written to while it is read', () => {
  /** Answers the steps, and lets the owner go on after every few reads. */
  function beside<T>(steps: ReadSteps<T>, disk: SimDisk, owner: () => void, every: number): T {
    const file = disk.open();
    let reads = 0;
    for (let step = steps.next(); ; ) {
      if (step.done) return step.value;
      const bytes = new Uint8Array(step.value.bytes);
      file.read(step.value.offset, bytes);
      if (++reads % every === 0) owner();
      step = steps.next(bytes);
    }
  }

  function busy(): { disk: SimDisk; owner: () => void; live: () => Set<number> } {
    const disk = formattedDisk(GEOMETRY, stream('tools', 'busy'));
    const driver = openRing(disk);
    driver.play(0);
    let n = 0;
    const owner = () => {
      n += 1;
      commit(driver, { puts: [message(n, 900)] }, n);
      if (n > 20) commit(driver, { acks: [{ id: n - 20, reason: 'acknowledged' }] }, n);
    };
    for (let i = 0; i < 300; i++) owner();
    const live = () => new Set([...driver.ring.index.slots()].map((slot) => driver.ring.index.id(slot)));
    return { disk, owner, live };
  }

  test.each([1, 2, 3, 5, 8, 20, 50])('is never called damaged: a commit after every %i reads', (every) => {
    const { disk, owner } = busy();
    const source = { path: 'sim', size: disk.bytes, checksum: crc32 };
    const found = beside(verifyRing(source, 'all'), disk, owner, every);
    expect(found.problems).toEqual([]);
    expect(beside(inspectRing(source), disk, owner, every).gaps).toEqual([]);
  });

  test('says that it moved when it moved each time', () => {
    const { disk, owner } = busy();
    const found = beside(verifyRing({ path: 'sim', size: disk.bytes, checksum: crc32 }, 'live'), disk, owner, 1);
    expect(found.reading).toBe('moved');
  });

  test('damage that is there each time is told all the same', () => {
    const disk = formattedDisk(GEOMETRY, stream('tools', 'hurt'));
    const driver = openRing(disk);
    driver.play(0);
    for (let n = 1; n <= 10; n++) commit(driver, { puts: [message(n, 900)] }, n);
    const frame = frameWith(disk, 5);
    const put = frame.entries.find((entry) => entry.kind === 'put');
    hit(disk, frame, (put?.kind === 'put' ? put.bodyOffset : 0) + 10);
    let n = 10;
    const owner = () => {
      if (n < 30) commit(driver, { puts: [message(++n, 100)] }, n);
    };
    const found = beside(verifyRing({ path: 'sim', size: disk.bytes, checksum: crc32 }, 'live'), disk, owner, 10);
    expect(found.problems).toMatchObject([{ code: 'BODY_DAMAGED', lost: { messages: [{ id: 5 }] } }]);
    expect(driver.ring.index.find(5)).not.toBe(NO_SLOT);
  });
});
