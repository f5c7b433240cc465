import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, fromHex } from '../bytes.ts';
import { CBOR_DEPTH_MAX, CBOR_ITEMS_MAX } from '../limits.ts';
import { BIGNUM_BYTES_MAX, type CborReason, checkCbor } from './cbor-guard.ts';

const bytes = (hex: string) => fromHex(hex.replaceAll(' ', '')) ?? new Uint8Array(0);
const repeat = (hex: string, count: number) => bytes(hex.repeat(count));

function reasonOf(input: Uint8Array): CborReason | 'accepted' {
  const checked = checkCbor(input);
  return 'error' in checked ? checked.error.reason : 'accepted';
}

test.each([
  ['an integer', '00'],
  ['the largest integer', '1bffffffffffffffff'],
  ['the smallest integer', '3bffffffffffffffff'],
  ['an integer wider than it must be', '1b0000000000000001'],
  ['bytes', '43 010203'],
  ['text', '63 e6b0b4'],
  ['a nested array', '83 01 82 02 03 82 04 05'],
  ['an empty map', 'a0'],
  ['a map of integers, negative ones and text', 'a3 01 02 20 03 61 61 04'],
  ['a key that is a prefix of another', 'a2 61 61 00 62 61 62 00'],
  ['an integer key and the same digit as text', 'a2 01 00 61 31 00'],
  ['the same key in a map within a map', 'a1 01 a1 01 a1 01 02'],
  ['a key named as a value', 'a1 61 61 69 5f5f70726f746f5f5f'],
  ['keys that differ only beyond 2^53', 'a2 1bfffffffffffffffe 00 1bffffffffffffffff 00'],
  ['negative keys that differ only beyond 2^53', 'a2 3bfffffffffffffffe 00 3bffffffffffffffff 00'],
  ['a bignum', 'c2 49 010000000000000000'],
  ['a bignum among others', '82 c3 41 00 01'],
  ['a bignum as a value', 'a1 01 c2 41 07'],
  ['half, single, double', '83 f93c00 fa47c35000 fb3ff199999999999a'],
  ['the four simple values', '84 f4 f5 f6 f7'],
])('accepts %s', (_name, hex) => {
  expect(checkCbor(bytes(hex))).toEqual({ end: bytes(hex).length, markedTexts: [] });
});

describe('refuses', () => {
  test.each<[string, CborReason, string]>([
    ['nothing at all', 'truncated', ''],
    ['an indefinite array', 'indefinite', '9f ff'],
    ['an indefinite map', 'indefinite', 'bf ff'],
    ['indefinite bytes', 'indefinite', '5f 41 00 ff'],
    ['indefinite text', 'indefinite', '7f 61 61 ff'],
    ['a lone break', 'indefinite', 'ff'],
    ['a break within an array', 'indefinite', '82 01 ff'],
    ['reserved info 28', 'reserved', '1c'],
    ['reserved info 29', 'reserved', '5d'],
    ['reserved info 30', 'reserved', 'fe'],
    ['a date as text (tag 0)', 'tag', 'c0 60'],
    ['a date as a number (tag 1)', 'tag', 'c1 00'],
    ['a shared value (tag 28)', 'tag', 'd81c 80'],
    ['a typed array (tag 69)', 'tag', 'd845 42 0100'],
    ['a record definition of cbor-x (tag dfff)', 'tag', 'd9dfff 83 19e000 81 61 61 01'],
    ['the mark of self-described CBOR (tag 55799)', 'tag', 'd9d9f7 00'],
    ['the largest tag', 'tag', 'dbffffffffffffffff 00'],
    ['a bignum that is not bytes', 'bignum', 'c2 00'],
    ['a bignum of a bignum', 'bignum', 'c2 c2 40'],
    ['a bignum of text', 'bignum', 'c2 61 61'],
    ['a simple value without a name', 'simple', 'f0'],
    ['a simple value of two bytes', 'simple', 'f8 ff'],
    ['a simple value of two bytes for true', 'simple', 'f8 15'],
    ['an overlong slash', 'utf8', '62 c0af'],
    ['an overlong three-byte form', 'utf8', '63 e08080'],
    ['an overlong four-byte form', 'utf8', '64 f0808080'],
    ['a surrogate', 'utf8', '63 eda080'],
    ['more than U+10FFFF', 'utf8', '64 f4908080'],
    ['a lead byte that does not exist', 'utf8', '64 f5808080'],
    ['a stray continuation', 'utf8', '61 80'],
    ['a character cut off by the end of its text', 'utf8', '82 61 c3 62 bc61'],
    ['a character cut off in the middle', 'utf8', '63 e28261'],
    ['a float as a key', 'key-type', 'a1 f93c00 00'],
    ['bytes as a key', 'key-type', 'a1 41 00 00'],
    ['a bignum as a key', 'key-type', 'a1 c2 41 00 00'],
    ['null as a key', 'key-type', 'a1 f6 00'],
    ['an array as a key', 'key-type', 'a1 80 00'],
    ['a map as a key', 'key-type', 'a1 a0 00'],
    ['an integer key twice', 'duplicate-key', 'a2 01 00 01 00'],
    ['an integer key twice, in two widths', 'duplicate-key', 'a2 01 00 1b0000000000000001 00'],
    ['a text key twice', 'duplicate-key', 'a2 61 61 00 61 61 00'],
    ['a text key twice, in two widths', 'duplicate-key', 'a2 61 61 00 7801 61 00'],
    ['a key twice, behind a map that has it too', 'duplicate-key', 'a2 01 a1 01 00 01 00'],
    ['__proto__', 'forbidden-key', 'a1 69 5f5f70726f746f5f5f 00'],
    ['constructor, deep inside', 'forbidden-key', '81 a1 01 a1 6b 636f6e7374727563746f72 00'],
    ['prototype', 'forbidden-key', 'a1 69 70726f746f74797065 00'],
  ])('%s', (_name, reason, hex) => expect(reasonOf(bytes(hex))).toBe(reason));

  test('says where', () => {
    expect(checkCbor(bytes('83 01 82 02 c1 05'))).toEqual({ error: { offset: 4, reason: 'tag' } });
    expect(checkCbor(bytes('ffff 8102 1c'), 4)).toEqual({ error: { offset: 4, reason: 'reserved' } });
  });
});

