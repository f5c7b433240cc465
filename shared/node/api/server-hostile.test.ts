/** Clients that break the rules harm themselves: after each of them the others are served as before. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ApiFixture, readToEnd, until } from './api-fixture.ts';
import {
  BODY_BYTES_MAX,
  BODY_POOL_BYTES_MAX,
  CONNECTION_COUNT_MAX,
  HEAD_BYTES_MAX,
  HEAD_COUNT_MAX,
  PIPELINED_COUNT_MAX,
} from './api-limits.ts';

let api: ApiFixture;
beforeEach(async () => {
  api = await ApiFixture.start();
});
afterEach(async () => {
  api.node.disk = Promise.resolve();
  const answered = await api.ask('POST', '/v1/send/afterwards', { body: 'still here' });
  expect(answered.status).toBe(200);
  await api.end();
});

/** Again, with little patience. */
async function hurry(): Promise<void> {
  await api.end();
  api = await ApiFixture.start({ headMs: 300, requestMs: 600, checkMs: 20, idleMs: 1000, answerMs: 300, closeMs: 100 });
}

const POST = 'POST /v1/send/bags HTTP/1.1\r\nHost: x\r\n';

describe('a body that is too large', () => {
  test('is refused before it is read when its length says so', async () => {
    const socket = await api.open();
    socket.write(`${POST}Content-Length: ${BODY_BYTES_MAX + 1}\r\n\r\n`);
    const [head] = await new Promise<string[]>((resolve) =>
      socket.once('data', (chunk) => resolve(chunk.toString().split('\r\n'))),
    );
    expect(head).toBe('HTTP/1.1 413 Payload Too Large');
  });

  test('is refused where it passes the limit when its length says nothing', async () => {
    const headers = { 'Transfer-Encoding': 'chunked' };
    const answered = await api.ask('POST', '/v1/send/bags', { body: new Uint8Array(8 * BODY_BYTES_MAX), headers });
    expect([answered.status, answered.json.code, answered.json.details.bytesMax]).toEqual([
      413,
      'MESSAGE_TOO_LARGE',
      BODY_BYTES_MAX,
    ]);
  });

  test('is refused to a client that asks first, without being sent', async () => {
    const socket = await api.open();
    socket.write(`${POST}Expect: 100-continue\r\nContent-Length: ${BODY_BYTES_MAX + 1}\r\n\r\n`);
    const text = await new Promise<string>((resolve) => socket.once('data', (chunk) => resolve(chunk.toString())));
    expect(text).toMatch(/^HTTP\/1.1 413 /);
  });

  test('is the largest one too large: one byte less goes to the node, which has its own limit', async () => {
    const answered = await api.ask('POST', '/v1/send/bags', { body: new Uint8Array(BODY_BYTES_MAX) });
    expect([answered.status, answered.json.details]).toEqual([413, { bytes: BODY_BYTES_MAX, bytesMax: 192 * 1024 }]);
    expect((await api.ask('POST', '/v1/send/bags', { body: new Uint8Array(192 * 1024) })).status).toBe(200);
  });

  test('that never ends is cut off', async () => {
    await hurry();
    const socket = await api.open();
    socket.write(`${POST}Transfer-Encoding: chunked\r\n\r\n`);
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    const more = (): void => {
      if (!socket.destroyed) socket.write(chunk, more);
    };
    more();
    expect(await readToEnd(socket)).toMatch(/^HTTP\/1.1 413 /);
    expect(api.node.calls).toEqual([]);
  });
});

test('bodies beyond the pool are refused as busy, and their room comes back', async () => {
  let write = (): void => {};
  api.node.disk = new Promise((resolve) => {
    write = resolve;
  });
  const body = new Uint8Array(192 * 1024);
  const countMax = Math.floor(BODY_POOL_BYTES_MAX / body.length);
  const sends = Array.from({ length: countMax }, () => api.ask('POST', '/v1/send/bags', { body }));
  await until(() => api.node.calls.length === countMax);
  const refused = await api.ask('POST', '/v1/send/bags', { body });
  expect([refused.status, refused.json.code, refused.headers['retry-after']]).toEqual([503, 'BUSY', '1']);
  write();
  expect((await Promise.all(sends)).every(({ status }) => status === 200)).toBe(true);
  expect((await api.ask('POST', '/v1/send/bags', { body })).status).toBe(200);
});

describe('a slow or silent client', () => {
  beforeEach(hurry);

  test.each<[string, string]>([
    ['that says nothing', ''],
    ['that stops in its headers', 'POST /v1/send/bags HTTP/1.1\r\nHost'],
    ['that stops in its body', `${POST}Content-Length: 10\r\n\r\nabc`],
  ])('%s is told so and closed', async (_name, bytes) => {
    const socket = await api.open();
    socket.write(bytes);
    expect(await readToEnd(socket)).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n.*"REQUEST_INVALID"/s);
    expect(api.node.calls).toEqual([]);
  });

  test('that sends a byte at a time is closed all the same', async () => {
    const socket = await api.open();
    const drip = setInterval(() => socket.write('X'), 20);
    socket.write('POST /v1/send/bags HTTP/1.1\r\n');
    expect(await readToEnd(socket)).toMatch(/^HTTP\/1.1 408 /);
    clearInterval(drip);
  });

  test('that does not take its answer is closed, and its message goes back', async () => {
    await api.ask('POST', '/v1/send/bags', { body: new Uint8Array(192 * 1024) });
    const others = Array.from({ length: 8 }, () => api.ask('POST', '/v1/send/bags', { body: new Uint8Array(192 * 1024) }));
    await Promise.all(others);
    const socket = await api.open();
    socket.pause();
    const request = 'POST /v1/receive/bags HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n';
    socket.write(request.repeat(9));
    await until(() => api.node.calls.some((call) => call.verb === 'nack'));
  });

  test('that closes in the middle of its body stores nothing', async () => {
    const socket = await api.open();
    socket.end(`${POST}Content-Length: 10\r\n\r\nabc`);
    await readToEnd(socket);
    expect(api.node.calls).toEqual([]);
  });

  test('a wait longer than every timeout is no slow client', async () => {
    api.node.queues.set('bags', []);
    const waiting = api.ask('POST', '/v1/receive/bags?waitMs=1000');
    expect((await waiting).status).toBe(204);
  });
});

