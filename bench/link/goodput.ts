/**
 * One cell of the grid: the product's link, custody and ring at both ends of a simulated line, in virtual time. The device is never
 * out of messages, and an application at the gateway takes what has become durable there.
 *
 *   joined ──▶ warm: the size of packets has settled ──▶ measured ──▶ over
 *                                            bytes of bodies that became durable at the gateway, by virtual time
 */
import { bodyOf, LinkWorld } from '../../hardware-sim/link-world.ts';
import { byteErrorRate, type Cell } from './cells.ts';

export interface Goodput {
  /** Bytes of bodies a second. */
  readonly goodput: number;
  /** Mean bytes of a message as the ring stores it and the link is given it. */
  readonly messageBytes: number;
  /** Bytes a second on the line, towards the gateway. Below its speed: the line rests. */
  readonly lineBytes: number;
  /** Share of our packets that were lost. */
  readonly lostShare: number;
  readonly packets: number;
}

const BITS_PER_BYTE = 10;
/** About what packets are at a speed. */
const PACKET_MS = 20;
const PACKET_BYTES_MIN = 100;
const PACKET_BYTES_MAX = 1024;
const WARM_SHARE = 0.1;
const WARM_MS_MIN = 3_000;
/** Between two looks of the applications at both ends. */
const BEAT_BYTES = 2_000;
const BEAT_MS_MAX = 500;
/** Always stored at the device and not yet handed over. */
const BACKLOG_BYTES = 96 * 1024;
const ENVELOPE_BYTES = 64;
const STEP_MS = 20_000;

export function measureGoodput(cell: Cell): Goodput {
  const { bodyBytes, baud, delayMs, seed } = cell;
  const flipRate = byteErrorRate(cell.bitErrorRate);
  const faults = { aToB: { flipRate }, bToA: { flipRate } };
  const world = new LinkWorld({ seed, baud, delayMs, faults, accounts: 'none' });
  world.start();
  const flow = new Flow(world, bodyBytes, Math.min(BEAT_MS_MAX, (BEAT_BYTES * BITS_PER_BYTE * 1000) / baud));
  const ms = lineMs(cell);
  run(world, Math.max(WARM_MS_MIN, WARM_SHARE * ms));
  const before = flow.next();
  run(world, ms);
  const after = flow.next();
  const seconds = (after.atMs - before.atMs) / 1000;
  const count = after.count - before.count;
  const packets = after.packets - before.packets;
  return {
    goodput: (count * bodyBytes) / seconds,
    messageBytes: (after.bytes - before.bytes) / count,
    lineBytes: (after.lineBytes - before.lineBytes) / seconds,
    lostShare: (after.lost - before.lost) / packets,
    packets,
  };
}

interface Counted {
  readonly count: number;
  /** Of the messages as they are stored. */
  readonly bytes: number;
  readonly packets: number;
  readonly lineBytes: number;
  readonly lost: number;
  readonly atMs: number;
}

/** The applications at both ends. */
class Flow {
  taken = { count: 0, bytes: 0 };
  readonly #world: LinkWorld;
  readonly #bodyBytes: number;
  readonly #beatMs: number;
  #next = 0;

  constructor(world: LinkWorld, bodyBytes: number, beatMs: number) {
    this.#world = world;
    this.#bodyBytes = bodyBytes;
    this.#beatMs = beatMs;
    this.#beat();
  }

  /** At the next instant at which a message becomes durable: between two such instants there are whole messages. */
  next(): Counted {
    this.look();
    this.#world.until(() => this.#world.gateway.count('bags') > 0, STEP_MS);
    this.look();
    return { ...this.taken, ...sent(this.#world), atMs: this.#world.world.nowMs };
  }

  /** The gateway's takes what is there; the device's fills up what went. */
  look(): void {
    const { gateway, device } = this.#world;
    const { count, bytes } = gateway.consume('bags', Number.MAX_SAFE_INTEGER);
    this.taken = { count: this.taken.count + count, bytes: this.taken.bytes + bytes };
    const backlog = Math.ceil(BACKLOG_BYTES / (this.#bodyBytes + ENVELOPE_BYTES));
    while (device.outgoingCount + device.pendingCount < backlog) {
      if (!device.send('gateway/bags', bodyOf(this.#next, this.#bodyBytes))) return;
      this.#next += 1;
    }
  }

  #beat(): void {
    const { world } = this.#world;
    this.look();
    world.at(world.nowMs + this.#beatMs, () => this.#beat());
  }
}

function lineMs({ baud, packets }: Cell): number {
  const byteMs = (1000 * BITS_PER_BYTE) / baud;
  return packets * byteMs * Math.min(PACKET_BYTES_MAX, Math.max(PACKET_BYTES_MIN, PACKET_MS / byteMs));
}

/** In pieces: a run of the clock ends as a livelock after some million events. */
function run({ world }: LinkWorld, ms: number): void {
  const endMs = world.nowMs + ms;
  while (world.nowMs < endMs) world.run(Math.min(endMs, world.nowMs + STEP_MS));
}

function sent({ device }: LinkWorld): Pick<Counted, 'packets' | 'lineBytes' | 'lost'> {
  const counters = device.link.counters();
  return { packets: counters.packetsSent ?? 0, lineBytes: counters.bytesSent ?? 0, lost: counters.packetsLost ?? 0 };
}
