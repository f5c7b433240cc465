/**
 * What a node's ring remembers of its configuration (META `config`), so that whoever opens the ring for the length of one command
 * accepts and refuses what the node would.
 */
import { equalBytes } from '../bytes.ts';
import type { UnknownQueue } from '../custody/intake.ts';
import { CONFIG_KEY, type MetaChange, MetaFields, metaChange, metaValue } from '../custody/meta-keys.ts';
import type { NodeStore } from '../custody/node-store.ts';
import type { QueueOptions } from '../queue/queue-options.ts';
import type { MetaTable } from '../ring/meta-table.ts';
import type { NodeConfig } from './node-io.ts';
import type { Ways } from './way-setup.ts';

export interface KeptConfig {
  readonly unknownQueue: UnknownQueue;
  readonly queueBytesLimit: number;
}

/** Of a ring that no node has served: it has no way to others, and no queues but those that are made now. */
const NEVER_SERVED: KeptConfig = { unknownQueue: 'create', queueBytesLimit: 8 * 1024 * 1024 };

/** The configuration with nothing left to look up but its ways (way-setup.ts). */
export function resolveConfig(config: NodeConfig, metas: MetaTable): KeptConfig {
  const kept = keptConfig(metas) ?? NEVER_SERVED;
  return {
    unknownQueue: config.unknownQueue === 'kept' ? kept.unknownQueue : config.unknownQueue,
    queueBytesLimit: config.queueBytesLimit === 'kept' ? kept.queueBytesLimit : config.queueBytesLimit,
  };
}

/** What the ring is to remember from this opening on: nothing new when it is opened as it is kept. */
export function rememberConfig(config: NodeConfig, metas: MetaTable, ways: Ways): MetaChange[] {
  if (config.uplink === 'kept' || config.unknownQueue === 'kept' || config.queueBytesLimit === 'kept') return [];
  const { uplink, unknownQueue, queueBytesLimit } = config;
  const change = metaChange(CONFIG_KEY, [uplink, unknownQueue, queueBytesLimit, ...ways.remembered(config)]);
  const kept = metas.get(CONFIG_KEY);
  const isKnown = kept !== undefined && change.value !== undefined && equalBytes(kept, change.value);
  return isKnown ? [] : [change];
}

/** What was made or set by calls, of queues that the configuration does not name. */
export function madeByCalls(store: NodeStore, config: NodeConfig): QueueOptions[] {
  const named = new Set(config.queues.map(({ name }) => name));
  const made = [...store.queues].filter(
    ({ name, parent, source }) => parent === undefined && source === 'call' && !named.has(name),
  );
  return made.map(({ options }) => options);
}

/** A queue that only the configuration named, and that it does not name any more, keeps its messages and gives up what was kept for it. */
export function releaseReserves(store: NodeStore): void {
  for (const { name, options, source } of store.queues.reserved) {
    if (source === 'use') store.defineQueue(name, { ...options, bytesReserved: 0, source });
  }
}

function keptConfig(metas: MetaTable): KeptConfig | undefined {
  const value = metaValue(metas, CONFIG_KEY);
  if (value === undefined) return undefined;
  const fields = new MetaFields(value);
  return {
    unknownQueue: fields.text(1) === 'create' ? 'create' : 'refuse',
    queueBytesLimit: fields.number(2),
  };
}
