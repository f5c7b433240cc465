import { expect, test } from 'vitest';
import { formatSize, parseSize } from './sizes.ts';

test.each<[string, number]>([
  ['0', 0],
  ['4096', 4096],
  ['4096 B', 4096],
  ['64 KiB', 65_536],
  ['64KiB', 65_536],
  ['16 MiB', 16_777_216],
  [' 16 MiB ', 16_777_216],
  ['1.5 GiB', 1_610_612_736],
  ['0.3 KiB', 307],
])('%j is %i bytes', (text, bytes) => expect(parseSize(text)).toBe(bytes));

test.each([
  '',
  ' ',
  'MiB',
  '16 MB',
  '16 mib',
  '16 TiB',
  '-1',
  '+1',
  '1e6',
  '0x10',
  '1,5 MiB',
  '1_000',
  '.5 MiB',
  '5. MiB',
  '16  MiB',
  '16 MiB/s',
  '١٦ MiB',
  '9007199254740992',
  '9007199 GiB',
  '1'.repeat(400),
])('%j is no size', (text) => expect(parseSize(text)).toBeUndefined());

test.each<[number, string]>([
  [0, '0 B'],
  [1, '1 B'],
  [1023, '1023 B'],
  [1024, '1 KiB'],
  [16_777_216, '16 MiB'],
  [1_610_612_736, '1.5 GiB'],
  [6_704_332, '6.39 MiB'],
  [16_777_215, '15.99 MiB'],
])('%i bytes are told as %s, never as more', (bytes, text) => {
  expect(formatSize(bytes)).toBe(text);
  expect(parseSize(text)).toBeLessThanOrEqual(bytes);
});
