import { describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { LOSS_RANGE_COUNT_MAX } from '../limits.ts';
import { isExact, NO_TALLY, sharing, type Tally, tallied, tallyFields, tallyOf } from './accounts.ts';
import { countOf, includes, type Range } from './holes.ts';

const at = (number: number): Range => ({ from: number, to: number });
const lost = (tally: Tally, ...numbers: number[]): Tally =>
  numbers.reduce((before, number) => tallied(before, { count: 1, ranges: [at(number)] }), tally);
const found = (tally: Tally, number: number): Tally => tallied(tally, { count: -1, ranges: [at(number)] });
const text = ({ count, ranges, unnumbered }: Tally): string =>
  [count, ...ranges.map(({ from, to }) => `${from}-${to}`), ...(unnumbered > 0 ? [`+${unnumbered}`] : [])].join(' ');

describe('an account', () => {
  test('holds the numbers that ended, and what touches is one range', () => {
    expect(text(lost(NO_TALLY, 7, 3, 4, 9, 8))).toBe('5 3-4 7-9');
  });

  test('gives numbers back when they come after all', () => {
    const five = tallied(NO_TALLY, { count: 5, ranges: [{ from: 1, to: 5 }] });
    expect(text(found(five, 3))).toBe('4 1-2 4-5');
    expect(found(found(lost(NO_TALLY, 1, 2), 1), 2)).toEqual(NO_TALLY);
  });

  test('beyond its limit merges the two nearest, and never loses the count', () => {
    const apart = Array.from({ length: LOSS_RANGE_COUNT_MAX }, (_, i) => 1 + i * 10);
    const full = lost(NO_TALLY, ...apart);
    expect([isExact(full), full.ranges.length]).toEqual([true, LOSS_RANGE_COUNT_MAX]);
    const more = lost(full, 45);
    expect([isExact(more), more.count, more.ranges.length]).toEqual([false, 17, LOSS_RANGE_COUNT_MAX]);
    expect(more.ranges).toContainEqual({ from: 41, to: 45 });
  });

  test('of an older version goes on with what is known from now on', () => {
    const old = tallyOf([3]);
    expect([text(old), tallyFields(old), isExact(old)]).toEqual(['3 +3', 3, false]);
    const grown = lost(old, 12);
    expect([text(grown), tallyFields(grown)]).toEqual(['4 12-12 +3', [4, 12, 12, 3]]);
    // Which of the three it was nobody knows.
    expect(text(found(grown, 2))).toBe('3 12-12 +2');
  });

  test('counts a number twice that two messages bore', () => {
    expect(text(lost(NO_TALLY, 4, 4))).toBe('2 4-4 +1');
  });

  test('shares the ranges of a batch with very many others', () => {
    const full = lost(NO_TALLY, 1, 3, 5, 7, 90);
    expect(text(sharing(full, 32))).toBe('5 1-7 90-90');
    expect(text(sharing(full, 4))).toBe(text(full));
  });
});

test('against a plain set of numbers: the count is always right, exact ranges are the set, and coarse ones hold it', () => {
  let coarse = 0;
  for (let run = 0; run < 60; run++) {
    const random = stream('accounts', String(run));
    const model = new Set<number>();
    let tally = NO_TALLY;
    const span = 20 + random.int(200);
    for (let step = 0; step < 120; step++) {
      const from = 1 + random.int(span);
      const to = Math.min(span, from + random.int(4));
      const numbers = Array.from({ length: to - from + 1 }, (_, i) => from + i);
      if (random.int(3) > 0) {
        const fresh = numbers.filter((number) => !model.has(number));
        if (fresh.length === 0) continue;
        tally = tallied(tally, { count: fresh.length, ranges: fresh.map(at) });
        for (const number of fresh) model.add(number);
      } else {
        const taken = numbers.filter((number) => model.has(number));
        if (taken.length === 0) continue;
        tally = tallied(tally, { count: -taken.length, ranges: taken.map(at) });
        for (const number of taken) model.delete(number);
      }
      tally = tallyOf([tallyFields(tally)].flat());
      expect([tally.count, tally.unnumbered]).toEqual([model.size, 0]);
      expect(tally.ranges.length).toBeLessThanOrEqual(LOSS_RANGE_COUNT_MAX);
      expect([...model].every((number) => includes(tally.ranges, number))).toBe(true);
      if (isExact(tally)) expect(countOf(tally.ranges)).toBe(model.size);
      else coarse += 1;
    }
  }
  expect(coarse).toBeGreaterThan(100);
});
