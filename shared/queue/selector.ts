/**
 * Which message of a queue is meant. Only ready ones are looked at: what is leased, delayed or planned is in nobody's view.
 *
 *   first, last           by priority, then in order of arrival: the order in which they are received
 *   after, before         the neighbour of a place, whether or not the message that was there still is
 *   lookupId              the one that got this id when it came here; ids ascend, over restarts too
 *   identity              by its identity
 *   correlationId         the first one that carries it
 *   arrivedAfter          the one with the next higher lookup id, whatever its priority. For `peek` alone; it shows what is leased or
 *                         delayed, too: who follows what arrives in a queue must not miss a message because it is in somebody's hands
 */
import { RingmailError } from '../errors.ts';

export type Selector =
  | { readonly by: 'first' | 'last' }
  | { readonly by: 'after' | 'before'; readonly place: Place }
  | { readonly by: 'lookupId'; readonly lookupId: number }
  | { readonly by: 'identity'; readonly identity: string }
  | { readonly by: 'correlationId'; readonly correlationId: string }
  | { readonly by: 'arrivedAfter'; readonly lookupId: number };

const NAMED: ReadonlySet<string> = new Set<Selector['by']>([
  'first',
  'last',
  'after',
  'before',
  'lookupId',
  'identity',
  'correlationId',
  'arrivedAfter',
]);

/** For what comes from programs that no compiler read. @throws PROPERTY_INVALID */
export function checkSelector(select: Selector): void {
  const { by } = select;
  if (!NAMED.has(by)) throw new RingmailError('PROPERTY_INVALID', { property: 'select', reason: `nothing is selected by ${by}` });
}

/** Where a message stands in its queue. A cursor is one of these. */
export interface Place {
  readonly priority: number;
  readonly lookupId: number;
}

/** As it is written in queries and on command lines: `3.120`. */
export function placeText({ priority, lookupId }: Place): string {
  return `${priority}.${lookupId}`;
}

/** Inverse of `placeText`; undefined for anything else. */
export function parsePlace(text: string): Place | undefined {
  const [, priority, lookupId] = /^([0-7])\.([0-9]{1,15})$/.exec(text) ?? [];
  return priority === undefined ? undefined : { priority: Number(priority), lookupId: Number(lookupId) };
}
