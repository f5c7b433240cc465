import { expect, test } from 'vitest';
import { tableLines } from './table.ts';

const COLUMNS = [
  { head: 'n', align: 'right' },
  { head: 'name', cut: 'long' },
  { head: 'why', cut: 'long' },
] as const;

test('columns are as wide as what is in them', () => {
  expect(
    tableLines(COLUMNS, [
      ['1', 'a', 'b'],
      ['100', 'bags', ''],
    ]),
  ).toEqual(['  n  name  why', '  1  a     b', '100  bags']);
});

test('what is too wide is cut where it may be, the widest first, to 80 characters', () => {
  const lines = tableLines(COLUMNS, [['1', 'x'.repeat(300), 'y'.repeat(30)]]);
  expect(lines.map((line) => [...line].length)).toEqual([53, 80]);
  expect(lines[1]).toBe(`1  ${'x'.repeat(44)}…  ${'y'.repeat(30)}`);
});

test('a text is on one line, and steers no terminal', () => {
  expect(tableLines([{ head: 'a' }], [['\u001b[2J\nb\u2028c\td']])).toEqual(['a', '\\x1b[2J\\nb\\x2028c\\td']);
});
