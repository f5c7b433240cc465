/**
 * The independent witness of a run: what was acknowledged to those who sent, and what those who received hold in hands. It asks no
 * node. From the two it draws the ledger; every line of it is a promise kept or broken.
 */

/** A message told by a key of its own, which only its maker and its receiver know. */
export interface Sent {
  readonly key: string;
  /** What must stay in order among itself: a belt and a priority. */
  readonly orderedWith: string;
}

export interface Arrived {
  readonly key: string;
  readonly orderedWith: string;
  /** Undefined: received. Otherwise the class it ended with. */
  readonly ending: string | undefined;
}

export interface Ledger {
  readonly accepted: number;
  readonly received: number;
  readonly deadLettered: number;
  readonly expired: number;
  /** Acknowledged and nowhere. */
  readonly lost: number;
  /** Effects that happened twice. */
  readonly duplicates: number;
  readonly outOfOrder: number;
}

/** `accepted` in order of acceptance, `arrived` in order of effect. */
export function drawLedger(accepted: readonly Sent[], arrived: readonly Arrived[]): Ledger {
  const seen = new Set<string>();
  let duplicates = 0;
  let received = 0;
  let expired = 0;
  let deadLettered = 0;
  for (const { key, ending } of arrived) {
    if (seen.has(key)) {
      duplicates += 1;
      continue;
    }
    seen.add(key);
    if (ending === undefined) received += 1;
    else if (ending === 'RECEIVE_TIMEOUT') expired += 1;
    else deadLettered += 1;
  }
  const lost = new Set(accepted.map(({ key }) => key).filter((key) => !seen.has(key))).size;
  const acceptedKeys = new Set(accepted.map(({ key }) => key)).size;
  const outOfOrder = countOutOfOrder(accepted, arrived);
  return { accepted: acceptedKeys, received, deadLettered, expired, lost, duplicates, outOfOrder };
}

/** Arrivals that come before one that was accepted earlier among those it is ordered with. Unacknowledged arrivals have no place and are skipped. */
function countOutOfOrder(accepted: readonly Sent[], arrived: readonly Arrived[]): number {
  const place = new Map<string, number>();
  accepted.forEach(({ key }, i) => {
    if (!place.has(key)) place.set(key, i);
  });
  const newest = new Map<string, number>();
  const seen = new Set<string>();
  let count = 0;
  for (const { key, orderedWith, ending } of arrived) {
    const at = place.get(key);
    if (at === undefined || ending !== undefined || seen.has(key)) continue;
    seen.add(key);
    if (at < (newest.get(orderedWith) ?? -1)) count += 1;
    newest.set(orderedWith, Math.max(at, newest.get(orderedWith) ?? -1));
  }
  return count;
}
