/** Whole nodes, as the product runs them, with rings in a folder of this run. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeConfig } from '../../shared/core/node-io.ts';
import { createRing } from '../../shared/node/create-ring.ts';
import { connectBroker } from '../../shared/node/mqtt-broker.ts';
import { Node } from '../../shared/node/node.ts';
import { systemRandom } from '../../shared/node/random.ts';

/** `LIVE` is for messages whose delay is asked for while others drain: in one queue they would stand behind those at the central. */
export const QUEUE = 'bags';
export const LIVE_QUEUE = 'live';
export const DESTINATION = `central/${QUEUE}`;

export interface RelayNodeOptions {
  readonly name: string;
  readonly folder: string;
  readonly ringBytes: number;
  readonly config: Partial<NodeConfig>;
  /** Undefined: it has nothing to do with a broker. */
  readonly brokerPort?: number;
}

const LIVE_BYTES = 1024 * 1024;
const FILE_ID_BYTES = 16;
const BYTES_LIMIT_SHARE = 0.4;

export async function openRelayNode(options: RelayNodeOptions): Promise<Node> {
  const { name, folder, ringBytes, brokerPort } = options;
  const ringPath = join(folder, `${name}.ring`);
  // Of an earlier life.
  if (!existsSync(ringPath))
    await createRing(ringPath, { fileBytes: ringBytes, fileId: systemRandom.bytes(FILE_ID_BYTES), volatile: 'allow' });
  const config: NodeConfig = {
    name,
    queues: [],
    unknownQueue: 'refuse',
    queueBytesLimit: 64 * 1024,
    uplink: 'none',
    central: 'central',
    isCentral: 'no',
    partitionCount: 1,
    commitDelayMs: 0,
    home: undefined,
    ...options.config,
  };
  if (brokerPort === undefined) return Node.open({ config, ringPath, volatile: 'allow' });
  const broker = `mqtt://127.0.0.1:${brokerPort}`;
  const access = { broker, protocol: 4 as const, username: undefined, passwordFile: undefined };
  const connect = () => connectBroker({ node: name, access, log: () => {} });
  return Node.open({ config, ringPath, volatile: 'allow', connectBroker: connect });
}

export function centralConfig(ringBytes: number): Partial<NodeConfig> {
  const bytesLimit = Math.floor(BYTES_LIMIT_SHARE * ringBytes);
  const queues = [
    { name: QUEUE, bytesLimit },
    { name: LIVE_QUEUE, bytesLimit: LIVE_BYTES },
  ];
  return { isCentral: 'yes', queues };
}

/** Messages in its ring that are for other nodes. */
export function heldBy(node: Node | undefined): number {
  return (node?.stats()?.outgoing ?? []).reduce((sum, { held }) => sum + held, 0);
}
