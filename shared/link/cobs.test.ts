import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../bytes.ts';
import { cobsBytesMax, decodeCobs, encodeCobs, frameForLine } from './cobs.ts';

const bytes = (hex: string) => fromHex(hex.replaceAll(' ', '')) ?? new Uint8Array(0);
const rising = (first: number, last: number) => toHex(Uint8Array.from({ length: last - first + 1 }, (_, i) => first + i));

describe('known pairs', () => {
  test.each([
    // The example of the paper, figure 3: the first bytes of an IP packet.
    ['4500002c4c79000040064f37', '02450104 2c4c7901 0540064f 37'],
    ['', '01'],
    ['00', '0101'],
    ['0000', '010101'],
    ['001100', '01021101'],
    ['11220033', '0311220233'],
    ['11223344', '0511223344'],
    ['11000000', '0211010101'],
    [rising(1, 254), `ff${rising(1, 254)}`],
    [`00${rising(1, 254)}`, `01ff${rising(1, 254)}`],
    [rising(1, 255), `ff${rising(1, 254)}02ff`],
    [`${rising(2, 255)}00`, `ff${rising(2, 255)}0101`],
    [`${rising(3, 255)}0001`, `fe${rising(3, 255)}0201`],
  ])('%s', (plain, stuffed) => {
    expect(toHex(encodeCobs(bytes(plain)))).toBe(stuffed.replaceAll(' ', ''));
    expect(decodeCobs(bytes(stuffed))).toEqual(bytes(plain));
  });
});

test.each([
  ['nothing', ''],
  ['a zero', '00'],
  ['a zero as a code', '0211 00'],
  ['a zero in a block', '0411 0033'],
  ['a block cut off', '0511 2233'],
  ['a code without its block', '021103'],
  ['a full block cut off', `ff${rising(1, 253)}`],
])('refuses %s', (_name, hex) => expect(decodeCobs(bytes(hex))).toBeUndefined());

test('an empty block behind a full one is not needed and not wrong', () => {
  expect(decodeCobs(bytes(`ff${rising(1, 254)}01`))).toEqual(bytes(rising(1, 254)));
});

test('any packet comes back, has no zeros on the way, and is as short as promised', () => {
  const sparse = fc.oneof(
    fc.uint8Array({ maxLength: 1_200 }),
    fc
      .array(
        fc.integer({ min: 0, max: 40 }).map((n) => (n === 0 ? 0 : 7)),
        { maxLength: 1_200 },
      )
      .map((a) => Uint8Array.from(a)),
  );
  fc.assert(
    fc.property(sparse, (packet) => {
      const stuffed = encodeCobs(packet);
      expect(stuffed.includes(0)).toBe(false);
      expect(stuffed.length).toBeLessThanOrEqual(cobsBytesMax(packet.length));
      expect(stuffed.length).toBeGreaterThan(packet.length);
      expect(decodeCobs(stuffed)).toEqual(packet);
    }),
  );
});

test('the promised length is reached at every length', () => {
  for (let length = 0; length < 1_100; length++) {
    const worst = encodeCobs(new Uint8Array(length).fill(1)).length;
    expect(cobsBytesMax(length) - worst).toBe(length > 0 && length % 254 === 0 ? 1 : 0);
  }
});

test('any bytes decode to nothing or to something no longer than themselves', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (stuffed) => {
      const packet = decodeCobs(stuffed);
      if (packet !== undefined) expect(packet.length).toBeLessThan(stuffed.length);
    }),
  );
});

test('a frame for the line has a zero at each end and none between', () => {
  expect(toHex(frameForLine(bytes('11220033')))).toBe('00031122023300');
});

const FILE = join(import.meta.dirname, '../../../shared/data/cobs.txt');
const missing = existsSync(FILE) ? undefined : 'no ../shared/data/cobs.txt beside the repository';
const lines = missing === undefined ? readFileSync(FILE, 'utf8').split('\n') : [];
const pairs = lines.filter((line) => /^[0-9a-f-]+\t/.test(line)).map((line) => line.replace(/^-/, '').split('\t'));
const failures = lines.filter((line) => line.startsWith('FAIL\t')).map((line) => line.slice(5));

const suite = `the vectors of two other implementations${missing === undefined ? '' : ` (skipped: ${missing})`}`;

describe.skipIf(missing !== undefined)(suite, () => {
  test('are all there', () => expect([pairs.length, failures.length]).toEqual([14, 4]));

  test('encode and decode', () => {
    for (const [plain = '', stuffed = ''] of pairs) {
      expect(toHex(encodeCobs(bytes(plain)))).toBe(stuffed);
      expect(decodeCobs(bytes(stuffed))).toEqual(bytes(plain));
    }
  });

  test('or fail', () => {
    for (const stuffed of failures) expect(decodeCobs(bytes(stuffed))).toBeUndefined();
  });
});
