/**
 * What the readers of a plan do besides reading: end messages by transactions. Drawn from a stream of its own, so that what a seed
 * meant before, it means still: a world without habits is the world as it was.
 */
import type { Prng } from '../random.ts';
import type { PlannedNode, PlannedReader, PlannedWorld } from './plan.ts';

/** Where transactions send to, at the node of their reader. */
export const BILLS = 'bills';

/** The same world, in which some nodes have more queues, and some readers habits. */
export function withHabits(world: PlannedWorld, random: Prng): PlannedWorld {
  if (!random.chance(0.5)) return world;
  const busy = new Map<string, number>();
  const nodes = world.nodes.map((node): PlannedNode => {
    if (node.queues.length === 0 || !random.chance(0.8)) return node;
    busy.set(node.name, random.pick([0.3, 0.7, 1]));
    return { ...node, queues: [...node.queues, { name: BILLS, bytesLimit: random.pick([40_000, 40_000, 2_000]) }] };
  });
  const readers = world.readers.map((reader): PlannedReader => {
    const share = busy.get(reader.node);
    return share === undefined ? reader : { ...reader, commit: { share, to: BILLS } };
  });
  // Behind the others: each has its chance by its place.
  for (const node of busy.keys()) {
    readers.push({
      node,
      queue: BILLS,
      leaseMs: random.pick([1_000, 5_000]),
      workMsMax: random.pick([0, 5, 100]),
      crash: random.pick([0, 0.02]),
      giveBack: random.pick([0, 0.05]),
      giveUp: 0,
    });
  }
  return { ...world, nodes, readers };
}
