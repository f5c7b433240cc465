/** What is saved of a ring, and that the product opens what was made of it. Core only: simulated disks, no files. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { framesOn } from '../../hardware-sim/ring-damage.ts';
import { formattedDisk, openRing, playSteps, type RingDriver } from '../../hardware-sim/ring-driver.ts';
import { readBody } from '../../hardware-sim/ring-harness.ts';
import { SimDisk } from '../../hardware-sim/sim-disk.ts';
import { toHex } from '../bytes.ts';
import { crc32 } from '../crc32.ts';
import type { FileSteps } from './file-steps.ts';
import type { Frame, FrameSeal } from './frame-layout.ts';
import { fileBytesOf, geometryFor, type RingGeometry, segmentsOf, superblockOffset } from './geometry.ts';
import { verifyRing } from './inspect-verify.ts';
import { readView } from './inspect-view.ts';
import { EPOCH_KEY } from './opening.ts';
import type { Batch, NewMessage } from './ring.ts';
import { findSalvage, type Salvage, type SalvageDepth, type Saved, writeSalvage } from './salvage.ts';
import { fileBytesFor, NewLog } from './salvage-log.ts';

const GEOMETRY = geometryFor(400 * 512, 512);

function sourceOf(disk: SimDisk): { path: string; size: number; checksum: typeof crc32 } {
  return { path: 'sim', size: disk.bytes, checksum: crc32 };
}

/** Reads from one disk, writes to another. */
function playBetween<T>(steps: FileSteps<T>, from: SimDisk, to: SimDisk): T {
  const [source, target] = [from.open(), to.open()];
  for (let step = steps.next(); ; ) {
    if (step.done) return step.value;
    const request = step.value;
    if (request.kind === 'write') {
      target.begin(request.offset, request.bytes);
      step = steps.next();
      continue;
    }
    const bytes = new Uint8Array(request.bytes);
    let answer: Uint8Array | undefined = bytes;
    try {
      source.read(request.offset, bytes);
    } catch {
      answer = undefined; // a read that fails is an answer too
    }
    step = steps.next(answer);
  }
}

function salvage(
  from: SimDisk,
  depth: SalvageDepth,
  to: { geometry?: RingGeometry; blockBytes?: number } = {},
): { found: Salvage; saved: Saved; disk: SimDisk } {
  const { geometry = GEOMETRY, blockBytes } = to;
  const before = from.platter();
  const found = playSteps(findSalvage(sourceOf(from), { depth, blockBytes }), from.open());
  const disk = new SimDisk({ bytes: fileBytesOf(geometry), random: stream('salvage', 'new') });
  const fileId = stream('salvage', 'id').bytes(16);
  const { epoch, nextId, queueTimeMs } = found;
  const log = new NewLog({ geometry, fileId, checksum: crc32, epoch, nextId, queueTimeMs, path: 'new' });
  const saved = playBetween(writeSalvage(found, log), from, disk);
  expect(Buffer.compare(from.platter(), before)).toBe(0);
  expect(playSteps(verifyRing(sourceOf(disk), 'all'), disk.open()).problems).toEqual([]);
  return { found, saved, disk };
}

/** All there is to say of what a ring holds, as the product sees it. */
function contents(disk: SimDisk): { messages: string[]; metas: string[]; epoch: number; nextId: number; queueTimeMs: number } {
  const driver = openRing(disk, { epochRandom: 99 });
  driver.play(0);
  const { index, metas } = driver.ring;
  const slots = [...index.slots()].sort((a, b) => index.id(a) - index.id(b));
  const messages = slots.map((slot) => {
    const id = index.id(slot);
    const body = readBody(driver, id, 0);
    const numbers = [index.queue(slot), index.priority(slot), index.deliveryCount(slot), index.stream(slot), index.number(slot)];
    const rest = [index.epochCounter(slot), index.epochRandom(slot), index.storedAtMs(slot), index.expiresAtMs(slot)];
    return `${id}: ${[...numbers, ...rest, index.notBeforeMs(slot)].join(' ')} ${body && toHex(body)}`;
  });
  return {
    messages,
    metas: [...metas.withPrefix('')]
      .filter(([key]) => key !== EPOCH_KEY)
      .map(([key, value]) => `${key}=${toHex(value)}`)
      .sort(),
    epoch: driver.ring.epoch.counter,
    nextId: driver.ring.messagesStored + 1,
    queueTimeMs: driver.ring.queueTime(0),
  };
}

