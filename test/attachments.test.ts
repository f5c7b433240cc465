/** Who is below by which way: devices that move between gateways, and what the central and everybody on the path learns. Whole nodes, virtual time. */
import { beforeEach, describe, expect, test } from 'vitest';
import { numbered, type PlannedBox, WaysWorld } from '../hardware-sim/ways-world.ts';

const COMMANDS: PlannedBox = { queues: ['commands'] };
const OVER_MQTT: PlannedBox = { ...COMMANDS, uplinks: [{ via: { broker: 'hub', central: 'central' } }], central: 'central' };
const BY_CABLE: PlannedBox = { ...COMMANDS, uplinks: [{ via: 'link' }], central: 'central' };

let world: WaysWorld;
beforeEach(() => {
  world = new WaysWorld('attachments');
});

/** A central, two gateways over MQTT, and a device in the first; its cable to the second is not plugged. */
async function hall(): Promise<void> {
  world.box('central', { ...COMMANDS, centralAt: ['hub'] });
  for (const name of ['gateway-1', 'gateway-2']) world.box(name, OVER_MQTT);
  world.box('device', BY_CABLE);
  world.lay('device', 'gateway-1');
  world.lay('device', 'gateway-2', { as: 'second' }).unplug();
  await world.start(10_000);
}

function move(to: 1 | 2): void {
  world.link('device').unplug();
  world.link('device', 'second').unplug();
  world.link('device', to === 1 ? 'up' : 'second').plug();
}

const noted = (at: string, node: string): unknown => world.noted(at, `n/${node}`);
const counter = (at: string, name: string): number => world.get(at).stats()?.counters[name] ?? 0;

async function send(count: number, what = 'command', from = 'central'): Promise<void> {
  for (const text of numbered(count, what))
    expect(await world.send(from, 'device/commands', text)).toMatchObject({ kind: 'sent' });
}

describe('a device under a gateway over MQTT', () => {
  beforeEach(hall);

  test('is known at the gateway by itself, and at the central by the gateway', () => {
    expect(noted('gateway-1', 'device')).toEqual(['device', 1]);
    expect(noted('central', 'device')).toEqual(['gateway-1', 1, 1]);
    expect(noted('central', 'gateway-1')).toEqual(['gateway-1', 1]);
    expect(noted('central', 'gateway-2')).toEqual(['gateway-2', 1]);
    expect(noted('gateway-2', 'device')).toBeUndefined();
    expect(world.stops()).toEqual([]);
  });

  test('gets commands of the central, once and in order, over MQTT and the link', async () => {
    await send(50);
    await world.pass(10_000);
    expect(await world.texts('device', 'commands')).toEqual(numbered(50, 'command'));
    expect([world.held('central'), world.held('gateway-1')]).toEqual([0, 0]);
  });

  test('answers travel back, and neighbours under another gateway reach it', async () => {
    await send(3, 'from the other side', 'gateway-2');
    await world.pass(10_000);
    expect(await world.texts('device', 'commands')).toEqual(numbered(3, 'from the other side'));
  });

  test('is away for more than a day: everything waits, durable at each hop, and nobody complains', async () => {
    world.link('device').unplug();
    await world.pass(2_000);
    await send(20);
    await world.powerCut('central');
    await world.powerCut('gateway-1');
    await world.pass(30 * 3_600_000);
    expect(world.held('gateway-1')).toBe(20);
    expect(world.get('central').stats()?.health.status).toBe('green');
    world.link('device').plug();
    await world.pass(20_000);
    expect(await world.texts('device', 'commands')).toEqual(numbered(20, 'command'));
  });

  test('comes back to the same gateway: nothing is announced anew', async () => {
    const announced = counter('central', 'attached');
    for (let i = 0; i < 3; i++) {
      world.link('device').unplug();
      await world.pass(5_000);
      world.link('device').plug();
      await world.powerCut('device');
      await world.pass(5_000);
    }
    expect(counter('central', 'attached')).toBe(announced);
    expect(noted('central', 'device')).toEqual(['gateway-1', 1, 1]);
  });

  test('moves: the later epoch wins, everybody learns it, and what is sent from then on goes the new way', async () => {
    move(2);
    await world.pass(20_000);
    expect(noted('gateway-2', 'device')).toEqual(['device', 2]);
    expect(noted('central', 'device')).toEqual(['gateway-2', 2, 1]);
    expect(noted('gateway-1', 'device')).toEqual(['', 2, 1]);
    await send(5);
    await world.pass(10_000);
    expect(await world.texts('device', 'commands')).toEqual(numbered(5, 'command'));
    move(1);
    await world.pass(20_000);
    expect([noted('central', 'device'), noted('gateway-2', 'device')]).toEqual([
      ['gateway-1', 3, 1],
      ['', 3, 1],
    ]);
    expect(world.stops(), 'a ticket of the gateway before is no fork').toEqual([]);
  });

  test('moves twice while the gateway it left is away, which learns of it when it is back', async () => {
    world.get('gateway-1').powerCut();
    move(2);
    await world.pass(20_000);
    move(1);
    world.link('device').unplug();
    await world.pass(5_000);
    move(2);
    await world.pass(20_000);
    world.get('gateway-1').start();
    await world.pass(20_000);
    expect(noted('gateway-1', 'device')).toEqual(['', 2, 1]);
    expect(noted('central', 'device')).toEqual(['gateway-2', 2, 1]);
  });

  test('gets a blank disk: its epochs begin anew, it is told, and goes above what is known', async () => {
    move(2);
    await world.pass(20_000);
    move(1);
    await world.pass(20_000);
    const device = world.get('device');
    device.powerCut();
    device.insert(device.blankDisk());
    device.start();
    move(2);
    await world.pass(60_000);
    expect(noted('gateway-2', 'device')).toMatchObject(['device', 4]);
    expect(noted('central', 'device')).toEqual(['gateway-2', 4, 1]);
    await send(3);
    await world.pass(10_000);
    expect(await world.texts('device', 'commands')).toEqual(numbered(3, 'command'));
  });

  test('is put back to an old image, at another gateway: equal epochs are not believed, it goes above them', async () => {
    const image = world.image('device');
    move(2);
    await world.pass(20_000);
    expect(noted('central', 'device')).toEqual(['gateway-2', 2, 1]);
    move(1);
    await world.pass(20_000);
    move(2);
    world.link('device').unplug();
    world.link('device', 'second').unplug();
    world.restore('device', image);
    world.link('device', 'second').plug();
    await world.pass(60_000);
    expect(noted('central', 'device')).toEqual(['gateway-2', 4, 1]);
  });

  test('a gateway with a blank disk has its devices again as they come, and the central knows', async () => {
    const gateway = world.get('gateway-1');
    gateway.powerCut();
    gateway.insert(gateway.blankDisk());
    gateway.start();
    await world.pass(30_000);
    expect(noted('gateway-1', 'device')).toEqual(['device', 2]);
    expect(noted('central', 'device')).toEqual(['gateway-1', 2, 1]);
    await send(3);
    await world.pass(10_000);
    expect(await world.texts('device', 'commands')).toEqual(numbered(3, 'command'));
  });

  test('a central with a blank disk hears of everybody again', async () => {
    const central = world.get('central');
    central.powerCut();
    central.insert(central.blankDisk());
    central.start();
    await world.pass(60_000);
    expect(noted('central', 'gateway-2')).toEqual(['gateway-2', 2]);
    expect(noted('central', 'device')).toEqual(['gateway-1', 1, 2]);
    await send(3);
    await world.pass(10_000);
    expect(await world.texts('device', 'commands')).toEqual(numbered(3, 'command'));
  });

  test('a power cut of any of them while it moves changes nothing in the end', async () => {
    for (const [at, name] of ['device', 'gateway-1', 'gateway-2', 'central'].entries()) {
      for (let step = 0; step < 6; step++) {
        move(step % 2 === 0 ? 2 : 1);
        await world.pass(150 + 90 * step + 7 * at);
        await world.powerCut(name, 50);
        await world.pass(30_000);
        const gateway = step % 2 === 0 ? 'gateway-2' : 'gateway-1';
        const [epoch] = world.noted('device', 'route') as number[];
        expect([name, step, noted('central', 'device')]).toEqual([name, step, [gateway, epoch, 1]]);
        expect([name, step, noted(gateway, 'device')]).toEqual([name, step, ['device', epoch]]);
      }
    }
    expect(world.stops()).toEqual([]);
  });
});

