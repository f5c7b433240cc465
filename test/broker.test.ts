import { expect, test } from 'vitest';
import { startBroker } from '../gateway/embedded-broker.ts';
import { stream } from '../hardware-sim/random.ts';
import { SimBroker } from '../hardware-sim/sim-broker.ts';
import { TcpProxy } from '../hardware-sim/tcp-proxy.ts';
import { TestTime } from '../hardware-sim/test-node.ts';
import { connectBroker } from '../shared/node/mqtt-broker.ts';
import { statusPublish } from '../shared/relay/status-layout.ts';
import { type BrokerWorld, describeBroker } from './broker.contract.ts';

describeBroker('simulated', async () => {
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

describeBroker('mqtt.js and aedes', () => openRealWorld(4));

/** Every client goes through a cable of its own, so that it alone can be cut off. */
async function openRealWorld(protocol: 4 | 5): Promise<BrokerWorld> {
  let broker = await startBroker({ port: 0 });
  const { port } = broker;
  const cables = new Map<string, Promise<TcpProxy>>();
  const clients: { close(): void | Promise<void> }[] = [];
  const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  // A cable needs a moment to be there, and `connect` answers at once: ports are made beforehand.
  const spare = await Promise.all(['a', 'b', 'c', 'never'].map(() => TcpProxy.open({ host: '127.0.0.1', port })));
  return {
    connect: (name) => {
      const cable = spare.shift() as TcpProxy;
      cables.set(name, Promise.resolve(cable));
      const access = { broker: `mqtt://127.0.0.1:${cable.port}`, protocol, username: undefined, passwordFile: undefined };
      const client = connectBroker({ node: name, access, log: () => {} });
      clients.push(client);
      return client;
    },
    sever: async (name) => {
      const cable = await cables.get(name);
      cable?.cut();
      cable?.restore();
    },
    restart: async () => {
      await broker.close();
      broker = await startBroker({ port });
    },
    until: async (holds, what) => {
      for (const deadline = performance.now() + 20_000; !holds() && performance.now() < deadline; ) await sleep(5);
      expect(holds(), what).toBe(true);
    },
    settle: () => sleep(100).then(() => {}),
    close: async () => {
      await Promise.all(clients.map((client) => client.close()));
      await broker.close();
      await Promise.all([...cables.values(), ...spare].map(async (cable) => (await cable).close()));
    },
  };
}

test('a client that is not let in keeps trying, and says why once', async () => {
  const log: string[] = [];
  const access = { broker: 'mqtt://127.0.0.1:1', protocol: 4 as const, username: undefined, passwordFile: undefined };
  const broker = connectBroker({ node: 'lonely', access, log: (level, text) => log.push(`${level} ${text}`) });
  const heard: string[] = [];
  broker.listen({ onUp: () => heard.push('up'), onDown: () => heard.push('down'), onMessage: () => heard.push('message') });
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await broker.close();
  expect(heard).toEqual([]);
  expect(log).toHaveLength(1);
  expect(log[0]).toMatch(/^warn broker mqtt:\/\/127\.0\.0\.1:1: .*ECONNREFUSED/);
});
