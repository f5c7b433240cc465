/**
 * What will happen in a run, as plain data: which nodes there are, what is sent, what breaks and when. Drawn from a seed; the rest (who
 * is first in an instant, which sectors survive, how long a write takes) is drawn while it runs. A plan can be made smaller by taking
 * things out of it, which changes nothing for what is left.
 *
 * Every seed is another swarm: it leaves out some kinds of fault, and weighs the others from 1 to 100.
 */
import { toUtf8 } from '../../shared/bytes.ts';
import { crc32 } from '../../shared/crc32.ts';
import { ACKNOWLEDGE, type Acknowledge } from '../../shared/message/message.ts';
import type { QueueDefinition } from '../../shared/queue/queue-options.ts';
import { geometryFor, type RingGeometry, SUPERBLOCK_COPIES } from '../../shared/ring/geometry.ts';
import { type Prng, stream } from '../random.ts';
import { BROKER_FAULT_NAMES, LINE_FAULT_NAMES, NODE_FAULT_NAMES } from './fault-kinds.ts';
import { drawChores, withExpress, withKeeping, withPatience, withTransactions, withWishes } from './plan-habits.ts';
import { drawWayFaults, withCommands, withScans, withWays } from './plan-ways.ts';

export interface PlannedNode {
  readonly name: string;
  readonly uplink: 'none' | 'link' | 'mqtt';
  /** The node at the other end of its line, where its uplink is a link. */
  readonly dials: string | undefined;
  /** Name of the central it belongs to; its own where it is one. */
  readonly central: string;
  readonly isCentral: 'yes' | 'no';
  readonly queues: readonly (QueueDefinition & { readonly name: string })[];
  /** Bits per second of its line; undefined: a socket. */
  readonly baud: number | undefined;
  readonly lineDelayMs: number;
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly syncMsMax: number;
  readonly commitDelayMs: number;
  /** Its monotonic clock runs so much too fast. */
  readonly driftPpm: number;
  /** Where there is more than one way: those that it has beside the first, the preferred one first. */
  readonly uplinks?: readonly FurtherUplink[];
  /** Nodes that the first one leads to, as patterns. Undefined: all. */
  readonly leadsTo?: readonly string[];
  readonly failoverMs?: number;
  readonly failbackMs?: number;
  readonly holeWaitMs?: number;
}

/** `broker`: the first, or the second. */
export type FurtherUplink = { readonly name: string; readonly to: readonly string[] } & (
  | { readonly via: 'link'; readonly dials: string }
  | { readonly via: 'mqtt'; readonly broker: 1 | 2; readonly central: string }
);

/** An application that reads a queue. What it did it remembers with its effects, whatever happens to it. */
export interface PlannedReader {
  readonly node: string;
  readonly queue: string;
  readonly leaseMs: number;
  readonly workMsMax: number;
  /** Probabilities, per delivery, in the safety phase. */
  readonly crash: number;
  readonly giveBack: number;
  readonly giveUp: number;
  /** It ends so many of its messages, by their identity, with a transaction that also sends to another queue of its node. */
  readonly commit?: { readonly share: number; readonly to: string };
  /** So many of its messages, by their key, it gives back each time, where its queue has an end of its patience. */
  readonly dislike?: number;
}

export interface PlannedSend {
  /** Of the message: `<node>:<number>`. */
  readonly key: string;
  readonly atMs: number;
  readonly node: string;
  readonly destination: string;
  readonly priority: number;
  readonly bytes: number;
  readonly timeToBeReceivedMs?: number;
  readonly deliverAfterMs?: number;
  readonly acknowledge?: Acknowledge;
  readonly deadLetter?: 'off';
  readonly journal?: 'on';
  /** In the memory of its node only: its destination is a queue there. */
  readonly delivery?: 'express';
}

export interface PlannedFault {
  readonly atMs: number;
  /** A name of fault-kinds.ts. */
  readonly fault: string;
  readonly target: string;
  /** How long it lasts, where it lasts. */
  readonly forMs: number;
}

/** What whoever runs a node does there. `for-good`: until the end of the run. */
export type PlannedChore = { readonly node: string; readonly atMs: number } & (
  | { readonly do: 'pause'; readonly queue: string; readonly forMs: number | 'for-good' }
  | { readonly do: 'redrive' }
);

