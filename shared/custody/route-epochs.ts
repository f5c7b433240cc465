/**
 * Where a node is attached, in numbers that say which of two announcements is the later one (docs/routes.md, section 3).
 *
 *   [device's]                     at the gateway it dials
 *   [device's, gateway's, …]       above it: a gateway that moves takes those below along, by its own epoch
 *
 * An epoch is 32 bits that go round: of two the later one is the one ahead by less than half of all. So there is no last one: whoever
 * claimed a node by an epoch far ahead is overtaken by the next one of the node itself.
 */
import type { CborValue } from '../message/cbor.ts';

export type RouteEpochs = readonly number[];

/** Of a node that tells none. */
export const NO_EPOCH = 0;
/** As many as a message passes nodes. */
export const EPOCH_COUNT_MAX = 15;

/** The epoch after this one; never NO_EPOCH. */
export function epochAfter(epoch: number): number {
  return ((epoch + 1) >>> 0) % 2 ** 32 || 1;
}

/** Positive when `a` is later than `b`. One that is not there is NO_EPOCH. `count`: how many of them are looked at. */
export function compareEpochs(a: RouteEpochs, b: RouteEpochs, count = Math.max(a.length, b.length)): number {
  for (let at = 0; at < count; at++) {
    const ahead = ((a[at] ?? NO_EPOCH) - (b[at] ?? NO_EPOCH)) | 0;
    if (ahead !== 0) return ahead;
  }
  return 0;
}

/** Undefined for anything else than a list of epochs. */
export function epochsIn(value: CborValue): number[] | undefined {
  if (!Array.isArray(value) || value.length === 0 || value.length > EPOCH_COUNT_MAX) return undefined;
  const epochs = value.filter((one) => typeof one === 'number' && Number.isSafeInteger(one) && one >= 0 && one < 2 ** 32);
  return epochs.length === value.length ? (epochs as number[]) : undefined;
}
