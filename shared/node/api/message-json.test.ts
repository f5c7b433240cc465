import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Received } from '../../core/calls.ts';
import { parseReceived, receivedJson } from './message-json.ts';

const RECEIVED: Received = {
  lease: '1.k3v9-1',
  leaseMs: 60_000,
  deliveryCount: 2,
  moveCount: 0,
  lookupId: 0,
  hop: { count: 2, elapsedMs: 1500 },
  message: {
    identity: { origin: 'belt1', incarnation: '00c0ffee00c0ffee', destination: 'central/bags', priority: 7, number: 42 },
    epoch: { counter: 3, random: 4_294_967_295 },
    priority: 7,
    body: Uint8Array.from({ length: 256 }, (_, i) => i),
    contentType: 'application/octet-stream',
    label: 'Gate ä "1"\n',
    correlationId: 'c',
    responseQueue: 'belt1/replies',
    appSpecific: 9,
    headers: new Map([
      ['__proto__', 'harmless'],
      ['flight', 'BA123'],
    ]),
    timeToReachQueueMs: 1,
    timeToBeReceivedMs: Number.MAX_SAFE_INTEGER,
    previous: 'belt1:00c0ffee00c0ffee:central/bags:7:41',
    history: [{ class: 'POISON', node: 'central', reason: 'no such flight' }],
    maybeDuplicate: 'maybe',
  },
};

test('a message comes back from its JSON with everything it had', () => {
  expect(parseReceived(JSON.parse(receivedJson(RECEIVED, 'base64')))).toEqual(RECEIVED);
});

test('any body comes back byte for byte, and any message is one line', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 64 }),
      fc.constantFrom('application/json', 'text/plain', 'a/b'),
      (body, contentType) => {
        const received = { ...RECEIVED, message: { ...RECEIVED.message, body, contentType } };
        expect(parseReceived(JSON.parse(receivedJson(received, 'base64')))?.message.body).toEqual(body);
        expect(receivedJson(received, 'auto')).not.toContain('\n');
      },
    ),
  );
});

test('shows a JSON body as it was written, every digit of it', () => {
  const body = new Uint8Array(Buffer.from('{"n": 12345678901234567890}'));
  const received = { ...RECEIVED, message: { ...RECEIVED.message, body, contentType: 'application/json' } };
  expect(receivedJson(received, 'auto')).toContain('"body":{"n": 12345678901234567890}}}');
});

test('keys of a newer version are not shown', () => {
  const received = { ...RECEIVED, message: { ...RECEIVED.message, unknown: new Map([[99, 'x']]) } };
  expect(JSON.parse(receivedJson(received, 'auto')).message.unknown).toBeUndefined();
});

describe('what is not a received message is none', () => {
  const whole = (): Record<string, unknown> & { message: Record<string, unknown> } =>
    JSON.parse(receivedJson(RECEIVED, 'base64'));

  test.each([
    undefined,
    null,
    [],
    'x',
    {},
    { ...whole(), lease: 1 },
    { ...whole(), hops: -1 },
    { ...whole(), message: undefined },
    ...['identity', 'epoch', 'priority', 'bodyBase64'].map((key) => ({
      ...whole(),
      message: { ...whole().message, [key]: undefined },
    })),
    { ...whole(), message: { ...whole().message, identity: 'belt1:1' } },
  ])('%#', (value) => expect(parseReceived(value)).toBeUndefined());
});
