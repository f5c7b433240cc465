/** The keys of a configuration file, their kinds and their defaults. `docs/configuration.md` has the same as tables. */
import { resolve } from 'node:path';
import { FAILBACK_MS, FAILOVER_MS } from '../../custody/hops.ts';
import { DEAD_QUEUE } from '../../custody/message-room.ts';
import type { ByteCap } from '../../custody/meter.ts';
import {
  BATCH_ITEM_COUNT_MAX,
  BLOCK_MS_MAX,
  HOLE_WAIT_MS,
  INGRESS_CLIENT_COUNT,
  INGRESS_CLIENT_COUNT_MAX,
  INGRESS_HOLD_MS,
  INGRESS_HOLD_MS_MAX,
  INGRESS_HOLD_MS_MIN,
  INGRESS_IN_FLIGHT_BYTES,
  INGRESS_PACKET_BYTES,
  INGRESS_RULE_COUNT_MAX,
  LAZY_CHECK_MS,
  LAZY_CHECK_MS_MAX,
  LAZY_CHECK_MS_MIN,
  LAZY_IDLE_MS,
  LAZY_IDLE_MS_MAX,
  LAZY_IDLE_MS_MIN,
  METER_BURST_BYTES,
  PUBLISH_BYTES_MAX,
  QUEUE_LABEL_LENGTH_MAX,
  RETRY_FACTOR_MAX,
  UPLINK_COUNT_MAX,
  UPLINK_PATIENCE_MS_MAX,
  UPLINK_TO_COUNT_MAX,
} from '../../limits.ts';
import { isQueueName, isSystemQueue, NODE_QUEUE } from '../../message/address.ts';
import { APP_SPECIFIC_MAX, PRIORITY_MAX, TEXT_LENGTH_MAX } from '../../message/message.ts';
import { OPTION_RANGES } from '../../queue/check-options.ts';
import type { Condition } from '../../queue/condition.ts';
import {
  JOURNAL,
  ORDERING,
  QUEUE_DEFAULTS,
  type QueueOptions,
  REMOTE_WHEN_FULL,
  REPLAY,
  WHEN_FULL,
} from '../../queue/queue-options.ts';
import type { Route } from '../../queue/routes.ts';
import type { Laziness } from '../../relay/lazy-connection.ts';
import { geometryFor, liveBytesMaxOf } from '../../ring/geometry.ts';
import type {
  AdapterConfig,
  ApiConfig,
  ApiRemoteConfig,
  BrokerAccess,
  CentralConfig,
  IngressConfig,
  IngressRule,
  LinkConfig,
  LogLevel,
  NamedUplinkConfig,
  NodeFileConfig,
  RingConfig,
  TriggerConfig,
  UplinkConfig,
} from './config.ts';
import * as kinds from './kinds.ts';
import { formatHostPort, type HostPort, isLoopback } from './line-address.ts';
import type { Section } from './section.ts';

/** The central of a plant that has one. */
export const CENTRAL_NAME = 'central';
/** Size of a ring that nobody asked for otherwise, in bytes. */
export const RING_BYTES_DEFAULT = 16 * 2 ** 20;
/** Longest wait for company, in ms. Every acknowledgement waits with it. */
export const COMMIT_DELAY_MS_MAX = 10_000;
/** How long the disk may lag behind what was answered, with durability `interval`. Longer is a loss nobody would call small. */
export const INTERVAL_MS_MAX = 1000;
export const INTERVAL_MS_DEFAULT = 50;
/** Each is a subscription of the central. */
export const PARTITION_COUNT_MAX = 1024;
/** Bytes per second that a cap may name: a gigabit. */
const METER_RATE_MAX = 125_000_000;
/** Rates of serial ports whose line names none, in bits per second: a link's, and what belt controllers speak as delivered. */
const LINK_BAUD = 115_200;
const BELT_BAUD = 9600;
const SOCKET_MODE = 0o660;
/** A queue without a limit of its own gets this part of what the ring admits. */
const QUEUE_SHARE = 4;
const BROKER_LISTEN: HostPort = { host: '127.0.0.1', port: 1883 };
/** Of an ingress: a smaller packet holds no telegram, and a larger message fits no ring. */
const PACKET_BYTES_MIN = 1024;

