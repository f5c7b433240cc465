/** Messages from a node to those that dial it: the same custody, with the roles swapped, over the same lines. Whole nodes, in virtual time. */
import { beforeEach, describe, expect, test } from 'vitest';
import { type Prng, type Seed, stream } from '../hardware-sim/random.ts';
import { SimDisk } from '../hardware-sim/sim-disk.ts';
import { SimLink } from '../hardware-sim/sim-link.ts';
import { SimNode } from '../hardware-sim/sim-node.ts';
import { World } from '../hardware-sim/world.ts';
import { fromUtf8, toUtf8 } from '../shared/bytes.ts';
import type { Call, CallResult } from '../shared/core/calls.ts';
import type { Message } from '../shared/message/message.ts';

const QUEUES = [{ name: 'commands', bytesLimit: 100_000 }];

let seed: Seed;
let world: World;
beforeEach(() => begin('downstream'));

function begin(name: string): void {
  seed = name;
  world = new World(random('scheduler'));
}

const random = (name: string): Prng => stream(seed, name);

function nodeOf(name: string, uplink: 'none' | 'link' = 'link'): SimNode {
  const config = {
    name,
    queues: QUEUES,
    unknownQueue: 'refuse' as const,
    queueBytesLimit: 100_000,
    uplink,
    central: 'gateway',
    isCentral: 'no' as const,
    partitionCount: 1,
    commitDelayMs: 0,
    home: undefined,
  };
  return new SimNode({ world, config, random: random(name), syncMsMax: 5 });
}

const pass = (ms: number): Promise<void> => world.run(world.nowMs + ms);

async function ask(node: SimNode, call: Call): Promise<CallResult | undefined> {
  let answer: CallResult | undefined;
  node.call(call, (result) => {
    answer = result;
  });
  await world.run(world.nowMs + 5_000, () => answer !== undefined);
  return answer;
}

const send = (node: SimNode, destination: string, text: string): Promise<CallResult | undefined> =>
  ask(node, { verb: 'send', destination, body: toUtf8(text), properties: {} });

async function accepted(node: SimNode, destination: string, text: string): Promise<void> {
  expect(await send(node, destination, text)).toMatchObject({ kind: 'sent' });
}

/** Takes and acknowledges until nothing is left. */
async function drain(node: SimNode, queue = 'commands'): Promise<Message[]> {
  const messages: Message[] = [];
  for (;;) {
    const got = await ask(node, { verb: 'receive', queue, waitMs: 0, leaseMs: 5_000 });
    if (got?.kind !== 'received') return messages;
    messages.push(got.received.message);
    await ask(node, { verb: 'ack', lease: got.received.lease });
  }
}

const texts = (messages: readonly Message[]): string[] => messages.map(({ body }) => fromUtf8(body) ?? '');
const numbered = (count: number, what = 'command'): string[] => Array.from({ length: count }, (_, i) => `${what} ${i + 1}`);
const held = (node: SimNode): number => (node.stats()?.outgoing ?? []).reduce((sum, out) => sum + out.held, 0);

async function restart(node: SimNode): Promise<void> {
  node.powerCut();
  node.start();
  await pass(1_000);
}

describe.each([[undefined], [115_200], [9_600]])('over a line of %s baud', (baud) => {
  let gateway: SimNode;
  let device: SimNode;
  beforeEach(async () => {
    gateway = nodeOf('gateway', 'none');
    device = nodeOf('device');
    new SimLink({ world, random: random('line'), ...(baud !== undefined && { baud }), dials: device, accepts: gateway });
    gateway.start();
    device.start();
    await pass(3_000);
  });

  test('what a node sends to one that dials it arrives once and in order, while as much goes the other way', async () => {
    for (const text of numbered(20)) {
      await accepted(gateway, 'device/commands', text);
      await accepted(device, 'gateway/commands', `report on ${text}`);
    }
    await pass(20_000);
    expect(texts(await drain(device))).toEqual(numbered(20));
    expect(texts(await drain(gateway))).toEqual(numbered(20).map((text) => `report on ${text}`));
    expect([held(gateway), held(device)]).toEqual([0, 0]);
    expect(gateway.stats()?.counters).toMatchObject({ freed: 20, forksRefused: 0, elsewhere: 0 });
    expect(device.stats()?.counters).toMatchObject({ freed: 20, forksRefused: 0, sessions: 1 });
    expect([...gateway.stops, ...device.stops]).toEqual([]);
  });

  test('what is sent while it is away waits for it, and is nobody’s fault', async () => {
    device.powerCut();
    await pass(2_000);
    for (const text of numbered(5)) await accepted(gateway, 'device/commands', text);
    await pass(300_000);
    expect(held(gateway)).toBe(5);
    expect(gateway.stats()?.health).toEqual({ status: 'green', causes: [] });
    await restart(gateway);
    device.start();
    await pass(30_000);
    expect(texts(await drain(device))).toEqual(numbered(5));
    expect(held(gateway)).toBe(0);
  });
});

