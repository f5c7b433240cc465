/** The client in Python against a real node. */
import { afterEach, expect, test } from 'vitest';
import { ClientWorld, has } from './client-world.ts';

const PROGRAM = `${import.meta.dirname}/python/ringmail_test.py`;
let world: ClientWorld | undefined;
afterEach(() => world?.end());

test('every verb works from Python, with exact bodies and coded errors', async ({ skip }) => {
  skip(!has('python3'), 'there is no python3');
  world = await ClientWorld.start();
  const { code, output } = await world.run('python3', ['-B', '-W', 'error', PROGRAM]);
  expect(output).toMatch(/^OK$/m);
  expect(code).toBe(0);
  expect(world.unasked).toEqual([]);
});
