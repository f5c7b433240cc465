/** What an operator says about a queue (docs/configuration.md, `[queues.<queue>]`). */

/**
 * What a message sent here meets when its queue, or the ring, has no room. `reject`: QUEUE_FULL. `block`: it waits for room.
 * `drop-oldest`, `drop-lowest-priority`: it takes the place of others, in one frame with their end.
 */
export const WHEN_FULL = ['reject', 'block', 'drop-oldest', 'drop-lowest-priority'] as const;
export type WhenFull = (typeof WHEN_FULL)[number];

/** The same for messages of other nodes. `wait`: they stay where they are. `dead-letter`: they end in `$dead` as Q_EXCEED_QUOTA. */
export const REMOTE_WHEN_FULL = ['wait', 'dead-letter'] as const;
export type RemoteWhenFull = (typeof REMOTE_WHEN_FULL)[number];

export interface QueueOptions {
  /** Bytes of messages, ready, delayed and leased, beyond which there is no room. */
  readonly bytesLimit: number;
  /** Bytes of the ring kept for this queue, each message with the 64 bytes of its entry. */
  readonly bytesReserved: number;
  readonly whenFull: WhenFull;
  readonly remoteWhenFull: RemoteWhenFull;
}

/** What nobody said. */
export const QUEUE_DEFAULTS = { bytesReserved: 0, whenFull: 'reject', remoteWhenFull: 'wait' } as const;

/** A queue as it is defined: a name, a limit, and what differs from the defaults. */
export type QueueDefinition = Pick<QueueOptions, 'bytesLimit'> & Partial<QueueOptions>;

export function drops(whenFull: WhenFull | undefined): boolean {
  return whenFull === 'drop-oldest' || whenFull === 'drop-lowest-priority';
}

export function sameOptions(a: QueueOptions, b: QueueOptions): boolean {
  return (
    a.bytesLimit === b.bytesLimit &&
    a.bytesReserved === b.bytesReserved &&
    a.whenFull === b.whenFull &&
    a.remoteWhenFull === b.remoteWhenFull
  );
}

/** As META remembers it behind the name; a ring of an earlier version has the limit only. */
export function optionsOf(kept: {
  bytesLimit: number;
  bytesReserved: number;
  whenFull: string;
  remoteWhenFull: string;
}): QueueOptions {
  return {
    bytesLimit: kept.bytesLimit,
    bytesReserved: kept.bytesReserved,
    whenFull: WHEN_FULL.find((known) => known === kept.whenFull) ?? QUEUE_DEFAULTS.whenFull,
    remoteWhenFull: REMOTE_WHEN_FULL.find((known) => known === kept.remoteWhenFull) ?? QUEUE_DEFAULTS.remoteWhenFull,
  };
}