test('walks a sequence, item by item', () => {
  const sequence = bytes('01 8202 03 6161');
  const ends: number[] = [];
  for (let at = 0; at < sequence.length; ) {
    const checked = checkCbor(sequence, at);
    if ('error' in checked) throw new Error(checked.error.reason);
    at = checked.end;
    ends.push(at);
  }
  expect(ends).toEqual([1, 4, 6]);
});

test('tells which texts begin with a byte order mark', () => {
  const checked = checkCbor(bytes('84 63efbbbf 43efbbbf 6161 64efbbbf61'));
  expect(checked).toEqual({ end: 16, markedTexts: [1, 11] });
});

describe('limits', () => {
  test.each([
    ['arrays', '81', '00'],
    ['maps', 'a101', '00'],
    ['arrays of bignums', '81', 'c240'],
  ])('%s nest as deep as said and no deeper', (_name, head, leaf) => {
    expect(reasonOf(concatBytes([repeat(head, CBOR_DEPTH_MAX), bytes(leaf)]))).toBe('accepted');
    expect(reasonOf(concatBytes([repeat(head, CBOR_DEPTH_MAX + 1), bytes(leaf)]))).toBe('too-deep');
  });

  test('the end of a container gives its depth back', () => {
    expect(reasonOf(concatBytes([bytes('9864'), repeat('a101a0', 100)]))).toBe('accepted');
  });

  test('as many items as said and no more', () => {
    const array = (items: number) => concatBytes([bytes(`9a${items.toString(16).padStart(8, '0')}`), new Uint8Array(items)]);
    expect(reasonOf(array(CBOR_ITEMS_MAX - 1))).toBe('accepted');
    expect(reasonOf(array(CBOR_ITEMS_MAX))).toBe('too-many-items');
  });

  test('items of many small containers count together', () => {
    const half = CBOR_ITEMS_MAX / 2;
    expect(reasonOf(concatBytes([bytes('99fff0'), repeat('80', 0xfff0)]))).toBe('accepted');
    expect(reasonOf(concatBytes([bytes(`9a${half.toString(16).padStart(8, '0')}`), repeat('8100', half)]))).toBe(
      'too-many-items',
    );
  });

  test('bignums as long as said and no longer', () => {
    expect(reasonOf(concatBytes([bytes('c25840'), new Uint8Array(BIGNUM_BYTES_MAX)]))).toBe('accepted');
    expect(reasonOf(concatBytes([bytes('c25841'), new Uint8Array(BIGNUM_BYTES_MAX + 1)]))).toBe('bignum');
  });

  test.each([
    ['bytes', '5bffffffffffffffff'],
    ['text', '7bffffffffffffffff'],
    ['an array', '9bffffffffffffffff'],
    ['a map', 'bbffffffffffffffff'],
    ['a map whose doubled count wraps 32 bits', 'ba80000001'],
    ['a bignum', 'c25bffffffffffffffff'],
    ['an array of arrays, each within what is left', '9affffffff'.repeat(4)],
    ['text one byte longer than what is left', '656161'],
  ])('a huge length is refused before it is believed: %s', (_name, hex) => {
    expect(['truncated', 'bignum']).toContain(reasonOf(bytes(hex)));
  });

  test('a nested bomb of a megabyte is refused at once', () => {
    for (const head of ['81', '9b0000000000000001', 'a100', 'd81c', 'c2', '82']) {
      const bomb = new Uint8Array(1_000_000);
      const unit = bytes(head);
      for (let i = 0; i + unit.length <= bomb.length; i += unit.length) bomb.set(unit, i);
      expect(reasonOf(bomb)).toMatch(/too-deep|tag|bignum/);
    }
  });

  test('a map with as many keys as fit is searched for duplicates, to the last', () => {
    const ascii = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
    const map = [bytes('b97d00')];
    for (let i = 0; i < 32_000; i++) map.push(bytes('64'), ascii(i.toString(16).padStart(4, '0')), bytes('00'));
    expect(reasonOf(concatBytes(map))).toBe('accepted');
    map.splice(-2, 1, ascii('0000'));
    expect(reasonOf(concatBytes(map))).toBe('duplicate-key');
  });
});

test('every truncation of an item is truncated', () => {
  const item = bytes('a4 01 83 f6 fb3ff199999999999a 1a000f4240 6161 c2 49 010000000000000000 20 7803616263 190100 5803010203');
  expect(reasonOf(item)).toBe('accepted');
  for (let length = 0; length < item.length; length++) expect(reasonOf(item.subarray(0, length))).toBe('truncated');
});

test('never throws, whatever the bytes and the offset', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(70), (input, offset) => {
      const checked = checkCbor(input, offset);
      if ('error' in checked) expect(checked.error.offset).toBeGreaterThanOrEqual(offset);
      else expect(checked.end).toBeLessThanOrEqual(input.length);
    }),
    { numRuns: 5_000 },
  );
});
