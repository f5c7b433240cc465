import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeEnvelope } from '../message/envelope.ts';
import type { Message } from '../message/message.ts';
import { PlainForm } from '../message/plain-envelope.ts';
import { type CompactMessage, Compactor, checkOf, compactPayload, Rebuilder } from './compact.ts';
import type { MixedMessage } from './data-packet.ts';

const self = { name: 'device', incarnation: '0011223344556677' };
const key = { origin: self.name, incarnation: self.incarnation, destination: 'gateway/bags', priority: 3 };
const epoch = { counter: 4, random: 0xdeadbeef };
const body = Uint8Array.of(1, 2, 3);

function messageOf(number: number, more: Partial<Message> = {}): Message {
  return { identity: { ...key, number }, epoch, priority: key.priority, body, ...more };
}
const compactor = new Compactor(self, epoch);
const rebuilder = new Rebuilder(key, epoch);
const compact = (number: number, envelope: Uint8Array) => compactor.compact(key, { number, envelope });

function compacted(number: number, more: Partial<Message> = {}): CompactMessage {
  const found = compact(number, encodeEnvelope(messageOf(number, more)));
  if (found === undefined) throw new Error('not compact');
  return found;
}
const whole = ({ body: content, crc }: CompactMessage) => ({ body: content, check: checkOf([crc]) });
const checkOfAll = (messages: readonly CompactMessage[]) => checkOf(messages.map(({ crc }) => crc));
const word = (message: CompactMessage): MixedMessage => ({ form: 'compact', bytes: message.body });

describe('a message that says nothing else', () => {
  const u32 = fc.oneof(fc.nat(30), fc.nat(300), fc.nat(70_000), fc.integer({ min: 0, max: 0xffff_ffff }));
  const bodies = fc.oneof(fc.uint8Array({ maxLength: 30 }), fc.uint8Array({ minLength: 200, maxLength: 400 }));
  const numbers = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 0xffff_ffff_ffff }));

  test('is rebuilt byte for byte', () => {
    fc.assert(
      fc.property(numbers, u32, u32, bodies, (number, counter, random, content) => {
        const told = { counter, random };
        const envelope = encodeEnvelope(messageOf(number, { epoch: told, body: content }));
        const found = new Compactor(self, told).compact(key, { number, envelope });
        if (found === undefined) throw new Error('not compact');
        const there = new Rebuilder(key, told);
        const payload = compactPayload(found);
        expect(payload).toHaveLength(3 + content.length);
        // What it says of the envelope is what is read in it.
        const rebuilt = { envelope, plain: new PlainForm(key).read(envelope) };
        expect(there.whole(number, whole(found))).toEqual(rebuilt);
        expect(there.together(number, payload)).toEqual(envelope);
        expect(there.batch(number, [word(found)], checkOf([found.crc]))).toEqual([rebuilt]);
        const bytes = there.bytesOf(number, payload, payload.length);
        expect(bytes - envelope.length).toBeGreaterThanOrEqual(0);
        expect(bytes - envelope.length).toBeLessThanOrEqual(4);
      }),
    );
  });

  test('goes beside full ones in a batch', () => {
    const full = encodeEnvelope(messageOf(2, { label: 'x' }));
    const [first, third] = [compacted(1), compacted(3)];
    const messages: MixedMessage[] = [word(first), { form: 'full', bytes: full }, word(third)];
    const envelopes = [encodeEnvelope(messageOf(1)), full, encodeEnvelope(messageOf(3))];
    const rebuilt = rebuilder.batch(1, messages, checkOfAll([first, third]));
    expect(rebuilt?.map(({ envelope }) => envelope)).toEqual(envelopes);
    expect(rebuilt?.map(({ plain }) => plain?.number)).toEqual([1, undefined, 3]);
  });
});

const optional: Partial<Message>[] = [
  { contentType: 'a' },
  { label: '' },
  { correlationId: 'a' },
  { responseQueue: 'a/b' },
  { appSpecific: 0 },
  { headers: new Map() },
  { timeToReachQueueMs: 1 },
  { timeToBeReceivedMs: 1 },
  { previous: 'a' },
  { history: [] },
  { maybeDuplicate: 'maybe' },
  { deliverAfterMs: 1 },
  { unknown: new Map([[20, 1]]) },
];

