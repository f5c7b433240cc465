/** Messages as they come: as many leased as were asked for, one line at a time, and nothing kept by a reader that is gone. */
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ApiFixture, readToEnd, until } from './api-fixture.ts';
import { ApiClient } from './client.ts';

let api: ApiFixture;
let client: ApiClient;
async function start(timing = {}): Promise<void> {
  api = await ApiFixture.start({ checkMs: 20, ...timing });
  client = new ApiClient({ socketPath: api.socketPath });
  api.node.queues.set('bags', []);
}
beforeEach(() => start());
afterEach(async () => {
  client.close();
  await api.end();
});

async function fill(count: number, bytes = 1): Promise<void> {
  const body = new Uint8Array(bytes);
  for (let i = 0; i < count; i++) await api.node.call({ verb: 'send', destination: 'bags', body, properties: {} });
}

/** A reader of its own making, with all it got so far. */
async function openStream(query = ''): Promise<{ socket: Socket; text: () => string; lines: () => string[] }> {
  const socket = await api.open();
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString()));
  socket.write(`POST /v1/stream/bags?${query} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
  return { socket, text: () => text, lines: () => text.split('\n').filter((line) => line.startsWith('{')) };
}

test('leases as many as were asked for, and the next one when one ends, however it ends', async () => {
  await fill(7);
  const reader = await openStream('prefetch=2');
  await until(() => reader.lines().length === 2);
  const ends = [
    (lease: string) => client.ack(lease),
    (lease: string) => client.deadLetter(lease, 'r'),
    (lease: string) => client.commit([{ do: 'ack', lease }]),
  ];
  for (const [i, end] of ends.entries()) {
    await end(`1.k3v9-${i + 1}`);
    await until(() => reader.lines().length === 3 + i);
    expect(api.node.leases.size).toBe(2);
  }
  expect(reader.lines().map((line) => JSON.parse(line).message.identity)).toEqual(
    Array.from({ length: 5 }, (_, i) => `belt1:00c0ffee00c0ffee:belt1/bags:3:${i + 1}`),
  );
});

test('a lease that runs out makes room for the next, one that is extended does not', async () => {
  await fill(2);
  const reader = await openStream('prefetch=1&leaseMs=200');
  await until(() => reader.lines().length === 1);
  await client.extend('1.k3v9-1', 400);
  const startMs = performance.now();
  await until(() => reader.lines().length === 2);
  expect(performance.now() - startMs).toBeGreaterThan(300);
});

test('gives what comes while it waits, at once', async () => {
  const reader = await openStream();
  await until(() => api.node.waiting.length === 1);
  await until(() => reader.text() !== '');
  expect(reader.text()).toMatch(/^HTTP\/1.1 200 OK\r\nContent-Type: application\/x-ndjson\r\n/);
  await fill(1);
  await until(() => reader.lines().length === 1);
});

describe('a reader that goes away', () => {
  test('takes its wait with it', async () => {
    const { socket } = await openStream();
    await until(() => api.node.waiting.length === 1);
    socket.destroy();
    await until(() => api.node.waiting.length === 0);
  });

  test('keeps what it got: it may acknowledge on another connection', async () => {
    await fill(3);
    const { socket, lines } = await openStream('prefetch=2');
    await until(() => lines().length === 2);
    socket.destroy();
    await client.ack('1.k3v9-1');
    expect([...api.node.leases.keys()]).toEqual(['1.k3v9-2']);
  });

  test('gives everything back at once if it said so', async () => {
    await fill(3);
    const { socket, lines } = await openStream('prefetch=3&whenClosed=nack');
    await until(() => lines().length === 3);
    await client.ack('1.k3v9-2');
    socket.destroy();
    await until(() => api.node.leases.size === 0);
    expect(api.node.queues.get('bags')?.map(({ lookupId }) => lookupId)).toEqual([1, 3]);
  });
});

test('a reader that never reads holds a few messages, is closed, and what never left goes back', async () => {
  await api.end();
  await start({ answerMs: 300 });
  await fill(200, 128 * 1024);
  const socket = await api.open();
  socket.pause();
  socket.write('POST /v1/stream/bags?prefetch=1000 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n');
  await until(() => api.node.calls.some(({ verb }) => verb === 'nack'));
  const receives = api.node.calls.filter(({ verb }) => verb === 'receive').length;
  expect(receives).toBeLessThan(20);
  expect(api.node.leases.size).toBe(receives - 1);
  expect((await client.receive('bags'))?.deliveryCount).toBe(2);
});

describe('ends with a line that says why', () => {
  test('when its queue is deleted', async () => {
    const { socket } = await openStream();
    await until(() => api.node.waiting.length === 1);
    const all = readToEnd(socket);
    await client.deleteQueue('bags');
    socket.end();
    expect(await all).toContain('{"code":"QUEUE_DELETED"');
  });

  test('when the node stops', async () => {
    const { socket } = await openStream();
    await until(() => api.node.waiting.length === 1);
    const all = readToEnd(socket);
    await api.close();
    expect(await all).toContain('{"code":"NODE_STOPPED"');
  });
});

test.each<[string, number, string]>([
  ['/v1/stream/none', 404, 'QUEUE_NOT_FOUND'],
  ['/v1/stream/bags?prefetch=0', 400, 'REQUEST_INVALID'],
  ['/v1/stream/bags?prefetch=1001', 400, 'REQUEST_INVALID'],
  ['/v1/stream/bags?whenClosed=ack', 400, 'REQUEST_INVALID'],
  ['/v1/stream/bags?waitMs=1', 400, 'REQUEST_INVALID'],
  ['/v1/stream/bags?handle=none', 410, 'HANDLE_UNKNOWN'],
])('%s is refused by a status, before there are lines', async (path, status, code) => {
  const answered = await api.ask('POST', path);
  expect([answered.status, answered.json.code]).toEqual([status, code]);
});

describe('the client', () => {
  test('hands out each message, and leaving the loop ends the stream', async () => {
    await fill(3);
    const seen: number[] = [];
    for await (const { lease, lookupId } of client.stream('bags', { prefetch: 1 })) {
      seen.push(lookupId);
      await client.ack(lease);
      if (seen.length === 3) break;
    }
    expect(seen).toEqual([1, 2, 3]);
    await until(() => api.node.waiting.length === 0);
  });

  test('ends without an error when it is aborted, and with one when the node ends it', async () => {
    const stop = new AbortController();
    const all = async (signal?: AbortSignal): Promise<number> => {
      let count = 0;
      for await (const _ of client.stream('bags', signal ? { signal } : {})) count++;
      return count;
    };
    const aborted = all(stop.signal);
    await until(() => api.node.waiting.length === 1);
    stop.abort();
    expect(await aborted).toBe(0);
    await expect(all(stop.signal)).resolves.toBe(0);
    await until(() => api.node.waiting.length === 0);
    const ended = all();
    await until(() => api.node.waiting.length === 1);
    await Promise.all([
      expect(ended).rejects.toMatchObject({ code: 'QUEUE_DELETED' }),
      api.node.call({ verb: 'deleteQueue', queue: 'bags' }),
    ]);
    await expect(all()).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
  });
});
