/**
 * How long an urgent message takes at 115,200 baud while a megabyte of bulk is waiting for the same line: from the call that sends it
 * to the instant at which it is durable at the gateway. A write to either disk takes 1 ms, which counts.
 */
import { bodyOf, LinkWorld } from '../../hardware-sim/link-world.ts';

export interface Urgent {
  /** The worst of all but the first. */
  readonly ms: number;
  readonly medianMs: number;
  /** The first of its stream: the stream has to be declared, and that answered, before it. */
  readonly firstMs: number;
  /** What the ideal packet of that message takes on the line: its 61 bytes and ten around them. */
  readonly ownMs: number;
}

export interface UrgentJob {
  readonly seed: number;
  readonly messages: number;
}

const BAUD = 115_200;
const DELAY_MS = 1;
const BODY_BYTES = 61;
const AROUND_BYTES = 10;
const BYTE_MS = 10_000 / BAUD;
const URGENT = 7;
const BULK = 3;
const BULK_BODY_BYTES = 1024;
const BULK_COUNT = 1024;
const RING_BYTES = 4110 * 4096;
/** Between two urgent messages: the line is all bulk again. */
const PAUSE_MS_MIN = 150;
const PAUSE_MS_SPREAD = 400;
/** No healthy link comes near. */
const MS_MAX = 60_000;

export function measureUrgent({ seed, messages }: UrgentJob): Urgent {
  const queues = ['bags', 'alarms'].map((name) => ({ name, bytesLimit: 2_000_000 }));
  const world = new LinkWorld({ seed, baud: BAUD, delayMs: DELAY_MS, queues, ringBytes: RING_BYTES, accounts: 'none' });
  world.start();
  const took: number[] = [];
  for (let i = 0; i < messages; i++) {
    fill(world, i);
    world.run(PAUSE_MS_MIN + world.random.next() * PAUSE_MS_SPREAD);
    fill(world, i);
    const before = world.gateway.count('alarms');
    world.device.send('gateway/alarms', bodyOf(i, BODY_BYTES), URGENT);
    took.push(world.until(() => world.gateway.count('alarms') > before, MS_MAX));
    world.gateway.consume('bags', Number.MAX_SAFE_INTEGER);
    world.gateway.consume('alarms', Number.MAX_SAFE_INTEGER);
  }
  const [firstMs = 0, ...later] = took;
  later.sort((a, b) => a - b);
  return {
    ms: later.at(-1) ?? 0,
    medianMs: later[later.length >> 1] ?? 0,
    firstMs,
    ownMs: (BODY_BYTES + AROUND_BYTES) * BYTE_MS,
  };
}

/** A megabyte of bodies, stored and waiting. */
function fill({ device }: LinkWorld, seed: number): void {
  while (device.outgoingCount + device.pendingCount < BULK_COUNT) {
    if (!device.send('gateway/bags', bodyOf(seed, BULK_BODY_BYTES), BULK)) return;
  }
}
