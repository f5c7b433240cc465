/** Over the network: nobody without a token, no token beyond its rights, nothing in the clear that other machines could read. */

import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { ApiFixture, readToEnd } from './api-fixture.ts';
import { ApiClient } from './client.ts';
import { ENDPOINTS } from './endpoints.ts';
import { FakeNode } from './fake-node.ts';
import { readRemote } from './remote.ts';
import { RIGHTS, type Right } from './rights.ts';
import { serveApi } from './server.ts';
import { remoteFor, TEST_CERT, TEST_KEY, tokenEntry, tokenOf } from './tls-fixture.ts';
import { parseTokens, TokenDoor } from './tokens.ts';

let api: ApiFixture;
const clients: ApiClient[] = [];
async function start(tls: 'tls' | 'plain', ...tokens: Parameters<typeof tokenEntry>[]): Promise<void> {
  const remote = remoteFor(
    tokens.map((token) => tokenEntry(...token)),
    tls,
  );
  api = await ApiFixture.start({ headMs: 300, checkMs: 20, closeMs: 100 }, remote);
}
function clientOf(name: string): ApiClient {
  const client = new ApiClient({ url: `http://127.0.0.1:${api.port}`, token: tokenOf(name) });
  clients.push(client);
  return client;
}
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await api.end();
});

const BODY = Uint8Array.of(1);

