/**
 * The configuration of a node: one TOML file, any roles. `docs/configuration.md` describes it to people.
 *
 *   text ──readToml──▶ tree ──readNode──▶ values ──checkConfig──▶ NodeFileConfig
 *             │                  │                      │
 *             ▼                  └──────────┬───────────┘
 *       a syntax error            problems, told all at once
 */
import { CENTRAL_BROKER, type NodeConfig, type UplinkSetup } from '../../core/node-io.ts';
import type { UnknownQueue } from '../../custody/intake.ts';
import type { ByteCap } from '../../custody/meter.ts';
import { RingmailError } from '../../errors.ts';
import type { Condition } from '../../queue/condition.ts';
import type { QueueOptions } from '../../queue/queue-options.ts';
import type { Route } from '../../queue/routes.ts';
import type { Laziness } from '../../relay/lazy-connection.ts';
import { checkConfig } from './config-checks.ts';
import { CENTRAL_NAME, readNode, TOP_KEYS } from './config-schema.ts';
import type { HostPort, LineAddress } from './line-address.ts';
import { Problems } from './problems.ts';
import { Section } from './section.ts';
import { readToml } from './toml.ts';

/** A configuration as it was meant: defaults filled in, paths whole, sizes in bytes. */
export interface NodeFileConfig {
  readonly name: string;
  /** What a message for a queue that is not defined here meets. */
  readonly unknownQueue: UnknownQueue;
  /** Limit of `$dead`, of queues made on demand and of those defined without one, in bytes of messages. */
  readonly queueBytesLimit: number;
  readonly ring: RingConfig;
  readonly api: ApiConfig;
  /** How long a send waits for room in a queue that blocks, when it does not say. */
  readonly blockMs: number;
  /** How long a hole is waited for before its numbers are missing. */
  readonly holeWaitMs: number;
  readonly queues: readonly (QueueOptions & { readonly name: string })[];
  /** Ways up, the preferred one first. `[uplink]` is one of them alone. */
  readonly uplinks: readonly NamedUplinkConfig[];
  /** How long an uplink may be without a session before the next is taken, and how long a better one must stand to be taken back. */
  readonly failoverMs: number;
  readonly failbackMs: number;
  readonly links: readonly LinkConfig[];
  /** Undefined: this node is not the central. */
  readonly central: CentralConfig | undefined;
  readonly adapters: readonly AdapterConfig[];
  readonly triggers: readonly TriggerConfig[];
  /** In order: the first that fits decides. Addresses have their node. */
  readonly routes: readonly Route[];
  /** Where the embedded broker listens. Undefined: there is none. */
  readonly broker: HostPort | undefined;
  /** Where MQTT clients publish into queues. Undefined: nowhere. */
  readonly ingress: IngressConfig | undefined;
  readonly log: { readonly level: LogLevel };
}

export interface RingConfig {
  readonly path: string;
  /** Length of the file: whole blocks, at most what was asked for. */
  readonly bytes: number;
  /** Start even where a power cut empties the file. */
  readonly allowVolatile: boolean;
  readonly commitDelayMs: number;
  /** A send is answered at once and written within this time. Undefined: it is answered by the disk. */
  readonly intervalMs: number | undefined;
}

export interface ApiConfig {
  readonly socket: string;
  /** Rights of the socket, as in `chmod`. */
  readonly mode: number;
  /** Undefined: the socket is all it listens on. */
  readonly remote: ApiRemoteConfig | undefined;
}

/** The local API over the network: for who has a token. */
export interface ApiRemoteConfig {
  readonly listen: HostPort;
  /** With `keyFile`; both are there where other machines reach `listen`. */
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  /** Who may use it. */
  readonly tokens: string;
}

export type UplinkConfig =
  | { readonly kind: 'none' }
  | { readonly kind: 'link'; readonly line: LineAddress }
  | ({
      readonly kind: 'mqtt';
      readonly central: string;
      readonly partitionCount: number;
      /** Undefined: as many as wait. */
      readonly messagesPerPublish: number | undefined;
      /** Undefined: always connected. */
      readonly lazy: Laziness | undefined;
    } & BrokerAccess);

export type NamedUplinkConfig = Exclude<UplinkConfig, { kind: 'none' }> & {
  /** Its place in the ring goes by it. */
  readonly name: string;
  /** Patterns of the nodes that it leads to. */
  readonly to: readonly string[];
  /** What it may send; undefined: what it can. */
  readonly cap: ByteCap | undefined;
  /** Where it is written: `uplink`, or `uplinks[0]`. */
  readonly at: string;
};

export interface BrokerAccess {
  /** Scheme, host and port. */
  readonly broker: string;
  /** 4 is MQTT 3.1.1. */
  readonly protocol: 4 | 5;
  readonly username: string | undefined;
  /** The first line of this file is the password. */
  readonly passwordFile: string | undefined;
}

/** A place where other nodes reach this one. A serial port is opened, the others are listened on; TCP port 0 is any free one. */
export interface LinkConfig {
  readonly listen: LineAddress;
}