/** What a message may say of itself, no longer than one may be. */
const PROPERTY_TEXT = kinds.textUpTo(TEXT_LENGTH_MAX);

const PATIENCE = kinds.whole({ min: 0, max: UPLINK_PATIENCE_MS_MAX });

/** Those above the first table. */
export const TOP_KEYS: readonly string[] = [
  'name',
  'unknownQueue',
  'queueLimit',
  'blockMs',
  'holeWaitMs',
  'failoverMs',
  'failbackMs',
];
const LINK_KEYS = ['line'];
/** Of a queue: those that are words of their own, and those that are whole numbers. What is set while a node runs is none of them. */
const WORD_KEYS = ['ordering', 'journal', 'replay'] as const;
const WHOLE_KEYS = ['timeToBeReceivedMs', 'deliveriesMax', 'retryMs', 'retryMsMax', 'retryJitterPercent'] as const;
const LAZY_KEYS = ['idleMs', 'checkEveryMs'];
const MQTT_KEYS = [
  'broker',
  'central',
  'connect',
  ...LAZY_KEYS,
  'messagesPerPublish',
  'partitions',
  'protocol',
  'username',
  'passwordFile',
];

/** Reads the whole file. Problems go where the section puts them; the result is of use only when there are none. */
export function readNode(top: Section, directory: string): NodeFileConfig {
  const name = top.need('name', kinds.nodeName);
  const unknownQueue = top.get('unknownQueue', kinds.oneOf('refuse', 'create'), 'refuse');
  const ring = readRing(top.tableOrEmpty('ring'), resolve(directory, `${name}.ring`));
  const share = Math.floor(liveBytesMaxOf(geometryFor(ring.bytes)) / QUEUE_SHARE);
  const queueBytesLimit = top.get('queueLimit', kinds.byteLimit, share);
  const blockMs = top.get('blockMs', kinds.whole({ min: 0, max: BLOCK_MS_MAX }), BLOCK_MS_MAX);
  const holeWaitMs = top.get('holeWaitMs', PATIENCE, HOLE_WAIT_MS);
  const broker = readBroker(top.table('broker'));
  const brokerUrl = `mqtt://${formatHostPort(reachable(broker ?? BROKER_LISTEN))}`;
  const config: NodeFileConfig = {
    name,
    unknownQueue,
    queueBytesLimit,
    blockMs,
    holeWaitMs,
    ring,
    api: readApi(top.tableOrEmpty('api'), resolve(directory, `${name}.sock`)),
    queues: readQueues(top.table('queues'), queueBytesLimit),
    uplinks: readUplinks(top, brokerUrl),
    failoverMs: top.get('failoverMs', PATIENCE, FAILOVER_MS),
    failbackMs: top.get('failbackMs', PATIENCE, FAILBACK_MS),
    links: top.list('links').map(readLink),
    central: readCentral(top.table('central'), brokerUrl),
    adapters: top.list('adapters').map((section) => readAdapter(section, name)),
    triggers: top.list('triggers').map((section) => readTrigger(section, name)),
    routes: top.list('routes').map((section) => readRoute(section, name)),
    broker,
    ingress: readIngress(top.table('ingress'), name),
    log: readLog(top.tableOrEmpty('log')),
  };
  top.finish();
  return config;
}

function readRing(section: Section, path: string): RingConfig {
  const ring = {
    path: section.get('path', kinds.filePath, path),
    bytes: section.get('size', kinds.ringBytes, kinds.wholeRingBytes(RING_BYTES_DEFAULT)),
    allowVolatile: section.get('allowVolatile', kinds.flag, false),
    commitDelayMs: section.get('commitDelayMs', kinds.whole({ min: 0, max: COMMIT_DELAY_MS_MAX }), 0),
    intervalMs: readInterval(section),
  };
  section.finish();
  return ring;
}

