/** The second hundred, in a file of its own so that both cores have work. */
import { expect, test } from 'vitest';
import { runSeeds } from './path-seeds.ts';

test('another 100 seeds of the path', async () => {
  const { broken, faults, accepted } = await runSeeds(100, 100);
  expect(broken).toEqual([]);
  expect(faults).toBeGreaterThan(1_000);
  expect(accepted).toBeGreaterThan(1_000);
}, 150_000);
