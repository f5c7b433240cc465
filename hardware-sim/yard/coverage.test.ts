import { describe, expect, test } from 'vitest';
import { addCoverage, type Coverage, type CoveredRun, coverageOf, NO_COVERAGE, pairOf } from './coverage.ts';

const RUN: CoveredRun = {
  history: { events: [{ kind: 'send' }, { kind: 'accepted' }, { kind: 'accepted' }, { kind: 'refused' }] },
  violations: [{ check: 'S1' }, { check: 'S1' }, { check: 'L2' }],
  looked: new Map([
    ['S1', 7],
    ['S10', 0],
  ]),
  virtualMs: 1_000,
  delivered: 1,
  vacuous: true,
  marks: new Set(['wrapped']),
  faults: { cut: 2, noise: 1 },
  pairs: ['noise × cut', 'cut × noise', 'cut × wrapped'],
};

describe('the coverage of a run', () => {
  test('counts what was accepted, and a seed once for each mark and pair', () => {
    expect(coverageOf(RUN)).toEqual({
      seeds: 1,
      vacuous: 1,
      virtualMs: 1_000,
      accepted: 2,
      delivered: 1,
      faults: { cut: 2, noise: 1 },
      looked: { S1: 7, S10: 0 },
      marks: { wrapped: 1 },
      pairs: { [pairOf('cut', 'noise')]: 1, [pairOf('cut', 'wrapped')]: 1 },
      violations: { S1: 2, L2: 1 },
    });
  });

  test('is plain JSON', () => expect(JSON.parse(JSON.stringify(coverageOf(RUN)))).toEqual(coverageOf(RUN)));

  test('names a pair alike whichever stands first', () => expect(pairOf('b', 'a')).toBe(pairOf('a', 'b')));
});

describe('coverage of several workers', () => {
  const other: Coverage = {
    ...NO_COVERAGE,
    seeds: 2,
    virtualMs: 5,
    faults: { cut: 3, rot: 1 },
    looked: { S10: 4 },
    marks: { full: 2 },
  };
  const one = coverageOf(RUN);

  test('is added name by name', () => {
    const sum = addCoverage(one, other);
    expect(sum.seeds).toBe(3);
    expect(sum.virtualMs).toBe(1_005);
    expect(sum.faults).toEqual({ cut: 5, noise: 1, rot: 1 });
    expect(sum.looked).toEqual({ S1: 7, S10: 4 });
    expect(sum.marks).toEqual({ wrapped: 1, full: 2 });
    expect(sum.violations).toEqual({ S1: 2, L2: 1 });
  });

  test('is the same in whichever order it is added', () => {
    expect(addCoverage(other, one)).toEqual(addCoverage(one, other));
    expect(addCoverage(addCoverage(one, other), one)).toEqual(addCoverage(one, addCoverage(other, one)));
  });

  test('leaves both as they were', () => {
    const before = structuredClone([one, other, NO_COVERAGE]);
    addCoverage(addCoverage(NO_COVERAGE, one), other);
    expect([one, other, NO_COVERAGE]).toEqual(before);
  });
});