/** Undefined: what is answered is on the disk. */
function readInterval(section: Section): number | undefined {
  const durability = section.get('durability', kinds.oneOf('sync', 'interval'), 'sync');
  const intervalMs = section.find('intervalMs', kinds.whole({ min: 1, max: INTERVAL_MS_MAX }));
  if (durability === 'interval') return intervalMs ?? INTERVAL_MS_DEFAULT;
  const reason = 'belongs to durability = "interval"; with "sync" every answer comes after the disk';
  if (intervalMs !== undefined) section.problem('intervalMs', reason);
  return undefined;
}

function readApi(section: Section, socket: string): ApiConfig {
  const api = {
    socket: section.get('socket', kinds.filePath, socket),
    mode: section.get('mode', kinds.fileMode, SOCKET_MODE),
    remote: readApiRemote(section),
  };
  section.finish();
  return api;
}

/** Over the network nobody is known by the rights of a file: who asks has a token, and other machines are spoken to over TLS only. */
function readApiRemote(section: Section): ApiRemoteConfig | undefined {
  const listen = section.find('listen', kinds.hostPort);
  const certFile = section.find('certFile', kinds.filePath);
  const keyFile = section.find('keyFile', kinds.filePath);
  const tokens = section.find('tokens', kinds.filePath);
  if (listen === undefined) {
    const alone = { certFile, keyFile, tokens };
    for (const [key, value] of Object.entries(alone)) {
      if (value !== undefined) section.problem(key, 'is of use only with listen = "<host>:<port>"');
    }
    return undefined;
  }
  if (tokens === undefined) section.problem('listen', 'needs tokens = "<file>": who asks over the network has to be known');
  if ((certFile === undefined) !== (keyFile === undefined)) {
    section.problem(certFile === undefined ? 'keyFile' : 'certFile', 'certFile and keyFile go together');
  } else if (certFile === undefined && !isLoopback(listen.host)) {
    section.problem('listen', `other machines reach ${listen.host}: that takes certFile and keyFile`);
  }
  return { listen, certFile, keyFile, tokens: tokens ?? '' };
}

function readQueues(queues: Section | undefined, bytesLimit: number): NodeFileConfig['queues'] {
  return (queues?.named() ?? []).map(({ name, section }) => {
    if (!isQueueName(name) || name === NODE_QUEUE)
      queues?.problem(name, `not a name of a queue: ${kinds.NAME_RULE}, or $dead, $journal, $admin`);
    const queue = { name, ...readQueue(name, section, bytesLimit) };
    section.finish();
    return queue;
  });
}

function readQueue(name: string, section: Section, bytesLimitDefault: number): QueueOptions {
  const bytesLimit = section.get('limit', kinds.byteLimit, bytesLimitDefault);
  const bytesReserved = section.get('reserve', kinds.byteCount, QUEUE_DEFAULTS.bytesReserved);
  const label = section.get('label', kinds.textUpTo(QUEUE_LABEL_LENGTH_MAX), QUEUE_DEFAULTS.label);
  if (isSystemQueue(name)) {
    const what = name === DEAD_QUEUE ? 'a letter' : 'what is new';
    section.refuse(['whenFull', 'remoteWhenFull'], `this queue makes room for ${what} by dropping its least urgent, oldest ones`);
    section.refuse(
      [...WORD_KEYS, ...WHOLE_KEYS, 'deadLetterQueue', 'retryFactor'],
      'a system queue has a limit, a reserve and a label',
    );
    return { bytesLimit, ...QUEUE_DEFAULTS, bytesReserved, label };
  }
  const whole = (key: (typeof WHOLE_KEYS)[number]) => {
    const [min, max] = OPTION_RANGES[key];
    return section.get(key, kinds.whole({ min, max }), QUEUE_DEFAULTS[key]);
  };
  return {
    ...{ bytesLimit, bytesReserved, label, state: QUEUE_DEFAULTS.state },
    whenFull: section.get('whenFull', kinds.oneOf(...WHEN_FULL), QUEUE_DEFAULTS.whenFull),
    remoteWhenFull: section.get('remoteWhenFull', kinds.oneOf(...REMOTE_WHEN_FULL), QUEUE_DEFAULTS.remoteWhenFull),
    ordering: section.get('ordering', kinds.oneOf(...ORDERING), QUEUE_DEFAULTS.ordering),
    journal: section.get('journal', kinds.oneOf(...JOURNAL), QUEUE_DEFAULTS.journal),
    replay: section.get('replay', kinds.oneOf(...REPLAY), QUEUE_DEFAULTS.replay),
    deadLetterQueue: readDeadLetterQueue(name, section),
    timeToBeReceivedMs: whole('timeToBeReceivedMs'),
    deliveriesMax: whole('deliveriesMax'),
    retryMs: whole('retryMs'),
    retryFactor: section.get('retryFactor', kinds.numberWithin({ min: 1, max: RETRY_FACTOR_MAX }), QUEUE_DEFAULTS.retryFactor),
    retryMsMax: whole('retryMsMax'),
    retryJitterPercent: whole('retryJitterPercent'),
  };
}

