/** The queues that a node has when it starts, whatever the ring remembers: those of the system, and those of its configuration. */
import type { Intake } from '../custody/intake.ts';
import { SYSTEM_QUEUES } from '../custody/message-room.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { TOPIC_QUEUE } from '../message/address.ts';
import type { NodeConfig } from './node-io.ts';

/** Each system queue has this part of what the ring admits, unless somebody says otherwise. */
const SYSTEM_SHARE = 8;

/**
 * A configured queue has the properties of the configuration, but for what is only set while a node runs; any other one has those that
 * were last set. Returns what is not as it was configured, for the log.
 */
export function startQueues(
  store: NodeStore,
  intake: Intake,
  { queues, hasBroker }: { readonly queues: NodeConfig['queues']; readonly hasBroker: 'yes' | 'no' },
): string[] {
  const bytesLimit = Math.min(intake.queueBytesLimit, Math.floor(store.ring.bytesMax / SYSTEM_SHARE));
  for (const name of SYSTEM_QUEUES) {
    const known = store.queues.find(name);
    if (known?.source !== 'call' && known?.options.bytesLimit !== bytesLimit)
      store.defineQueue(name, { bytesLimit, source: 'use' });
  }
  // Of a node without a broker there is none, and what a route sends to a topic is a dead letter.
  if (hasBroker === 'yes' && intake.routes?.leadsToTopics && store.queues.find(TOPIC_QUEUE) === undefined)
    store.defineQueue(TOPIC_QUEUE, { bytesLimit: intake.queueBytesLimit, source: 'use' });
  const notes: string[] = [];
  for (const { name, bytesLimit: limit, ...others } of queues) {
    const { ordering } = intake.define(name, limit, others).options;
    if (others.ordering !== undefined && others.ordering !== ordering)
      notes.push(`queue ${name} stays ${ordering}: an ordering is for ever`);
  }
  return notes;
}
