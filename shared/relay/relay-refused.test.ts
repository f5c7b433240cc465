/** A broker that does not take everything: what cannot pass ends with its letter and its gap, and all else goes on. */
import { beforeEach, describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { SimBroker } from '../../hardware-sim/sim-broker.ts';
import { TestNode, TestTime } from '../../hardware-sim/test-node.ts';

const SMALL = 200;
const LARGE = 9_000;

let time: TestTime;
let broker: SimBroker;
let gateway: TestNode;
let central: TestNode;

beforeEach(() => {
  time = new TestTime(stream(1, 'time'));
  broker = new SimBroker({ scheduler: time, random: stream(1, 'broker') });
  const common = { time, broker, central: 'central' };
  gateway = new TestNode({ ...common, random: stream(1, 'gateway'), name: 'gateway' });
  central = new TestNode({ ...common, random: stream(1, 'central'), name: 'central' });
  central.open();
});

/** Large ones among small ones; then the node is there with its backlog. */
function backlog(sizes: readonly number[]): void {
  gateway.open();
  time.run(50);
  for (const bytes of sizes) expect(gateway.send('central/bags', new Uint8Array(bytes))).toBe(true);
}

const numbers = () => central.contents('bags').map(({ identity }) => identity.number);
const letters = () => gateway.contents('$dead').map(({ history }) => history.at(-1)?.class);
const accounts = () => central.parts.store.accounts().map(({ class: ending, count }) => `${ending} ${count}`);

const SIZES = Array.from({ length: 60 }, (_, at) => (at === 20 || at === 41 ? LARGE : SMALL));
const PASSING = SIZES.flatMap((bytes, at) => (bytes === SMALL ? [at + 1] : []));

describe('one that ends the connection over what is too large, and does not say what that is', () => {
  test('batches become smaller, what alone is refused three times is given up, and the stream goes on', () => {
    broker.faults.publishBytesMax = 5_000;
    backlog(SIZES);
    time.run(600_000);
    expect(numbers()).toEqual(PASSING);
    expect(letters()).toEqual(['BROKER_REFUSED', 'BROKER_REFUSED']);
    expect(accounts()).toEqual(['REJECTED 2']);
    expect(gateway.outgoingCount).toBe(0);
  });

  test('that the power goes at any time changes nothing', () => {
    broker.faults.publishBytesMax = 5_000;
    backlog(SIZES);
    for (let cut = 0; cut < 20; cut++) {
      time.run(7_000);
      gateway.kill();
      gateway.open();
    }
    time.run(600_000);
    expect(numbers()).toEqual(PASSING);
    expect(letters()).toEqual(['BROKER_REFUSED', 'BROKER_REFUSED']);
    expect(gateway.outgoingCount).toBe(0);
  });
});

describe('one that says what it takes', () => {
  test('is given no more, and not asked', () => {
    broker.faults.publishBytesMax = 5_000;
    broker.faults.publishBytesMaxIs = 'told';
    backlog(SIZES);
    time.run(10_000);
    expect(numbers()).toEqual(PASSING);
    expect(letters()).toEqual(['TOO_LARGE', 'TOO_LARGE']);
    expect([broker.harm.refused, gateway.outgoingCount]).toEqual([0, 0]);
  });
});

test('one that comes and goes loses nothing, however often', () => {
  backlog(SIZES);
  for (let i = 0; i < 60; i++) {
    time.run(40);
    broker.cut('gateway');
  }
  time.run(60_000);
  expect(numbers()).toEqual(SIZES.map((_, at) => at + 1));
  expect(letters()).toEqual([]);
});

test('one that refuses everything for an hour takes everything later', () => {
  backlog(SIZES);
  time.run(5);
  broker.faults.publishes = 'refused';
  time.run(3_600_000);
  broker.faults.publishes = 'taken';
  time.run(600_000);
  expect(numbers()).toEqual(SIZES.map((_, at) => at + 1));
  expect(letters()).toEqual([]);
});

test('on the way down: a command that is too large for one gateway costs the others nothing', () => {
  const below = ['gateway-1', 'gateway-2'].map((name) => {
    const queues = [{ name: 'commands', bytesLimit: 100_000 }];
    return new TestNode({ time, broker, central: 'central', random: stream(1, name), name, queues });
  });
  for (const node of below) node.open();
  time.run(1_000);
  for (const name of ['gateway-1', 'gateway-2']) central.meet(name);
  time.run(1_000);
  broker.faults.publishBytesMax = 5_000;
  for (let i = 0; i < 20; i++) {
    expect(central.send('gateway-1/commands', new Uint8Array(i === 7 ? LARGE : SMALL))).toBe(true);
    expect(central.send('gateway-2/commands', new Uint8Array(SMALL))).toBe(true);
  }
  time.run(900_000);
  const counts = below.map((node) => node.contents('commands').length);
  expect([counts, central.contents('$dead').length, central.outgoingCount]).toEqual([[19, 20], 1, 0]);
});

test('on the way down: one that is alone and has to be read first ends, though nothing else happens', () => {
  const queues = [{ name: 'commands', bytesLimit: 100_000 }];
  const below = new TestNode({ time, broker, central: 'central', random: stream(1, 'gateway-1'), name: 'gateway-1', queues });
  below.open();
  time.run(1_000);
  central.meet('gateway-1');
  time.run(1_000);
  below.kill();
  expect(central.send('gateway-1/commands', new Uint8Array(LARGE))).toBe(true);
  time.run(1_000);
  central.kill();
  broker.faults.publishBytesMax = 5_000;
  broker.faults.publishBytesMaxIs = 'told';
  central.open();
  below.open();
  time.run(60_000);
  expect([central.contents('$dead').length, central.outgoingCount]).toEqual([1, 0]);
});
