import { beforeEach, describe, expect, test } from 'vitest';
import {
  BATCH_BYTES_MAX,
  TRIAL_ALONE_COUNT,
  TRIAL_GROW_COUNT,
  TRIAL_LOST_COUNT,
  TRIAL_REFUSED_COUNT,
  TRIAL_TURN_MS,
} from '../limits.ts';
import { Trial } from './trial.ts';

const FREE = { publishCountMax: Number.POSITIVE_INFINITY, bytesMax: Number.POSITIVE_INFINITY };

let trial: Trial;
let nowMs: number;
beforeEach(() => {
  trial = new Trial();
  nowMs = 1_000;
});

function lose(times: number, name: string, item: string, of = { itemCount: 1, bytes: 1_000 }): void {
  for (let i = 0; i < times; i++) trial.lost(name, { item, ...of }, nowMs);
}

test('losses over different items, or over nothing, accuse nobody', () => {
  for (let i = 0; i < 20; i++) lose(TRIAL_LOST_COUNT - 1, 'a', `a ${i}`);
  for (let i = 0; i < 20; i++) trial.lost('b', undefined, nowMs);
  expect([trial.leave('a', nowMs), trial.wakeAtMs]).toEqual([FREE, undefined]);
});

test('what passed in between begins anew', () => {
  for (let i = 0; i < 20; i++) {
    lose(TRIAL_LOST_COUNT - 1, 'a', 'a 1');
    trial.passed('a', nowMs);
  }
  expect(trial.leave('a', nowMs)).toEqual(FREE);
});

describe('an item on its way first, each time', () => {
  test('goes in batches of half the bytes, one at a time, and is refused once it was lost alone three times', () => {
    lose(TRIAL_LOST_COUNT, 'a', 'a 1', { itemCount: 30, bytes: 8_000 });
    expect(trial.leave('a', nowMs)).toEqual({ publishCountMax: 1, bytesMax: 4_000 });
    lose(1, 'a', 'a 1', { itemCount: 15, bytes: 3_900 });
    expect(trial.leave('a', nowMs)).toEqual({ publishCountMax: 1, bytesMax: 1_950 });
    lose(1, 'a', 'a 1', { itemCount: 2, bytes: 1_900 });
    lose(TRIAL_ALONE_COUNT - 1, 'a', 'a 1');
    expect(trial.refusedOf('a')).toBeUndefined();
    lose(1, 'a', 'a 1');
    expect([trial.refusedOf('a'), trial.leave('a', nowMs), trial.leave('b', nowMs)]).toEqual(['a 1', FREE, FREE]);
    trial.ended('a');
    expect(trial.refusedOf('a')).toBeUndefined();
  });

  test('lets all others wait, so that nobody pays for another', () => {
    for (const name of ['a', 'b', 'c']) lose(TRIAL_LOST_COUNT, name, `${name} 1`);
    expect(['a', 'b', 'c', 'd'].map((name) => trial.leave(name, nowMs) === 'wait')).toEqual([false, true, true, true]);
    lose(20, 'b', 'b 1');
    expect(trial.refusedOf('b')).toBeUndefined();
    trial.passed('a', nowMs);
    expect(['a', 'b', 'c', 'd'].map((name) => trial.leave(name, nowMs) === 'wait')).toEqual([true, false, true, true]);
    lose(TRIAL_ALONE_COUNT, 'b', 'b 1');
    trial.left('c', nowMs);
    expect([trial.refusedOf('b'), trial.leave('d', nowMs)]).toEqual(['b 1', FREE]);
  });

  test('is let go when for a while nothing happens to it', () => {
    for (const name of ['a', 'b']) lose(TRIAL_LOST_COUNT, name, `${name} 1`);
    expect(trial.wakeAtMs).toBe(nowMs + TRIAL_TURN_MS);
    expect(trial.leave('b', nowMs + TRIAL_TURN_MS - 1)).toBe('wait');
    expect(trial.leave('b', nowMs + TRIAL_TURN_MS)).toMatchObject({ publishCountMax: 1 });
    expect(trial.leave('c', nowMs + 2 * TRIAL_TURN_MS)).toMatchObject({ publishCountMax: Number.POSITIVE_INFINITY });
  });
});

test('where the size of batches was it they stay small, and grow again with what passes', () => {
  lose(TRIAL_LOST_COUNT, 'a', 'a 1', { itemCount: 30, bytes: 8_000 });
  trial.passed('a', nowMs);
  expect(trial.leave('a', nowMs)).toEqual({ ...FREE, bytesMax: 4_000 });
  for (let i = 0; i < TRIAL_GROW_COUNT; i++) trial.passed('a', nowMs);
  expect(trial.leave('b', nowMs)).toEqual({ ...FREE, bytesMax: 8_000 });
  for (let bytes = 8_000; bytes < BATCH_BYTES_MAX; bytes *= 2)
    for (let i = 0; i < TRIAL_GROW_COUNT; i++) trial.passed('a', nowMs);
  expect(trial.leave('b', nowMs)).toEqual(FREE);
});

test('where one after the other is refused and nothing passes it is not the items', () => {
  for (let i = 0; i < TRIAL_REFUSED_COUNT; i++) {
    lose(TRIAL_LOST_COUNT + TRIAL_ALONE_COUNT, 'a', `a ${i}`);
    expect(trial.refusedOf('a')).toBe(`a ${i}`);
    trial.ended('a');
  }
  lose(100, 'a', 'another');
  expect(trial.refusedOf('a')).toBeUndefined();
  trial.passed('b', nowMs);
  trial.left('a', nowMs);
  lose(TRIAL_LOST_COUNT + TRIAL_ALONE_COUNT, 'a', 'another');
  expect(trial.refusedOf('a')).toBe('another');
});

test('one that is refused and not given up lets the others have their turn, so that what passes may pass', () => {
  for (let i = 0; i < TRIAL_REFUSED_COUNT; i++) {
    lose(TRIAL_LOST_COUNT + TRIAL_ALONE_COUNT, 'a', `a ${i}`);
    trial.ended('a');
  }
  lose(TRIAL_LOST_COUNT, 'a', 'a last');
  expect(trial.leave('b', nowMs)).toBe('wait');
  lose(TRIAL_ALONE_COUNT, 'a', 'a last');
  expect(trial.refusedOf('a')).toBeUndefined();
  expect(trial.leave('b', nowMs)).toMatchObject({ publishCountMax: Number.POSITIVE_INFINITY });
});
