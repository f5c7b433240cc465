import { describe, expect, test } from 'vitest';
import { toUtf8 } from '../../shared/bytes.ts';
import type { Broker } from '../../shared/ports.ts';
import { stream } from '../random.ts';
import { World } from '../world.ts';
import { VirtualClock } from './virtual-clock.ts';
import { VirtualMqtt } from './virtual-mqtt.ts';

interface Scene {
  readonly world: World;
  readonly mqtt: VirtualMqtt;
  /** What this client hears, and when it is up and down. It subscribes to `t`. */
  client(name: string): { readonly broker: Broker; readonly events: string[] };
}

function inScene(act: (scene: Scene) => Promise<void>): Promise<void> {
  const world = new World(stream(1, 'world'), 'when-due');
  const clock = new VirtualClock({ world, random: stream(1, 'globals') });
  const mqtt = new VirtualMqtt({ scheduler: world, random: stream(1, 'broker') });
  const client = (name: string) => {
    const broker = mqtt.connect(name);
    const events: string[] = [];
    broker.listen({
      onUp: () => {
        events.push('up');
        broker.subscribe(['t']);
      },
      onDown: () => events.push('down'),
      onMessage: (_topic, payload) => events.push(Buffer.from(payload).toString()),
    });
    return { broker, events };
  };
  return clock.during(() => act({ world, mqtt, client }));
}

function say(broker: Broker, text: string): void {
  broker.publish({ topic: 't', payload: toUtf8(text), qos: 1, retain: 'transient' });
}

describe('what breaks', () => {
  test('a connection on which nothing is said stays up for hours', () =>
    inScene(async ({ world, client }) => {
      const events = ['a', 'b', 'c'].map((name) => client(name).events);
      await world.run(10_000_000);
      expect(events).toEqual([['up'], ['up'], ['up']]);
    }));

  test('a connection that is dead for both is found out by keepalive, and made again', () =>
    inScene(async ({ world, mqtt, client }) => {
      const { events } = client('a');
      await world.run(1_000);
      mqtt.halfOpen('a', Number.POSITIVE_INFINITY);
      await world.run(10_000);
      expect(events).toEqual(['up']);
      await world.run(40_000);
      expect(events).toEqual(['up', 'down', 'up']);
    }));

  test('half-open for a time: what is said meanwhile is lost', () =>
    inScene(async ({ world, mqtt, client }) => {
      const [a, b] = [client('a'), client('b')];
      await world.run(1_000);
      mqtt.halfOpen('a', 3_000);
      say(a.broker, 'into the void');
      await world.run(3_900);
      expect(a.events).toEqual(['up']);
      await world.run(10_000);
      expect(a.events).toEqual(['up', 'down', 'up']);
      expect(b.events).toEqual(['up']);
    }));

  test('what a cut connection left behind arrives with `straggle`, and not without', () =>
    inScene(async ({ world, mqtt, client }) => {
      const [a, b] = [client('a'), client('b')];
      await world.run(1_000);
      for (const [straggle, text] of [
        [0, 'lost'],
        [1, 'late'],
      ] as const) {
        Object.assign(mqtt.faults, { straggle, willMsMax: 1_000_000 });
        say(a.broker, text);
        await world.run(world.nowMs + 0.001); // on its way, and not there yet
        mqtt.cut('a');
        await world.run(world.nowMs + 5_000);
      }
      expect(b.events).toEqual(['up', 'late']);
      expect(mqtt.counters.straggled).toBe(1);
    }));

  test('forgotten, and said twice, at the subscriber', () =>
    inScene(async ({ world, mqtt, client }) => {
      const [a, b] = [client('a'), client('b')];
      await world.run(1_000);
      mqtt.faults.forget = 1;
      say(a.broker, 'one');
      await world.run(2_000);
      Object.assign(mqtt.faults, { forget: 0, duplicate: 1 });
      say(a.broker, 'two');
      await world.run(3_000);
      expect(b.events).toEqual(['up', 'two', 'two']);
      expect(mqtt.counters).toMatchObject({ published: 2, forgotten: 2, duplicated: 2, delivered: 2 });
    }));

  test('no broker for a minute, and a stranger of the same name: back when that is over', () =>
    inScene(async ({ world, mqtt, client }) => {
      const { events } = client('a');
      await world.run(1_000);
      mqtt.restart(60_000);
      await world.run(60_000);
      expect(events).toEqual(['up', 'down']);
      await world.run(80_000);
      expect(events).toEqual(['up', 'down', 'up']);
      const rival = mqtt.rival('a');
      await world.run(100_000);
      expect(events.length).toBeGreaterThan(6);
      rival.close();
      await world.run(130_000);
      expect(events.at(-1)).toBe('up');
    }));

  test('outside a virtual clock there is no broker', async () => {
    const world = new World(stream(1, 'world'));
    new VirtualMqtt({ scheduler: world, random: stream(1, 'broker') });
    await expect(world.run(1)).rejects.toThrow('inside a virtual clock');
  });
});
