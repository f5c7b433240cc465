/** How a message can end without being received. MSMQ's classes where it has one, ours beside them. Part of the wire format. */
export const ENDING_CLASSES = [
  /** Numbers that were never given to a message, or whose message this node no longer has. */
  'UNUSED',
  'EXPIRED',
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
] as const;
export type EndingClass = (typeof ENDING_CLASSES)[number];

export function isEndingClass(text: string): text is EndingClass {
  return (ENDING_CLASSES as readonly string[]).includes(text);
}
