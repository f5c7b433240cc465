/** What routes send to topics: published as it is, at least once, whatever becomes of the broker, and freed by its word. */
import { expect, test } from 'vitest';
import { QueueBox, textOf } from '../../hardware-sim/queue-box.ts';
import { stream } from '../../hardware-sim/random.ts';
import { type BrokerFaults, SimBroker } from '../../hardware-sim/sim-broker.ts';
import type { World } from '../../hardware-sim/world.ts';
import { fromUtf8, toUtf8 } from '../bytes.ts';
import type { ByteCap } from '../custody/meter.ts';
import type { Broker } from '../ports.ts';
import type { Route } from '../queue/routes.ts';
import type { UplinkSetup } from './node-io.ts';

const QUEUES = ['scans', 'a'].map((name) => ({ name, bytesLimit: 400_000 }));
const ROUTES: readonly Route[] = [
  { from: 'scans', to: ['a', 'topic:hall/2:scans'] },
  { from: 'a', where: { label: 'told' }, to: ['topic+json:hall/{label}/{queue}', 'topic+cloudevents:{header:where}'] },
];

/** What a subscriber heard. */
class Ear {
  readonly heard: string[] = [];
  readonly #broker: Broker;

  constructor(broker: Broker) {
    this.#broker = broker;
    broker.listen({
      onUp: () => this.#broker.subscribe(['hall/#']),
      onDown: () => {},
      onMessage: (topic, payload) => this.heard.push(`${topic} ${fromUtf8(payload)?.split(' ')[0]}`),
    });
  }
}

async function plant(
  name: string,
  faults: Partial<BrokerFaults> = {},
  cap?: ByteCap,
): Promise<{ box: QueueBox; broker: SimBroker; ear: Ear }> {
  // Made with the world of the box, which is there when the node connects.
  const made: { broker?: SimBroker } = {};
  const box: QueueBox = new QueueBox(
    name,
    { queues: QUEUES, routes: ROUTES, uplink: 'mqtt', queueBytesLimit: 200_000, ...(cap && { uplinks: [metered(cap)] }) },
    {
      connectBroker: () => brokerIn(box.world).connect('box'),
      dropBroker: () => made.broker?.cut('box'),
    },
  );
  function brokerIn(world: World): SimBroker {
    made.broker ??= new SimBroker({ scheduler: world, random: stream(name, 'broker'), faults });
    return made.broker;
  }
  const broker = brokerIn(box.world);
  const ear = new Ear(broker.connect('ear'));
  await box.start();
  await box.pass(500);
  return { box, broker, ear };
}

function metered(cap: ByteCap): UplinkSetup {
  return { name: 'up', kind: 'mqtt', to: ['*'], central: 'central', partitionCount: 1, cap };
}

const HEARD = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `hall/2:scans m${from + i}`);

async function sendAll(box: QueueBox, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++)
    expect(await box.send('scans', `m${i} ${'x'.repeat(400)}`, { acknowledge: 'full' })).toBe('sent');
}

test('each is published once, in order, and its place is free when the broker has it', async () => {
  const { box, ear } = await plant('once');
  await sendAll(box, 0, 100);
  await box.pass(1_000);
  expect(ear.heard).toEqual(HEARD(0, 100));
  expect([box.queue('$topic').ready, box.queue('$topic').leased, box.queue('a').ready]).toEqual([0, 0, 100]);
  expect(box.stats.counters).toMatchObject({ topicsPublished: 100, topicsConfirmed: 100 });
  await box.drain('a');
  await box.drain('$admin');
  expect(box.onDisk().index.count).toBe(0);
});

test('a metered uplink brings them as its cap says, and what is urgent at once', async () => {
  const { box, ear } = await plant('metered', {}, { bytesPerSecond: 500, burstBytes: 1_000 });
  await sendAll(box, 0, 40);
  await box.pass(200);
  const atOnce = ear.heard.length;
  expect(atOnce).toBeGreaterThan(0);
  expect(atOnce).toBeLessThan(6);
  expect(await box.send('scans', 'alarm', { priority: 6 })).toBe('sent');
  await box.pass(200);
  expect(ear.heard.at(-1)).toBe('hall/2:scans alarm');
  const before = ear.heard.length;
  await box.pass(20_000);
  // 20 s of 500 bytes, each about 430, and syncs to a central that is not there.
  expect(ear.heard.length - before).toBeGreaterThan(10);
  expect(ear.heard.length - before).toBeLessThan(25);
  await box.pass(60_000);
  expect(ear.heard).toHaveLength(41);
});

