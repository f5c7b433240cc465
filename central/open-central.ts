/** A central in this process: what gateways relay over the broker lands in its queues. */

import { type LocalNode, type OpenOptions, openLocalNode } from '../shared/node/library.ts';
import { connectBroker } from '../shared/node/mqtt-broker.ts';
import type { Broker } from '../shared/ports.ts';

export interface CentralOptions extends Omit<OpenOptions, 'name'> {
  /** URL of the MQTT broker, `mqtt://host:port`. */
  readonly broker: string;
  /** The logical central: the name in addresses and topics. `central` by default. */
  readonly name?: string;
  readonly log?: (level: 'info' | 'warn', text: string) => void;
}

/** Opens the node, and connects: senders find it by its name. A message for a queue it does not have goes into `$dead`. */
export async function openCentral(options: CentralOptions): Promise<LocalNode> {
  const { broker, name = 'central', log = () => {}, ...rest } = options;
  const access = { broker, protocol: 4 as const, username: undefined, passwordFile: undefined };
  const connect = (): Broker => connectBroker({ node: name, access, log });
  return openLocalNode({ ...rest, name }, { central: name, connectBroker: connect });
}