export interface PlannedWorld {
  readonly nodes: readonly PlannedNode[];
  readonly readers: readonly PlannedReader[];
  /** `mqtt`: real packets between the real client and the real broker library. */
  readonly broker: 'sim' | 'mqtt';
  /** One in so many acknowledgements is answered by trying the power cut on a copy of the disk. */
  readonly cutEvery: number;
  /** Nodes that get no power any more once the trouble is over. */
  readonly dead: readonly string[];
  /** There is more than one way (plan-ways.ts). */
  readonly ways?: { readonly brokers: 1 | 2 };
  /** What is sent to a queue of a node goes to these places instead (`placeName`), each a new message. */
  readonly routed?: { readonly node: string; readonly queue: string; readonly to: readonly string[] };
}

export interface Plan {
  readonly seed: string;
  readonly world: PlannedWorld;
  readonly sends: readonly PlannedSend[];
  readonly faults: readonly PlannedFault[];
  readonly chores?: readonly PlannedChore[];
}

/** A queue of a device, for what comes down to it. */
const ORDERS = 'orders';
const MESSAGE_COUNT_MIN = 100;
const MESSAGE_COUNT_SPREAD = 20;
/** Of the smallest ring: 16 blocks of 512 bytes a frame, three quarters of it a body, less the envelope. */
const BODY_BYTES_MAX = 5000;

/** Of a node's ring. */
export function geometryOf({ blockBytes, blockCount }: Pick<PlannedNode, 'blockBytes' | 'blockCount'>): RingGeometry {
  return geometryFor((blockCount + SUPERBLOCK_COPIES) * blockBytes, blockBytes);
}

/** The plan of a seed. The same on every machine. */
export function drawPlan(seed: string): Plan {
  const shape = stream(seed, 'world');
  const busy = withPatience(withTransactions(drawWorld(shape), stream(seed, 'transactions')), stream(seed, 'patience'));
  const world = withWays(withKeeping(busy, stream(seed, 'keeping')), stream(seed, 'ways'), ORDERS);
  const safetyMs = shape.pick([4_000, 10_000, 30_000, 120_000]);
  const drawn = withCommands(
    drawSends(world, stream(seed, 'sends'), safetyMs),
    { world, orders: ORDERS },
    stream(seed, 'commands'),
  );
  const sends = withScans(withWishes(drawn, stream(seed, 'wishes')), world, stream(seed, 'scans'));
  const faults = [
    ...drawFaults(world, stream(seed, 'faults'), safetyMs),
    ...drawWayFaults(world, stream(seed, 'moves'), safetyMs),
  ];
  return {
    seed,
    world,
    sends: withExpress(sends, world, stream(seed, 'express')),
    faults: faults.sort((a, b) => a.atMs - b.atMs),
    chores: drawChores(world, stream(seed, 'operator'), safetyMs),
  };
}

function drawWorld(random: Prng): PlannedWorld {
  const centrals = random.chance(0.2) ? ['central', 'archive'] : ['central'];
  const gateways = random.chance(0.35) ? ['gateway-1', 'gateway-2'] : ['gateway-1'];
  const deviceCount = random.chance(0.05) ? 8 + random.int(13) : 1 + random.int(4);
  const medium = () => drawMedium(random);
  const nodes: PlannedNode[] = centrals.map((name) => ({
    ...medium(),
    name,
    uplink: 'none',
    dials: undefined,
    central: name,
    isCentral: 'yes',
    queues: [{ name: 'bags', bytesLimit: random.pick([40_000, 40_000, 8_000]) }, drawSmallQueue(random)],
  }));
  for (const [at, name] of gateways.entries()) {
    const central = centrals[at % centrals.length] ?? 'central';
    nodes.push({ ...medium(), name, uplink: 'mqtt', dials: undefined, central, isCentral: 'no', queues: [] });
  }
  for (let i = 1; i <= deviceCount; i++) nodes.push({ ...medium(), ...drawDevice(random, i, nodes) });
  const crash = random.pick([0, 0.02, 0.1]);
  const readers = nodes.flatMap(({ name, queues }) =>
    queues.flatMap((queue) =>
      Array.from({ length: random.chance(0.3) ? 2 : 1 }, () => ({
        node: name,
        queue: queue.name,
        leaseMs: random.pick([1_000, 5_000]),
        workMsMax: random.pick([0, 5, 100]),
        crash,
        giveBack: random.pick([0, 0.05]),
        giveUp: random.pick([0, 0, 0.02]),
      })),
    ),
  );
  const last = `device-${1 + random.int(deviceCount)}`;
  const dead = random.chance(0.08) && nodes.every(({ dials }) => dials !== last) ? [last] : [];
  return { nodes, readers, broker: random.chance(0.05) ? 'mqtt' : 'sim', cutEvery: random.pick([5, 20, 40]), dead };
}

