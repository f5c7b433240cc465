import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { buildSync } from 'esbuild';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, fromHex, toHex } from '../bytes.ts';
import { type ErrorCode, RingmailError } from '../errors.ts';
import { CBOR_DEPTH_MAX, CBOR_ITEMS_MAX } from '../limits.ts';
import { type CborInput, type CborKey, type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { checkCbor } from './cbor-guard.ts';

const bytes = (hex: string) => fromHex(hex.replaceAll(' ', '')) ?? new Uint8Array(0);
const encodedHex = (value: CborInput) => toHex(encodeCbor(value));

function codeOf(act: () => unknown): ErrorCode | 'no error' {
  try {
    act();
    return 'no error';
  } catch (error) {
    if (error instanceof RingmailError) return error.code;
    throw error;
  }
}

describe('one value, one form', () => {
  test.each<[string, CborInput, string]>([
    ['an integer of 32 bits', 0xffff_ffff, '1affffffff'],
    ['an integer of 33 bits', 2 ** 32, '1b0000000100000000'],
    ['the largest exact integer', 2 ** 53 - 1, '1b001fffffffffffff'],
    ['minus 2^32', -(2 ** 32), '3affffffff'],
    ['one less', -(2 ** 32) - 1, '3b0000000100000000'],
    ['the smallest exact integer', -(2 ** 53 - 1), '3b001ffffffffffffe'],
    ['an integer only a BigInt holds', 2n ** 53n, '1b0020000000000000'],
    ['a small BigInt', 5n, '05'],
    ['a negative BigInt', -1n, '20'],
    ['a number beyond 2^53', 2 ** 53, 'fb4340000000000000'],
    ['a fraction', 1.5, 'fb3ff8000000000000'],
    ['NaN', Number.NaN, 'fb7ff8000000000000'],
    ['infinity', Number.POSITIVE_INFINITY, 'fb7ff0000000000000'],
    ['minus zero', -0, '00'],
    ['bytes, without a tag', Uint8Array.of(1, 2), '420102'],
    ['a Buffer, as bytes', Buffer.of(1, 2), '420102'],
    ['part of an array', Uint8Array.of(1, 2, 3, 4).subarray(1, 3), '420203'],
    [
      'a Map',
      new Map<CborKey, CborInput>([
        [1, 'a'],
        [-1, null],
        ['k', []],
      ]),
      'a3 01 6161 20 f6 616b 80',
    ],
    ['a plain object', { b: 1, a: undefined }, 'a2 6162 01 6161 f7'],
    ['an object without a prototype', Object.assign(Object.create(null), { a: true }), 'a1 6161 f5'],
    ['a hole', new Array<CborInput>(1), '81f7'],
    ['a lone surrogate', '\ud800', '63efbfbd'],
    ['a lone surrogate in a long text', `${'x'.repeat(70)}\udc00`, `7849${'78'.repeat(70)}efbfbd`],
    ['a pair of surrogates', '\ud800\udd51', '64f0908591'],
    [
      'a map of 24',
      new Map(Array.from({ length: 24 }, (_, i) => [i, i])),
      `b818${Array.from({ length: 24 }, (_, i) => i.toString(16).padStart(2, '0').repeat(2)).join('')}`,
    ],
  ])('%s', (_name, value, hex) => expect(encodedHex(value)).toBe(hex.replaceAll(' ', '')));
});

describe('what comes back', () => {
  test('a map is a Map, whatever its keys', () => {
    expect(decodeCbor(bytes('a2 01 02 6161 03'))).toEqual(
      new Map<CborKey, CborValue>([
        [1, 2],
        ['a', 3],
      ]),
    );
    expect(decodeCbor(bytes('a0'))).toEqual(new Map());
  });

  test('an integer is a number while a double holds it, however wide it was written', () => {
    expect(decodeCbor(bytes('1b0000000000000005'))).toBe(5);
    expect(decodeCbor(bytes('3b001ffffffffffffe'))).toBe(-(2 ** 53 - 1));
    expect(decodeCbor(bytes('1b0020000000000000'))).toBe(2n ** 53n);
    expect(decodeCbor(bytes('c24105'))).toBe(5);
    expect(decodeCbor(bytes('a1 1b0000000000000005 00'))).toEqual(new Map([[5, 0]]));
  });

  test('bytes are a Uint8Array of their own, also from a Buffer', () => {
    const source = Buffer.from('82 4101 43020304'.replaceAll(' ', ''), 'hex');
    const value = decodeCbor(source);
    source.fill(0);
    expect(value).toEqual([Uint8Array.of(1), Uint8Array.of(2, 3, 4)]);
    for (const part of value as Uint8Array[]) {
      expect(Object.getPrototypeOf(part)).toBe(Uint8Array.prototype);
      expect(part.buffer.byteLength).toBe(part.length);
    }
  });

  test('the input is as it was, down to its properties', () => {
    const source = bytes('82 63efbbbf 01');
    decodeCbor(source);
    expect(toHex(source)).toBe('8263efbbbf01');
    expect(Reflect.ownKeys(source).filter((key) => !/^\d+$/.test(String(key)))).toEqual([]);
  });

  test.each([3, 30, 64, 70, 300])('a byte order mark stays, in a text of %i characters', (length) => {
    const text = `\ufeff${'x'.repeat(length)}`;
    expect(decodeCbor(encodeCbor(text))).toBe(text);
    const map = new Map<CborKey, CborValue>([
      [text, new Uint8Array(0)],
      [text.slice(1), [Uint8Array.of(0xef, 0xbb, 0xbf), text]],
    ]);
    expect(decodeCbor(encodeCbor(map))).toEqual(map);
  });

  test('two values are not one', () => {
    expect(codeOf(() => decodeCbor(concatBytes([encodeCbor(1), encodeCbor(2)])))).toBe('CBOR_INVALID');
  });
});

const key = fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }), fc.string({ unit: 'binary' }));
const isAllowedKey = (name: CborKey) => name !== '__proto__' && name !== 'constructor' && name !== 'prototype';
const { value: anyValue } = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(undefined, null, true, false),
    fc.maxSafeInteger(),
    fc.double().map((value) => (Object.is(value, -0) ? 0 : value)),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 80n }),
    fc.bigInt({ min: -(2n ** 80n), max: -(2n ** 53n) }),
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc.uint8Array({ maxLength: 80 }),
    fc.array(tie('value'), { maxLength: 6 }),
    fc
      .array(fc.tuple(key.filter(isAllowedKey), tie('value')), { maxLength: 6 })
      .map((entries) => new Map<CborKey, CborValue>(entries)),
  ),
}));

