import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32c } from '../crc32c.ts';
import { hasCode } from '../errors.ts';
import { encodeCbor } from './cbor.ts';
import { decodeEnvelope, encodeEnvelope, withHop } from './envelope.ts';
import type { Message } from './message.ts';

const identity = { origin: 'd', incarnation: '0102030405060708', destination: 'c/q', priority: 3, number: 5 };
const plain: Message = { identity, epoch: { counter: 1, random: 2 }, priority: 3, body: new Uint8Array([1, 2, 3]) };
const full: Message = {
  ...plain,
  contentType: 'text/plain',
  label: 'label',
  correlationId: 'id',
  responseQueue: 'c/r',
  appSpecific: 7,
  headers: new Map([['a', 'b']]),
  timeToReachQueueMs: 1000,
  timeToBeReceivedMs: 2000,
  previous: 'older',
  history: [{ class: 'POISON', node: 'c', reason: 'why' }],
  maybeDuplicate: 'maybe',
};

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return hasCode(error, 'ENVELOPE_INVALID') ? 'ENVELOPE_INVALID' : `other: ${String(error)}`;
  }
  return 'accepted';
}

describe('envelope', () => {
  test.each([
    ['only what every message has', plain],
    ['every property', full],
  ])('both ways: %s', (_name, message) => {
    expect(decodeEnvelope(encodeEnvelope(message))).toEqual({ message, hop: { count: 0, elapsedMs: 0 } });
  });

  test('bytes by hand: [1, immutable, crc, hop] with integer keys', () => {
    const immutable = Uint8Array.from(Buffer.from('a8006164014801020304050607080263632f7103030405050106020743010203', 'hex'));
    const head = Buffer.from(`840158${immutable.length.toString(16)}`, 'hex');
    const crc = Buffer.alloc(5);
    crc[0] = 0x1a;
    crc.writeUInt32BE(crc32c(immutable, 0), 1);
    const byHand = Uint8Array.from(Buffer.concat([head, immutable, crc, Buffer.from('a0', 'hex')]));
    expect(Buffer.from(encodeEnvelope(plain)).toString('hex')).toBe(Buffer.from(byHand).toString('hex'));
    expect(decodeEnvelope(byHand).message).toEqual(plain);
  });

  test('a key of a newer version survives a node that does not know it', () => {
    const newer: Message = { ...plain, unknown: new Map([[99, 'later']]) };
    const forwarded = withHop(encodeEnvelope(newer), (hop) => ({ count: hop.count + 1, elapsedMs: 5 }));
    expect(decodeEnvelope(forwarded)).toEqual({ message: newer, hop: { count: 1, elapsedMs: 5 } });
  });

  test('a hop changes nothing of the immutable part', () => {
    const before = encodeEnvelope(full);
    const after = withHop(before, () => ({ count: 3, elapsedMs: 70_000 }));
    const immutable = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex').slice(6, 200);
    expect(immutable(after)).toBe(immutable(before));
  });

  test('every flipped bit is found, or hits only the hop part', () => {
    const bytes = encodeEnvelope(full, { count: 1, elapsedMs: 9 });
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      if (refusal(() => decodeEnvelope(damaged)) === 'ENVELOPE_INVALID') continue;
      expect(decodeEnvelope(damaged).message).toEqual(full);
    }
  });

  test('every truncation is refused', () => {
    const bytes = encodeEnvelope(full);
    for (let length = 0; length < bytes.length; length++) {
      expect(refusal(() => decodeEnvelope(bytes.subarray(0, length)))).toBe('ENVELOPE_INVALID');
    }
  });

  test.each<[string, Map<number, unknown>]>([
    ['a body that is text', new Map([[7, 'text']])],
    ['a priority of 8', new Map([[3, 8]])],
    ['a short incarnation', new Map([[1, new Uint8Array(7)]])],
    ['a negative number', new Map([[4, -1]])],
    ['an unknown class in the history', new Map([[17, [['NOPE', 'n', 'r']]]])],
    ['headers that are no text', new Map([[13, new Map([['a', 1]])]])],
  ])('refused although its checksum is right: %s', (_name, change) => {
    const fields = new Map<number, unknown>([
      [0, 'd'],
      [1, new Uint8Array(8)],
      [2, 'c/q'],
      [3, 3],
      [4, 5],
      [5, 1],
      [6, 2],
      [7, new Uint8Array(1)],
      ...change,
    ]);
    const immutable = encodeCbor(fields as Map<number, never>);
    expect(refusal(() => decodeEnvelope(encodeCbor([1, immutable, crc32c(immutable, 0), new Map()])))).toBe('ENVELOPE_INVALID');
  });

  test('any bytes at all: refused with the code, never anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(['ENVELOPE_INVALID', 'accepted']).toContain(refusal(() => decodeEnvelope(bytes)));
      }),
    );
  });
});
