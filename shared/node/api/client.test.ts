import { rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RingmailError } from '../../errors.ts';
import type { Properties } from '../../message/message.ts';
import { ApiFixture, until } from './api-fixture.ts';
import { ApiClient } from './client.ts';

let api: ApiFixture;
let client: ApiClient;
beforeEach(async () => {
  api = await ApiFixture.start();
  client = new ApiClient({ socketPath: api.socketPath });
});
afterEach(async () => {
  client.close();
  await api.end();
});

const BODY = Uint8Array.from({ length: 256 }, (_, i) => i);
const PROPERTIES: Properties = {
  priority: 6,
  contentType: 'application/x-www-form-urlencoded',
  label: 'Gate ä&=+%',
  correlationId: 'c',
  responseQueue: 'belt1/replies',
  appSpecific: 0,
  headers: new Map([['Löck', '+ &']]),
  timeToReachQueueMs: 1,
  timeToBeReceivedMs: 2,
};

describe('the calls of a node', () => {
  test('a message comes back as it was sent, to the byte and the property', async () => {
    const identity = await client.send('bags', BODY, PROPERTIES);
    expect(identity).toBe('belt1:00c0ffee00c0ffee:belt1/bags:6:1');
    const received = await client.receive('bags', { leaseMs: 5000 });
    expect(received).toMatchObject({ leaseMs: 5000, deliveryCount: 1, message: { ...PROPERTIES, body: BODY } });
    expect(received?.message.identity).toEqual(api.node.leases.values().next().value?.held.message.identity);
  });

  test('without properties nothing is made up', async () => {
    await client.send('bags', new Uint8Array(0));
    const received = await client.receive('bags');
    expect(Object.keys(received?.message ?? {}).sort()).toEqual(['body', 'epoch', 'identity', 'priority']);
  });

  test('lease, and its three ends', async () => {
    for (const body of ['a', 'b', 'c']) await client.send('bags', new Uint8Array(Buffer.from(body)));
    const leases = [];
    for (let i = 0; i < 3; i++) leases.push((await client.receive('bags'))?.lease ?? '');
    await client.ack(leases[0] ?? '');
    await client.nack(leases[1] ?? '', { delayMs: 0 });
    await client.deadLetter(leases[2] ?? '', 'no such flight?');
    expect(Buffer.from((await client.receive('bags'))?.message.body ?? []).toString()).toBe('b');
    expect((await client.receive('$dead'))?.message.history).toEqual([
      { class: 'POISON', node: 'belt1', reason: 'no such flight?' },
    ]);
  });

  test('stats, health and version', async () => {
    expect((await client.stats()).node).toBe('belt1');
    expect(await client.health()).toEqual({ status: 'green', causes: [] });
    api.node.health = { status: 'red', causes: [{ code: 'RING_FULL', detail: 'x' }] };
    expect(await client.health()).toEqual(api.node.health);
    expect(await client.version()).toMatch(/^\d/);
  });

  test('are those of a node in this process', async () => {
    const sent = await client.call({ verb: 'send', destination: 'bags', body: BODY, properties: PROPERTIES });
    expect(sent).toEqual({ kind: 'sent', identity: 'belt1:00c0ffee00c0ffee:belt1/bags:6:1', durability: 'sync' });
    const received = await client.call({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1000 });
    expect(received).toMatchObject({ kind: 'received', received: { lease: '1.k3v9-1' } });
    expect(await client.call({ verb: 'nack', lease: '1.k3v9-1', delayMs: 0 })).toEqual({ kind: 'done' });
    await client.call({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1000 });
    expect(await client.call({ verb: 'ack', lease: '1.k3v9-2' })).toEqual({ kind: 'done' });
    expect(await client.call({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1000 })).toEqual({ kind: 'empty' });
    await client.send('bags', BODY);
    await client.receive('bags');
    expect(await client.call({ verb: 'deadLetter', lease: '1.k3v9-3', reason: 'r' })).toEqual({ kind: 'done' });
    expect(await client.call({ verb: 'stats' })).toMatchObject({ kind: 'stats', stats: { node: 'belt1' } });
  });

  test.each(['sync', 'volatile'] as const)('a send to a ring that is %s says so', async (durability) => {
    api.node.durability = durability;
    const call = { verb: 'send', destination: 'bags', body: BODY, properties: {} } as const;
    expect(await client.call(call)).toMatchObject({ kind: 'sent', durability });
  });

  test('what the API does not offer is refused, not left out', async () => {
    const position = { name: 'p', value: BODY };
    const call = { verb: 'send', destination: 'bags', body: BODY, properties: {}, position } as const;
    await expect(client.call(call)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    await expect(client.call({ verb: 'position', name: 'p' })).rejects.toMatchObject({ code: 'ACCESS_DENIED' });
    expect(api.node.calls).toEqual([]);
  });

  test('an aborted wait is empty, and its connection takes the wait with it', async () => {
    api.node.queues.set('bags', []);
    const stop = new AbortController();
    const waiting = client.receive('bags', { waitMs: 60_000, signal: stop.signal });
    await until(() => api.node.waiting.length === 1);
    stop.abort();
    expect(await waiting).toBeUndefined();
    await until(() => api.node.waiting.length === 0);
    expect(await client.receive('bags', { waitMs: 60_000, signal: stop.signal })).toBeUndefined();
  });
});

describe('refusals', () => {
  test('arrive with their code and details', async () => {
    const details = { queue: 'bags', bytesLimit: 10, bytesUsed: 9, bytesNeeded: 2 };
    api.node.refusals.push(new RingmailError('QUEUE_FULL', details));
    await expect(client.send('bags', BODY)).rejects.toMatchObject({ name: 'RingmailError', code: 'QUEUE_FULL', details });
    await expect(client.receive('absent')).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
    await expect(client.ack('../../stats')).rejects.toMatchObject({ code: 'LEASE_UNKNOWN', details: { lease: '../../stats' } });
    await expect(client.send('bags', new Uint8Array(300 * 1024))).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
  });

  test.each(['', 'Bags', 'a/b/c', '../stats', 'bags?priority=7', 'a.b'])('%j is no address', async (address) => {
    await expect(client.send(address, BODY)).rejects.toMatchObject({ code: 'NAME_INVALID' });
  });

  test('no socket, and a socket nobody serves, is a node that cannot be reached', async () => {
    await api.close();
    await expect(client.send('bags', BODY)).rejects.toMatchObject({
      code: 'NODE_UNREACHABLE',
      details: { socket: api.socketPath, reason: 'ENOENT' },
    });
    writeFileSync(api.socketPath, '');
    await expect(client.stats()).rejects.toMatchObject({ code: 'NODE_UNREACHABLE', details: { reason: 'ECONNREFUSED' } });
    rmSync(api.socketPath);
  });
});

describe('something else behind the socket', () => {
  let other: Server | HttpServer;
  const sockets = new Set<Socket>();
  const path = (): string => join(api.folder, 'other');
  const listen = async (server: Server | HttpServer, answerMs = 10_000): Promise<void> => {
    other = server;
    other.on('connection', (socket: Socket) => sockets.add(socket));
    await new Promise<void>((resolve) => other.listen(path(), resolve));
    client = new ApiClient({ socketPath: path(), answerMs });
  };
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => other.close(resolve));
  });

  test.each<[string, string, number]>([
    ['a page', '<html>', 200],
    ['other JSON', '[1]', 200],
    ['a refusal that is not ours', 'no', 404],
    ['nothing', '', 200],
  ])('%s is no answer of a node', async (_name, text, status) => {
    await listen(createHttpServer((_request, response) => response.writeHead(status).end(text)));
    const refused = { code: 'NODE_UNREACHABLE' };
    for (const ask of [
      () => client.send('bags', BODY),
      () => client.receive('bags'),
      () => client.stats(),
      () => client.health(),
    ]) {
      await expect(ask()).rejects.toMatchObject(refused);
    }
  });

  test('what breaks off before an answer leaves a send in doubt, and nothing else', async () => {
    await listen(createServer((socket) => socket.once('data', () => socket.destroy())));
    await expect(client.send('bags', BODY)).rejects.toMatchObject({ code: 'IN_DOUBT', details: { identity: '' } });
    await expect(client.receive('bags')).rejects.toMatchObject({ code: 'NODE_UNREACHABLE' });
    await expect(client.ack('l')).rejects.toMatchObject({ code: 'NODE_UNREACHABLE' });
  });

  test('what breaks off in the middle of an answer does so too', async () => {
    const half = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"identity":';
    await listen(createServer((socket) => socket.once('data', () => socket.end(half))));
    await expect(client.send('bags', BODY)).rejects.toMatchObject({ code: 'IN_DOUBT' });
  });

  test('what never answers is given up in time', async () => {
    await listen(
      createServer(() => {}),
      100,
    );
    await expect(client.send('bags', BODY)).rejects.toMatchObject({ code: 'IN_DOUBT' });
    await expect(client.stats()).rejects.toMatchObject({
      code: 'NODE_UNREACHABLE',
      details: { reason: 'no answer within 100 ms' },
    });
  });
});
