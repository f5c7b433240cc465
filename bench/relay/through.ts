/**
 * How many messages a second get through, by the clock on the wall, from 10 % to 98 % of them or for some seconds; and how long one takes
 * that is sent at a rate that everybody can bear.
 */
import { startMosquitto } from './brokers.ts';
import type { Look } from './job.ts';
import { percentile } from './looks.ts';
import { QUEUE } from './nodes.ts';
import type { Row } from './rows.ts';
import { type Part, pause, type Stage } from './stage.ts';

const MEBIBYTE = 1024 * 1024;
const LOOK_MS = 100;
const IN_VAIN_MS_MAX = 20_000;
const WARM_SHARE = 0.1;
const DONE_SHARE = 0.98;
/** Of clients: without a PUBACK. */
const IN_FLIGHT = 200;
const RING_BYTES_PER_MESSAGE = 900;

export interface RelayedCase {
  readonly name: string;
  readonly bodyBytes: number;
  readonly devices: number;
  readonly messages: number;
  readonly publishes: 'one-message' | 'what-waits';
}

/** Devices with full rings, a gateway, mosquitto, a central: durable at each of them. */
export async function relayed(stage: Stage, given: RelayedCase): Promise<Row> {
  const { name, bodyBytes, devices, publishes } = given;
  const messagesEach = Math.ceil(given.messages / devices);
  const messages = messagesEach * devices;
  const broker = await startMosquitto({ folder: stage.place('broker'), memory: 'none' });
  const ringBytes = Math.max(32 * MEBIBYTE, messages * (RING_BYTES_PER_MESSAGE + 3 * bodyBytes));
  const socketPath = `${stage.place('line')}/s`;
  const way = { brokerPort: broker.port, ringBytes };
  const central = await stage.part({ kind: 'central', folder: stage.place('central'), ...way, receivers: 0 });
  const gateway = await stage.part({ kind: 'gateway', folder: stage.place('gateway'), ...way, socketPath, publishes });
  const source = await stage.part({
    kind: 'devices',
    folder: stage.place('devices'),
    socketPath,
    name: 'd',
    devices,
    messagesEach,
    bodyBytes,
    livePerSecond: 0,
  });
  await source.look();
  const looks: { readonly central: Look; readonly gateway: Look }[] = [];
  await until(central, messages, async (look) => {
    looks.push({ central: look, gateway: await gateway.look() });
  });
  const from = looks.find(({ central: { count } }) => count >= WARM_SHARE * messages);
  const to = looks.filter(({ central: { count } }) => count <= DONE_SHARE * messages).at(-1);
  if (from === undefined || to === undefined || to.central.count <= from.central.count) throw new Error('over too soon');
  const count = to.central.count - from.central.count;
  return {
    case: name,
    subject: 'ringmail',
    messagesPerSecond: (1000 * count) / (to.central.atMs - from.central.atMs),
    gatewayCpuUs: (to.gateway.cpuUs - from.gateway.cpuUs) / count,
    centralCpuUs: (to.central.cpuUs - from.central.cpuUs) / count,
    rssMb: Math.max(...looks.map(({ gateway: { rssMb } }) => rssMb)),
  };
}

/** A publisher, a broker or two, a subscriber. */
export async function clients(
  stage: Stage,
  given: { name: string; bodyBytes: number; seconds: number; way: 'one-broker' | 'bridge' },
): Promise<Row> {
  const { name, bodyBytes, seconds, way } = given;
  const { publisher, subscriber } = await clientsOver(stage, way, { bodyBytes, perSecond: 0 });
  await publisher.look();
  await pause(WARM_MS);
  const [from, acked] = [await subscriber.look(), await publisher.look()];
  await pause(1000 * seconds);
  const [to, ackedThen] = [await subscriber.look(), await publisher.look()];
  if (ackedThen.count === acked.count) throw new Error('nothing was published');
  return {
    case: name,
    subject: way === 'bridge' ? 'mosquitto-bridge' : 'mqtt-client',
    messagesPerSecond: (1000 * (to.count - from.count)) / (to.atMs - from.atMs),
    rssMb: ackedThen.rssMb,
  };
}