describe('what is not a request', () => {
  test.each<[string, string | Uint8Array, number]>([
    ['noise', Uint8Array.from({ length: 300 }, (_, i) => (i * 7) % 256), 400],
    ['TLS', Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01), 400],
    ['no HTTP', 'send bags\r\n\r\n', 400],
    ['two lengths', `${POST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, 400],
    ['length and chunks', `${POST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
    ['a negative length', `${POST}Content-Length: -1\r\n\r\n`, 400],
    ['a broken chunk', `${POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, 400],
    ['a flood of headers', `${POST}${'abcdefgh: ijklmnop\r\n'.repeat(HEAD_BYTES_MAX / 16)}\r\n`, 431],
    ['a flood of tiny headers', `${POST}Connection: close\r\n${'a: b\r\n'.repeat(HEAD_COUNT_MAX)}\r\n`, 400],
    ['one endless header', `${POST}a: ${'b'.repeat(HEAD_BYTES_MAX)}\r\n\r\n`, 431],
    ['an endless path', `GET /${'x'.repeat(HEAD_BYTES_MAX)} HTTP/1.1\r\n\r\n`, 431],
  ])('%s: answered with a code and closed', async (_name, bytes, status) => {
    const socket = await api.open();
    socket.write(bytes);
    const text = await readToEnd(socket);
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(text).toContain('"REQUEST_INVALID"');
    expect(api.node.calls).toEqual([]);
  });

  test('another form of target is refused', async () => {
    const socket = await api.open();
    socket.write('OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(await readToEnd(socket)).toMatch(/^HTTP\/1.1 400 /);
  });
});

describe('many at once', () => {
  test('64 connections send and receive in parallel, each message once', async () => {
    await Promise.all(Array.from({ length: 64 }, (_, i) => api.ask('POST', '/v1/send/bags', { body: `bag ${i}` })));
    const answers = await Promise.all(Array.from({ length: 64 }, () => api.ask('POST', '/v1/receive/bags?waitMs=1000')));
    const bodies = answers.map(({ json }) => json.message.bodyText);
    expect(new Set(bodies).size).toBe(64);
    const acks = await Promise.all(answers.map(({ json }) => api.ask('POST', `/v1/leases/${json.lease}/ack`)));
    expect(acks.every(({ status }) => status === 204)).toBe(true);
    expect(api.node.leases.size).toBe(0);
  });

  test('requests sent ahead on one connection are answered in order', async () => {
    const socket = await api.open();
    const request = 'POST /v1/send/bags HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx';
    const last = request.replace('Host: x', 'Host: x\r\nConnection: close');
    socket.write(request.repeat(PIPELINED_COUNT_MAX - 1) + last);
    const text = await readToEnd(socket);
    const numbers = [...text.matchAll(/bags:3:(\d+)"/g)].map(([, number]) => Number(number));
    expect(numbers).toEqual(Array.from({ length: PIPELINED_COUNT_MAX }, (_, i) => i + 1));
  });

  test('a client that sends waits ahead without end is closed, and its waits end', { timeout: 10_000 }, async () => {
    api.node.queues.set('bags', []);
    const socket = await api.open();
    const request = 'POST /v1/receive/bags?waitMs=60000 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n';
    socket.write(request.repeat(PIPELINED_COUNT_MAX + 1));
    await readToEnd(socket);
    await until(() => api.node.waiting.length === 0);
  });

  test('connections beyond the limit are closed at once, and the others stay', async ({ skip }) => {
    const files = openFilesMax();
    skip(files < 2 * CONNECTION_COUNT_MAX + 200, `a process may open ${files} files only`);
    api.node.queues.set('bags', []);
    const sockets = [];
    for (let i = 0; i < CONNECTION_COUNT_MAX; i++) sockets.push(await api.open());
    for (const socket of sockets)
      socket.write('POST /v1/receive/bags?waitMs=60000 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n');
    await until(() => api.node.waiting.length === CONNECTION_COUNT_MAX);
    expect(await readToEnd(await api.open())).toBe('');
    expect(sockets.every(({ destroyed }) => !destroyed)).toBe(true);
    for (const socket of sockets) socket.destroy();
    await until(() => api.node.waiting.length === 0);
  });
});

/** Node raises it to what the system allows when it starts. */
function openFilesMax(): number {
  const { soft } = (process.report.getReport() as { userLimits: { open_files: { soft: number | 'unlimited' } } }).userLimits
    .open_files;
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : soft;
}
