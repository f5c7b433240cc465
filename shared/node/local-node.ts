/** A node for the length of one command, when none runs: the command opens the ring itself, under the same lock. */
import type { NodeConfig } from '../core/node-io.ts';
import { Node } from './node.ts';
import type { NodeCalls } from './node-calls.ts';

/** Limit of a queue made on demand, in bytes. */
const QUEUE_BYTES_LIMIT = 8 * 1024 * 1024;

/** Opens the ring, runs, closes it clean. Without a name the node is what its ring says. @throws RING_LOCKED when a node runs after all */
export async function withLocalNode<T>(
  options: { ringPath: string; name?: string },
  run: (node: NodeCalls) => Promise<T>,
): Promise<T> {
  const config: NodeConfig = {
    name: options.name ?? '',
    queues: [],
    unknownQueue: 'create',
    queueBytesLimit: QUEUE_BYTES_LIMIT,
    uplink: 'none',
    central: 'central',
    isCentral: 'no',
    partitionCount: 1,
    commitDelayMs: 0,
    home: undefined,
  };
  const node = await Node.open({ config, ringPath: options.ringPath, volatile: 'allow' });
  try {
    return await run(node);
  } finally {
    await node.close();
  }
}
