/** What a machine believes about the date, and what others may believe of it. Nothing is ordered or validated by it. */

/**
 * 2025-01-01. A clock that shows an earlier time was never set, since this is older than the protocol: a board without a battery begins
 * at 1970, or where its last file was written.
 */
export const KNOWN_SINCE_US = 1_735_689_600_000_000;

/** On the line: a side that does not know the time says so. */
export const UNKNOWN_TIME_US = 0;

/** µs since 1970 as a packet says it: whole, or `UNKNOWN_TIME_US` for a clock that is not there or was never set. */
export function toldTimeUs(wallUs: number | undefined): number {
  return wallUs !== undefined && isKnownTime(wallUs) ? Math.floor(wallUs) : UNKNOWN_TIME_US;
}

/** Whether a time that somebody told is one. */
export function isKnownTime(unixTimeUs: number): boolean {
  return unixTimeUs >= KNOWN_SINCE_US && unixTimeUs <= Number.MAX_SAFE_INTEGER;
}
