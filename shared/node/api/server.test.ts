import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ErrorCode, RingmailError } from '../../errors.ts';
import { ApiFixture, readToEnd, until } from './api-fixture.ts';

let api: ApiFixture;
beforeEach(async () => {
  api = await ApiFixture.start();
});
afterEach(() => api.end());

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, i) => i);

describe('send', () => {
  test('answers with the identity of the stored message', async () => {
    const answered = await api.ask('POST', '/v1/send/bags', {
      body: '{"tag":1}',
      headers: { 'Content-Type': 'application/json' },
    });
    expect(answered.status).toBe(200);
    expect(answered.json).toEqual({ identity: 'belt1:00c0ffee00c0ffee:belt1/bags:3:1', durable: true, durability: 'sync' });
  });

  test.each(['volatile', 'unknown'] as const)('to a ring of %s durability is not called durable', async (durability) => {
    api.node.durability = durability;
    expect((await api.ask('POST', '/v1/send/bags', { body: 'x' })).json.durable).toBe(false);
    expect((await api.ask('GET', '/v1/stats')).json.ring.durability).toBe(durability);
  });

  test('answers only when the node does', async () => {
    let write = (): void => {};
    api.node.disk = new Promise((resolve) => {
      write = resolve;
    });
    let answered = 0;
    const asked = api.ask('POST', '/v1/send/bags', { body: 'x' }).then(() => answered++);
    await until(() => api.node.calls.length === 1);
    await api.ask('GET', '/v1/version');
    expect(answered).toBe(0);
    write();
    await asked;
  });

  test('takes an address with its node', async () => {
    const answered = await api.ask('POST', '/v1/send/central/bags', { body: 'x' });
    expect(answered.json.identity).toBe('belt1:00c0ffee00c0ffee:central/bags:3:1');
  });

  test('takes every property, untouched', async () => {
    const query =
      'priority=7&label=Gate+%C3%A4%2B&correlationId=c%201&responseQueue=belt1%2Freplies&appSpecific=4294967295' +
      '&timeToReachQueueMs=1000&timeToBeReceivedMs=2000&header:flight=BA123&header:Lock%C3%A9=%26%3D';
    await api.ask('POST', `/v1/send/bags?${query}`, { body: 'x', headers: { 'Content-Type': 'text/x-telegram' } });
    expect(api.node.calls).toEqual([
      {
        verb: 'send',
        destination: 'bags',
        body: new Uint8Array([120]),
        properties: {
          priority: 7,
          label: 'Gate ä+',
          correlationId: 'c 1',
          responseQueue: 'belt1/replies',
          appSpecific: 4294967295,
          timeToReachQueueMs: 1000,
          timeToBeReceivedMs: 2000,
          contentType: 'text/x-telegram',
          headers: new Map([
            ['flight', 'BA123'],
            ['Locké', '&='],
          ]),
        },
      },
    ]);
  });

  test.each<[string, string | undefined, string, Uint8Array | string, string | undefined]>([
    ['the header says it', 'application/xml', '', '<a/>', 'application/xml'],
    ['the query wins over the header', 'text/plain', '?contentType=a%2Fb', 'x', 'a/b'],
    ['nothing said, nothing stored', undefined, '', 'x', undefined],
    ['what curl -d says means nothing: text', 'application/x-www-form-urlencoded', '', 'a=b', 'text/plain'],
    ['what curl -d says means nothing: JSON', 'application/x-www-form-urlencoded', '', ' {"a":1}', 'application/json'],
    ['what curl -d says means nothing: a number is text', 'application/x-www-form-urlencoded', '', '117', 'text/plain'],
    ['what curl -d says means nothing: bytes', 'application/x-www-form-urlencoded', '', ALL_BYTES, 'application/octet-stream'],
    [
      'a form that is meant',
      'application/x-www-form-urlencoded',
      '?contentType=application%2Fx-www-form-urlencoded',
      'a=b',
      'application/x-www-form-urlencoded',
    ],
  ])('content type: %s', async (_name, header, query, body, stored) => {
    const headers = header === undefined ? {} : { 'Content-Type': header };
    expect((await api.ask('POST', `/v1/send/bags${query}`, { body, headers })).status).toBe(200);
    const [call] = api.node.calls;
    expect(call?.verb === 'send' && call.properties.contentType).toBe(stored);
  });

  test('keeps the bytes of a body whatever their type says', async () => {
    for (const type of ['application/json', 'text/plain; charset=utf-16', 'application/octet-stream']) {
      await api.ask('POST', '/v1/send/bags', { body: ALL_BYTES, headers: { 'Content-Type': type } });
      expect(api.node.calls.at(-1)).toMatchObject({ body: ALL_BYTES });
    }
  });

  test('takes a body in chunks and an empty one', async () => {
    const chunked = { 'Transfer-Encoding': 'chunked' };
    await api.ask('POST', '/v1/send/bags', { body: 'in pieces', headers: chunked });
    await api.ask('POST', '/v1/send/bags');
    const bodies = api.node.calls.map((call) => (call.verb === 'send' ? Buffer.from(call.body).toString() : undefined));
    expect(bodies).toEqual(['in pieces', '']);
  });
});

