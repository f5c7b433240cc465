/** What an operator or an application says about a queue (docs/queues.md, "Properties"; docs/configuration.md, `[queues.<queue>]`). */

/**
 * What a message sent here meets when its queue, or the ring, has no room. `reject`: QUEUE_FULL. `block`: it waits for room.
 * `drop-oldest`, `drop-lowest-priority`: it takes the place of others, in one frame with their end.
 */
export const WHEN_FULL = ['reject', 'block', 'drop-oldest', 'drop-lowest-priority'] as const;
export type WhenFull = (typeof WHEN_FULL)[number];

/** The same for messages of other nodes. `wait`: they stay where they are. `dead-letter`: they end in `$dead` as Q_EXCEED_QUOTA. */
export const REMOTE_WHEN_FULL = ['wait', 'dead-letter'] as const;
export type RemoteWhenFull = (typeof REMOTE_WHEN_FULL)[number];

/** `strict`: of each stream one message is under lease at a time, so that nothing of it overtakes. Never changes once the queue is made. */
export const ORDERING = ['parallel', 'strict'] as const;
export type Ordering = (typeof ORDERING)[number];

/** `paused`: it takes messages, and hands out none. */
export const QUEUE_STATE = ['running', 'paused'] as const;
export type QueueState = (typeof QUEUE_STATE)[number];

/** `on`: a copy of each message that is received is kept in `$journal`. */
export const JOURNAL = ['off', 'on'] as const;
export type Journal = (typeof JOURNAL)[number];

/**
 * What becomes of a message of another node that waited for a connection on its way. `all`: it is delivered. `latest`: each message that
 * comes takes the place of those of its stream that are ready. `never`: it is not let in.
 */
export const REPLAY = ['all', 'latest', 'never'] as const;
export type Replay = (typeof REPLAY)[number];

export interface QueueOptions {
  /** Bytes of messages, ready, delayed and leased, beyond which there is no room. */
  readonly bytesLimit: number;
  /** Bytes of the ring kept for this queue, each message with the 64 bytes of its entry. */
  readonly bytesReserved: number;
  readonly whenFull: WhenFull;
  readonly remoteWhenFull: RemoteWhenFull;
  /** For people. */
  readonly label: string;
  readonly ordering: Ordering;
  readonly state: QueueState;
  readonly journal: Journal;
  readonly replay: Replay;
  /** The queue of this node where messages of this one go that are given up. */
  readonly deadLetterQueue: string;
  /** Of messages that say none; 0: they never expire. */
  readonly timeToBeReceivedMs: number;
  /** Deliveries of a message; one that fails after so many is POISON. 0: there is no end. */
  readonly deliveriesMax: number;
  /** After the second failed delivery; after the first there is no wait. 0: none ever (retry-delays.ts). */
  readonly retryMs: number;
  /** Each further wait is so many times the one before, up to `retryMsMax`. */
  readonly retryFactor: number;
  readonly retryMsMax: number;
  /** By which each wait varies at random, either way, in percent. */
  readonly retryJitterPercent: number;
}

/** What nobody said. */
export const QUEUE_DEFAULTS: Omit<QueueOptions, 'bytesLimit'> = {
  bytesReserved: 0,
  whenFull: 'reject',
  remoteWhenFull: 'wait',
  label: '',
  ordering: 'parallel',
  state: 'running',
  journal: 'off',
  replay: 'all',
  deadLetterQueue: '$dead',
  timeToBeReceivedMs: 0,
  deliveriesMax: 0,
  retryMs: 0,
  retryFactor: 2,
  retryMsMax: 3_600_000,
  retryJitterPercent: 0,
};

/** A queue as it is defined: a name, a limit, and what differs from the defaults. */
export type QueueDefinition = Pick<QueueOptions, 'bytesLimit'> & Partial<QueueOptions>;

export function drops(whenFull: WhenFull | undefined): boolean {
  return whenFull === 'drop-oldest' || whenFull === 'drop-lowest-priority';
}

export function sameOptions(a: QueueOptions, b: QueueOptions): boolean {
  return (Object.keys(a) as (keyof QueueOptions)[]).every((key) => a[key] === b[key]);
}
