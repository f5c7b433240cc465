/** A wait that is aborted takes nothing, whatever the node was about to say: its message is ready again at once, not when a lease ends. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ApiFixture, until } from './api-fixture.ts';
import { ApiClient } from './client.ts';
import { remoteFor, TEST_CERT, tokenEntry, tokenOf } from './tls-fixture.ts';

/** Turns after which the other side is told, around the moment of the answer. */
const TURNS = [0, 1, 2, 3, 5, 8, 13, 21, 34];

let api: ApiFixture;
let client: ApiClient;
beforeEach(async () => {
  api = await ApiFixture.start({}, remoteFor([tokenEntry('one', ['send', 'receive'])], 'tls'));
  api.node.queues.set('bags', []);
});
afterEach(async () => {
  client.close();
  await api.end();
});

const clients = {
  'the socket': () => new ApiClient({ socketPath: api.socketPath }),
  TLS: () => new ApiClient({ url: `https://127.0.0.1:${api.port}`, token: tokenOf('one'), ca: TEST_CERT }),
};

/** Within one turn of the event loop: the node does all that needs no input, and nobody reads what it writes. */
async function ticks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => process.nextTick(resolve));
}

/** Whole turns of the event loop. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

const arrive = () => api.node.call({ verb: 'send', destination: 'bags', body: Uint8Array.of(7), properties: {} });

describe.each(Object.entries(clients))('over %s', (_way, newClient) => {
  beforeEach(() => {
    client = newClient();
  });

  /** A wait under way, `meet` decides when it is aborted and when its message comes; then the message is ready and nobody's. */
  async function round(meet: (abort: () => void) => Promise<void>): Promise<void> {
    const stop = new AbortController();
    const waiting = client.receive('bags', { waitMs: 60_000, leaseMs: 60_000, signal: stop.signal });
    await until(() => api.node.waiting.length === 1);
    await meet(() => stop.abort());
    const received = await waiting;
    if (received !== undefined) await client.nack(received.lease, { delayMs: 0 });
    await until(() => api.node.leases.size === 0);
    expect(api.node.queues.get('bags')).toHaveLength(1);
    expect((await client.receive('bags'))?.message.body).toEqual(Uint8Array.of(7));
    await client.ack([...api.node.leases.keys()][0] ?? '');
    expect(api.node.waiting).toEqual([]);
  }

  test('aborted when the answer is written and not read yet', async () => {
    for (const count of TURNS) {
      await round(async (abort) => {
        await arrive();
        await ticks(count);
        abort();
      });
    }
  });

  test('aborted while the answer is on its way', async () => {
    for (const count of TURNS) {
      await round(async (abort) => {
        await arrive();
        await turns(count % 8);
        abort();
      });
    }
  });

  test('aborted just before its message comes', async () => {
    for (const count of TURNS) {
      await round(async (abort) => {
        abort();
        await turns(count % 8);
        await arrive();
      });
    }
  });
});
