/** `ringmail node` that cannot start: what it had opened by then is closed again; and one that runs the triggers of its configuration. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startBroker } from '../gateway/embedded-broker.ts';
import { fromUtf8, toUtf8 } from '../shared/bytes.ts';
import { until } from '../shared/node/api/api-fixture.ts';
import { connectNode, openNode, type RemoteNode } from '../shared/node/library.ts';
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

describe('a trigger of the configuration', () => {
  const trigger = '[[triggers]]\nname = "alarms"\nqueue = "in"\nsend = "pager"\n';
  const write = (where: string): void =>
    writeFileSync(
      join(cli.folder, 'n.toml'),
      `name = "n"\nring.allowVolatile = true\nqueues.in = {}\nqueues.pager = { limit = 1000 }\n${trigger}${where}`,
    );

  /** Runs the node while `use` does something with it; resolves with what its log said. */
  async function during(use: (node: RemoteNode, log: () => string) => Promise<void>): Promise<string> {
    const world = cli.newWorld();
    const commands = { node: async () => (await import('./node.ts')).node };
    const running = runCommandLine(commands, ['node', '--config', 'n.toml'], world);
    try {
      await until(() => world.out.includes('pid '));
      const node = await connectNode({ socketPath: join(cli.folder, 'n.sock') });
      await use(node, () => world.err).finally(() => node.close());
    } finally {
      world.stop.abort();
      expect(await running).toBe(0);
    }
    return world.err;
  }

  const next = async (node: RemoteNode): Promise<unknown> => {
    const delivery = await node.receive('pager', { waitMs: 5_000 });
    await delivery?.ack();
    return delivery && fromUtf8(delivery.message.body);
  };

  test('copies each message that fits once, over restarts, and what came before it was there', async () => {
    write('where.label = "alarm"\nwhere.appSpecific = 3\nwhere.contentType = "text/plain"\nwhere.headers.belt = "3"\n');
    const how = { label: 'alarm', appSpecific: 3, contentType: 'text/plain', headers: new Map([['belt', '3']]) };
    await during(async (node) => {
      for (const other of [
        { label: 'a' },
        { appSpecific: 4 },
        { contentType: 'text/html' },
        { headers: new Map([['belt', '4']]) },
      ]) {
        await node.send('in', toUtf8('another'), { ...how, ...other });
      }
      await node.send('in', toUtf8('first'), how);
      expect(await next(node)).toBe('first');
    });
    await during(async (node) => {
      await node.send('in', toUtf8('second'), how);
      expect(await next(node)).toBe('second');
      const left = (await node.queues()).map(({ name, ready }) => [name, ready]);
      expect(left).toEqual(
        expect.arrayContaining([
          ['in', 6],
          ['pager', 0],
        ]),
      );
    });
  });

  test('tells the log what it waits for, once, and goes on', async () => {
    write('');
    const log = await during(async (node, log) => {
      for (const text of ['one', 'two']) await node.send('in', toUtf8(text.padEnd(600, '.')));
      await until(() => log().includes('trigger alarms, message'));
      expect(await next(node)).toMatch(/^one/);
      expect(await next(node)).toMatch(/^two/);
    });
    expect(log.match(/trigger alarms/g)).toHaveLength(1);
    expect(log).toMatch(/n warn: trigger alarms, message \d+: .*QUEUE_FULL/);
  });
});
