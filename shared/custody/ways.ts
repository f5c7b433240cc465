/**
 * Which of several ways out is taken (docs/routes.md, section 1). Pure: the same ways, times and patience give the same choice.
 *
 *   stands ──session lost──▶ lost: counts as standing for failoverMs ──▶ down
 *     ▲                                                                   │
 *     └──────────────────────────── session ◀────────────────────────────┘
 *
 *   the way in use is kept while it counts as standing, unless a better one has stood for failbackMs without a break
 *   it does not count any more: the first one that does
 *   none does: it stays, and waits
 *
 * At an opening every way is lost that moment: the preferred one gets its time to come up before another is taken.
 */
export interface WayState {
  readonly stands: boolean;
  /** Since when it does, or does not; monotonic, in milliseconds. */
  readonly sinceMs: number;
}

export interface Patience {
  /** So long after its session was lost a way still counts as standing. */
  readonly failoverMs: number;
  /** So long a better way must have stood before a worse one is left for it. */
  readonly failbackMs: number;
}

export interface Choice<W> {
  /** Undefined: there is none. */
  readonly way: W | undefined;
  /** When time alone may change the choice. */
  readonly againAtMs: number | undefined;
}

/** `ways`: those that lead there, the preferred one first. `current`: the one in use, one of them; undefined: none was so far. */
export function chooseWay<W extends WayState>(
  ways: readonly W[],
  current: W | undefined,
  { nowMs, failoverMs, failbackMs }: Patience & { readonly nowMs: number },
): Choice<W> {
  const counts = ({ stands, sinceMs }: W) => stands || nowMs < sinceMs + failoverMs;
  const isBack = ({ stands, sinceMs }: W) => stands && nowMs >= sinceMs + failbackMs;
  const inUse = current !== undefined && counts(current) ? current : ways.find(counts);
  if (inUse === undefined) return { way: current ?? ways[0], againAtMs: undefined };
  const better = ways.slice(0, ways.indexOf(inUse));
  const way = inUse === current ? (better.find(isBack) ?? inUse) : inUse;
  const times = ways.slice(0, ways.indexOf(way)).filter(({ stands }) => stands);
  const againAtMs = Math.min(
    ...times.map(({ sinceMs }) => sinceMs + failbackMs),
    way.stands ? Number.POSITIVE_INFINITY : way.sinceMs + failoverMs,
  );
  return { way, againAtMs: againAtMs === Number.POSITIVE_INFINITY ? undefined : againAtMs };
}
