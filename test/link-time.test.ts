/** A device without a clock learns the time over its link: how well, and that nothing else changes by it. In virtual time. */
import { describe, expect, test } from 'vitest';
import { bodyOf, LinkWorld, type LinkWorldOptions, SIM_DATE_US } from '../hardware-sim/link-world.ts';
import { stream } from '../hardware-sim/random.ts';
import { simLines } from '../hardware-sim/sim-line.ts';
import { SimNode } from '../hardware-sim/sim-node.ts';
import { World } from '../hardware-sim/world.ts';
import type { NodeConfig } from '../shared/core/node-io.ts';

const never = (nowMs: number): number => 1_000 * nowMs;

function joined(options: Partial<LinkWorldOptions> & { baud: number | undefined }): LinkWorld {
  const w = new LinkWorld({ seed: 4, clocks: { device: never }, ...options });
  w.start();
  w.until(() => w.device.parts.sender.state === 'ready', 10_000);
  return w;
}

describe('a device whose clock was never set', () => {
  test.each([
    [undefined, 1, 3_000],
    [115_200, 1, 8_000],
    [115_200, 16, 25_000],
    [9_600, 1, 80_000],
  ])('at %s baud and %i ms of delay knows the time to %i µs after a minute', (baud, delayMs, errorUsMax) => {
    const w = joined({ baud, delayMs });
    w.run(60_000);
    const { offsetUs = 0, qualityUs = 0 } = w.device.link.clock ?? {};
    expect(qualityUs).toBeGreaterThan(0);
    expect(qualityUs).toBeLessThan(errorUsMax);
    expect(Math.abs(offsetUs - SIM_DATE_US)).toBeLessThanOrEqual(qualityUs);
  });

  test('knows it, less well, with the WELCOME', () => {
    const w = joined({ baud: 115_200, delayMs: 20 });
    w.run(100);
    const { offsetUs = 0, qualityUs = 0 } = w.device.link.clock ?? {};
    expect(w.tap.of('time-request')).toEqual([]);
    expect(Math.abs(offsetUs - SIM_DATE_US)).toBeLessThanOrEqual(qualityUs);
    expect(qualityUs).toBeLessThan(100_000);
  });

  test('is never more wrong than it says, on a line that loses, is full, and is cut again and again', () => {
    const w = joined({ baud: 115_200, delayMs: 5 });
    w.lines?.noise(1e-3);
    const chance = stream(1, 'cuts');
    for (let i = 0; i < 60; i++) {
      for (let k = 0; k < 5; k++) w.device.send('gateway/bags', bodyOf(i, 500), chance.int(8));
      w.run(500 + chance.int(3_000));
      const { offsetUs, qualityUs } = w.device.link.clock ?? {};
      if (offsetUs !== undefined) expect(Math.abs(offsetUs - SIM_DATE_US)).toBeLessThanOrEqual(qualityUs ?? 0);
      if (i % 10 === 9) {
        w.lines?.cut();
        w.connect();
      }
    }
    w.lines?.noise(0);
    w.until(() => w.isDelivered(), 60_000);
    w.check();
  });
});

test.each([
  ['no clock', undefined],
  ['one that was never set', never],
])('a gateway with %s says so, and is not believed', (_name, wallUs) => {
  const w = joined({ baud: 115_200, clocks: { device: never, gateway: wallUs } });
  w.run(60_000);
  expect(w.tap.of('welcome').map(({ packet }) => packet.unixTimeUs)).toEqual([0]);
  expect(w.tap.of('time-response').length).toBeGreaterThan(3);
  expect(w.tap.of('time-response').every(({ packet }) => packet.t2Us === 0 && packet.t3Us === 0)).toBe(true);
  expect(w.device.link.clock).toBeUndefined();
  expect(w.device.link.describe()).not.toContain('clock');
});

test('a device with no clock at all does not ask', () => {
  const w = joined({ baud: 115_200, clocks: { device: undefined } });
  w.run(60_000);
  expect(w.tap.of('time-request')).toEqual([]);
});

test('only the dialling side asks', () => {
  const w = joined({ baud: 115_200 });
  w.run(60_000);
  expect(w.tap.of('time-request', 'device').length).toBeGreaterThan(3);
  expect(w.tap.of('time-request', 'gateway')).toEqual([]);
});

test('time orders nothing: clocks that lie and jump change not one message', () => {
  const play = (clocks: LinkWorldOptions['clocks']): string[] => {
    const w = joined({ baud: 115_200, ...(clocks && { clocks }) });
    for (let i = 0; i < 40; i++) {
      w.device.send('gateway/bags', bodyOf(i, 100), i % 8);
      w.run(300);
    }
    w.until(() => w.isDelivered(), 20_000);
    w.check();
    return w.gateway.contents('bags').map(({ identity }) => `${identity.priority} ${identity.number}`);
  };
  const jumping = (nowMs: number): number => SIM_DATE_US + (Math.floor(nowMs / 700) % 2 === 0 ? 1 : -1) * 1e12;
  const expected = play({ device: undefined, gateway: undefined });
  expect(play({ device: jumping, gateway: jumping })).toEqual(expected);
  expect(play({ device: never, gateway: jumping })).toEqual(expected);
  expect(play({ device: () => Number.NaN, gateway: () => -1 })).toEqual(expected);
});

test('stats of a whole node say what to add to its clock', async () => {
  const world = new World(stream('time', 'world'));
  const config = (name: string, uplink: NodeConfig['uplink']): NodeConfig => ({
    name,
    uplink,
    queues: [],
    unknownQueue: 'refuse',
    queueBytesLimit: 100_000,
    central: 'gateway',
    isCentral: 'no',
    partitionCount: 1,
    commitDelayMs: 0,
    home: undefined,
  });
  const shared = { world, syncMsMax: 5 };
  const gateway = new SimNode({ ...shared, config: config('gateway', 'none'), random: stream('time', 'gateway') });
  const device = new SimNode({ ...shared, config: config('device', 'link'), random: stream('time', 'device'), dateUs: 86_400e6 });
  gateway.start();
  device.start();
  await world.run(1_000, () => gateway.isServing && device.isServing);
  const pair = simLines({ world, random: stream('time', 'line'), baud: 115_200, delayMs: 2 });
  gateway.attach(pair.b, { role: 'accept', baud: 115_200 }, () => {});
  device.attach(pair.a, { role: 'dial', baud: 115_200 }, () => {});
  await world.run(world.nowMs + 20_000);
  const [clock] = device.stats()?.clocks ?? [];
  expect(clock?.node).toBe('gateway');
  expect(Math.abs((clock?.offsetUs ?? 0) - (SIM_DATE_US - 86_400e6))).toBeLessThanOrEqual(clock?.qualityUs ?? 0);
  expect(clock?.qualityUs).toBeLessThan(20_000);
  expect(device.stats()?.links[0]).toMatch(/its clock is \d+\.\d ms ahead of ours/);
  expect(gateway.stats()?.clocks).toEqual([]);
});
