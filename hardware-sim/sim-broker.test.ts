/** That the simulated broker is as bad as it says. That it is a broker at all: test/broker.test.ts. */
import { describe, expect, test } from 'vitest';
import { toUtf8 } from '../shared/bytes.ts';
import type { Broker } from '../shared/ports.ts';
import { stream } from './random.ts';
import { type BrokerFaults, SimBroker, topicMatches } from './sim-broker.ts';
import { TestTime } from './test-node.ts';

interface Hearing {
  readonly broker: Broker;
  readonly heard: string[];
}

function build(faults: Partial<BrokerFaults>, seed = 1) {
  const time = new TestTime(stream(seed, 'time'));
  const broker = new SimBroker({ scheduler: time, random: stream(seed, 'broker'), faults });
  const client = (name: string): Hearing => {
    const made = { broker: broker.connect(name), heard: [] as string[] };
    made.broker.listen({
      onUp: () => {
        made.heard.push('up');
        made.broker.subscribe([`to/${name}`]);
      },
      onDown: () => made.heard.push('down'),
      onMessage: (_topic, payload) => made.heard.push(Buffer.from(payload).toString()),
    });
    time.run(100);
    return made;
  };
  return { time, broker, client };
}

function say(from: Hearing, to: string, text: string): void {
  from.broker.publish({ topic: `to/${to}`, payload: toUtf8(text), qos: 1, retain: 'transient' });
}

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

test('the same seed tells the same story, another seed another', () => {
  const faults = { forget: 0.1, duplicate: 0.1, straggle: 0.5, delayMsMax: 50 };
  const story = (seed: number) => hundred(faults, (broker) => broker.cut('a'), seed).heard;
  expect(story(1)).toEqual(story(1));
  expect(story(1)).not.toEqual(story(2));
});

test.each<[string, string, boolean]>([
  ['a/b', 'a/b', true],
  ['a/b', 'a/b/c', false],
  ['a/b/c', 'a/b', false],
  ['a/+', 'a/b', true],
  ['a/+', 'a', false],
  ['a/+', 'a/b/c', false],
  ['+/b', 'a/b', true],
  ['a/#', 'a/b/c', true],
  ['a/#', 'a', true], // [MQTT-4.7.1-2]: `#` is the parent too
  ['#', 'a/b', true],
  ['a/+/c', 'a//c', true],
])('filter %s, topic %s: %s', (filter, topic, matches) => {
  expect(topicMatches(filter, topic)).toBe(matches);
});
