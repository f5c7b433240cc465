/**
 * A device that goes on over a second gateway while the first one still holds what it took: the schedules of docs/routes.md, section 2.
 * Whole nodes in virtual time; only the destination merges.
 *
 *              ┌─▶ gateway-a ─┐
 *   device ────┤              ├──▶ central
 *              └─▶ gateway-b ─┘
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { type Prng, stream } from '../hardware-sim/random.ts';
import { SimLink } from '../hardware-sim/sim-link.ts';
import { SimNode } from '../hardware-sim/sim-node.ts';
import { World } from '../hardware-sim/world.ts';
import { fromUtf8, toUtf8 } from '../shared/bytes.ts';
import type { Call, CallResult, HoleStats, Received } from '../shared/core/calls.ts';
import type { NodeConfig } from '../shared/core/node-io.ts';
import type { Properties } from '../shared/message/message.ts';

const HOLE_WAIT_MS = 60_000;

let seed: string;
let world: World;
let device: SimNode;
let a: SimNode;
let b: SimNode;
let central: SimNode;
let links: { deviceToA: SimLink; deviceToB: SimLink; aUp: SimLink; bUp: SimLink };

const random = (name: string): Prng => stream(seed, name);
const pass = (ms: number): Promise<void> => world.run(world.nowMs + ms);

function nodeOf(name: string, uplink: 'none' | 'link'): SimNode {
  const queues = uplink === 'none' ? [{ name: 'bags', bytesLimit: 300_000 }] : [];
  const rest = { unknownQueue: 'refuse', queueBytesLimit: 100_000, central: 'central', isCentral: 'no' } as const;
  const config: NodeConfig = { name, queues, uplink, ...rest, partitionCount: 1, commitDelayMs: 0, home: undefined };
  return new SimNode({ world, config, random: random(name), syncMsMax: 5 });
}

beforeEach(async ({ task }) => {
  seed = task.name;
  world = new World(random('scheduler'));
  [device, a, b, central] = [
    nodeOf('device', 'link'),
    nodeOf('gateway-a', 'link'),
    nodeOf('gateway-b', 'link'),
    nodeOf('central', 'none'),
  ];
  const link = (dials: SimNode, accepts: SimNode): SimLink =>
    new SimLink({ world, random: random(`${dials.name} ${accepts.name}`), dials, accepts });
  links = { deviceToA: link(device, a), deviceToB: link(device, b), aUp: link(a, central), bUp: link(b, central) };
  links.deviceToB.unplug();
  for (const node of [device, a, b, central]) node.start();
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

/** Messages with these numbers, named by them. */
async function send(from: number, to: number, properties: Properties = {}): Promise<void> {
  for (let number = from; number <= to; number++) {
    const body = toUtf8(`${number}`);
    expect(await ask(device, { verb: 'send', destination: 'central/bags', body, properties })).toMatchObject({ kind: 'sent' });
  }
}

async function receive(): Promise<Received[]> {
  const all: Received[] = [];
  for (;;) {
    const got = await ask(central, { verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 5_000 });
    if (got?.kind !== 'received') return all;
    all.push(got.received);
    await ask(central, { verb: 'ack', lease: got.received.lease });
  }
}

const numbersOf = (received: readonly Received[]): number[] => received.map(({ message }) => Number(fromUtf8(message.body)));
const received = async (): Promise<number[]> => numbersOf(await receive());
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const accounts = (): [string, number][] => (central.stats()?.accounts ?? []).map(({ class: ending, count }) => [ending, count]);

function queue(): { ready: number; held: number; leased: number; delayed: number; arrived: number; ended: number } {
  const found = central.stats()?.queues.find(({ name }) => name === 'bags');
  if (found === undefined) throw new Error('the central is up');
  const { ready, held, leased, delayed, arrived, ended } = found;
  expect(ready + held + leased + delayed + ended).toBe(arrived);
  return found;
}

async function holes(): Promise<Pick<HoleStats, 'from' | 'to' | 'state'>[]> {
  const answer = await ask(central, { verb: 'holes' });
  return answer?.kind === 'holes' ? answer.holes.map(({ from, to, state }) => ({ from, to, state })) : [];
}

async function restart(node: SimNode): Promise<void> {
  node.powerCut();
  node.start();
  await pass(2_000);
}

/** 1 to `count` lie at gateway a, which dies; the device goes on with b. */
async function failover(count = 49): Promise<void> {
  links.aUp.unplug();
  await send(1, count);
  await pass(5_000);
  expect(device.stats()?.outgoing.map(({ held }) => held)).toEqual([0]);
  a.powerCut();
  links.deviceToA.unplug();
  links.deviceToB.plug();
  await pass(2_000);
}

async function comesBack(): Promise<void> {
  links.aUp.plug();
  a.start();
  await pass(10_000);
}

