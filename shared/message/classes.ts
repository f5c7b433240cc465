/**
 * How a message can end without being received. MSMQ's classes by their names [MC-MQAC 2.2.2.9], ours beside them. Part of the wire
 * format and of META: a name is never used for anything else.
 */
export const ENDING_CLASSES = [
  /** Numbers that were never given to a message, or whose message this node no longer has. */
  'UNUSED',
  /** MSMQ: timeToBeReceived was over before anybody received it. */
  'RECEIVE_TIMEOUT',
  /** MSMQ: purged on its way, before it was stored at its destination. */
  'PURGED',
  'DROPPED',
  'CORRUPT',
  'REJECTED',
  'BAD_DST_Q',
  'Q_EXCEED_QUOTA',
  'BAD_TELEGRAM',
  'BROKER_REFUSED',
  'TOO_LARGE',
  'POISON',
  /** Its number was given out twice: the store it came from was rolled back or cloned. */
  'CLONED',
  /** MSMQ: timeToReachQueue, or what was left of timeToBeReceived, was over before it was stored at its destination. */
  'REACH_QUEUE_TIMEOUT',
  /** MSMQ: its queue was purged. */
  'Q_PURGED',
  /** MSMQ: its queue was deleted. */
  'Q_DELETED',
  /** MSMQ: the policy of the receiving node refuses its sender. */
  'ACCESS_DENIED',
  'HOP_COUNT_EXCEEDED',
  'BAD_SIGNATURE',
  'BAD_ENCRYPTION',
  /** MSMQ: it belongs to a transaction, and the policy of the queue takes none. */
  'NOT_TRANSACTIONAL_Q',
  /** MSMQ: it belongs to no transaction, and the policy of the queue takes no other. */
  'NOT_TRANSACTIONAL_MSG',
  /** A newer one of its stream came, and its queue keeps the latest alone. */
  'SUPERSEDED',
  /** It waited for a connection on its way, and its queue takes none that did. */
  'NOT_REPLAYED',
  /** Another neighbour was to bring it, and did not in time. It may still come, and then it counts no more. */
  'MISSING',
] as const;
export type EndingClass = (typeof ENDING_CLASSES)[number];

export function isEndingClass(text: string): text is EndingClass {
  return (ENDING_CLASSES as readonly string[]).includes(text);
}
