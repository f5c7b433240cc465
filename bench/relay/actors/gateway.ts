/** The node in between: devices on a socket, the broker on the other side. */
import { runLink } from '../../../gateway/link-role.ts';
import type { Node } from '../../../shared/node/node.ts';
import type { Actor } from '../../ring/actors/actor.ts';
import type { GatewayJob, Look } from '../job.ts';
import { lookAt } from '../looks.ts';
import { heldBy, openRelayNode } from '../nodes.ts';

export class GatewayActor implements Actor {
  readonly #job: GatewayJob;
  readonly #stop = new AbortController();
  #node: Node | undefined;
  #listening: Promise<void> = Promise.resolve();

  constructor(job: GatewayJob) {
    this.#job = job;
  }

  async start(): Promise<void> {
    const { folder, ringBytes, brokerPort, socketPath, publishes } = this.#job;
    const one = { name: 'up', kind: 'mqtt' as const, to: ['*'], central: 'central', partitionCount: 1, messagesPerPublish: 1 };
    const config = { uplink: 'mqtt' as const, ...(publishes === 'one-message' && { uplinks: [one] }) };
    const node = await openRelayNode({ name: 'gateway', folder, ringBytes, brokerPort, config });
    this.#node = node;
    this.#listening = runLink(node, { listen: { kind: 'unix', path: socketPath }, log: () => {} }, this.#stop.signal);
  }

  async measure(): Promise<Look> {
    return lookAt(heldBy(this.#node));
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#listening;
    await this.#node?.close();
  }
}
