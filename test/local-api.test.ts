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

/** What the verbs do is the core's and tested there; here each one goes all the way to the ring file and back. */
describe('every verb', () => {
  const properties = { correlationId: 'c-1', acknowledge: 'full', deadLetter: 'off', journal: 'on', deliverAfterMs: 0 } as const;

  test('queues are made, listed, changed, emptied and deleted', async () => {
    await client.createQueue('gates', { bytesLimit: 9_000, label: 'L', deliveriesMax: 3, retryFactor: 1.5 });
    expect(await client.queue('gates')).toMatchObject({
      bytesLimit: 9_000,
      label: 'L',
      deliveriesMax: 3,
      retryFactor: 1.5,
      ready: 0,
    });
    expect(await refusal(client.createQueue('gates'))).toEqual({ code: 'QUEUE_EXISTS', details: { queue: 'gates' } });
    expect(await refusal(client.setQueue('gates', { ordering: 'strict' }))).toMatchObject({ code: 'PROPERTY_INVALID' });
    await client.setQueue('gates', { state: 'paused' });
    await client.send('gates', toUtf8('x'));
    expect(await client.receive('gates')).toBeUndefined();
    expect((await client.peek('gates'))?.message.body).toEqual(toUtf8('x'));
    expect(await client.purge('gates')).toBe(1);
    await client.deleteQueue('gates');
    expect((await client.queues()).map(({ name }) => name)).not.toContain('gates');
    expect((await refusal(client.purge('gates'))).code).toBe('QUEUE_NOT_FOUND');
    expect((await refusal(client.deleteQueue('$dead'))).code).toBe('ACCESS_MODE_INVALID');
  });

  test('who waits at a queue that is deleted is told', async () => {
    await client.createQueue('gates');
    const waiting = refusal(client.receive('gates', { waitMs: 30_000 }));
    await client.send('bags', toUtf8('x')); // asked later than the wait, on another connection
    await client.deleteQueue('gates');
    expect(await waiting).toEqual({ code: 'QUEUE_DELETED', details: { queue: 'gates' } });
  });

  test('a message is looked at and received by what selects it', async () => {
    const identities: string[] = [];
    for (const text of ['a', 'b', 'c']) identities.push(await client.send('bags', toUtf8(text), { correlationId: text }));
    const first = await client.peek('bags', { bodies: 'without' });
    expect(first).toMatchObject({ queue: 'bags', bodyBytes: 1, deliveryCount: 0, moveCount: 0 });
    expect(first?.message.body).toEqual(toUtf8(''));
    const { lookupId = 0 } = first ?? {};
    const after = await client.peek('bags', { select: { by: 'after', place: { priority: 3, lookupId } } });
    expect(after?.message.body).toEqual(toUtf8('b'));
    const [, , identity = ''] = identities;
    expect((await client.peek('bags', { select: { by: 'identity', identity } }))?.message.body).toEqual(toUtf8('c'));
    expect((await client.peek('bags', { select: { by: 'last' } }))?.message.body).toEqual(toUtf8('c'));
    const named = await client.receive('bags', { select: { by: 'correlationId', correlationId: 'b' } });
    expect(named?.message.body).toEqual(toUtf8('b'));
    expect(named?.lookupId).toBe(after?.lookupId);
    const gone = refusal(client.peek('bags', { select: { by: 'lookupId', lookupId: 999_999 } }));
    expect((await gone).code).toBe('MESSAGE_NOT_FOUND');
    const arrived = await client.peek('bags', { select: { by: 'arrivedAfter', lookupId } });
    expect(arrived?.message.body).toEqual(toUtf8('b'));
  });

  test('a lease is extended, and one that ended is not', async () => {
    await client.send('bags', toUtf8('x'));
    const { lease } = await leased();
    await client.extend(lease, 60_000);
    await client.ack(lease);
    expect((await refusal(client.extend(lease, 1))).code).toBe('LEASE_UNKNOWN');
  });

  test('a message is moved aside and back, and a letter is sent again', async () => {
    await client.send('bags', toUtf8('x'));
    const { lookupId = 0 } = (await client.peek('bags')) ?? {};
    await client.move('bags', lookupId, 'bags;later');
    expect(await client.peek('bags')).toBeUndefined();
    expect(await client.peek('bags;later')).toMatchObject({ lookupId, moveCount: 1 });
    await client.move('bags;later', lookupId, 'bags');
    await client.deadLetter((await leased()).lease, 'r');
    const letter = await client.peek('$dead');
    const { identity, durability } = await client.redrive('$dead', letter?.lookupId ?? 0);
    expect(durability).toBe((await client.stats()).ring.durability);
    expect(identityText((await leased()).message.identity)).toBe(identity);
    expect(await client.peek('$dead')).toBeUndefined();
  });

  test('a queue that is opened alone is closed to others until its handle is', async () => {
    const handle = await client.open('bags', { share: 'alone' });
    await client.send('bags', toUtf8('x'));
    expect((await refusal(client.receive('bags'))).code).toBe('SHARING_VIOLATION');
    expect((await refusal(client.open('bags'))).code).toBe('SHARING_VIOLATION');
    expect(await client.receive('bags', { handle })).toBeDefined();
    await client.closeHandle(handle);
    expect(await client.peek('bags')).toBeUndefined();
    expect((await refusal(client.closeHandle(handle))).code).toBe('HANDLE_UNKNOWN');
  });

  test('a transaction does all of it, or nothing', async () => {
    await client.send('bags', toUtf8('in'));
    const { lease } = await leased();
    const send = (body: string) => ({ do: 'send', destination: 'bags', body: toUtf8(body), properties }) as const;
    const wrong = client.commit([send('no'), { do: 'ack', lease: 'never' }]);
    expect((await refusal(wrong)).code).toBe('LEASE_UNKNOWN');
    expect(await client.peek('bags')).toBeUndefined();
    const position = { do: 'position', name: 'trigger/t', value: toUtf8('7') } as const;
    const { identities } = await client.commit([{ do: 'ack', lease }, send('one'), send('two'), position]);
    expect(identities).toHaveLength(2);
    const { message } = await leased();
    expect(message).toMatchObject({ ...properties, body: toUtf8('one'), transaction: { index: 0, count: 2 } });
    expect(await client.position('trigger/t')).toEqual(toUtf8('7'));
    expect(await client.position('trigger/none')).toBeUndefined();
  });

  test('a producer’s number, and a key, are stored once, also over a restart', async () => {
    const by = { producer: 'p', number: 1 };
    const first = await client.send('bags', toUtf8('x'), { by });
    const keyed = await client.send('bags', toUtf8('y'), { sendKey: 'k' });
    await close();
    await open();
    expect(await client.send('bags', toUtf8('x'), { by })).toBe(first);
    expect(await client.send('bags', toUtf8('y'), { sendKey: 'k' })).toBe(keyed);
    expect((await client.queue('bags')).ready).toBe(2);
    const gap = await refusal(client.send('bags', toUtf8('x'), { by: { producer: 'p', number: 5 } }));
    expect(gap).toEqual({ code: 'PRODUCER_NUMBER_INVALID', details: { producer: 'p', number: 5, expected: 2 } });
    await client.retireProducer('p');
    expect(await client.send('bags', toUtf8('x'), { by })).not.toBe(first);
  });

  test('what was sent express says so, and the outcome of what was sent is known', async () => {
    expect((await client.sendDetailed('bags', toUtf8('x'), { delivery: 'express' })).durability).toBe('volatile');
    const identity = await client.send('bags', toUtf8('y'));
    expect(await client.outcome(identity, 1)).toBe('kept');
    expect(await client.outcome(identity.replace(/\d+$/, '999'), 1)).toBe('absent');
  });

  test('a stream hands out each message once, as its leases end', async () => {
    for (let i = 0; i < 20; i++) await client.send('bags', toUtf8(String(i)));
    const seen: number[] = [];
    for await (const { lease, message } of client.stream('bags', { prefetch: 3 })) {
      seen.push(Number(Buffer.from(message.body)));
      await client.ack(lease);
      if (seen.length === 20) break;
    }
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect((await client.queue('bags')).ready).toBe(0);
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
