import type { EndingClass } from '../message/classes.ts';

/** The byte that stands for an ending class in a GAP. None is ever reused. */
export const CLASS_CODE = {
  UNUSED: 0,
  RECEIVE_TIMEOUT: 1,
  PURGED: 2,
  DROPPED: 3,
  CORRUPT: 4,
  REJECTED: 5,
  BAD_DST_Q: 6,
  Q_EXCEED_QUOTA: 7,
  BAD_TELEGRAM: 8,
  BROKER_REFUSED: 9,
  TOO_LARGE: 10,
  POISON: 11,
  CLONED: 12,
  REACH_QUEUE_TIMEOUT: 13,
  Q_PURGED: 14,
  Q_DELETED: 15,
  ACCESS_DENIED: 16,
  HOP_COUNT_EXCEEDED: 17,
  BAD_SIGNATURE: 18,
  BAD_ENCRYPTION: 19,
  NOT_TRANSACTIONAL_Q: 20,
  NOT_TRANSACTIONAL_MSG: 21,
  SUPERSEDED: 22,
  NOT_REPLAYED: 23,
  MISSING: 24,
} as const satisfies Record<EndingClass, number>;
/** The class a byte stands for; undefined for one of a later version. */
export const CLASS_OF_CODE: ReadonlyMap<number, EndingClass> = new Map(
  Object.entries(CLASS_CODE).map(([name, code]) => [code as number, name as EndingClass]),
);

/** Reasons for which a receiver refuses a message for good. */
const REFUSALS: readonly EndingClass[] = ['CORRUPT', 'REJECTED', 'BAD_DST_Q', 'Q_EXCEED_QUOTA', 'TOO_LARGE', 'CLONED'];

/** What the reason of a REJECT means. One that is none of the reasons is a refusal all the same. */
export function refusalClass(reason: number): EndingClass {
  const known = CLASS_OF_CODE.get(reason);
  return known !== undefined && REFUSALS.includes(known) ? known : 'REJECTED';
}