function ids(disk: SimDisk): number[] {
  return contents(disk).messages.map((text) => Number(text.split(':')[0]));
}

function message(number: number, bytes = 700): NewMessage {
  const body = Uint8Array.from({ length: bytes }, (_, i) => i * number + 1);
  const name = { queue: 1 + (number % 3), priority: number % 8, stream: 9, number, epochCounter: 1, epochRandom: 5 };
  return { ...name, deliveryCount: number % 4, expiresAtMs: number % 5, notBeforeMs: number % 2, body };
}

function commit(driver: RingDriver, batch: Batch, nowMs = 0): void {
  driver.ring.append(batch, { nowMs, delayMs: 0 }, () => {});
  driver.play(nowMs);
}

function filled(count: number, options: { geometry?: RingGeometry; bodyBytes?: number; keep?: number } = {}): SimDisk {
  const { geometry = GEOMETRY, bodyBytes = 700, keep = 25 } = options;
  const disk = formattedDisk(geometry, stream('salvage', 'disk'));
  const driver = openRing(disk);
  driver.play(0);
  for (let n = 1; n <= count; n++) {
    commit(driver, { puts: [message(n, bodyBytes)], metas: [{ key: `k/${n % 7}`, value: Uint8Array.from([n & 255]) }] }, n);
    // One in eleven stays: the cleaner has to copy it on.
    if (n > keep && (n - keep) % 11 !== 0) commit(driver, { acks: [{ id: n - keep, reason: 'acknowledged' }] }, n);
    if (n % 6 === 0) commit(driver, { states: [{ id: n, deliveryCount: 9, notBeforeMs: 77 }] }, n);
    if (n % 50 === 0) commit(driver, { metas: [{ key: `k/${n % 7}`, value: undefined }] }, n);
  }
  return disk;
}

function sealOf(disk: SimDisk): FrameSeal {
  return playSteps(readView(sourceOf(disk)), disk.open()).found.seal;
}

function framesOf(disk: SimDisk, g = GEOMETRY): Frame[] {
  return framesOn(disk.platter(), g, sealOf(disk));
}

function offsetOf(frame: Frame, skip: number, g = GEOMETRY): number {
  return segmentsOf(g, { lsn: frame.lsn, skip, bytes: 1 })[0]?.offset ?? 0;
}

function zeroSuperblocks(disk: SimDisk, g = GEOMETRY): void {
  for (const copy of [0, 1, 2, 3]) disk.rot(superblockOffset(g, copy), g.blockBytes, 'zeros');
}

