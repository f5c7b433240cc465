/** The local API in front of a real node: client, HTTP over a Unix socket, core, ring file. What each code means is its store's word. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { toUtf8 } from '../shared/bytes.ts';
import type { NodeConfig } from '../shared/core/node-io.ts';
import type { ErrorCode } from '../shared/errors.ts';
import { RingmailError } from '../shared/errors.ts';
import { identityText } from '../shared/message/identity.ts';
import { ApiClient } from '../shared/node/api/client.ts';
import { type ApiServer, serveApi } from '../shared/node/api/server.ts';
import { createRing } from '../shared/node/create-ring.ts';
import { Node } from '../shared/node/node.ts';
import { temporaryFolder } from './child.ts';

const RING_BYTES = 388 * 4096;
const BAGS_BYTES_LIMIT = 20_000;
const CONFIG: NodeConfig = {
  name: 'box-1',
  queues: [{ name: 'bags', bytesLimit: BAGS_BYTES_LIMIT }],
  unknownQueue: 'refuse',
  queueBytesLimit: 100_000,
  uplink: 'none',
  central: 'central',
  isCentral: 'no',
  partitionCount: 1,
  commitDelayMs: 0,
  home: undefined,
};

let folder: ReturnType<typeof temporaryFolder>;
let node: Node;
let api: ApiServer;
let client: ApiClient;

async function open(): Promise<void> {
  node = await Node.open({ config: CONFIG, ringPath: join(folder.path, 'box-1.ring'), volatile: 'allow' });
  const socketPath = join(folder.path, 'box-1.sock');
  api = await serveApi(node, { socketPath });
  client = new ApiClient({ socketPath });
}

async function close(): Promise<void> {
  client.close();
  await api.close();
  await node.close();
}

beforeEach(async () => {
  folder = temporaryFolder('local-api');
  mkdirSync(folder.path, { recursive: true });
  const fileId = new Uint8Array(16).fill(9);
  await createRing(join(folder.path, 'box-1.ring'), { fileBytes: RING_BYTES, fileId, volatile: 'allow' });
  await open();
});
afterEach(async () => {
  await close();
  folder.remove();
});

async function leased(queue = 'bags') {
  const received = await client.receive(queue);
  if (received === undefined) throw new Error(`nothing in ${queue}`);
  return received;
}

async function refusal(call: Promise<unknown>): Promise<{ code: ErrorCode; details: object }> {
  const error = await call.then(
    () => new Error('was done'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof RingmailError)) throw error;
  return { code: error.code, details: error.details };
}

describe('a message', () => {
  test('is sent with all its properties, received byte for byte, and gone when acknowledged', async () => {
    const body = Uint8Array.from({ length: 256 }, (_, i) => i);
    const properties = {
      priority: 6,
      label: 'late bag',
      correlationId: 'c-1',
      contentType: 'application/octet-stream',
      appSpecific: 7,
      headers: new Map([['flight', 'BA123']]),
    };
    const identity = await client.send('bags', body, properties);
    const { lease, message, deliveryCount } = await leased();
    expect(identityText(message.identity)).toBe(identity);
    expect(identity).toMatch(/^box-1:[0-9a-f]{16}:box-1\/bags:6:1$/);
    expect([message.body, deliveryCount]).toEqual([body, 1]);
    expect(message).toMatchObject(properties);
    await client.ack(lease);
    expect(await client.receive('bags')).toBeUndefined();
    expect((await client.stats()).ring.messagesStored).toBe(1);
  });

  test('given back comes again and says how often it was delivered', async () => {
    await client.send('bags', toUtf8('x'));
    await client.nack((await leased()).lease);
    const again = await leased();
    expect(again.deliveryCount).toBe(2);
    await client.nack(again.lease, { delayMs: 60_000 });
    expect(await client.receive('bags')).toBeUndefined();
  });

  test('given up is in $dead with its reason, and what it was', async () => {
    const identity = await client.send('bags', toUtf8('x'), { label: 'L' });
    await client.deadLetter((await leased()).lease, 'no such flight');
    expect(await client.receive('bags')).toBeUndefined();
    const { message, lease } = await leased('$dead');
    expect(message).toMatchObject({ body: toUtf8('x'), label: 'L', previous: identity });
    expect(message.history).toMatchObject([{ class: 'POISON', node: 'box-1', reason: 'no such flight' }]);
    await client.ack(lease);
    expect(await client.receive('$dead')).toBeUndefined();
  });

  test('is received by who waited for it', async () => {
    const waiting = client.receive('bags', { waitMs: 30_000 });
    await client.send('bags', toUtf8('now'));
    expect((await waiting)?.message.body).toEqual(toUtf8('now'));
  });

  test('that was sent is there after the node was closed and opened, one that was acknowledged is not', async () => {
    const kept = await client.send('bags', toUtf8('kept'));
    await client.send('bags', toUtf8('done'), { priority: 7 });
    await client.ack((await leased()).lease);
    await close();
    await open();
    expect(identityText((await leased()).message.identity)).toBe(kept);
    expect(await client.receive('bags')).toBeUndefined();
  });
});

test('stats and health are those of the node', async () => {
  await client.send('bags', toUtf8('one'));
  await client.send('bags', toUtf8('two'));
  await leased();
  const stats = await client.stats();
  expect(stats).toMatchObject({ node: 'box-1', epoch: 1, uplink: 'none', health: { status: 'green', causes: [] } });
  expect(stats.queues.find(({ name }) => name === 'bags')).toMatchObject({ ready: 1, leased: 1, bytesLimit: BAGS_BYTES_LIMIT });
  expect(stats.ring).toMatchObject({ messagesStored: 2, gaps: 0, corrupt: 0 });
  expect(stats).toEqual(JSON.parse(JSON.stringify(node.stats())));
  expect(await client.health()).toEqual({ status: 'green', causes: [] });
});

describe('refused, with nothing stored', () => {
  afterEach(async () => expect((await client.health()).status).toBe('green'));

  test('QUEUE_NOT_FOUND: to send to, and to receive from', async () => {
    const refused = { code: 'QUEUE_NOT_FOUND', details: { queue: 'bgas' } };
    expect(await refusal(client.send('bgas', toUtf8('x')))).toEqual(refused);
    expect(await refusal(client.receive('bgas'))).toEqual(refused);
  });

  test('ROUTE_NOT_FOUND: a node without an uplink sends to itself only', async () => {
    expect(await refusal(client.send('central/bags', toUtf8('x')))).toMatchObject({ code: 'ROUTE_NOT_FOUND' });
  });

  test('LEASE_UNKNOWN: one that never was, and one that ended', async () => {
    await client.send('bags', toUtf8('x'));
    const { lease } = await leased();
    await client.ack(lease);
    const refused = { code: 'LEASE_UNKNOWN', details: { lease } };
    expect(await refusal(client.ack(lease))).toEqual(refused);
    expect(await refusal(client.nack(lease))).toEqual(refused);
    expect(await refusal(client.deadLetter(lease, 'r'))).toEqual(refused);
    expect(await refusal(client.ack('never'))).toEqual({ code: 'LEASE_UNKNOWN', details: { lease: 'never' } });
  });

  test('MESSAGE_TOO_LARGE: what can never fit', async () => {
    const { code, details } = await refusal(client.send('bags', new Uint8Array(RING_BYTES)));
    expect([code, details]).toEqual(['MESSAGE_TOO_LARGE', expect.objectContaining({ bytesMax: expect.any(Number) })]);
    expect((await client.stats()).ring.messagesStored).toBe(0);
  });

  test('QUEUE_FULL: with the numbers, until something is acknowledged', async () => {
    const body = new Uint8Array(3_000);
    let stored = 0;
    let refused: Awaited<ReturnType<typeof refusal>> | undefined;
    for (; refused === undefined && stored < 20; stored++) {
      refused = await client.send('bags', body).then(
        () => undefined,
        (error: unknown) => refusal(Promise.reject(error)),
      );
    }
    expect(refused).toMatchObject({ code: 'QUEUE_FULL', details: { queue: 'bags', bytesLimit: BAGS_BYTES_LIMIT } });
    expect((await client.stats()).ring.messagesStored).toBe(stored - 1);
    await client.ack((await leased()).lease);
    await client.send('bags', body);
  });
});
