/** What applications, adapters and the local API ask of a node, and what they get. */

import type { Range } from '../custody/holes.ts';
import type { ByteCap } from '../custody/meter.ts';
import type { Account } from '../custody/node-store.ts';
import type { ErrorCode, RingmailError } from '../errors.ts';
import type { EndingClass } from '../message/classes.ts';
import type { Hop } from '../message/envelope.ts';
import type { Ending, Message, Properties } from '../message/message.ts';
import type { QueueOptions } from '../queue/queue-options.ts';
import type { Route } from '../queue/routes.ts';
import type { Selector } from '../queue/selector.ts';

/** A message to send. */
export interface Outgoing {
  readonly destination: string;
  readonly body: Uint8Array;
  readonly properties: Properties;
}

/** Who numbers its own requests: the same number again is the same request, for ever (docs/queues.md, "Producers"). */
export interface ProducerNumber {
  readonly producer: string;
  /** From 1, +1 per request. */
  readonly number: number;
}

/**
 * One part of a transaction. A lease that ends in it is anybody's own. `position`: a place that the caller wants to find again with
 * `position`, stored in the frame; an empty value forgets it. Names that begin with `trigger/` are for applications, and the only ones
 * that other processes may read or write.
 */
export type TransactionStep =
  | ({ readonly do: 'send' } & Outgoing)
  | { readonly do: 'ack'; readonly lease: string }
  | { readonly do: 'deadLetter'; readonly lease: string; readonly reason: string }
  | { readonly do: 'move'; readonly lease: string; readonly to: string }
  | { readonly do: 'position'; readonly name: string; readonly value: Uint8Array };

export type Access = 'receive' | 'peek' | 'send';
/** `alone`: nobody else receives from the queue, or looks into it, while it is open. */
export type Share = 'all' | 'alone';

export type Call =
  /**
   * Answered when the message is on the disk, or by the node's word alone where its durability is `interval` (see `Durability`).
   * `position` is an adapter's place in its source, stored in the same frame: its source is told, so that one always waits for the disk.
   * `dead`: the message is given up as it arrives; it goes to `$dead` with this ending, and `destination` is not used.
   * `waitMs`: how long it may wait for room where its queue blocks; the node's own default otherwise.
   * `sendKey`: a send to this destination under a key that it remembers is answered as the first one was, and stores nothing.
   * `express`: kept in memory only, where its queue is here; answered at once, `volatile`.
   * `answer`: by the disk, in every durability; for a source that lets go of what it sent.
   */
  | ({ readonly verb: 'send' } & Outgoing & {
        readonly position?: { readonly name: string; readonly value: Uint8Array };
        readonly dead?: Ending;
        readonly waitMs?: number;
        readonly sendKey?: string;
        readonly by?: ProducerNumber;
        readonly delivery?: 'express';
        readonly answer?: 'disk';
      })
  /** All of it in one frame, or nothing. Where a queue has no room it is refused at once. */
  | { readonly verb: 'commit'; readonly steps: readonly TransactionStep[]; readonly by?: ProducerNumber }
  /**
   * Leases a message: the most urgent one, or the selected one. Waits up to `waitMs`, then answers `empty`; a message that was named,
   * by its id or by its correlation, is MESSAGE_NOT_FOUND then.
   */
  | {
      readonly verb: 'receive';
      readonly queue: string;
      readonly waitMs: number;
      readonly leaseMs: number;
      readonly select?: Selector;
      readonly handle?: string;
    }
  /** The same message, left where it is. `without`: all but its body. */
  | {
      readonly verb: 'peek';
      readonly queue: string;
      readonly waitMs: number;
      readonly select?: Selector;
      readonly handle?: string;
      readonly bodies: 'with' | 'without';
    }
  /** Received: answered when the message can never be delivered again. */
  | { readonly verb: 'ack'; readonly lease: string }
  /** Back to its place, visible again after `delayMs`, or after what its queue's back-off says; answered when that is on the disk, if there is a delay. */
  | { readonly verb: 'nack'; readonly lease: string; readonly delayMs?: number }
  /** Given up by the application: into the queue's dead letter queue, with its history. */
  | { readonly verb: 'deadLetter'; readonly lease: string; readonly reason: string }
  /** From now on the lease holds for `leaseMs`. */
  | { readonly verb: 'extend'; readonly lease: string; readonly leaseMs: number }
  /** Answered when they are on the disk. `changes` leaves out what stays, or what has its default. */
  | { readonly verb: 'createQueue'; readonly queue: string; readonly options: Partial<QueueOptions> }
  | { readonly verb: 'setQueue'; readonly queue: string; readonly changes: Partial<QueueOptions> }
  | { readonly verb: 'deleteQueue'; readonly queue: string }
  | { readonly verb: 'queues' }
  /** Ends all that is ready, delayed or held, as Q_PURGED. */
  | { readonly verb: 'purge'; readonly queue: string }
  /** A ready message, from a queue to one of its subqueues, between two of them, or back. It keeps its identity, body and lookup id. */
  | { readonly verb: 'move'; readonly queue: string; readonly lookupId: number; readonly to: string; readonly handle?: string }
  /** A dead letter becomes a message again, for `to` or for where it was going: a new one, linked to the old. Answered `sent`. */
  | { readonly verb: 'redrive'; readonly queue: string; readonly lookupId: number; readonly to?: string }
  /** A queue, opened for something. A handle that is not used for `idleMs` is closed. */
  | { readonly verb: 'open'; readonly queue: string; readonly access: Access; readonly share: Share; readonly idleMs: number }
  | { readonly verb: 'close'; readonly handle: string }
  /** What became of a send that was IN_DOUBT: `epoch` is the one its error named. */
  | { readonly verb: 'outcome'; readonly identity: string; readonly epoch?: number }
  /**
   * Asks other nodes: whether the way to one is open, or where a message is. Answered when there is nothing more to learn, or after
   * `waitMs` with what came: who does not answer is not among `answers`.
   */
  | { readonly verb: 'probe'; readonly about: 'node'; readonly node: string; readonly waitMs: number }
  | { readonly verb: 'probe'; readonly about: 'message'; readonly identity: string; readonly waitMs: number }
  /** What this node knows of the streams that begin at a node. */
  | { readonly verb: 'ledger'; readonly node: string }
  /** Forgets a producer: its name may begin at 1 again. */
  | { readonly verb: 'retireProducer'; readonly producer: string }
  | { readonly verb: 'position'; readonly name: string }
  /** Numbers that are waited for, or were given up, of streams that end here. */
  | { readonly verb: 'holes' }
  /** Gives up all holes of a queue, or of one stream: their numbers are missing, and what lies above them is delivered. */
  | { readonly verb: 'closeHoles'; readonly of: string }
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
  /** Times it was moved between a queue and its subqueues. */
  readonly moveCount: number;
  /** Its place in the queue's order of arrival; with its priority a `Place`. */
  readonly lookupId: number;
}

