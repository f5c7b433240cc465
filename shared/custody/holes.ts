/**
 * The numbers of a stream at its destination, where its ways meet again: which are here or ended, which are still to come, and which are
 * given up. A value, and steps that make the next one.
 *
 *        1         next                          next        every number below `next` is one of: known, in a hole, in a closed hole
 *        ├─ known ─┼─ not seen ─ …
 *
 *   not seen ──message, gap──▶ known             elsewhere over numbers not seen ──▶ a hole: it waits for another neighbour
 *   hole     ──message, gap──▶ known             what is above it is stored, and nobody sees it
 *   hole     ──waited long───▶ closed            MISSING; what is above it goes on
 *   closed   ──message───────▶ known, late       the account is corrected, by a gap too
 *   closed   ──too many──────▶ known             forgotten, and counted: who comes after that is a repeat
 *
 * A closed hole is remembered however far the neighbours have come: who brings its numbers late may be one that this node never heard of
 * (docs/routes.md, section 2).
 */
import { CLOSED_HOLE_COUNT_MAX, HOLE_COUNT_MAX } from '../limits.ts';

/** Both ends belong to it. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

export interface Hole extends Range {
  /** When it was opened, or grew, in milliseconds of the core; of one that an earlier opening of the store left: the begin of this one. */
  readonly sinceMs: number;
}

export interface Numbers {
  /** The first one of which nothing is known. */
  readonly next: number;
  /** Ascending, disjoint. */
  readonly holes: readonly Hole[];
  /** Given up as missing. Ascending, disjoint. */
  readonly closed: readonly Range[];
}

/** `too-many`: it would open one hole too many, and has to wait until another one is gone. */
export type Refused = 'too-many';

export const NO_NUMBERS: Numbers = { next: 1, holes: [], closed: [] };

/** What a message of this number is to a destination. */
export type Place = 'new' | 'fills' | 'late' | 'known';

export function placeOf({ next, holes, closed }: Numbers, number: number): Place {
  if (number >= next) return 'new';
  if (holes.length > 0 && includes(holes, number)) return 'fills';
  return closed.length > 0 && includes(closed, number) ? 'late' : 'known';
}

/** True when the step would change nothing: all of it is known, or waited for already where that is all that is said. */
export function isKnown(numbers: Numbers, { from, to }: Range, item: 'ending' | 'elsewhere'): boolean {
  if (to >= numbers.next) return false;
  return item === 'elsewhere' || !(overlaps(numbers.holes, from, to) || overlaps(numbers.closed, from, to));
}

/** A message is stored. */
export function withMessage(numbers: Numbers, number: number, nowMs: number): Numbers | Refused {
  const { next, holes, closed } = numbers;
  if (number === next && holes.length === 0) return { next: next + 1, holes, closed };
  return withKnown(numbers, { from: number, to: number }, nowMs);
}

/** Numbers ended. `ended`: those of them that had no ending until now; `corrected`: and those that were given up as missing. */
export function withEnding(
  numbers: Numbers,
  range: Range,
  nowMs: number,
): { readonly numbers: Numbers; readonly ended: readonly Range[]; readonly corrected: readonly Range[] } | Refused {
  const after = withKnown(numbers, range, nowMs);
  if (after === 'too-many') return after;
  const unseen = { from: numbers.next, to: Number.POSITIVE_INFINITY };
  const ended = within([...numbers.holes, unseen], range);
  return { numbers: after, ended, corrected: within(numbers.closed, range) };
}

/** These numbers come from another neighbour, if they come: what is not known of them is waited for. */
export function withElsewhere(numbers: Numbers, { to }: Range, nowMs: number): Numbers | Refused {
  if (to < numbers.next) return numbers;
  return bounded(numbers, { ...numbers, next: to + 1, holes: opened(numbers, to, nowMs) });
}

