/**
 * Messages whose place in the sequence is gone at a node in the middle, and that come after all: carried to their destination, which
 * decides by who they are (docs/routes.md, section 2). Whole nodes in virtual time.
 *
 *              ┌─▶ gateway-a ─┐
 *   device ────┤              ├──▶ site ──▶ region ──▶ central
 *              └─▶ gateway-b ─┘
 */
import { beforeEach, expect, test } from 'vitest';
import { type Prng, stream } from '../hardware-sim/random.ts';
import { SimLink } from '../hardware-sim/sim-link.ts';
import { SimNode } from '../hardware-sim/sim-node.ts';
import { World } from '../hardware-sim/world.ts';
import { fromUtf8, toUtf8 } from '../shared/bytes.ts';
import type { Call, CallResult, Received } from '../shared/core/calls.ts';
import type { NodeConfig } from '../shared/core/node-io.ts';
import type { Properties } from '../shared/message/message.ts';

let seed: string;
let world: World;
let nodes: Record<'device' | 'a' | 'b' | 'site' | 'region' | 'central', SimNode>;
let links: Record<'deviceToA' | 'deviceToB' | 'aUp' | 'bUp' | 'siteUp' | 'regionUp', SimLink>;

const random = (name: string): Prng => stream(seed, name);
const pass = (ms: number): Promise<void> => world.run(world.nowMs + ms);
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

function nodeOf(name: string, uplink: 'none' | 'link'): SimNode {
  const queues = uplink === 'none' ? [{ name: 'bags', bytesLimit: 300_000 }] : [];
  const rest = { unknownQueue: 'refuse', queueBytesLimit: 100_000, central: 'central', isCentral: 'no' } as const;
  const config: NodeConfig = { name, queues, uplink, ...rest, partitionCount: 1, commitDelayMs: 0, home: undefined };
  return new SimNode({ world, config, random: random(name), syncMsMax: 5 });
}

beforeEach(async ({ task }) => {
  seed = task.name;
  world = new World(random('scheduler'));
  const [device, a, b] = [nodeOf('device', 'link'), nodeOf('gateway-a', 'link'), nodeOf('gateway-b', 'link')];
  const [site, region, central] = [nodeOf('site', 'link'), nodeOf('region', 'link'), nodeOf('central', 'none')];
  nodes = { device, a, b, site, region, central };
  const link = (dials: SimNode, accepts: SimNode): SimLink =>
    new SimLink({ world, random: random(`${dials.name} ${accepts.name}`), dials, accepts });
  links = {
    deviceToA: link(device, a),
    deviceToB: link(device, b),
    aUp: link(a, site),
    bUp: link(b, site),
    siteUp: link(site, region),
    regionUp: link(region, central),
  };
  links.deviceToB.unplug();
  for (const node of Object.values(nodes)) node.start();
  await pass(2_000);
});

async function ask(node: SimNode, call: Call): Promise<CallResult | undefined> {
  let answer: CallResult | undefined;
  node.call(call, (result) => {
    answer = result;
  });
  await world.run(world.nowMs + 5_000, () => answer !== undefined);
  return answer;
}

async function send(from: number, to: number, properties: Properties = {}): Promise<void> {
  for (let number = from; number <= to; number++) {
    const body = toUtf8(`${number}`);
    expect(await ask(nodes.device, { verb: 'send', destination: 'central/bags', body, properties })).toMatchObject({
      kind: 'sent',
    });
  }
}

async function receive(): Promise<Received[]> {
  const all: Received[] = [];
  for (;;) {
    const got = await ask(nodes.central, { verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 5_000 });
    if (got?.kind !== 'received') return all;
    all.push(got.received);
    await ask(nodes.central, { verb: 'ack', lease: got.received.lease });
  }
}

const numbersOf = (received: readonly Received[]): number[] => received.map(({ message }) => Number(fromUtf8(message.body)));
const accounts = (): [string, number][] =>
  (nodes.central.stats()?.accounts ?? []).map(({ class: ending, count }) => [ending, count]);
/** Messages; what nodes tell each other goes by itself. */
const held = (): number[] =>
  Object.values(nodes).map((node) =>
    (node.stats()?.outgoing ?? []).reduce((sum, out) => sum + (out.stream.includes('/$node:') ? 0 : out.held), 0),
  );
const queue = () => nodes.central.stats()?.queues.find(({ name }) => name === 'bags');

/** 1 to 5 lie at gateway a, 6 to 9 came by b. */
async function failover(properties: Properties = {}): Promise<void> {
  links.aUp.unplug();
  await send(1, 5, properties);
  await pass(3_000);
  links.deviceToA.unplug();
  links.deviceToB.plug();
  await send(6, 9);
  await pass(5_000);
}

