import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CborInput, encodeCbor } from '../message/cbor.ts';
import { encodeUints } from './uints.ts';

const whole = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1));

test('the bytes are those of encodeCbor, which makes them where nothing stands here', () => {
  fc.assert(
    fc.property(fc.oneof(whole, fc.array(whole, { maxLength: 23 })), (value) => {
      expect(encodeUints(value)).toEqual(encodeCbor(value));
    }),
  );
});

test.each<[string, CborInput]>([
  ['what is negative', -1],
  ['what is no whole number', 1.5],
  ['a text', 'a'],
  ['an array with one', [1, 'a']],
  ['a long array', Array.from({ length: 24 }, () => 1)],
])('is left to it: %s', (_what, value) => expect(encodeUints(value)).toBeUndefined());