export interface CentralConfig extends BrokerAccess {
  /** Of the logical central: in topics, and in addresses. */
  readonly name: string;
  readonly partitionCount: number;
  /** Others at which it is the same central. */
  readonly moreBrokers: readonly BrokerAccess[];
}

/** A controller that speaks its own protocol. */
export interface AdapterConfig {
  readonly kind: 'belt';
  /** Its place in the ring goes by it. */
  readonly name: string;
  readonly port: LineAddress;
  /** With its node. */
  readonly destination: string;
}

/** For each message that arrives in a queue and fits, a copy goes somewhere else. */
export interface TriggerConfig {
  /** Its place in the ring goes by it. */
  readonly name: string;
  readonly queue: string;
  /** With its node. */
  readonly send: string;
  readonly where: Condition;
}

/** Where clients that know nothing of ringmail publish over MQTT (docs/mqtt-ingress.md). */
export interface IngressConfig {
  readonly listen: HostPort;
  /** The file of who may publish. Undefined: whoever reaches the port. */
  readonly passwords: string | undefined;
  readonly clientCountMax: number;
  /** Of one MQTT packet. */
  readonly packetBytesMax: number;
  /** Of one client's publishes that are not answered yet. */
  readonly inFlightBytesMax: number;
  /** A publish that is not on the disk by then ends its connection. */
  readonly holdMs: number;
  /** In order: the first that fits decides. */
  readonly rules: readonly IngressRule[];
}

export interface IngressRule {
  /** A filter, as of a subscription. */
  readonly topic: string;
  /** With its node. */
  readonly queue: string;
  readonly priority: number | undefined;
  readonly contentType: string | undefined;
  readonly label: string | undefined;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * The configuration in `text`. `directory` is that of the file: relative paths start there.
 * @throws CONFIG_INVALID with every problem, each with its line; of a text that is not TOML the first one.
 */
export function parseConfig(text: string, from: { readonly directory: string }): NodeFileConfig {
  const toml = readToml(text);
  if (toml.kind === 'refused') throw new RingmailError('CONFIG_INVALID', { issues: [toml.reason] });
  const problems = new Problems();
  const { directory } = from;
  const config = readNode(new Section(toml.root, '', { problems, directory, topKeys: TOP_KEYS }), directory);
  checkConfig(config, problems);
  const { issues } = problems;
  if (issues.length > 0) throw new RingmailError('CONFIG_INVALID', { issues });
  return config;
}

/** The part that the core decides by. `home`: what this machine and this file are, where the shell knows it. */
export function toCoreConfig(config: NodeFileConfig, home: string | undefined): NodeConfig {
  const { name, queues, unknownQueue, queueBytesLimit, uplinks, central } = config;
  const [first] = uplinks;
  const relay = central ?? (first?.kind === 'mqtt' ? { name: first.central, partitionCount: first.partitionCount } : undefined);
  return {
    name,
    queues,
    routes: config.routes,
    unknownQueue,
    queueBytesLimit,
    uplink: first?.kind ?? 'none',
    ...(!isPlain(uplinks) && { uplinks: uplinks.map(setupOf) }),
    failoverMs: config.failoverMs,
    failbackMs: config.failbackMs,
    central: relay?.name ?? CENTRAL_NAME,
    isCentral: central === undefined ? 'no' : 'yes',
    ...(central !== undefined &&
      central.moreBrokers.length > 0 && { centralBrokers: centralBrokers(central).map(({ name }) => name) }),
    partitionCount: relay?.partitionCount ?? 1,
    commitDelayMs: config.ring.commitDelayMs,
    intervalMs: config.ring.intervalMs,
    blockMs: config.blockMs,
    holeWaitMs: config.holeWaitMs,
    home,
  };
}

/** One uplink that leads everywhere, without a cap: as nodes had it before there were several. */
function isPlain(uplinks: readonly NamedUplinkConfig[]): boolean {
  const [first] = uplinks;
  return (
    uplinks.length <= 1 &&
    (first === undefined || (first.name === 'up' && first.to.join() === '*' && first.cap === undefined && isPlainMqtt(first)))
  );
}

function setupOf(uplink: NamedUplinkConfig): UplinkSetup {
  const { name, to, cap } = uplink;
  const own = { name, to, ...(cap && { cap }) };
  if (uplink.kind === 'link') return { ...own, kind: 'link', central: CENTRAL_NAME, partitionCount: 1 };
  const { central, partitionCount, messagesPerPublish, lazy } = uplink;
  return {
    ...own,
    kind: 'mqtt',
    central,
    partitionCount,
    ...(messagesPerPublish !== undefined && { messagesPerPublish }),
    ...(lazy && { lazy }),
  };
}

function isPlainMqtt(uplink: NamedUplinkConfig): boolean {
  return uplink.kind === 'link' || (uplink.messagesPerPublish === undefined && uplink.lazy === undefined);
}

/** The brokers of a central, by the names that the core has for them. */
export function centralBrokers({
  moreBrokers,
  ...first
}: CentralConfig): { readonly name: string; readonly access: BrokerAccess }[] {
  return [first, ...moreBrokers].map((access, at) => ({
    name: at === 0 ? CENTRAL_BROKER : `${CENTRAL_BROKER}-${at + 1}`,
    access,
  }));
}