test.each([
  ['offer', 'bToA'],
  ['answer', 'aToB'],
] as const)('an %s that is lost is said again, in the same session', async (_what, way) => {
  const gateway = nodeOf('gateway', 'none');
  const device = nodeOf('device');
  const link = new SimLink({ world, random: random('line'), baud: 115_200, dials: device, accepts: gateway });
  gateway.start();
  device.start();
  await pass(3_000);
  link.pair?.silence(way);
  gateway.call({ verb: 'send', destination: 'device/commands', body: toUtf8('once'), properties: {} }, () => {});
  await pass(60);
  link.pair?.restore(way);
  await pass(4_000);
  expect(texts(await drain(device))).toEqual(['once']);
  expect(device.stats()?.counters.sessions).toBe(1);
});

test('nobody has dialled yet: there is no way, and it is said; afterwards there is, also after a restart', async () => {
  const gateway = nodeOf('gateway', 'none');
  const device = nodeOf('device');
  gateway.start();
  await pass(500);
  expect(await send(gateway, 'device/commands', 'early')).toMatchObject({ kind: 'error', error: { code: 'ROUTE_NOT_FOUND' } });
  new SimLink({ world, random: random('line'), dials: device, accepts: gateway });
  device.start();
  await pass(3_000);
  device.powerCut();
  await restart(gateway);
  await accepted(gateway, 'device/commands', 'later');
  device.start();
  await pass(10_000);
  expect(texts(await drain(device))).toEqual(['later']);
});

test('small messages go down without their envelopes, as they go up', async () => {
  const gateway = nodeOf('gateway', 'none');
  const device = nodeOf('device');
  new SimLink({ world, random: random('line'), baud: 115_200, dials: device, accepts: gateway });
  gateway.start();
  device.start();
  await pass(3_000);
  await accepted(gateway, 'device/commands', 'opens the stream');
  await pass(3_000);
  const before = gateway.stats()?.counters.bytesSent ?? 0;
  for (const text of numbered(20)) await accepted(gateway, 'device/commands', text);
  await pass(1_000);
  expect(texts(await drain(device))).toHaveLength(21);
  // An envelope around each would be 62 bytes beside the body.
  expect((gateway.stats()?.counters.bytesSent ?? 0) - before).toBeLessThan(20 * 62);
});

test('neighbours under one gateway reach each other through it', async () => {
  const gateway = nodeOf('gateway', 'none');
  const [one, other] = [nodeOf('device-1'), nodeOf('device-2')];
  for (const device of [one, other]) {
    new SimLink({ world, random: random(device.name), baud: 115_200, dials: device, accepts: gateway });
    device.start();
  }
  gateway.start();
  await pass(3_000);
  for (const text of numbered(10)) await accepted(one, 'device-2/commands', text);
  await pass(10_000);
  const got = await drain(other);
  expect(texts(got)).toEqual(numbered(10));
  expect(got.every(({ identity }) => identity.origin === 'device-1')).toBe(true);
  expect([held(one), held(gateway)]).toEqual([0, 0]);
});

test('a message for a queue that is not there is a dead letter at the device, and its sender goes on', async () => {
  const gateway = nodeOf('gateway', 'none');
  const device = nodeOf('device');
  new SimLink({ world, random: random('line'), baud: 115_200, dials: device, accepts: gateway });
  gateway.start();
  device.start();
  await pass(3_000);
  await accepted(gateway, 'device/nowhere', 'lost');
  await accepted(gateway, 'device/commands', 'found');
  await pass(10_000);
  expect(texts(await drain(device))).toEqual(['found']);
  expect((await drain(device, '$dead')).map(({ history }) => history?.at(-1)?.class)).toEqual(['BAD_DST_Q']);
  expect(held(gateway)).toBe(0);
});

