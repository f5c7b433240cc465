/**
 * What a node's ring remembers of its configuration (META `config`), so that whoever opens the ring for the length of one command
 * accepts and refuses what the node would.
 */
import { equalBytes } from '../bytes.ts';
import type { UnknownQueue } from '../custody/intake.ts';
import { type MetaChange, MetaFields, metaChange, metaValue } from '../custody/meta-keys.ts';
import type { NodeStore } from '../custody/node-store.ts';
import type { QueueOptions } from '../queue/queue-options.ts';
import type { MetaTable } from '../ring/meta-table.ts';
import type { NodeConfig, UplinkSetup } from './node-io.ts';
import { uplinksOf } from './way-setup.ts';

export interface KeptConfig {
  readonly uplinks: readonly UplinkSetup[];
  readonly unknownQueue: UnknownQueue;
  readonly queueBytesLimit: number;
}

const KEY = 'config';
/** Of a ring that no node has served: it has no way to others, and no queues but those that are made now. */
const NEVER_SERVED: KeptConfig = { uplinks: [], unknownQueue: 'create', queueBytesLimit: 8 * 1024 * 1024 };

/** The configuration with nothing left to look up. */
export function resolveConfig(config: NodeConfig, metas: MetaTable): KeptConfig {
  const kept = keptConfig(metas) ?? NEVER_SERVED;
  return {
    uplinks: config.uplink === 'kept' ? kept.uplinks : uplinksOf(config, config.uplink),
    unknownQueue: config.unknownQueue === 'kept' ? kept.unknownQueue : config.unknownQueue,
    queueBytesLimit: config.queueBytesLimit === 'kept' ? kept.queueBytesLimit : config.queueBytesLimit,
  };
}

/** What the ring is to remember from this opening on: nothing new when it is opened as it is kept. */
export function rememberConfig(config: NodeConfig, metas: MetaTable): MetaChange[] {
  if (config.uplink === 'kept' || config.unknownQueue === 'kept' || config.queueBytesLimit === 'kept') return [];
  const { uplink, unknownQueue, queueBytesLimit } = config;
  const plain = [uplink, unknownQueue, queueBytesLimit];
  const change = metaChange(KEY, config.uplinks === undefined ? plain : [...plain, uplinksText(config.uplinks)]);
  const kept = metas.get(KEY);
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
  const value = metaValue(metas, KEY);
  if (value === undefined) return undefined;
  const fields = new MetaFields(value);
  const uplink = fields.text(0);
  const only = uplinksOf({ central: '', partitionCount: 1 }, uplink === 'link' || uplink === 'mqtt' ? uplink : 'none');
  const several = fields.text(3);
  return {
    uplinks: several === '' ? only : uplinksIn(several),
    unknownQueue: fields.text(1) === 'create' ? 'create' : 'refuse',
    queueBytesLimit: fields.number(2),
  };
}

/** Several uplinks as one text: `name kind central pattern,pattern`, joined by semicolons. None of these has one of those signs in it. */
function uplinksText(uplinks: readonly UplinkSetup[]): string {
  return uplinks.map(({ name, kind, central, to }) => `${name} ${kind} ${central} ${to.join(',')}`).join(';');
}

function uplinksIn(text: string): UplinkSetup[] {
  return text.split(';').map((one) => {
    const [name = '', kind, central = '', to = ''] = one.split(' ');
    return { name, kind: kind === 'mqtt' ? 'mqtt' : 'link', central, partitionCount: 1, to: to.split(',') };
  });
}
