/** Every cause a node turns red for, and that it turns green again. FORKED is in fork.test.ts, with what leads to it. */
import { beforeEach, expect, test } from 'vitest';
import { type Prng, stream } from '../../hardware-sim/random.ts';
import { SimLink } from '../../hardware-sim/sim-link.ts';
import { SIM_RING_BYTES, SimNode } from '../../hardware-sim/sim-node.ts';
import { World } from '../../hardware-sim/world.ts';
import { toUtf8 } from '../bytes.ts';
import type { NodeStore } from '../custody/node-store.ts';
import type { Call, CallResult } from './calls.ts';
import type { Carriers } from './carriers.ts';
import { HealthWatch, PROGRESS_MS_MAX } from './health.ts';
import type { NodeConfig } from './node-io.ts';

/** Of which nothing is amiss. */
const STORE = {
  ring: { report: { gaps: [] }, corruptCount: 0 },
  room: { shared: { used: 0, max: 1 } },
  outgoing: [],
  hops: { belowCountMax: 10, directory: { turnedAway: new Map() } },
} as unknown as NodeStore;
const random = (name: string): Prng => stream('health', name);
const BLOCK_BYTES = 4096;

let world: World;
beforeEach(() => {
  world = new World(random('scheduler'));
});

async function start(config: Partial<NodeConfig> & { name: string }): Promise<SimNode> {
  const whole: NodeConfig = {
    queues: [],
    unknownQueue: 'refuse',
    queueBytesLimit: 100_000,
    uplink: 'none',
    central: 'gateway',
    isCentral: 'no',
    partitionCount: 1,
    commitDelayMs: 0,
    home: undefined,
    ...config,
  };
  const node = new SimNode({ world, config: whole, random: random(config.name), syncMsMax: 5 });
  node.start();
  await pass(500);
  expect(node.stats()?.health).toEqual({ status: 'green', causes: [] });
  return node;
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

const send = (node: SimNode, destination: string, body: Uint8Array): Promise<CallResult | undefined> =>
  ask(node, { verb: 'send', destination, body, properties: {} });

/** Takes and acknowledges until nothing is left. Gives how many. */
async function drain(node: SimNode, queue: string): Promise<number> {
  for (let count = 0; ; count++) {
    const got = await ask(node, { verb: 'receive', queue, waitMs: 0, leaseMs: 5_000 });
    if (got?.kind !== 'received') return count;
    await ask(node, { verb: 'ack', lease: got.received.lease });
  }
}

async function restart(node: SimNode): Promise<void> {
  node.powerCut();
  node.start();
  await pass(1_000);
}

/** Where this text stands on the disk. */
function placeOf(node: SimNode, text: string): number {
  const platter = node.disk.platter();
  const wanted = toUtf8(text);
  const at = platter.findIndex((_, offset) => wanted.every((byte, i) => platter[offset + i] === byte));
  expect(at).toBeGreaterThan(0);
  return at;
}

function causes(node: SimNode): string[] {
  const { status, causes: list } = node.stats()?.health ?? { status: 'red', causes: [] };
  expect(status).toBe(list.length === 0 ? 'green' : 'red');
  return list.map(({ code }) => code);
}

test('RING_FULL until there is room again', async () => {
  const node = await start({ name: 'box', queues: [{ name: 'bags', bytesLimit: SIM_RING_BYTES }] });
  let last: CallResult | undefined;
  do last = await send(node, 'bags', new Uint8Array(2_000));
  while (last?.kind === 'sent');
  expect(last?.kind === 'error' && last.error.code).toBe('QUEUE_FULL');
  expect(causes(node)).toEqual(['RING_FULL']);
  expect(await drain(node, 'bags')).toBeGreaterThan(100);
  expect(causes(node)).toEqual([]);
});

test('UPLINK_DOWN when what waits has no way for longer than a reconnect takes, until it moves', async () => {
  const device = await start({ name: 'device', uplink: 'link' });
  const gateway = await start({ name: 'gateway', queues: [{ name: 'bags', bytesLimit: 100_000 }] });
  await pass(2 * PROGRESS_MS_MAX);
  expect(causes(device)).toEqual([]);
  await send(device, 'gateway/bags', new Uint8Array(10));
  await pass(PROGRESS_MS_MAX - 6_000);
  expect(causes(device)).toEqual([]);
  await pass(7_000);
  expect(causes(device)).toEqual(['UPLINK_DOWN']);
  new SimLink({ world, random: random('line'), dials: device, accepts: gateway });
  await pass(5_000);
  expect([causes(device), await drain(gateway, 'bags')]).toEqual([[], 1]);
});

test('NO_PROGRESS when the way is there and the other side has no room, until it has', async () => {
  const device = await start({ name: 'device', uplink: 'link' });
  const gateway = await start({ name: 'gateway', queues: [{ name: 'bags', bytesLimit: 5_000 }] });
  new SimLink({ world, random: random('line'), dials: device, accepts: gateway });
  for (let i = 0; i < 10; i++) await send(device, 'gateway/bags', new Uint8Array(1_000));
  await pass(2 * PROGRESS_MS_MAX);
  expect(causes(device)).toEqual(['NO_PROGRESS']);
  expect(causes(gateway)).toEqual([]);
  let count = 0;
  for (let i = 0; i < 10; i++) {
    count += await drain(gateway, 'bags');
    await pass(10_000);
  }
  expect([causes(device), count]).toEqual([[], 10]);
});

test('CORRUPT_MESSAGES when a body fails its checksum; the next opening knows nothing of it any more', async () => {
  const node = await start({ name: 'box', queues: [{ name: 'bags', bytesLimit: 100_000 }] });
  await send(node, 'bags', toUtf8('the body that rots'));
  await send(node, 'bags', toUtf8('the body that stays'));
  node.powerCut();
  node.disk.rot(placeOf(node, 'the body that rots'), 18, 'zeros');
  node.start();
  await pass(1_000);
  expect(causes(node)).toEqual([]);
  expect(await drain(node, 'bags')).toBe(1);
  expect(causes(node)).toEqual(['CORRUPT_MESSAGES']);
  expect(node.stats()?.accounts).toMatchObject([{ class: 'CORRUPT', count: 1 }]);
  await restart(node);
  expect(causes(node)).toEqual([]);
});

test('RING_DAMAGED when a frame within the log cannot be read, until an opening finds the log whole again', async () => {
  const node = await start({ name: 'box', queues: [{ name: 'bags', bytesLimit: 1_000_000 }] });
  await send(node, 'bags', toUtf8('before'));
  await send(node, 'bags', toUtf8('in the middle'));
  for (let i = 0; i < 5; i++) await send(node, 'bags', toUtf8('behind'));
  node.powerCut();
  const place = placeOf(node, 'in the middle');
  node.disk.rot(place - (place % BLOCK_BYTES), BLOCK_BYTES, 'garbage');
  node.start();
  await pass(1_000);
  expect(causes(node)).toEqual(['RING_DAMAGED']);
  expect(node.stats()?.ring.gaps).toBe(1);
  expect(await drain(node, 'bags')).toBe(6);
  // The damage leaves the log with the lap that writes over it.
  for (let lap = 0; lap < 6; lap++) {
    for (let i = 0; i < 100; i++) await send(node, 'bags', new Uint8Array(3_000));
    await drain(node, 'bags');
  }
  await restart(node);
  expect(causes(node)).toEqual([]);
});

test('NOT_SERVING while the store opens', async () => {
  const node = await start({ name: 'box' });
  node.powerCut();
  node.start();
  expect(causes(node)).toEqual(['NOT_SERVING']);
  await pass(1_000);
  expect(causes(node)).toEqual([]);
});

test('a node below: away it is none of our troubles; there, and silent to our offer or not taking anything, it is', () => {
  const sender: Record<string, unknown> = { hop: 'down/belt', state: 'idle', freedCount: 0, heldCount: 3 };
  const watch = new HealthWatch(STORE, { senders: [sender], isForked: false } as unknown as Carriers);
  const codesAt = (nowMs: number): string[] => {
    watch.pump(nowMs);
    return watch.health(nowMs).causes.map(({ code, detail }) => `${code} ${detail.split(',')[0]}`);
  };
  codesAt(0);
  expect(codesAt(10 * PROGRESS_MS_MAX)).toEqual([]);
  for (const [state, code] of [
    ['offered', 'UPLINK_DOWN'],
    ['ready', 'NO_PROGRESS'],
  ]) {
    sender.state = 'idle';
    codesAt(20 * PROGRESS_MS_MAX);
    sender.state = state;
    expect(codesAt(20 * PROGRESS_MS_MAX + 2_000)).toEqual([]);
    expect(codesAt(22 * PROGRESS_MS_MAX)).toEqual([`${code} 3 messages wait on the way down/belt`]);
  }
});

test('two stores that answer for one receiver are said, for ten minutes', () => {
  const twins = { atMs: 5_000, incarnations: ['a1', 'b2'] };
  const sender: Record<string, unknown> = { hop: 'up', state: 'ready', receiver: 'central', freedCount: 0, heldCount: 0, twins };
  const watch = new HealthWatch(STORE, { senders: [sender], isForked: false } as unknown as Carriers);
  watch.pump(6_000);
  const [cause] = watch.health(6_000).causes;
  expect(cause).toEqual({ code: 'TWO_RECEIVERS', detail: 'two stores answer for central: a1 and b2' });
  expect(watch.health(700_000).causes).toEqual([]);
});