describe('a gateway dies with what it took, and comes back', () => {
  test('all arrives once and in order, and nothing was to be seen before', async () => {
    await failover();
    await send(50, 60);
    await pass(10_000);
    expect(queue()).toMatchObject({ ready: 0, held: 11 });
    expect(await received()).toEqual([]);
    expect(await holes()).toEqual([{ from: 1, to: 49, state: 'open' }]);
    await comesBack();
    expect(await received()).toEqual(range(1, 60));
    expect(accounts()).toEqual([]);
    expect(await holes()).toEqual([]);
    const left = [device, a, b].flatMap((node) => node.stats()?.outgoing ?? []).filter(({ held }) => held > 0);
    expect(left).toEqual([]);
    await send(61, 62);
    await pass(5_000);
    expect(await received()).toEqual([61, 62]);
    expect([...device.stops, ...a.stops, ...b.stops, ...central.stops]).toEqual([]);
  });

  test('what was ready before is received meanwhile', async () => {
    await send(1, 5);
    await pass(3_000);
    links.aUp.unplug();
    await send(6, 9);
    await pass(3_000);
    a.powerCut();
    links.deviceToA.unplug();
    links.deviceToB.plug();
    await send(10, 12);
    await pass(5_000);
    expect(await received()).toEqual(range(1, 5));
    expect(await holes()).toEqual([{ from: 6, to: 9, state: 'open' }]);
    await comesBack();
    expect(await received()).toEqual(range(6, 12));
  });

  test.each([
    ['the central while what is above waits', ['central before']],
    ['every node while what is above waits', ['central before', 'b before', 'device before']],
    ['the central while the hole is being filled', ['central within']],
    ['the central after it was filled, before anybody received', ['central after']],
    ['the central at every step', ['central before', 'central within', 'central after']],
  ])('a power cut of %s changes nothing', async (_name, cuts) => {
    await failover();
    await send(50, 60);
    await pass(5_000);
    if (cuts.includes('central before')) await restart(central);
    if (cuts.includes('b before')) await restart(b);
    if (cuts.includes('device before')) await restart(device);
    expect(queue()).toMatchObject({ ready: 0, held: 11 });
    expect(await received()).toEqual([]);
    links.aUp.plug();
    a.start();
    if (cuts.includes('central within')) {
      await world.run(world.nowMs + 20_000, () => (central.stats()?.queues.find(({ name }) => name === 'bags')?.ready ?? 0) > 0);
      await restart(central);
    }
    await pass(10_000);
    if (cuts.includes('central after')) await restart(central);
    expect(queue()).toMatchObject({ held: 0, leased: 0 });
    expect(await received()).toEqual(range(1, 60));
    expect(accounts()).toEqual([]);
  });

  test('a receiver in the middle of the fillers sees no later one before an earlier one', async () => {
    await failover();
    await send(50, 60);
    await pass(5_000);
    links.aUp.plug();
    a.start();
    const got: number[] = [];
    for (let i = 0; i < 400 && got.length < 60; i++) {
      await pass(20);
      got.push(...(await received()));
    }
    expect(got).toEqual(range(1, 60));
  });
});

describe('a gateway dies for good, or for long', () => {
  test('what it had is missing after a while, with an account, and traffic goes on', async () => {
    await failover();
    await send(50, 60);
    await pass(HOLE_WAIT_MS - 5_000);
    expect(await received()).toEqual([]);
    await pass(10_000);
    expect(await received()).toEqual(range(50, 60));
    expect(accounts()).toEqual([['MISSING', 49]]);
    expect(await holes()).toEqual([{ from: 1, to: 49, state: 'missing' }]);
    await send(61, 61);
    await pass(2_000);
    expect(await received()).toEqual([61]);
  });

  test('it comes back late: delivered, marked late, and the account is corrected', async () => {
    await failover();
    await send(50, 51);
    await pass(HOLE_WAIT_MS + 5_000);
    expect(numbersOf(await receive())).toEqual([50, 51]);
    await restart(central);
    await comesBack();
    const peeked = await ask(central, { verb: 'peek', queue: 'bags', waitMs: 0, bodies: 'with' });
    expect(peeked).toMatchObject({ kind: 'peeked', peeked: { hop: { late: 'late' } } });
    const late = await receive();
    expect(numbersOf(late)).toEqual(range(1, 49));
    expect(late.every(({ hop }) => hop.late === 'late')).toBe(true);
    expect(accounts()).toEqual([]);
    expect(await holes()).toEqual([]);
    await send(52, 52);
    await pass(2_000);
    const [next] = await receive();
    expect(next?.hop.late).toBeUndefined();
  });

  test('the operator gives it up at once, by queue or by stream; what nobody waits for is nothing', async () => {
    await failover(3);
    await send(4, 5);
    await pass(5_000);
    const answer = await ask(central, { verb: 'holes' });
    const [hole] = answer?.kind === 'holes' ? answer.holes : [];
    expect(hole).toMatchObject({ from: 1, to: 3, state: 'open', held: 2 });
    expect(hole?.leftMs).toBeGreaterThan(HOLE_WAIT_MS - 15_000);
    expect(hole?.leftMs).toBeLessThan(HOLE_WAIT_MS);
    expect(await ask(central, { verb: 'closeHoles', of: hole?.stream ?? '' })).toEqual({ kind: 'holesClosed', count: 3 });
    expect(await received()).toEqual([4, 5]);
    expect(await ask(central, { verb: 'closeHoles', of: 'bags' })).toEqual({ kind: 'holesClosed', count: 0 });
    expect(await ask(central, { verb: 'closeHoles', of: 'nowhere' })).toMatchObject({ error: { code: 'QUEUE_NOT_FOUND' } });
    expect(await ask(central, { verb: 'closeHoles', of: 'no:such:stream' })).toMatchObject({
      error: { code: 'QUEUE_NOT_FOUND' },
    });
    expect(accounts()).toEqual([['MISSING', 3]]);
  });

  test('what ended at the gateway comes as a gap, in time or late, and is no longer missing', async () => {
    links.aUp.unplug();
    await send(1, 2, { timeToReachQueueMs: 20_000 });
    await send(3, 3);
    await pass(3_000);
    links.deviceToA.unplug();
    links.deviceToB.plug();
    await send(4, 4);
    await pass(HOLE_WAIT_MS + 10_000);
    expect(await received()).toEqual([4]);
    expect(accounts()).toEqual([['MISSING', 3]]);
    links.aUp.plug();
    await pass(10_000);
    expect(await received()).toEqual([3]);
    expect(accounts()).toEqual([['REACH_QUEUE_TIMEOUT', 2]]);
  });
});

