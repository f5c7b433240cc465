/** What a queue may be told. */
import { refuseProperty } from '../errors.ts';
import { QUEUE_LABEL_LENGTH_MAX, RETRY_FACTOR_MAX, RETRY_MS_MAX } from '../limits.ts';
import { isQueueName, isSystemQueue } from '../message/address.ts';
import { DELIVERY_COUNT_MAX } from '../ring/entry-layout.ts';
import {
  JOURNAL,
  ORDERING,
  QUEUE_DEFAULTS,
  QUEUE_STATE,
  type QueueOptions,
  REMOTE_WHEN_FULL,
  REPLAY,
  WHEN_FULL,
} from './queue-options.ts';

/** Of each option the words that it takes; the others are numbers or free text, as their defaults are. */
export const OPTION_WORDS: Partial<Record<keyof QueueOptions, readonly string[]>> = {
  whenFull: WHEN_FULL,
  remoteWhenFull: REMOTE_WHEN_FULL,
  ordering: ORDERING,
  state: QUEUE_STATE,
  journal: JOURNAL,
  replay: REPLAY,
};
/** Of each option that is a whole number the smallest and the largest. */
export const OPTION_RANGES = {
  bytesLimit: [1, Number.MAX_SAFE_INTEGER],
  bytesReserved: [0, Number.MAX_SAFE_INTEGER],
  timeToBeReceivedMs: [0, Number.MAX_SAFE_INTEGER],
  deliveriesMax: [0, DELIVERY_COUNT_MAX],
  retryMs: [0, RETRY_MS_MAX],
  retryMsMax: [0, RETRY_MS_MAX],
  retryJitterPercent: [0, 100],
} as const satisfies Partial<Record<keyof QueueOptions, readonly [number, number]>>;
/** A system queue makes room by itself, keeps no journal of its own and gives nothing up. */
const OF_SYSTEM_QUEUES = ['bytesLimit', 'bytesReserved', 'label'];

/** What is said of `name` on top of `before`, the whole of it checked. @throws PROPERTY_INVALID for the first rule that is broken */
export function withOptions(name: string, before: QueueOptions, said: Partial<QueueOptions>): QueueOptions {
  const known = Object.keys({ bytesLimit: 0, ...QUEUE_DEFAULTS });
  const given = Object.entries(said).filter(([, value]) => value !== undefined);
  for (const [key] of given) {
    if (!known.includes(key)) refuseProperty(key, 'not a property of queues');
    if (isSystemQueue(name) && !OF_SYSTEM_QUEUES.includes(key)) refuseProperty(key, 'not for a system queue');
  }
  const options: QueueOptions = { ...before, ...Object.fromEntries(given) };
  checkOptions(name, options);
  return options;
}

/** @throws PROPERTY_INVALID for the first rule that is broken */
export function checkOptions(name: string, options: QueueOptions): void {
  for (const [key, [min, max]] of Object.entries(OPTION_RANGES)) {
    const value: unknown = options[key as keyof QueueOptions];
    if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max)
      refuseProperty(key, `not a whole number from ${min} to ${max}`);
  }
  for (const [key, words] of Object.entries(OPTION_WORDS)) {
    const value: unknown = options[key as keyof QueueOptions];
    if (!words.some((word) => word === value)) refuseProperty(key, `not one of ${words.join(', ')}`);
  }
  const { bytesLimit, bytesReserved, label, deadLetterQueue, retryFactor } = options;
  if (bytesReserved > bytesLimit) refuseProperty('bytesReserved', 'more than bytesLimit');
  if (typeof label !== 'string' || label.length > QUEUE_LABEL_LENGTH_MAX)
    refuseProperty('label', `not a text of up to ${QUEUE_LABEL_LENGTH_MAX}`);
  if (typeof deadLetterQueue !== 'string' || !isQueueName(deadLetterQueue))
    refuseProperty('deadLetterQueue', 'not a name of a queue');
  if (deadLetterQueue === name && !isSystemQueue(name)) refuseProperty('deadLetterQueue', 'the queue itself');
  // What stands in the others is the node's word, and programs go by it.
  if (isSystemQueue(deadLetterQueue) && deadLetterQueue !== '$dead' && !isSystemQueue(name)) {
    refuseProperty('deadLetterQueue', 'a system queue other than $dead');
  }
  if (!(retryFactor >= 1 && retryFactor <= RETRY_FACTOR_MAX))
    refuseProperty('retryFactor', `not a number from 1 to ${RETRY_FACTOR_MAX}`);
}
