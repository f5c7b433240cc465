/**
 * Worlds in which there is more than one way: two gateways for a device, two brokers or two centrals for a gateway, devices that are
 * dialled into one gateway today and another tomorrow, and commands for them from the central. Drawn from streams of its own, in a share
 * of the worlds.
 *
 *                ┌─ gateway-1 ─┐ ┌─ broker ───┐ ┌─ central, where commands come from
 *   device ──────┤             ├─┤            ├─┤
 *      ╎ moves   └─ gateway-2 ─┘ └─ broker-2 ─┘ └─ archive
 */
import type { Prng } from '../random.ts';
import { FIRST_BROKER_AWAY, FIRST_UPLINK_AWAY, MOVES, PLACE_AWAY } from './fault-kinds.ts';
import { placeName } from './letters.ts';
import type { FurtherUplink, PlannedFault, PlannedNode, PlannedReader, PlannedSend, PlannedWorld } from './plan.ts';

/** The central that knows who is below, by whichever gateway. */
const CENTRAL = 'central';
const ARCHIVE = 'archive';
const WAYS_SHARE = 0.3;
const COMMANDS_SHARE = 0.35;
const ROUTED_SHARE = 0.3;
const SCANS_SHARE = 0.4;
const GATEWAY = 'gateway-1';
const SCANS = 'scans';
const HOUR_MS = 3_600_000;
const HOUR_NODE_COUNT_MAX = 7;
/** Room for commands on their way back and forth. */
const ORDERS_BYTES = 20_000;

/** The same world, in which there are several ways. `orders`: the queue of a device that commands are for. */
export function withWays(world: PlannedWorld, random: Prng, orders: string): PlannedWorld {
  if (world.broker === 'mqtt' || !random.chance(WAYS_SHARE)) return world;
  const [first] = world.nodes.filter(isGateway);
  if (first === undefined) return world;
  const brokers = random.chance(0.4) ? 2 : 1;
  const gateways = world.nodes.filter(isGateway).length > 1 ? world.nodes : withSecondGateway(world.nodes, first);
  const isRouted = random.chance(ROUTED_SHARE);
  const hasArchive = isRouted || world.nodes.some(({ name }) => name === ARCHIVE);
  const upwards: FurtherUplink[] = [];
  // What is for the archive waits for it: the central knows no way there.
  const to = hasArchive ? [CENTRAL, 'gateway-*', 'device-*'] : ['*'];
  if (brokers === 2) upwards.push({ name: 'second', via: 'mqtt', broker: 2, central: CENTRAL, to });
  if (hasArchive) upwards.push({ name: ARCHIVE, via: 'mqtt', broker: 1, central: ARCHIVE, to: [ARCHIVE] });
  const [failoverMs, failbackMs] = [random.pick([1_000, 5_000]), random.pick([2_000, 30_000])];
  const times = { failoverMs, failbackMs, holeWaitMs: random.pick([2_000, 5_000, 60_000]) };
  const nodes = gateways.map((node): PlannedNode => {
    if (isGateway(node)) return { ...node, ...times, central: CENTRAL, leadsTo: to, uplinks: upwards };
    if (node.isCentral === 'yes') return { ...node, ...times };
    if (!hangsOnGateway(node)) return { ...node, ...times, uplinks: [] };
    const queues =
      node.queues.some(({ name }) => name === orders) || !random.chance(0.8) ? node.queues : withOrders(node, orders);
    return { ...node, ...times, queues, uplinks: drawUplinks(node, to, random) };
  });
  const readers = nodes.flatMap(({ name, queues }) => {
    const isNew = !world.readers.some(({ node, queue }) => node === name && queue === orders);
    return isNew && queues.some(({ name: queue }) => queue === orders) ? [drawReader(name, orders, random)] : [];
  });
  const several: PlannedWorld = { ...world, nodes, readers: [...world.readers, ...readers], ways: { brokers } };
  return isRouted ? withRoute(several, random) : several;
}

/** A gateway with a route to three places: its own, at the central, and at the archive. */
function withRoute(world: PlannedWorld, random: Prng): PlannedWorld {
  const places = [GATEWAY, CENTRAL, ARCHIVE];
  const [central] = world.nodes.filter(({ isCentral }) => isCentral === 'yes');
  const hasArchive = central === undefined || world.nodes.some(({ name }) => name === ARCHIVE);
  const archive = hasArchive ? [] : [{ ...central, name: ARCHIVE, central: ARCHIVE, queues: [] }];
  const nodes = [...world.nodes, ...archive].map((node): PlannedNode => {
    const at = places.indexOf(node.name);
    if (at === -1) return node;
    const queues = [...node.queues, { name: placeName(at + 1), bytesLimit: 40_000 }];
    return { ...node, queues: node.name === GATEWAY ? [...queues, { name: SCANS, bytesLimit: 40_000 }] : queues };
  });
  const readers = places.map((node, at) => drawReader(node, placeName(at + 1), random));
  const to = places.map((node, at) => `${node}/${placeName(at + 1)}`);
  return { ...world, nodes, readers: [...world.readers, ...readers], routed: { node: GATEWAY, queue: SCANS, to } };
}

