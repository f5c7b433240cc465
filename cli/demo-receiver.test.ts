import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Arrival, RecordReader } from '../hardware-sim/hall/hall-arrivals.ts';
import { ArrivalBook } from './demo-receiver.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringmail-'));
  path = join(folder, 'arrivals.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

const arrival = (identity: string): Arrival => ({
  identity,
  queue: 'bags',
  label: 'belt-1',
  priority: 3,
  ending: undefined,
  body: Uint8Array.of(66, 83, 77),
});
const inFile = (): string[] =>
  new RecordReader()
    .push(readFileSync(path, 'utf8'))
    .map((record) => (record.kind === 'effect' ? record.arrival.identity : `again ${record.identity}`));

test('an effect happens once; what comes again is noted and skipped', async () => {
  const book = await ArrivalBook.open(path);
  await Promise.all(['a', 'b', 'a'].map((identity) => book.take(arrival(identity))));
  expect(inFile()).toEqual(['a', 'b', 'again a']);
  await book.close();
});

test('after a crash it knows what it has, and takes away a line that was cut off', async () => {
  const before = await ArrivalBook.open(path);
  await before.take(arrival('a'));
  await before.close();
  appendFileSync(path, '{"identity":"b","que');
  const book = await ArrivalBook.open(path);
  await book.take(arrival('a'));
  await book.take(arrival('b'));
  await book.close();
  expect(inFile()).toEqual(['a', 'again a', 'b']);
});

test('after a failed write nothing is taken any more', async () => {
  const book = await ArrivalBook.open(path);
  await book.close();
  await expect(book.take(arrival('a'))).rejects.toThrow();
  await expect(book.take(arrival('b'))).rejects.toThrow();
  expect(inFile()).toEqual([]);
  await book.close();
});
