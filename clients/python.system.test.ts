/** The client in Python against a real node. */
import { afterEach, expect, test } from 'vitest';
import { ClientWorld, has, readmeProgram } from './client-world.ts';

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

test('what the README shows prints what it should', async ({ skip }) => {
  skip(!has('python3'), 'there is no python3');
  world = await ClientWorld.start();
  const path = `import sys; sys.path.insert(0, '${import.meta.dirname}/python')`;
  const program = [path, "tags = ['1', '2', '3']", readmeProgram('python'), 'print(producer.number)'].join('\n');
  const { code, output } = await world.run('python3', ['-B', '-c', program]);
  expect(output).toMatch(/^\{'tag': '0117814872'\} box-1:[0-9a-f]{16}:box-1\/bags:6:1\n4\n$/);
  expect(code).toBe(0);
});
