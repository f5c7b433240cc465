/**
 * From the uplinks of a configuration to the ways they are: each is one of its own, but those over MQTT that lead to one central. Its
 * store has one ticket for this node and one cursor for each stream, whatever broker brings them.
 */
import { type UpHop, type UpWay, upHop } from '../custody/hops.ts';
import { CONFIG_KEY, MetaFields, metaValue } from '../custody/meta-keys.ts';
import type { CborInput } from '../message/cbor.ts';
import type { MetaTable } from '../ring/meta-table.ts';
import type { NodeConfig, UplinkKind, UplinkSetup } from './node-io.ts';

export interface WaySetup extends UpWay {
  /** One of kind `link`, or one or more of kind `mqtt`, the preferred one first. */
  readonly uplinks: readonly UplinkSetup[];
}

/** The ways of a node, from its configuration and from what its ring remembers of one. A node without carriers has none (no-desk.ts). */
export interface Ways {
  /** The preferred one first. */
  of(config: NodeConfig, metas: MetaTable): readonly WaySetup[];
  /** What META `config` has of them besides the kind of the first. */
  remembered(config: NodeConfig): readonly CborInput[];
}

export const WAYS: Ways = {
  of: (config, metas) => waysOf(config.uplink === 'kept' ? keptUplinks(metas) : uplinksOf(config, config.uplink), metas),
  remembered: ({ uplinks }) => (uplinks === undefined ? [] : [uplinksText(uplinks)]),
};

/** What a configuration says, `kept` apart. */
function uplinksOf(
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

/** None, of a ring that no node has served. */
function keptUplinks(metas: MetaTable): readonly UplinkSetup[] {
  const fields = new MetaFields(metaValue(metas, CONFIG_KEY));
  const [uplink, several] = [fields.text(0), fields.text(3)];
  if (several !== '') return uplinksIn(several);
  return uplinksOf({ central: '', partitionCount: 1 }, uplink === 'link' || uplink === 'mqtt' ? uplink : 'none');
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

/** Where its ticket is, in whatever order its uplinks stand today. */
function hopOf(uplinks: readonly UplinkSetup[], metas: MetaTable): UpHop {
  const hops = uplinks.map(({ name }) => upHop(name));
  return hops.find((hop) => metas.get(`t/${hop}`) !== undefined) ?? hops[0] ?? 'up';
}
