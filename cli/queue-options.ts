/** What a queue is, as options of a command line and as lines for people. */

import { formatSize } from '../shared/node/config/sizes.ts';
import {
  JOURNAL,
  ORDERING,
  QUEUE_STATE,
  type QueueOptions,
  REMOTE_WHEN_FULL,
  REPLAY,
  WHEN_FULL,
} from '../shared/queue/queue-options.ts';
import { durationMs, type OptionSpecs, type OptionValues, oneOf, wholeNumber } from './args.ts';
import { sizeOption } from './ring-options.ts';
import { timeText } from './time-text.ts';

export const CHANGE_OPTIONS = {
  'bytes-limit': { type: 'string', value: 'size', help: 'beyond it the queue is full: 64KiB, 8MiB' },
  'bytes-reserved': { type: 'string', value: 'size', help: 'room of the ring kept for it' },
  'when-full': { type: 'string', value: 'what', choices: WHEN_FULL, help: WHEN_FULL.join(', ') },
  'remote-when-full': {
    type: 'string',
    value: 'what',
    choices: REMOTE_WHEN_FULL,
    help: `for messages of other nodes: ${REMOTE_WHEN_FULL.join(', ')}`,
  },
  label: { type: 'string', short: 'l', value: 'text', help: 'for people' },
  state: { type: 'string', value: 'what', choices: QUEUE_STATE, help: 'running, or paused: it hands out nothing' },
  journal: { type: 'string', value: 'what', choices: JOURNAL, help: 'on: a copy of what is received goes to $journal' },
  replay: { type: 'string', value: 'what', choices: REPLAY, help: 'what waited for a connection on its way: all, latest, never' },
  'dead-letter-queue': { type: 'string', value: 'queue', help: 'where its dead letters go' },
  'time-to-be-received': { type: 'string', value: 'time', help: 'of messages that say none; 0: they never expire' },
  'deliveries-max': { type: 'string', value: 'n', help: 'a message that fails so often is a dead letter; 0: never' },
  retry: { type: 'string', value: 'time', help: 'wait after the second failed delivery; 0: none' },
  'retry-factor': { type: 'string', value: 'n', help: 'each further wait is so many times longer' },
  'retry-max': { type: 'string', value: 'time', help: 'the longest wait' },
  'retry-jitter': { type: 'string', value: 'percent', help: 'by which waits vary' },
} as const satisfies OptionSpecs;

export const CREATE_OPTIONS = {
  ...CHANGE_OPTIONS,
  ordering: { type: 'string', value: 'how', choices: ORDERING, help: 'strict: nothing overtakes; never changes again' },
} as const satisfies OptionSpecs;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What was said, and nothing else. @throws USAGE_INVALID */
export function optionsOf(values: OptionValues<typeof CREATE_OPTIONS>): Partial<QueueOptions> {
  const said: Mutable<Partial<QueueOptions>> = {};
  const with_ = (name: keyof typeof values, take: (text: string, option: string) => void): void => {
    const text = values[name];
    if (text !== undefined) take(text, name);
  };
  with_('bytes-limit', (text, option) => (said.bytesLimit = sizeOption(`--${option}`, text)));
  with_('bytes-reserved', (text, option) => (said.bytesReserved = sizeOption(`--${option}`, text)));
  with_('when-full', (text, option) => (said.whenFull = oneOf(option, text, WHEN_FULL)));
  with_('remote-when-full', (text, option) => (said.remoteWhenFull = oneOf(option, text, REMOTE_WHEN_FULL)));
  with_('label', (text) => (said.label = text));
  with_('state', (text, option) => (said.state = oneOf(option, text, QUEUE_STATE)));
  with_('journal', (text, option) => (said.journal = oneOf(option, text, JOURNAL)));
  with_('replay', (text, option) => (said.replay = oneOf(option, text, REPLAY)));
  with_('dead-letter-queue', (text) => (said.deadLetterQueue = text));
  with_('time-to-be-received', (text, option) => (said.timeToBeReceivedMs = durationMs(option, text)));
  with_('deliveries-max', (text, option) => (said.deliveriesMax = wholeNumber(option, text)));
  with_('retry', (text, option) => (said.retryMs = durationMs(option, text)));
  with_('retry-factor', (text, option) => (said.retryFactor = wholeNumber(option, text)));
  with_('retry-max', (text, option) => (said.retryMsMax = durationMs(option, text)));
  with_('retry-jitter', (text, option) => (said.retryJitterPercent = wholeNumber(option, text)));
  with_('ordering', (text, option) => (said.ordering = oneOf(option, text, ORDERING)));
  return said;
}

/** Name and value, in the words of the options. */
export function optionRows(options: QueueOptions): [string, string][] {
  return [
    ['label', options.label],
    ['bytes limit', formatSize(options.bytesLimit)],
    ['bytes reserved', formatSize(options.bytesReserved)],
    ['when full', options.whenFull],
    ['remote when full', options.remoteWhenFull],
    ['ordering', options.ordering],
    ['state', options.state],
    ['journal', options.journal],
    ['replay', options.replay],
    ['dead letter queue', options.deadLetterQueue],
    ['time to be received', options.timeToBeReceivedMs === 0 ? 'no end' : timeText(options.timeToBeReceivedMs)],
    ['deliveries max', options.deliveriesMax === 0 ? 'no end' : String(options.deliveriesMax)],
    ['retry', retryText(options)],
  ];
}

function retryText({ retryMs, retryFactor, retryMsMax, retryJitterPercent }: QueueOptions): string {
  if (retryMs === 0) return 'at once';
  const jitter = retryJitterPercent === 0 ? '' : `, ± ${retryJitterPercent} %`;
  return `after ${timeText(retryMs)}, then × ${retryFactor} up to ${timeText(retryMsMax)}${jitter}`;
}
