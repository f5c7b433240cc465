/**
 * What happened in a run of the yard, as those saw it who stand outside of the nodes: the applications that called, and the oracle
 * that looks at what lies on the platters. The checks (check-*.ts) are functions of it and of nothing else.
 *
 *   send ──▶ accepted | refused | nothing: the node died first, and nobody knows
 *   delivered ──▶ effect ──▶ acked | returned | given-up | nothing: the application died between effect and acknowledgement
 *   freed: the last durable copy of a message left a node; `heldBy` says who had one then
 *
 * Every message carries a key of its own, which only its maker and those who read it know: `<node>:<number>`. Times are true time, in
 * virtual milliseconds, whatever the clocks of the nodes say. Order is the order of the list.
 */
import type { Durability, SendOutcome, Stats } from '../../shared/core/calls.ts';
import type { EndingClass } from '../../shared/message/classes.ts';
import type { Acknowledge } from '../../shared/message/message.ts';
import type { QueueState } from '../../shared/queue/queue-options.ts';
import type { OpenReport } from '../../shared/ring/ring.ts';

/** A call of an application that sends. */
export interface SendEvent {
  readonly kind: 'send';
  readonly key: string;
  readonly node: string;
  /** The address it goes to, resolved: `<node>/<queue>`. */
  readonly destination: string;
  readonly priority: number;
  readonly bytes: number;
  /** CRC-32 of the body. */
  readonly crc: number;
  readonly timeToBeReceivedMs?: number;
  readonly deliverAfterMs?: number;
  readonly acknowledge?: Acknowledge;
  readonly deadLetter?: 'off';
  readonly journal?: 'on';
  readonly delivery?: 'express';
}

/** The node said yes. `kept`: a worst-case power cut at this instant would have kept it (or it has gone on already, and the next node would). */
export interface AcceptedEvent {
  readonly kind: 'accepted';
  readonly key: string;
  readonly node: string;
  /** origin:incarnation:destination:priority:number */
  readonly identity: string;
  readonly kept: 'kept' | 'not-kept';
  /** As the answer said it; undefined: `sync`. What was answered with another one may be lost with the process. */
  readonly durability?: Durability;
}

export interface RefusedEvent {
  readonly kind: 'refused';
  readonly key: string;
  readonly node: string;
  readonly code: string;
}

/** An application has a message under lease. */
export interface DeliveredEvent {
  readonly kind: 'delivered';
  readonly node: string;
  readonly queue: string;
  readonly lease: string;
  /** Who has it, where several read one queue: there is no order between them. Undefined: whoever it is, it asks for one at a time. */
  readonly reader?: string;
  /** Undefined: the body is nobody's. */
  readonly key: string | undefined;
  readonly identity: string;
  readonly priority: number;
  readonly bytes: number;
  readonly crc: number;
  readonly deliveryCount: number;
  /** It says of itself that it may be a repeat: its store was rolled back. */
  readonly maybeDuplicate: 'maybe' | 'no';
  /** It came after it had been given up. */
  readonly late?: 'late';
  /** Keys that were ready at this node and queue, more urgent than this one, and durable there for longer than this instant. */
  readonly overtook: readonly string[];
}

/** The application did what the message says, and remembers its identity in the same write: once, unless the product gives it twice. */
export interface EffectEvent {
  readonly kind: 'effect';
  readonly node: string;
  readonly key: string;
  readonly identity: string;
  readonly maybeDuplicate: 'maybe' | 'no';
}

/** What the application said of a lease was answered. `gone`: a worst-case power cut at this instant would not bring it back. */
export interface AckedEvent {
  readonly kind: 'acked' | 'given-up';
  readonly node: string;
  readonly key: string;
  readonly identity: string;
  readonly gone: 'gone' | 'still-there';
}

/** The application ends a message by a transaction, which also sends these. What became of it: `acked` and `accepted`, `refused`, or nothing. */
export interface CommittingEvent {
  readonly kind: 'committing';
  readonly node: string;
  readonly key: string;
  readonly identity: string;
  readonly sent: readonly string[];
}

