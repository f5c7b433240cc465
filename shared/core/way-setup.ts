/**
 * From the uplinks of a configuration to the ways they are: each is one of its own, but those over MQTT that lead to one central. Its
 * store has one ticket for this node and one cursor for each stream, whatever broker brings them.
 */
import { type UpHop, type UpWay, upHop } from '../custody/hops.ts';
import type { MetaTable } from '../ring/meta-table.ts';
import type { NodeConfig, UplinkKind, UplinkSetup } from './node-io.ts';

export interface WaySetup extends UpWay {
  /** One of kind `link`, or one or more of kind `mqtt`, the preferred one first. */
  readonly uplinks: readonly UplinkSetup[];
}

/** What a configuration says, `kept` apart. */
export function uplinksOf(
  config: Pick<NodeConfig, 'uplinks' | 'central' | 'partitionCount'>,
  uplink: UplinkKind,
): readonly UplinkSetup[] {
  if (config.uplinks !== undefined || uplink === 'none') return config.uplinks ?? [];
  const { central, partitionCount } = config;
  return [{ name: 'up', kind: uplink, to: ['*'], central, partitionCount }];
}

/** The preferred one first, and each in the place of the first of its uplinks. */
export function waysOf(uplinks: readonly UplinkSetup[], metas: MetaTable): WaySetup[] {
  const ways = new Map<string, UplinkSetup[]>();
  for (const uplink of uplinks) {
    const key = uplink.kind === 'mqtt' ? `mqtt ${uplink.central}` : `link ${uplink.name}`;
    const way = ways.get(key);
    if (way === undefined) ways.set(key, [uplink]);
    else way.push(uplink);
  }
  return [...ways.values()].map((some) => ({
    hop: hopOf(some, metas),
    to: [...new Set(some.flatMap(({ to }) => to))],
    uplinks: some,
  }));
}

/** Where its ticket is, in whatever order its uplinks stand today. */
function hopOf(uplinks: readonly UplinkSetup[], metas: MetaTable): UpHop {
  const hops = uplinks.map(({ name }) => upHop(name));
  return hops.find((hop) => metas.get(`t/${hop}`) !== undefined) ?? hops[0] ?? 'up';
}