describe('a chain of links', () => {
  beforeEach(async () => {
    world.box('central', COMMANDS);
    for (const name of ['site-1', 'site-2', 'gateway', 'device']) world.box(name, BY_CABLE);
    world.lay('device', 'gateway');
    world.lay('gateway', 'site-1');
    world.lay('gateway', 'site-2', { as: 'second' }).unplug();
    world.lay('site-1', 'central');
    world.lay('site-2', 'central');
    await world.start(15_000);
  });

  test('everybody on the path knows the device by the way its word came', async () => {
    expect(noted('gateway', 'device')).toEqual(['device', 1]);
    expect(noted('site-1', 'device')).toEqual(['gateway', 1, 1]);
    expect(noted('central', 'device')).toEqual(['site-1', 1, 1]);
    expect(noted('central', 'gateway')).toEqual(['site-1', 1, 1]);
    await send(5);
    await world.pass(10_000);
    expect(await world.texts('device', 'commands')).toEqual(numbered(5, 'command'));
  });

  test('a gateway that moves takes those below along', async () => {
    world.link('gateway').unplug();
    world.link('gateway', 'second').plug();
    await world.pass(30_000);
    expect(noted('gateway', 'device')).toEqual(['device', 1]);
    expect(noted('site-2', 'device')).toEqual(['gateway', 1, 2]);
    expect(noted('central', 'device')).toEqual(['site-2', 1, 2]);
    expect(noted('site-1', 'device')).toEqual(['', 1, 2]);
    expect(noted('site-1', 'gateway')).toEqual(['', 2, 1]);
    await send(5);
    await world.pass(10_000);
    expect(await world.texts('device', 'commands')).toEqual(numbered(5, 'command'));
  });

  test('with no central anywhere the topmost node knows all the same', async () => {
    const chain = new WaysWorld('no central');
    chain.box('top', { ...COMMANDS, central: 'nowhere' });
    chain.box('gateway', { ...BY_CABLE, central: 'nowhere' });
    chain.box('device', { ...BY_CABLE, central: 'nowhere' });
    chain.lay('device', 'gateway');
    chain.lay('gateway', 'top');
    await chain.start(10_000);
    expect(chain.noted('top', 'n/device')).toEqual(['gateway', 1, 1]);
    expect(await chain.send('top', 'device/commands', 'hello')).toMatchObject({ kind: 'sent' });
    await chain.pass(5_000);
    expect(await chain.texts('device', 'commands')).toEqual(['hello']);
    expect(chain.held('gateway') + chain.accounted('BAD_DST_Q')).toBe(0);
  });
});
