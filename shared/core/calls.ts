/** What applications, adapters and the local API ask of a node, and what they get. */

import type { Account } from '../custody/node-store.ts';
import type { ErrorCode, RingmailError } from '../errors.ts';
import type { Hop } from '../message/envelope.ts';
import type { Ending, Message, Properties } from '../message/message.ts';
import type { RemoteWhenFull, WhenFull } from '../queue/queue-options.ts';

export type Call =
  /**
   * Answered when the message is on the disk, or by the node's word alone where its durability is `interval` (see `Durability`).
   * `position` is an adapter's place in its source, stored in the same frame: its source is told, so that one always waits for the disk.
   * `dead`: the message is given up as it arrives; it goes to `$dead` with this ending, and `destination` is not used.
   * `waitMs`: how long it may wait for room where its queue blocks; the node's own default otherwise.
   */
  | {
      readonly verb: 'send';
      readonly destination: string;
      readonly body: Uint8Array;
      readonly properties: Properties;
      readonly position?: { readonly name: string; readonly value: Uint8Array };
      readonly dead?: Ending;
      readonly waitMs?: number;
    }
  /** Leases the most urgent message. Waits up to `waitMs`, then answers with nothing. */
  | { readonly verb: 'receive'; readonly queue: string; readonly waitMs: number; readonly leaseMs: number }
  /** Received: answered when the message can never be delivered again. */
  | { readonly verb: 'ack'; readonly lease: string }
  /** Back to its place, visible again after `delayMs`; answered when that is on the disk, if there is a delay. */
  | { readonly verb: 'nack'; readonly lease: string; readonly delayMs: number }
  /** Given up by the application: into `$dead` with its history. */
  | { readonly verb: 'deadLetter'; readonly lease: string; readonly reason: string }
  | { readonly verb: 'position'; readonly name: string }
  | { readonly verb: 'stats' };

/**
 * What an answered write survives. `sync`: a power cut, as far as the system can know. `interval`: one that comes later than the
 * configured interval; what was answered within it may be lost, also with the process alone. `volatile`: nothing, the ring lies in
 * memory. `unknown`: nobody said.
 */
export type Durability = 'sync' | 'interval' | 'volatile' | 'unknown';

export interface Received {
  readonly lease: string;
  readonly leaseMs: number;
  readonly message: Message;
  readonly hop: Hop;
  /** Times it was leased, this one counted, whatever happened in between (docs/durability.md, "Delivery counts"). */
  readonly deliveryCount: number;
}

export interface QueueStats {
  readonly name: string;
  readonly ready: number;
  readonly leased: number;
  /** Not to be delivered yet. */
  readonly delayed: number;
  /** Of messages that it holds or that are on their way to its disk. */
  readonly bytes: number;
  readonly bytesLimit: number;
  readonly bytesReserved: number;
  readonly whenFull: WhenFull;
  readonly remoteWhenFull: RemoteWhenFull;
  /** Senders that wait for room. */
  readonly blocked: number;
  /** Messages that made room for others, ever. */
  readonly dropped: number;
  /** Messages whose timeToBeReceived was over, ever. */
  readonly expired: number;
}

export interface StreamStats {
  readonly stream: string;
  readonly held: number;
  readonly lo: number;
  readonly next: number;
}

/** What to add to this node's wall clock to get that of a neighbour, in µs, and how wrong that is at most. */
export interface ClockStats {
  readonly node: string;
  readonly offsetUs: number;
  readonly qualityUs: number;
}

/** `red` has at least one cause. Codes are API. */
export interface Health {
  readonly status: 'green' | 'red';
  readonly causes: readonly { readonly code: HealthCode; readonly detail: string }[];
}
export type HealthCode =
  | 'NOT_SERVING'
  | 'FORKED'
  | 'RING_DAMAGED'
  | 'CORRUPT_MESSAGES'
  | 'UPLINK_DOWN'
  | 'NO_PROGRESS'
  | 'RING_FULL';

export interface Stats {
  readonly node: string;
  readonly incarnation: string;
  readonly epoch: number;
  readonly health: Health;
  readonly ring: {
    readonly bytesUsed: number;
    readonly bytesMax: number;
    readonly freeBlocks: number;
    /** In the life of the ring; copies of the same message are not counted. */
    readonly messagesStored: number;
    readonly framesWritten: number;
    readonly blocksWritten: number;
    /** Damaged places that the last opening found. */
    readonly gaps: number;
    /** Damage in the life of the ring: places, frames, and messages that nothing shows any more. */
    readonly lost: { readonly gaps: number; readonly frames: number; readonly ids: number };
    readonly corrupt: number;
    readonly durability: Durability;
    /** With durability `interval`: how much of what was answered a power cut may take back, in ms. 0 otherwise. */
    readonly intervalMs: number;
    /** How the next write is done, in the words of the port; '' when it has none. */
    readonly ioMode: string;
  };
  readonly queues: readonly QueueStats[];
  readonly outgoing: readonly StreamStats[];
  readonly uplink: string;
  readonly links: readonly string[];
  /** Clocks of neighbours that this node dials; nothing here is ordered or validated by them. */
  readonly clocks: readonly ClockStats[];
  readonly accounts: readonly Account[];
  /** Since this opening of the store, lines that ended included. */
  readonly counters: Readonly<Record<string, number>>;
  /** By the adapter's name: since the process began. The core knows of none; the shell that runs them adds them. */
  readonly adapters: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** By serial port, as it is configured: what was wrong with it since the node started. Of a node that has opened any. */
  readonly ports?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** By line or listening place, as it is configured, or by adapter: `open`, `opening`, or why it is not. Of a node with roles. */
  readonly lines?: Readonly<Record<string, string>>;
}

export type CallResult =
  | { readonly kind: 'sent'; readonly identity: string; readonly durability: Durability }
  | { readonly kind: 'received'; readonly received: Received }
  | { readonly kind: 'empty' }
  | { readonly kind: 'done' }
  | { readonly kind: 'position'; readonly value: Uint8Array | undefined }
  | { readonly kind: 'stats'; readonly stats: Stats }
  | { readonly kind: 'error'; readonly error: RingmailError<ErrorCode> };
