/**
 * How long after a cable is plugged back in the first new message is durable on the other side. In real time, with the whole product
 * at both ends: nodes with their rings, the keeper of the port, the serial driver, a pseudo-terminal under a name that goes and comes.
 *
 *   joined ── unplug ──▶ out, for a while: the device stores on ── plug ──▶ one more message counted at the gateway
 */
import { join } from 'node:path';
import { runUplink } from '../../device/uplink-role.ts';
import { runLink } from '../../gateway/link-role.ts';
import { ptysAvailable } from '../../hardware-sim/pty.ts';
import { PtyCable } from '../../hardware-sim/pty-cable.ts';
import { stream } from '../../hardware-sim/random.ts';
import { type LineAddress, parseLineAddress } from '../../shared/node/config/line-address.ts';
import type { Node } from '../../shared/node/node.ts';
import { openBenchNode, pause, readyCount } from './nodes.ts';

export interface Replug {
  /** The worst of all. */
  readonly ms: number;
  readonly medianMs: number;
}

export interface ReplugJob {
  /** For rings and names. */
  readonly folder: string;
  /** How long the cable is out each time. */
  readonly outMs: readonly number[];
}

const BAUD = 115_200;
const RING_BYTES = 8 * 1024 * 1024;
const SEND_MS = 20;
const LOOK_MS = 5;
const MS_MAX = 60_000;
const BODY = new Uint8Array(61).fill(7);

export async function measureReplug({ folder, outMs }: ReplugJob): Promise<Replug> {
  const missing = await ptysAvailable();
  if (missing !== undefined) throw new Error(`no pseudo-terminals: ${missing}`);
  const paths = { a: join(folder, 'port-a'), b: join(folder, 'port-b') };
  const cable = new PtyCable(paths, { baud: BAUD, random: stream(1, 'cable') });
  await cable.plug();
  const device = await openBenchNode({ name: 'device', folder, ringBytes: RING_BYTES, uplink: 'link' });
  const gateway = await openBenchNode({ name: 'gateway', folder, ringBytes: RING_BYTES, uplink: 'none' });
  const stop = new AbortController();
  const log = (): void => {};
  const running = [
    runUplink(device, { line: lineAt(paths.a), log }, stop.signal),
    runLink(gateway, { listen: lineAt(paths.b), log }, stop.signal),
  ];
  const sending = setInterval(() => void sendOne(device), SEND_MS);
  const took: number[] = [];
  try {
    await nextCommit(gateway);
    for (const ms of outMs) {
      await cable.unplug();
      await pause(ms);
      await cable.plug();
      took.push(await nextCommit(gateway));
      await pause(ms / 4);
    }
  } finally {
    clearInterval(sending);
    stop.abort();
    await Promise.all(running);
    await cable.unplug();
    await Promise.all([device.close(), gateway.close()]);
  }
  took.sort((a, b) => a - b);
  return { ms: took.at(-1) ?? 0, medianMs: took[took.length >> 1] ?? 0 };
}

/** Resolves with the time until one more message is ready at the gateway. */
async function nextCommit(gateway: Node): Promise<number> {
  const startMs = performance.now();
  const before = readyCount(gateway);
  while (readyCount(gateway) === before) {
    if (performance.now() - startMs > MS_MAX) throw new Error(`nothing arrived in ${MS_MAX} ms`);
    await pause(LOOK_MS);
  }
  return performance.now() - startMs;
}

async function sendOne(device: Node): Promise<void> {
  await device.call({ verb: 'send', destination: 'gateway/bags', body: BODY, properties: {} });
}

function lineAt(path: string): LineAddress {
  const parsed = parseLineAddress(`serial:${path}`, { directory: '/', baudRate: BAUD });
  if (parsed.kind === 'wrong') throw new Error(parsed.reason);
  return parsed.value;
}
