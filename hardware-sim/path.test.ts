import { expect, test } from 'vitest';
import { runPath } from './path.ts';
import { brokenPromises, drawPath, runSeeds } from './path-seeds.ts';

const QUIET = { deviceCount: 2, messageCount: 30, faultMs: Number.POSITIVE_INFINITY, baud: 115_200 };

test('without faults everything arrives once, in order, and no store stops', async () => {
  const { ledger, stops, redelivered } = await runPath({ ...QUIET, seed: 'quiet' });
  expect(ledger).toEqual({ accepted: 60, received: 60, deadLettered: 0, expired: 0, lost: 0, duplicates: 0, outOfOrder: 0 });
  expect([stops, redelivered]).toEqual([[], 0]);
});

test('a seed tells the same story twice', async () => {
  const [first, second] = [await runPath(drawPath(4711)), await runPath(drawPath(4711))];
  expect(second).toEqual(first);
});

test('a broken promise has a name', async () => {
  const result = await runPath({ ...QUIET, messageCount: 2, seed: 'doctored' });
  const ledger = { ...result.ledger, lost: 1, duplicates: 2, outOfOrder: 3 };
  expect(brokenPromises(9, { ...result, ledger, stops: ['device-1: EIO'] })).toHaveLength(4);
});

test('100 seeds of power cuts, unplugged and noisy lines, forgetful brokers: nothing lost, nothing twice', async () => {
  const { broken, faults, accepted } = await runSeeds(0, 100);
  expect(broken).toEqual([]);
  expect(faults).toBeGreaterThan(1_000);
  expect(accepted).toBeGreaterThan(1_000);
}, 150_000);
