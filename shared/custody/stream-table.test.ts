import { expect, test } from 'vitest';
import type { MessageIndex } from '../ring/message-index.ts';
import type { MetaTable } from '../ring/meta-table.ts';
import { metaChange } from './meta-keys.ts';
import { Outgoing } from './outgoing.ts';
import { StreamTable } from './stream-table.ts';

const INCARNATION = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

/** META of a ring, as its readers ask for it. */
function metas(values: Readonly<Record<string, Parameters<typeof metaChange>[1]>>): MetaTable {
  const changes = Object.entries(values).map(([key, value]) => metaChange(key, value));
  return {
    *withPrefix(prefix: string) {
      for (const { key, value } of changes) if (key.startsWith(prefix) && value) yield [key, value];
    },
  } as unknown as MetaTable;
}

test('of two handles of one stream the newer stands for both, in whatever order they are found', () => {
  const older = ['device', INCARNATION, 'central/bags', 3];
  const other = ['device', INCARNATION, 'central/bags', 5];
  for (const found of [
    { 's/4': older, 's/9': older, 's/5': other },
    { 's/9': older, 's/5': other, 's/4': older },
  ]) {
    const streams = new StreamTable();
    streams.load(metas(found));
    expect([4, 5, 9].map((handle) => streams.standing(handle))).toEqual([9, 5, 9]);
    expect(streams.find(streams.key(4))).toBe(9);
  }
});

test('what goes out under an older handle goes on under the newer: its place among the numbers, and no number twice', () => {
  const streams = new StreamTable();
  const stored = metas({
    's/4': ['device', INCARNATION, 'central/bags', 3],
    's/9': ['device', INCARNATION, 'central/bags', 3],
    'o/4': [1, 20],
    'o/9': [4, 16],
    'g/4/2': [3, 'CORRUPT', 'gateway'],
  });
  streams.load(stored);
  const outgoing = new Outgoing({} as MessageIndex);
  outgoing.load(
    stored,
    (handle) => streams.key(handle),
    (handle) => streams.standing(handle),
  );
  expect([...outgoing].map(({ handle, lo, next, gaps }) => ({ handle, lo, next, gaps }))).toEqual([
    { handle: 9, lo: 4, next: 20, gaps: [] },
  ]);
});
