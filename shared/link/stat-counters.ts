/** The counters of the TLV STAT, in the order in which they cross the line. The list is frozen; new ones come behind (docs/link.md 7). */

export const STAT_COUNTERS = [
  'packetsSent',
  'packetsReceived',
  'runsCorrupt',
  'runsMalformed',
  'runsTooLong',
  'packetsRepeated',
  'packetsCut',
] as const;

/** Between two STATs of one line: a few bytes, for whoever looks at one end and wonders about the other. */
export const STAT_MS = 600_000;
/** From the opening of a line to the first: it has seen something by then. */
export const STAT_FIRST_MS = 60_000;

/** In the order of the list. */
export function statCounters(counted: Readonly<Record<string, number>>): number[] {
  return STAT_COUNTERS.map((name) => counted[name] ?? 0);
}

/** For people. Counters of later versions have no name here. */
export function statText(counters: readonly number[]): string {
  const named = STAT_COUNTERS.flatMap((name, i) => (counters[i] === undefined ? [] : [`${name} ${counters[i]}`]));
  return named.join(', ');
}