describe('of a whole ring everything is saved', () => {
  test.each<[SalvageDepth, number]>([
    ['read', 20],
    ['deep', 20],
    ['read', 400],
    ['deep', 400],
  ])('%s, after %i messages: ids, names, counts, times, bodies, META', (depth, count) => {
    const old = filled(count);
    const { saved, found, disk } = salvage(old, depth);
    expect(saved).toMatchObject({ lostCount: 0, fromOlderCopies: 0, endedMeanwhile: 0, inDoubt: 0, reading: 'still' });
    expect(found).toMatchObject({ framesMissing: 0, idsMissing: 0, mayHaveEnded: 0, tornLsn: undefined, by: 'superblock' });
    const [theirs, ours] = [contents(old), contents(disk)];
    expect(ours).toEqual(theirs);
    expect(ours.messages.length).toBeGreaterThan(15);
  });

  test('the new ring goes on: what is sent there gets a new id, and survives', () => {
    const { disk } = salvage(filled(40), 'read');
    const before = contents(disk);
    const driver = openRing(disk);
    driver.play(0);
    commit(driver, { puts: [message(1000)] });
    driver.ring.close(() => {});
    driver.play(0);
    expect(contents(disk).messages).toEqual([...before.messages, expect.stringMatching(new RegExp(`^${before.nextId}: `))]);
  });

  test('golden rings too', () => {
    for (const name of ['clean', 'killed']) {
      const file = join(import.meta.dirname, `../../test/golden/ring-v1-${name}.ring.gz`);
      const bytes = new Uint8Array(gunzipSync(readFileSync(file)));
      const old = new SimDisk({ bytes: bytes.length, random: stream('salvage', 'golden') }, bytes);
      const geometry = geometryFor(bytes.length, 512);
      const { disk, saved } = salvage(old, 'deep', { geometry });
      const [theirs, ours] = [contents(old), contents(disk)];
      // The torn frame says that its id was given out, although its message was never stored.
      const { nextId } = theirs;
      expect({ ...ours, nextId }).toEqual(theirs);
      expect(ours.nextId).toBe(name === 'killed' ? nextId + 1 : nextId);
      expect(saved).toMatchObject({ lostCount: 0, unfinished: name === 'killed' ? 1 : 0 });
    }
  });

  test('the new file is another one: none of its frames is one of the old', () => {
    const old = filled(20);
    const { disk } = salvage(old, 'read');
    expect(framesOn(disk.platter(), GEOMETRY, sealOf(old))).toEqual([]);
  });
});

describe('without any superblock', () => {
  test.each([20, 400])('block size and seed come from the frames, after %i messages', (count) => {
    const old = filled(count);
    const expected = contents(new SimDisk({ bytes: old.bytes, random: stream('salvage', 'copy') }, old.platter()));
    zeroSuperblocks(old);
    expect(() => playSteps(findSalvage(sourceOf(old), { depth: 'read', blockBytes: undefined }), old.open())).toThrow(
      'RING_FOREIGN',
    );
    for (const blockBytes of [undefined, 512]) {
      const { found, disk } = salvage(old, 'deep', blockBytes === undefined ? {} : { blockBytes });
      expect(found.by).toBe('frames');
      const { messages, metas } = contents(disk);
      expect({ messages, metas }).toEqual({ messages: expected.messages, metas: expected.metas });
    }
  });

  test.each([1024, 4096, 65_536])('blocks of %i bytes', (blockBytes) => {
    const geometry = geometryFor(400 * blockBytes, blockBytes);
    const old = filled(30, { geometry });
    const { messages } = contents(new SimDisk({ bytes: old.bytes, random: stream('salvage', 'copy') }, old.platter()));
    zeroSuperblocks(old, geometry);
    const { found, disk } = salvage(old, 'deep', { geometry });
    expect(found.geometry.blockBytes).toBe(blockBytes);
    expect(contents(disk).messages).toEqual(messages);
  });

  test('one single frame is enough when a body agrees; noise is not', () => {
    const old = filled(1);
    zeroSuperblocks(old);
    const [open] = framesOf(filled(1)).filter(({ kind }) => kind === 'open');
    if (open === undefined) throw new Error('no OPEN frame');
    old.rot(offsetOf(open, 0), 512, 'garbage');
    expect(ids(salvage(old, 'deep').disk)).toEqual([1]);
    const noise = new SimDisk(
      { bytes: old.bytes, random: stream('salvage', 'noise') },
      stream('salvage', 'noise').bytes(old.bytes),
    );
    expect(() => playSteps(findSalvage(sourceOf(noise), { depth: 'deep', blockBytes: undefined }), noise.open())).toThrow(
      'RING_FOREIGN',
    );
  });

  test('a body that is full of frames of another ring does not win the vote', () => {
    const other = filled(60);
    const disk = formattedDisk(GEOMETRY, stream('salvage', 'hostile'));
    const driver = openRing(disk);
    driver.play(0);
    for (let n = 1; n <= 8; n++) {
      const at = superblockOffset(GEOMETRY, 2) / 2 + n * 512;
      commit(driver, { puts: [{ ...message(n), body: other.platter().subarray(at, at + 5000) }] });
    }
    const { messages } = contents(new SimDisk({ bytes: disk.bytes, random: stream('salvage', 'copy') }, disk.platter()));
    zeroSuperblocks(disk);
    expect(contents(salvage(disk, 'deep').disk).messages).toEqual(messages);
  });
});

