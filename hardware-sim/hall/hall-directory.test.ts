import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeHallDirectory, SOCKET_NAME_BYTES_MAX } from './hall-directory.ts';
import { hallNodes, LINK_SOCKET } from './hall-nodes.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ringmail-'));
});
afterEach(() => rm(folder, { recursive: true }));

const longestName = 'x'.repeat(SOCKET_NAME_BYTES_MAX);

async function listens(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  await new Promise((resolve) => server.close(resolve));
}

test('is made below its parent and removed with it, unless that holds something else', async () => {
  const parent = join(folder, 'made/here');
  const one = await makeHallDirectory(parent);
  const other = await makeHallDirectory(parent);
  expect(one.path).not.toBe(other.path);
  expect(one.path).toBe(one.place);
  writeFileSync(join(one.path, 'file'), '');
  await one.remove();
  expect(readdirSync(parent)).toHaveLength(1);
  await other.remove();
  expect(existsSync(parent)).toBe(false);
});

test('however deep it lies, its sockets can be listened on', async () => {
  const deep = await makeHallDirectory(join(folder, 'd'.repeat(120)));
  await listens(join(deep.path, longestName));
  writeFileSync(join(deep.path, 'file'), '');
  expect(readdirSync(deep.place)).toContain('file');
  await deep.keep();
  expect(existsSync(deep.path)).toBe(false);
  expect(existsSync(deep.place)).toBe(true);
});

test('no socket of a hall has a longer name', () => {
  const places = { broker: 'mqtt://127.0.0.1:1', beltPorts: Array(4).fill('unix:b'), cables: [], namePrefix: 'demo-' };
  const names = (['full', 'compact'] as const).flatMap((shape) => hallNodes(shape, places).map(({ name }) => `${name}.sock`));
  for (const name of [...names, LINK_SOCKET]) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(SOCKET_NAME_BYTES_MAX);
});