describe('TLS', () => {
  test('carries every verb for who has a token and knows the certificate', async () => {
    await start('tls', ['sorter', ['send', 'receive']]);
    const client = new ApiClient({ url: `https://127.0.0.1:${api.port}`, token: tokenOf('sorter'), ca: TEST_CERT });
    clients.push(client);
    const identity = await client.send('bags', BODY);
    expect(identity).toBe('belt1:00c0ffee00c0ffee:belt1/bags:3:1');
    for await (const { lease } of client.stream('bags')) {
      await client.ack(lease);
      break;
    }
    expect(await client.receive('bags')).toBeUndefined();
  });

  test('is refused by a client that does not know the certificate', async () => {
    await start('tls', ['sorter', ['send']]);
    const client = new ApiClient({ url: `https://127.0.0.1:${api.port}`, token: tokenOf('sorter') });
    clients.push(client);
    await expect(client.send('bags', BODY)).rejects.toMatchObject({ code: 'NODE_UNREACHABLE' });
    expect(api.node.calls).toEqual([]);
  });

  test('closes who speaks something else, or nothing, and serves the others', async () => {
    await start('tls', ['sorter', ['send']]);
    const noise = connect(api.port, '127.0.0.1');
    noise.on('error', () => {}); // the server may reset it
    noise.write('POST /v1/send/bags HTTP/1.1\r\nHost: x\r\n\r\n');
    const silent = connect(api.port, '127.0.0.1');
    silent.on('error', () => {}); // the same
    expect(await readToEnd(noise)).not.toContain('HTTP/1.1 2');
    await readToEnd(silent);
    const status = await new Promise((resolve) => {
      const headers = { Authorization: `Bearer ${tokenOf('sorter')}` };
      const options = { host: '127.0.0.1', port: api.port, ca: TEST_CERT, path: '/v1/version', headers, agent: false as const };
      request(options, (response) => resolve(response.statusCode)).end();
    });
    expect(status).toBe(200);
  });

  test('is there, or only this machine can connect', async () => {
    await start('plain');
    const remote = { ...remoteFor([]), listen: { host: '0.0.0.0', port: 0 } };
    const serving = serveApi(new FakeNode(), { socketPath: join(api.folder, 'other'), remote });
    await expect(serving).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test('with a key that is none is refused before anything listens', async () => {
    await start('plain');
    const remote = { ...remoteFor([], 'tls'), tls: { cert: TEST_CERT, key: 'none' } };
    const serving = serveApi(new FakeNode(), { socketPath: join(api.folder, 'other'), remote });
    await expect(serving).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe('without a token that is known', () => {
  test.each<[string, Record<string, string>]>([
    ['none', {}],
    ['another scheme', { Authorization: `Basic ${tokenOf('sorter')}` }],
    ['nothing behind the scheme', { Authorization: 'Bearer ' }],
    ['a wrong one', { Authorization: 'Bearer secret-of-sorteR' }],
    ['the hash of one', { Authorization: `Bearer ${Buffer.from(tokenEntry('sorter', []).sha256).toString('hex')}` }],
  ])('%s: 401 for every path, there or not, and nothing is asked', async (_name, headers) => {
    await start('plain', ['sorter', ['send', 'receive', 'watch', 'admin']]);
    for (const path of ['/v1/send/bags', '/v1/stats', '/v1/health', '/v1/nothing']) {
      const answered = await fetch(`http://127.0.0.1:${api.port}${path}`, { method: 'POST', headers, body: 'x' });
      expect([answered.status, answered.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
      const text = await answered.text();
      expect(JSON.parse(text).code).toBe('TOKEN_INVALID');
      expect(text).not.toContain('secret');
    }
    expect(api.node.calls).toEqual([]);
  });

  test('the socket needs none', async () => {
    await start('plain');
    expect((await api.ask('GET', '/v1/version')).status).toBe(200);
  });
});

/** What each endpoint takes. Health and version are for everybody who is known; a handle is closed by who has it. */
const NEEDED: Readonly<Record<string, Right | 'none'>> = {
  'POST /v1/send/{queue}': 'send',
  'POST /v1/send/{node}/{queue}': 'send',
  'POST /v1/transactions': 'receive',
  'POST /v1/receive/{queue}': 'receive',
  'POST /v1/stream/{queue}': 'receive',
  'GET /v1/peek/{queue}': 'receive',
  'POST /v1/leases/{lease}/ack': 'receive',
  'POST /v1/leases/{lease}/nack': 'receive',
  'POST /v1/leases/{lease}/dead-letter': 'receive',
  'POST /v1/leases/{lease}/extend': 'receive',
  'GET /v1/queues': 'watch',
  'GET /v1/queues/{queue}': 'watch',
  'PUT /v1/queues/{queue}': 'admin',
  'PATCH /v1/queues/{queue}': 'admin',
  'DELETE /v1/queues/{queue}': 'admin',
  'POST /v1/queues/{queue}/purge': 'admin',
  'POST /v1/queues/{queue}/move': 'receive',
  'POST /v1/queues/{queue}/redrive': 'admin',
  'POST /v1/queues/{queue}/open': 'receive',
  'DELETE /v1/handles/{handle}': 'none',
  'GET /v1/outcome': 'send',
  'GET /v1/ping': 'watch',
  'GET /v1/trace': 'watch',
  'DELETE /v1/producers/{producer}': 'admin',
  'GET /v1/holes': 'watch',
  'GET /v1/devices/{node}': 'watch',
  'POST /v1/holes/close': 'admin',
  'GET /v1/positions/{position}': 'receive',
  'GET /v1/stats': 'watch',
  'GET /v1/health': 'none',
  'GET /v1/version': 'none',
};

describe('rights', () => {
  test('each endpoint is closed to all rights but its own, and open to that', async () => {
    const all = RIGHTS.map((right): [string, Right[]] => [`only-${right}`, [right]]);
    const but = RIGHTS.map((right): [string, Right[]] => [`no-${right}`, RIGHTS.filter((other) => other !== right)]);
    await start('plain', ...all, ...but);
    for (const { method, path } of ENDPOINTS) {
      const needed = NEEDED[`${method} ${path}`];
      if (needed === undefined) throw new Error(`${method} ${path}: nobody said what it takes`);
      if (needed === 'none') continue;
      const query = path.endsWith('/move') || path.endsWith('/redrive') ? '?lookupId=1&to=bags' : '';
      const names = path.replace('{position}', 'trigger%2Ft').replace('stream/{queue}', 'stream/absent');
      const url = `${names.replace('{node}', 'central').replace(/\{\w+\}/, 'bags')}${query || outcomeQuery(path)}`;
      const body = path === '/v1/transactions' ? '{"steps":[{"do":"ack","lease":"l"}]}' : '';
      const withBody = body === '' ? {} : { body };
      const closed = await api.ask(method, url, { token: tokenOf(`no-${needed}`), ...withBody });
      expect([method, path, closed.status, closed.json?.code]).toEqual([method, path, 403, 'ACCESS_DENIED']);
      const open = await api.ask(method, url, { token: tokenOf(`only-${needed}`), ...withBody });
      expect([method, path, open.status === 403 || open.status === 401]).toEqual([method, path, false]);
    }
  });

  test('a token for some queues neither sees nor touches others', async () => {
    await start('plain', ['some', [...RIGHTS], ['bags', 'central/scans']]);
    for (const queue of ['bags', 'gates']) await api.node.call({ verb: 'createQueue', queue, options: {} });
    const some = clientOf('some');
    await some.send('bags', BODY);
    await some.send('central/scans', BODY);
    expect((await some.queues()).map(({ name }) => name)).toEqual(['bags']);
    await some.move('bags', 1, 'bags;later');
    expect((await some.peek('bags;later'))?.lookupId).toBe(1);
    const denied = { code: 'ACCESS_DENIED', details: { client: 'some' } };
    const step = { do: 'send', destination: 'gates', body: BODY, properties: {} } as const;
    for (const work of [
      () => some.send('gates', BODY),
      () => some.send('central/bags', BODY),
      () => some.commit([step]),
      () => some.receive('gates'),
      () => some.peek('gates;later'),
      () => some.queue('gates'),
      () => some.purge('gates'),
      () => some.move('bags', 1, 'gates'),
      () => some.open('gates'),
    ]) {
      await expect(work()).rejects.toMatchObject(denied);
    }
  });

  test('a lease is ended by the client alone that got it, on whatever connection', async () => {
    await start('plain', ['one', ['send', 'receive']], ['two', ['receive']]);
    const [one, again, two] = [clientOf('one'), clientOf('one'), clientOf('two')];
    await one.send('bags', BODY);
    const lease = (await one.receive('bags'))?.lease ?? '';
    for (const work of [() => two.ack(lease), () => two.extend(lease, 1), () => two.commit([{ do: 'ack', lease }])]) {
      await expect(work()).rejects.toMatchObject({ code: 'ACCESS_DENIED' });
    }
    await again.ack(lease);
    await expect(again.ack(lease)).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' });
  });

  test('a lease that was got on the socket is unknown over the network', async () => {
    await start('plain', ['one', ['send', 'receive']]);
    const one = clientOf('one');
    await one.send('bags', BODY);
    const { lease } = (await api.ask('POST', '/v1/receive/bags')).json;
    for (const work of [() => one.ack(lease), () => one.extend(lease, 1), () => one.commit([{ do: 'ack', lease }])]) {
      await expect(work()).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' });
    }
    expect((await api.ask('POST', `/v1/leases/${lease}/ack`)).status).toBe(204);
  });
});

test('a numbered transaction that ended leases may be repeated, and does nothing again', async () => {
  await start('plain', ['one', ['send', 'receive']], ['two', ['send', 'receive']]);
  const [one, two] = [clientOf('one'), clientOf('two')];
  await one.send('bags', BODY);
  await one.send('bags', BODY);
  const lease = (await one.receive('bags'))?.lease ?? '';
  const steps = [
    { do: 'ack', lease },
    { do: 'send', destination: 'gates', body: BODY, properties: {} },
  ] as const;
  const first = await one.commit(steps, { by: { producer: 'p', number: 1 } });
  expect(await one.commit(steps, { by: { producer: 'p', number: 1 } })).toEqual(first);
  // Whatever was not done before is not done now, with a lease that is not there any more or never was this client's.
  const next = { by: { producer: 'p', number: 2 } };
  await expect(one.commit(steps, next)).rejects.toMatchObject({ code: 'LEASE_UNKNOWN', details: { lease } });
  const other = (await one.receive('bags'))?.lease ?? '';
  await expect(two.commit([{ do: 'ack', lease: other }], next)).rejects.toMatchObject({ code: 'ACCESS_DENIED' });
  expect(api.node.queues.get('gates')?.length).toBe(1);
  await one.ack(other);
});

test('a handle is of use to the client alone that opened it', async () => {
  await start('plain', ['one', ['send', 'receive']], ['two', ['receive']]);
  const [one, again, two] = [clientOf('one'), clientOf('one'), clientOf('two')];
  await one.send('bags', BODY);
  const handle = await one.open('bags', { share: 'alone' });
  for (const work of [() => two.closeHandle(handle), () => two.receive('bags', { handle }), () => two.peek('bags', { handle })]) {
    await expect(work()).rejects.toMatchObject({ code: 'HANDLE_UNKNOWN' });
  }
  expect(await again.peek('bags', { handle })).toBeDefined();
  await again.closeHandle(handle);
  expect(await two.peek('bags')).toBeDefined();
});

describe('the file of tokens', () => {
  const HASH = 'a'.repeat(64);

  test('of the page is one', () => {
    const page = readFileSync(new URL('../../../docs/local-api.md', import.meta.url), 'utf8');
    const [, text = ''] = /^```text\n(# name[\s\S]*?)^```/m.exec(page) ?? [];
    const { entries, problems } = parseTokens(text);
    expect(problems).toEqual([]);
    expect(entries.map(({ name, rights }) => [name, [...rights.may], rights.queues && [...rights.queues]])).toEqual([
      ['scanner', ['send'], ['bags', 'central/bags']],
      ['sorter', ['send', 'receive'], undefined],
    ]);
    expect(new TokenDoor(entries).enter('Bearer test').name).toBe('scanner');
  });

  test.each<[string, string]>([
    ['Scanner:h:send', 'line 1: the first field is no name'],
    ['my-secret-token', 'line 1: the second field of my-secret-token is not a SHA-256 in 64 hex digits'],
    [`a:${HASH}:`, 'line 1: the third field of a is not a list of send, receive, watch, admin'],
    [`a:${HASH}:send,write`, 'line 1: the third field of a is not a list of send, receive, watch, admin'],
    [`a:${HASH}:send:Bags`, 'line 1: the fourth field of a is not a list of queues'],
    [`a:${HASH}:send:a/b/c`, 'line 1: the fourth field of a is not a list of queues'],
    [`a:${HASH}:send:bags:x`, 'line 1: the fourth field of a is not a list of queues'],
    [`# two\n\na:${HASH}:send\na:${HASH}:send`, 'line 4: a stands there twice'],
  ])('%# with something wrong in it says where', (text, problem) => {
    expect(parseTokens(text).problems).toEqual([problem]);
  });

  test('and the others are read when the node starts, all problems told at once', async () => {
    await start('plain');
    const path = (name: string): string => join(api.folder, name);
    const listen = { host: '127.0.0.1', port: 0 };
    const config = { listen, certFile: path('cert'), keyFile: path('key'), tokens: path('tokens') };
    expect(() => readRemote(config)).toThrow(/api.tokens.*api.certFile.*api.keyFile/);
    writeFileSync(path('tokens'), `a:${HASH}:send`);
    writeFileSync(path('cert'), TEST_CERT);
    writeFileSync(path('key'), TEST_KEY);
    expect(readRemote(config)).toMatchObject({ tls: { cert: TEST_CERT, key: TEST_KEY }, tokens: [{ name: 'a' }] });
  });
});

function outcomeQuery(path: string): string {
  if (path === '/v1/holes/close') return '?of=bags';
  return path === '/v1/outcome' ? '?identity=x' : '';
}
