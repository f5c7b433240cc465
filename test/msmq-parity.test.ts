/** docs/msmq-parity.md leaves nothing out, and what it says is shown by a test is shown by one. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const page = readFileSync(join(ROOT, 'docs', 'msmq-parity.md'), 'utf8');
/** Cells of each row that begins with a number. */
const rows = page
  .split('\n')
  .filter((line) => /^\| (?:AC-|F)\d{2} /.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, number = '', ...cells]) => ({ number, cells }));
const features = rows.filter(({ number }) => number.startsWith('F'));

const FOLDERS = ['central', 'cli', 'clients', 'device', 'gateway', 'hardware-sim', 'shared', 'test'];
const testFiles = FOLDERS.flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => join(folder, path)),
);
const textOf = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
/** The beginnings of titles: what stands right behind a quote that opens the first argument of a call. */
const hasTitle = (text: string, title: string): boolean =>
  ["'", '"', '`'].some(
    (quote) => text.includes(`(${quote}${title}`) || new RegExp(`\\(\\s+${quote}${escaped(title)}`).test(text),
  );

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

const numbered = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${String(i + 1).padStart(2, '0')}`);

test('all 62 sentences and all 94 features are there, once, in order', () => {
  const inOrder = rows.map(({ number }) => number);
  expect(inOrder).toEqual([...numbered('AC-', 62), ...numbered('F', 94)]);
});

test('each of the 62 sentences is the beginning of a test, but for those that say that they are not yet', () => {
  const titles = testFiles.flatMap((file) => [...textOf(file).matchAll(/\(\s*['"`](AC-\d\d) /g)]);
  const tested = new Set(titles.map(([, number]) => number));
  const notYet = rows.filter(({ cells }) => cells.some((cell) => cell.includes('not yet'))).map(({ number }) => number);
  expect(numbered('AC-', 62).filter((number) => !tested.has(number))).toEqual(
    notYet.filter((number) => number.startsWith('AC-')),
  );
});

test.each(features)('$number says what is here, and what is shown is shown', ({ number, cells }) => {
  const [there = '', here = '', shown = ''] = cells;
  expect(there).not.toBe('');
  expect(here).toMatch(/^(?:as there|otherwise:|no:|not yet:)/);
  if (/^(?:as there|otherwise)/.test(here)) expect(shown, `${number} is shown by`).not.toBe('');
  for (const [, file = '', title = ''] of shown.matchAll(/`([^`>]+) > ([^`]+)`/g)) {
    expect(testFiles).toContain(file);
    expect(hasTitle(textOf(file), title), `${file} has a test that begins with: ${title}`).toBe(true);
  }
  const rest = shown.replaceAll(/`[^`]+`/g, '').replaceAll(/AC-(?:0[1-9]|[1-5]\d|6[0-2])\b/g, '');
  expect(rest.replaceAll(/[, ]/g, '')).toBe('');
});
