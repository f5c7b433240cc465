/** Every verb of a node through the API: it arrives as it was asked, and what the node answers comes back. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Call } from '../../core/calls.ts';
import { hasCode, RingmailError } from '../../errors.ts';
import { ApiFixture } from './api-fixture.ts';
import { ApiClient } from './client.ts';
import { FakeNode } from './fake-node.ts';

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
const EVERYTHING = {
  priority: 6,
  contentType: 'a/b',
  label: 'L ä',
  correlationId: 'c-1',
  responseQueue: 'belt1/replies',
  appSpecific: 0,
  headers: new Map([['Löck', '+ &']]),
  timeToReachQueueMs: 1,
  timeToBeReceivedMs: 2,
  deliverAfterMs: 3,
  acknowledge: 'full' as const,
  deadLetter: 'off' as const,
  journal: 'on' as const,
};
const IDENTITY = 'belt1:00c0ffee00c0ffee:belt1/bags:6:1';
/** Lease of the first message of `bags`, in the state that `prepare` makes. */
const LEASE = '1.k3v9-1';
const HANDLE = '1.h7q2-1';

/** Some of everything. */
async function prepare(node: FakeNode): Promise<void> {
  for (const label of ['one', 'two', 'three']) {
    await node.call({ verb: 'send', destination: 'bags', body: BODY, properties: { ...EVERYTHING, label } });
  }
  await node.call({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1000 });
  await node.call({ verb: 'open', queue: 'bags', access: 'receive', share: 'all', idleMs: 1000 });
  await node.call({ verb: 'createQueue', queue: 'empty', options: {} });
  const by = { producer: 'known', number: 1 };
  await node.call({ verb: 'commit', steps: [{ do: 'position', name: 'trigger/t', value: BODY }], by });
}

