/** What goes into a node core, what comes out of it, and what it is told about itself. */
import type { UnknownQueue } from '../custody/intake.ts';
import type { ByteCap } from '../custody/meter.ts';
import type { ConsoleLine } from '../link/console-text.ts';
import type { Publish, PublishEnd, Wanted } from '../ports.ts';
import type { QueueDefinition } from '../queue/queue-options.ts';
import type { Route } from '../queue/routes.ts';
import type { Laziness } from '../relay/lazy-connection.ts';
import type { RingInput, RingOutput } from '../ring/file-io.ts';
import type { OpenReport } from '../ring/ring.ts';
import type { Call, CallResult, Durability } from './calls.ts';

/** `dial`: we offer what we hold. `accept`: we answer offers. */
export type LinkRole = 'dial' | 'accept';

/** Where messages for other nodes go: the node at the other end of the link we dial, or the central over MQTT. */
export type UplinkKind = 'none' | 'link' | 'mqtt';

/**
 * One way up. Those over MQTT that lead to one central are one way, with one ticket, over several brokers: the first of them that stands
 * carries it (docs/routes.md, section 1).
 */
export interface UplinkSetup {
  /** Unique. `up` has the place in META that the only uplink of a node always had. */
  readonly name: string;
  readonly kind: Exclude<UplinkKind, 'none'>;
  /** Patterns of the nodes that it leads to. */
  readonly to: readonly string[];
  /** Of kind `mqtt`: the logical central, and the partitions of its queues. */
  readonly central: string;
  readonly partitionCount: number;
  /** What it may send; undefined: what it can. */
  readonly cap?: ByteCap | undefined;
  /** Of kind `mqtt`: of a publish, at the most. Undefined: as many as wait. */
  readonly messagesPerPublish?: number | undefined;
  /** Of kind `mqtt`: connected only when it must be. Undefined: always. */
  readonly lazy?: Laziness | undefined;
}

/**
 * What a node is, besides what its ring remembers. `kept`: as the ring remembers from its last opening without `kept`. A node whose
 * uplink is kept takes messages for other nodes when the remembered one would, and transmits none: they wait in the ring.
 */
export interface NodeConfig {
  /** '': the name that the ring remembers. */
  readonly name: string;
  readonly queues: readonly (QueueDefinition & { readonly name: string })[];
  /** Where what is stored for a queue here goes instead, or too; none unless said. Without problems (`routeProblems`). */
  readonly routes?: readonly Route[] | 'kept';
  readonly unknownQueue: UnknownQueue | 'kept';
  /** Limit of queues made on demand, and of `$dead`, in bytes of bodies. */
  readonly queueBytesLimit: number | 'kept';
  readonly uplink: UplinkKind | 'kept';
  /** Several, the preferred one first; `uplink` is the kind of the first. Undefined: the one that `uplink` says, to everywhere. */
  readonly uplinks?: readonly UplinkSetup[] | undefined;
  /** How long an uplink may be without a session before another is taken, and how long a better one must stand to be taken back. */
  readonly failoverMs?: number | undefined;
  readonly failbackMs?: number | undefined;
  /** The logical central: the name in topics, and in addresses. */
  readonly central: string;
  /** This node is the central: it subscribes, stores and sends receipts. */
  readonly isCentral: 'yes' | 'no';
  /** Brokers that the central listens at, by their names in inputs and outputs. Undefined: one, CENTRAL_BROKER. */
  readonly centralBrokers?: readonly string[] | undefined;
  readonly partitionCount: number;
  readonly commitDelayMs: number;
  /** A send here is answered at once and written within this time (`Durability` `interval`). Undefined: answered by the disk. */
  readonly intervalMs?: number | undefined;
  /** How long a send waits for room where its queue blocks and the call does not say. Undefined: 30 s. */
  readonly blockMs?: number | undefined;
  /** How long messages wait for an earlier one of their stream that another neighbour is to bring. Undefined: 1 minute. */
  readonly holeWaitMs?: number | undefined;
  /** What this machine and this file are; a change since the last opening means that the file is a copy. Undefined: not known. */
  readonly home: string | undefined;
}

/** The broker of a central that has one. Those of uplinks are called as the uplink is, and no uplink is called so. */
export const CENTRAL_BROKER = '$central';

/** The ring file as its port sees it, now. */
export interface FileDescription {
  readonly durability: Durability;
  readonly ioMode: string;
}

/** What a line is to the node. `uplink`: of a line that it dials, whose it is; the first one of kind `link` unless said. */
export interface LineUse {
  readonly role: LinkRole;
  readonly baud: number | undefined;
  readonly uplink?: string | undefined;
}

/** An uplink's name, or one of the central's brokers; unsaid: the only one there is. */
interface AtBroker {
  readonly broker?: string | undefined;
}

/** A call, and what its answer is known by. */
export interface Asked {
  readonly token: number;
  readonly call: Call;
}

export type NodeInput =
  | { readonly kind: 'ring'; readonly input: RingInput }
  | ({ readonly kind: 'call' } & Asked)
  /** Those of one turn of an event loop: one step for all of them costs little more than one for each of them would. */
  | { readonly kind: 'calls'; readonly calls: readonly Asked[] }
  | { readonly kind: 'cancel'; readonly token: number }
  | ({ readonly kind: 'line-open'; readonly line: number } & LineUse)
  | { readonly kind: 'line-bytes'; readonly line: number; readonly bytes: Uint8Array }
  | { readonly kind: 'line-unsent'; readonly line: number; readonly unsentBytes: number }
  | { readonly kind: 'line-closed'; readonly line: number; readonly reason: string }
  /** `packetBytesMax`: what the broker says that it takes; undefined: nothing. */
  | ({ readonly kind: 'broker-up'; readonly packetBytesMax?: number | undefined } & AtBroker)
  | ({ readonly kind: 'broker-down'; readonly reason: string } & AtBroker)
  | ({ readonly kind: 'broker-refused'; readonly reason: string } & AtBroker)
  | ({ readonly kind: 'broker-message'; readonly topic: string; readonly payload: Uint8Array } & AtBroker)
  | ({ readonly kind: 'broker-ended'; readonly token: number; readonly outcome: PublishEnd } & AtBroker)
  | { readonly kind: 'close' }
  | { readonly kind: 'tick' };

export type NodeOutput =
  | RingOutput
  | { readonly kind: 'answer'; readonly token: number; readonly result: CallResult }
  | { readonly kind: 'line-write'; readonly line: number; readonly bytes: Uint8Array }
  | { readonly kind: 'line-close'; readonly line: number; readonly reason: string }
  | { readonly kind: 'log'; readonly level: 'info' | 'warn'; readonly text: string }
  | ({ readonly kind: 'console'; readonly line: number } & ConsoleLine)
  | { readonly kind: 'subscribe'; readonly topics: readonly string[]; readonly broker: string }
  /** `token`: the broker's word on it is wanted (`broker-ended`). */
  | { readonly kind: 'publish'; readonly publish: Publish; readonly broker: string; readonly token?: number }
  /** Of a broker that is not always wanted. */
  | { readonly kind: 'want'; readonly wanted: Wanted; readonly broker: string }
  | { readonly kind: 'serving'; readonly report: OpenReport }
  | { readonly kind: 'stopped'; readonly error: Error }
  | { readonly kind: 'closed' };

export type NodePhase = 'opening' | 'loading' | 'serving' | 'forking' | 'closing' | 'closed' | 'stopped';
