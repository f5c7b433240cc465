/**
 * What carries messages to and from other nodes, as the node core sees it. The core knows no carrier: whoever composes a node gives it
 * those it needs (carriers.ts: links and the relay), or none, and then their code is not part of the node.
 */
import type { Intake } from '../custody/intake.ts';
import type { NodeStore } from '../custody/node-store.ts';
import type { CustodySender } from '../custody/sender.ts';
import type { Random } from '../ports.ts';
import type { ClockStats, UplinkStats } from './calls.ts';
import type { NodeConfig, NodeInput, NodeOutput } from './node-io.ts';
import type { WaySetup } from './way-setup.ts';

export type CarrierInput = Exclude<NodeInput, { kind: 'ring' | 'call' | 'calls' | 'cancel' | 'close' | 'tick' }>;

export interface NodeCarriers {
  /** One for each way out of this node. */
  readonly senders: readonly CustodySender[];
  readonly isForked: boolean;
  readonly wakeAtMs: number | undefined;
  /** `wallUs`: the machine's clock, in µs since 1970, if it has one. */
  input(input: CarrierInput, nowMs: number, wallUs?: number): void;
  /** Lets each carry on as far as it can. Called after every step. */
  pump(nowMs: number, wallUs?: number): void;
  /** The last words on every line: the peers need not wait for silence. */
  stop(nowMs: number): void;
  describeLinks(): string[];
  /** Of the neighbours we dial that told a time they know. */
  clocks(): ClockStats[];
  describeUplink(): string;
  /** Every uplink, the preferred one first. */
  uplinks(nowMs: number): UplinkStats[];
  counters(): Record<string, number>;
}

export interface CarrierStart {
  readonly config: NodeConfig;
  readonly emit: (output: NodeOutput) => void;
}

export interface CarrierRoots {
  readonly store: NodeStore;
  readonly intake: Intake;
  readonly random: Random;
  /** The ways up: what messages for other nodes wait for. Who has them as `kept` carries none. */
  readonly ways: readonly WaySetup[];
}

/** Reads what the ring remembers of neighbours, before anything new is stored. They begin with the call of what it returns. */
export type MakeCarriers = (roots: CarrierRoots) => (start: CarrierStart) => NodeCarriers;

/** Of a node that neither dials nor is dialled, and knows no broker. What waits in its ring for others goes on waiting. */
export const NO_CARRIERS: NodeCarriers = {
  senders: [],
  isForked: false,
  wakeAtMs: undefined,
  input: () => {},
  pump: () => {},
  stop: () => {},
  describeLinks: () => [],
  clocks: () => [],
  describeUplink: () => 'none',
  uplinks: () => [],
  counters: () => ({}),
};