/** At least one call for each verb; the compiler sees to that. */
const CALLS: { readonly [V in Call['verb']]: readonly Extract<Call, { verb: V }>[] } = {
  send: [
    { verb: 'send', destination: 'bags', body: BODY, properties: EVERYTHING },
    { verb: 'send', destination: 'central/scans', body: new Uint8Array(0), properties: {}, waitMs: 0 },
    { verb: 'send', destination: 'bags', body: BODY, properties: {}, sendKey: 'k 1', delivery: 'express' },
    { verb: 'send', destination: 'bags', body: BODY, properties: {}, by: { producer: 'p', number: 1 } },
  ],
  commit: [
    {
      verb: 'commit',
      by: { producer: 'q', number: 1 },
      steps: [
        { do: 'send', destination: 'bags', body: BODY, properties: EVERYTHING },
        { do: 'send', destination: 'central/scans', body: new Uint8Array(0), properties: {} },
        { do: 'move', lease: LEASE, to: 'bags;later' },
        { do: 'position', name: 'trigger/t', value: new Uint8Array(0) },
      ],
    },
    { verb: 'commit', steps: [{ do: 'ack', lease: LEASE }] },
    { verb: 'commit', steps: [{ do: 'deadLetter', lease: LEASE, reason: 'r ä' }] },
  ],
  receive: [
    { verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 5000 },
    { verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1, select: { by: 'last' }, handle: HANDLE },
    { verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1, select: { by: 'lookupId', lookupId: 3 } },
    { verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1, select: { by: 'after', place: { priority: 6, lookupId: 2 } } },
    { verb: 'receive', queue: 'empty', waitMs: 5, leaseMs: 1 },
  ],
  peek: [
    { verb: 'peek', queue: 'bags', waitMs: 0, bodies: 'with' },
    { verb: 'peek', queue: 'bags', waitMs: 0, bodies: 'without', select: { by: 'correlationId', correlationId: 'c-1' } },
    { verb: 'peek', queue: 'bags', waitMs: 0, bodies: 'with', select: { by: 'before', place: { priority: 0, lookupId: 0 } } },
    { verb: 'peek', queue: 'bags', waitMs: 0, bodies: 'with', select: { by: 'arrivedAfter', lookupId: 0 } },
    { verb: 'peek', queue: 'bags', waitMs: 0, bodies: 'with', select: { by: 'identity', identity: IDENTITY.replace(/1$/, '2') } },
    { verb: 'peek', queue: 'empty', waitMs: 0, bodies: 'with', handle: HANDLE },
  ],
  ack: [{ verb: 'ack', lease: LEASE }],
  nack: [
    { verb: 'nack', lease: LEASE },
    { verb: 'nack', lease: LEASE, delayMs: 0 },
  ],
  deadLetter: [{ verb: 'deadLetter', lease: LEASE, reason: 'no such flight?' }],
  extend: [{ verb: 'extend', lease: LEASE, leaseMs: 7 }],
  createQueue: [
    { verb: 'createQueue', queue: 'gates', options: {} },
    { verb: 'createQueue', queue: 'gates', options: { bytesLimit: 9, ordering: 'strict', retryFactor: 1.5, label: 'ä' } },
  ],
  setQueue: [{ verb: 'setQueue', queue: 'bags', changes: { state: 'paused', deliveriesMax: 3 } }],
  deleteQueue: [{ verb: 'deleteQueue', queue: 'bags' }],
  queues: [{ verb: 'queues' }],
  purge: [{ verb: 'purge', queue: 'bags' }],
  move: [{ verb: 'move', queue: 'bags', lookupId: 2, to: 'bags;later' }],
  redrive: [
    { verb: 'redrive', queue: 'bags', lookupId: 2 },
    { verb: 'redrive', queue: 'bags', lookupId: 2, to: 'central/scans' },
  ],
  open: [{ verb: 'open', queue: 'empty', access: 'peek', share: 'alone', idleMs: 5 }],
  close: [{ verb: 'close', handle: HANDLE }],
  outcome: [
    { verb: 'outcome', identity: IDENTITY, epoch: 1 },
    { verb: 'outcome', identity: 'belt1:00c0ffee00c0ffee:belt1/bags:6:99' },
  ],
  probe: [
    { verb: 'probe', about: 'node', node: 'central', waitMs: 0 },
    { verb: 'probe', about: 'message', identity: IDENTITY, waitMs: 1 },
  ],
  ledger: [{ verb: 'ledger', node: 'belt1' }],
  retireProducer: [{ verb: 'retireProducer', producer: 'known' }],
  holes: [{ verb: 'holes' }],
  closeHoles: [{ verb: 'closeHoles', of: 'bags' }],
  position: [
    { verb: 'position', name: 'trigger/t' },
    { verb: 'position', name: 'trigger/none' },
  ],
  stats: [{ verb: 'stats' }],
};

describe('the client asks as a program in the node’s process does, and is answered so', () => {
  test.each(
    Object.values(CALLS)
      .flat()
      .map((call) => [call.verb, call] as const),
  )('%s %#', async (_verb, call) => {
    await prepare(api.node);
    const answered = await client.call(call);
    expect(api.node.calls.at(-1)).toEqual(call);
    const direct = new FakeNode();
    await prepare(direct);
    expect(answered).toEqual(await direct.call(call));
  });
});

describe('every refusal of a node arrives with its code and details', () => {
  test.each(Object.values(CALLS).map(([call]) => [call?.verb ?? '', call as Call] as const))('%s', async (_verb, call) => {
    const details = { queue: 'bags', needed: 'n', reason: 'r' };
    await prepare(api.node);
    api.node.refusals.push(new RingmailError('ACCESS_MODE_INVALID', details));
    await expect(client.call(call)).rejects.toMatchObject({ code: 'ACCESS_MODE_INVALID', details });
  });
});

