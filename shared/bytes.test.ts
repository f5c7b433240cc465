import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concatBytes, equalBytes, fromHex, fromUtf8, toHex, toUtf8 } from './bytes.ts';

const anyText = fc.string({ unit: 'binary', maxLength: 40 });

test.each([
  ['', ''],
  ['az\u007f', '617a7f'],
  ['\u0080\u07ff', 'c280dfbf'],
  ['\u0800\uffff', 'e0a080efbfbf'],
  ['ключ', 'd0bad0bbd18ed187'],
  ['\u{10000}\u{10ffff}', 'f0908080f48fbfbf'],
])('UTF-8 of %j', (text, hex) => {
  expect(toHex(toUtf8(text))).toBe(hex);
  expect(fromUtf8(toUtf8(text))).toBe(text);
});

test('UTF-8 is what the host makes of any text, lone surrogates too', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        anyText,
        fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units)),
      ),
      (text) => {
        expect(toHex(toUtf8(text))).toBe(toHex(new TextEncoder().encode(text)));
      },
    ),
  );
});

test('UTF-8 is read as strictly as the host does', () => {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const host = (bytes: Uint8Array) => {
    try {
      return strict.decode(bytes);
    } catch {
      return undefined;
    }
  };
  const nearlyUtf8 = fc.array(
    fc.constantFrom(0x41, 0x80, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xed, 0xa0, 0x9f, 0xf0, 0xf4, 0x8f, 0x90, 0xff),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        nearlyUtf8.map((bytes) => Uint8Array.from(bytes)),
      ),
      (bytes) => {
        expect(fromUtf8(bytes)).toBe(host(bytes));
      },
    ),
    { numRuns: 2000 },
  );
});

test('hex there and back, and nothing that is not hex', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(fromHex(toHex(bytes))).toEqual(bytes);
    }),
  );
  for (const text of ['0', 'xy', '0x00', '00 ', '-1']) expect(fromHex(text)).toBeUndefined();
  expect(fromHex('aAfF')).toEqual(new Uint8Array([0xaa, 0xff]));
});

test('bytes are joined and compared', () => {
  expect(concatBytes([new Uint8Array([1]), new Uint8Array(0), new Uint8Array([2, 3])])).toEqual(new Uint8Array([1, 2, 3]));
  expect(equalBytes(new Uint8Array([1, 2]), new Uint8Array([1, 2]))).toBe(true);
  expect(equalBytes(new Uint8Array([1, 2]), new Uint8Array([1, 3]))).toBe(false);
  expect(equalBytes(new Uint8Array([1, 2]), new Uint8Array([1]))).toBe(false);
});
