/**
 * The small encoder stands in for cbor-x in the embedded profile: cbor.ts on the one and on the other writes the same bytes and reads
 * the same values, whatever they are.
 */
import { runInThisContext } from 'node:vm';
import { buildSync } from 'esbuild';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concatBytes, toHex, toUtf8 } from '../bytes.ts';
import { type CborInput, decodeCbor, encodeCbor } from './cbor.ts';
import { checkCbor } from './cbor-guard.ts';

const { outputFiles } = buildSync({
  entryPoints: ['shared/message/cbor.ts'],
  bundle: true,
  format: 'iife',
  globalName: 'small',
  platform: 'neutral',
  alias: { 'cbor-x/index-no-eval': './shared/message/small-encoder.ts' },
  write: false,
});
const source = outputFiles[0]?.text ?? '';
const small = runInThisContext(`(() => { ${source}; return small; })()`) as {
  encodeCbor: typeof encodeCbor;
  decodeCbor: typeof decodeCbor;
};

const RUNS = { numRuns: 500 };

test('is what was compared: nothing of cbor-x is in it', () => {
  expect(source).not.toContain('node_modules');
  expect(source).toContain('// shared/message/small-encoder.ts');
});

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

/** `undefined` where it has no form, as a duplicate key or a forbidden one has none. */
function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined; // which code it is does not depend on the encoder: the guard gives it
  }
}

test('writes the same bytes, and reads them as the same value', () => {
  fc.assert(
    fc.property(value, (input) => {
      const encoded = attempt(() => encodeCbor(input));
      const ours = attempt(() => small.encodeCbor(input));
      expect(ours && toHex(ours)).toBe(encoded && toHex(encoded));
      if (encoded !== undefined) expect(small.decodeCbor(encoded)).toEqual(decodeCbor(encoded));
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
