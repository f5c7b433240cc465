/** The small build has a CBOR of its own: the same bytes, the same values, the same errors as cbor.ts has with cbor-x, whatever they are. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concatBytes, toHex, toUtf8 } from '../bytes.ts';
import { RingmailError } from '../errors.ts';
import { CBOR_DEPTH_MAX, CBOR_ITEMS_MAX } from '../limits.ts';
import { type CborInput, decodeCbor, encodeCbor } from './cbor.ts';
import { checkCbor } from './cbor-guard.ts';
import * as small from './small-cbor.ts';

const RUNS = { numRuns: 500 };

const leaf = fc.oneof(
  fc.constantFrom<CborInput[]>(undefined, null, true, false, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  fc.constantFrom<CborInput[]>(
    23,
    24,
    255,
    256,
    65_535,
    65_536,
    0xffff_ffff,
    2 ** 32,
    2 ** 53 - 1,
    2 ** 53,
    -24,
    -25,
    -(2 ** 32),
  ),
  fc.constantFrom<CborInput[]>(2n ** 53n, 2n ** 64n - 1n, 2n ** 64n, -(2n ** 64n), -(2n ** 64n) - 1n, 2n ** 500n, '\ufeffmark'),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }),
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  fc.uint8Array({ maxLength: 300 }),
);
const { value } = fc.letrec<{ value: CborInput }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('value'), { maxLength: 30 }),
    fc
      .array(fc.tuple(fc.oneof(fc.integer(), fc.string({ maxLength: 9 })), tie('value')), { maxLength: 30 })
      .map((pairs) => new Map(pairs)),
  ),
}));

/** What it gives, or the error that it throws: code and details. */
function attempt<T>(act: () => T): T | string {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof RingmailError)) throw error;
    return `${error.code} ${JSON.stringify(error.details)}`;
  }
}

const bytesOr = (made: Uint8Array | string): string => (typeof made === 'string' ? made : toHex(made));

test('writes the same bytes, and reads them as the same value', () => {
  fc.assert(
    fc.property(value, (input) => {
      const encoded = attempt(() => encodeCbor(input));
      expect(bytesOr(attempt(() => small.encodeCbor(input)))).toBe(bytesOr(encoded));
      if (typeof encoded !== 'string') expect(small.decodeCbor(encoded)).toEqual(decodeCbor(encoded));
    }),
    RUNS,
  );
});

/** A head with an argument wider than it needs to be: the guard lets it through. */
function head(major: number, argument: number, width: 0 | 1 | 2 | 4 | 8): Uint8Array {
  if (width === 0) return Uint8Array.of((major << 5) | argument);
  const bytes = new Uint8Array(1 + width);
  bytes[0] = (major << 5) | (24 + Math.log2(width));
  for (let i = 0, rest = argument; i < width; i++, rest = Math.floor(rest / 256)) bytes[width - i] = rest % 256;
  return bytes;
}

test.each([1, 2, 4, 8] as const)('reads arguments of %i bytes, whatever they count', (width) => {
  const text = toUtf8('a\ufeffü');
  const items = [
    head(0, 200, width),
    head(1, 200, width),
    concatBytes([head(2, 3, width), Uint8Array.of(1, 2, 3)]),
    concatBytes([head(3, text.length, width), text]),
    concatBytes([head(4, 2, width), Uint8Array.of(1, 2)]),
    concatBytes([head(5, 1, width), Uint8Array.of(1, 2)]),
    concatBytes([head(6, 3, width), head(2, 2, width), Uint8Array.of(0, 9)]),
  ];
  for (const item of items) {
    expect(checkCbor(item)).not.toHaveProperty('error');
    expect(small.decodeCbor(item)).toEqual(decodeCbor(item));
  }
});

test('reads every float of sixteen bits, and those of thirty-two', () => {
  for (let bits = 0; bits < 0x1_0000; bits++) {
    const item = Uint8Array.of(0xf9, bits >> 8, bits & 0xff);
    if (!Object.is(small.decodeCbor(item), decodeCbor(item))) expect(small.decodeCbor(item)).toBe(decodeCbor(item));
  }
  fc.assert(
    fc.property(fc.float(), (number) => {
      const item = new Uint8Array(5);
      item[0] = 0xfa;
      new DataView(item.buffer).setFloat32(1, number);
      // cbor-x gives the shortest decimal that means the same 32 bits where it can; here it is what the bits say.
      expect(Math.fround(small.decodeCbor(item) as number)).toBe(Math.fround(decodeCbor(item) as number));
    }),
    RUNS,
  );
});

test('byte strings are copies: what is read does not change with what it was read from', () => {
  const item = Uint8Array.of(0x42, 1, 2);
  const read = small.decodeCbor(item);
  item[1] = 9;
  expect(read).toEqual(Uint8Array.of(1, 2));
});

test.each<[string, unknown]>([
  ['a class of its own', new Date(0)],
  ['a function', () => {}],
  ['an object', { a: 1, b: [{ c: undefined }] }],
  ['no prototype', Object.assign(Object.create(null) as object, { a: 1 })],
  ['a forbidden key', new Map([['constructor', 1]])],
  ['a key that is none', new Map([[true, 1]])],
  [
    'one key twice',
    new Map<unknown, unknown>([
      [1, 1],
      [1n, 2],
    ]),
  ],
  [
    'a key twice once it is well formed',
    new Map([
      ['\ud800', 1],
      ['\ud801', 2],
    ]),
  ],
  ['what is too deep', Array.from({ length: CBOR_DEPTH_MAX }).reduce((inner) => [inner], [1])],
  ['what is just deep enough', Array.from({ length: CBOR_DEPTH_MAX - 1 }).reduce((inner) => [inner], [1])],
  ['too many items', Array.from({ length: CBOR_ITEMS_MAX }, () => 1)],
  ['as many as may be', Array.from({ length: CBOR_ITEMS_MAX - 1 }, () => 1)],
  ['a number too big', 2n ** 512n],
])('says the same of %s', (_what, input) => {
  const made = (encode: typeof encodeCbor) => bytesOr(attempt(() => encode(input as CborInput)));
  expect(made(small.encodeCbor)).toBe(made(encodeCbor));
});

const broken = fc
  .tuple(value, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), fc.nat())
  .map(([input, changes, cut]) => {
    const encoded = attempt(() => encodeCbor(input));
    const bytes = typeof encoded === 'string' ? new Uint8Array(1) : encoded.slice();
    for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
    return cut % 3 === 0 ? bytes.slice(0, cut % (bytes.length + 1)) : bytes;
  });

/** Floats of 32 bits are read as the shortest decimal by the one, and as what they are by the other. */
const hasFloat32 = (bytes: Uint8Array): boolean => bytes.includes(0xfa);

test('refuses the same bytes, for the same reason, at the same place', () => {
  fc.assert(
    fc.property(fc.oneof(broken, fc.uint8Array({ maxLength: 40 })), (bytes) => {
      const [ours, theirs] = [attempt(() => small.decodeCbor(bytes)), attempt(() => decodeCbor(bytes))];
      if (hasFloat32(bytes) && typeof theirs !== 'string') expect(typeof ours).toBe(typeof theirs);
      else expect(ours).toEqual(theirs);
    }),
    { numRuns: 2_000 },
  );
});