describe('receive', () => {
  const send = (body: Uint8Array | string, type: string, query = '') =>
    api.ask('POST', `/v1/send/bags${query}`, { body, headers: { 'Content-Type': type } });

  test('gives the message under a lease, with what it was sent with', async () => {
    await send('{"tag":"0117814872"}', 'application/json', '?priority=5&label=L&header:flight=BA123');
    const answered = await api.ask('POST', '/v1/receive/bags?leaseMs=5000');
    expect(answered.status).toBe(200);
    expect(answered.json).toEqual({
      lease: '1.k3v9-1',
      leaseMs: 5000,
      deliveryCount: 1,
      moveCount: 0,
      lookupId: 1,
      hops: 0,
      elapsedMs: 0,
      message: {
        identity: 'belt1:00c0ffee00c0ffee:belt1/bags:5:1',
        epoch: { counter: 1, random: 7 },
        priority: 5,
        contentType: 'application/json',
        label: 'L',
        headers: { flight: 'BA123' },
        body: { tag: '0117814872' },
      },
    });
  });

  test.each<[string, string, string, object]>([
    ['text', 'text/plain', 'a\nb', { bodyText: 'a\nb' }],
    ['JSON that is none', 'application/json', '{', { bodyText: '{' }],
    ['anything else', 'application/cbor', 'abc', { bodyBase64: 'YWJj' }],
  ])('shows %s', async (_name, type, body, shown) => {
    await send(body, type);
    expect((await api.ask('POST', '/v1/receive/bags')).json.message).toMatchObject(shown);
  });

  test('says how many bytes an answer has, not how many characters', async () => {
    await api.ask('POST', '/v1/send/bags?label=%C3%A4%C3%B6%C3%BC', {
      body: 'Gepäck',
      headers: { 'Content-Type': 'text/plain' },
    });
    const socket = await api.open();
    const whole = readToEnd(socket);
    socket.write('POST /v1/receive/bags HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const [head = '', body = ''] = (await whole).split('\r\n\r\n');
    expect(/Content-Length: (\d+)/.exec(head)?.[1]).toBe(String(body.length)); // read byte by byte
    expect(JSON.parse(Buffer.from(body, 'latin1').toString())).toMatchObject({ message: { label: 'äöü', bodyText: 'Gepäck' } });
  });

  test('gives the exact bytes as base64 when asked to', async () => {
    await send(' {"a" : 1.0}', 'application/json');
    const { message } = (await api.ask('POST', '/v1/receive/bags?bodyAs=base64')).json;
    expect(Buffer.from(message.bodyBase64, 'base64').toString()).toBe(' {"a" : 1.0}');
    expect(message.body).toBeUndefined();
  });

  test('gives the bare body with its properties in headers when asked to', async () => {
    await send(ALL_BYTES, 'text/x-telegram', '?label=Gate%20%C3%A4&priority=1&appSpecific=9&header:a%3D=b%26');
    const answered = await api.ask('POST', '/v1/receive/bags', { headers: { Accept: 'application/octet-stream' } });
    expect(answered.bytes).toEqual(ALL_BYTES);
    expect(answered.headers).toMatchObject({
      'content-type': 'text/x-telegram',
      'content-length': '256',
      'ringmail-lease': '1.k3v9-1',
      'ringmail-lease-ms': '30000',
      'ringmail-delivery-count': '1',
      'ringmail-hops': '0',
      'ringmail-identity': 'belt1:00c0ffee00c0ffee:belt1/bags:1:1',
      'ringmail-priority': '1',
      'ringmail-content-type': 'text%2Fx-telegram',
      'ringmail-label': 'Gate%20%C3%A4',
      'ringmail-app-specific': '9',
      'ringmail-headers': 'a%3D=b%26',
    });
  });

  test('keeps an answer readable whatever an application put into its properties', async () => {
    const headers = new Map(Array.from({ length: 64 }, (_, i) => [`${i}${'ä'.repeat(200)}`, 'ä'.repeat(250)]));
    const properties = { contentType: 'text/plain\r\nX-Evil: 1', label: '\u0000\r\n€'.repeat(60), headers };
    await api.node.call({ verb: 'send', destination: 'bags', body: new Uint8Array(1), properties });
    const answered = await api.ask('POST', '/v1/receive/bags', { headers: { Accept: 'application/octet-stream' } });
    expect(answered.headers).toMatchObject({ 'content-type': 'application/octet-stream', 'ringmail-omitted': 'headers' });
    expect(answered.headers['x-evil']).toBeUndefined();
    expect(decodeURIComponent(String(answered.headers['ringmail-label']))).toBe(properties.label);
    expect(decodeURIComponent(String(answered.headers['ringmail-content-type']))).toBe(properties.contentType);
  });

  test('says 204 when there is nothing', async () => {
    api.node.queues.set('bags', []);
    const answered = await api.ask('POST', '/v1/receive/bags');
    expect([answered.status, answered.text]).toEqual([204, '']);
  });

  test('waits as long as asked, and is answered by the next message', async () => {
    api.node.queues.set('bags', []);
    expect((await api.ask('POST', '/v1/receive/bags?waitMs=20')).status).toBe(204);
    const waiting = api.ask('POST', '/v1/receive/bags?waitMs=60000');
    await until(() => api.node.waiting.length === 1);
    await send('now', 'text/plain');
    expect((await waiting).json.message.bodyText).toBe('now');
  });

  test('a client that goes away takes its wait with it', async () => {
    api.node.queues.set('bags', []);
    const socket = await api.open();
    socket.write('POST /v1/receive/bags?waitMs=60000 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n');
    await until(() => api.node.waiting.length === 1);
    socket.destroy();
    await until(() => api.node.waiting.length === 0);
    await send('for somebody else', 'text/plain');
    expect((await api.ask('POST', '/v1/receive/bags')).json.deliveryCount).toBe(1);
  });

  test('a message leased for a client that is gone goes back at once', async () => {
    let answer = (): void => {};
    await send('x', 'text/plain');
    api.node.disk = new Promise((resolve) => {
      answer = resolve;
    });
    const socket = await api.open();
    socket.write('POST /v1/receive/bags HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n');
    await until(() => api.node.calls.at(-1)?.verb === 'receive');
    socket.destroy();
    await new Promise((resolve) => socket.once('close', resolve));
    await api.ask('GET', '/v1/version'); // the server has seen the end of the other connection before this one
    answer();
    await until(() => api.node.calls.at(-1)?.verb === 'nack');
    await until(() => api.node.leases.size === 0);
  });
});

describe('leases', () => {
  const receive = async (): Promise<string> => {
    await api.ask('POST', '/v1/send/bags', { body: 'x' });
    return (await api.ask('POST', '/v1/receive/bags')).json.lease;
  };

  test('are acknowledged on any connection', async () => {
    const answered = await api.ask('POST', `/v1/leases/${await receive()}/ack`);
    expect([answered.status, answered.text]).toEqual([204, '']);
    expect(api.node.leases.size).toBe(0);
    expect((await api.ask('POST', '/v1/receive/bags')).status).toBe(204);
  });

  test('are given back', async () => {
    expect((await api.ask('POST', `/v1/leases/${await receive()}/nack?delayMs=250`)).status).toBe(204);
    expect(api.node.calls.at(-1)).toEqual({ verb: 'nack', lease: '1.k3v9-1', delayMs: 250 });
    expect((await api.ask('POST', '/v1/receive/bags')).json.deliveryCount).toBe(2);
  });

  test('are given up, with the history in the dead letter', async () => {
    expect((await api.ask('POST', `/v1/leases/${await receive()}/dead-letter?reason=no%20such%20flight`)).status).toBe(204);
    for (const queue of ['$dead', '%24dead']) {
      const { lease, message } = (await api.ask('POST', `/v1/receive/${queue}`)).json;
      expect(message.previous).toBe('belt1:00c0ffee00c0ffee:belt1/bags:3:1');
      expect(message.history).toEqual([{ class: 'POISON', node: 'belt1', reason: 'no such flight' }]);
      await api.ask('POST', `/v1/leases/${lease}/nack`);
    }
  });
});

describe('state', () => {
  test('stats are the numbers of the node', async () => {
    const { status, json } = await api.ask('GET', '/v1/stats');
    expect([status, json.node, json.epoch]).toEqual([200, 'belt1', 1]);
  });

  test('health is green or red by its status, with causes', async () => {
    const green = await api.ask('GET', '/v1/health');
    expect([green.status, green.json]).toEqual([200, { status: 'green', causes: [] }]);
    api.node.health = { status: 'red', causes: [{ code: 'RING_FULL', detail: '96 of 100 bytes' }] };
    const red = await api.ask('GET', '/v1/health');
    expect([red.status, red.json]).toEqual([503, api.node.health]);
  });

  test('health is red when the node refuses, and when it does not answer', async () => {
    api.node.refusals.push(new RingmailError('NODE_STOPPED', { reason: 'closing' }));
    const refused = await api.ask('GET', '/v1/health');
    expect([refused.status, refused.json.causes[0].code]).toEqual([503, 'NOT_SERVING']);
    api.node.disk = new Promise(() => {});
    const late = await api.ask('GET', '/v1/health');
    expect([late.status, late.json.causes]).toEqual([503, [{ code: 'NOT_SERVING', detail: 'no answer within 2000 ms' }]]);
  });

  test('version is that of the package', async () => {
    const { json } = await api.ask('GET', '/v1/version');
    expect(json).toEqual({ name: 'ringmail', version: expect.stringMatching(/^\d+\.\d+\.\d+/), api: 1 });
  });
});

describe('refusals', () => {
  test.each<[number, RingmailError<ErrorCode>]>([
    [400, new RingmailError('NAME_INVALID', { name: 'Bags', reason: 'queue' })],
    [400, new RingmailError('PROPERTY_INVALID', { property: 'priority', reason: 'high' })],
    [400, new RingmailError('REQUEST_INVALID', { reason: 'so' })],
    [400, new RingmailError('CBOR_UNENCODABLE', { reason: 'deep' })],
    [404, new RingmailError('QUEUE_NOT_FOUND', { queue: 'bags' })],
    [404, new RingmailError('ROUTE_NOT_FOUND', { address: 'a/b' })],
    [410, new RingmailError('LEASE_UNKNOWN', { lease: 'l' })],
    [413, new RingmailError('MESSAGE_TOO_LARGE', { bytes: 2, bytesMax: 1 })],
    [500, new RingmailError('IN_DOUBT', { identity: 'i', epoch: 7, reason: 'EIO' })],
    [500, new RingmailError('RING_LOCKED', { path: 'p', owner: 'o' })],
    [503, new RingmailError('BUSY', { pending: 1, pendingMax: 1 })],
    [503, new RingmailError('NODE_STOPPED', { reason: 'closing' })],
    [507, new RingmailError('QUEUE_FULL', { queue: 'bags', bytesLimit: 1, bytesUsed: 1, bytesNeeded: 1 })],
  ])('%s is the status of %s', async (status, error) => {
    api.node.refusals.push(error);
    const answered = await api.ask('POST', '/v1/send/bags', { body: 'x' });
    expect(answered.status).toBe(status);
    expect(answered.json).toEqual({ code: error.code, message: error.message, details: error.details });
    expect(answered.headers['retry-after']).toBe(status === 503 || status === 507 ? '1' : undefined);
  });

  test.each<[string, string, number, string]>([
    ['GET', '/', 404, 'ENDPOINT_NOT_FOUND'],
    ['GET', '/v1', 404, 'ENDPOINT_NOT_FOUND'],
    ['GET', '/v2/stats', 404, 'ENDPOINT_NOT_FOUND'],
    ['POST', '/v1/send', 404, 'ENDPOINT_NOT_FOUND'],
    ['POST', '/v1/send/a/b/c', 404, 'ENDPOINT_NOT_FOUND'],
    ['GET', '/v1/stats/', 404, 'ENDPOINT_NOT_FOUND'],
    ['GET', '/v1/send/bags', 405, 'METHOD_NOT_ALLOWED'],
    ['DELETE', '/v1/stats', 405, 'METHOD_NOT_ALLOWED'],
    ['POST', '/v1/send/', 400, 'NAME_INVALID'],
    ['POST', '/v1/send/Bags', 400, 'NAME_INVALID'],
    ['POST', '/v1/send/..%2F..%2Fetc', 400, 'NAME_INVALID'],
    ['POST', '/v1/send/bags?priority=8', 400, 'PROPERTY_INVALID'],
    ['POST', '/v1/send/bags?priority=-1', 400, 'PROPERTY_INVALID'],
    ['POST', '/v1/send/bags?priority=1e0', 400, 'PROPERTY_INVALID'],
    ['POST', '/v1/send/bags?appSpecific=99999999999999999', 400, 'PROPERTY_INVALID'],
    ['POST', `/v1/send/bags?label=${'x'.repeat(251)}`, 400, 'PROPERTY_INVALID'],
    ['POST', '/v1/send/bags?lable=x', 400, 'REQUEST_INVALID'],
    ['POST', '/v1/send/bags?label=%zz', 400, 'REQUEST_INVALID'],
    ['POST', '/v1/send/bags?label=%ff', 400, 'REQUEST_INVALID'],
    ['POST', '/v1/send/bags?label=a&label=b', 400, 'REQUEST_INVALID'],
    ['POST', '/v1/send/%ff', 400, 'REQUEST_INVALID'],
    ['POST', '/v1/receive/absent', 404, 'QUEUE_NOT_FOUND'],
    ['POST', '/v1/receive/bags?waitMs=86400001', 400, 'REQUEST_INVALID'],
    ['POST', '/v1/receive/bags?waitMs=5s', 400, 'REQUEST_INVALID'],
    ['POST', '/v1/receive/bags?leaseMs=0', 400, 'REQUEST_INVALID'],
    ['POST', '/v1/receive/bags?bodyAs=hex', 400, 'REQUEST_INVALID'],
    ['POST', '/v1/receive/bags?__proto__=1', 400, 'REQUEST_INVALID'],
    ['POST', '/v1/leases/none/ack', 410, 'LEASE_UNKNOWN'],
    ['POST', '/v1/leases/none/nack', 410, 'LEASE_UNKNOWN'],
    ['POST', '/v1/leases/none/dead-letter', 410, 'LEASE_UNKNOWN'],
  ])('%s %s is refused with %s %s', async (method, path, status, code) => {
    const answered = await api.ask(method, path, method === 'POST' ? { body: 'x' } : {});
    expect([answered.status, answered.json.code]).toEqual([status, code]);
    expect(answered.headers.allow !== undefined).toBe(status === 405);
    expect(api.node.leases.size).toBe(0);
  });

  test('positions of adapters are not for others, not even within a transaction', async () => {
    const commit = (name: string) =>
      api.ask('POST', '/v1/transactions', { body: JSON.stringify({ steps: [{ do: 'position', name, valueBase64: 'AQ==' }] }) });
    const refused = await commit('ingress/belt');
    expect([refused.status, refused.json.code]).toEqual([403, 'ACCESS_DENIED']);
    expect(api.node.calls).toEqual([]);
    expect((await commit('trigger/mine')).status).toBe(200);
  });

  test('a body that is encoded is refused, not stored as something else', async () => {
    const answered = await api.ask('POST', '/v1/send/bags', { body: 'x', headers: { 'Content-Encoding': 'gzip' } });
    expect([answered.status, answered.json.code]).toEqual([400, 'REQUEST_INVALID']);
    expect(api.node.calls).toEqual([]);
  });
});

describe('closing', () => {
  test('tells those who wait that the node stops, and removes the socket', async () => {
    api.node.queues.set('bags', []);
    const waiting = api.ask('POST', '/v1/receive/bags?waitMs=60000');
    await until(() => api.node.waiting.length === 1);
    await Promise.all([api.close(), api.close()]);
    const answered = await waiting;
    expect([answered.status, answered.json.code, answered.headers.connection]).toEqual([503, 'NODE_STOPPED', 'close']);
    await expect(api.ask('GET', '/v1/version')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('lets a send finish', async () => {
    let write = (): void => {};
    api.node.disk = new Promise((resolve) => {
      write = resolve;
    });
    const sending = api.ask('POST', '/v1/send/bags', { body: 'x' });
    await until(() => api.node.calls.length === 1);
    const closing = api.close();
    write();
    expect((await sending).status).toBe(200);
    await closing;
  });
});
