/** The routes of a node, and as its ring remembers them (META `r/<n>`), for whoever opens the ring for the length of one command. */
import { equalBytes, NO_BYTES } from '../bytes.ts';
import { Forwarding } from '../custody/forwarding.ts';
import type { Routing } from '../custody/intake.ts';
import { type MetaChange, MetaFields, metaChange, metaDelete, metaValue, metaValues } from '../custody/meta-keys.ts';
import type { CborInput, CborValue } from '../message/cbor.ts';
import type { Condition } from '../queue/condition.ts';
import { type Route, RouteTable, routeProblems } from '../queue/routes.ts';
import type { MetaTable } from '../ring/meta-table.ts';
import type { NodeConfig } from './node-io.ts';

const PREFIX = 'r/';

/** What a node has of routes as it opens; `remembered`: what its ring is to remember. */
export type RoutesOf = (
  config: NodeConfig,
  metas: MetaTable,
) => { readonly routing: Routing; readonly remembered: readonly MetaChange[] };

export const routesOf: RoutesOf = (config, metas) => ({
  routing: {
    table: new RouteTable(resolveRoutes(config, metas), config.name || ownName(metas)),
    forwarding: (store, intake) => new Forwarding(store, intake),
  },
  remembered: rememberRoutes(config, metas),
});

function ownName(metas: MetaTable): string {
  return new MetaFields(metaValue(metas, 'node')).text(0);
}

function resolveRoutes({ routes = [], queueBytesLimit }: NodeConfig, metas: MetaTable): readonly Route[] {
  // Who knows the node by its ring alone knows its routes by it, too.
  if (routes !== 'kept' && queueBytesLimit !== 'kept') return routes;
  const kept = [...metaValues(metas, PREFIX)]
    .sort(([a], [b]) => Number(a) - Number(b))
    .flatMap(([, value]) => {
      const route = routeOf(value);
      return route === undefined ? [] : [route];
    });
  // Damage may have taken one of them: rather none than a circle.
  return routeProblems(kept, ownName(metas)).length === 0 ? kept : [];
}

/** What the ring is to remember from this opening on. */
function rememberRoutes({ routes = [], queueBytesLimit }: NodeConfig, metas: MetaTable): MetaChange[] {
  if (routes === 'kept' || queueBytesLimit === 'kept') return [];
  const changes: MetaChange[] = [];
  for (const [at, route] of routes.entries()) {
    const change = metaChange(`${PREFIX}${at}`, fieldsOf(route));
    if (!equalBytes(metas.get(change.key) ?? NO_BYTES, change.value ?? NO_BYTES)) changes.push(change);
  }
  for (const [at] of metaValues(metas, PREFIX)) if (Number(at) >= routes.length) changes.push(metaDelete(`${PREFIX}${at}`));
  return changes;
}

function fieldsOf({ from, source, where, to, ...changes }: Route): CborInput {
  const { headers, ...plain } = where ?? {};
  const condition = where && new Map<string, CborInput>([...Object.entries(plain), ['headers', mapOf(headers ?? {})]]);
  return [from, source ?? '', condition ?? new Map(), [...to], mapOf(changes)];
}

function mapOf(fields: Readonly<Record<string, CborInput>>): Map<string, CborInput> {
  return new Map(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function routeOf(value: CborValue): Route | undefined {
  const [from, source, where, to, changes] = Array.isArray(value) ? value : [];
  if (typeof from !== 'string' || typeof source !== 'string' || !Array.isArray(to)) return undefined;
  if (!(where instanceof Map) || !(changes instanceof Map)) return undefined;
  return {
    from,
    to: to.filter((one) => typeof one === 'string'),
    ...(source !== '' && { source }),
    ...(where.size > 0 && { where: conditionOf(where) }),
    ...Object.fromEntries(changes),
  };
}

function conditionOf(fields: ReadonlyMap<unknown, CborValue>): Condition {
  const { headers, ...plain } = Object.fromEntries(fields as ReadonlyMap<string, CborValue>);
  const named = headers instanceof Map && headers.size > 0 ? { headers: Object.fromEntries(headers) } : {};
  return { ...plain, ...named };
}