/**
 * A frame, or a disk that was opened, has something of what belongs together: what is sent by a transaction or a redrive, and the end of
 * the message in whose place it is. `source`: what became of that one there.
 */
export interface TogetherEvent {
  readonly kind: 'together';
  readonly node: string;
  readonly by: 'transaction' | 'redrive' | 'route';
  readonly key: string;
  readonly identity: string;
  readonly sent: readonly string[];
  readonly there: readonly string[];
  readonly source: 'ended' | 'stays' | 'not on the disk';
  readonly seen: 'frame' | 'recovery';
}

/** A route has made of it what goes on: all of that is durable. */
export interface ForwardedEvent {
  readonly kind: 'forwarded';
  readonly node: string;
  readonly key: string;
}

export interface ReturnedEvent {
  readonly kind: 'returned';
  readonly node: string;
  readonly key: string;
  readonly identity: string;
  readonly delayMs: number;
}

/** A dead letter was read, at the end of the run, or before it is sent again. */
export interface DeadLetterEvent {
  readonly kind: 'dead-letter';
  readonly node: string;
  /** Where it lies; undefined: `$dead`. */
  readonly queue?: string;
  readonly key: string | undefined;
  /** Bytes of its body. */
  readonly bytes?: number;
  /** The key under which it is sent again now. */
  readonly redriven?: string;
  /** Of the message that was given up; undefined where there was none. */
  readonly previous: string | undefined;
  readonly classes: readonly EndingClass[];
  readonly reason: string;
}

/** A copy of a message was read in the journal of a node, at the end of the run. */
export interface CopyEvent {
  readonly kind: 'copy';
  readonly node: string;
  readonly key: string | undefined;
  /** The message that it is a copy of. */
  readonly previous: string | undefined;
}

/** What a node was told about a message that it sent, read at the end of the run. */
export interface WordEvent {
  readonly kind: 'word';
  readonly node: string;
  /** ACK_REACH_QUEUE, ACK_RECEIVE, or the class of an ending. */
  readonly label: string;
  readonly about: string;
}

/** A node was asked at the end of the run what became of an express message. */
export interface OutcomeEvent {
  readonly kind: 'outcome';
  readonly node: string;
  readonly key: string;
  readonly identity: string;
  readonly outcome: SendOutcome;
}

/** Whoever runs a node wants a queue paused, or running again. Between `asked` and `done` nobody knows. */
export interface QueueStateEvent {
  readonly kind: 'queue-state';
  readonly node: string;
  readonly queue: string;
  readonly state: QueueState;
  readonly stage: 'asked' | 'done';
}

/** The last durable copy of a message left a node's disk, other than by damage. */
export interface FreedEvent {
  readonly kind: 'freed';
  readonly node: string;
  readonly key: string;
  /** Why, in the words of the ring: acknowledged, expired, dropped, purged, corrupt, handed-over, replaced. */
  readonly reason: string;
  /** Nodes on whose disks it was at that instant. */
  readonly heldBy: readonly string[];
  /** Of a copy in a journal: those that came before it and are still there. */
  readonly older?: number;
}

/** A medium or an operator destroyed durable copies: rot, an old image put back, an empty disk. Nobody can be asked for these. */
export interface DestroyedEvent {
  readonly kind: 'destroyed';
  readonly node: string;
  readonly cause: string;
  readonly keys: readonly string[];
  /** Keys that the oracle cannot vouch for any more at this node: they may be there again, or lost again. */
  readonly doubtful: readonly string[];
}

/** A worst-case power cut was tried on a copy of a node's disk, with the product's own recovery. */
export interface TriedCutEvent {
  readonly kind: 'tried-cut';
  readonly node: string;
  /** Durable, and not in what was recovered. */
  readonly missing: readonly string[];
  /** Recovered, and neither durable nor on its way to the disk. */
  readonly invented: readonly string[];
  readonly gaps: number;
}

export interface FaultEvent {
  readonly kind: 'fault';
  /** One of the yard's kinds of fault (fault-kinds.ts). */
  readonly fault: string;
  readonly target: string;
  /** True time at which it is over; equal to its own time for one that strikes once. */
  readonly untilMs: number;
}

