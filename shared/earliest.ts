/** The first of some times, of those that are set. */
export function earliest(...timesMs: readonly (number | undefined)[]): number | undefined {
  let first: number | undefined;
  for (const timeMs of timesMs) if (timeMs !== undefined && (first === undefined || timeMs < first)) first = timeMs;
  return first;
}
