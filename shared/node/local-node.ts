/** A node for the length of one command, when none runs: the command opens the ring itself, under the same lock. */
import type { NodeConfig } from '../core/node-io.ts';
import { homeOf } from './home.ts';
import { Node } from './node.ts';
import type { NodeCalls } from './node-calls.ts';

export interface LocalNodeOptions {
  readonly ringPath: string;
  /** A ring in memory is refused unless this says that it may be. */
  readonly volatile: 'refuse' | 'allow';
}

/**
 * Opens the ring, runs, closes it clean. The node is what its ring remembers, without a way to others: what is sent to them waits.
 * @throws RING_LOCKED when a node runs after all, RING_VOLATILE
 */
export async function withLocalNode<T>(options: LocalNodeOptions, run: (node: NodeCalls) => Promise<T>): Promise<T> {
  const { ringPath, volatile } = options;
  const config: NodeConfig = {
    name: '',
    queues: [],
    unknownQueue: 'kept',
    queueBytesLimit: 'kept',
    uplink: 'kept',
    central: 'central',
    isCentral: 'no',
    partitionCount: 1,
    commitDelayMs: 0,
    home: homeOf(ringPath),
  };
  const node = await Node.open({ config, ringPath, volatile });
  try {
    return await run(node);
  } finally {
    await node.close();
  }
}