/** Holes are given up. `missing`: numbers in them; `forgotten`: numbers of older closed ones that are not remembered any more. */
export function withClosed(
  numbers: Numbers,
  isGivenUp: (hole: Hole) => boolean,
): { readonly numbers: Numbers; readonly missing: readonly Range[]; readonly forgotten: number } {
  const missing = numbers.holes.filter(isGivenUp).map(({ from, to }) => ({ from, to }));
  const holes = numbers.holes.filter((hole) => !isGivenUp(hole));
  const all = merged([...numbers.closed, ...missing]);
  const closed = all.slice(-CLOSED_HOLE_COUNT_MAX);
  const forgotten = countOf(all) - countOf(closed);
  return { numbers: { next: numbers.next, holes, closed }, missing, forgotten };
}

/** Nobody sees a message from this number on before the hole is gone; Infinity when there is none. */
export function firstHole({ holes }: Numbers): number {
  return holes[0]?.from ?? Number.POSITIVE_INFINITY;
}

export function countOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0);
}

/** As META holds them: two numbers each. */
export function rangeFields(ranges: readonly Range[]): number[] {
  return ranges.flatMap(({ from, to }) => [from, to]);
}

export function rangesOf(fields: readonly number[]): Range[] {
  const ranges: Range[] = [];
  for (let at = 0; at + 2 <= fields.length; at += 2) ranges.push({ from: fields[at] ?? 0, to: fields[at + 1] ?? 0 });
  return ranges;
}

/** The ranges without these numbers, which may split one of them. */
export function without<R extends Range>(ranges: readonly R[], { from, to }: Range): readonly R[] {
  if (!overlaps(ranges, from, to)) return ranges;
  const left: R[] = [];
  for (const range of ranges) {
    if (range.to < from || range.from > to) left.push(range);
    if (range.from < from && range.to >= from) left.push({ ...range, to: from - 1 });
    if (range.to > to && range.from <= to) left.push({ ...range, from: to + 1 });
  }
  return left;
}

/** What of the ranges lies within this one. */
function within(ranges: readonly Range[], { from, to }: Range): Range[] {
  const inside = ranges.filter((range) => range.from <= to && from <= range.to);
  return inside.map((range) => ({ from: Math.max(range.from, from), to: Math.min(range.to, to) }));
}

/** Ascending and disjoint; what touches is one. */
export function merged(ranges: readonly Range[]): Range[] {
  const sorted = [...ranges].sort((a, b) => a.from - b.from);
  const result: Range[] = [];
  for (const { from, to } of sorted) {
    const last = result.at(-1);
    if (last !== undefined && from <= last.to + 1) result[result.length - 1] = { from: last.from, to: Math.max(last.to, to) };
    else result.push({ from, to });
  }
  return result;
}

export function includes(ranges: readonly Range[], number: number): boolean {
  return ranges.some(({ from, to }) => from <= number && number <= to);
}

function overlaps(ranges: readonly Range[], from: number, to: number): boolean {
  return ranges.some((range) => range.from <= to && from <= range.to);
}

function withKnown(numbers: Numbers, range: Range, nowMs: number): Numbers | Refused {
  const reached = range.from > numbers.next ? opened(numbers, range.from - 1, nowMs) : numbers.holes;
  const holes = without(reached, range);
  return bounded(numbers, {
    next: Math.max(numbers.next, range.to + 1),
    holes,
    closed: without(numbers.closed, range),
  });
}

/** The holes, and one from `next` to `to`. One that ends where it begins grows: nothing lies above it yet. */
function opened({ next, holes }: Numbers, to: number, sinceMs: number): readonly Hole[] {
  const last = holes.at(-1);
  if (last !== undefined && last.to + 1 === next) return [...holes.slice(0, -1), { from: last.from, to, sinceMs }];
  return [...holes, { from: next, to, sinceMs }];
}

function bounded(before: Numbers, after: Numbers): Numbers | Refused {
  return after.holes.length > HOLE_COUNT_MAX && after.holes.length > before.holes.length ? 'too-many' : after;
}