/** What its receivers give up would come to them again. */
function readDeadLetterQueue(name: string, section: Section): string {
  const queue = section.get('deadLetterQueue', kinds.queueName, QUEUE_DEFAULTS.deadLetterQueue);
  if (queue === name) section.problem('deadLetterQueue', 'it is this queue itself');
  return queue;
}

/** `[uplink]` is `[[uplinks]]` with one. */
function readUplinks(top: Section, brokerUrl: string): NamedUplinkConfig[] {
  const short = top.table('uplink');
  const list = top.list('uplinks');
  if (short !== undefined && list.length > 0) top.problem('uplink', 'is one of [[uplinks]] alone: write one or the other');
  if (list.length > UPLINK_COUNT_MAX) top.problem('uplinks', `there may be ${UPLINK_COUNT_MAX}, not ${list.length}`);
  return [...(short === undefined ? [] : [short]), ...list].flatMap((section) => {
    const kind = section.needKnown('kind', kinds.oneOf('link', 'mqtt'));
    const uplink = readUplinkOf(kind, section, brokerUrl);
    const name =
      section === short || section === list[0] ? section.get('name', kinds.nodeName, 'up') : section.need('name', kinds.nodeName);
    const to = section.get('to', kinds.namePatterns(UPLINK_TO_COUNT_MAX), ['*']);
    const cap = readCap(section);
    section.finish();
    return uplink.kind === 'none' ? [] : [{ ...uplink, name, to, cap, at: section.path }];
  });
}

function readUplinkOf(kind: 'link' | 'mqtt' | undefined, section: Section, brokerUrl: string): UplinkConfig {
  switch (kind) {
    case 'link':
      section.refuse(MQTT_KEYS, 'belongs to kind = "mqtt"; an uplink is one or the other');
      return { kind, line: section.need('line', kinds.lineAddress({ baudRate: LINK_BAUD, use: 'dial' })) };
    case 'mqtt':
      section.refuse(LINK_KEYS, 'belongs to kind = "link"; an uplink is one or the other');
      return {
        kind,
        central: section.get('central', kinds.nodeName, CENTRAL_NAME),
        messagesPerPublish: section.find('messagesPerPublish', kinds.whole({ min: 1, max: BATCH_ITEM_COUNT_MAX })),
        lazy: readLazy(section),
        ...readPartitions(section),
        ...readAccess(section, brokerUrl),
      };
    case undefined:
      section.ignore([...LINK_KEYS, ...MQTT_KEYS]);
      return { kind: 'none' };
  }
}