describe('in full goes', () => {
  test.each(optional)('one with %j', (more) => expect(compact(1, encodeEnvelope(messageOf(1, more)))).toBeUndefined());

  test.each([
    { count: 1, elapsedMs: 0 },
    { count: 0, elapsedMs: 1 },
    { count: 1, elapsedMs: 1 },
  ])('one that was passed on: %j', (hop) => expect(compact(1, encodeEnvelope(messageOf(1), hop))).toBeUndefined());

  test('one whose empty hop part is written otherwise', () => {
    const envelope = encodeEnvelope(messageOf(1));
    expect(compact(1, Uint8Array.of(...envelope.slice(0, -1), 0xa1, 0, 0))).toBeUndefined();
  });

  test.each([{ counter: 3 }, { random: 1 }])('one of another epoch: %j', (other) => {
    expect(compact(1, encodeEnvelope(messageOf(1, { epoch: { ...epoch, ...other } })))).toBeUndefined();
  });

  test.each([{ origin: 'other' }, { incarnation: '7766554433221100' }])('one of a stream that begins elsewhere: %j', (other) => {
    const there = { ...key, ...other };
    const envelope = encodeEnvelope({ ...messageOf(1), identity: { ...there, number: 1 } });
    expect(compactor.compact(there, { number: 1, envelope })).toBeUndefined();
  });

  test('one whose checksum is not that of its bytes', () => {
    const envelope = encodeEnvelope(messageOf(1));
    expect(compact(1, envelope)).toBeDefined();
    for (let at = 2; at < envelope.length; at++) {
      const damaged = envelope.map((byte, i) => (i === at ? byte ^ 1 : byte));
      expect(compact(1, damaged)).toBeUndefined();
    }
  });

  test('one under another number', () => expect(compact(2, encodeEnvelope(messageOf(1)))).toBeUndefined());
});

describe('refused', () => {
  test('whole: another number, epoch, stream, body or check', () => {
    const one = whole(compacted(1));
    expect(rebuilder.whole(1, one)).toBeDefined();
    expect(rebuilder.whole(2, one)).toBeUndefined();
    expect(rebuilder.whole(1 + 65_536, one)).toBeUndefined();
    expect(new Rebuilder(key, { ...epoch, counter: 5 }).whole(1, one)).toBeUndefined();
    expect(new Rebuilder({ ...key, priority: 4 }, epoch).whole(1, one)).toBeUndefined();
    expect(rebuilder.whole(1, { ...one, body: one.body.subarray(1) })).toBeUndefined();
    for (let bit = 0; bit < 16; bit++) expect(rebuilder.whole(1, { ...one, check: one.check ^ (1 << bit) })).toBeUndefined();
  });

  test('in parts: the same, any byte that is not right, and what is cut off', () => {
    const payload = compactPayload(compacted(1));
    expect(rebuilder.together(2, payload)).toBeUndefined();
    for (let i = 1; i < payload.length; i++) {
      const damaged = payload.map((byte, at) => (at === i ? byte ^ 1 : byte));
      expect(rebuilder.together(1, damaged)).toBeUndefined();
      expect(rebuilder.together(1, payload.subarray(0, i))).toBeUndefined();
    }
  });

  test('a batch of messages of one length that are all wrong in the same way', () => {
    for (const count of [2, 3, 4, 16, 32, 64, 256]) {
      const messages = Array.from({ length: count }, (_, i) => compacted(256 + i));
      for (const other of [{ random: epoch.random ^ 1 }, { random: 0x80000000 }, { counter: epoch.counter ^ 1 }]) {
        const there = new Rebuilder(key, { ...epoch, ...other });
        expect(there.batch(256, messages.map(word), checkOfAll(messages))).toBeUndefined();
      }
    }
  });

  test('of 2,000 messages of another epoch at most a handful passes', () => {
    const other = new Rebuilder(key, { ...epoch, random: 1 });
    const passed = Array.from({ length: 2_000 }, (_, i) => other.whole(i + 1, whole(compacted(i + 1)))).filter(
      (one) => one !== undefined,
    );
    expect(passed.length).toBeLessThan(3);
  });

  test('a batch: a check that is not theirs, and more than there is credit for', () => {
    const two = [compacted(1), compacted(2)];
    expect(rebuilder.batch(1, two.map(word), checkOfAll(two))).toHaveLength(2);
    expect(rebuilder.batch(1, two.map(word), checkOfAll(two) ^ 1)).toBeUndefined();
    expect(rebuilder.batch(2, two.map(word), checkOfAll(two))).toBeUndefined();
    const unlike = [compacted(1, { body: Uint8Array.of(4) }), compacted(2)];
    expect(rebuilder.batch(1, unlike.map(word), checkOfAll(unlike))).toHaveLength(2);
    expect(rebuilder.batch(1, unlike.map(word).reverse(), checkOfAll(unlike))).toBeUndefined();
    const many = Array.from({ length: 5_000 }, (_, i) => compacted(i + 1, { body: new Uint8Array(0) }));
    expect(rebuilder.batch(1, many.map(word), checkOfAll(many))).toBeUndefined();
  });
});
