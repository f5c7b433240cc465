/** `ringmail routes`: where a node sends on what is stored on it. */
import type { RouteStats } from '../shared/core/calls.ts';
import { defineCommand } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { placeOf, REACH_OPTIONS, withNode } from './reach-node.ts';

export const routes = defineCommand(
  {
    name: 'routes',
    summary: 'show where a node sends on what is stored for its queues, in order: the first route that fits decides',
    operands: '',
    operandCount: { min: 0, max: 0 },
    options: { ...REACH_OPTIONS, json: { type: 'boolean', help: 'print them as one line of JSON' } },
    notes: ['Routes are made in the configuration of the node ([[routes]]).'],
  },
  async ({ values }, world) => {
    const result = await withNode(placeOf(values, world), world, (node) => node.call({ verb: 'stats' }));
    if (result.kind !== 'stats') return EXIT.ok;
    const { routes: all } = result.stats;
    const lines = all.map((route, at) => `${at + 1}. ${routeText(route)}; ${route.taken} taken\n`);
    await world.stdout(values.json ? `${JSON.stringify(all)}\n` : lines.join('') || 'no routes\n');
    return EXIT.ok;
  },
);

/** On one line, for people. */
export function routeText({ from, source, where = {}, to, ...others }: RouteStats): string {
  const { headers = {}, ...plain } = where;
  const named = [
    ...Object.entries(plain),
    ...Object.entries(headers).map(([name, value]) => [`headers.${name}`, value] as const),
  ];
  const conditions = named.map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  const { taken: _taken, ...changes } = others;
  const changed = Object.entries(changes).map(([key, value]) => `${key} ${value}`);
  const words = [
    from,
    ...(source === undefined ? [] : [`of ${source}`]),
    ...(conditions.length === 0 ? [] : [`where ${conditions.join(', ')}`]),
    `to ${to.join(', ')}`,
    ...(changed.length === 0 ? [] : [`with ${changed.join(', ')}`]),
  ];
  return words.join(' ');
}
