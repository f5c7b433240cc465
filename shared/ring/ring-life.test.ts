/**
 * Long lives of rings that are mostly full, in a bad neighbourhood: every write may be the last before a power cut, a kill or a failed
 * sync, and so may every write of the openings that follow. What was called durable is there, always.
 */
import { expect, test } from 'vitest';
import { type Prng, stream } from '../../hardware-sim/random.ts';
import { freshHarness, type ModelBatch, type RingHarness } from '../../hardware-sim/ring-harness.ts';
import { hasCode } from '../errors.ts';
import { geometryFor, type RingGeometry } from './geometry.ts';

const GEOMETRIES: readonly [RingGeometry, ...RingGeometry[]] = [
  geometryFor(388 * 512, 512),
  { blockBytes: 512, blockCount: 397, frameBlocksMax: 16, livePermille: 400, cleanDivisor: 4 },
  { blockBytes: 512, blockCount: 700, frameBlocksMax: 32, livePermille: 450, cleanDivisor: 4 },
  { blockBytes: 1024, blockCount: 401, frameBlocksMax: 8, livePermille: 300, cleanDivisor: 4 },
];
const STEPS = 500;

interface Life {
  readonly h: RingHarness;
  readonly random: Prng;
  readonly crashRate: number;
  /** Part of what may live that is kept filled. */
  readonly fullness: number;
  readonly bytes: () => number;
  number: number;
}

function begin(seed: number): Life {
  const random = stream(seed, 'life');
  const geometry = random.pick(GEOMETRIES);
  const h = freshHarness({ geometry, random: stream(seed, 'disk'), completion: 'stepped' });
  h.settle();
  const bytesMax = h.ring.bodyBytesMax + 1;
  const bytes = random.pick([
    () => random.int(300),
    () => random.int(random.chance(0.1) ? bytesMax : 900),
    () => random.int(bytesMax),
  ]);
  const fullness = random.chance(0.7) ? 0.85 + 0.2 * random.next() : random.next();
  return { h, random, crashRate: random.pick([0.01, 0.05, 0.2]), fullness, bytes, number: 1 };
}

function batchOf(life: Life): ModelBatch {
  const { h, random } = life;
  const live = h.numbers();
  const any = () => live[random.chance(0.3) ? 0 : random.int(live.length)] ?? 0;
  const put = () => ({ number: life.number++, bytes: Math.floor(life.bytes()) });
  const third = () => ({ number: life.number++, bytes: Math.min(life.bytes(), Math.floor(h.ring.bodyBytesMax / 3)) });
  const roll = random.next();
  if (roll < 0.45 || live.length === 0 || h.ring.bytesUsed < life.fullness * h.ring.bytesMax) {
    return { puts: random.chance(0.2) ? [third(), third(), third()] : [put()] };
  }
  if (roll < 0.7) return { acks: Array.from({ length: 1 + random.int(4) }, any) };
  const value = random.chance(0.1) ? undefined : 'ab'.repeat(random.int(random.chance(0.2) ? 2500 : 60));
  if (roll < 0.8) return { metas: [{ key: `k${random.int(12)}`, value }] };
  if (roll < 0.88) return { states: [{ number: any(), deliveryCount: random.int(99), notBeforeMs: random.int(99_999) }] };
  return { puts: [put()], acks: [any()], metas: [{ key: `c${random.int(3)}`, value: `0${random.int(10)}` }] };
}

function append(life: Life): void {
  try {
    life.h.append(batchOf(life));
  } catch (error) {
    if (!hasCode(error, 'QUEUE_FULL')) throw error;
  }
}

/** Whatever is being written now, the process does not live to hear of it. */
function crash({ h, random }: Life): void {
  const roll = random.next();
  if (roll < 0.4) return h.powerCut(() => random.pick(['old', 'new', 'half', 'garbage']));
  if (roll < 0.7 && h.driver.isWriting) {
    h.disk.failNextSync(random.pick(['new', 'old']));
    h.settle();
    expect(h.ring.state).toBe('stopped');
  }
  h.disk.kill();
}

test.each([1031, 2, 3, 4, 5])('life %i', (seed) => {
  const life = begin(seed);
  const { h, random } = life;
  for (let step = 0; step < STEPS; step++) {
    append(life);
    h.play();
    for (let writes = random.chance(0.6) ? random.int(3) + 1 : 0; writes > 0 && h.disk.step(); writes--) h.play();
    if (!random.chance(life.crashRate)) continue;
    crash(life);
    for (let openings = random.chance(0.4) ? random.int(6) : 0; openings > 0; openings--) {
      h.beginReopen();
      h.play();
      for (let writes = random.int(4); writes > 0 && h.disk.step(); writes--) h.play();
      crash(life);
    }
    h.reopen();
    expect(h.ring.report.gaps).toEqual([]);
    if (random.chance(0.2)) h.checkBodies();
  }
  h.settle();
  h.check();
  h.checkBodies();
});
