/** What runs of the yard went through, in words: the table of totals, the holes in it, and whether it is enough to say anything. */
import { type Counts, type Coverage, pairOf, sumOf } from './coverage.ts';

/** Everything that a yard can do to a run, and every moment that it knows. */
export interface Space {
  readonly faults: readonly string[];
  readonly marks: readonly string[];
}

/** How much of a set of pairs was met at least once. */
export interface Matrix {
  readonly met: number;
  readonly of: number;
  /** Pairs that never were. */
  readonly holes: readonly string[];
}

/** A share of empty runs above this says that the draw is wrong, not that the product is right. */
export const VACUOUS_SHARE_MAX = 0.02;
/** From so many seeds on that share means something. */
export const VACUOUS_SEEDS_MIN = 100;
/** From so many seeds on everything that exists must have been met. */
export const ALL_MET_SEEDS_MIN = 300;
/** Holes that are printed of each matrix. */
const HOLES_SHOWN_MAX = 20;
/** Names have commas in them. */
const BETWEEN = ' | ';
const LINE_CHARS_MAX = 130;
const COUNT_CHARS = 9;

/** Every two different kinds of fault. */
export function faultPairs(coverage: Coverage, { faults }: Space): Matrix {
  return matrixOf(
    coverage.pairs,
    faults.flatMap((a, at) => faults.slice(at + 1).map((b) => [a, b] as const)),
  );
}

/** Every kind of fault with every mark. */
export function faultMarks(coverage: Coverage, { faults, marks }: Space): Matrix {
  return matrixOf(
    coverage.pairs,
    faults.flatMap((fault) => marks.map((mark) => [fault, mark] as const)),
  );
}

export function neverHit(counts: Counts, names: readonly string[]): string[] {
  return names.filter((name) => (counts[name] ?? 0) === 0);
}

/** Checks that had nothing to look at in any run. */
export function notExercised({ looked }: Coverage): string[] {
  return sorted(looked)
    .filter(([, count]) => count === 0)
    .map(([check]) => check);
}

/** Why these runs say too little, a sentence each. Broken promises are not among them. */
export function shortfalls(coverage: Coverage, space: Space): string[] {
  const { seeds, vacuous } = coverage;
  const short: string[] = [];
  if (seeds >= VACUOUS_SEEDS_MIN && vacuous > seeds * VACUOUS_SHARE_MAX) {
    short.push(`${vacuous} of ${seeds} seeds delivered too little, more than ${VACUOUS_SHARE_MAX * 100} %`);
  }
  if (seeds < ALL_MET_SEEDS_MIN) return short;
  const faults = neverHit(coverage.faults, space.faults);
  const marks = neverHit(coverage.marks, space.marks);
  if (faults.length > 0) short.push(`faults that never struck: ${faults.join(BETWEEN)}`);
  if (marks.length > 0) short.push(`marks that were never hit: ${marks.join(BETWEEN)}`);
  return short;
}

/** The table of totals, a line each. */
export function describeCoverage(coverage: Coverage, space: Space): string[] {
  const idle = notExercised(coverage);
  const looked = sorted(coverage.looked).filter(([, count]) => count > 0);
  const missed = neverHit(coverage.marks, space.marks);
  const broken = sorted(coverage.violations);
  return [
    row('seeds', `${whole(coverage.seeds)}, ${whole(coverage.vacuous)} of them vacuous`),
    row('virtual time', duration(coverage.virtualMs)),
    row('messages', `${whole(coverage.accepted)} accepted, ${whole(coverage.delivered)} delivered`),
    row('faults', whole(sumOf(coverage.faults))),
    ...columns([...space.faults, ...unknownTo(space.faults, coverage.faults)].map((name) => [name, coverage.faults[name] ?? 0])),
    row('checks looked', looked.length === 0 ? 'at nothing' : 'so often'),
    ...columns(looked),
    row('not exercised', idle.length === 0 ? 'none' : idle.join(', ')),
    row('marks', `${space.marks.length - missed.length} of ${space.marks.length} hit${never(missed)}`),
    row('fault × fault', shown(faultPairs(coverage, space))),
    row('fault × mark', shown(faultMarks(coverage, space))),
    row('violations', broken.length === 0 ? '0' : broken.map(([check, count]) => `${check} ${whole(count)}`).join(', ')),
  ];
}

/** Days, hours, minutes and seconds: the two largest that are not nothing. */
export function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return `${Math.round(ms)} ms`;
  return parts
    .slice(first, first + 2)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}

/** 12,345 */
export function whole(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}

function matrixOf(met: Counts, pairs: readonly (readonly [string, string])[]): Matrix {
  const holes = pairs.filter(([a, b]) => (met[pairOf(a, b)] ?? 0) === 0).map((pair) => pair.join(' × '));
  return { met: pairs.length - holes.length, of: pairs.length, holes };
}

function shown({ met, of, holes }: Matrix): string {
  if (of === 0) return 'no such pairs';
  return `${Math.floor((met / of) * 100)} % of ${whole(of)} met${never(holes)}`;
}

function never(names: readonly string[]): string {
  if (names.length === 0) return '';
  const more = names.length - HOLES_SHOWN_MAX;
  return `; never: ${names.slice(0, HOLES_SHOWN_MAX).join(BETWEEN)}${more > 0 ? `${BETWEEN}and ${whole(more)} more` : ''}`;
}

/** Names that were counted and are not on the list: shown, so that nothing is counted in secret. */
function unknownTo(names: readonly string[], counts: Counts): string[] {
  return Object.keys(counts)
    .filter((name) => !names.includes(name))
    .sort();
}

/** S2 before S10. */
function sorted(counts: Counts): [string, number][] {
  return Object.entries(counts).sort(([a], [b]) => byNumber(a, b));
}

function byNumber(a: string, b: string): number {
  const [, wordA = '', numberA = ''] = /^(\D*)(\d*)/.exec(a) ?? [];
  const [, wordB = '', numberB = ''] = /^(\D*)(\d*)/.exec(b) ?? [];
  if (wordA !== wordB) return wordA < wordB ? -1 : 1;
  return Number(numberA) - Number(numberB) || (a < b ? -1 : 1);
}

function row(name: string, value: string): string {
  return `${name.padEnd(16)}${value}`;
}

/** As many to a line as fit. */
function columns(counts: readonly (readonly [string, number])[]): string[] {
  const chars = COUNT_CHARS + 3 + Math.max(0, ...counts.map(([name]) => name.length));
  const perLine = Math.max(1, Math.floor(LINE_CHARS_MAX / chars));
  const lines: string[] = [];
  for (let at = 0; at < counts.length; at += perLine) {
    const cells = counts
      .slice(at, at + perLine)
      .map(([name, count]) => `${whole(count).padStart(COUNT_CHARS)} ${name}`.padEnd(chars));
    lines.push(cells.join('').trimEnd());
  }
  return lines;
}