test.each(numbered(12, 'seed'))(
  '%s: power cuts of both, a bad line: nothing accepted is lost, twice or out of order',
  async (name) => {
    begin(name);
    const chance = random('trouble');
    const gateway = nodeOf('gateway', 'none');
    const device = nodeOf('device');
    const baud = chance.pick([undefined, 19_200, 115_200]);
    const link = new SimLink({
      world,
      random: random('line'),
      ...(baud !== undefined && { baud }),
      dials: device,
      accepts: gateway,
    });
    gateway.start();
    device.start();
    await pass(3_000);
    const sent: Record<string, string[]> = { down: [], up: [] };
    for (let i = 1; i <= 60; i++) {
      const [from, to, way] = chance.chance(0.5) ? [gateway, 'device/commands', 'down'] : [device, 'gateway/commands', 'up'];
      if ((await send(from, to, `${way} ${i}`))?.kind === 'sent') sent[way]?.push(`${way} ${i}`);
      if (chance.chance(0.15)) {
        const node = chance.pick([gateway, device]);
        node.powerCut();
        await pass(chance.int(800));
        node.start();
      }
      if (chance.chance(0.1)) link.pair?.noise(chance.pick([0, 1e-3]));
      await pass(chance.int(300));
    }
    for (const node of [gateway, device]) if (!node.isUp) node.start();
    link.pair?.noise(0);
    await pass(120_000);
    // A send that was cut may have been stored all the same.
    const firm = (got: readonly string[], wanted: readonly string[]) => got.filter((text) => wanted.includes(text));
    const down = texts(await drain(device));
    const up = texts(await drain(gateway));
    expect(firm(down, sent.down ?? [])).toEqual(sent.down);
    expect(firm(up, sent.up ?? [])).toEqual(sent.up);
    for (const got of [down, up]) expect(new Set(got).size).toBe(got.length);
    expect([held(gateway), held(device)]).toEqual([0, 0]);
    expect(gateway.stats()?.counters.forksRefused).toBe(0);
    expect(device.stats()?.counters.forksRefused).toBe(0);
  },
);

test('a gateway put back to an old image is found out by the device: what it sends goes on under a new incarnation, and is not swallowed', async () => {
  const gateway = nodeOf('gateway', 'none');
  const device = nodeOf('device');
  new SimLink({ world, random: random('line'), baud: 115_200, dials: device, accepts: gateway });
  gateway.start();
  device.start();
  await pass(3_000);
  for (const text of numbered(3)) await accepted(gateway, 'device/commands', text);
  await pass(5_000);
  const image = gateway.disk.platter();
  for (const text of numbered(3, 'after the image')) await accepted(gateway, 'device/commands', text);
  await pass(5_000);
  expect(texts(await drain(device))).toEqual([...numbered(3), ...numbered(3, 'after the image')]);
  gateway.powerCut();
  gateway.insert(new SimDisk({ bytes: gateway.disk.bytes, random: random('disk'), completion: 'stepped' }, image));
  gateway.start();
  await pass(1_000);
  for (const text of numbered(3, 'under old numbers')) await accepted(gateway, 'device/commands', text);
  await pass(60_000);
  const got = await drain(device);
  expect(texts(got)).toEqual(numbered(3, 'under old numbers'));
  expect(gateway.stops.map(({ message }) => message)).toEqual([expect.stringMatching(/forked/)]);
});

test.each(['stays up', 'is restarted'] as const)(
  'what was handed upwards before its node dialled for the first time does not go down as well; the gateway %s',
  async (then) => {
    const hall = nodeOf('hall', 'none');
    const gateway = nodeOf('gateway');
    const device = nodeOf('device');
    const up = new SimLink({ world, random: random('up'), baud: 115_200, dials: gateway, accepts: hall });
    hall.start();
    gateway.start();
    await pass(3_000);
    await accepted(gateway, 'device/commands', 'for nobody yet');
    await pass(2_000);
    // The hall hears of the next ones, and nobody hears of that.
    up.pair?.silence('bToA');
    for (const text of numbered(3, 'early')) await accepted(gateway, 'device/commands', text);
    await pass(500);
    if (then === 'is restarted') await restart(gateway);
    new SimLink({ world, random: random('down'), baud: 115_200, dials: device, accepts: gateway });
    device.start();
    await pass(3_000);
    up.pair?.restore();
    for (const text of numbered(3, 'late')) await accepted(gateway, 'device/commands', text);
    await pass(120_000);
    expect(texts(await drain(device))).toEqual(numbered(3, 'late'));
    const letters = await drain(hall, '$dead');
    expect(texts(letters)).toEqual(['for nobody yet', ...numbered(3, 'early')]);
    expect(held(gateway)).toBe(0);
    // Also those that go down now are named to the hall: it would take their absence for a store that was put back.
    await restart(gateway);
    await pass(30_000);
    expect(gateway.stops).toEqual([]);
  },
);

test('a stream that once went up is named to the hall for ever: its absence would look like a store that was put back', async () => {
  const hall = nodeOf('hall', 'none');
  const gateway = nodeOf('gateway');
  const device = nodeOf('device');
  new SimLink({ world, random: random('up'), baud: 115_200, dials: gateway, accepts: hall });
  hall.start();
  gateway.start();
  await pass(3_000);
  await accepted(gateway, 'device/commands', 'for nobody yet');
  await pass(2_000);
  expect(held(gateway)).toBe(0);
  new SimLink({ world, random: random('down'), baud: 115_200, dials: device, accepts: gateway });
  device.start();
  await pass(3_000);
  await restart(gateway);
  await pass(10_000);
  expect(gateway.stops).toEqual([]);
  expect(hall.stats()?.counters.forksRefused).toBe(0);
});
