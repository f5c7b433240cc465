/**
 * What a node's ring remembers of its configuration (META `config`), so that whoever opens the ring for the length of one command
 * accepts and refuses what the node would.
 */
import type { UnknownQueue } from '../custody/intake.ts';
import { type MetaChange, MetaFields, metaChange, metaValue } from '../custody/meta-keys.ts';
import type { NodeStore } from '../custody/node-store.ts';
import type { QueueOptions } from '../queue/queue-options.ts';
import type { MetaTable } from '../ring/meta-table.ts';
import type { NodeConfig, UplinkKind } from './node-io.ts';

export interface KeptConfig {
  readonly uplink: UplinkKind;
  readonly unknownQueue: UnknownQueue;
  readonly queueBytesLimit: number;
}

const KEY = 'config';
/** Of a ring that no node has served: it has no way to others, and no queues but those that are made now. */
const NEVER_SERVED: KeptConfig = { uplink: 'none', unknownQueue: 'create', queueBytesLimit: 8 * 1024 * 1024 };

/** The configuration with nothing left to look up. */
export function resolveConfig(config: NodeConfig, metas: MetaTable): KeptConfig {
  const kept = keptConfig(metas) ?? NEVER_SERVED;
  return {
    uplink: config.uplink === 'kept' ? kept.uplink : config.uplink,
    unknownQueue: config.unknownQueue === 'kept' ? kept.unknownQueue : config.unknownQueue,
    queueBytesLimit: config.queueBytesLimit === 'kept' ? kept.queueBytesLimit : config.queueBytesLimit,
  };
}

/** What the ring is to remember from this opening on: nothing new when it is opened as it is kept. */
export function rememberConfig(config: NodeConfig, metas: MetaTable): MetaChange[] {
  if (config.uplink === 'kept' || config.unknownQueue === 'kept' || config.queueBytesLimit === 'kept') return [];
  const { uplink, unknownQueue, queueBytesLimit } = config;
  const kept = keptConfig(metas);
  const isKnown = kept?.uplink === uplink && kept.unknownQueue === unknownQueue && kept.queueBytesLimit === queueBytesLimit;
  return isKnown ? [] : [metaChange(KEY, [uplink, unknownQueue, queueBytesLimit])];
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
  const value = metaValue(metas, KEY);
  if (value === undefined) return undefined;
  const fields = new MetaFields(value);
  const uplink = fields.text(0);
  return {
    uplink: uplink === 'link' || uplink === 'mqtt' ? uplink : 'none',
    unknownQueue: fields.text(1) === 'create' ? 'create' : 'refuse',
    queueBytesLimit: fields.number(2),
  };
}
