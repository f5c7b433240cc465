import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RingmailError } from '../../errors.ts';
import { percentDecode, percentEncode } from './percent.ts';
import { parseTarget, Query, wholeOf } from './target.ts';

test('reads path and parameters, decoded', () => {
  const { segments, query } = parseTarget('/v1/receive/%24dead?waitMs=5&a=b%3Dc&flag');
  expect(segments).toEqual(['v1', 'receive', '$dead']);
  expect([query.takeWhole('waitMs', { min: 0, max: 9, missing: 1 }), query.take('a'), query.take('flag')]).toEqual([
    5,
    'b=c',
    '',
  ]);
  query.refuseOthers();
});

test('what was written by an encoder of forms or of paths comes back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), (text) => {
      expect(new Query(new URLSearchParams({ label: text }).toString()).take('label')).toBe(text);
      expect(new Query(`label=${percentEncode(text)}`).take('label')).toBe(text);
    }),
  );
});

test('never throws anything but a coded refusal, whatever the request line says', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'/?&=%+#:1aF\0\xff') }), (text) => {
      try {
        parseTarget(`/${text}`);
      } catch (error) {
        expect(error).toBeInstanceOf(RingmailError);
      }
    }),
  );
});

test('takes those with a prefix, and refuses what is left', () => {
  const query = new Query('header:a=1&header:=2&b=3');
  expect([...query.takePrefixed('header:')]).toEqual([
    ['a', '1'],
    ['', '2'],
  ]);
  expect(() => query.refuseOthers()).toThrow(/parameter b is not known/);
});

describe('a whole number is digits and nothing else', () => {
  test.each<[string, number | undefined]>([
    ['0', 0],
    ['007', 7],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['9007199254740993', undefined],
    ['', undefined],
    ['-1', undefined],
    ['1.0', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    [' 1', undefined],
    ['٣', undefined],
  ])('%j is %s', (text, value) => expect(wholeOf(text)).toBe(value));
});

test('percent-encoding leaves only what any header, path and query can hold', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), (text) => {
      expect(percentEncode(text)).toMatch(/^[A-Za-z0-9._~%-]*$/);
      expect(percentDecode(percentEncode(text))).toBe(text);
    }),
  );
  expect(percentEncode('\ud800')).toBe('%EF%BF%BD');
  expect([percentDecode('%'), percentDecode('%ff')]).toEqual([undefined, undefined]);
});