/** The store of a node is opened; `serving` follows unless something strikes first. */
export interface OpeningEvent {
  readonly kind: 'opening';
  readonly node: string;
}
export interface ServingEvent {
  readonly kind: 'serving';
  readonly node: string;
  readonly incarnation: string;
  readonly report: OpenReport;
  /** True time since `opening`. */
  readonly tookMs: number;
}
/** A node is down: stopped in order, or in any other way. What it left out since it opened, for want of room. */
export interface DownEvent {
  readonly kind: 'down';
  readonly node: string;
  readonly how: 'in order' | 'crash';
  readonly leftOut: Readonly<Record<LeftOut, number>>;
}
export type LeftOut = 'words' | 'copies' | 'letters';

/** A store stopped though nobody cut its power. */
export interface StoppedEvent {
  readonly kind: 'stopped';
  readonly node: string;
  /** Code of the error; undefined for one that has none. */
  readonly code: string | undefined;
  readonly text: string;
  /** What was done to it that explains this; undefined: nothing. */
  readonly because: string | undefined;
}

/** From here on nothing breaks any more. `dead`: nodes that stay without power for good. */
export interface HealedEvent {
  readonly kind: 'healed';
  readonly dead: readonly string[];
}

/** Everything is at rest, or the time for that is over. Of each node that is up: what it says, and what lies on its platter. */
export interface EndEvent {
  readonly kind: 'end';
  readonly nodes: readonly {
    readonly node: string;
    readonly stats: Stats;
    /** Keys of messages on its platter that are still in its queues or on their way, dead letters left out. */
    readonly live: readonly string[];
    readonly ringBytes: number;
    /** Length that its ring file was made with, if one wants it compared. */
    readonly ringBytesMax?: number;
    /** Highest number of bytes that any line of it held unsent. */
    readonly unsentBytesMax: number;
  }[];
}

export type YardEvent = { readonly atMs: number } & (
  | SendEvent
  | AcceptedEvent
  | RefusedEvent
  | DeliveredEvent
  | EffectEvent
  | AckedEvent
  | CommittingEvent
  | TogetherEvent
  | ForwardedEvent
  | ReturnedEvent
  | DeadLetterEvent
  | CopyEvent
  | WordEvent
  | OutcomeEvent
  | QueueStateEvent
  | FreedEvent
  | DestroyedEvent
  | TriedCutEvent
  | FaultEvent
  | OpeningEvent
  | ServingEvent
  | DownEvent
  | StoppedEvent
  | HealedEvent
  | EndEvent
);

/** What is true of a run as a whole. */
export interface RunFacts {
  readonly seed: string;
  /** Bytes that crossed all lines, and publishes that reached a broker. */
  readonly lineBytes: number;
  readonly publishes: number;
  readonly lineBytesPerSecond: number;
  /** Highest number of messages and bytes that were live in any ring at once. */
  readonly backlogBytesMax: number;
  /** By `<node>/<queue>`: how often a message is delivered there at most. */
  readonly deliveriesMax?: Readonly<Record<string, number>>;
  /** Addresses of queues that keep a copy of what is received, and of those with a dead letter queue of their own: its name, and its limit. */
  readonly journals?: readonly string[];
  readonly letterQueues?: Readonly<Record<string, { readonly queue: string; readonly bytesLimit: number }>>;
  /** Longest time that a disk took for one operation, stalls that are faults left out. Undefined: 60 ms. */
  readonly diskMsMax?: number;
  /** Rejections and exceptions that nobody caught. */
  readonly uncaught: readonly string[];
}

export interface History {
  readonly facts: RunFacts;
  readonly events: readonly YardEvent[];
}

/** One broken promise. */
export interface Violation {
  /** S1…S19, L1…L4 (docs/reliability.md). */
  readonly check: string;
  readonly text: string;
}

/** What a check says: what was broken, and how often it had anything to look at; 0: not exercised. */
export interface Verdict {
  readonly violations: readonly string[];
  readonly looked: number;
}
export type Check = (history: History) => Verdict;
