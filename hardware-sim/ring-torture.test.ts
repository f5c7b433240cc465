import { expect, test } from 'vitest';
import { tortureRing } from './ring-torture.ts';
import { drawTorture, type Harm } from './torture-draw.ts';
import { SEEDS_THAT_FAILED } from './torture-seeds.ts';

test.each(SEEDS_THAT_FAILED)('seed $seed once broke a promise: $found', ({ seed }) => {
  tortureRing(seed);
});

test('a seed tells the same story twice', () => {
  expect(tortureRing(4711)).toEqual(tortureRing(4711));
});

test('30 lives: whatever breaks, what was acknowledged is there, and nothing else', () => {
  const toll = { crashes: 0, syncFailures: 0, rottedBlocks: 0, laps: 0 };
  const harms = new Set<Harm>();
  for (let seed = 400; seed < 430; seed++) {
    harms.add(drawTorture(seed).harm);
    const { crashes, syncFailures, rottedBlocks, laps } = tortureRing(seed);
    toll.crashes += crashes;
    toll.syncFailures += syncFailures;
    toll.rottedBlocks += rottedBlocks;
    toll.laps += laps;
  }
  expect(harms.size).toBe(4);
  expect(toll.crashes).toBeGreaterThan(300);
  expect(toll.syncFailures).toBeGreaterThan(40);
  expect(toll.rottedBlocks).toBeGreaterThan(20);
  expect(toll.laps).toBeGreaterThan(20);
});