function readLazy(section: Section): Laziness | undefined {
  if (section.get('connect', kinds.oneOf('always', 'lazy'), 'always') === 'always') {
    section.refuse(LAZY_KEYS, 'goes with connect = "lazy"');
    return undefined;
  }
  return {
    idleMs: section.get('idleMs', kinds.whole({ min: LAZY_IDLE_MS_MIN, max: LAZY_IDLE_MS_MAX }), LAZY_IDLE_MS),
    checkEveryMs: section.get('checkEveryMs', kinds.whole({ min: LAZY_CHECK_MS_MIN, max: LAZY_CHECK_MS_MAX }), LAZY_CHECK_MS),
  };
}

function readCap(section: Section): ByteCap | undefined {
  const bytesPerSecond = section.find('bytesPerSecond', kinds.whole({ min: 1, max: METER_RATE_MAX }));
  const burstBytes = section.find('burstBytes', kinds.byteCount);
  if (bytesPerSecond !== undefined) return { bytesPerSecond, burstBytes: burstBytes ?? METER_BURST_BYTES };
  if (burstBytes !== undefined) section.problem('burstBytes', 'goes with bytesPerSecond, which is not there');
  return undefined;
}

function readCentral(section: Section | undefined, brokerUrl: string): CentralConfig | undefined {
  if (section === undefined) return undefined;
  const name = section.get('name', kinds.nodeName, CENTRAL_NAME);
  const moreBrokers = section.list('brokers').map((more) => {
    const access = readAccess(more, more.need('broker', kinds.brokerUrl));
    more.finish();
    return access;
  });
  const central = { name, ...readPartitions(section), ...readAccess(section, brokerUrl), moreBrokers };
  section.finish();
  return central;
}

function readPartitions(section: Section): { partitionCount: number } {
  return { partitionCount: section.get('partitions', kinds.whole({ min: 1, max: PARTITION_COUNT_MAX }), 1) };
}

function readAccess(section: Section, brokerUrl: string): BrokerAccess {
  const access = {
    broker: section.get('broker', kinds.brokerUrl, brokerUrl),
    protocol: section.get('protocol', kinds.oneNumberOf(4, 5), 4),
    username: section.find('username', kinds.plainText),
    passwordFile: section.find('passwordFile', kinds.filePath),
  };
  // [MQTT-3.1.2-22]: a password without a user name is a malformed CONNECT.
  const isNobody = access.passwordFile !== undefined && access.username === undefined;
  if (isNobody) section.problem('passwordFile', 'needs a username beside it');
  return access;
}

function readLink(section: Section): LinkConfig {
  const listen = section.need('listen', kinds.lineAddress({ baudRate: LINK_BAUD, use: 'listen' }));
  checkRemote(section, listen.kind === 'tcp' ? listen.host : undefined);
  section.finish();
  return { listen };
}

function readBroker(section: Section | undefined): HostPort | undefined {
  if (section === undefined) return undefined;
  const listen = section.get('listen', kinds.hostPort, BROKER_LISTEN);
  checkRemote(section, listen.host);
  section.finish();
  return listen;
}

function readIngress(section: Section | undefined, node: string): IngressConfig | undefined {
  if (section === undefined) return undefined;
  const listen = section.get('listen', kinds.hostPort, BROKER_LISTEN);
  checkRemote(section, listen.host, 'what they say is not encrypted');
  const bytes = kinds.sizeWithin({ min: PACKET_BYTES_MIN, max: PUBLISH_BYTES_MAX });
  const rules = section.list('rules').map((rule) => readIngressRule(rule, node));
  if (rules.length === 0) section.problem('rules', 'there is none: no topic leads to a queue');
  if (rules.length > INGRESS_RULE_COUNT_MAX)
    section.problem('rules', `there may be ${INGRESS_RULE_COUNT_MAX}, not ${rules.length}`);
  const ingress = {
    listen,
    passwords: section.find('passwords', kinds.filePath),
    clientCountMax: section.get('clients', kinds.whole({ min: 1, max: INGRESS_CLIENT_COUNT_MAX }), INGRESS_CLIENT_COUNT),
    packetBytesMax: section.get('packetLimit', bytes, INGRESS_PACKET_BYTES),
    inFlightBytesMax: section.get('inFlightLimit', bytes, INGRESS_IN_FLIGHT_BYTES),
    holdMs: section.get('holdMs', kinds.whole({ min: INGRESS_HOLD_MS_MIN, max: INGRESS_HOLD_MS_MAX }), INGRESS_HOLD_MS),
    rules,
  };
  section.finish();
  return ingress;
}

