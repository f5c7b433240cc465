/** A device whose disk is an older image of itself: device ═ line or broker ═ gateway in virtual time, the product's core at both ends. */
import { beforeEach, describe, expect, test } from 'vitest';
import { type Prng, stream } from '../../hardware-sim/random.ts';
import { SimBroker } from '../../hardware-sim/sim-broker.ts';
import type { SimDisk } from '../../hardware-sim/sim-disk.ts';
import { SimLink } from '../../hardware-sim/sim-link.ts';
import { SimNode } from '../../hardware-sim/sim-node.ts';
import { World } from '../../hardware-sim/world.ts';
import { fromUtf8, toUtf8 } from '../bytes.ts';
import { streamText } from '../message/identity.ts';
import type { CallResult, Stats } from './calls.ts';
import type { NodeConfig } from './node-io.ts';

interface Arrival {
  readonly text: string;
  readonly stream: string;
  readonly maybeDuplicate: boolean;
}

const REFUSING = { publishes: 'refused', subscriptions: 'refused' } as const;
const TAKING = { publishes: 'taken', subscriptions: 'granted' } as const;

type Carrier = 'link' | 'mqtt';

const random = (name: string): Prng => stream('fork', name);

let world: World;
let device: SimNode;
let gateway: SimNode;
let connection: Pick<SimLink, 'plug' | 'unplug'>;
let arrivals: Arrival[];

beforeEach(() => setUp('link'));

async function setUp(carrier: Carrier): Promise<void> {
  world = new World(random('scheduler'));
  arrivals = [];
  const broker = new SimBroker({ scheduler: world, random: random('broker') });
  const node = (name: string, uplink: NodeConfig['uplink'], onServing: (node: SimNode) => void) => {
    const connectBroker = () => broker.connect(name);
    const isOnBroker = carrier === 'mqtt';
    const how = { random: random(name), syncMsMax: 5, onServing, ...(isOnBroker && { connectBroker }) };
    return new SimNode({ world, config: config(name, uplink, carrier), ...how });
  };
  device = node('device', carrier, () => {});
  gateway = node('gateway', 'none', consume);
  device.start();
  gateway.start();
  connection =
    carrier === 'link'
      ? new SimLink({ world, random: random('line'), dials: device, accepts: gateway })
      : { unplug: () => Object.assign(broker.faults, REFUSING), plug: () => Object.assign(broker.faults, TAKING) };
  await world.run(world.nowMs + 2_000);
}

function config(name: string, uplink: NodeConfig['uplink'], carrier: Carrier): NodeConfig {
  return {
    name,
    queues: uplink === 'none' ? [{ name: 'bags', bytesLimit: 100_000 }] : [],
    unknownQueue: 'refuse',
    queueBytesLimit: 100_000,
    uplink,
    central: 'gateway',
    isCentral: uplink === 'none' && carrier === 'mqtt' ? 'yes' : 'no',
    partitionCount: 1,
    commitDelayMs: 0,
    home: undefined,
  };
}

/** The application at the gateway: takes and acknowledges whatever comes. */
function consume(node: SimNode): void {
  node.call({ verb: 'receive', queue: 'bags', waitMs: 60_000, leaseMs: 5_000 }, (result) => {
    if (result.kind !== 'received') return void world.after(10, () => consume(node));
    const { message, lease } = result.received;
    const maybeDuplicate = message.maybeDuplicate !== undefined;
    arrivals.push({ text: fromUtf8(message.body) ?? '', stream: streamText(message.identity), maybeDuplicate });
    node.call({ verb: 'ack', lease }, () => consume(node));
  });
}

const send = (...texts: string[]) => sendIn(3, ...texts);

/** Each priority is a stream of its own. */
async function sendIn(priority: number, ...texts: string[]): Promise<void> {
  for (const text of texts) {
    let answer: CallResult | undefined;
    device.call({ verb: 'send', destination: 'gateway/bags', body: toUtf8(text), properties: { priority } }, (result) => {
      answer = result;
    });
    await world.run(world.nowMs + 1_000, () => answer !== undefined);
    expect(answer?.kind).toBe('sent');
  }
}

async function arrived(count: number): Promise<void> {
  await world.run(world.nowMs + 60_000, () => arrivals.length >= count);
  await world.run(world.nowMs + 1_000);
  expect(arrivals.map(({ text }) => text)).toHaveLength(count);
}

/** The power goes, and the disk that comes back is the image. Gives what the node said of itself until it served again, anew. */
async function restore(image: SimDisk): Promise<Stats[]> {
  device.powerCut();
  device.disk = image;
  const said: Stats[] = [];
  device.start();
  const { openings } = device;
  await world.run(world.nowMs + 60_000, () => {
    const stats = device.stats();
    if (stats !== undefined) said.push(stats);
    return device.openings > openings && device.isServing;
  });
  return said;
}

const texts = (list: readonly Arrival[]): string[] => list.map(({ text }) => text);

