/**
 * Searches for less of a list that still does. `accepts` says of a candidate whether it does, and remembers it if so; each question may
 * be dear. Leaving items out is delta debugging (Zeller, Hildebrandt: Simplifying and Isolating Failure-Inducing Input, 2002).
 */

/**
 * Leaves out as many items as it can; `accepts` says of what is kept whether it will do, and remembers it. At the end no part of them
 * can be left out, with as many parts as there are items or `partsMax`, unless `accepts` has run out of patience.
 */
export async function keepFewest<T>(
  items: readonly T[],
  partsMax: number,
  accepts: (kept: T[]) => Promise<boolean>,
): Promise<void> {
  if (items.length === 0 || (await accepts([]))) return;
  let kept = [...items];
  let parts = 2;
  while (kept.length > 1) {
    const size = Math.ceil(kept.length / parts);
    let isSmaller = false;
    for (let from = 0; from < kept.length && kept.length > 1; ) {
      const rest = [...kept.slice(0, from), ...kept.slice(from + size)];
      if (rest.length > 0 && (await accepts(rest))) {
        kept = rest;
        isSmaller = true;
      } else {
        from += size;
      }
    }
    const isFinest = parts >= Math.min(kept.length, partsMax);
    if (isFinest && !isSmaller) return;
    parts = Math.min(kept.length, partsMax, isSmaller && size > 1 ? parts : parts * 2);
  }
}

/** Goes as far along the list as `accepts` lets it, by halves: where it refuses a place, those behind it are taken for refused too. */
export async function halve(places: readonly number[], accepts: (place: number) => Promise<boolean>): Promise<void> {
  let good = 0;
  let bad = places.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (await accepts(places[middle] as number)) good = middle;
    else bad = middle;
  }
}

/** Makes as many items simpler as it can: all of them, else halves, quarters, … of them, down to one, or to `partsMax` parts. */
export async function simplifyEach<T>(
  items: readonly T[],
  { simpler, partsMax }: { readonly simpler: (item: T) => T; readonly partsMax: number },
  accepts: (items: T[]) => Promise<boolean>,
): Promise<void> {
  let current = [...items];
  for (let size = items.length; size >= 1 && items.length / size <= partsMax; size = Math.floor(size / 2)) {
    for (let from = 0; from < current.length; from += size) {
      const candidate = current.map((item, at) => (at >= from && at < from + size ? simpler(item) : item));
      if (await accepts(candidate)) current = candidate;
    }
  }
}
