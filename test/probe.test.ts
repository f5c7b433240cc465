/** Where a message is, and whether a node can be reached: asked along the way, over links and MQTT. Whole nodes, in virtual time. */
import { beforeEach, describe, expect, test } from 'vitest';
import { type Prng, stream } from '../hardware-sim/random.ts';
import { SimLink } from '../hardware-sim/sim-link.ts';
import { SimNode } from '../hardware-sim/sim-node.ts';
import { World } from '../hardware-sim/world.ts';
import { toUtf8 } from '../shared/bytes.ts';
import type { Call, CallResult, ProbeAnswer } from '../shared/core/calls.ts';
import { custodyOf } from '../shared/core/whereabouts.ts';

let world: World;
let device: SimNode;
let gateway: SimNode;
let centre: SimNode;
let lower: SimLink;
let upper: SimLink;

const random = (name: string): Prng => stream('probe', name);

function nodeOf(name: string, uplink: 'none' | 'link'): SimNode {
  const config = {
    name,
    queues: [{ name: 'bags', bytesLimit: 100_000 }],
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

beforeEach(async () => {
  world = new World(random('scheduler'));
  device = nodeOf('device-1', 'link');
  gateway = nodeOf('gateway-1', 'link');
  centre = nodeOf('central', 'none');
  lower = new SimLink({ world, random: random('lower'), dials: device, accepts: gateway, baud: 115_200 });
  upper = new SimLink({ world, random: random('upper'), dials: gateway, accepts: centre });
  await pass(3_000);
});

const pass = (ms: number): Promise<void> => world.run(world.nowMs + ms);

async function ask(node: SimNode, call: Call): Promise<CallResult | undefined> {
  let answer: CallResult | undefined;
  node.call(call, (result) => {
    answer = result;
  });
  await world.run(world.nowMs + 120_000, () => answer !== undefined);
  return answer;
}

async function probe(
  node: SimNode,
  call: { about: 'node'; node: string } | { about: 'message'; identity: string },
  waitMs = 5_000,
) {
  const result = await ask(node, { verb: 'probe', ...call, waitMs });
  return result?.kind === 'probed' ? result.answers : undefined;
}

async function send(node: SimNode, destination: string): Promise<string> {
  const sent = await ask(node, { verb: 'send', destination, body: toUtf8('x'), properties: {} });
  return sent?.kind === 'sent' ? sent.identity : '';
}

const shown = (answers: readonly ProbeAnswer[] | undefined): string[] =>
  (answers ?? []).map(({ node, at, next, hops }) => `${node} ${hops} ${at}${next ? ` ${next}` : ''}`);

describe('a ping', () => {
  test('is answered by every node on the way, and by the one it is for', async () => {
    expect(shown(await probe(device, { about: 'node', node: 'central' }))).toEqual(['gateway-1 0 passed', 'central 1 reached']);
    expect(shown(await probe(centre, { about: 'node', node: 'device-1' }))).toEqual(['gateway-1 0 passed', 'device-1 1 reached']);
  });

  test('says within its time how far it came, and what comes later is consumed and hurts nobody', async () => {
    upper.unplug();
    await pass(1_000);
    expect(shown(await probe(device, { about: 'node', node: 'central' }))).toEqual(['gateway-1 0 passed']);
    upper.plug();
    await pass(10_000);
    const counters = device.stats()?.counters;
    expect(counters).toMatchObject({ nodeWordsUnknown: 0, nodeWordsMalformed: 0 });
  });

  test('of this node is answered at once, of one that no way leads to it is refused', async () => {
    expect(shown(await probe(centre, { about: 'node', node: 'central' }))).toEqual(['central 0 reached']);
    expect(await ask(centre, { verb: 'probe', about: 'node', node: 'nowhere', waitMs: 100 })).toMatchObject({
      kind: 'error',
      error: { code: 'ROUTE_NOT_FOUND' },
    });
  });
});

describe('a trace', () => {
  test('follows the message from disk to disk', async () => {
    lower.unplug();
    await pass(500);
    const identity = await send(device, 'central/bags');
    const trace = async () => custodyOf((await probe(device, { about: 'message', identity })) ?? []);
    expect(await trace()).toBe('stored@device-1');
    upper.unplug();
    lower.plug();
    await pass(3_000);
    expect(await trace()).toBe('stored@gateway-1');
    upper.plug();
    await pass(3_000);
    expect(await trace()).toBe('stored@central');
    const got = await ask(centre, { verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 60_000 });
    expect(shown(await probe(device, { about: 'message', identity }))).toEqual([
      'device-1 0 handed-over gateway-1',
      'gateway-1 0 handed-over central',
      'central 1 leased',
    ]);
    if (got?.kind === 'received') await ask(centre, { verb: 'ack', lease: got.received.lease });
    expect(await trace()).toBe('received');
  });

  test('names the node that had it last when nobody further answers', async () => {
    const identity = await send(device, 'central/bags');
    await pass(2_000);
    expect(custodyOf((await probe(centre, { about: 'message', identity })) ?? [])).toBe('stored@central');
    upper.unplug();
    await pass(1_000);
    expect(custodyOf((await probe(device, { about: 'message', identity })) ?? [])).toBe('handed-over@central');
  });

  test('says that a message ended, and what its stream lost', async () => {
    const call = {
      verb: 'send',
      destination: 'central/bags',
      body: toUtf8('x'),
      properties: { timeToBeReceivedMs: 5_000 },
    } as const;
    const sent = await ask(device, call);
    await pass(20_000);
    const answers = await probe(device, { about: 'message', identity: sent?.kind === 'sent' ? sent.identity : '' });
    expect(answers?.at(-1)).toMatchObject({ node: 'central', at: 'ended', losses: ['RECEIVE_TIMEOUT 1'] });
  });

  test('of what is no identity is refused, and of what nobody knows is unknown', async () => {
    expect(await ask(device, { verb: 'probe', about: 'message', identity: 'x', waitMs: 1 })).toMatchObject({
      error: { code: 'PROPERTY_INVALID' },
    });
    const identity = 'device-1:0011223344556677:central/bags:3:1';
    expect(custodyOf((await probe(device, { about: 'message', identity })) ?? [])).toBe('unknown');
  });
});
