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

test('queues, letters, places, transactions and outcomes of a ring that nobody serves', async () => {
  const lines = async (...argv: string[]): Promise<string[]> => (await run(...argv)).out.trimEnd().split('\n');
  expect((await run('queue', 'create', 'carts', '--label', 'Carts', '--deliveries-max', '5')).code).toBe(0);
  expect((await lines('queue', 'show', 'carts')).slice(0, 2)).toEqual([
    'queue                carts',
    'label                Carts',
  ]);
  const [identity = ''] = await lines('send', 'carts', 'first', '--correlation-id', 'c');
  expect((await run('outcome', identity)).out).toBe('kept\n');
  await run('send', 'carts', 'second', '--priority', '5');
  const [, second = '', first = ''] = await lines('peek', 'carts');
  expect([second.split(/ {2,}/).at(-1), first.split(/ {2,}/).at(-1)]).toEqual(['second', 'first']);
  const lookup = first.slice(2).split(' ')[0] ?? '';
  expect((await run('move', 'carts', lookup, 'carts;later')).code).toBe(0);
  expect((await run('peek', 'carts;later', '--raw')).out).toBe('first');
  expect((await run('move', 'carts;later', lookup, 'carts')).code).toBe(0);
  expect((await run('receive', 'carts', '--correlation', 'c', '--raw')).out).toBe('first');
  const world = cli.newWorld();
  const steps = ['in', 'out'].map((destination) => ({ do: 'send', destination, bodyText: 'both' }));
  world.input = [Buffer.from(JSON.stringify({ steps }))];
  const both = await cli.run(['transaction', '-', '--allow-volatile'], world);
  expect(both.out.split('\n').map((line) => line.split(':')[2])).toEqual(['local/in', 'local/out', undefined]);
  expect(await run('queue', 'purge', 'in')).toMatchObject({ code: 0, out: '1\n' });
  expect(await run('queue', 'pause', 'out')).toMatchObject({ code: 0 });
  expect((await run('receive', 'out')).code).toBe(1);
  expect(await run('queue', 'delete', 'out')).toMatchObject({ code: 0 });
  expect(await refusal('queue', 'show', 'out')).toBe('3 ringmail: QUEUE_NOT_FOUND');
  expect((await run('dead')).code).toBe(1);
  expect(await refusal('redrive', '1')).toBe('1 ringmail: MESSAGE_NOT_FOUND');
});

test('a letter of such a ring is listed, and goes again', async () => {
  const node = await openNode({ unknownQueue: 'create' });
  await node.call({ verb: 'send', destination: 'bags', body: Buffer.from('lost'), properties: {} });
  const received = await node.call({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1_000 });
  const lease = received.kind === 'received' ? received.received.lease : '';
  await node.call({ verb: 'deadLetter', lease, reason: 'no such flight' });
  await node.close();
  const [, letter = ''] = (await run('dead')).out.split('\n');
  expect(letter).toMatch(/^ +\d+ {2}POISON {2}box-1 to box-1\/bags {2}no such flight$/);
  const [lookup = ''] = letter.trim().split(' ');
  expect((await run('redrive', lookup)).out).toMatch(/^box-1:\w+:box-1\/bags:3:2\n$/);
  expect((await run('receive', 'bags', '--raw')).out).toBe('lost');
});