test('what waits for a broker that is away for an hour holds nobody up, and goes when it is back', async () => {
  const { box, broker, ear } = await plant('away');
  broker.restart(3_600_000);
  await box.pass(100);
  await sendAll(box, 0, 20);
  expect(await box.drain('a')).toHaveLength(20);
  await box.pass(3_000_000);
  expect([box.queue('$topic').ready, ear.heard]).toEqual([20, []]);
  await box.pass(700_000);
  expect([box.queue('$topic').ready, new Set(ear.heard)]).toEqual([0, new Set(HEARD(0, 20))]);
});

test('after any cut the broker has each at least once', async () => {
  const { box, broker } = await plant('cuts', { delayMsMax: 20, breakRate: 0.02, reconnectMsMax: 200 });
  const taken = new Set<string>();
  const take = broker.take.bind(broker);
  broker.take = (publish) => {
    if (publish.topic.startsWith('hall/')) taken.add(`${publish.topic} ${fromUtf8(publish.payload)?.split(' ')[0]}`);
    take(publish);
  };
  for (let i = 0; i < 10; i++) {
    await sendAll(box, 10 * i, 10 * i + 10);
    if (i % 3 === 0) await box.restart('power cut');
    if (i % 3 === 1) broker.cut('box');
  }
  broker.faults.breakRate = 0;
  await box.pass(60_000);
  expect(taken).toEqual(new Set(HEARD(0, 100)));
  expect([box.queue('$topic').ready, box.queue('$topic').leased]).toEqual([0, 0]);
  expect(box.stats.accounts).toEqual([]);
});

test('one that the broker ends the connection over is given up, with a letter, and the others go', async () => {
  const { box, broker, ear } = await plant('poison', { publishBytesMax: 1_000, reconnectMsMax: 50 });
  await sendAll(box, 0, 3);
  expect(await box.send('scans', `large ${'x'.repeat(2_000)}`)).toBe('sent');
  await sendAll(box, 3, 6);
  await box.pass(60_000);
  expect(new Set(ear.heard)).toEqual(new Set(HEARD(0, 6)));
  const letter = await box.receive('$dead');
  expect([textOf(letter), letter?.message.history]).toMatchObject(['large', [{ class: 'BROKER_REFUSED' }]]);
  expect(letter?.message.previous).toContain(':topic:hall/2:scans:3:');
  broker.faults.publishBytesMax = Number.POSITIVE_INFINITY;
  await box.ask({ verb: 'nack', lease: letter?.lease ?? '', delayMs: 0 });
  expect((await box.ask({ verb: 'redrive', queue: '$dead', lookupId: letter?.lookupId ?? 0 }))?.kind).toBe('sent');
  await box.pass(1_000);
  expect(ear.heard.at(-1)).toBe('hall/2:scans large');
});

test('nobody but a route sends to a topic', async () => {
  const { box } = await plant('others');
  expect(await box.send('topic:hall/x', 'm')).toBe('ACCESS_MODE_INVALID');
  expect(await box.send('$topic', 'm')).toBe('ACCESS_MODE_INVALID');
  expect(await box.commit([{ do: 'send', destination: 'topic:hall/x', body: toUtf8('m'), properties: {} }])).toBe(
    'ACCESS_MODE_INVALID',
  );
});

test('without an uplink over MQTT there is no such place', async () => {
  const box = new QueueBox('no broker', { queues: QUEUES, routes: ROUTES });
  await box.start();
  await box.send('scans', 'm');
  const letter = await box.receive('$dead');
  expect([letter?.message.history?.map((step) => step.class), box.queue('a').ready]).toEqual([['BAD_DST_Q'], 1]);
});

test('a route may ask for a format and leave gaps; what fills them with what nobody may publish to goes to $dead, and holds nobody up', async () => {
  const { box, ear, broker } = await plant('formats');
  const payloads: string[] = [];
  const take = broker.take.bind(broker);
  broker.take = (publish) => {
    if (publish.topic.startsWith('hall/')) payloads.push(fromUtf8(publish.payload) ?? '');
    take(publish);
  };
  const told = (where: string) => ({ label: 'told', contentType: 'text/plain', headers: new Map([['where', where]]) });
  expect(await box.send('a', 'one', told('$SYS/x'))).toBe('sent');
  expect(await box.send('a', 'two', told('hall/events'))).toBe('sent');
  await box.pass(1_000);
  expect(ear.heard.map((line) => line.split(' ')[0])).toEqual(['hall/told/a', 'hall/told/a', 'hall/events']);
  expect(payloads.map((payload) => JSON.parse(payload))).toEqual([
    expect.objectContaining({ label: 'told', bodyText: 'one' }),
    expect.objectContaining({ label: 'told', bodyText: 'two' }),
    expect.objectContaining({ specversion: '1.0', type: 'told', data: 'two' }),
  ]);
  expect([box.queue('$topic').ready, box.queue('$dead').ready]).toEqual([0, 1]);
  expect(box.stats.accounts).toEqual([expect.objectContaining({ class: 'BAD_DST_Q', count: 1 })]);
});
