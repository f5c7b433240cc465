/** A client that asks too much, or takes nothing, harms itself: the others are served meanwhile, in bounded time. */
import { afterEach, describe, expect, test } from 'vitest';
import { ApiFixture, until } from './api-fixture.ts';
import {
  CLIENT_LEASE_COUNT_MAX,
  CLIENT_REQUEST_COUNT_MAX,
  CLIENT_STREAM_COUNT_MAX,
  CLIENT_WAIT_COUNT_MAX,
} from './api-limits.ts';
import { ClientAccount, RESOURCE_MAX, type Resource } from './client-account.ts';
import { LeaseBook } from './lease-book.ts';
import { remoteFor, tokenEntry, tokenOf } from './tls-fixture.ts';

let api: ApiFixture | undefined;
async function start(): Promise<ApiFixture> {
  const tokens = ['one', 'two'].map((name) => tokenEntry(name, ['send', 'receive']));
  api = await ApiFixture.start({ closeMs: 200 }, remoteFor(tokens));
  api.node.queues.set('bags', []);
  return api;
}
afterEach(async () => {
  await api?.end();
  api = undefined;
});

const WAIT = '/v1/receive/bags?waitMs=60000';

test.each(Object.entries(RESOURCE_MAX) as [Resource, number][])('%s of one client end at %i, and come back', (resource, max) => {
  const client = new ClientAccount();
  client.take(resource, max);
  expect(() => client.take(resource)).toThrow(/^BUSY/);
  client.give(resource);
  client.take(resource);
  expect(client.used(resource)).toBe(max);
});

test('a client that waits too often is told BUSY, on all its connections; another waits all the same', async () => {
  const served = await start();
  const waits = Array.from({ length: CLIENT_WAIT_COUNT_MAX }, () => served.ask('POST', WAIT, { token: tokenOf('one') }));
  await until(() => served.node.waiting.length === CLIENT_WAIT_COUNT_MAX);
  const refused = await served.ask('POST', WAIT, { token: tokenOf('one') });
  expect([refused.status, refused.json.code]).toEqual([503, 'BUSY']);
  const other = served.ask('POST', WAIT, { token: tokenOf('two') });
  await until(() => served.node.waiting.length === CLIENT_WAIT_COUNT_MAX + 1);
  expect((await served.ask('POST', '/v1/send/bags', { token: tokenOf('one'), body: 'x' })).status).toBe(200);
  await served.close();
  const statuses = (await Promise.all([...waits, other])).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(1);
});

test('a client that opens too many streams is told BUSY, and its messages stay', async () => {
  const served = await start();
  const open = Array.from({ length: CLIENT_STREAM_COUNT_MAX }, () =>
    served.ask('POST', '/v1/stream/bags', { token: tokenOf('one') }).catch(() => undefined),
  );
  await until(() => served.node.waiting.length === CLIENT_STREAM_COUNT_MAX);
  const refused = await served.ask('POST', '/v1/stream/bags', { token: tokenOf('one') });
  expect([refused.status, refused.json.code]).toEqual([503, 'BUSY']);
  await served.close();
  await Promise.all(open);
});

test('requests that ended are not counted: a client may make any number, one after the other', async () => {
  const served = await start();
  const statuses = new Set<number>();
  for (let i = 0; i <= CLIENT_REQUEST_COUNT_MAX; i++)
    statuses.add((await served.ask('POST', '/v1/send/bags', { token: tokenOf('one'), body: 'x' })).status);
  expect([...statuses]).toEqual([200]);
});

describe('leases of a client over the network', () => {
  test('are counted until they end, and given back when nothing came', async () => {
    const served = await start();
    for (let i = 0; i < 3; i++) await served.ask('POST', '/v1/receive/bags', { token: tokenOf('one') });
    await served.ask('POST', '/v1/send/bags', { token: tokenOf('one'), body: 'x' });
    const { json } = await served.ask('POST', '/v1/receive/bags', { token: tokenOf('one') });
    expect((await served.ask('POST', `/v1/leases/${json.lease}/nack`, { token: tokenOf('one') })).status).toBe(204);
  });

  test('leave the book when they end, and at their deadline', () => {
    const book = new LeaseBook();
    const client = new ClientAccount('one', { may: new Set(), queues: undefined });
    for (let i = 0; i < CLIENT_LEASE_COUNT_MAX; i++) {
      LeaseBook.reserve(client);
      book.note(String(i), { client, leaseMs: 10 }, i);
    }
    expect(() => LeaseBook.reserve(client)).toThrow(/^BUSY/);
    book.ended('5');
    book.ended('5');
    expect([client.used('leases'), book.size]).toEqual([CLIENT_LEASE_COUNT_MAX - 1, CLIENT_LEASE_COUNT_MAX - 1]);
    book.extended('0', 1e9);
    book.expire(CLIENT_LEASE_COUNT_MAX + 10);
    expect([client.used('leases'), book.size]).toEqual([1, 1]);
  });

  test('of the socket are not kept at all', () => {
    const book = new LeaseBook();
    book.note('l', { client: new ClientAccount(), leaseMs: 10 }, 0);
    expect(book.size).toBe(0);
  });
});

describe('others are served in bounded time', () => {
  const COUNT = 200;
  /** Generous: a send of the fake takes a fraction of a millisecond, and the machine may be busy with other tests. */
  const P99_MS_MAX = 1000;

  async function p99OfSends(served: ApiFixture): Promise<number> {
    const tookMs: number[] = [];
    for (let i = 0; i < COUNT; i++) {
      const startMs = performance.now();
      expect((await served.ask('POST', '/v1/send/others', { body: 'x' })).status).toBe(200);
      tookMs.push(performance.now() - startMs);
    }
    return tookMs.sort((a, b) => a - b)[Math.floor(COUNT * 0.99) - 1] ?? 0;
  }

  test('while 500 receivers wait', async () => {
    const served = await start();
    const waits = Array.from({ length: 500 }, () => served.ask('POST', WAIT));
    await until(() => served.node.waiting.length === 500);
    expect(await p99OfSends(served)).toBeLessThan(P99_MS_MAX);
    await served.close();
    expect((await Promise.all(waits)).every(({ status }) => status === 503)).toBe(true);
  });

  test('while fifty clients are in the middle of their bodies, and fifty read nothing', async () => {
    const served = await start();
    const body = new Uint8Array(100 * 1024);
    for (let i = 0; i < 50; i++) await served.ask('POST', '/v1/send/bags', { body });
    for (let i = 0; i < 50; i++) {
      const half = await served.open();
      half.write('POST /v1/send/bags HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc');
      const deaf = await served.open();
      deaf.pause();
      deaf.write('POST /v1/receive/bags HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n');
    }
    expect(await p99OfSends(served)).toBeLessThan(P99_MS_MAX);
  });
});
