/** The broker of a hall: a process of ours, or somebody else's behind a cable of ours. */

import { createServer } from 'node:net';
import { TcpProxy } from '../tcp-proxy.ts';
import type { HallProcess } from './hall-processes.ts';

/** Ports below those that a kernel gives to whoever dials: no caller can sit on ours while the broker is away. */
const PORT_MIN = 10_240;
const PORT_MAX = 32_767;
/** Ports tried before it is given up. Each is taken with a chance of less than one in a hundred. */
const TRIES_MAX = 50;

export interface HallBroker {
  /** Where the nodes find it. */
  readonly url: string;
  start(): Promise<void>;
  /** Away from one instant to the next, until `start`. */
  kill(): Promise<'broken' | 'was down'>;
  stop(): Promise<void>;
}

export function ownBroker(process: HallProcess, port: number): HallBroker {
  return {
    url: `mqtt://127.0.0.1:${port}`,
    start: async () => process.start(),
    kill: () => process.kill(),
    stop: () => process.stop(),
  };
}

/** Straight to it: it cannot be taken away. */
export function foreignBroker(url: string): HallBroker {
  const nothing = async (): Promise<void> => {};
  return { url, start: nothing, kill: async () => 'was down', stop: nothing };
}

/** Through a proxy, which is cut when the broker is to be away. Only for plain MQTT: TLS would find another name than it looks for. */
export async function proxiedBroker(url: string): Promise<HallBroker> {
  const { hostname, port } = new URL(url);
  const proxy = await TcpProxy.open({ host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 1883 : Number(port) });
  return {
    url: `mqtt://127.0.0.1:${proxy.port}`,
    start: async () => proxy.restore(),
    kill: async () => {
      proxy.cut();
      return 'broken';
    },
    stop: () => proxy.close(),
  };
}

/** A port of the loopback device that is free now, and stays free between two lives of a broker. */
export async function freePort(): Promise<number> {
  for (let i = 0; i < TRIES_MAX; i++) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN + 1));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port from ${PORT_MIN} to ${PORT_MAX} in ${TRIES_MAX} tries`);
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port }, () => server.close(() => resolve(true)));
  });
}
