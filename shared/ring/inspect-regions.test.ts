/** Damage of every block of a log, and noise over stretches of a file: nothing goes unnoticed, nothing but a coded error comes out. */
import { describe, expect, test } from 'vitest';
import { type Prng, stream } from '../../hardware-sim/random.ts';
import { formattedDisk, openRing, playSteps } from '../../hardware-sim/ring-driver.ts';
import { SimDisk } from '../../hardware-sim/sim-disk.ts';
import { crc32 } from '../crc32.ts';
import { RingmailError } from '../errors.ts';
import type { ReadSteps } from './file-steps.ts';
import { geometryFor } from './geometry.ts';
import { inspectRing } from './inspect.ts';
import { blockOffset } from './inspect-superblocks.ts';
import { verifyRing } from './inspect-verify.ts';
import { type RingSource, readView } from './inspect-view.ts';
import { findSalvage, type SalvageDepth } from './salvage.ts';

const GEOMETRY = geometryFor(392 * 512, 512);

/** Laps of messages of all sizes, some with many in a frame, some acknowledged; closed, so that the last frame is proven. */
function laps(random: Prng): SimDisk {
  const disk = formattedDisk(GEOMETRY, random);
  const driver = openRing(disk);
  driver.play(0);
  const live: number[] = [];
  for (let n = 1; n <= 250; n++) {
    const puts = Array.from({ length: 1 + random.int(3) }, (_, i) => ({
      ...{ queue: 1, priority: random.int(8), stream: 2, number: 10 * n + i, epochCounter: 1, epochRandom: 1, deliveryCount: 0 },
      ...{ expiresAtMs: 0, notBeforeMs: 0, body: random.bytes(random.int(900)) },
    }));
    driver.ring.append({ puts, metas: [{ key: `k${n % 9}`, value: random.bytes(8) }] }, { nowMs: n, delayMs: 0 }, (_, slots) => {
      live.push(...slots.map((slot) => driver.ring.index.id(slot)));
    });
    driver.play(n);
    const acks = live.splice(0, Math.max(0, live.length - 40)).map((id) => ({ id, reason: 'acknowledged' as const }));
    if (acks.length > 0) driver.ring.append({ acks }, { nowMs: n, delayMs: 0 }, () => {});
    driver.play(n);
  }
  driver.ring.close(() => {});
  driver.play(250);
  return disk;
}

function sourceOf(disk: SimDisk): RingSource {
  return { path: 'sim', size: disk.bytes, checksum: crc32 };
}

function look<T>(disk: SimDisk, steps: (source: RingSource) => ReadSteps<T>): T {
  return playSteps(steps(sourceOf(disk)), disk.open());
}

test('a flipped bit anywhere in the log is a problem, at a place that holds it', () => {
  const random = stream('regions', 'bits');
  const whole = laps(random);
  const { found, frames } = look(whole, readView);
  expect(look(whole, (source) => verifyRing(source, 'all')).problems).toEqual([]);
  const codes = new Set<string>();
  for (const frame of frames) {
    for (let block = frame.lsn; block < frame.lsn + frame.blocks; block++) {
      const disk = new SimDisk({ bytes: whole.bytes, random }, whole.platter());
      const at = blockOffset(GEOMETRY, block) + random.int(512);
      disk.poke(at, Uint8Array.from([(whole.platter()[at] ?? 0) ^ (1 << random.int(8))]));
      const { problems } = look(disk, (source) => verifyRing(source, 'all'));
      const isTold = problems.some(({ offset, bytes, lsn }) => {
        // A frame that wraps is told with its first byte.
        const wraps = lsn !== undefined && Math.floor(lsn / GEOMETRY.blockCount) !== Math.floor(block / GEOMETRY.blockCount);
        return wraps || (at >= offset && at < offset + bytes);
      });
      expect(isTold, `byte ${at} of block ${block}: ${JSON.stringify(problems)}`).toBe(true);
      for (const { code } of problems) codes.add(code);
    }
  }
  expect(found.gaps).toEqual([]);
  expect([...codes]).toEqual(expect.arrayContaining(['FRAMES_MISSING', 'BODY_DAMAGED', 'DEAD_BODY_DAMAGED', 'PADDING_NOT_ZERO']));
});

describe('noise over stretches of the file', () => {
  test.each(Array.from({ length: 40 }, (_, seed) => seed))(
    'seed %i: coded errors at most, and deep finds all that an opening finds',
    (seed) => {
      const random = stream(seed, 'noise');
      const disk = laps(stream('regions', 'noise'));
      for (let i = 0; i < 1 + random.int(6); i++) {
        const bytes = 1 + random.int(random.pick([40, 600, 20_000]));
        const at = random.int(disk.bytes - bytes);
        if (random.chance(0.2)) disk.failReads(at, bytes);
        else disk.rot(at, bytes, random.pick(['zeros', 'garbage', 'one-bit']));
      }
      const outcome = <T>(steps: (source: RingSource) => ReadSteps<T>): T | string => {
        try {
          return look(disk, steps);
        } catch (error) {
          if (error instanceof RingmailError) return error.code;
          throw error;
        }
      };
      const salvage = (depth: SalvageDepth) => outcome((source) => findSalvage(source, { depth, blockBytes: undefined }));
      const verified = outcome((source) => verifyRing(source, 'all'));
      const inspected = outcome(inspectRing);
      const [read, deep] = [salvage('read'), salvage('deep')];
      if (typeof verified === 'string' || typeof inspected === 'string' || typeof read === 'string') {
        expect([verified, inspected, read]).toEqual(['RING_FOREIGN', 'RING_FOREIGN', 'RING_FOREIGN']);
      } else {
        const all = look(laps(stream('regions', 'noise')), readView).contents.ids();
        // What is missing is never missing in silence.
        if (verified.problems.length === 0) expect([inspected.gaps, read.contents.ids()]).toEqual([[], all]);
        if (typeof deep === 'string') throw new Error(`deep finds nothing where an opening does: ${deep}`);
        const found = new Set(deep.contents.ids());
        expect([...read.contents.ids()].filter((id) => !found.has(id))).toEqual([]);
      }
    },
  );
});
