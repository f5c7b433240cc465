import { describe, expect, test } from 'vitest';
import { findPort } from '../shared/node/port-match.ts';
import { bodyOf, Clock, LinkNode } from './link-world.ts';
import { stream } from './random.ts';
import { simLines } from './sim-line.ts';
import { type SimAdapter, SimPorts } from './sim-ports.ts';

function adapter(serialNumber: string, clock = new Clock()): SimAdapter {
  const connect = () => simLines({ world: clock, random: stream(1, serialNumber), baud: 115_200 });
  return { vendorId: '0403', productId: '6015', serialNumber, byPath: `usb-${serialNumber}`, connect };
}

describe('ports are named by the order of plugging', () => {
  test('put back in another order they have each other’s names, and a match finds each', () => {
    const ports = new SimPorts();
    const [a, b] = [adapter('A'), adapter('B')];
    expect([ports.plug(a), ports.plug(b)]).toEqual(['/dev/ttyUSB0', '/dev/ttyUSB1']);
    ports.unplug(a);
    ports.unplug(b);
    expect([ports.plug(b), ports.plug(a)]).toEqual(['/dev/ttyUSB0', '/dev/ttyUSB1']);
    expect(findPort({ serialNumber: 'A' }, ports.list())).toBe('/dev/ttyUSB1');
    expect(findPort({ byPath: 'usb-B' }, ports.list())).toBe('/dev/ttyUSB0');
    expect(() => findPort({ vid: '0403', pid: '6015' }, ports.list())).toThrow('PORT_AMBIGUOUS');
  });

  test('a port that is still open keeps its number: the adapter comes back as another one', () => {
    const clock = new Clock();
    const ports = new SimPorts();
    const a = adapter('A', clock);
    const line = ports.open(ports.plug(a));
    const closed: string[] = [];
    line.listen({ onBytes: () => {}, onClosed: (reason) => void closed.push(reason) });
    ports.unplug(a);
    expect(ports.plug(a)).toBe('/dev/ttyUSB1');
    clock.run(100);
    expect(closed).toEqual(['unplugged']);
    line.close();
    ports.unplug(a);
    expect(ports.plug(a)).toBe('/dev/ttyUSB0');
  });

  test('what is not there, or open already, cannot be opened', () => {
    const ports = new SimPorts();
    const path = ports.plug(adapter('A'));
    expect(() => ports.open('/dev/ttyUSB7')).toThrow('LINE_UNAVAILABLE');
    ports.open(path);
    expect(() => ports.open(path)).toThrow('LINE_UNAVAILABLE');
  });
});

test('a link goes on after its port was renumbered, with the machine it is meant for and no other', () => {
  const world = new Clock();
  const ports = new SimPorts();
  const node = (name: string, uplink: 'none' | 'link') => {
    const queues = [{ name: 'bags', bytesLimit: 100_000 }];
    return new LinkNode({ world, random: stream(1, name), name, uplink, ...(uplink === 'none' && { queues }) });
  };
  const device = node('device', 'link');
  const gateways = [node('gateway', 'none'), node('stranger', 'none')] as const;
  const adapters = gateways.map((gateway, i) => ({
    ...adapter(['MINE', 'OTHER'][i] ?? ''),
    connect: () => {
      const pair = simLines({ world, random: stream(2, `cable ${i} at ${world.nowMs}`), baud: 115_200 });
      gateway.attach(pair.b, 'accept', 115_200);
      return pair;
    },
  }));
  for (const each of [device, ...gateways]) each.open();
  world.run(100);
  for (let round = 0; round < 4; round++) {
    for (const plugged of round % 2 === 0 ? adapters : [...adapters].reverse()) ports.plug(plugged);
    const path = findPort({ vid: '0403', serialNumber: 'MINE' }, ports.list());
    expect(path).toBe(`/dev/ttyUSB${round % 2}`);
    const line = ports.open(path);
    device.attach(line, 'dial', 115_200);
    for (let i = 0; i < 5; i++) device.send('gateway/bags', bodyOf(10 * round + i, 50));
    world.run(world.nowMs + 20_000);
    expect([gateways[0].count('bags'), device.outgoingCount]).toEqual([5 * (round + 1), 0]);
    for (const plugged of adapters) ports.unplug(plugged);
    world.run(world.nowMs + 10);
    line.close();
  }
  expect(gateways[1].count('bags')).toBe(0);
});
