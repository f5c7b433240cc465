/** A message that is larger than all its destination may ever hold: it ends there, counted, and the stream goes on behind it. */
import { expect, test } from 'vitest';
import { LARGE_RING_BYTES } from '../../hardware-sim/link-world.ts';
import { stream } from '../../hardware-sim/random.ts';
import { SimBroker } from '../../hardware-sim/sim-broker.ts';
import { SimLink } from '../../hardware-sim/sim-link.ts';
import { SimNode } from '../../hardware-sim/sim-node.ts';
import { World } from '../../hardware-sim/world.ts';
import { fromUtf8, toUtf8 } from '../bytes.ts';
import type { Call, CallResult, Received } from './calls.ts';
import type { NodeConfig } from './node-io.ts';

const LIMIT = 2_000;

test.each<['link' | 'mqtt', 'wait' | 'dead-letter']>([
  ['link', 'wait'],
  ['link', 'dead-letter'],
  ['mqtt', 'wait'],
  ['mqtt', 'dead-letter'],
])('over %s, into a queue that says %s when it is full', async (carrier, remoteWhenFull) => {
  const random = (name: string) => stream(`never fits ${carrier}`, name);
  const world = new World(random('scheduler'), 'when-due');
  const broker = new SimBroker({ scheduler: world, random: random('broker') });
  const node = (name: string, how: Partial<NodeConfig>): SimNode => {
    const connectBroker = () => broker.connect(name);
    const isOnBroker = carrier === 'mqtt';
    const options = { world, random: random(name), syncMsMax: 5, ...(isOnBroker && { connectBroker }) };
    return new SimNode({ ...options, config: { ...CONFIG, name, ...how } });
  };
  const ask = async (whom: SimNode, call: Call): Promise<CallResult | undefined> => {
    let answer: CallResult | undefined;
    whom.call(call, (result) => {
      answer = result;
    });
    await world.run(world.nowMs + 60_000, () => answer !== undefined);
    return answer;
  };
  const take = async (queue: string): Promise<Received | undefined> => {
    const got = await ask(central, { verb: 'receive', queue, waitMs: 30_000, leaseMs: 60_000 });
    if (got?.kind !== 'received') return undefined;
    await ask(central, { verb: 'ack', lease: got.received.lease });
    return got.received;
  };

  const queues = [{ name: 'bags', bytesLimit: LIMIT, remoteWhenFull }];
  const central = node('central', { queues, isCentral: carrier === 'mqtt' ? 'yes' : 'no' });
  const device = node('device', { uplink: carrier });
  central.start();
  device.start();
  await world.run(world.nowMs + 1_000, () => device.isServing && central.isServing);
  const large = 'large '.padEnd(LIMIT, '.');
  for (const text of ['before', large, 'behind-1', 'behind-2']) {
    const call = { verb: 'send' as const, destination: 'central/bags', body: toUtf8(text), properties: {} };
    expect(await ask(device, call)).toMatchObject({ kind: 'sent' });
  }
  if (carrier === 'link') new SimLink({ world, random: random('line'), dials: device, accepts: central });

  const texts: (string | undefined)[] = [];
  for (let i = 0; i < 3; i++) texts.push(fromUtf8((await take('bags'))?.message.body ?? toUtf8('nothing')));
  expect(texts).toEqual(['before', 'behind-1', 'behind-2']);
  const letter = await take('$dead');
  expect(letter?.message.history).toMatchObject([{ class: 'TOO_LARGE', node: 'central' }]);
  expect(fromUtf8(letter?.message.body ?? new Uint8Array(0))).toBe(large);
  expect(central.stats()?.accounts).toMatchObject([{ class: 'TOO_LARGE', count: 1, stream: { destination: 'central/bags' } }]);
  await world.run(world.nowMs + 10_000);
  expect(
    device
      .stats()
      ?.outgoing.map(({ held }) => held)
      .some((count) => count > 0),
  ).toBe(false);
});

test('larger than the ring of a gateway on its way: it ends where it lies, and the centre has the account', async () => {
  const random = (name: string) => stream('refused on its way', name);
  const world = new World(random('scheduler'), 'when-due');
  const broker = new SimBroker({ scheduler: world, random: random('broker') });
  const node = (name: string, how: Partial<NodeConfig>, others: { ringBytes?: number; isOnBroker?: 'yes' } = {}): SimNode => {
    const { ringBytes, isOnBroker } = others;
    const optional = {
      ...(ringBytes !== undefined && { ringBytes }),
      ...(isOnBroker && { connectBroker: () => broker.connect(name) }),
    };
    return new SimNode({ world, random: random(name), syncMsMax: 5, ...optional, config: { ...CONFIG, name, ...how } });
  };
  const queues = [{ name: 'bags', bytesLimit: 400_000 }];
  const central = node('central', { queues, isCentral: 'yes' }, { isOnBroker: 'yes', ringBytes: LARGE_RING_BYTES });
  const gateway = node('gateway', { uplink: 'mqtt' }, { isOnBroker: 'yes' });
  const device = node('device', { uplink: 'link' }, { ringBytes: LARGE_RING_BYTES });
  const nodes = [central, gateway, device];
  for (const one of nodes) one.start();
  await world.run(world.nowMs + 1_000, () => nodes.every((one) => one.isServing));
  const large = 'large '.padEnd(60_000, '.');
  const answers: CallResult[] = [];
  for (const text of ['before', large, 'behind']) {
    device.call({ verb: 'send', destination: 'central/bags', body: toUtf8(text), properties: {} }, (result) =>
      answers.push(result),
    );
  }
  await world.run(world.nowMs + 1_000, () => answers.length === 3);
  expect(answers.map(({ kind }) => kind)).toEqual(['sent', 'sent', 'sent']);
  new SimLink({ world, random: random('line'), dials: device, accepts: gateway });

  const isOver = () =>
    central.stats()?.accounts.length === 1 && central.stats()?.queues.some(({ ready }) => ready === 2) === true;
  await world.run(world.nowMs + 60_000, isOver);
  expect(central.stats()?.accounts).toMatchObject([{ class: 'REJECTED', count: 1, stream: { origin: 'device' } }]);
  for (const one of [gateway, device]) expect(one.stats()?.accounts).toEqual([]);
  const letters: CallResult[] = [];
  device.call({ verb: 'receive', queue: '$dead', waitMs: 0, leaseMs: 60_000 }, (result) => letters.push(result));
  await world.run(world.nowMs + 1_000, () => letters.length === 1);
  const [letter] = letters;
  expect(letter?.kind === 'received' && fromUtf8(letter.received.message.body)).toBe(large);
  expect(letter?.kind === 'received' && letter.received.message.history).toEqual([
    { class: 'TOO_LARGE', node: 'device', reason: 'refused by gateway' },
  ]);
});

const CONFIG: NodeConfig = {
  name: '',
  queues: [],
  unknownQueue: 'refuse',
  queueBytesLimit: 100_000,
  uplink: 'none',
  central: 'central',
  isCentral: 'no',
  partitionCount: 1,
  commitDelayMs: 0,
  home: undefined,
};
