/** What goes into a node core, what comes out of it, and what it is told about itself. */
import type { UnknownQueue } from '../custody/intake.ts';
import type { ConsoleLine } from '../link/console-text.ts';
import type { Publish } from '../ports.ts';
import type { QueueDefinition } from '../queue/queue-options.ts';
import type { Route } from '../queue/routes.ts';
import type { RingInput, RingOutput } from '../ring/file-io.ts';
import type { OpenReport } from '../ring/ring.ts';
import type { Call, CallResult, Durability } from './calls.ts';

/** `dial`: we offer what we hold. `accept`: we answer offers. */
export type LinkRole = 'dial' | 'accept';

/** Where messages for other nodes go: the node at the other end of the link we dial, or the central over MQTT. */
export type UplinkKind = 'none' | 'link' | 'mqtt';

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
  /** The logical central: the name in topics, and in addresses. */
  readonly central: string;
  /** This node is the central: it subscribes, stores and sends receipts. */
  readonly isCentral: 'yes' | 'no';
  readonly partitionCount: number;
  readonly commitDelayMs: number;
  /** A send here is answered at once and written within this time (`Durability` `interval`). Undefined: answered by the disk. */
  readonly intervalMs?: number | undefined;
  /** How long a send waits for room where its queue blocks and the call does not say. Undefined: 30 s. */
  readonly blockMs?: number | undefined;
  /** What this machine and this file are; a change since the last opening means that the file is a copy. Undefined: not known. */
  readonly home: string | undefined;
}

/** The ring file as its port sees it, now. */
export interface FileDescription {
  readonly durability: Durability;
  readonly ioMode: string;
}

export type NodeInput =
  | { readonly kind: 'ring'; readonly input: RingInput }
  | { readonly kind: 'call'; readonly token: number; readonly call: Call }
  | { readonly kind: 'cancel'; readonly token: number }
  | { readonly kind: 'line-open'; readonly line: number; readonly role: LinkRole; readonly baud: number | undefined }
  | { readonly kind: 'line-bytes'; readonly line: number; readonly bytes: Uint8Array }
  | { readonly kind: 'line-unsent'; readonly line: number; readonly unsentBytes: number }
  | { readonly kind: 'line-closed'; readonly line: number; readonly reason: string }
  | { readonly kind: 'broker-up' }
  | { readonly kind: 'broker-down'; readonly reason: string }
  | { readonly kind: 'broker-message'; readonly topic: string; readonly payload: Uint8Array }
  | { readonly kind: 'close' }
  | { readonly kind: 'tick' };

export type NodeOutput =
  | RingOutput
  | { readonly kind: 'answer'; readonly token: number; readonly result: CallResult }
  | { readonly kind: 'line-write'; readonly line: number; readonly bytes: Uint8Array }
  | { readonly kind: 'line-close'; readonly line: number; readonly reason: string }
  | { readonly kind: 'log'; readonly level: 'info' | 'warn'; readonly text: string }
  | ({ readonly kind: 'console'; readonly line: number } & ConsoleLine)
  | { readonly kind: 'subscribe'; readonly topics: readonly string[] }
  | { readonly kind: 'publish'; readonly publish: Publish }
  | { readonly kind: 'serving'; readonly report: OpenReport }
  | { readonly kind: 'stopped'; readonly error: Error }
  | { readonly kind: 'closed' };

export type NodePhase = 'opening' | 'loading' | 'serving' | 'forking' | 'closing' | 'closed' | 'stopped';
