/**
 * Loss accounts: how many messages of a stream ended in a way, and which. As META `a/<handle>/<class>` has one:
 *
 *   count                                   numbers unknown: of an older version, or of what has none here
 *   [count, from, to, from, to, ...]        exactly these numbers
 *   [count, from, to, ..., unnumbered]      and so many more of unknown numbers (the one value that has no pair)
 *
 * The ranges are ascending and disjoint, and few: beyond the limit the two nearest become one, which then holds numbers that did not end
 * so. Detail is lost, never the count: `isExact` says which it is.
 */
import { LOSS_RANGE_BATCH_MAX, LOSS_RANGE_COUNT_MAX } from '../limits.ts';
import type { EndingClass } from '../message/classes.ts';
import type { MessageIndex } from '../ring/message-index.ts';
import { countOf, merged, type Range, rangeFields, rangesOf, without } from './holes.ts';

/** Messages of a stream that end without being received. */
export interface Loss {
  readonly handle: number;
  readonly class: EndingClass;
  /** Below 0: so many that were counted have come, or ended in another way, after all. */
  readonly count: number;
  /** Which; left out where nobody knows, or the numbers are another stream's. */
  readonly ranges?: readonly Range[];
}

export interface Tally {
  readonly count: number;
  readonly ranges: readonly Range[];
  /** Of `count`, those whose numbers are not known. */
  readonly unnumbered: number;
}

export const NO_TALLY: Tally = { count: 0, ranges: [], unnumbered: 0 };

/** The account of a loss, or of a correction: that takes its numbers out. After damage there may be less than is taken back. */
export function tallied(before: Tally, loss: Pick<Loss, 'count' | 'ranges'>): Tally {
  const count = Math.max(0, before.count + loss.count);
  if (count === 0) return NO_TALLY;
  if (loss.count < 0) {
    let ranges = before.ranges;
    for (const range of loss.ranges ?? []) ranges = without(ranges, range);
    // What was in no range was among the unnumbered.
    const found = countOf(before.ranges) - countOf(ranges);
    return bounded(count, ranges, before.unnumbered - Math.max(0, -loss.count - found));
  }
  const ranges = loss.ranges === undefined ? before.ranges : merged([...before.ranges, ...loss.ranges]);
  const named = loss.ranges === undefined ? 0 : loss.count;
  // A number that two messages bore, and both ended so, is there once. In coarse ranges nobody can tell.
  const added = before.unnumbered === 0 && !isExact(before) ? named : countOf(ranges) - countOf(before.ranges);
  return bounded(count, ranges, before.unnumbered + loss.count - Math.min(named, added));
}

/** True when its ranges are the numbers that ended so, all of them and no other. */
export function isExact({ count, ranges, unnumbered }: Tally): boolean {
  return unnumbered === 0 && countOf(ranges) === count;
}

export function tallyFields({ count, ranges, unnumbered }: Tally): number | number[] {
  if (ranges.length === 0) return count;
  return [count, ...rangeFields(ranges), ...(unnumbered > 0 ? [unnumbered] : [])];
}

/** Inverse of `tallyFields`. */
export function tallyOf([count = 0, ...rest]: readonly number[]): Tally {
  if (rest.length === 0) return { count, ranges: [], unnumbered: count };
  const unnumbered = rest.length % 2 === 1 ? (rest.at(-1) ?? 0) : 0;
  return { count, ranges: rangesOf(rest), unnumbered };
}

/** One message of this ring. */
export function lossAt(index: MessageIndex, slot: number, ending: EndingClass): Loss {
  const number = index.number(slot);
  return { handle: index.stream(slot), class: ending, count: 1, ranges: [{ from: number, to: number }] };
}

/** All numbers of these ranges. */
export function lossOf(handle: number, ending: EndingClass, ranges: readonly Range[]): Loss {
  return { handle, class: ending, count: countOf(ranges), ranges };
}

function bounded(count: number, ranges: readonly Range[], unnumbered: number): Tally {
  return { count, ranges: fewer(ranges, LOSS_RANGE_COUNT_MAX), unnumbered: Math.min(count, Math.max(0, unnumbered)) };
}

/** Where one batch moves very many accounts, they share these ranges: all of it has to fit into a frame. */
export function sharing(tally: Tally, accountCount: number): Tally {
  const countMax = Math.max(1, Math.floor(LOSS_RANGE_BATCH_MAX / accountCount));
  return { ...tally, ranges: fewer(tally.ranges, countMax) };
}

/** At most so many ranges; of more the two nearest become one, the lowest of equals first. */
function fewer(ranges: readonly Range[], countMax: number): readonly Range[] {
  if (ranges.length <= countMax) return ranges;
  const left = [...ranges];
  while (left.length > countMax) {
    let nearest = 1;
    for (let at = 2; at < left.length; at++) if (distance(left, at) < distance(left, nearest)) nearest = at;
    const [low, high] = [left[nearest - 1], left[nearest]];
    if (low === undefined || high === undefined) return left;
    left.splice(nearest - 1, 2, { from: low.from, to: high.to });
  }
  return left;
}

/** Numbers between a range and the one before it. */
function distance(ranges: readonly Range[], at: number): number {
  return (ranges[at]?.from ?? 0) - (ranges[at - 1]?.to ?? 0);
}
