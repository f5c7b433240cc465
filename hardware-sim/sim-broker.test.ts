/** That the simulated broker is as bad as it says. That it is a broker at all: test/broker.test.ts. */
import { describe, expect, test } from 'vitest';
import { toUtf8 } from '../shared/bytes.ts';
import { brokerBench as build, say } from './broker-bench.ts';
import { stream } from './random.ts';
import type { BrokerFaults, SimBroker } from './sim-broker.ts';

/** A hundred publishes from a to b, with whatever else happens after the fiftieth. */
function hundred(faults: Partial<BrokerFaults>, meanwhile: (broker: SimBroker) => void = () => {}, seed = 1) {
  const { time, broker, client } = build(faults, seed);
  const a = client('a');
  const b = client('b');
  for (let i = 0; i < 100; i++) {
    if (i === 50) meanwhile(broker);
    say(a, 'b', String(i));
    time.run(1);
  }
  time.run(60_000);
  return { heard: b.heard.filter((event) => /^[0-9]+$/.test(event)).map(Number), broker };
}

const ALL = Array.from({ length: 100 }, (_, at) => at);

describe('faults', () => {
  test('without any, nothing is lost, nothing twice, in order', () => {
    expect(hundred({ delayMsMax: 50 }).heard).toEqual(ALL);
  });

  test('forgets after the acknowledgement', () => {
    const { heard, broker } = hundred({ forget: 0.3 });
    expect(heard.length).toBe(100 - broker.counters.forgotten);
    expect(broker.counters.forgotten).toBeGreaterThan(10);
  });

  test('delivers twice', () => {
    const { heard, broker } = hundred({ duplicate: 0.3 });
    expect(heard.length).toBe(100 + broker.counters.duplicated);
    expect([...new Set(heard)]).toEqual(ALL);
  });

  test('what a broken connection left behind comes late and out of order, or never', () => {
    const { heard, broker } = hundred({ delayMsMax: 40, straggle: 0.8, reconnectMsMax: 20 }, (it) => it.cut('a'));
    expect(broker.counters.straggled).toBeGreaterThan(0);
    expect(heard.length).toBeLessThan(100);
    expect(heard).not.toEqual([...heard].sort((x, y) => x - y));
  });

  test('a restart loses what was on its way, and what was retained', () => {
    const { time, broker, client } = build({});
    const a = client('a');
    a.broker.publish({ topic: 'to/c', payload: toUtf8('kept'), qos: 1, retain: 'retain' });
    time.run(100);
    broker.restart(100);
    time.run(5000);
    expect(a.heard).toEqual(['up', 'down', 'up']);
    expect(client('c').heard).toEqual(['up']);
  });

  test('while it is down nobody connects', () => {
    const { time, broker, client } = build({});
    broker.restart(10_000);
    const a = client('a');
    time.run(9000);
    expect(a.heard).toEqual([]);
    time.run(5000);
    expect(a.heard).toEqual(['up']);
  });
});

test('a burst of latency: later, in order, and what comes after it waits behind it', () => {
  const { time, broker, client } = build({});
  const a = client('a');
  const b = client('b');
  broker.faults.lagMsMax = 10_000;
  say(a, 'b', 'late');
  broker.faults.lagMsMax = 0;
  say(a, 'b', 'behind it');
  time.run(20);
  expect(b.heard).toEqual(['up']);
  time.run(30_000);
  expect(b.heard).toEqual(['up', 'late', 'behind it']);
});

test('faults that are off draw nothing: two chances for a publish, one for each way', () => {
  const { time, client, random } = build({});
  const a = client('a');
  const b = client('b');
  const spare = stream(1, 'broker');
  // Two connect, two subscribe.
  for (let i = 0; i < 4; i++) spare.next();
  say(a, 'b', 'one');
  time.run(100);
  for (let i = 0; i < 4; i++) spare.next();
  expect(b.heard).toEqual(['up', 'one']);
  expect(random.uint32()).toBe(spare.uint32());
});

test('the same seed tells the same story, another seed another', () => {
  const faults = { forget: 0.1, duplicate: 0.1, straggle: 0.5, delayMsMax: 50 };
  const story = (seed: number) => hundred(faults, (broker) => broker.cut('a'), seed).heard;
  expect(story(1)).toEqual(story(1));
  expect(story(1)).not.toEqual(story(2));
});
