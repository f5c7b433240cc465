/**
 * Devices that move with commands waiting: each command once and in order, whoever dies meanwhile. Whole nodes in virtual time; a
 * central and two gateways over MQTT, a device by cable.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { numbered, type PlannedBox, WaysWorld } from '../hardware-sim/ways-world.ts';
import { fromUtf8 } from '../shared/bytes.ts';

const COMMANDS: PlannedBox = { queues: ['commands'], central: 'central' };
const OVER_MQTT: PlannedBox = { ...COMMANDS, uplinks: [{ via: { broker: 'hub', central: 'central' } }] };
const HOLE_WAIT_MS = 60_000;

let world: WaysWorld;

async function begin(seed: string): Promise<void> {
  world = new WaysWorld(seed);
  world.box('central', { ...COMMANDS, centralAt: ['hub'] });
  for (const name of ['gateway-1', 'gateway-2']) world.box(name, OVER_MQTT);
  world.box('device', { ...COMMANDS, uplinks: [{ via: 'link' }] });
  world.lay('device', 'gateway-1');
  world.lay('device', 'gateway-2', { as: 'second' }).unplug();
  await world.start(10_000);
}

beforeEach(() => begin('moves'));

function plug(to: 1 | 2 | 'nowhere'): void {
  world.link('device').unplug();
  world.link('device', 'second').unplug();
  if (to !== 'nowhere') world.link('device', to === 1 ? 'up' : 'second').plug();
}

async function send(count: number, what = 'command'): Promise<void> {
  for (const text of numbered(count, what))
    expect(await world.send('central', 'device/commands', text)).toMatchObject({ kind: 'sent' });
}

const held = (): number[] => ['central', 'gateway-1', 'gateway-2'].map((name) => world.held(name));

test('a thousand commands wait at the gateway that the device leaves: each comes by the other one, once and in order', async () => {
  plug('nowhere');
  await world.pass(2_000);
  await send(1_000);
  await world.pass(30_000);
  expect(held()).toEqual([0, 1_000, 0]);
  plug(2);
  await world.pass(20_000);
  await send(5, 'after');
  await world.pass(120_000);
  expect(held()).toEqual([0, 0, 0]);
  expect(await world.texts('device', 'commands')).toEqual([...numbered(1_000, 'command'), ...numbered(5, 'after')]);
  expect(world.get('gateway-1').stats()?.counters.turned).toBe(1_000);
  expect(world.stops()).toEqual([]);
});

test('it comes back before they have left: what was carried up comes down again', async () => {
  plug('nowhere');
  await send(40);
  await world.pass(10_000);
  world.broker('hub').cut('gateway-1-up');
  plug(2);
  await world.pass(400);
  plug(1);
  await world.pass(100);
  plug(2);
  await world.pass(3_000);
  plug(1);
  await world.pass(2 * HOLE_WAIT_MS);
  expect(await world.texts('device', 'commands')).toEqual(numbered(40, 'command'));
  expect(held()).toEqual([0, 0, 0]);
  expect(world.stops()).toEqual([]);
});

test('it moves twice while the first gateway is away: what waits there comes when that one is back', async () => {
  plug('nowhere');
  await send(10);
  await world.pass(10_000);
  world.get('gateway-1').powerCut();
  plug(2);
  await world.pass(10_000);
  plug('nowhere');
  await world.pass(5_000);
  plug(2);
  await world.pass(10_000);
  world.get('gateway-1').start();
  await world.pass(30_000);
  expect(await world.texts('device', 'commands')).toEqual(numbered(10, 'command'));
  expect(held()).toEqual([0, 0, 0]);
});

test('the gateway it left is dead for ever: what that one had is missing, and accounted for; the rest comes', async () => {
  plug('nowhere');
  await send(10);
  await world.pass(10_000);
  expect(held()).toEqual([0, 10, 0]);
  world.get('gateway-1').retire();
  plug(2);
  await world.pass(10_000);
  await send(5, 'after');
  await world.pass(10_000);
  expect(await world.texts('device', 'commands'), 'they wait for what is missing').toEqual([]);
  await world.pass(HOLE_WAIT_MS);
  expect(await world.texts('device', 'commands')).toEqual(numbered(5, 'after'));
  expect(world.accounted('MISSING', 'device')).toBe(10);
});

test('not after: the time at each node counts, no single one of them too long, and the device looks last', async () => {
  plug('nowhere');
  world.get('gateway-1').powerCut();
  const sent = (text: string, timeToReachQueueMs: number) =>
    world.send('central', 'device/commands', text, { timeToReachQueueMs });
  await sent('too late', 15_000);
  await sent('in time', 3_600_000);
  await world.pass(10_000);
  world.get('gateway-1').start();
  await world.pass(2_000);
  expect(held()).toEqual([0, 2, 0]);
  await world.pass(8_000);
  plug(1);
  await world.pass(HOLE_WAIT_MS + 30_000);
  expect(await world.texts('device', 'commands')).toEqual(['in time']);
  const accounts = ['device', 'gateway-1', 'central'].map((name) => world.accounted('REACH_QUEUE_TIMEOUT', name));
  expect(Math.max(...accounts)).toBe(1);
  expect(world.accounted('REACH_QUEUE_TIMEOUT', 'central')).toBe(0);
});

describe.each(['central', 'gateway-1', 'gateway-2', 'device'])('%s loses its power in the middle of a move', (victim) => {
  test.each(Array.from({ length: 12 }, (_, at) => at))('at step %i: each once, in order', async (at) => {
    await begin(`moves ${victim} ${at}`);
    plug('nowhere');
    await send(12);
    await world.pass(10_000);
    plug(2);
    await world.pass(30 + at * 45);
    await send(2, 'after');
    await world.powerCut(victim, 200);
    await world.pass(20_000);
    if (at % 3 === 0) {
      plug(1);
      await world.pass(at * 60);
      await world.powerCut(victim, 200);
    }
    await world.pass(2 * HOLE_WAIT_MS);
    const texts = (await world.drain('device', 'commands')).map(({ body }) => fromUtf8(body) ?? '');
    expect(texts).toEqual([...numbered(12, 'command'), ...numbered(2, 'after')]);
    expect(held()).toEqual([0, 0, 0]);
    expect(world.stops()).toEqual([]);
  });
});

test('the central is opened anew after a move: whoever had the device knows its commands, and finds them in the offer', async () => {
  world.box('other', { ...COMMANDS, uplinks: [{ via: 'link' }] });
  world.lay('other', 'gateway-1');
  await world.start(5_000);
  await send(3);
  await world.pass(5_000);
  plug(2);
  await world.pass(5_000);
  await world.powerCut('central');
  await world.pass(5_000);
  expect(await world.send('central', 'other/commands', 'by gateway-1')).toMatchObject({ kind: 'sent' });
  await world.pass(10_000);
  expect(await world.texts('other', 'commands')).toEqual(['by gateway-1']);
  expect(await world.texts('device', 'commands')).toEqual(numbered(3, 'command'));
  expect(world.stops()).toEqual([]);
});

test('an empty gateway hands commands back to where they began: carried from there, each arrives, once and in order', async () => {
  world = new WaysWorld('handed back');
  const below: PlannedBox = { queues: ['commands'], central: 'central', uplinks: [{ via: 'link' }] };
  world.box('central', { ...COMMANDS });
  for (const name of ['gateway-1', 'device']) world.box(name, below);
  const up = world.lay('gateway-1', 'central');
  const down = world.lay('device', 'gateway-1');
  await world.start(10_000);
  down.unplug();
  up.unplug();
  await send(4);
  const gateway = world.get('gateway-1');
  gateway.powerCut();
  gateway.insert(gateway.blankDisk());
  gateway.start();
  up.plug();
  const stream = () =>
    world
      .get('central')
      .stats()
      ?.outgoing.find(({ stream: text }) => text.includes(':device/commands:'));
  await world.until(() => (stream()?.next ?? 0) === 9);
  up.unplug();
  down.plug();
  await world.pass(5_000);
  expect(stream()?.held).toBe(4);
  up.plug();
  await world.pass(5_000);
  await send(2, 'after');
  await world.pass(2 * HOLE_WAIT_MS);
  expect(await world.texts('device', 'commands')).toEqual([...numbered(4, 'command'), ...numbered(2, 'after')]);
  for (const name of ['central', 'gateway-1', 'device']) expect(world.accounted('CORRUPT', name), name).toBe(0);
});