/** The same messages, some of which go where the route begins. */
export function withScans(sends: readonly PlannedSend[], world: PlannedWorld, random: Prng): PlannedSend[] {
  const { routed } = world;
  if (routed === undefined) return [...sends];
  return sends.map((send) => {
    const isUp = send.destination.endsWith('/bags') && send.node.startsWith('device');
    if (!isUp || !random.chance(SCANS_SHARE)) return send;
    const plain = { key: send.key, atMs: send.atMs, node: send.node, priority: send.priority, bytes: send.bytes };
    return { ...plain, destination: `${routed.node}/${routed.queue}` };
  });
}

function isGateway({ uplink, isCentral, dials, name }: PlannedNode): boolean {
  return uplink === 'mqtt' && isCentral === 'no' && dials === undefined && name.startsWith('gateway');
}

function hangsOnGateway({ dials = '' }: PlannedNode): boolean {
  return dials.startsWith('gateway');
}

function withSecondGateway(nodes: readonly PlannedNode[], first: PlannedNode): PlannedNode[] {
  return nodes.flatMap((node) => (node === first ? [node, { ...node, name: 'gateway-2' }] : [node]));
}

function withOrders({ queues }: PlannedNode, orders: string): PlannedNode['queues'] {
  return [...queues, { name: orders, bytesLimit: ORDERS_BYTES }];
}

/** A second cable to the other gateway, a connection of its own to the broker, or none. */
function drawUplinks({ dials }: PlannedNode, to: readonly string[], random: Prng): FurtherUplink[] {
  const roll = random.next();
  const other = dials === 'gateway-1' ? 'gateway-2' : 'gateway-1';
  if (roll < 0.35) return [{ name: 'second', via: 'link', dials: other, to: ['*'] }];
  if (roll < 0.45) return [{ name: 'second', via: 'mqtt', broker: 1, central: CENTRAL, to }];
  return [];
}

function drawReader(node: string, queue: string, random: Prng): PlannedReader {
  return {
    node,
    queue,
    leaseMs: random.pick([1_000, 5_000]),
    workMsMax: random.pick([0, 5, 100]),
    crash: random.pick([0, 0.02]),
    giveBack: random.pick([0, 0.05]),
    giveUp: 0,
  };
}

/** The same messages, some of which are commands from the central instead. */
export function withCommands(
  sends: readonly PlannedSend[],
  { world, orders }: { readonly world: PlannedWorld; readonly orders: string },
  random: Prng,
): PlannedSend[] {
  const below = world.nodes.filter((node) => hangsOnGateway(node) && node.queues.some(({ name }) => name === orders));
  if (world.ways === undefined || below.length === 0) return [...sends];
  return sends.map((send) => {
    const isDown = send.destination.endsWith(`/${orders}`);
    if (!random.chance(isDown ? 0.6 : COMMANDS_SHARE)) return send;
    const device = isDown ? send.destination : `${random.pick(below as [PlannedNode, ...PlannedNode[]]).name}/${orders}`;
    const number = send.key.slice(send.key.indexOf(':'));
    return { ...send, key: `${CENTRAL}${number}`, node: CENTRAL, destination: device };
  });
}

/** Devices that move, first uplinks and first brokers that are away for a while. */
export function drawWayFaults(world: PlannedWorld, random: Prng, safetyMs: number): PlannedFault[] {
  if (world.ways === undefined) return [];
  const faults: PlannedFault[] = [];
  const strike = (fault: string, target: string, countMax: number) => {
    const count = 1 + random.int(countMax);
    for (let i = 0; i < count; i++) {
      const forMs = Math.floor(random.pick([500, 3_000, 10_000, 40_000]) * (0.5 + random.next()));
      faults.push({ atMs: random.int(safetyMs), fault, target, forMs });
    }
  };
  for (const node of world.nodes.filter(hangsOnGateway)) {
    if ((node.uplinks ?? []).length > 0) strike(FIRST_UPLINK_AWAY, node.name, 2);
    else if (random.chance(0.7)) strike(MOVES, node.name, 3);
  }
  if (world.ways.brokers === 2) strike(FIRST_BROKER_AWAY, 'broker', 2);
  if (world.routed !== undefined) {
    // An hour of many nodes is long.
    const isHour = random.chance(0.2) && world.nodes.length <= HOUR_NODE_COUNT_MAX;
    const forMs = isHour ? HOUR_MS : random.pick([20_000, 60_000]);
    faults.push({ atMs: random.int(safetyMs), fault: PLACE_AWAY, target: ARCHIVE, forMs });
  }
  return faults;
}
