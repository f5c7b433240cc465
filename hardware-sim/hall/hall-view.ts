/** The state of a hall as people see it: what is queued where, what has arrived, what is out. From the nodes' own words, for display. */

import type { Stats } from '../../shared/core/calls.ts';
import { NODE_QUEUE } from '../../shared/message/address.ts';
import type { HallNode } from './hall-nodes.ts';
import type { Watched } from './hall-watch.ts';

export interface HallView {
  readonly seconds: number;
  readonly belts: readonly BeltView[];
  /** In the order of the path. */
  readonly nodes: readonly NodeView[];
  readonly application: {
    readonly state: 'up' | 'down';
    readonly received: number;
    readonly dead: number;
    readonly redelivered: number;
  };
  /** Names of what is out now. */
  readonly out: readonly string[];
  /** Outages so far. */
  readonly outages: number;
}

export interface BeltView {
  readonly label: string;
  readonly acknowledged: number;
  readonly repeats: number;
}

export interface NodeView {
  readonly role: HallNode['role'];
  readonly name: string;
  /** `silent`: its process runs, and does not answer (yet). */
  readonly state: 'up' | 'silent' | 'down';
  /** Messages for another node, and for an application here. From its last answer, like all below; 0 before the first. */
  readonly forNextNode: number;
  readonly forApplication: number;
  /** Messages of applications and belts stored in this ring since it was made: words of this node to other nodes are not counted. */
  readonly stored: number;
  /** Durable writes of all openings that were seen, each as it was seen last. */
  readonly framesWritten: number;
  /** Openings of the ring since it was made. */
  readonly openings: number;
  /** Share of the ring in use, 0 to 1. */
  readonly ringShare: number;
  /** `green`, or `red` and why. */
  readonly health: string;
}

export function nodeView(node: Pick<NodeView, 'role' | 'name' | 'state'>, { stats, framesSeen }: Watched): NodeView {
  const sum = (counts: readonly number[] = []): number => counts.reduce((total, count) => total + count, 0);
  const causes = stats?.health.causes.map(({ code }) => code).join(', ') ?? '';
  return {
    ...node,
    forNextNode: sum(stats?.outgoing.map(({ held }) => held)),
    forApplication: sum(stats?.queues.map(({ ready, leased }) => ready + leased)),
    stored: (stats?.ring.messagesStored ?? 0) - wordsOf(node.name, stats),
    framesWritten: framesSeen,
    openings: stats?.epoch ?? 0,
    ringShare: stats === undefined || stats.ring.bytesMax === 0 ? 0 : stats.ring.bytesUsed / stats.ring.bytesMax,
    health: stats === undefined ? '' : stats.health.status === 'green' ? 'green' : `red: ${causes}`,
  };
}

/** Words that a node wrote to other nodes (docs/routes.md, section 4). */
function wordsOf(name: string, stats: Stats | undefined): number {
  const own = stats?.outgoing.filter(({ stream }) => stream.startsWith(`${name}:`) && stream.includes(`/${NODE_QUEUE}:`)) ?? [];
  return own.reduce((count, { next }) => count + next - 1, 0);
}
