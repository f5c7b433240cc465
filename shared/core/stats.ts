/** The node's state in numbers, for people and programs. */
import type { NodeStore } from '../custody/node-store.ts';
import { streamText } from '../message/identity.ts';
import { bytesUsed, readyCount } from '../queue/queues.ts';
import type { Ring } from '../ring/ring.ts';
import type { Stats } from './calls.ts';
import type { Carriers } from './carriers.ts';
import type { HealthWatch } from './health.ts';
import type { FileDescription, NodeConfig, NodePhase } from './node-io.ts';

interface Sources {
  readonly phase: NodePhase;
  readonly config: NodeConfig;
  readonly ring: Ring;
  readonly file: FileDescription;
  readonly store: NodeStore | undefined;
  readonly carriers: Carriers | undefined;
  readonly watch: HealthWatch | undefined;
  readonly nowMs: number;
}

export function statsOf(sources: Sources): Stats {
  const { phase, config, ring, file, store, carriers, watch, nowMs } = sources;
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
      corrupt: ring.corruptCount,
      durability: file.durability,
      ioMode: file.ioMode,
    },
    queues: [...(store?.queues ?? [])].map((queue) => ({
      name: queue.name,
      ready: readyCount(queue),
      leased: queue.leasedCount,
      bytes: bytesUsed(queue),
      bytesLimit: queue.bytesLimit,
    })),
    outgoing: [...(store?.outgoing ?? [])].map((out) => ({
      stream: streamText(out.key),
      held: out.list.count,
      lo: out.lo,
      next: out.next,
    })),
    uplink: carriers?.describeUplink() ?? config.uplink,
    links: carriers?.describeLinks() ?? [],
    accounts: store?.accounts() ?? [],
    counters: carriers?.counters() ?? {},
    adapters: {},
  };
}