test('it comes once and in order, as who it is; nobody on the way has anything left of it', async () => {
  await failover();
  expect(queue()).toMatchObject({ ready: 0, held: 4 });
  links.aUp.plug();
  await pass(10_000);
  expect(nodes.site.stats()?.outgoing.map(({ stream: text }) => text.split(':')[0])).toContain('site');
  const received = await receive();
  expect(numbersOf(received)).toEqual(range(1, 9));
  expect(received.every(({ message }) => message.identity.origin === 'device')).toBe(true);
  expect(received.map(({ message }) => message.identity.number)).toEqual(range(1, 9));
  // Device, gateway, site and region stored it before.
  expect(new Set(received.map(({ hop }) => hop.count))).toEqual(new Set([4]));
  expect(accounts()).toEqual([]);
  expect(held()).toEqual([0, 0, 0, 0, 0, 0]);
  await send(10, 11);
  await pass(5_000);
  expect(numbersOf(await receive())).toEqual([10, 11]);
  expect(Object.values(nodes).flatMap(({ stops }) => stops)).toEqual([]);
});

test.each([
  ['the site, before they come', ['site before']],
  ['the site, while it holds what it carries', ['site holding']],
  ['the region, while it holds what is carried', ['region holding']],
  ['the central, while they come', ['central within']],
  ['all of them, at each step', ['site before', 'site holding', 'region holding', 'central within']],
])('a power cut of %s changes nothing', async (_name, cuts) => {
  const restart = async (node: SimNode): Promise<void> => {
    node.powerCut();
    node.start();
    await pass(2_000);
  };
  await failover();
  if (cuts.includes('site before')) await restart(nodes.site);
  links.siteUp.unplug();
  links.aUp.plug();
  await pass(5_000);
  if (cuts.includes('site holding')) await restart(nodes.site);
  expect(held()).toEqual([0, 0, 0, 5, 0, 0]);
  links.regionUp.unplug();
  links.siteUp.plug();
  await pass(5_000);
  if (cuts.includes('region holding')) await restart(nodes.region);
  expect(held()).toEqual([0, 0, 0, 0, 5, 0]);
  links.regionUp.plug();
  await world.run(world.nowMs + 10_000, () => (queue()?.ready ?? 0) > 0);
  if (cuts.includes('central within')) await restart(nodes.central);
  await pass(10_000);
  expect(numbersOf(await receive())).toEqual(range(1, 9));
  expect(accounts()).toEqual([]);
  expect(held()).toEqual([0, 0, 0, 0, 0, 0]);
});

test('after the hole was given up it is late, and the account is corrected', async () => {
  await failover();
  await pass(70_000);
  expect(numbersOf(await receive())).toEqual(range(6, 9));
  expect(accounts()).toEqual([['MISSING', 5]]);
  links.aUp.plug();
  await pass(10_000);
  const late = await receive();
  expect(numbersOf(late)).toEqual(range(1, 5));
  expect(late.every(({ hop }) => hop.late === 'late')).toBe(true);
  expect(accounts()).toEqual([]);
});

test('what ended at the first gateway is told in a word: its hole is gone, and the account is whole', async () => {
  await failover({ timeToReachQueueMs: 10_000 });
  await pass(15_000);
  expect(queue()).toMatchObject({ ready: 0, held: 4 });
  links.aUp.plug();
  await pass(10_000);
  expect(numbersOf(await receive())).toEqual(range(6, 9));
  expect(accounts()).toEqual([['REACH_QUEUE_TIMEOUT', 5]]);
  expect(nodes.central.stats()?.counters).toMatchObject({ nodeWordsMalformed: 0, nodeWordsUnknown: 0 });
});

test('what ends while it is carried is told in a word, too, and its letter says who it was', async () => {
  await failover({ timeToReachQueueMs: 40_000 });
  links.siteUp.unplug();
  links.aUp.plug();
  await pass(5_000);
  expect(held()).toEqual([0, 0, 0, 5, 0, 0]);
  await pass(40_000);
  links.siteUp.plug();
  await pass(10_000);
  expect(numbersOf(await receive())).toEqual(range(6, 9));
  expect(accounts().filter(([ending]) => ending !== 'UNUSED')).toEqual([['REACH_QUEUE_TIMEOUT', 5]]);
  const letter = await ask(nodes.site, { verb: 'peek', queue: '$dead', waitMs: 0, bodies: 'with' });
  const previous = letter?.kind === 'peeked' ? letter.peeked.message.previous : undefined;
  expect(previous?.split(':')[0]).toBe('device');
});

test('a second copy, by whichever way, is a repeat: counted, and seen by nobody', async () => {
  await failover();
  // An old image of the gateway hands over once more what is carried already.
  const image = nodes.a.disk.clone(random('image'));
  links.aUp.plug();
  await pass(10_000);
  expect(numbersOf(await receive())).toEqual(range(1, 9));
  nodes.a.powerCut();
  nodes.a.insert(image);
  nodes.a.start();
  await pass(20_000);
  expect(numbersOf(await receive())).toEqual([]);
  expect(accounts()).toEqual([]);
});
