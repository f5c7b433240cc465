/**
 * What some readers of a plan do besides reading, each habit drawn from a stream of its own, so that what a seed meant before, it means
 * still: a world without habits is the world as it was.
 *
 *   transactions   a message is ended together with sending one or two others
 *   patience       a queue gives up what was delivered too often; some messages are never liked
 */
import type { Prng } from '../random.ts';
import type { PlannedNode, PlannedReader, PlannedWorld } from './plan.ts';

/** Where transactions send to, at the node of their reader. */
export const BILLS = 'bills';

/** The same world, in which some readers end messages by transactions, whose results others read. */
export function withTransactions(world: PlannedWorld, random: Prng): PlannedWorld {
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

/** The same world, in which some queues have an end of their patience, and some readers do not like some messages. */
export function withPatience(world: PlannedWorld, random: Prng): PlannedWorld {
  if (!random.chance(0.5)) return world;
  const dislike = random.pick([0, 0.03, 0.1]);
  const nodes = world.nodes.map((node): PlannedNode => {
    const queues = node.queues.map((queue) => {
      if (!random.chance(0.7)) return queue;
      return { ...queue, deliveriesMax: random.pick([2, 3, 4]), retryMs: random.pick([0, 20, 500, 3_000]) };
    });
    return { ...node, queues };
  });
  return { ...world, nodes, readers: world.readers.map((reader) => ({ ...reader, dislike })) };
}