test('every value comes back as it was', () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const encoded = encodeCbor(value);
      expect(decodeCbor(encoded)).toEqual(value);
      expect(toHex(encodeCbor(decodeCbor(encoded)))).toBe(toHex(encoded));
    }),
    { numRuns: 1_000 },
  );
});

describe('refuses to encode', () => {
  const cycle: CborInput[] = [];
  cycle.push(cycle);
  let bushy: CborInput = [];
  for (let i = 0; i < CBOR_DEPTH_MAX - 1; i++) bushy = new Array<CborInput>(100).fill(bushy);
  let deep: CborInput = 0;
  for (let i = 0; i < CBOR_DEPTH_MAX; i++) deep = [deep];

  test.each<[string, unknown]>([
    ['a function', () => 0],
    ['a symbol', Symbol('x')],
    ['a date', new Date(0)],
    ['a set', new Set([1])],
    ['an error', new Error('x')],
    ['another typed array', Uint16Array.of(1)],
    ['bare memory', new ArrayBuffer(1)],
    ['an instance of a class', new (class Thing {})()],
    ['one of them, deep inside', { a: [new Map([[1, new Date(0)]])] }],
    ['a cycle', cycle],
    ['shared parts that multiply', bushy],
    ['one level too many', [deep]],
    ['too many items', new Array(CBOR_ITEMS_MAX).fill(0)],
    ['a fraction as a key', new Map([[1.5, 0]])],
    ['true as a key', new Map([[true, 0]])],
    ['an integer beyond 64 bits as a key', new Map([[2n ** 64n, 0]])],
    [
      'one key in two types',
      new Map<unknown, number>([
        [1, 0],
        [1n, 0],
      ]),
    ],
    [
      'two keys that become one',
      new Map([
        ['\ud800', 0],
        ['\ud801', 0],
      ]),
    ],
    ['a key that reaches a prototype', JSON.parse('{"__proto__": 1}')],
    ['an integer above 512 bits', 2n ** 512n],
  ])('%s', (_name, value) => expect(codeOf(() => encodeCbor(value as CborInput))).toBe('CBOR_UNENCODABLE'));

  test('but what is at the limits', () => {
    expect(codeOf(() => encodeCbor(deep))).toBe('no error');
    expect(codeOf(() => encodeCbor(new Array(CBOR_ITEMS_MAX - 1).fill(0)))).toBe('no error');
    expect(codeOf(() => encodeCbor(2n ** 512n - 1n))).toBe('no error');
  });

  test('and encodes the next value as if nothing had been', () => {
    expect(codeOf(() => encodeCbor([1, new Date(0) as unknown as CborInput]))).toBe('CBOR_UNENCODABLE');
    expect(encodedHex([1, 2])).toBe('820102');
  });
});

