/** What a store holds at an opening, and has to go another way: under a new incarnation, or not at all because the next node has it. */
import { expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { openRing } from '../../hardware-sim/ring-driver.ts';
import { SimLink } from '../../hardware-sim/sim-link.ts';
import { SimNode } from '../../hardware-sim/sim-node.ts';
import { World } from '../../hardware-sim/world.ts';
import { toUtf8 } from '../bytes.ts';
import type { CallResult } from '../core/calls.ts';
import type { NodeConfig } from '../core/node-io.ts';
import { HOLE_WAIT_MS } from '../limits.ts';
import { geometryFor } from '../ring/geometry.ts';
import { metaChange, metaValue } from './meta-keys.ts';

const SMALLEST = geometryFor(388 * 512, 512);

function config(name: string, uplink: NodeConfig['uplink']): NodeConfig {
  const queues = uplink === 'none' ? [{ name: 'bags', bytesLimit: 1_000_000 }] : [];
  const rest = { unknownQueue: 'refuse', queueBytesLimit: 100_000, central: 'gateway', isCentral: 'no' } as const;
  return { name, queues, uplink, ...rest, partitionCount: 1, commitDelayMs: 0, home: 'here' };
}

function deviceIn(world: World): SimNode {
  const random = stream('rehoming', 'device');
  return new SimNode({ world, config: config('device', 'link'), random, syncMsMax: 2, geometry: SMALLEST });
}

async function started(world: World, node: SimNode): Promise<void> {
  node.start();
  await world.run(world.nowMs + 60_000, () => node.isServing);
}

/** How many were accepted until one was refused, or so many were. */
async function fill(world: World, node: SimNode, countMax: number): Promise<number> {
  for (let count = 0; count < countMax; count++) {
    let answer: CallResult | undefined;
    const call = { verb: 'send', destination: 'gateway/bags', body: toUtf8(`message ${count}`), properties: {} } as const;
    node.call(call, (result) => {
      answer = result;
    });
    await world.run(world.nowMs + 10_000, () => answer !== undefined);
    if (answer?.kind !== 'sent') return count;
  }
  return countMax;
}

test('a ring that is full to the last message loses none of them to a new incarnation', async () => {
  const world = new World(stream('rehoming', 'scheduler'));
  const device = deviceIn(world);
  await started(world, device);
  const count = await fill(world, device, 2_000);
  expect(count).toBeGreaterThan(300);
  expect(count).toBeLessThan(2_000);
  const before = device.stats()?.incarnation;
  device.powerCut();
  device.home = 'another machine';
  await started(world, device);
  expect(device.stats()?.incarnation).not.toBe(before);
  expect(device.stats()?.accounts).toEqual([]);
  expect(device.stats()?.outgoing.reduce((sum, { held }) => sum + held, 0)).toBe(count);

  const random = stream('rehoming', 'gateway');
  const gateway = new SimNode({ world, config: config('gateway', 'none'), random, syncMsMax: 2 });
  await started(world, gateway);
  new SimLink({ world, random: stream('rehoming', 'line'), dials: device, accepts: gateway });
  const ready = () => gateway.stats()?.queues.find(({ name }) => name === 'bags')?.ready;
  await world.run(world.nowMs + 600_000, () => ready() === count);
  expect(ready()).toBe(count);
});

test('messages that come back below `lo` are offered again: who has them says so, who has not gets them', async () => {
  const world = new World(stream('rehoming', 'scheduler'));
  const device = deviceIn(world);
  await started(world, device);
  expect(await fill(world, device, 7)).toBe(7);
  device.powerCut();
  // As after lost writes: the counter of the stream survived, some of the acknowledgements beside it did not.
  const ring = openRing(device.disk, { epochRandom: 7 });
  const settle = () => {
    do ring.play(0);
    while (device.disk.step());
  };
  settle();
  const { index, metas } = ring.ring;
  const [key = ''] = [...metas.withPrefix('o/')].map(([name]) => name);
  expect(metaValue(metas, key)).toEqual([1, 8]);
  const gone = [...index.slots()].filter((slot) => [1, 3].includes(index.number(slot)));
  const acks = gone.map((slot) => ({ id: index.id(slot), reason: 'handed-over' as const }));
  ring.ring.append({ acks, metas: [metaChange(key, [5, 8])] }, { nowMs: 0, delayMs: 0 }, () => {});
  settle();
  device.disk.kill();
  await started(world, device);
  await world.run(world.nowMs + 1_000);
  expect(device.stats()?.outgoing.map(({ held, lo, next }) => [held, lo, next])).toEqual([[5, 2, 8]]);
  expect(device.stats()?.accounts).toEqual([]);

  const random = stream('rehoming', 'gateway');
  const gateway = new SimNode({ world, config: config('gateway', 'none'), random, syncMsMax: 2 });
  await started(world, gateway);
  new SimLink({ world, random: stream('rehoming', 'line'), dials: device, accepts: gateway });
  await world.run(world.nowMs + 60_000, () => device.stats()?.outgoing.every(({ held }) => held === 0) === true);
  // Who has it says so by nothing but the hole: here nobody has.
  expect(gateway.stats()?.queues.find(({ name }) => name === 'bags')).toMatchObject({ ready: 0, held: 5 });
  await world.run(world.nowMs + HOLE_WAIT_MS + 1_000);
  expect(gateway.stats()?.queues.find(({ name }) => name === 'bags')).toMatchObject({ ready: 5, held: 0 });
  const outgoing = device.stats()?.outgoing.filter(({ stream }) => !stream.includes('/$node:'));
  expect(outgoing?.map(({ held, lo, next }) => [held, lo, next])).toEqual([[0, 8, 8]]);
});

test.each(['here', 'another machine'])(
  'a gap beyond the counter of its stream, which damage took back, is no reason not to serve: home is %s',
  async (home) => {
    const world = new World(stream('rehoming', 'scheduler'));
    const device = deviceIn(world);
    await started(world, device);
    expect(await fill(world, device, 7)).toBe(7);
    device.powerCut();
    const ring = openRing(device.disk, { epochRandom: 7 });
    const settle = () => {
      do ring.play(0);
      while (device.disk.step());
    };
    settle();
    const { index, metas } = ring.ring;
    const [key = ''] = [...metas.withPrefix('o/')].map(([name]) => name);
    const acks = [...index.slots()].map((slot) => ({ id: index.id(slot), reason: 'expired' as const }));
    const gap = metaChange(`${key.replace('o/', 'g/')}/1`, [9, 'REACH_QUEUE_TIMEOUT', 'device']);
    ring.ring.append({ acks, metas: [metaChange(key, [1, 8]), gap] }, { nowMs: 0, delayMs: 0 }, () => {});
    settle();
    device.disk.kill();
    device.home = home;
    await started(world, device);
    expect(device.isServing).toBe(true);
    expect(await fill(world, device, 1)).toBe(1);
    // Numbers of the gap were given out once.
    if (home === 'here') expect(device.stats()?.outgoing.map(({ next }) => next)).toEqual([11]);
  },
);
