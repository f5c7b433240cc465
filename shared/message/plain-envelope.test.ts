import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { equalBytes, fromHex, toHex } from '../bytes.ts';
import { crc32c } from '../crc32c.ts';
import { encodeCbor } from './cbor.ts';
import { decodeEnvelope, encodeEnvelope, withHop } from './envelope.ts';
import type { Message } from './message.ts';
import { PlainForm, withPlainHop } from './plain-envelope.ts';

const key = { origin: 'device', incarnation: '0011223344556677', destination: 'gateway/bags', priority: 3 };
const form = new PlainForm(key);
const messageOf = (number: number, body: Uint8Array, more: Partial<Message> = {}): Message => ({
  identity: { ...key, number },
  epoch: { counter: 4, random: 0xdeadbeef },
  priority: key.priority,
  body,
  ...more,
});
const whole = fc.oneof(fc.nat(30), fc.nat(300), fc.nat(70_000), fc.maxSafeNat());
const plain = fc.record({
  number: whole,
  counter: whole,
  random: whole,
  body: fc.oneof(fc.uint8Array({ maxLength: 30 }), fc.uint8Array({ minLength: 200, maxLength: 400 })),
  count: whole,
  elapsedMs: whole,
});

describe('what nearly every envelope is', () => {
  test('is read as the decoder reads it, and gets the hop part the encoder gives', () => {
    fc.assert(
      fc.property(plain, whole, whole, ({ number, counter, random, body, count, elapsedMs }, nextCount, nextMs) => {
        const envelope = encodeEnvelope(messageOf(number, body, { epoch: { counter, random } }), { count, elapsedMs });
        const read = form.read(envelope);
        expect(read).toMatchObject({ number, epoch: { counter, random }, hop: { count, elapsedMs } });
        const next = { count: nextCount, elapsedMs: nextMs };
        expect(toHex(withPlainHop(envelope, read?.hopOffset ?? 0, next))).toBe(toHex(withHop(envelope, () => next)));
      }),
    );
  });

  test('any byte changed: not read, or the decoder says the same of it', () => {
    const envelope = encodeEnvelope(messageOf(300, Uint8Array.of(1, 2, 3)), { count: 1, elapsedMs: 70_000 });
    for (let at = 0; at < envelope.length; at++) {
      for (const value of others(envelope[at])) {
        const changed = envelope.slice();
        changed[at] = value;
        agrees(changed);
      }
    }
  });

  test('any byte of the immutable part changed, with a checksum that holds: the same', () => {
    const envelope = encodeEnvelope(messageOf(300, new Uint8Array(40).fill(9)));
    const [start, end] = [4, envelope.length - 6];
    expect(envelope[start]).toBe(0xa8);
    for (let at = start; at < end; at++) {
      for (const value of others(envelope[at])) {
        const immutable = envelope.slice(start, end);
        immutable[at - start] = value;
        agrees(encodeCbor([1, immutable, crc32c(immutable, 0), new Map()]));
      }
    }
  });

  test.each([
    ['an optional key', encodeEnvelope(messageOf(1, Uint8Array.of(1), { label: 'x' }))],
    [
      'another stream',
      encodeEnvelope(messageOf(1, Uint8Array.of(1), { identity: { ...key, priority: 4, number: 1 }, priority: 4 })),
    ],
    ['a byte behind it', Uint8Array.of(...encodeEnvelope(messageOf(1, Uint8Array.of(1))), 0)],
    ['cut off', encodeEnvelope(messageOf(1, Uint8Array.of(1))).slice(0, -1)],
    ['nothing', new Uint8Array(0)],
    ['a number in a longer form', longer(encodeEnvelope(messageOf(1, Uint8Array.of(1))))],
  ])('%s is left to the decoder', (_name, envelope) => expect(form.read(envelope)).toBeUndefined());
});

function agrees(envelope: Uint8Array): void {
  const read = form.read(envelope);
  if (read === undefined) return;
  const { message, hop } = decodeEnvelope(envelope);
  expect(read).toMatchObject({ number: message.identity.number, epoch: message.epoch, hop });
  expect(message.identity).toEqual({ ...key, number: read.number });
  expect(
    equalBytes(
      withPlainHop(envelope, read.hopOffset, hop),
      withHop(envelope, () => hop),
    ),
  ).toBe(true);
}

/** Every bit changed, and the heads of numbers and lengths of every width. */
function others(byte = 0): number[] {
  const heads = [0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1f].map((low) => (byte & 0xe0) | low);
  return [...Array.from({ length: 8 }, (_, bit) => byte ^ (1 << bit)), ...heads];
}

/** Number 1 written as 18 01. */
function longer(envelope: Uint8Array): Uint8Array {
  const hex = toHex(envelope);
  const head = 4;
  const immutable = fromHex(hex.slice(2 * head, -12).replace('0401', '041801')) ?? new Uint8Array(0);
  return encodeCbor([1, immutable, crc32c(immutable, 0), new Map()]);
}
