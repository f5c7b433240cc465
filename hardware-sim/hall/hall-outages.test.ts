import { expect, test } from 'vitest';
import { stream } from '../random.ts';
import {
  COMPACT_HALL_TARGETS,
  FULL_HALL_TARGETS,
  OUTAGE_MS_MAX,
  OUTAGE_MS_MIN,
  OUTAGE_RUN_MS_MIN,
  planOutages,
} from './hall-outages.ts';

const counts = { device: 4, cable: 2 };
const plan = (seed: number, forMs: number, targets = FULL_HALL_TARGETS) =>
  planOutages({ targets, counts, forMs, random: stream(seed, 'outages') });
const seeds = Array.from({ length: 100 }, (_, seed) => seed);

test.each([OUTAGE_RUN_MS_MIN, 15_000, 20_000, 600_000])(
  'a run of %d ms has each outage once, begun and ended within it',
  (forMs) => {
    for (const seed of seeds) {
      const outages = plan(seed, forMs);
      expect(outages.map(({ target }) => target).sort()).toEqual([...FULL_HALL_TARGETS].sort());
      expect(outages.map(({ atMs }) => atMs)).toEqual(outages.map(({ atMs }) => atMs).sort((a, b) => a - b));
      for (const { atMs, lastsMs } of outages) {
        expect(atMs).toBeGreaterThan(0);
        expect(atMs + lastsMs).toBeLessThan(forMs);
        expect(lastsMs).toBeGreaterThanOrEqual(OUTAGE_MS_MIN);
        expect(lastsMs).toBeLessThanOrEqual(OUTAGE_MS_MAX);
      }
    }
  },
);

test('the same seed gives the same plan, another one another', () => {
  expect(plan(7, 20_000)).toEqual(plan(7, 20_000));
  expect(plan(7, 20_000)).not.toEqual(plan(8, 20_000));
});

test('every device, every cable and every order of two gets its turn', () => {
  const plans = seeds.map((seed) => plan(seed, 20_000));
  const indexes = (target: string) => new Set(plans.map((outages) => outages.find((outage) => outage.target === target)?.index));
  expect([...indexes('device')].sort()).toEqual([0, 1, 2, 3]);
  expect([...indexes('cable')].sort()).toEqual([0, 1]);
  expect([...indexes('broker')]).toEqual([0]);
  const places = plans.map((outages) => outages.findIndex(({ target }) => target === 'broker'));
  expect(new Set(places).size).toBe(FULL_HALL_TARGETS.length);
});

test('the compact hall has four', () => {
  expect(
    plan(1, 15_000, COMPACT_HALL_TARGETS)
      .map(({ target }) => target)
      .sort(),
  ).toEqual([...COMPACT_HALL_TARGETS].sort());
});

test('a run without room is refused', () => {
  expect(() => plan(1, OUTAGE_RUN_MS_MIN - 1)).toThrow('too short');
});
