import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '../bytes.ts';
import { decodeEnvelope, encodeEnvelope, encodeNew, withHop } from './envelope.ts';
import type { Content, Message } from './message.ts';
import { UsualForm } from './usual-envelope.ts';

const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ maxLength: 300 }), fc.constant('lone \ud800'));
const whole = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(),
  fc.constantFrom(0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1),
);
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const identity = fc.record({
  origin: text,
  incarnation: fc.uint8Array({ minLength: 8, maxLength: 8 }).map(toHex),
  destination: text,
  priority: fc.nat(7),
  number: whole,
});
const optional = fc.record(
  {
    contentType: text,
    label: text,
    correlationId: text,
    responseQueue: text,
    appSpecific: uint32,
    timeToReachQueueMs: whole,
    timeToBeReceivedMs: whole,
    previous: text,
    maybeDuplicate: fc.constant('maybe' as const),
    deliverAfterMs: whole,
    transaction: fc.record({ id: text, index: fc.nat(), count: whole }),
    acknowledge: fc.constantFrom('reach' as const, 'receive' as const, 'full' as const),
    deadLetter: fc.constant('off' as const),
    journal: fc.constant('on' as const),
  },
  { requiredKeys: [] },
);
const messages: fc.Arbitrary<Message> = fc
  .record({ identity, counter: uint32, random: uint32, body: fc.uint8Array({ maxLength: 400 }), optional })
  .map(({ identity, counter, random, body, optional }) => {
    return { ...optional, identity, priority: identity.priority, epoch: { counter, random }, body };
  });

/** As intake has it: who it is, and what it says, apart. */
function written(form: UsualForm, message: Message): Uint8Array | undefined {
  const { identity, epoch, priority: _priority, body, history, previous, maybeDuplicate, transaction, ...properties } = message;
  const { number, ...key } = identity;
  const content: Content = {
    body,
    properties,
    ...(history && { history }),
    ...(previous !== undefined && { previous }),
    ...(maybeDuplicate && { maybeDuplicate }),
    ...(transaction && { transaction }),
  };
  return form.write(key, { number, epoch }, content);
}

/** With another hop part an envelope is made the long way, from values. */
function theLongWay(message: Message): Uint8Array {
  return withHop(encodeEnvelope(message, { count: 1, elapsedMs: 0 }), () => ({ count: 0, elapsedMs: 0 }));
}

test('the bytes are those that the long way makes', () => {
  const form = new UsualForm();
  fc.assert(
    fc.property(messages, (message) => {
      expect(written(form, message)).toEqual(theLongWay(message));
    }),
  );
});

test('a checksum that is a small number is written in its shortest form', () => {
  const identity = { origin: 'd', incarnation: '0102030405060708', destination: 'd/q', priority: 3, number: 1 };
  const of = (body: Uint8Array) => ({ identity, priority: 3, epoch: { counter: 1, random: 2 }, body });
  const small = of(Uint8Array.of(0x6b, 0xaa, 0xf6, 0xf6)); // found by trying
  const form = new UsualForm();
  expect(written(form, small)?.length).toBe((written(form, of(new Uint8Array(4)))?.length ?? 0) - 2);
  expect(written(form, small)).toEqual(theLongWay(small));
});

test.each<[string, Partial<Message>]>([
  ['headers', { headers: new Map([['a', 'b']]) }],
  ['a history', { history: [{ class: 'POISON', node: 'c', reason: 'why' }] }],
  ['keys of a newer version', { unknown: new Map([[99, 'later']]) }],
  ['a number that is none', { deliverAfterMs: 0.5 }],
  ['an incarnation that is no hex', { identity: { origin: 'd', incarnation: 'x', destination: 'd/q', priority: 3, number: 1 } }],
])('left to the long way: %s', (_name, change) => {
  const identity = { origin: 'd', incarnation: '0102030405060708', destination: 'd/q', priority: 3, number: 1 };
  const message = { identity, priority: 3, epoch: { counter: 1, random: 2 }, body: new Uint8Array(3), ...change };
  expect(written(new UsualForm(), message)).toBeUndefined();
});

const KEY = { origin: 'd', incarnation: '0102030405060708', destination: 'd/q', priority: 3 };
const EPOCH = { counter: 1, random: 2 };

test('one message leaves nothing behind for the next', () => {
  const form = new UsualForm();
  const content = { body: new Uint8Array(3), properties: {} };
  const first = form.write(KEY, { number: 1, epoch: EPOCH }, content)?.slice();
  const long = { body: new Uint8Array(100_000), properties: { label: 'x'.repeat(250), contentType: 'text/plain' } };
  form.write(KEY, { number: 2, epoch: EPOCH }, long);
  expect(form.write(KEY, { number: 1, epoch: EPOCH }, content)).toEqual(first);
});

test('what is written stays as it is while others are written beside it', () => {
  const form = new UsualForm();
  const contents = Array.from({ length: 200 }, (_, i) => ({ body: new Uint8Array(5 * i).fill(i), properties: {} }));
  const envelopes = contents.map((content, i) => form.write(KEY, { number: i + 1, epoch: EPOCH }, content));
  for (const [i, { body }] of contents.entries()) {
    const identity = { ...KEY, number: i + 1 };
    expect(decodeEnvelope(envelopes[i] ?? new Uint8Array(0)).message).toEqual({ identity, epoch: EPOCH, priority: 3, body });
  }
});

test('what was read from another envelope is written as it was read', () => {
  const read = { label: 'x', previous: 'd:0102030405060708:d/q:3:9', maybeDuplicate: 'maybe' as const };
  const envelope = encodeNew(KEY, { number: 1, epoch: EPOCH }, { body: new Uint8Array(1), properties: read });
  expect(decodeEnvelope(envelope).message).toMatchObject(read);
});