const WARM_MS = 2_000;

export interface LatencyCase {
  readonly name: string;
  readonly bodyBytes: number;
  readonly perSecond: number;
  readonly seconds: number;
}

/** From `send` on a device until a receiver at the central has it. */
export async function latency(stage: Stage, { name, bodyBytes, perSecond, seconds }: LatencyCase): Promise<Row> {
  const broker = await startMosquitto({ folder: stage.place('broker'), memory: 'none' });
  const way = { brokerPort: broker.port, ringBytes: 64 * MEBIBYTE };
  const socketPath = `${stage.place('line')}/s`;
  const central = await stage.part({ kind: 'central', folder: stage.place('central'), ...way, receivers: LATENCY_RECEIVERS });
  await stage.part({ kind: 'gateway', folder: stage.place('gateway'), ...way, socketPath, publishes: 'what-waits' });
  const source = await stage.part({
    kind: 'devices',
    folder: stage.place('devices'),
    socketPath,
    name: 'd',
    devices: LATENCY_DEVICES,
    messagesEach: 0,
    bodyBytes,
    livePerSecond: perSecond,
    liveQueue: QUEUE,
  });
  await source.look();
  await pause(WARM_MS);
  await source.look();
  return { case: name, subject: 'ringmail', ...(await delaysOf(central, seconds)) };
}

/** Several would share one disk here, as they never do, and wait for its syncs. */
const LATENCY_DEVICES = 1;
const LATENCY_RECEIVERS = 32;

/** The same without storage, or over the rival. */
export async function clientLatency(
  stage: Stage,
  { name, bodyBytes, perSecond, seconds, way }: LatencyCase & { readonly way: 'one-broker' | 'bridge' },
): Promise<Row> {
  const { publisher, subscriber } = await clientsOver(stage, way, { bodyBytes, perSecond });
  await publisher.look();
  return {
    case: name,
    subject: way === 'bridge' ? 'mosquitto-bridge' : 'mqtt-client',
    ...(await delaysOf(subscriber, seconds)),
  };
}

async function clientsOver(stage: Stage, way: 'one-broker' | 'bridge', load: { bodyBytes: number; perSecond: number }) {
  const central = await startMosquitto({ folder: stage.place('broker'), memory: 'none' });
  const edge =
    way === 'one-broker'
      ? central
      : await startMosquitto({ folder: stage.place('edge'), memory: 'persistent', bridgeTo: central.port });
  const subscriber = await stage.part({ kind: 'subscriber', brokerPort: central.port });
  await pause(way === 'bridge' ? BRIDGE_MS : 0);
  const publisher = await stage.part({ kind: 'publisher', brokerPort: edge.port, ...load, inFlight: IN_FLIGHT });
  return { publisher, subscriber };
}

/** Until the bridge has connected: its first attempt is at once, the next after a second. */
const BRIDGE_MS = 2_500;

/** Those of some seconds, after some others. */
export async function delaysOf(part: Part, seconds: number): Promise<Pick<Row, 'messagesPerSecond' | 'p50Ms' | 'p99Ms'>> {
  await pause(WARM_MS);
  const from = await part.look();
  await pause(1000 * seconds);
  const to = await part.look();
  return {
    messagesPerSecond: (1000 * (to.count - from.count)) / (to.atMs - from.atMs),
    p50Ms: percentile(to.delaysMs, 0.5),
    p99Ms: percentile(to.delaysMs, 0.99),
  };
}

/** Looks on until so many are there. @throws when no more come */
export async function until(part: Part, count: number, look: (look: Look) => Promise<void>): Promise<void> {
  let movedMs = performance.now();
  for (let before = -1; ; ) {
    const seen = await part.look();
    await look(seen);
    if (seen.count >= count) return;
    if (seen.count !== before) movedMs = performance.now();
    before = seen.count;
    if (performance.now() - movedMs > IN_VAIN_MS_MAX) throw new Error(`${seen.count} of ${count} arrived, and no more`);
    await pause(LOOK_MS);
  }
}
