/** Real brokers and the real client, for the Broker contract: every client goes through a cable of its own that can be cut. */
import { expect } from 'vitest';
import { TcpProxy } from '../hardware-sim/tcp-proxy.ts';
import { connectBroker } from '../shared/node/mqtt-broker.ts';
import type { BrokerWorld } from './broker.contract.ts';

export interface RunningBroker {
  readonly port: number;
  close(): Promise<void>;
}

/** Names the contract gives its clients: their cables are laid beforehand, because `connect` answers at once. */
const CLIENT_COUNT = 4;
const UNTIL_MS_MAX = 20_000;
const SETTLE_MS = 100;

export async function openRealWorld(protocol: 4 | 5, start: (port: number) => Promise<RunningBroker>): Promise<BrokerWorld> {
  let broker = await start(0);
  const { port } = broker;
  const cables = await Promise.all(Array.from({ length: CLIENT_COUNT }, () => TcpProxy.open({ host: '127.0.0.1', port })));
  const clients: { readonly name: string; readonly cable: TcpProxy; close(): void | Promise<void> }[] = [];
  return {
    connect: (name) => {
      const cable = cables[clients.length];
      if (cable === undefined) throw new Error('as many clients as cables');
      const access = { broker: `mqtt://127.0.0.1:${cable.port}`, protocol, username: undefined, passwordFile: undefined };
      const client = connectBroker({ node: name, access, log: () => {} });
      clients.push({ name, cable, close: () => client.close() });
      return client;
    },
    sever: (name) => {
      const cable = clients.find((client) => client.name === name)?.cable;
      cable?.cut();
      cable?.restore();
    },
    restart: async () => {
      await broker.close();
      broker = await start(port);
    },
    until: async (holds, what) => {
      for (const deadline = performance.now() + UNTIL_MS_MAX; !holds() && performance.now() < deadline; ) await sleep(5);
      expect(holds(), what).toBe(true);
    },
    settle: () => sleep(SETTLE_MS),
    close: async () => {
      await Promise.all(clients.map((client) => client.close()));
      await broker.close();
      await Promise.all(cables.map((cable) => cable.close()));
    },
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
