/** A whole node in virtual time over a simulated disk: leases, priorities, refusals, and a disk that fails. */
import { beforeEach, describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { SimNode } from '../../hardware-sim/sim-node.ts';
import { World } from '../../hardware-sim/world.ts';
import { fromUtf8, toUtf8 } from '../bytes.ts';
import type { Broker } from '../ports.ts';
import type { Call, CallResult, Received } from './calls.ts';
import type { NodeConfig } from './node-io.ts';

const CONFIG: NodeConfig = {
  name: 'box-1',
  queues: [{ name: 'bags', bytesLimit: 20_000 }],
  unknownQueue: 'refuse',
  queueBytesLimit: 20_000,
  uplink: 'none',
  central: 'central',
  isCentral: 'no',
  partitionCount: 1,
  commitDelayMs: 0,
  home: undefined,
};

let world: World;
let node: SimNode;

beforeEach(async () => {
  world = new World(stream('node-core', 'scheduler'));
  node = new SimNode({ world, config: CONFIG, random: stream('node-core', 'node'), syncMsMax: 5 });
  node.start();
  await world.run(world.nowMs + 200);
  expect(node.isServing).toBe(true);
});

/** Asks, and lets time pass until it is answered; undefined when the node lost power first. */
async function ask(call: Call, withinMs = 1_000): Promise<CallResult | undefined> {
  let answer: CallResult | undefined;
  node.call(call, (result) => {
    answer = result;
  });
  await world.run(world.nowMs + withinMs, () => answer !== undefined);
  return answer;
}

function send(text: string, priority = 3): Promise<CallResult | undefined> {
  return ask({ verb: 'send', destination: 'bags', body: toUtf8(text), properties: { priority } });
}

async function receive(leaseMs = 1_000, waitMs = 0): Promise<Received | undefined> {
  const result = await ask({ verb: 'receive', queue: 'bags', waitMs, leaseMs }, waitMs + 1_000);
  return result?.kind === 'received' ? result.received : undefined;
}

async function receiveText(): Promise<string | undefined> {
  const received = await receive();
  return received && fromUtf8(received.message.body);
}

function codeOf(result: CallResult | undefined): string | undefined {
  return result?.kind === 'error' ? result.error.code : result?.kind;
}

describe('receiving', () => {
  test('the most urgent first, then in order of arrival', async () => {
    for (const [text, priority] of [
      ['a', 3],
      ['b', 7],
      ['c', 0],
      ['d', 7],
      ['e', 3],
    ] as const)
      await send(text, priority);
    const got = [];
    for (let i = 0; i < 5; i++) got.push(await receiveText());
    expect(got).toEqual(['b', 'd', 'a', 'e', 'c']);
  });

  test('a leased message is nobody else’s', async () => {
    await send('a');
    expect(await receiveText()).toBe('a');
    expect(await receiveText()).toBeUndefined();
  });

  test('after its deadline it is there again, at its place, and counted', async () => {
    for (const text of ['a', 'b']) await send(text);
    await receive(500);
    await world.run(world.nowMs + 600);
    const again = await receive();
    expect([again && fromUtf8(again.message.body), again?.deliveryCount]).toEqual(['a', 2]);
  });

  test('after an acknowledgement it never comes again, not even after a power cut', async () => {
    await send('a');
    const got = await receive();
    expect(codeOf(await ask({ verb: 'ack', lease: got?.lease ?? '' }))).toBe('done');
    node.powerCut();
    node.start();
    await world.run(world.nowMs + 200);
    expect(await receiveText()).toBeUndefined();
  });

  test('unacknowledged, a power cut brings it back', async () => {
    await send('a');
    await receive();
    node.powerCut();
    node.start();
    await world.run(world.nowMs + 200);
    expect(await receiveText()).toBe('a');
  });

  test('a nack gives it back after its delay, not before', async () => {
    await send('a');
    const got = await receive(60_000);
    await ask({ verb: 'nack', lease: got?.lease ?? '', delayMs: 5_000 });
    await world.run(world.nowMs + 1_000);
    expect(await receiveText()).toBeUndefined();
    await world.run(world.nowMs + 5_000);
    expect(await receiveText()).toBe('a');
  });

  test('a lease that ended is refused by name', async () => {
    await send('a');
    const got = await receive(500);
    await world.run(world.nowMs + 600);
    expect(codeOf(await ask({ verb: 'ack', lease: got?.lease ?? '' }))).toBe('LEASE_UNKNOWN');
  });

  test('who waits is served when a message comes, and told when none does', async () => {
    const waiting = receive(1_000, 300);
    expect(await waiting).toBeUndefined();
    let served: CallResult | undefined;
    node.call({ verb: 'receive', queue: 'bags', waitMs: 10_000, leaseMs: 1_000 }, (result) => {
      served = result;
    });
    await world.run(world.nowMs + 100);
    await send('late');
    await world.run(world.nowMs + 100);
    expect(served?.kind).toBe('received');
  });

  test('given up by the application it is in $dead with its history, and nowhere else', async () => {
    await send('poison');
    const got = await receive();
    expect(codeOf(await ask({ verb: 'deadLetter', lease: got?.lease ?? '', reason: 'cannot read it' }))).toBe('done');
    node.powerCut();
    node.start();
    await world.run(world.nowMs + 200);
    expect(await receiveText()).toBeUndefined();
    const dead = await ask({ verb: 'receive', queue: '$dead', waitMs: 0, leaseMs: 1_000 });
    const message = dead?.kind === 'received' ? dead.received.message : undefined;
    expect(message?.history).toEqual([{ class: 'POISON', node: 'box-1', reason: 'cannot read it' }]);
    expect(message?.previous).toContain('box-1/bags:3:1');
  });
});

describe('sending', () => {
  test('is answered after the write, not before', async () => {
    let answeredMs = 0;
    node.disk.onPending = () => {};
    const askedMs = world.nowMs;
    node.call({ verb: 'send', destination: 'bags', body: toUtf8('a'), properties: {} }, () => {
      answeredMs = world.nowMs;
    });
    await world.run(world.nowMs + 5_000);
    expect(answeredMs).toBe(0);
    node.disk.step();
    await world.run(world.nowMs + 10);
    expect(answeredMs).toBeGreaterThan(askedMs + 4_000);
  });

  test.each<[string, string, object]>([
    ['QUEUE_NOT_FOUND', 'nothing', {}],
    ['NAME_INVALID', 'Bags', {}],
    ['ROUTE_NOT_FOUND', 'central/bags', {}],
    ['PROPERTY_INVALID', 'bags', { priority: 8 }],
    ['PROPERTY_INVALID', 'bags', { label: 'x'.repeat(300) }],
  ])('%s for %s %j', async (code, destination, properties) => {
    expect(codeOf(await ask({ verb: 'send', destination, body: toUtf8('a'), properties }))).toBe(code);
  });

  test('a full queue says so with its numbers, and takes again what fits', async () => {
    let result: CallResult | undefined;
    for (let i = 0; i < 30; i++) {
      result = await send('x'.repeat(1_000));
      if (result?.kind === 'error') break;
    }
    expect(result?.kind === 'error' && result.error.details).toMatchObject({ queue: 'bags', bytesLimit: 20_000 });
    const got = await receive();
    await ask({ verb: 'ack', lease: got?.lease ?? '' });
    expect((await send('x'.repeat(900)))?.kind).toBe('sent');
  });

  test('a message no frame can hold is refused for good', async () => {
    expect(codeOf(await send('x'.repeat(60_000)))).toBe('MESSAGE_TOO_LARGE');
  });
});

describe('a write that fails', () => {
  test('leaves the send in doubt, never "not stored"; the store opens anew, and the message is there or not, never half', async () => {
    await send('before');
    node.disk.failNextSync();
    expect(codeOf(await send('doubtful'))).toBe('IN_DOUBT');
    await world.run(world.nowMs + 1_000);
    expect([node.isServing, node.openings]).toEqual([true, 2]);
    await send('after');
    const got = [await receiveText(), await receiveText(), await receiveText()].filter((text) => text !== undefined);
    expect(got.filter((text) => text !== 'doubtful')).toEqual(['before', 'after']);
  });

  test('what waited behind it was not written, and is told so', async () => {
    node.disk.onPending = () => {};
    const codes: (string | undefined)[] = [];
    const sendNow = (text: string) =>
      node.call({ verb: 'send', destination: 'bags', body: toUtf8(text), properties: {} }, (result) =>
        codes.push(codeOf(result)),
      );
    sendNow('first');
    await world.run(world.nowMs + 10);
    sendNow('second');
    await world.run(world.nowMs + 10);
    node.disk.failNextSync();
    node.disk.step();
    await world.run(world.nowMs + 10);
    expect(codes).toEqual(['IN_DOUBT', 'NODE_STOPPED']);
  });
});

describe('a ring that is opened as it is kept', () => {
  const KEPT: NodeConfig = { ...CONFIG, name: '', queues: [], unknownQueue: 'kept', queueBytesLimit: 'kept', uplink: 'kept' };

  /** The same disk under a node of another configuration. */
  async function reopen(config: NodeConfig, connectBroker?: () => Broker): Promise<void> {
    const { disk } = node;
    node.powerCut();
    const random = stream('node-core', 'reopened');
    node = new SimNode({ world, config, random, syncMsMax: 5, ...(connectBroker && { connectBroker }) });
    node.disk = disk;
    node.start();
    await world.run(world.nowMs + 200);
    expect(node.isServing).toBe(true);
  }

  const sendTo = (destination: string) => ask({ verb: 'send', destination, body: toUtf8('a'), properties: {} });

  test.each<[NodeConfig['uplink'], NodeConfig['unknownQueue'], string, string]>([
    ['none', 'refuse', 'ROUTE_NOT_FOUND', 'QUEUE_NOT_FOUND'],
    ['none', 'create', 'ROUTE_NOT_FOUND', 'sent'],
    ['link', 'refuse', 'sent', 'QUEUE_NOT_FOUND'],
    ['mqtt', 'create', 'sent', 'sent'],
  ])('is the node with uplink %s that would %s unknown queues', async (uplink, unknownQueue, elsewhere, unknown) => {
    await reopen({ ...CONFIG, uplink, unknownQueue });
    for (let opening = 0; opening < 2; opening++) {
      await reopen(KEPT);
      expect([codeOf(await sendTo('central/bags')), codeOf(await sendTo(`new${opening}`))]).toEqual([elsewhere, unknown]);
    }
    expect(node.stats()).toMatchObject({ node: 'box-1', uplink: uplink === 'none' ? 'none' : `${uplink} idle` });
  });

  test('keeps the limits of its queues', async () => {
    const before = node.stats()?.queues;
    await reopen(KEPT);
    expect(node.stats()?.queues).toEqual(before);
  });

  test('transmits nothing over a broker, where the node itself does', async () => {
    const heard: string[] = [];
    const connectBroker = (): Broker => ({
      listen: (listener) => listener.onUp(),
      subscribe: () => void heard.push('subscribe'),
      publish: () => void heard.push('publish'),
      close: () => {},
    });
    await reopen({ ...CONFIG, uplink: 'mqtt' });
    await reopen(KEPT, connectBroker);
    await sendTo('central/bags');
    await world.run(world.nowMs + 1_000);
    expect(heard).toEqual([]);
    await reopen({ ...CONFIG, uplink: 'mqtt' }, connectBroker);
    await world.run(world.nowMs + 1_000);
    expect(heard).toContain('publish');
  });
});

test('a file that nobody describes is of unknown durability', async () => {
  expect(await send('a')).toMatchObject({ kind: 'sent', durability: 'unknown' });
  expect(node.stats()?.ring).toMatchObject({ durability: 'unknown', ioMode: '' });
});
