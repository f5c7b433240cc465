/** Whole nodes, as the product runs them, with rings in a folder of this run. */
import { join } from 'node:path';
import { createRing } from '../../shared/node/create-ring.ts';
import { Node } from '../../shared/node/node.ts';
import { systemRandom } from '../../shared/node/random.ts';

export interface BenchNodeOptions {
  readonly name: string;
  readonly folder: string;
  readonly ringBytes: number;
  readonly uplink: 'none' | 'link';
}

/** Of the queue `bags`, and of all that wait for the link. */
const BYTES_LIMIT_SHARE = 0.4;
const FILE_ID_BYTES = 16;

export async function openBenchNode({ name, folder, ringBytes, uplink }: BenchNodeOptions): Promise<Node> {
  const ringPath = join(folder, `${name}.ring`);
  const volatile = 'allow';
  await createRing(ringPath, { fileBytes: ringBytes, fileId: systemRandom.bytes(FILE_ID_BYTES), volatile });
  const bytesLimit = Math.floor(BYTES_LIMIT_SHARE * ringBytes);
  const queues = uplink === 'none' ? [{ name: 'bags', bytesLimit }] : [];
  const config = {
    name,
    queues,
    unknownQueue: 'refuse' as const,
    queueBytesLimit: 64 * 1024,
    uplink,
    central: 'central',
    isCentral: 'no' as const,
    partitionCount: 1,
    commitDelayMs: 0,
    home: undefined,
  };
  return Node.open({ config, ringPath, volatile });
}

/** Messages that are durable in the gateway's queue. */
export function readyCount(node: Node): number {
  return node.stats()?.queues.find((queue) => queue.name === 'bags')?.ready ?? 0;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