/** What must hold whichever end found it out. */
async function expectReborn(
  said: readonly Stats[],
  before: { incarnation: string; arrivals: number },
  held: string[],
): Promise<void> {
  const causes = said.flatMap(({ health }) => health.causes.map(({ code, detail }) => (code === 'NOT_SERVING' ? detail : code)));
  expect(causes).toEqual(expect.arrayContaining(['forking', 'FORKED']));
  expect(device.stops.map(({ message }) => message)).toEqual([expect.stringContaining('forked')]);
  const { incarnation } = device.stats() ?? {};
  expect(incarnation).not.toBe(before.incarnation);

  await send('after-1', 'after-2', 'after-3');
  await arrived(before.arrivals + held.length + 3);
  const later = arrivals.slice(before.arrivals);
  expect(texts(later)).toEqual([...held, 'after-1', 'after-2', 'after-3']);
  expect(later.filter(({ maybeDuplicate }) => maybeDuplicate).map(({ text }) => text)).toEqual(held);
  expect(later.every(({ stream: key }) => key.includes(incarnation ?? ''))).toBe(true);
  expect(device.stats()).toMatchObject({ health: { status: 'green' } });
  expect(device.stats()?.outgoing.reduce((sum, { held: count }) => sum + count, 0)).toBe(0);

  // And it stays so: a power cut later it is the same incarnation, nothing comes again, and nothing is missing.
  device.powerCut();
  device.start();
  await world.run(world.nowMs + 5_000);
  expect([device.stats()?.incarnation, device.stops.length]).toEqual([incarnation, 1]);
  await send('last');
  await arrived(before.arrivals + held.length + 4);
}

describe('an old image of the disk comes back', () => {
  test('from before the present session: the gateway knows the ticket is used, and what the image held comes as maybe duplicate', async () => {
    await send('a', 'b', 'c');
    await arrived(3);
    connection.unplug();
    await world.run(world.nowMs + 500);
    await send('held-1', 'held-2');
    const image = device.disk.clone(random('image'));
    connection.plug();
    await arrived(5);
    await send('d', 'e', 'f');
    await arrived(8);
    const { incarnation = '' } = device.stats() ?? {};
    const said = await restore(image);
    expect(gateway.stats()?.counters.forksRefused).toBeGreaterThan(0);
    await expectReborn(said, { incarnation, arrivals: 8 }, ['held-1', 'held-2']);
  });

  test('from within the present session: the device finds that the gateway has what it never sent', async () => {
    await send('a', 'b', 'c');
    await arrived(3);
    const image = device.disk.clone(random('image'));
    await send('d', 'e', 'f');
    await arrived(6);
    const { incarnation = '' } = device.stats() ?? {};
    const said = await restore(image);
    expect(gateway.stats()?.counters.forksRefused).toBe(0);
    await expectReborn(said, { incarnation, arrivals: 6 }, []);
  });

  test('of the present moment: it is no fork, and nothing changes', async () => {
    await send('a', 'b');
    await arrived(2);
    const { incarnation } = device.stats() ?? {};
    const image = device.disk.clone(random('image'));
    device.powerCut();
    device.disk = image;
    device.start();
    await world.run(world.nowMs + 5_000);
    await send('c');
    await arrived(3);
    expect([device.stats()?.incarnation, device.stops, arrivals.some((one) => one.maybeDuplicate)]).toEqual([
      incarnation,
      [],
      false,
    ]);
  });
});

describe('an image from before the first message of a stream (docs/custody.md, section 4)', () => {
  /** The ticket on the image is the current one, and the image knows nothing of the second stream. */
  async function rolledBackWithinSession(): Promise<void> {
    await send('a', 'b');
    await arrived(2);
    await send('held');
    const image = device.disk.clone(random('image'));
    await arrived(3);
    await sendIn(5, 's-1');
    await arrived(4);
    await restore(image);
  }

  function expectNothingLost(): void {
    expect(texts(arrivals.slice(0, 4))).toEqual(['a', 'b', 'held', 's-1']);
    const later = arrivals.slice(4).map(({ text, maybeDuplicate }) => [text, maybeDuplicate]);
    expect(later.sort()).toEqual([
      ['held', true],
      ['s-2', false],
      ['s-3', false],
    ]);
    expect(gateway.stats()?.counters.forksRefused).toBeGreaterThan(0);
    expect(device.stats()?.outgoing.reduce((sum, { held }) => sum + held, 0)).toBe(0);
  }

  describe.each<[Carrier]>([['link'], ['mqtt']])('over %s', (carrier) => {
    beforeEach(() => setUp(carrier));

    test('the next message of the stream is handed over at once', async () => {
      await rolledBackWithinSession();
      await sendIn(5, 's-2', 's-3');
      await arrived(7);
      expectNothingLost();
    });

    test('a power cut comes before it is handed over', async () => {
      await rolledBackWithinSession();
      await world.run(world.nowMs + 5_000);
      connection.unplug();
      await world.run(world.nowMs + 500);
      await sendIn(5, 's-2');
      device.powerCut();
      device.start();
      await world.run(world.nowMs + 1_000);
      connection.plug();
      await sendIn(5, 's-3');
      await arrived(7);
      expectNothingLost();
    });
  });
});

test.each<[Carrier]>([['link'], ['mqtt']])(
  'over %s: while a slow disk writes the note of a fork nobody asks for the same instant again and again',
  async (carrier) => {
    await setUp(carrier);
    await send('a', 'b');
    await arrived(2);
    const image = device.disk.clone(random('image'));
    await send('c');
    await arrived(3);
    device.powerCut();
    device.disk = image;
    device.start();
    await world.run(world.nowMs + 5_000, () => device.isServing);
    image.latency = { meanMs: 1, stallChance: 1, stallMs: 60_000 };
    const isForking = () => device.stats()?.health.causes.some(({ detail }) => detail === 'forking') ?? false;
    await world.run(world.nowMs + 300_000, isForking);
    expect(isForking()).toBe(true);
    const before = { steps: world.steps, nowMs: world.nowMs };
    await world.run(world.nowMs + 300_000, () => !isForking(), 100_000);
    expect(world.nowMs - before.nowMs).toBeGreaterThan(30_000);
    expect(world.steps - before.steps).toBeLessThan(2_000);
  },
);
