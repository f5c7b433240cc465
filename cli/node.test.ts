/** `ringmail node` that cannot start: what it had opened by then is closed again. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startBroker } from '../gateway/embedded-broker.ts';
import { openNode } from '../shared/node/library.ts';
import { CliFixture } from './cli-fixture.ts';
import { runCommandLine } from './run.ts';

let cli: CliFixture;
beforeEach(() => {
  cli = new CliFixture();
});
afterEach(() => cli.end());

async function runNode(...argv: string[]): Promise<{ code: number; err: string }> {
  const world = cli.newWorld();
  const commands = { node: async () => (await import('./node.ts')).node };
  const code = await runCommandLine(commands, ['node', ...argv, '--allow-volatile'], world);
  return { code, err: world.err };
}

test('with its socket in use, it gives up the ring', async () => {
  await cli.serve();
  expect(await runNode('--dev')).toMatchObject({ code: 5, err: expect.stringContaining('ringmail: SOCKET_IN_USE') });
  const ring = join(cli.folder, '.ringmail', 'ringmail.ring');
  const node = await openNode({ name: 'dev', ring, allowVolatile: true });
  await node.close();
});

test('with a ring that is none, it stops its broker', async () => {
  const free = await startBroker({ port: 0 });
  await free.close();
  mkdirSync(join(cli.folder, 'data'));
  writeFileSync(join(cli.folder, 'data', 'n.ring'), 'no ring');
  writeFileSync(
    join(cli.folder, 'n.toml'),
    `name = "n"\nring.path = "data/n.ring"\n[broker]\nlisten = "127.0.0.1:${free.port}"\n`,
  );
  const { code, err } = await runNode('--config', 'n.toml');
  expect([code, err]).toEqual([3, expect.stringContaining('RING_FOREIGN')]);
  const reached = await new Promise<string>((resolve) => {
    const socket = connect(free.port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve('connected');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
  expect(reached).toBe('ECONNREFUSED');
});