describe('of a damaged ring', () => {
  test('a message without a whole body is told by name and not written', () => {
    const old = filled(20);
    const frame = framesOf(old).find(({ entries }) => entries.some((entry) => entry.kind === 'put' && entry.id === 10));
    if (frame === undefined) throw new Error('no frame');
    old.rot(offsetOf(frame, frame.blocks * 512 - 512), 4, 'garbage');
    for (const depth of ['read', 'deep'] as const) {
      const { saved, disk } = salvage(old, depth);
      expect(saved.lost).toMatchObject([{ id: 10, stream: 9, number: 10 }]);
      expect(ids(disk)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    }
  });

  /** Killed right after a commit: the next opening says its messages again, so there are two copies. */
  function saidAgain(): { disk: SimDisk; original: Frame; again: Frame } {
    const disk = filled(10);
    const driver = openRing(disk, { epochRandom: 2 });
    driver.play(0);
    commit(driver, { puts: [message(11)] });
    const next = openRing(disk, { epochRandom: 3 });
    next.play(0);
    commit(next, { states: [{ id: 11, deliveryCount: 8, notBeforeMs: 5 }] });
    commit(next, { puts: [message(12)] });
    const [original, again] = framesOf(disk).filter(({ entries }) => entries.some((one) => one.kind === 'put' && one.id === 11));
    if (original === undefined || again === undefined) throw new Error('there are two copies');
    return { disk, original, again };
  }

  test('an older copy gives the body when that of the newest is gone; the newest state holds', () => {
    const { disk: old, again } = saidAgain();
    const expected = contents(new SimDisk({ bytes: old.bytes, random: stream('salvage', 'copy') }, old.platter())).messages;
    old.rot(offsetOf(again, again.blocks * 512 - 512), 4, 'garbage');
    expect(salvage(old, 'read').saved.lost).toMatchObject([{ id: 11 }]);
    const { saved, disk } = salvage(old, 'deep');
    expect(saved).toMatchObject({ lostCount: 0, fromOlderCopies: 1 });
    expect(contents(disk).messages).toEqual(expected);
  });

  test('a damaged frame in the middle costs what only it held, and that is counted', () => {
    const old = filled(20);
    const frame = framesOf(old).find(({ entries }) => entries.some((entry) => entry.kind === 'put' && entry.id === 10));
    if (frame === undefined) throw new Error('no frame');
    old.rot(offsetOf(frame, 20), 4, 'garbage');
    for (const depth of ['read', 'deep'] as const) {
      const { found, saved, disk } = salvage(old, depth);
      expect(found).toMatchObject({ framesMissing: 1, idsMissing: 1 });
      expect(saved.lostCount).toBe(0);
      expect(ids(disk)).not.toContain(10);
      expect(ids(disk)).toHaveLength(19);
    }
  });

  test('messages whose newer copies are lost come back from before the tail', () => {
    // Laps with a message that stays: the cleaner copies it on, its original stands before the tail for a while.
    const old = filled(130, { keep: 10 });
    const all = framesOf(old);
    const view = playSteps(readView(sourceOf(old)), old.open());
    const tailLsn = view.found.last?.tailLsn ?? 0;
    const live = new Set(ids(new SimDisk({ bytes: old.bytes, random: stream('salvage', 'copy') }, old.platter())));
    const moved = all.filter(({ lsn, entries }) => lsn >= tailLsn && entries.some((one) => one.kind === 'put' && one.copy));
    const before = new Set(
      all
        .filter(({ lsn }) => lsn < tailLsn)
        .flatMap(({ entries }) => entries.flatMap((one) => (one.kind === 'put' ? [one.id] : []))),
    );
    const frame = moved.find(({ entries }) => entries.some((one) => one.kind === 'put' && one.copy && before.has(one.id)));
    if (frame === undefined) throw new Error('nothing was moved');
    const wanted = frame.entries.flatMap((one) =>
      one.kind === 'put' && one.copy && before.has(one.id) && live.has(one.id) ? [one.id] : [],
    );
    old.rot(offsetOf(frame, 20), 4, 'garbage');
    const { found, disk } = salvage(old, 'deep');
    expect(found.mayHaveEnded).toBeGreaterThan(0);
    expect(ids(disk)).toEqual(expect.arrayContaining(wanted));
    expect(wanted.length).toBeGreaterThan(0);
  });

  test('behind a gap of 2 MiB, where an opening does not look, everything is found', () => {
    const geometry = geometryFor(16 * 1024 * 1024, 4096);
    const old = filled(90, { geometry, bodyBytes: 40_000, keep: 1000 });
    const first = framesOf(old, geometry).find(({ entries }) => entries.some((one) => one.kind === 'put' && one.id === 10));
    if (first === undefined) throw new Error('no frame');
    old.rot(offsetOf(first, 0, geometry), 2 * 1024 * 1024, 'zeros');
    const read = salvage(old, 'read', { geometry });
    expect(Math.max(...ids(read.disk))).toBe(9);
    const deep = salvage(old, 'deep', { geometry });
    expect(ids(deep.disk)).toEqual(expect.arrayContaining([1, 9, 80, 90]));
    expect(deep.found.idsMissing).toBe(90 - ids(deep.disk).length);
  });

  test('of a write that was torn at the end, messages that are whole are saved as in doubt; what it ended is not ended', () => {
    const disk = new SimDisk(
      { bytes: 400 * 512, random: stream('salvage', 'torn'), completion: 'stepped' },
      filled(10).platter(),
    );
    const driver = openRing(disk, { epochRandom: 2 });
    const settle = () => {
      driver.play(20);
      while (disk.step()) driver.play(20);
    };
    settle();
    driver.ring.append(
      { puts: [message(11, 300), message(12, 3000)], acks: [{ id: 3, reason: 'acknowledged' }] },
      { nowMs: 20, delayMs: 0 },
      () => {},
    );
    driver.play(20);
    disk.powerCut((position) => (position < 3 ? 'new' : 'old'));
    expect(ids(salvage(disk, 'read').disk)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const deep = salvage(disk, 'deep');
    expect(deep.saved.inDoubt).toBe(1);
    expect(ids(deep.disk)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(deep.saved).toMatchObject({ lostCount: 0, unfinished: 1 });
  });

  test('of a file that was cut short, what is in the rest', () => {
    const old = filled(20);
    const half = new SimDisk({ bytes: 200 * 512, random: stream('salvage', 'half') }, old.platter().slice(0, 200 * 512));
    expect(() => playSteps(findSalvage(sourceOf(half), { depth: 'read', blockBytes: undefined }), half.open())).toThrow(
      'RING_TRUNCATED',
    );
    expect(ids(salvage(half, 'deep').disk)).toHaveLength(20);
  });
});

describe('of a ring that is written to meanwhile', () => {
  test.each<[SalvageDepth, number]>([
    ['read', 3],
    ['read', 40],
    ['deep', 3],
    ['deep', 40],
    ['deep', 500],
  ])('%s, a commit after every %i reads: nothing is called lost, what stays is saved', (depth, every) => {
    const old = formattedDisk(GEOMETRY, stream('salvage', 'busy'));
    const driver = openRing(old);
    driver.play(0);
    let n = 0;
    const owner = () => {
      n += 1;
      commit(driver, { puts: [message(n)] }, n);
      if (n > 20) commit(driver, { acks: [{ id: n - 5, reason: 'acknowledged' }] }, n);
    };
    for (let i = 0; i < 200; i++) owner();
    const disk = new SimDisk({ bytes: old.bytes, random: stream('salvage', 'new') });
    let reads = 0;
    const beside = function* <T>(steps: FileSteps<T>): FileSteps<T> {
      for (let step = steps.next(); ; ) {
        if (step.done) return step.value;
        const answer: Uint8Array | undefined = yield step.value;
        if (step.value.kind === 'read' && ++reads % every === 0) owner();
        step = steps.next(answer);
      }
    };
    const found = playBetween(beside(findSalvage(sourceOf(old), { depth, blockBytes: undefined })), old, disk);
    const { epoch, nextId, queueTimeMs } = found;
    const fileId = stream('salvage', 'id').bytes(16);
    const log = new NewLog({ geometry: GEOMETRY, fileId, checksum: crc32, epoch, nextId, queueTimeMs, path: 'new' });
    const saved = playBetween(beside(writeSalvage(found, log)), old, disk);
    expect(saved).toMatchObject({ lostCount: 0, reading: 'moved' });
    expect(found.framesMissing).toBe(0);
    expect(ids(disk)).toEqual(expect.arrayContaining([1, 2, 7, 15]));
  });
});

describe('noise over stretches of the file', () => {
  /** Without what changes in a message's life: id, stream, number, epoch, body. */
  const lasting = (text: string) => {
    const [id, , , , stream, number, counter, random, , , , body] = text.split(/:? /);
    return [id, stream, number, counter, random, body].join(' ');
  };

  test.each(Array.from({ length: 20 }, (_, seed) => seed))('seed %i: whatever is saved is what was stored', (seed) => {
    const random = stream(seed, 'salvage noise');
    const old = filled(120);
    const stored = new Set(Array.from({ length: 120 }, (_, i) => `${i + 1} 9 ${i + 1} 1 5 ${toHex(message(i + 1).body)}`));
    const live = ids(new SimDisk({ bytes: old.bytes, random }, old.platter()));
    if (seed % 2 === 0) zeroSuperblocks(old);
    for (let i = 0; i < 1 + random.int(4); i++) {
      const bytes = 1 + random.int(random.pick([40, 600, 10_000]));
      old.rot(2 * 512 + random.int(old.bytes - 4 * 512 - bytes), bytes, random.pick(['zeros', 'garbage', 'one-bit']));
    }
    const { found, saved, disk } = salvage(old, 'deep');
    const messages = contents(disk).messages;
    expect(messages.filter((text) => !stored.has(lasting(text)))).toEqual([]);
    // What is missing is told: by name, or as ids of frames that are lost.
    const here = new Set(messages.map((text) => Number(text.split(':')[0])));
    const missing = live.filter((id) => !here.has(id) && !saved.lost.some((one) => one.id === id));
    if (missing.length > 0) expect(found.framesMissing).toBeGreaterThan(0);
  });
});

describe('the length of a ring that holds so much', () => {
  test('is the smallest that does', () => {
    for (const liveBytes of [0, 1, 600_000, 5_000_000, 20_000_000]) {
      const bytes = fileBytesFor({ liveBytes, bodyBytes: 1000, blockBytes: 4096 }) ?? 0;
      const g = geometryFor(bytes, 4096);
      expect(Math.floor((g.livePermille * g.blockCount * g.blockBytes) / 1000)).toBeGreaterThanOrEqual(liveBytes);
      expect(fileBytesOf(g)).toBe(bytes);
    }
    expect(fileBytesFor({ liveBytes: 0, bodyBytes: 0, blockBytes: 4096 })).toBe(388 * 4096);
    expect(fileBytesFor({ liveBytes: 0, bodyBytes: 100_000, blockBytes: 4096 })).toBeGreaterThanOrEqual(16 * 1024 * 1024);
  });

  test('there is none for a body larger than any frame', () => {
    expect(fileBytesFor({ liveBytes: 0, bodyBytes: 1_000_000, blockBytes: 4096 })).toBeUndefined();
  });

  test('a log that does not hold it says what would', () => {
    const old = filled(40, { keep: 1000, bodyBytes: 1500 });
    const found = playSteps(findSalvage(sourceOf(old), { depth: 'read', blockBytes: undefined }), old.open());
    const geometry = { ...GEOMETRY, livePermille: 100 };
    const log = new NewLog({
      geometry,
      fileId: new Uint8Array(16),
      checksum: crc32,
      epoch: 1,
      nextId: 100,
      queueTimeMs: 0,
      path: 'x',
    });
    expect(() => playBetween(writeSalvage(found, log), old, new SimDisk({ bytes: old.bytes, random: stream('a', 'b') }))).toThrow(
      'RING_TOO_SMALL',
    );
  });
});
