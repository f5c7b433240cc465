/** Takes parts out of a plan such that what is left still makes sense. */
import type { Plan, PlannedNode } from './plan.ts';

/** The plan without this node, without those that reach the world only through it or belong to it, and without all that concerns them. */
export function withoutNode(plan: Plan, name: string): Plan {
  const { world } = plan;
  const gone = new Set([name]);
  for (let before = 0; before !== gone.size; ) {
    before = gone.size;
    for (const node of world.nodes) {
      if ((node.dials !== undefined && gone.has(node.dials)) || gone.has(node.central)) gone.add(node.name);
    }
  }
  const stays = ({ node }: { readonly node: string }) => !gone.has(node);
  const { routed } = world;
  const isRouteGone = routed !== undefined && [routed.node, ...routed.to].some((one) => gone.has(one.split('/')[0] ?? ''));
  const { routed: _gone, ...unrouted } = world;
  return {
    ...plan,
    world: {
      ...(isRouteGone ? unrouted : world),
      nodes: world.nodes.filter((node) => !gone.has(node.name)).map((node) => withoutUplinksTo(node, gone)),
      readers: world.readers.filter(stays),
      dead: world.dead.filter((node) => !gone.has(node)),
    },
    sends: plan.sends
      .filter((send) => !isRouteGone || send.destination !== `${routed.node}/${routed.queue}`)
      .filter((send) => stays(send) && !gone.has(send.destination.split('/')[0] ?? '')),
    faults: plan.faults.filter(({ target }) => !gone.has(target)),
    ...(plan.chores && { chores: plan.chores.filter(stays) }),
  };
}

function withoutUplinksTo(node: PlannedNode, gone: ReadonlySet<string>): PlannedNode {
  if (node.uplinks === undefined) return node;
  return { ...node, uplinks: node.uplinks.filter((one) => !gone.has(one.via === 'link' ? one.dials : one.central)) };
}
