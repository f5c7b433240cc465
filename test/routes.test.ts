/** Routes where messages come by custody: exactly once at each place, in order, whatever fails, and nobody held up by who is away. */
import { expect, test } from 'vitest';
import type { SimNode } from '../hardware-sim/sim-node.ts';
import type { Properties } from '../shared/message/message.ts';
import type { Route } from '../shared/queue/routes.ts';
import { Chain } from './acceptance/chain.ts';

const QUEUES = ['scans', 'display', 'bags', 'echo'].map((name) => ({ name, bytesLimit: 400_000 }));
const BYTES = 600;

interface Site {
  readonly chain: Chain;
  readonly device: SimNode;
  readonly gateway: SimNode;
}

/** A device below a gateway with these routes; no central yet. */
async function site(seed: string, routes: readonly Route[], how: { routesOfDevice?: readonly Route[] } = {}): Promise<Site> {
  const chain = new Chain(seed);
  const gateway = chain.node('gateway', { uplink: 'mqtt', config: { queues: QUEUES, routes } });
  const device = chain.node('device', { uplink: 'link', config: { queues: QUEUES, routes: how.routesOfDevice ?? [] } });
  chain.link(device, gateway);
  await chain.pass(3_000);
  return { chain, device, gateway };
}

const central = (chain: Chain): SimNode => chain.node('central', { config: { queues: QUEUES } });

async function send(chain: Chain, node: SimNode, text: string, properties: Properties = {}): Promise<string> {
  const result = await chain.send(node, 'gateway/scans', text.padEnd(BYTES), properties);
  return result;
}

/** The first word of each that is ready. */
async function words(chain: Chain, node: SimNode, queue: string): Promise<string[]> {
  return (await chain.texts(node, queue)).map((text) => text.trimEnd());
}

const texts = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `m${from + i}`);

test('what comes by custody is a new message at each place, and its sender hears of the one that it sent', async () => {
  const { chain, device, gateway } = await site('custody', [
    { from: 'scans', source: 'device*', to: ['display', 'central/bags'], priority: 5, timeToBeReceivedMs: 90_000 },
  ]);
  const there = central(chain);
  const identity = await send(chain, device, 'm', { acknowledge: 'full', label: 'x' });
  await chain.pass(5_000);
  const [here, far] = [await chain.receive(gateway, 'display'), await chain.receive(there, 'bags')];
  for (const got of [here, far])
    expect(got?.message).toMatchObject({ previous: identity, label: 'x', priority: 5, timeToBeReceivedMs: 90_000 });
  expect([here?.message.identity.origin, far?.message.identity.destination]).toEqual(['gateway', 'central/bags']);
  expect([here?.message.acknowledge, far?.hop.count]).toEqual([undefined, 2]);
  const told = [await chain.receive(device, '$admin'), await chain.receive(device, '$admin')];
  expect(told.map((word) => [word?.message.label, word?.message.correlationId])).toEqual([
    ['ACK_REACH_QUEUE', identity],
    ['ACK_RECEIVE', identity],
  ]);
});

test('wherever the power goes, each is at each place once and in order', async () => {
  for (let ms = 0; ms < 40; ms += 3) {
    const { chain, device, gateway } = await site(`cut ${ms}`, [{ from: 'scans', to: ['scans', 'display', 'central/bags'] }]);
    const there = central(chain);
    await chain.pass(3_000);
    for (const text of texts(0, 4)) void send(chain, device, text);
    await chain.pass(ms);
    gateway.powerCut();
    gateway.start();
    for (const text of texts(4, 6)) await send(chain, device, text);
    await chain.pass(20_000);
    for (const [node, queue] of [
      [gateway, 'scans'],
      [gateway, 'display'],
      [there, 'bags'],
    ] as const)
      expect(await words(chain, node, queue), `${ms} ms, ${queue}`).toEqual(texts(0, 6));
  }
});

test('a place that is away for an hour holds back none of the others, and gets all of it then', async () => {
  const { chain, device, gateway } = await site('an hour', [{ from: 'scans', to: ['display', 'central/bags'] }]);
  const seen: string[] = [];
  for (let minute = 0; minute < 60; minute++) {
    await send(chain, device, `m${minute}`);
    await chain.pass(60_000);
    seen.push(...(await words(chain, gateway, 'display')));
  }
  expect(seen).toEqual(texts(0, 60));
  const there = central(chain);
  await chain.pass(60_000);
  expect(await words(chain, there, 'bags')).toEqual(texts(0, 60));
});

test('a place that is full makes the stream wait, and nothing is lost or comes twice', async () => {
  const { chain, device, gateway } = await site('full', [{ from: 'scans', to: ['small', 'display'] }], {});
  await chain.ask(gateway, { verb: 'createQueue', queue: 'small', options: { bytesLimit: 2_000 } });
  for (const text of texts(0, 12)) await send(chain, device, text);
  await chain.pass(20_000);
  const small: string[] = [];
  const display: string[] = await words(chain, gateway, 'display');
  expect(display.length).toBeLessThan(4);
  for (let i = 0; i < 12; i++) {
    small.push(...(await words(chain, gateway, 'small')));
    await chain.pass(60_000);
    display.push(...(await words(chain, gateway, 'display')));
  }
  expect([small, display]).toEqual([texts(0, 12), texts(0, 12)]);
});

test('a circle over two nodes ends after 15 hops, with a letter', async () => {
  const { chain, device, gateway } = await site('circle', [{ from: 'scans', to: ['device/echo'] }], {
    routesOfDevice: [{ from: 'echo', to: ['gateway/scans'] }],
  });
  await send(chain, device, 'm');
  await chain.pass(60_000);
  const letters = [await chain.receive(gateway, '$dead'), await chain.receive(device, '$dead')].filter(
    (one) => one !== undefined,
  );
  expect(letters.map((letter) => letter.message.history?.map((step) => step.class))).toEqual([['HOP_COUNT_EXCEEDED']]);
});