describe('a transaction', () => {
  const ask = (json: unknown) =>
    api.ask('POST', '/v1/transactions', { body: typeof json === 'string' ? json : JSON.stringify(json) });

  test('takes bodies as JSON, as text and as bytes, with the type they have by themselves', async () => {
    const send = { do: 'send', destination: 'bags' };
    await ask({
      steps: [
        { ...send, body: { a: [1, null] } },
        { ...send, body: null },
        { ...send, bodyText: 'ä' },
        { ...send, bodyBase64: 'AAH/' },
        { ...send, bodyText: '<a/>', contentType: 'application/xml' },
        send,
      ],
    });
    const [call] = api.node.calls;
    const sends = call?.verb === 'commit' ? call.steps.flatMap((step) => (step.do === 'send' ? [step] : [])) : [];
    expect(sends.map(({ body, properties }) => [Buffer.from(body).toString('latin1'), properties.contentType])).toEqual([
      ['{"a":[1,null]}', 'application/json'],
      ['null', 'application/json'],
      ['Ã¤', 'text/plain'],
      ['\x00\x01\xff', undefined],
      ['<a/>', 'application/xml'],
      ['', undefined],
    ]);
  });

  test.each<[string, unknown]>([
    ['no JSON', '{'],
    ['nested beyond all measure', `{"steps":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    ['half a surrogate pair', '{"steps":[{"do":"send","destination":"bags","label":"\\ud800"}]}'],
    ['a list', []],
    ['no steps', {}],
    ['steps that are no list', { steps: {} }],
    ['another member', { steps: [], andThen: 1 }],
    ['a step that is none', { steps: ['ack'] }],
    ['a step without a verb', { steps: [{}] }],
    ['an unknown verb', { steps: [{ do: 'purge', queue: 'bags' }] }],
    ['a misspelt member', { steps: [{ do: 'ack', leese: 'l', lease: 'l' }] }],
    ['no lease', { steps: [{ do: 'ack' }] }],
    ['two bodies', { steps: [{ do: 'send', destination: 'bags', bodyText: '', bodyBase64: '' }] }],
    ['a wait', { steps: [{ do: 'send', destination: 'bags', waitMs: 1 }] }],
  ])('%s is refused, and nothing is done', async (_name, json) => {
    const answered = await ask(json);
    expect([answered.status, answered.json.code]).toEqual([400, 'REQUEST_INVALID']);
    expect(api.node.calls).toEqual([]);
  });

  test.each<[string, object]>([
    ['a number as text', { priority: '3' }],
    ['a text as number', { label: 3 }],
    ['a fraction', { appSpecific: 1.5 }],
    ['a negative number', { deliverAfterMs: -1 }],
    ['headers as a list', { headers: ['a'] }],
    ['headers that are no text', { headers: { a: 1 } }],
    ['bytes that are no base64', { bodyBase64: 'a' }],
  ])('%s is no property', async (_name, member) => {
    const answered = await ask({ steps: [{ do: 'send', destination: 'bags', ...member }] });
    expect([answered.status, answered.json.code]).toEqual([400, 'PROPERTY_INVALID']);
    expect(api.node.calls).toEqual([]);
  });

  test('repeated under its number is answered as the first time, and done once', async () => {
    const steps = [{ do: 'send', destination: 'bags', body: BODY, properties: {} }] as const;
    const by = { producer: 'p', number: 1 };
    const first = await client.commit(steps, { by });
    expect(await client.commit(steps, { by })).toEqual(first);
    expect(api.node.queues.get('bags')).toHaveLength(1);
    const error = await client.commit(steps, { by: { producer: 'p', number: 3 } }).catch((reason: unknown) => reason);
    expect(hasCode(error, 'PRODUCER_NUMBER_INVALID') && error.details).toEqual({ producer: 'p', number: 3, expected: 2 });
  });
});

describe('what selects a message', () => {
  test.each([
    'by=middle',
    'after=3',
    'after=8.1',
    'before=3.x',
    'lookupId=-1',
    'lookupId=1&by=last',
    'after=3.1&before=3.2',
    'handle=a&handle=b',
  ])('%s is refused', async (query) => {
    for (const [method, path] of [
      ['GET', '/v1/peek/bags'],
      ['POST', '/v1/receive/bags'],
    ] as const) {
      expect((await api.ask(method, `${path}?${query}`)).json.code).toBe('REQUEST_INVALID');
    }
    expect(api.node.calls).toEqual([]);
  });

  test('by arrival is for looking alone', async () => {
    expect((await api.ask('POST', '/v1/receive/bags?arrivedAfter=1')).json.code).toBe('REQUEST_INVALID');
  });

  test('that is named and not there is told so; a place without a neighbour is empty', async () => {
    await client.send('bags', BODY);
    expect((await api.ask('GET', '/v1/peek/bags?lookupId=9')).json.code).toBe('MESSAGE_NOT_FOUND');
    expect((await api.ask('GET', '/v1/peek/bags?after=3.1')).status).toBe(204);
  });
});

describe('a look', () => {
  test('without the body has neither body nor a stand-in for it, and says how long it is', async () => {
    await client.send('bags', BODY, { label: 'L' });
    const { json } = await api.ask('GET', '/v1/peek/bags?bodies=without');
    expect(Object.keys(json.message)).toEqual(['identity', 'epoch', 'priority', 'label']);
    expect(json.bodyBytes).toBe(256);
  });

  test('as raw bytes has a place instead of a lease', async () => {
    await client.send('bags', BODY, { journal: 'on', acknowledge: 'reach', deadLetter: 'off' });
    const answered = await api.ask('GET', '/v1/peek/bags', { headers: { Accept: 'application/octet-stream' } });
    expect(answered.bytes).toEqual(BODY);
    expect(answered.headers).toMatchObject({
      'ringmail-queue': 'bags',
      'ringmail-body-bytes': '256',
      'ringmail-lookup-id': '1',
      'ringmail-move-count': '0',
      'ringmail-delivery-count': '0',
      'ringmail-journal': 'on',
      'ringmail-acknowledge': 'reach',
      'ringmail-dead-letter': 'off',
    });
    expect(answered.headers['ringmail-lease']).toBeUndefined();
  });

  test('at what a transaction sent says which one', async () => {
    await client.commit([{ do: 'send', destination: 'bags', body: BODY, properties: {} }]);
    expect((await api.ask('GET', '/v1/peek/bags')).json.message.transaction).toEqual({ id: '1', index: 0, count: 1 });
    const raw = await api.ask('GET', '/v1/peek/bags', { headers: { Accept: 'application/octet-stream' } });
    expect(raw.headers['ringmail-transaction']).toBe('1 0 1');
  });
});

describe('properties of a queue', () => {
  test.each<[string, string, string]>([
    ['no JSON', 'x', 'REQUEST_INVALID'],
    ['a list', '[]', 'REQUEST_INVALID'],
    ['an unknown name', '{"bytesLimt":1}', 'REQUEST_INVALID'],
    ['a text for a number', '{"bytesLimit":"1"}', 'PROPERTY_INVALID'],
    ['a number for a text', '{"state":1}', 'PROPERTY_INVALID'],
  ])('%s is refused, and nothing is changed', async (_name, body, code) => {
    for (const method of ['PUT', 'PATCH']) {
      const answered = await api.ask(method, '/v1/queues/bags', { body });
      expect([answered.status, answered.json.code]).toEqual([400, code]);
    }
    expect(api.node.calls).toEqual([]);
  });

  test('of one queue are those in the list', async () => {
    await client.createQueue('bags', { label: 'L' });
    const [listed] = await client.queues();
    expect(await client.queue('bags')).toEqual(listed);
    await expect(client.queue('none')).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
  });
});

test('a method that a path does not have is told which it has', async () => {
  const answered = await api.ask('POST', '/v1/queues/bags');
  expect([answered.status, answered.headers.allow]).toEqual([405, 'GET, PUT, PATCH, DELETE']);
});
