/** Both sides together, over a broker that behaves: what only shows when one answers the other. */
import { beforeEach, describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { SimBroker } from '../../hardware-sim/sim-broker.ts';
import { TestNode, type TestNodeOptions, TestTime } from '../../hardware-sim/test-node.ts';

let time: TestTime;
let broker: SimBroker;
let gateway: TestNode;
let central: TestNode;

const BODY = new Uint8Array(1000);

function build(options: { gateway?: Partial<TestNodeOptions>; central?: Partial<TestNodeOptions> } = {}): void {
  time = new TestTime(stream(1, 'time'));
  broker = new SimBroker({ scheduler: time, random: stream(1, 'broker') });
  const common = { time, broker, central: 'central' };
  gateway = new TestNode({ ...common, random: stream(1, 'gateway'), name: 'gateway', ...options.gateway });
  central = new TestNode({ ...common, random: stream(1, 'central'), name: 'central', ...options.central });
  central.open();
  gateway.open();
  time.run(1000);
}

function send(count: number, queue = 'bags', node = gateway): void {
  for (let i = 0; i < count; i++) expect(node.send(`central/${queue}`, BODY)).toBe(true);
}

function storedNumbers(queue = 'bags', origin = 'gateway'): number[] {
  const own = central.contents(queue).filter(({ identity }) => identity.origin === origin);
  return own.map(({ identity }) => identity.number);
}

const upTo = (last: number) => Array.from({ length: last }, (_, at) => at + 1);

beforeEach(() => build());

describe('forks', () => {
  test('a rolled back sender is noticed; nothing is swallowed, nothing overwritten', () => {
    send(5);
    time.run(1000);
    const old = gateway.disk.clone(stream(1, 'old'));
    send(5);
    time.run(1000);
    expect(storedNumbers()).toEqual(upTo(10));
    gateway.kill();
    gateway.disk = old;
    gateway.open();
    send0();
    time.run(60_000);
    expect(gateway.parts.sender.state).toBe('forked');
    expect(gateway.outgoingCount).toBe(2);
    expect(storedNumbers()).toEqual(upTo(10));
  });

  test('two clones that take turns are noticed', () => {
    send(5);
    time.run(1000);
    const clone = gateway.disk.clone(stream(1, 'clone'));
    gateway.kill();
    const original = gateway.disk;
    gateway.disk = clone;
    gateway.open();
    send0();
    time.run(1000);
    expect(storedNumbers(), 'the first to come back is the one').toEqual(upTo(7));
    gateway.kill();
    gateway.disk = original;
    gateway.open();
    send0();
    time.run(60_000);
    expect(gateway.parts.sender.state).toBe('forked');
    expect(storedNumbers()).toEqual(upTo(7));
  });

  test('restarts of both, again and again, are none', () => {
    for (let i = 0; i < 8; i++) {
      send(2);
      time.run(500);
      const node = i % 2 === 0 ? gateway : central;
      node.kill();
      time.run(10);
      node.open();
      time.run(5000);
    }
    expect(gateway.parts.sender.state).toBe('ready');
    expect(central.parts.receiver.forkCount).toBe(0);
    expect(storedNumbers()).toEqual(upTo(16));
  });

  /** Two, after an opening. */
  function send0(): void {
    time.run(10, () => gateway.isServing);
    send(2);
  }
});

describe('room', () => {
  test('a full queue holds its own sender up and no other queue; everything arrives once there is room', () => {
    const queues = [
      { name: 'bags', bytesLimit: 10_000 },
      { name: 'alarms', bytesLimit: 500_000 },
    ];
    build({ central: { queues } });
    send(40);
    time.run(5000);
    expect(storedNumbers().length).toBeLessThan(10);
    expect(gateway.relaySender.view().isStarved).toBe(true);
    const before = time.nowMs;
    send(100, 'alarms');
    time.run(2000, () => storedNumbers('alarms').length === 100);
    expect(time.nowMs - before, 'milliseconds for the other queue').toBeLessThan(500);
    const taken: number[] = [];
    for (let i = 0; i < 40 && taken.length < 40; i++) {
      taken.push(...storedNumbers());
      central.consume('bags', 100);
      time.run(1000);
    }
    expect(taken).toEqual(upTo(40));
    expect(gateway.outgoingCount).toBe(0);
  });

  test('while a queue stays full, syncs become rare', () => {
    build({ central: { queues: [{ name: 'bags', bytesLimit: 10_000 }] } });
    send(40);
    time.run(5000);
    const before = gateway.relaySender.counters().uplinkSyncs ?? 0;
    time.run(3_600_000);
    expect((gateway.relaySender.counters().uplinkSyncs ?? 0) - before).toBeLessThan(20);
  });

  test('a disk slower than the line lets fall what it cannot take, and gets it again', () => {
    build({ central: { pendingBytesMax: 5000, syncMsMax: 50, queues: [{ name: 'bags', bytesLimit: 700_000 }] } });
    send(300);
    time.run(600_000, () => gateway.outgoingCount === 0);
    expect(storedNumbers()).toEqual(upTo(300));
  });
});

describe('many', () => {
  test('gateways share a queue and know nothing of each other', () => {
    const others = ['gw-1', 'gw-2', 'gw-3'].map((name) => {
      const node = new TestNode({ time, broker, central: 'central', random: stream(1, name), name });
      node.open();
      return { name, node };
    });
    time.run(1000);
    for (let i = 0; i < 20; i++) {
      for (const { node } of others) send(1, 'bags', node);
      time.run(50);
    }
    time.run(1000);
    for (const { name } of others) expect(storedNumbers('bags', name)).toEqual(upTo(20));
  });

  test('every stream of the same urgency gets its turn, however much another has', () => {
    const queues = Array.from({ length: 4 }, (_, at) => ({ name: `q${at}`, bytesLimit: 400_000 }));
    build({ central: { queues }, gateway: { queues: [] } });
    broker.cut('gateway');
    for (const { name } of queues) send(200, name);
    time.run(20_000, () => queues.every(({ name }) => storedNumbers(name).length > 30));
    const shares = queues.map(({ name }) => storedNumbers(name).length);
    expect(Math.min(...shares)).toBeGreaterThan(30);
    time.run(20_000);
    for (const { name } of queues) expect(storedNumbers(name)).toEqual(upTo(200));
  });
});
