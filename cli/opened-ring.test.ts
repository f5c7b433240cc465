/** Commands on a ring that no node serves: real files, the real node, and what it remembers of the node it was. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { QueueStats } from '../shared/core/calls.ts';
import type { NodeConfig } from '../shared/core/node-io.ts';
import { createRing } from '../shared/node/create-ring.ts';
import { homeOf } from '../shared/node/home.ts';
import { Node } from '../shared/node/node.ts';
import { volatileFileSystem } from '../shared/node/volatile.ts';
import { CliFixture } from './cli-fixture.ts';

const FILE_BYTES = 388 * 4096;
const CONFIG: NodeConfig = {
  name: 'box-1',
  queues: [{ name: 'bags', bytesLimit: 100_000 }],
  unknownQueue: 'refuse',
  queueBytesLimit: 50_000,
  uplink: 'none',
  central: 'central',
  isCentral: 'no',
  partitionCount: 1,
  commitDelayMs: 0,
  home: undefined,
};

let cli: CliFixture;
let ringPath: string;
beforeEach(async () => {
  cli = new CliFixture();
  ringPath = join(cli.folder, '.ringmail', 'ringmail.ring');
  mkdirSync(join(cli.folder, '.ringmail'));
  await make(ringPath);
});
afterEach(() => cli.end());

function make(path: string): Promise<unknown> {
  return createRing(path, { fileBytes: FILE_BYTES, fileId: new Uint8Array(16).fill(9), volatile: 'allow' });
}

function openNode(config: Partial<NodeConfig>): Promise<Node> {
  return Node.open({ config: { ...CONFIG, home: homeOf(ringPath), ...config }, ringPath, volatile: 'allow' });
}

/** Lets a node of this configuration have the ring for a moment. */
async function serve(config: Partial<NodeConfig> = {}): Promise<void> {
  await (await openNode(config)).close();
}

function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  return cli.run([...argv, '--allow-volatile']);
}

async function refusal(...argv: string[]): Promise<string> {
  const { code, err } = await run(...argv);
  return `${code} ${err.split('\n')[0]}`;
}

async function stats(): Promise<Record<string, unknown>> {
  return JSON.parse((await run('stats', '--json')).out) as Record<string, unknown>;
}

describe('a ring that was copied', () => {
  test.each(['served by a node before', 'never served'])('and %s never gives one identity to two messages', async (before) => {
    if (before === 'served by a node before') await serve();
    await run('stats'); // a ring learns its home when it is opened
    copyFileSync(ringPath, join(cli.folder, 'copy.ring'));
    const original = await run('send', 'bags', 'x');
    const copy = await run('send', 'bags', 'y', '--ring', 'copy.ring');
    expect([original.code, copy.code]).toEqual([0, 0]);
    expect(copy.out).not.toBe(original.out);
  });
});

describe('a ring whose node has an uplink', () => {
  test.each(['link', 'mqtt'] as const)('takes messages for other nodes, and they wait for the node (%s)', async (uplink) => {
    await serve({ uplink });
    expect(await run('send', 'central/bags', 'x')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^box-1:\w+:central\/bags:3:1\n$/),
    });
    expect(await stats()).toMatchObject({ uplink: `${uplink} idle`, outgoing: [{ held: 1 }] });
    const node = await openNode({ uplink });
    expect(node.stats()?.outgoing).toMatchObject([{ held: 1, lo: 1, next: 2 }]);
    await node.close();
  });

  test('and that has none any more refuses them again', async () => {
    await serve({ uplink: 'link' });
    await serve({ uplink: 'none' });
    expect(await refusal('send', 'central/bags', 'x')).toBe('3 ringmail: ROUTE_NOT_FOUND');
  });
});

describe('a ring whose node refuses unknown queues', () => {
  beforeEach(() => serve());

  test('gets none from a command', async () => {
    expect(await refusal('send', 'typo', 'x')).toBe('3 ringmail: QUEUE_NOT_FOUND');
    expect(await refusal('receive', 'typo')).toBe('3 ringmail: QUEUE_NOT_FOUND');
    expect(await run('send', 'bags', 'x')).toMatchObject({ code: 0 });
  });

  test('keeps its name, its queues and their limits', async () => {
    await run('send', 'bags', 'x');
    const { node, queues } = await stats();
    expect(node).toBe('box-1');
    const limits = Object.fromEntries((queues as QueueStats[]).map(({ name, bytesLimit }) => [name, bytesLimit]));
    expect(limits).toEqual({ $dead: 50_000, $journal: 50_000, $admin: 50_000, bags: 100_000 });
  });
});

describe('a ring that no node ever served', () => {
  test('is named local, makes queues, and knows no other nodes', async () => {
    expect((await run('send', 'notes', 'x')).out).toMatch(/^local:\w+:local\/notes:3:1\n$/);
    expect(await run('receive', 'notes')).toMatchObject({ code: 0, out: 'x\n' });
    expect(await refusal('send', 'central/bags', 'x')).toBe('3 ringmail: ROUTE_NOT_FOUND');
    expect(await stats()).toMatchObject({ node: 'local' });
  });

  test('becomes a node by name as long as nothing was sent, and not after that', async () => {
    await run('stats');
    await serve();
    expect(await stats()).toMatchObject({ node: 'box-1' });
    const other = join(cli.folder, 'other.ring');
    await make(other);
    await run('send', 'notes', 'x', '--ring', 'other.ring');
    const opening = Node.open({ config: CONFIG, ringPath: other, volatile: 'allow' });
    await expect(opening).rejects.toMatchObject({ code: 'RING_OTHER_NODE', details: { node: 'local' } });
  });
});

describe('a ring on a file system in memory', () => {
  test('is opened only with consent, and then promises nothing', async (context) => {
    const isThere = existsSync('/dev/shm') && (await volatileFileSystem('/dev/shm')) !== undefined;
    if (!isThere) return context.skip('no file system in memory at /dev/shm');
    const folder = mkdtempSync('/dev/shm/ringmail-');
    try {
      const ring = join(folder, 'a.ring');
      await make(ring);
      const refused = await cli.run(['send', 'bags', 'x', '--ring', ring]);
      expect([refused.out, refused.err.split('\n')[0]]).toEqual(['', 'ringmail: RING_VOLATILE']);
      const { out } = await run('send', 'bags', 'x', '--ring', ring, '--json');
      expect(JSON.parse(out)).toMatchObject({ durable: false });
      expect(JSON.parse((await run('stats', '--ring', ring, '--json')).out).ring).toMatchObject({ durability: 'volatile' });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
