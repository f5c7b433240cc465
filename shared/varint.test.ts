import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { fromHex, toHex } from './bytes.ts';
import { readVarint, VARINT_BYTES_MAX, VARINT_MAX, varintBytes } from './varint.ts';

const bytes = (hex: string) => fromHex(hex) ?? new Uint8Array(0);

describe.each<[number, string]>([
  [0, '00'],
  [1, '01'],
  [127, '7f'],
  [128, '8001'],
  [300, 'ac02'],
  [16_383, 'ff7f'],
  [16_384, '808001'],
  [624_485, 'e58e26'], // the example of the DWARF standard
  [2 ** 32, '8080808010'],
  [VARINT_MAX, 'ffffffffffffff0f'],
])('%i', (value, hex) => {
  test('is written so', () => expect(toHex(new ByteWriter(8).varint(value).finish())).toBe(hex));
  test('is read back', () => expect(readVarint(bytes(hex), 0)).toEqual({ value, end: hex.length / 2 }));
  test('takes that many bytes', () => expect(varintBytes(value)).toBe(hex.length / 2));
});

test.each([
  ['nothing', ''],
  ['cut off', '80'],
  ['cut off later', 'ffffff'],
  ['padded', '8000'],
  ['padded later', 'ff8000'],
  ['one above the largest', '8080808080808010'],
  ['eight bytes full', 'ffffffffffffff7f'],
  ['more than eight bytes', '808080808080808001'],
  ['without an end', 'ff'.repeat(20)],
])('refuses %s', (_name, hex) => {
  expect(readVarint(bytes(hex), 0)).toBeUndefined();
  expect(new ByteReader(bytes(hex)).varint()).toBeUndefined();
});

test('does not read past the end it is given', () => {
  expect(readVarint(bytes('8001'), 0, 1)).toBeUndefined();
  expect(readVarint(bytes('008001'), 1)).toEqual({ value: 128, end: 3 });
});

test('every number survives, in the length that was said', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      const written = new ByteWriter(VARINT_BYTES_MAX).varint(value).finish();
      expect(written.length).toBe(varintBytes(value));
      expect(readVarint(written, 0)).toEqual({ value, end: written.length });
    }),
  );
});

test('what reads writes the same bytes: one number, one encoding', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 10 }), (input) => {
      const found = readVarint(input, 0);
      if (found === undefined) return;
      expect(toHex(new ByteWriter(8).varint(found.value).finish())).toBe(toHex(input.subarray(0, found.end)));
    }),
  );
});
