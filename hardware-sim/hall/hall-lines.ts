/**
 * The lines of a hall: pseudo-terminals where the machine has them, TCP where it has not. Either can be unplugged, and comes back.
 *
 *                     pseudo-terminals                          TCP
 *   belt i            <name> ─▶ /dev/pts/N ══ the belt          port ══ proxy ══ socket of the belt
 *   cable i           /dev/pts/N ══ cable ══ /dev/pts/M         port ══ proxy ══ socket of the gateway
 *   unplugged         the names are gone, the terminals dead    the proxy is cut
 *   plugged again     other terminals under the same names      the same port
 */

import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../shared/errors.ts';
import { openSerialLine } from '../../shared/node/serial-line.ts';
import { listenLines } from '../../shared/node/socket-line.ts';
import type { Line } from '../../shared/ports.ts';
import { openPty, type Pty, ptysAvailable } from '../pty.ts';
import { PtyCable, PtyPort } from '../pty-cable.ts';
import { type Seed, stream } from '../random.ts';
import { TcpProxy } from '../tcp-proxy.ts';
import { HALL_BAUD } from './hall-nodes.ts';

/** Tries to find other terminals than before. Each occupies as many again. */
const PLUG_TRIES_MAX = 5;

/** A place where something is plugged in. Unplugged at first. */
export interface HallPlug {
  readonly name: string;
  /** Plugged in again it never has the terminal that it had. Resolves to words on where it is now. */
  plug(): Promise<string>;
  unplug(): Promise<void>;
  /** Unplugs, and gives up everything. */
  close(): Promise<void>;
}

/** The end of a belt's line where a node listens; the belt itself gets a new Line at every plugging or dialling. */
export interface BeltPort extends HallPlug {
  /** What the node opens, as in a configuration. */
  readonly address: string;
}

export interface LinkCable extends HallPlug {
  readonly deviceEnd: string;
  readonly gatewayEnd: string;
  /** Bytes that noise has damaged so far. */
  readonly damagedCount: () => number;
}

export interface HallLines {
  belt(name: string, onLine: (line: Line) => void): Promise<BeltPort>;
  cable(name: string): Promise<LinkCable>;
}

/** Why this machine can have no serial lines; undefined when it can. */
export async function serialLinesAvailable(): Promise<string | undefined> {
  try {
    (await openSerialLine({ path: '/dev/null/no-such-port', baudRate: HALL_BAUD })).close();
  } catch (error) {
    if (hasCode(error, 'SERIALPORT_MISSING')) return `no serialport: ${error.details.reason}`;
    // The port is not there: so it was looked for.
  }
  return ptysAvailable();
}

/** Terminals under names in `directory`. `bitErrorRate`: of the cables; belts are spared, whose one check byte misses too much. */
export function ptyLines(directory: string, seed: Seed, bitErrorRate = 0): HallLines {
  const options = (name: string) => ({ baud: HALL_BAUD, random: stream(seed, name) });
  const serial = (path: string): string => `serial:${path}?baud=${HALL_BAUD}`;
  return {
    belt: async (name, onLine) => {
      const path = join(directory, name);
      const port = new PtyPort(path, options(name));
      const plug = async (): Promise<void> => onLine(await port.plug());
      return { name, address: serial(path), ...ptyPlug([path], { plug, unplug: () => port.unplug() }) };
    },
    cable: async (name) => {
      const paths = { a: join(directory, `${name}-device`), b: join(directory, `${name}-gateway`) };
      const flips = { flipRate: 1 - (1 - bitErrorRate) ** 8 };
      const cable = new PtyCable(paths, { ...options(name), faults: { aToB: flips, bToA: flips } });
      let damagedBefore = 0;
      const damaged = () => (cable.cable?.aToB.counters.flipped ?? 0) + (cable.cable?.bToA.counters.flipped ?? 0);
      const unplug = async (): Promise<void> => {
        damagedBefore += damaged();
        await cable.unplug();
      };
      const thing = { plug: () => cable.plug(), unplug };
      const damagedCount = () => damagedBefore + damaged();
      return {
        name,
        damagedCount,
        deviceEnd: serial(paths.a),
        gatewayEnd: serial(paths.b),
        ...ptyPlug([paths.a, paths.b], thing),
      };
    },
  };
}

function ptyPlug(paths: readonly string[], thing: PtyThing): Omit<HallPlug, 'name'> {
  let before: readonly string[] = [];
  return {
    plug: async () => {
      before = await plugElsewhere(paths, thing, before);
      return before.join(' and ');
    },
    unplug: thing.unplug,
    close: thing.unplug,
  };
}

interface PtyThing {
  plug(): Promise<void>;
  unplug(): Promise<void>;
}

/**
 * Plugs in, at none of the terminals of `before`, and resolves to those that it got. The lowest free number is given out next, so the
 * ones that were freed are occupied meanwhile; as others take and free terminals too, that may need another try.
 */
async function plugElsewhere(paths: readonly string[], thing: PtyThing, before: readonly string[]): Promise<string[]> {
  const occupied: Pty[] = [];
  try {
    for (let i = 0; ; i++) {
      for (let left = before.length; left > 0; left--) occupied.push(await openPty());
      await thing.plug();
      const terminals = await Promise.all(paths.map((path) => readlink(path)));
      if (i >= PLUG_TRIES_MAX || !terminals.some((terminal) => before.includes(terminal))) return terminals;
      await thing.unplug();
    }
  } finally {
    await Promise.all(occupied.map((pty) => pty.close()));
  }
}

/** Ports of the loopback device, with sockets in `directory` behind them. */
export function tcpLines(directory: string): HallLines {
  return {
    belt: async (name, onLine) => {
      const path = join(directory, `${name}.sock`);
      const listener = await listenLines({ kind: 'unix', path }, onLine);
      const proxy = await TcpProxy.open({ path });
      const close = async (): Promise<void> => {
        await proxy.close();
        await listener.close();
      };
      return { name, address: `tcp:127.0.0.1:${proxy.port}`, ...proxyPlug(proxy), close };
    },
    cable: async (name) => {
      const path = join(directory, `${name}.sock`);
      const proxy = await TcpProxy.open({ path });
      return {
        name,
        damagedCount: () => 0,
        deviceEnd: `tcp:127.0.0.1:${proxy.port}`,
        gatewayEnd: `unix:${path}`,
        ...proxyPlug(proxy),
      };
    },
  };
}

function proxyPlug(proxy: TcpProxy): Omit<HallPlug, 'name'> {
  proxy.cut();
  return {
    plug: async () => {
      proxy.restore();
      return `port ${proxy.port}`;
    },
    unplug: async () => proxy.cut(),
    close: () => proxy.close(),
  };
}