describe('hostile bytes', () => {
  test.each([
    ['nothing', ''],
    ['nested arrays', '81'.repeat(100_000)],
    ['nested maps', 'a101'.repeat(100_000)],
    ['nested tags', 'c1'.repeat(100_000)],
    ['nested indefinite arrays', '9f'.repeat(100_000)],
    ['huge arrays in huge arrays', '9a01000000'.repeat(1_000)],
    ['a huge byte string', '5b7fffffffffffffff'],
    ['a huge text', '7affffffff'],
    ['a huge map', 'bb00ffffffffffffff'],
    ['bytes left over', '0000'],
    ['__proto__', 'a1695f5f70726f746f5f5fa0'],
    ['constructor within', 'a101a16b636f6e7374727563746f7200'],
    ['records of cbor-x', 'd9dfff8319e000816161 01'],
    ['a bundle of cbor-x', 'd9dff9821a0000000000'],
    ['packed values', 'd83384808080 00'],
    ['a cycle by value sharing', 'd81c81d81d00'],
    ['a class by its name', 'd81b8265457272 6f726178'],
  ])('%s: CBOR_INVALID', (_name, hex) => expect(codeOf(() => decodeCbor(bytes(hex)))).toBe('CBOR_INVALID'));

  test('tell what and where', () => {
    expect(() => decodeCbor(bytes('8201c100'))).toThrow(expect.objectContaining({ details: { offset: 2, reason: 'tag' } }));
    expect(() => decodeCbor(bytes('0100'))).toThrow(expect.objectContaining({ details: { offset: 1, reason: 'trailing' } }));
  });

  test('every truncation of every value', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const encoded = encodeCbor(value);
        for (let length = 0; length < encoded.length; length++) {
          expect(codeOf(() => decodeCbor(encoded.subarray(0, length)))).toBe('CBOR_INVALID');
        }
      }),
      { numRuns: 100 },
    );
  });

  test('of any kind give a value or CBOR_INVALID, never anything else', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (input) => {
        const checked = checkCbor(input);
        const isWhole = 'end' in checked && checked.end === input.length;
        const code = codeOf(() => decodeCbor(input));
        expect(code).toBe(isWhole ? 'no error' : 'CBOR_INVALID');
        seen.add(code);
      }),
      { numRuns: 5_000 },
    );
    expect(seen).toEqual(new Set(['no error', 'CBOR_INVALID']));
  });

  test('one bit away from a good value: the same', () => {
    fc.assert(
      fc.property(anyValue, fc.nat(), (value, position) => {
        const encoded = encodeCbor(value);
        const bit = position % (encoded.length * 8);
        encoded[bit >> 3] = (encoded[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const code = codeOf(() => decodeCbor(encoded));
        expect(['no error', 'CBOR_INVALID']).toContain(code);
        if (code === 'no error') expect(checkCbor(encodeCbor(decodeCbor(encoded)))).toHaveProperty('end');
      }),
      { numRuns: 2_000 },
    );
  });
});

interface Vector {
  hex: string;
  roundtrip: boolean;
  decoded?: unknown;
  diagnostic?: string;
}

/** From appendix A of RFC 8949, all kinds; the whole appendix runs below when it is at hand. */
const TYPED_VECTORS: readonly [hex: string, value: CborValue][] = [
  ['00', 0],
  ['17', 23],
  ['1818', 24],
  ['1903e8', 1000],
  ['1b000000e8d4a51000', 1e12],
  ['1bffffffffffffffff', 2n ** 64n - 1n],
  ['c249010000000000000000', 2n ** 64n],
  ['c349010000000000000000', -(2n ** 64n) - 1n],
  ['20', -1],
  ['3903e7', -1000],
  ['fb3ff199999999999a', 1.1],
  ['fbc010666666666666', -4.1],
  ['fb7e37e43c8800759c', 1e300],
  ['f4', false],
  ['f5', true],
  ['f6', null],
  ['f7', undefined],
  ['40', new Uint8Array(0)],
  ['4401020304', Uint8Array.of(1, 2, 3, 4)],
  ['60', ''],
  ['6449455446', 'IETF'],
  ['62225c', '"\\'],
  ['62c3bc', 'ü'],
  ['63e6b0b4', '水'],
  ['64f0908591', '\ud800\udd51'],
  ['80', []],
  ['8301820203820405', [1, [2, 3], [4, 5]]],
  [
    'a201020304',
    new Map([
      [1, 2],
      [3, 4],
    ]),
  ],
  [
    'a26161016162820203',
    new Map<CborKey, CborValue>([
      ['a', 1],
      ['b', [2, 3]],
    ]),
  ],
  ['826161a161626163', ['a', new Map([['b', 'c']])]],
];

test.each(TYPED_VECTORS)('RFC 8949 appendix A: %s', (hex, value) => {
  expect(decodeCbor(bytes(hex))).toEqual(value);
  expect(encodedHex(value)).toBe(hex);
});