function readIngressRule(section: Section, node: string): IngressRule {
  const rule = {
    topic: section.need('topic', kinds.topicFilter),
    queue: section.need('queue', kinds.address(node)),
    priority: section.find('priority', kinds.whole({ min: 0, max: PRIORITY_MAX })),
    contentType: section.find('contentType', PROPERTY_TEXT),
    label: section.find('label', PROPERTY_TEXT),
  };
  section.finish();
  return rule;
}

/** Nothing here asks who connects, or hides what is said, so what other machines reach is written out twice. */
function checkRemote(section: Section, host: string | undefined, why = 'nobody asks who they are'): void {
  const allowRemote = section.get('allowRemote', kinds.flag, false);
  if (host === undefined || isLoopback(host) || allowRemote) return;
  const remedy = 'write allowRemote = true if that is meant';
  section.problem('listen', `other machines reach ${host}, and ${why}; ${remedy}`);
}

function readAdapter(section: Section, node: string): AdapterConfig {
  const adapter = {
    kind: section.need('kind', kinds.oneOf('belt')),
    name: section.need('name', kinds.nodeName),
    port: section.need('port', kinds.lineAddress({ baudRate: BELT_BAUD, use: 'controller' })),
    destination: section.need('destination', kinds.address(node)),
  };
  section.finish();
  return adapter;
}

function readTrigger(section: Section, node: string): TriggerConfig {
  const trigger = {
    name: section.need('name', kinds.nodeName),
    queue: section.need('queue', kinds.queueName),
    send: section.need('send', kinds.address(node)),
    where: readCondition(section.tableOrEmpty('where')),
  };
  section.finish();
  return trigger;
}

function readRoute(section: Section, node: string): Route {
  const ms = kinds.whole({ min: 1, max: Number.MAX_SAFE_INTEGER });
  const where = readCondition(section.tableOrEmpty('where'));
  const some = {
    source: section.find('source', kinds.namePattern),
    where: Object.keys(where).length === 0 ? undefined : where,
    priority: section.find('priority', kinds.whole({ min: 0, max: PRIORITY_MAX })),
    timeToReachQueueMs: section.find('timeToReachQueueMs', ms),
    timeToBeReceivedMs: section.find('timeToBeReceivedMs', ms),
  };
  const route = {
    from: section.need('from', kinds.namePattern),
    to: section.need('to', kinds.listOf(kinds.routeGoal(node))),
    ...Object.fromEntries(Object.entries(some).filter(([, value]) => value !== undefined)),
  };
  section.finish();
  return route;
}

function readCondition(section: Section): Condition {
  const plain = {
    label: section.find('label', PROPERTY_TEXT),
    appSpecific: section.find('appSpecific', kinds.whole({ min: 0, max: APP_SPECIFIC_MAX })),
    contentType: section.find('contentType', PROPERTY_TEXT),
  };
  const headers = Object.fromEntries(section.table('headers')?.values(PROPERTY_TEXT) ?? []);
  section.finish();
  const all = { ...plain, headers: Object.keys(headers).length === 0 ? undefined : headers };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function readLog(section: Section): { level: LogLevel } {
  const log = { level: section.get('level', kinds.oneOf('debug', 'info', 'warn', 'error'), 'info') };
  section.finish();
  return log;
}

/** Where this machine reaches what listens there. */
function reachable(listen: HostPort): HostPort {
  if (listen.host === '0.0.0.0') return { ...listen, host: '127.0.0.1' };
  return listen.host === '::' ? { ...listen, host: '::1' } : listen;
}