/** A message that was looked at. `deliveryCount`: times it was leased so far. */
export interface Peeked extends Omit<Received, 'lease' | 'leaseMs'> {
  readonly queue: string;
  readonly bodyBytes: number;
}

/** `kept`: it was stored, whatever became of it since. `absent`: it never was, and never will be. `unknown`: nobody can say any more. */
export type SendOutcome = 'kept' | 'absent' | 'unknown';

/** What one node says to a probe. */
export interface ProbeAnswer {
  readonly node: string;
  /** Nodes between it and who asks, as the question came. */
  readonly hops: number;
  /** Since it was asked, by the clock of who asks. */
  readonly afterMs: number;
  /** Of a node: `passed` on the way, `reached`. Of a message: where it is (whereabouts.ts). */
  readonly at:
    | 'passed'
    | 'reached'
    | 'ready'
    | 'leased'
    | 'delayed'
    | 'held'
    | 'on-its-way'
    | 'handed-over'
    | 'received'
    | 'ended'
    | 'absent'
    | 'unknown';
  /** The node that it goes to, or went to. */
  readonly next?: string;
  /** What its stream lost at this node, as `<class> <count>`. */
  readonly losses?: readonly string[];
}

/** Numbers of a stream that ended in a way. With `exact`, `ranges` are they; `coarse`: there were too many of them, or nobody knows them all. */
export interface LedgerLoss {
  readonly class: EndingClass;
  readonly count: number;
  readonly ranges: readonly Range[];
  readonly detail: 'exact' | 'coarse';
}

/** One stream, as this node knows it: `received`, what waits, `holes` and `missing` add up to `numbers`. */
export interface LedgerStream {
  readonly stream: string;
  /** Here, or further on. */
  readonly at: 'ends' | 'passes';
  /** 1 to this one. */
  readonly numbers: number;
  /** Of one that passes: the next node has them, or had them. */
  readonly received: number;
  readonly waiting: {
    readonly ready: number;
    readonly leased: number;
    readonly delayed: number;
    readonly held: number;
    /** On this disk, for the next node. */
    readonly onItsWay: number;
  };
  /** Waited for; of one that passes: gone another way. */
  readonly holes: readonly Range[];
  /** Ended without being received, and by which class; of one that passes: here, and the next node does not know yet. */
  readonly missing: readonly LedgerLoss[];
  /** Ended under a number that another message has: in no sum. */
  readonly others: readonly LedgerLoss[];
}

