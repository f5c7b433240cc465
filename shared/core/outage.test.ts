/** The way to the centre is gone while an application goes on sending: the ring fills and nothing else does; then all of it arrives. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeEach, expect, test } from 'vitest';
import { type Prng, stream } from '../../hardware-sim/random.ts';
import { SimBroker } from '../../hardware-sim/sim-broker.ts';
import { SimLink } from '../../hardware-sim/sim-link.ts';
import { SimNode, type SimNodeOptions } from '../../hardware-sim/sim-node.ts';
import { World } from '../../hardware-sim/world.ts';
import { fromUtf8, toUtf8 } from '../bytes.ts';
import type { CallResult } from './calls.ts';
import type { NodeConfig } from './node-io.ts';

const MINUTE_MS = 60_000;
const HEAP_GROWTH_BYTES_MAX = 8 * 1024 * 1024;
/** Ten minutes of waiting are a few looks a second, not a loop. */
const STEPS_PER_MINUTE_MAX = 2_000;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const random = (name: string): Prng => stream('outage', name);

let world: World;
let arrived: Set<string>;
let repeated: number;
beforeEach(() => {
  world = new World(random('scheduler'));
  arrived = new Set();
  repeated = 0;
});

/** A node that sends to a central, and what becomes of the way there. */
interface Outage {
  readonly sender: SimNode;
  readonly strike: () => void;
  readonly heal: () => void;
}

function simNode(config: Partial<NodeConfig> & { name: string }, how: Partial<SimNodeOptions> = {}): SimNode {
  const whole: NodeConfig = {
    queues: [],
    unknownQueue: 'refuse',
    queueBytesLimit: 100_000,
    uplink: 'none',
    central: 'central',
    isCentral: 'no',
    partitionCount: 1,
    commitDelayMs: 0,
    home: undefined,
    ...config,
  };
  const node = new SimNode({ world, config: whole, random: random(config.name), syncMsMax: 5, ...how });
  node.start();
  return node;
}

/** The application at the centre: takes and acknowledges whatever comes. */
function consume(node: SimNode): void {
  node.call({ verb: 'receive', queue: 'bags', waitMs: 60_000, leaseMs: 60_000 }, (result) => {
    if (result.kind !== 'received') return void world.after(10, () => consume(node));
    const { message, lease } = result.received;
    const text = (fromUtf8(message.body) ?? '').trimEnd();
    if (arrived.has(text)) repeated += 1;
    arrived.add(text);
    node.call({ verb: 'ack', lease }, () => consume(node));
  });
}

const QUEUES = [{ name: 'bags', bytesLimit: 300_000 }];

const OUTAGES: Record<string, () => Outage> = {
  'the broker is away': () => {
    const broker = new SimBroker({ scheduler: world, random: random('broker') });
    const connect = (name: string) => ({ connectBroker: () => broker.connect(name) });
    simNode({ name: 'central', isCentral: 'yes', queues: QUEUES }, { ...connect('central'), onServing: consume });
    const sender = simNode({ name: 'sender', uplink: 'mqtt' }, connect('sender'));
    return { sender, strike: () => broker.restart(Number.MAX_SAFE_INTEGER), heal: () => broker.restart(0) };
  },
  'the line is unplugged': () => {
    const central = simNode({ name: 'central', queues: QUEUES }, { onServing: consume });
    const sender = simNode({ name: 'sender', uplink: 'link' });
    const link = new SimLink({ world, random: random('line'), dials: sender, accepts: central });
    return { sender, strike: () => link.unplug(), heal: () => link.plug() };
  },
};

async function send(node: SimNode, text: string): Promise<string | undefined> {
  let answer: CallResult | undefined;
  const body = toUtf8(text.padEnd(2_000));
  node.call({ verb: 'send', destination: 'central/bags', body, properties: {} }, (result) => {
    answer = result;
  });
  await world.run(world.nowMs + 5_000, () => answer !== undefined);
  return answer?.kind === 'error' ? answer.error.code : answer?.kind;
}

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

test.each(Object.entries(OUTAGES))(
  '%s: senders are refused, nothing grows, and afterwards everything arrives once',
  async (_name, begin) => {
    const { sender, strike, heal } = begin();
    await world.run(world.nowMs + 1_000);
    expect(await send(sender, 'before')).toBe('sent');
    await world.run(world.nowMs + 10_000);
    expect(arrived.size).toBe(1);
    strike();
    const accepted = ['before'];
    let refusal: string | undefined;
    for (let i = 0; refusal === undefined; i++) {
      const answer = await send(sender, `m-${i}`);
      if (answer === 'sent') accepted.push(`m-${i}`);
      else refusal = answer;
    }
    expect(refusal).toBe('QUEUE_FULL');
    expect(accepted.length).toBeGreaterThan(200);

    const minute = async (): Promise<{ heap: number; steps: number; frames: number }> => {
      const { steps } = world;
      const frames = sender.stats()?.ring.framesWritten ?? 0;
      for (let second = 0; second < 60; second += 10) {
        expect(await send(sender, 'no room')).toBe('QUEUE_FULL');
        await world.run(world.nowMs + MINUTE_MS / 6);
      }
      expect(sender.disk.pending.length).toBeLessThanOrEqual(1);
      return { heap: heapBytes(), steps: world.steps - steps, frames: (sender.stats()?.ring.framesWritten ?? 0) - frames };
    };
    const first = await minute();
    let last = first;
    for (let i = 2; i <= 10; i++) last = await minute();
    expect(last.heap - first.heap).toBeLessThan(HEAP_GROWTH_BYTES_MAX);
    expect(last.steps).toBeLessThan(STEPS_PER_MINUTE_MAX);
    expect(last.frames).toBe(0);
    const held = sender.stats()?.outgoing.reduce((sum, out) => sum + out.held, 0);
    expect([held, sender.stats()?.health.status, arrived.size]).toEqual([accepted.length - 1, 'red', 1]);

    heal();
    await world.run(world.nowMs + 10 * MINUTE_MS, () => arrived.size === accepted.length);
    await world.run(world.nowMs + 5_000);
    expect([...arrived].sort()).toEqual([...accepted].sort());
    expect(repeated).toBe(0);
    expect(sender.stats()?.outgoing.reduce((sum, out) => sum + out.held, 0)).toBe(0);
    expect(sender.stats()?.health.status).toBe('green');
    expect(await send(sender, 'room again')).toBe('sent');
  },
);
