/** Messages that waited for a connection: told from what is new, held up by nothing, and let in as their queue says. Whole nodes, in virtual time. */
import { beforeEach, describe, expect, test } from 'vitest';
import { type Prng, stream } from '../hardware-sim/random.ts';
import { SimLink } from '../hardware-sim/sim-link.ts';
import { SimNode } from '../hardware-sim/sim-node.ts';
import { World } from '../hardware-sim/world.ts';
import { fromUtf8, toUtf8 } from '../shared/bytes.ts';
import type { Call, CallResult, Received } from '../shared/core/calls.ts';
import type { Replay } from '../shared/queue/queue-options.ts';

const DEVICE = 'device-1';
const GATEWAY = 'gateway-1';

let world: World;
beforeEach(() => {
  world = new World(random('scheduler'));
});

const random = (name: string): Prng => stream('replay', name);

function nodeOf(name: string, uplink: 'none' | 'link', replay: Replay = 'all'): SimNode {
  const queues = ['commands', 'others'].map((queue) => ({ name: queue, bytesLimit: 400_000, replay }));
  const config = {
    name,
    queues,
    unknownQueue: 'refuse' as const,
    queueBytesLimit: 100_000,
    uplink,
    central: 'central',
    isCentral: 'no' as const,
    partitionCount: 1,
    commitDelayMs: 0,
    home: undefined,
  };
  const node = new SimNode({ world, config, random: random(name), syncMsMax: 5 });
  node.start();
  return node;
}

const pass = (ms: number): Promise<void> => world.run(world.nowMs + ms);

async function ask(node: SimNode, call: Call): Promise<CallResult | undefined> {
  let answer: CallResult | undefined;
  node.call(call, (result) => {
    answer = result;
  });
  await world.run(world.nowMs + 5_000, () => answer !== undefined);
  return answer;
}

async function send(node: SimNode, destination: string, ...texts: string[]): Promise<void> {
  for (const text of texts) {
    const sent = await ask(node, { verb: 'send', destination, body: toUtf8(text), properties: {} });
    expect(sent).toMatchObject({ kind: 'sent' });
  }
}

async function drain(node: SimNode, queue = 'commands'): Promise<Received[]> {
  const all: Received[] = [];
  for (;;) {
    const got = await ask(node, { verb: 'receive', queue, waitMs: 0, leaseMs: 5_000 });
    if (got?.kind !== 'received') return all;
    all.push(got.received);
    await ask(node, { verb: 'ack', lease: got.received.lease });
  }
}

const textOf = ({ message }: Received): string => fromUtf8(message.body) ?? '';
const shown = (all: readonly Received[]): string[] =>
  all.map((one) => `${textOf(one)}${one.hop.replayed === true ? ', replayed' : ''}`);

/** A device that was below the gateway before, and is away. */
async function away(replay: Replay = 'all'): Promise<{ device: SimNode; gateway: SimNode; link: SimLink }> {
  const device = nodeOf(DEVICE, 'link', replay);
  const gateway = nodeOf(GATEWAY, 'none', replay);
  const link = new SimLink({ world, random: random('line'), dials: device, accepts: gateway, baud: 115_200 });
  await pass(5_000);
  await send(gateway, `${DEVICE}/others`, 'so that it is known to be below');
  await pass(2_000);
  link.unplug();
  await pass(1_000);
  return { device, gateway, link };
}

describe('what waited for a connection', () => {
  test('says so, and what came with the line up does not', async () => {
    const { device, gateway, link } = await away();
    await send(gateway, `${DEVICE}/commands`, 'old 1', 'old 2');
    link.plug();
    await pass(5_000);
    await send(gateway, `${DEVICE}/commands`, 'new');
    await pass(2_000);
    expect(shown(await drain(device))).toEqual(['old 1, replayed', 'old 2, replayed', 'new']);
    expect(shown(await drain(device, 'others'))).toEqual(['so that it is known to be below']);
  });

  test('is not let in where its queue takes none that waited: a dead letter with the reason, and the stream goes on', async () => {
    const { device, gateway, link } = await away('never');
    await send(gateway, `${DEVICE}/commands`, 'old 1', 'old 2');
    link.plug();
    await pass(5_000);
    await send(gateway, `${DEVICE}/commands`, 'new');
    await pass(2_000);
    expect(shown(await drain(device))).toEqual(['new']);
    const letters = await drain(device, '$dead');
    expect(letters.map((letter) => [textOf(letter), letter.message.history?.at(-1)?.class])).toEqual([
      ['old 1', 'NOT_REPLAYED'],
      ['old 2', 'NOT_REPLAYED'],
    ]);
    expect(device.stats()?.accounts).toMatchObject([{ class: 'NOT_REPLAYED', count: 2 }]);
  });

  test('makes room for the newest where its queue keeps the latest alone; what somebody has in his hands stays', async () => {
    const { device, gateway, link } = await away('latest');
    await send(gateway, `${DEVICE}/commands`, 'in hand');
    link.plug();
    await pass(5_000);
    const inHand = await ask(device, { verb: 'receive', queue: 'commands', waitMs: 0, leaseMs: 600_000 });
    link.unplug();
    await pass(1_000);
    await send(gateway, `${DEVICE}/commands`, 'old 1', 'old 2', 'old 3');
    link.plug();
    await pass(5_000);
    expect(shown(await drain(device))).toEqual(['old 3, replayed']);
    expect(inHand?.kind === 'received' && textOf(inHand.received)).toBe('in hand');
    expect(device.stats()?.accounts).toMatchObject([{ class: 'SUPERSEDED', count: 2 }]);
    device.powerCut();
    device.start();
    await pass(1_000);
    expect(shown(await drain(device))).toEqual(['in hand, replayed']);
    expect(device.stats()?.accounts).toMatchObject([{ class: 'SUPERSEDED', count: 2 }]);
  });
});

test('a backlog does not hold up what is new in another stream of the same priority', async () => {
  const { device, gateway, link } = await away();
  const body = 'x'.repeat(900);
  await send(gateway, `${DEVICE}/commands`, ...Array.from({ length: 200 }, () => body));
  link.plug();
  await pass(3_000);
  const begunMs = world.nowMs;
  await send(gateway, `${DEVICE}/others`, 'news');
  await world.run(world.nowMs + 60_000, () => (device.stats()?.queues.find(({ name }) => name === 'others')?.arrived ?? 0) >= 2);
  const newsMs = world.nowMs - begunMs;
  const waiting = (gateway.stats()?.outgoing ?? []).reduce((sum, { held }) => sum + held, 0);
  // 200 of them are 16 s of this line; the news went between two of them.
  expect(waiting).toBeGreaterThan(50);
  expect(newsMs).toBeLessThan(1_500);
  await pass(60_000);
  expect((await drain(device)).length).toBe(200);
});