/** Accepted, and written by us in another form; why. */
const OTHER_FORM: ReadonlyMap<string, string> = new Map([
  ...['f93e00', 'f97bff', 'f90001', 'f90400', 'f97c00', 'f97e00', 'f9fc00'].map(
    (hex) => [hex, 'halves are written as doubles'] as const,
  ),
  ...['fa7f7fffff'].map((hex) => [hex, 'singles are written as doubles'] as const),
  ...['f90000', 'f98000', 'f93c00', 'f9c400', 'fa47c35000'].map(
    (hex) => [hex, 'a float without a fraction is written as an integer'] as const,
  ),
  ['3bffffffffffffffff', 'cbor-x writes -2^64 as a bignum'],
]);

const APPENDIX = join(import.meta.dirname, '../../../shared/data/cbor/appendix_a.json');
const vectors: Vector[] = existsSync(APPENDIX) ? readVectors(readFileSync(APPENDIX, 'utf8')) : [];

/** JSON.parse rounds integers beyond 2^53; those of the appendix are brought back as strings. */
function readVectors(text: string): Vector[] {
  return JSON.parse(text.replace(/("decoded":\s*)(-?\d{17,})/g, '$1"bigint $2"'));
}

describe.skipIf(vectors.length === 0)('the whole of appendix A, from the file beside the repository', () => {
  const expectedOf = ({ hex, decoded, diagnostic }: Vector): CborValue => {
    if (diagnostic === 'undefined') return undefined;
    if (diagnostic === 'Infinity' || diagnostic === '-Infinity' || diagnostic === 'NaN') return Number(diagnostic);
    if (diagnostic?.startsWith("h'")) return bytes(diagnostic.slice(2, -1));
    if (diagnostic === '{1: 2, 3: 4}')
      return new Map([
        [1, 2],
        [3, 4],
      ]);
    if (diagnostic !== undefined) throw new Error(`${hex} is not expected to be accepted`);
    return fromJson(decoded);
  };
  const fromJson = (value: unknown): CborValue => {
    if (typeof value === 'string' && value.startsWith('bigint ')) return BigInt(value.slice(7));
    if (Array.isArray(value)) return value.map(fromJson);
    if (typeof value === 'object' && value !== null)
      return new Map(Object.entries(value).map(([name, item]) => [name, fromJson(item)]));
    return value as CborValue;
  };
  const accepted = vectors.filter(({ hex }) => 'end' in checkCbor(bytes(hex)));
  const refused = vectors.filter(({ hex }) => 'error' in checkCbor(bytes(hex)));

  test('is accepted but for tags, simple values and indefinite lengths', () => {
    const reasons = refused.map(({ hex }) => {
      const checked = checkCbor(bytes(hex));
      return 'error' in checked ? checked.error.reason : '';
    });
    expect(new Set(reasons)).toEqual(new Set(['tag', 'simple', 'indefinite']));
    expect([accepted.length, refused.length]).toEqual([62, 20]);
  });

  test.each(accepted)('$hex', (vector) => {
    const value = decodeCbor(bytes(vector.hex));
    expect(value).toEqual(expectedOf(vector));
    if (!vector.roundtrip) return;
    if (OTHER_FORM.has(vector.hex)) expect(encodedHex(value)).not.toBe(vector.hex);
    else expect(encodedHex(value)).toBe(vector.hex);
  });

  test('has every exception that is listed', () => {
    for (const hex of OTHER_FORM.keys()) expect(accepted.map((vector) => vector.hex)).toContain(hex);
  });
});

describe('on a bare engine', () => {
  const { outputFiles } = buildSync({
    entryPoints: [join(import.meta.dirname, 'cbor.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'cbor',
    platform: 'neutral',
    logLevel: 'error',
  });
  /** The codec as a host without Buffer, TextEncoder and TextDecoder sees it. It returns text, so nothing crosses realms. */
  const script = `${outputFiles[0]?.text ?? ''}
    const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    const fromHex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
    const hosts = [typeof Buffer, typeof TextEncoder, typeof TextDecoder, typeof process].join();
    const again = inputs.map((input) => hex(cbor.encodeCbor(cbor.decodeCbor(fromHex(input)))));
    JSON.stringify({ hosts, again });`;

  test('every value has the same bytes as here', () => {
    const long = [`\ufeff${'ü'.repeat(100)}`, 'x'.repeat(5_000), '水'.repeat(30_000), { text: `${'y'.repeat(100)}\ud800` }];
    const inputs = [...long, ...fc.sample(anyValue, { numRuns: 300, seed: 1 })].map(encodedHex);
    const { hosts, again } = JSON.parse(runInNewContext(script, { inputs }));
    expect(hosts).toBe('undefined,undefined,undefined,undefined');
    expect(again).toEqual(inputs);
  });
});
