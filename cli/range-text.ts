/** Numbers of a stream, for people. */
import type { Range } from '../shared/custody/holes.ts';

/** Ranges that are shown; `--json` has all. */
const RANGE_COUNT_SHOWN = 8;

export function rangesText(ranges: readonly Range[]): string {
  const shown = ranges.slice(0, RANGE_COUNT_SHOWN).map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`));
  const more = ranges.length - shown.length;
  return `${shown.join(' ')}${more > 0 ? ` and ${more} more ranges` : ''}`;
}

/** With `coarse` they hold more than what is counted, or less. */
export function lossNumbers({
  ranges,
  detail,
}: {
  readonly ranges: readonly Range[];
  readonly detail: 'exact' | 'coarse';
}): string {
  if (detail === 'exact') return rangesText(ranges);
  return ranges.length === 0 ? 'unknown' : `about ${rangesText(ranges)}`;
}