export interface Ledger {
  readonly node: string;
  /** The newest, at most LEDGER_STREAM_COUNT_MAX. */
  readonly streams: readonly LedgerStream[];
  readonly streamsLeftOut: number;
  /** What the node last said of itself. */
  readonly digest?: {
    /** `equal`: each number that it tells of has come here, or ended. */
    readonly state: 'equal' | 'behind';
    readonly agoMs: number;
    /** Since the last one that was equal. */
    readonly agreedAgoMs?: number;
    readonly streams: readonly { readonly stream: string; readonly numbers: number }[];
    /** Of its own queues. */
    readonly losses: readonly { readonly stream: string; readonly class: EndingClass; readonly count: number }[];
    /** Messages in accounts that it had no place for. */
    readonly lossesLeftOut: number;
  };
}

export interface QueueStats extends QueueOptions {
  readonly name: string;
  readonly ready: number;
  readonly leased: number;
  /** Not to be delivered yet. */
  readonly delayed: number;
  /** Stored, and not to be seen before an earlier message of their stream has come, or is given up. */
  readonly held: number;
  /** Since the node opened: messages that were there then or came since, and those that ended or were moved away. The rest is there. */
  readonly arrived: number;
  readonly ended: number;
  /** Of messages that it holds or that are on their way to its disk, those of its subqueues included. */
  readonly bytes: number;
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

export interface RouteStats extends Route {
  /** Messages that it took on since the node opened. */
  readonly taken: number;
}

/** Numbers of a stream that another neighbour was to bring. */
export interface HoleStats {
  readonly stream: string;
  readonly from: number;
  readonly to: number;
  /** `open`: waited for. `missing`: given up; who comes after all is late, and delivered. */
  readonly state: 'open' | 'missing';
  /** Until it is given up, in ms. 0 of one that is. */
  readonly leftMs: number;
  /** Messages of the stream that nobody sees before the hole is gone; told with its first hole. */
  readonly held: number;
}

/** What to add to this node's wall clock to get that of a neighbour, in µs, and how wrong that is at most. */
export interface ClockStats {
  readonly node: string;
  readonly offsetUs: number;
  readonly qualityUs: number;
}

/** An uplink as it is configured. */
export interface UplinkStats {
  readonly name: string;
  readonly kind: 'link' | 'mqtt';
  /**
   * `ready`: it has a session. `stands-by`: its broker and its central are there, and another broker carries the session. `resting`: it
   * connects when something waits.
   */
  readonly state: 'idle' | 'offered' | 'ticketing' | 'ready' | 'forked' | 'stands-by' | 'resting';
  /** The node at the other end, as far as it is known. */
  readonly node: string;
  /** Something that is sent now goes this way. */
  readonly use: 'in-use' | 'spare';
  /** How long it has stood, or has not, in ms. */
  readonly sinceMs: number;
  /** Of one with a cap. `sentBytes`: since the node opened. `waitMs`: until it lets go what is not urgent; 0: at once. */
  readonly metered?: ByteCap & { readonly sentBytes: number; readonly waitMs: number };
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
  | 'BELOW_FULL'
  | 'TWO_RECEIVERS'
  | 'RING_FULL'
  | 'INGRESS_HELD';

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
  /** The preferred uplink, in words. */
  readonly uplink: string;
  /** All of them, the preferred one first. */
  readonly uplinks: readonly UplinkStats[];
  /** In order: the first that fits decides. */
  readonly routes: readonly RouteStats[];
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
  /** Of a node with an MQTT ingress: its clients now, and since the node started what was accepted, and refused by cause. */
  readonly ingress?: Readonly<Record<string, number>>;
  /** By line or listening place, as it is configured, or by adapter: `open`, `opening`, or why it is not. Of a node with roles. */
  readonly lines?: Readonly<Record<string, string>>;
}

export type CallResult =
  | { readonly kind: 'sent'; readonly identity: string; readonly durability: Durability }
  | { readonly kind: 'received'; readonly received: Received }
  | { readonly kind: 'peeked'; readonly peeked: Peeked }
  | { readonly kind: 'empty' }
  | { readonly kind: 'committed'; readonly identities: readonly string[]; readonly durability: Durability }
  | { readonly kind: 'queues'; readonly queues: readonly QueueStats[] }
  | { readonly kind: 'purged'; readonly count: number }
  | { readonly kind: 'opened'; readonly handle: string }
  | { readonly kind: 'outcome'; readonly outcome: SendOutcome }
  | { readonly kind: 'holes'; readonly holes: readonly HoleStats[] }
  /** So many numbers are missing now. */
  | { readonly kind: 'holesClosed'; readonly count: number }
  | { readonly kind: 'probed'; readonly answers: readonly ProbeAnswer[] }
  | { readonly kind: 'ledger'; readonly ledger: Ledger }
  | { readonly kind: 'done' }
  | { readonly kind: 'position'; readonly value: Uint8Array | undefined }
  | { readonly kind: 'stats'; readonly stats: Stats }
  | { readonly kind: 'error'; readonly error: RingmailError<ErrorCode> };