/** A device on a line to a gateway or to a central, or with an uplink of its own. */
function drawDevice(random: Prng, number: number, others: readonly PlannedNode[]): Omit<PlannedNode, keyof Medium> {
  const name = `device-${number}`;
  const queues = random.chance(0.25) ? [{ ...drawSmallQueue(random), name: 'local' }] : [];
  if (random.chance(0.4)) queues.push({ ...drawSmallQueue(random), name: ORDERS });
  const gateways = others.filter(({ uplink, isCentral }) => uplink === 'mqtt' && isCentral === 'no');
  const centrals = others.filter(({ isCentral }) => isCentral === 'yes');
  const roll = random.next();
  if (roll < 0.1)
    return { name, uplink: 'mqtt', dials: undefined, central: pickOf(random, centrals).name, isCentral: 'no', queues };
  const next = roll < 0.18 ? pickOf(random, centrals) : pickOf(random, gateways);
  return { name, uplink: 'link', dials: next.name, central: next.central, isCentral: 'no', queues };
}

function drawSmallQueue(random: Prng): QueueDefinition & { name: string } {
  const whenFull = random.pick<'reject' | 'drop-oldest' | 'drop-lowest-priority'>([
    'reject',
    'drop-oldest',
    'drop-lowest-priority',
  ]);
  const remoteWhenFull = random.pick<'wait' | 'dead-letter'>(['wait', 'wait', 'dead-letter']);
  return { name: 'alarms', bytesLimit: random.pick([2_000, 4_000, 20_000]), whenFull, remoteWhenFull };
}

type Medium = Pick<
  PlannedNode,
  'baud' | 'lineDelayMs' | 'blockBytes' | 'blockCount' | 'syncMsMax' | 'commitDelayMs' | 'driftPpm'
>;

function drawMedium(random: Prng): Medium {
  return {
    baud: random.pick([19_200, 115_200, 115_200, 921_600, undefined]),
    lineDelayMs: random.pick([0, 0, 1, 16, 300]),
    blockBytes: random.chance(0.1) ? 4096 : 512,
    blockCount: random.pick([384, 384, 512, 800]),
    syncMsMax: random.pick([1, 8, 8, 60]),
    commitDelayMs: random.chance(0.1) ? 20 : 0,
    driftPpm: random.pick([0, 0, 200, -200]),
  };
}

function drawSends(world: PlannedWorld, random: Prng, safetyMs: number): PlannedSend[] {
  const devices = world.nodes.filter(({ uplink }) => uplink !== 'none').filter(({ name }) => name.startsWith('device'));
  const count = MESSAGE_COUNT_MIN + random.int(MESSAGE_COUNT_SPREAD);
  const sizes = random.pick<'small' | 'mixed' | 'edges'>(['small', 'small', 'mixed', 'edges']);
  const timed = random.pick([0, 0, 0.1, 0.3]);
  const bursts = random.chance(0.3);
  const sends = Array.from({ length: count }, (_, at): PlannedSend => {
    const { node, destination } = drawWay(devices, random);
    const part = bursts ? Math.floor(random.next() * 5) / 5 : random.next();
    return {
      key: `${node}:${at + 1}`,
      atMs: Math.floor(part * safetyMs) + random.int(5),
      node,
      destination,
      priority: random.pick([0, 3, 3, 3, 5, 7]),
      bytes: drawBytes(random, sizes),
      ...(random.chance(timed) && { timeToBeReceivedMs: random.pick([1, 50, 500, 5_000, 60_000, 3_600_000]) }),
      ...(random.chance(timed / 2) && { deliverAfterMs: random.pick([1, 100, 3_000]) }),
    };
  });
  return sends.sort((a, b) => a.atMs - b.atMs).map((send) => ({ ...send, ...asked(send) }));
}

