/**
 * What is left of what was acknowledged: the centre is away, a thousand messages are taken at the edge, and each is acknowledged; then
 * whoever took them is killed with -9, or the power goes. Started again with what its disk has, it finds the centre there, and hands
 * over what it still knows.
 *
 *   kill       the process dies; the page cache stays
 *   powercut   the process stands still, the image below its ext4 is copied, the copy is mounted: what was only in the page cache is gone
 */
import { connectAsync, type MqttClient } from 'mqtt';
import { LocalNode } from '../../shared/node/library.ts';
import { ImageBed } from '../../test/real-ring/ext4-image.ts';
import { TOPIC } from './actors/publisher.ts';
import { freePort, type RunningBroker, startMosquitto, startNats } from './brokers.ts';
import { centralConfig, openRelayNode, QUEUE } from './nodes.ts';
import type { Row, Subject } from './rows.ts';
import { type Ended, pause, type Stage } from './stage.ts';
import { numberedBody, numberOf } from './stamped.ts';

export type Harm = 'kill' | 'powercut';

export const LOSS_SUBJECTS: readonly Subject[] = [
  'mosquitto-bridge',
  'mqtt-client',
  'mqtt-client-level',
  'mqtt-client-jsonl',
  'nats',
  'ringmail',
];
const MESSAGES = 1000;
/** Nothing new for so long: no more comes. */
const QUIET_MS = 4_000;
const WAIT_MS_MAX = 30_000;
const CENTRAL_RING_BYTES = 16 * 1024 * 1024;
const AT_ONCE = 50;

/** Who takes messages, in a folder that outlives it. */
interface Edge {
  /** Resolves with how many were acknowledged. */
  take(): Promise<number>;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

/** Who counts what comes, by its number. */
interface Sink {
  readonly seen: ReadonlyMap<number, number>;
  close(): Promise<void>;
}

export async function loss(stage: Stage, harm: Harm, subject: Subject): Promise<Row> {
  const bed = harm === 'powercut' ? new ImageBed() : undefined;
  try {
    return await lossIn(stage, bed, { harm, subject });
  } finally {
    await stage.end();
    bed?.remove();
  }
}

async function lossIn(stage: Stage, bed: ImageBed | undefined, what: { harm: Harm; subject: Subject }): Promise<Row> {
  const { harm, subject } = what;
  const image = bed?.make() ?? '';
  const folder = bed?.mount(image) ?? stage.place('edge');
  const port = await freePort();
  const first = await edgeOf(stage, subject, { folder, port });
  const acknowledged = await first.take();
  await first.stop();
  const copy = bed?.cut(image);
  await first.kill();
  const left = bed === undefined || copy === undefined ? folder : bed.mount(copy);
  const sink = await sinkOf(stage, subject, port);
  const second = await edgeOf(stage, subject, { folder: left, port });
  const seen = subject === 'nats' ? await afterNats(port) : await quiet(sink);
  await second.kill();
  await sink.close();
  return { case: harm, subject, acknowledged, ...judged(seen) };
}

function judged(seen: ReadonlyMap<number, number>): Pick<Row, 'lost' | 'duplicated'> {
  let repeats = 0;
  for (const times of seen.values()) repeats += times - 1;
  return { lost: MESSAGES - seen.size, duplicated: repeats };
}

/** Who was acknowledged is asked for: all of them were. */
async function edgeOf(stage: Stage, subject: Subject, at: { folder: string; port: number }): Promise<Edge> {
  const { folder, port } = at;
  switch (subject) {
    case 'mosquitto-bridge': {
      const edge = await startMosquitto({ folder: `${folder}/mosquitto`, memory: 'persistent', bridgeTo: port });
      return brokerEdge(edge, () => publishAll(edge.port));
    }
    case 'nats': {
      // Its own subscribers are the ones who come back.
      const edge = await startNats({ folder: `${folder}/nats`, port });
      return brokerEdge(edge, async () => {
        await (await natsSubscriber(edge.port, () => {})).endAsync();
        return publishAll(edge.port);
      });
    }
    default: {
      const worker: Ended = await stage.ended({ kind: 'edge', subject, folder, brokerPort: port, messages: MESSAGES });
      return { take: async () => (await worker.look()).count, stop: () => worker.stop(), kill: () => worker.kill() };
    }
  }
}

function brokerEdge(broker: RunningBroker, take: () => Promise<number>): Edge {
  return { take, stop: () => broker.signal('SIGSTOP'), kill: () => broker.signal('SIGKILL') };
}

async function publishAll(port: number): Promise<number> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: 'bench-source', reconnectPeriod: 0 });
  let [next, acknowledged] = [1, 0];
  const one = async (): Promise<void> => {
    while (next <= MESSAGES) {
      await client.publishAsync(TOPIC, Buffer.from(numberedBody(next++)), { qos: 1 });
      acknowledged += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  client.end(true);
  return acknowledged;
}

async function sinkOf(stage: Stage, subject: Subject, port: number): Promise<Sink> {
  const seen = new Map<number, number>();
  const count = (number: number) => seen.set(number, (seen.get(number) ?? 0) + 1);
  if (subject === 'nats') return { seen, close: async () => {} };
  await startMosquitto({ folder: stage.place('broker'), memory: 'none', port });
  if (subject !== 'ringmail') {
    const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: 'bench-sink' });
    client.on('message', (_, payload) => count(numberOf(payload)));
    await client.subscribeAsync(TOPIC, { qos: 1 });
    return { seen, close: () => client.endAsync(true) };
  }
  const folder = stage.place('central');
  const config = centralConfig(CENTRAL_RING_BYTES);
  const local = new LocalNode(
    await openRelayNode({ name: 'central', folder, ringBytes: CENTRAL_RING_BYTES, brokerPort: port, config }),
  );
  const stop = new AbortController();
  const receiving = (async () => {
    while (!stop.signal.aborted) {
      const delivery = await local.receive(QUEUE, { waitMs: WAIT_MS_MAX, signal: stop.signal });
      if (delivery === undefined) continue;
      count(numberOf(delivery.message.body));
      await delivery.ack();
    }
  })();
  const close = async () => {
    stop.abort();
    await receiving.catch(() => {});
    await local.close();
  };
  return { seen, close };
}

async function afterNats(port: number): Promise<ReadonlyMap<number, number>> {
  const seen = new Map<number, number>();
  const count = (payload: Uint8Array) => {
    const number = numberOf(payload);
    seen.set(number, (seen.get(number) ?? 0) + 1);
  };
  const client = await natsSubscriber(port, count);
  const all = await quiet({ seen, close: async () => {} });
  client.end(true);
  return all;
}

/** A session that the broker keeps, and messages with it. */
async function natsSubscriber(port: number, heard: (payload: Uint8Array) => void): Promise<MqttClient> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: 'bench-sink', clean: false });
  client.on('message', (_, payload) => heard(payload));
  await client.subscribeAsync(TOPIC, { qos: 1 });
  return client;
}

/** Until nothing new has come for a while. */
async function quiet({ seen }: Sink): Promise<ReadonlyMap<number, number>> {
  const total = () => [...seen.values()].reduce((sum, times) => sum + times, 0);
  const deadlineMs = performance.now() + WAIT_MS_MAX;
  for (let [before, sinceMs] = [-1, performance.now()]; performance.now() < deadlineMs; ) {
    if (total() !== before) [before, sinceMs] = [total(), performance.now()];
    if (performance.now() - sinceMs > QUIET_MS) break;
    await pause(100);
  }
  return seen;
}
