import { expect } from 'vitest';
import { startBroker } from '../gateway/embedded-broker.ts';
import { stream } from '../hardware-sim/random.ts';
import { SimBroker } from '../hardware-sim/sim-broker.ts';
import { TestTime } from '../hardware-sim/test-node.ts';
import { World } from '../hardware-sim/world.ts';
import { VirtualClock } from '../hardware-sim/yard/virtual-clock.ts';
import { VirtualMqtt } from '../hardware-sim/yard/virtual-mqtt.ts';
import { statusPublish } from '../shared/relay/status-layout.ts';
import { brokerContract } from './broker.contract.ts';
import { openRealWorld } from './broker-world.ts';

brokerContract('simulated', async () => {
  const time = new TestTime(stream(1, 'time'));
  const broker = new SimBroker({ scheduler: time, random: stream(1, 'broker') });
  return {
    connect: (name) => broker.connect(name, { will: statusPublish({ kind: 'offline', node: name }) }),
    sever: (name) => broker.cut(name),
    restart: async () => {
      broker.restart(100);
      time.run(100);
    },
    until: async (holds, what) => {
      time.run(10_000, holds);
      expect(holds(), what).toBe(true);
    },
    settle: async () => time.run(1000),
    close: async () => {},
  };
});

brokerContract('mqtt.js and aedes in virtual time', async () => {
  const world = new World(stream(1, 'time'), 'when-due');
  const clock = new VirtualClock({ world, random: stream(1, 'clock') });
  const broker = new VirtualMqtt({ scheduler: world, random: stream(1, 'broker') });
  clock.install();
  return {
    connect: (name) => broker.connect(name),
    sever: (name) => broker.cut(name),
    restart: async () => {
      broker.restart(100);
      await world.run(world.nowMs + 100);
    },
    until: async (holds, what) => {
      await world.run(world.nowMs + 60_000, holds);
      expect(holds(), what).toBe(true);
    },
    settle: () => world.run(world.nowMs + 1000),
    close: async () => clock.restore(),
  };
});

brokerContract('mqtt.js and aedes', () => openRealWorld(4, (port) => startBroker({ port })));