/** One in four asks what became of it. By its key, not by chance: the seeds of before stay what they were. */
function asked({ key }: PlannedSend): Pick<PlannedSend, 'acknowledge'> {
  const acknowledge = ACKNOWLEDGE[crc32(toUtf8(key), 0) % 12];
  return acknowledge === undefined ? {} : { acknowledge };
}

/** From a device to its centre, or to itself; or down to a device, from the node it dials or from a neighbour. */
function drawWay(devices: readonly PlannedNode[], random: Prng): Pick<PlannedSend, 'node' | 'destination'> {
  const device = pickOf(random, devices);
  const has = (name: string) => device.queues.some((queue) => queue.name === name);
  if (has('local') && random.chance(0.2)) return { node: device.name, destination: 'local' };
  if (has(ORDERS) && device.dials !== undefined && random.chance(0.4)) {
    const neighbours = devices.filter(({ name, dials }) => dials === device.dials && name !== device.name);
    const isFromNeighbour = neighbours.length > 0 && random.chance(0.3);
    return {
      node: isFromNeighbour ? pickOf(random, neighbours).name : device.dials,
      destination: `${device.name}/${ORDERS}`,
    };
  }
  return { node: device.name, destination: `${device.central}/${random.chance(0.15) ? 'alarms' : 'bags'}` };
}

function drawBytes(random: Prng, sizes: 'small' | 'mixed' | 'edges'): number {
  if (sizes === 'small') return 20 + random.int(200);
  if (sizes === 'edges') return random.pick([20, 440, 512, 900, 1_024, 2_048, 200, 60]) + random.int(3) - 1;
  return random.chance(0.05) ? 1_000 + random.int(BODY_BYTES_MAX - 1_000) : 20 + random.int(400);
}

function drawFaults(world: PlannedWorld, random: Prng, safetyMs: number): PlannedFault[] {
  const names = [...NODE_FAULT_NAMES, ...LINE_FAULT_NAMES, ...BROKER_FAULT_NAMES];
  const share = random.pick([0.15, 0.3, 0.6]);
  const weights = names.map((name) => ({ name, weight: random.chance(share) ? 1 + random.int(100) : 0 }));
  const sum = weights.reduce((total, { weight }) => total + weight, 0);
  if (sum === 0 || random.chance(0.02)) return [];
  const count = random.pick([3, 8, 20, 40]);
  const targets = { node: world.nodes, line: world.nodes.filter(({ uplink }) => uplink === 'link') };
  const faults: PlannedFault[] = [];
  for (let i = 0; i < count; i++) {
    const fault = weighted(weights, random.next() * sum);
    const atMs = random.int(safetyMs);
    const forMs = Math.floor(random.pick([20, 200, 1_000, 5_000, 30_000]) * (0.5 + random.next()));
    const isLine = LINE_FAULT_NAMES.includes(fault);
    if (isLine && targets.line.length === 0) continue;
    const isBroker = BROKER_FAULT_NAMES.includes(fault);
    const target = isBroker ? 'broker' : pickOf(random, isLine ? targets.line : targets.node).name;
    faults.push({ atMs, fault, target, forMs });
    // Troubles come together: another one close to it, sometimes at the same instant.
    if (random.chance(0.2) && !isBroker) {
      faults.push({ atMs: atMs + random.pick([0, 1, 20]), fault: 'power cut', target: pickOf(random, targets.node).name, forMs });
    }
  }
  return faults.sort((a, b) => a.atMs - b.atMs);
}

function weighted(weights: readonly { name: string; weight: number }[], roll: number): string {
  let left = roll;
  for (const { name, weight } of weights) {
    left -= weight;
    if (left < 0) return name;
  }
  return weights.at(-1)?.name ?? '';
}

function pickOf<T>(random: Prng, list: readonly T[]): T {
  return random.pick(list as readonly [T, ...T[]]);
}