describe('what waits above a hole', () => {
  beforeEach(async () => {
    await failover(2);
  });

  test('expires in its time, without having been seen', async () => {
    await send(3, 3, { timeToBeReceivedMs: 20_000 });
    await send(4, 4);
    await pass(30_000);
    expect(queue()).toMatchObject({ held: 1, ready: 0, expired: 1 });
    await restart(central);
    await comesBack();
    expect(await received()).toEqual([1, 2, 4]);
  });

  test('is purged, and what comes into the hole is not', async () => {
    await send(3, 5);
    await pass(5_000);
    expect(await ask(central, { verb: 'purge', queue: 'bags' })).toEqual({ kind: 'purged', count: 3 });
    expect(queue()).toMatchObject({ held: 0, ready: 0, ended: 3 });
    await send(6, 6);
    await comesBack();
    expect(await received()).toEqual([1, 2, 6]);
    expect(accounts()).toEqual([['Q_PURGED', 3]]);
  });

  test('ends with its queue', async () => {
    const created = { verb: 'createQueue', queue: 'carts', options: {} } as const;
    await ask(central, created);
    const cart = async (text: string) =>
      ask(device, { verb: 'send', destination: 'central/carts', body: toUtf8(text), properties: {} });
    await cart('1');
    await pass(3_000);
    links.deviceToB.unplug();
    await pass(500);
    await send(3, 5);
    links.deviceToB.plug();
    await pass(5_000);
    expect(await ask(central, { verb: 'deleteQueue', queue: 'bags' })).toEqual({ kind: 'done' });
    expect(central.stats()?.queues.map(({ name }) => name)).not.toContain('bags');
  });

  test('waits for its delay when its turn has come', async () => {
    await send(3, 3, { deliverAfterMs: 40_000 });
    await pass(5_000);
    await comesBack();
    expect(await received()).toEqual([1, 2]);
    expect(queue()).toMatchObject({ delayed: 1, held: 0 });
    await pass(40_000);
    expect(await received()).toEqual([3]);
  });

  test('stands behind messages of other streams that came before it was free, and before those that come later', async () => {
    await send(3, 4);
    await pass(3_000);
    const local = (text: string) => ask(central, { verb: 'send', destination: 'bags', body: toUtf8(text), properties: {} });
    await local('100');
    await comesBack();
    await local('200');
    expect(await received()).toEqual([100, 1, 2, 3, 4, 200]);
  });

  test('is not shown to who follows arrivals, who misses nothing', async () => {
    await send(3, 4);
    await pass(3_000);
    await ask(central, { verb: 'send', destination: 'bags', body: toUtf8('100'), properties: {} });
    const seen: string[] = [];
    let lookupId = 0;
    const follow = async (): Promise<void> => {
      for (;;) {
        const got = await ask(central, {
          verb: 'peek',
          queue: 'bags',
          waitMs: 0,
          bodies: 'with',
          select: { by: 'arrivedAfter', lookupId },
        });
        if (got?.kind !== 'peeked') return;
        lookupId = got.peeked.lookupId;
        seen.push(fromUtf8(got.peeked.message.body) ?? '');
      }
    };
    await follow();
    expect(seen).toEqual([]);
    await comesBack();
    await follow();
    expect(seen).toEqual(['3', '4', '100', '1', '2']);
  });
});
