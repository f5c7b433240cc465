/** Times for people. */

const MS_BY_UNIT: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
];

/** In the largest unit that says it exactly: what `--time-to-be-received` and the like take. */
export function timeText(ms: number): string {
  const [unit, factor] = MS_BY_UNIT.find(([, size]) => ms > 0 && ms % size === 0) ?? ['ms', 1];
  return ms === 0 ? '0' : `${ms / factor}${unit}`;
}
