/**
 * What runs of the yard have been through, added up. Plain JSON: workers count apart, and what they counted is added in any order with
 * the same result. `coverage-report.ts` puts it into words, and says whether it is enough.
 *
 *   run ──coverageOf──▶ Coverage ──┐
 *   run ──coverageOf──▶ Coverage ──┴─addCoverage──▶ Coverage
 */
import type { YardEvent } from './history.ts';

/** What is counted of a run. */
export interface CoveredRun {
  readonly history: { readonly events: readonly Pick<YardEvent, 'kind'>[] };
  readonly violations: readonly { readonly check: string }[];
  /** How often each check had something to look at, 0 included. */
  readonly looked: ReadonlyMap<string, number>;
  readonly virtualMs: number;
  readonly delivered: number;
  readonly vacuous: boolean;
  readonly marks: ReadonlySet<string>;
  readonly faults: Readonly<Record<string, number>>;
  /** `a × b`: two faults, or a fault and a mark, within one window. Either may stand first. */
  readonly pairs: readonly string[];
}

export type Counts = Readonly<Record<string, number>>;

export interface Coverage {
  readonly seeds: number;
  /** Seeds that delivered too little to say anything. */
  readonly vacuous: number;
  readonly virtualMs: number;
  readonly accepted: number;
  readonly delivered: number;
  /** Times each kind of fault struck. */
  readonly faults: Counts;
  /** Times each check had something to look at. */
  readonly looked: Counts;
  /** Seeds in which each mark was hit. */
  readonly marks: Counts;
  /** Seeds in which each pair was met, by `pairOf`. */
  readonly pairs: Counts;
  /** Violations by check. */
  readonly violations: Counts;
}

export const NO_COVERAGE: Coverage = {
  seeds: 0,
  vacuous: 0,
  virtualMs: 0,
  accepted: 0,
  delivered: 0,
  faults: {},
  looked: {},
  marks: {},
  pairs: {},
  violations: {},
};

const BETWEEN = ' × ';

/** The name of a pair, whichever stands first. */
export function pairOf(a: string, b: string): string {
  return a < b ? `${a}${BETWEEN}${b}` : `${b}${BETWEEN}${a}`;
}

export function coverageOf(run: CoveredRun): Coverage {
  const pairs = new Set(run.pairs.map(inOrder));
  return {
    seeds: 1,
    vacuous: run.vacuous ? 1 : 0,
    virtualMs: run.virtualMs,
    accepted: run.history.events.filter(({ kind }) => kind === 'accepted').length,
    delivered: run.delivered,
    faults: { ...run.faults },
    looked: Object.fromEntries(run.looked),
    marks: countEach(run.marks),
    pairs: countEach(pairs),
    violations: countEach(run.violations.map(({ check }) => check)),
  };
}

/** Both together. Neither is changed. */
export function addCoverage(a: Coverage, b: Coverage): Coverage {
  return {
    seeds: a.seeds + b.seeds,
    vacuous: a.vacuous + b.vacuous,
    virtualMs: a.virtualMs + b.virtualMs,
    accepted: a.accepted + b.accepted,
    delivered: a.delivered + b.delivered,
    faults: addCounts(a.faults, b.faults),
    looked: addCounts(a.looked, b.looked),
    marks: addCounts(a.marks, b.marks),
    pairs: addCounts(a.pairs, b.pairs),
    violations: addCounts(a.violations, b.violations),
  };
}

export function sumOf(counts: Counts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function inOrder(pair: string): string {
  const [a = '', b = ''] = pair.split(BETWEEN);
  return pairOf(a, b);
}

function countEach(names: Iterable<string>): Counts {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function addCounts(a: Counts, b: Counts): Counts {
  const sum: Record<string, number> = { ...a };
  for (const [name, count] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}
