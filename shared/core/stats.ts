/** The node's state in numbers, for people and programs. */
import type { NodeStore } from '../custody/node-store.ts';
import { streamText } from '../message/identity.ts';
import type { Like } from '../part.ts';
import { bytesUsed, readyCount } from '../queue/queues.ts';
import type { RouteTable } from '../queue/routes.ts';
import type { Ring } from '../ring/ring.ts';
import type { QueueStats, Stats } from './calls.ts';
import type { Desk } from './desk.ts';
import type { HealthWatch } from './health.ts';
import type { NodeCarriers } from './node-carriers.ts';
import type { FileDescription, NodeConfig, NodePhase } from './node-io.ts';

interface Sources {
  readonly phase: NodePhase;
  readonly config: NodeConfig;
  readonly ring: Ring;
  readonly file: FileDescription;
  readonly store: NodeStore | undefined;
  readonly desk: Desk | undefined;
  readonly carriers: NodeCarriers | undefined;
  readonly watch: Like<HealthWatch> | undefined;
  readonly routes: RouteTable | undefined;
  readonly nowMs: number;
}

export function statsOf(sources: Sources): Stats {
  const { phase, config, ring, file, store, desk, carriers, watch, nowMs } = sources;
  const notServing = { code: 'NOT_SERVING' as const, detail: phase };
  const causes = watch?.health(nowMs).causes ?? [];
  const allCauses = phase === 'serving' ? causes : [notServing, ...causes];
  const isOpen = ring.state === 'serving' || ring.state === 'closing';
  return {
    node: store?.self.name ?? config.name,
    incarnation: store?.self.incarnation ?? '',
    epoch: ring.epoch.counter,
    health: { status: allCauses.length === 0 ? 'green' : 'red', causes: allCauses },
    ring: {
      bytesUsed: isOpen ? ring.bytesUsed : 0,
      bytesMax: isOpen ? ring.bytesMax : 0,
      freeBlocks: isOpen ? ring.freeBlocks : 0,
      messagesStored: ring.messagesStored,
      framesWritten: ring.framesWritten,
      blocksWritten: ring.blocksWritten,
      gaps: ring.report.gaps.length,
      lost: ring.losses,
      corrupt: ring.corruptCount,
      ...writtenHow(config, file),
      ioMode: file.ioMode,
    },
    queues: store === undefined ? [] : queueStats(store, (queue) => desk?.blockedIn(queue) ?? 0),
    outgoing: [...(store?.outgoing ?? [])].map((out) => ({
      stream: streamText(out.key),
      held: out.list.count,
      lo: out.lo,
      next: out.next,
    })),
    uplink: carriers?.describeUplink() ?? config.uplink,
    uplinks: carriers?.uplinks(nowMs) ?? [],
    routes: sources.routes?.stats() ?? [],
    links: carriers?.describeLinks() ?? [],
    clocks: carriers?.clocks() ?? [],
    accounts: store?.accounts() ?? [],
    counters: { ...carriers?.counters(), ...leftOut(store) },
    adapters: {},
  };
}

/** Accounted for or received all the same: what was to go with their end, or with their arrival, and did not; and words of other nodes. */
function leftOut(store: NodeStore | undefined): Record<string, number> {
  const { words = 0, copies = 0, letters = 0 } = store?.leftOut ?? {};
  const { heard = 0, unknown = 0, malformed = 0 } = store?.words.counts ?? {};
  const told = { nodeWords: heard, nodeWordsUnknown: unknown, nodeWordsMalformed: malformed };
  const numbersForgotten = store?.forgottenCount ?? 0;
  return { wordsLeftOut: words, copiesLeftOut: copies, lettersLeftOut: letters, numbersForgotten, ...told };
}

function queueStats(store: NodeStore, blockedIn: (queue: string) => number): QueueStats[] {
  const dropped = new Map<string, number>();
  const expired = new Map<string, number>();
  for (const { stream, class: ending, count } of store.accounts()) {
    const ended = ending === 'DROPPED' ? dropped : ending === 'RECEIVE_TIMEOUT' ? expired : undefined;
    ended?.set(stream.destination, (ended.get(stream.destination) ?? 0) + count);
  }
  return [...store.queues].map((queue) => {
    const { name, options, delayedCount, heldCount, leasedCount, arrivedCount, endedCount } = queue;
    const destination = `${store.self.name}/${name}`;
    return {
      name,
      ready: readyCount(queue),
      leased: leasedCount,
      delayed: delayedCount,
      held: heldCount,
      arrived: arrivedCount,
      ended: endedCount,
      bytes: bytesUsed(queue),
      ...options,
      blocked: blockedIn(name),
      dropped: dropped.get(destination) ?? 0,
      expired: expired.get(destination) ?? 0,
    };
  });
}

/** A file in memory makes nothing durable, whatever was configured. */
function writtenHow(
  { intervalMs }: NodeConfig,
  { durability }: FileDescription,
): Pick<Stats['ring'], 'durability' | 'intervalMs'> {
  const isLater = intervalMs !== undefined && durability !== 'volatile';
  return isLater ? { durability: 'interval', intervalMs } : { durability, intervalMs: 0 };
}
