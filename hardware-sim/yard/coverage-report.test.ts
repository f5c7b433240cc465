import { describe, expect, test } from 'vitest';
import { type Coverage, NO_COVERAGE, pairOf } from './coverage.ts';
import {
  ALL_MET_SEEDS_MIN,
  describeCoverage,
  duration,
  faultMarks,
  faultPairs,
  notExercised,
  shortfalls,
  VACUOUS_SEEDS_MIN,
  whole,
} from './coverage-report.ts';

const SPACE = { faults: ['cut', 'noise', 'rot'], marks: ['wrapped', 'full'] };
/** Met everything there is. */
const ALL: Coverage = {
  ...NO_COVERAGE,
  seeds: ALL_MET_SEEDS_MIN,
  faults: { cut: 5, noise: 1, rot: 1 },
  looked: { S10: 2, S2: 0, S1: 3 },
  marks: { wrapped: 1, full: 1 },
  pairs: { [pairOf('cut', 'noise')]: 1, [pairOf('cut', 'wrapped')]: 1 },
};

function line(coverage: Coverage, name: string, space = SPACE): string | undefined {
  return describeCoverage(coverage, space).find((text) => text.startsWith(name));
}

describe('the matrix', () => {
  test('of faults has every two once, and no fault with itself', () => {
    expect(faultPairs(ALL, SPACE)).toEqual({ met: 1, of: 3, holes: ['cut × rot', 'noise × rot'] });
  });

  test('of faults and marks has each with each', () => {
    const { met, of, holes } = faultMarks(ALL, SPACE);
    expect([met, of]).toEqual([1, 6]);
    expect(holes).toEqual(['cut × full', 'noise × wrapped', 'noise × full', 'rot × wrapped', 'rot × full']);
  });

  test('prints its share and its holes', () => {
    expect(line(ALL, 'fault × fault')).toBe('fault × fault   33 % of 3 met; never: cut × rot | noise × rot');
  });

  test('prints no more than twenty holes, and how many more there are', () => {
    const faults = Array.from({ length: 8 }, (_, at) => `fault-${at}`);
    const text = line(NO_COVERAGE, 'fault × fault', { faults, marks: [] }) ?? '';
    expect(text).toMatch(/^fault × fault {3}0 % of 28 met; never: .* \| and 8 more$/);
    expect(text.match(/ × /g)).toHaveLength(1 + 20);
  });

  test('is not full before the last hole is closed', () => {
    const faults = Array.from({ length: 30 }, (_, at) => `fault-${at}`);
    const { holes } = faultPairs(NO_COVERAGE, { faults, marks: [] });
    const pairs = Object.fromEntries(holes.slice(1).map((pair) => [pairOf(...(pair.split(' × ') as [string, string])), 1]));
    expect(line({ ...NO_COVERAGE, pairs }, 'fault × fault', { faults, marks: [] })).toContain('99 % of 435 met; never: ');
  });
});

describe('the table', () => {
  test('lists a check that never had anything to look at as not exercised', () => {
    expect(notExercised(ALL)).toEqual(['S2']);
    expect(line(ALL, 'not exercised')).toBe('not exercised   S2');
  });

  test('counts checks in the order of their numbers', () => {
    const table = describeCoverage({ ...ALL, looked: { S10: 1, L1: 1, S2: 1 } }, SPACE).join('\n');
    expect(table.match(/\b[SL]\d+\b/g)).toEqual(['L1', 'S2', 'S10']);
  });

  test('shows faults that never struck, and those that nobody announced', () => {
    const table = describeCoverage({ ...ALL, faults: { cut: 1234, flood: 1 } }, SPACE).join('\n');
    expect(table).toContain('1,234 cut');
    expect(table).toContain('0 rot');
    expect(table).toContain('1 flood');
  });

  test.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [61_000, '1 min 1 s'],
    [3_600_000, '1 h 0 min'],
    [90_061_000, '1 d 1 h'],
  ])('says %d ms as %s', (ms, text) => expect(duration(ms)).toBe(text));

  test.each([
    [999, '999'],
    [1_000, '1,000'],
    [1_234_567, '1,234,567'],
  ])('says %d as %s', (count, text) => expect(whole(count)).toBe(text));
});

describe('too little was tried', () => {
  test('not where everything was met', () => expect(shortfalls(ALL, SPACE)).toEqual([]));

  test('where more than 2 % of the seeds were vacuous', () => {
    const seeds = VACUOUS_SEEDS_MIN;
    expect(shortfalls({ ...NO_COVERAGE, seeds, vacuous: 2 }, SPACE)).toEqual([]);
    expect(shortfalls({ ...NO_COVERAGE, seeds, vacuous: 3 }, SPACE)).toEqual([
      '3 of 100 seeds delivered too little, more than 2 %',
    ]);
  });

  test('not where a few seeds are too few for a share', () => {
    expect(shortfalls({ ...NO_COVERAGE, seeds: 10, vacuous: 1 }, SPACE)).toEqual([]);
  });

  test('where a long run never met a fault or a mark', () => {
    const short: Coverage = { ...ALL, faults: { cut: 1 }, marks: { wrapped: 3, full: 0 } };
    expect(shortfalls(short, SPACE)).toEqual(['faults that never struck: noise | rot', 'marks that were never hit: full']);
    expect(shortfalls({ ...short, seeds: ALL_MET_SEEDS_MIN - 1 }, SPACE)).toEqual([]);
  });
});
