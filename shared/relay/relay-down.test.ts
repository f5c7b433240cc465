/** From a central down to its gateways, over a broker that behaves: who is asked, what is said on which topic, and whom nobody believes. */
import { beforeEach, describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { SimBroker } from '../../hardware-sim/sim-broker.ts';
import { identitiesOf, TestNode, TestTime } from '../../hardware-sim/test-node.ts';
import { NO_BYTES } from '../bytes.ts';
import { RELAY_PEER_COUNT_MAX, SYNC_MS_MAX } from '../limits.ts';
import type { Broker } from '../ports.ts';
import { encodePublish } from './publish-layout.ts';
import { decodeReceipt, encodeAnswer, encodeProgress } from './receipt-layout.ts';
import { RelayCentral } from './relay-central.ts';
import { statusPublish } from './status-layout.ts';
import { decodeSync, encodeSync } from './sync-layout.ts';

const BODY = new Uint8Array(1000);
const OTHER = { incarnation: 'ffffffffffffffff', epoch: { counter: 1, random: 1 } };

let time: TestTime;
let broker: SimBroker;
let central: TestNode;
let gateways: TestNode[];
let observer: Broker;
let heard: { topic: string; payload: Uint8Array }[];

beforeEach(() => {
  time = new TestTime(stream(1, 'time'));
  broker = new SimBroker({ scheduler: time, random: stream(1, 'broker') });
  const common = { time, broker, central: 'central', queues: [{ name: 'commands', bytesLimit: 500_000 }] };
  const nodeOf = (name: string) => new TestNode({ ...common, random: stream(1, name), name });
  central = nodeOf('central');
  gateways = ['gateway-1', 'gateway-2'].map(nodeOf);
  heard = [];
  observer = broker.connect('observer');
  observer.listen({
    onUp: () => observer.subscribe(['#']),
    onDown: () => {},
    onMessage: (topic, payload) => heard.push({ topic, payload }),
  });
  for (const node of [central, ...gateways]) node.open();
  time.run(1000);
  for (const name of ['gateway-1', 'gateway-2']) central.meet(name);
  time.run(1000);
  heard = [];
});

const gateway = (n: number): TestNode => gateways[n - 1] as TestNode;
const on = (topic: string): Uint8Array[] => heard.filter((one) => one.topic === topic).map(({ payload }) => payload);
const upTo = (last: number): number[] => Array.from({ length: last }, (_, at) => at + 1);
const numbersAt = (node: TestNode): number[] => node.contents('commands').map(({ identity }) => identity.number);
const syncs = (): ReturnType<typeof decodeSync>[] => on('ringmail/sync/central').map(decodeSync);
const counters = (node: TestNode): Record<string, number> => node.parts.relay.counters();

function send(count: number, to = 'gateway-1'): void {
  for (let i = 0; i < count; i++) expect(central.send(`${to}/commands`, BODY)).toBe(true);
}

function publish(topic: string, payload: Uint8Array): void {
  observer.publish({ topic, payload, qos: 1, retain: 'transient' });
}

describe('a message down', () => {
  test('is there once and in order, and freed by the gateway’s receipts; while others come up', () => {
    send(40);
    for (let i = 0; i < 40; i++) gateway(1).send('central/commands', BODY);
    time.run(5_000);
    expect(numbersAt(gateway(1))).toEqual(upTo(40));
    expect(numbersAt(central)).toEqual(upTo(40));
    expect([central.outgoingCount, gateway(1).outgoingCount, numbersAt(gateway(2)).length]).toEqual([0, 0, 0]);
    expect(syncs()).toHaveLength(1);
    expect(on('ringmail/down/gateway-1').length).toBeGreaterThan(0);
    expect(on('ringmail/down/gateway-2')).toEqual([]);
    const receipts = on('ringmail/receipt/central').map(decodeReceipt);
    expect(receipts.map((receipt) => (receipt === undefined || receipt === 'unknown-version' ? '?' : receipt.kind))).toContain(
      'answer',
    );
  });

  test('a session begins when something waits, and not before', () => {
    time.run(600_000);
    expect(syncs()).toEqual([]);
    send(1, 'gateway-2');
    time.run(1_000);
    expect(syncs()).toMatchObject([{ receiver: 'gateway-2', attempt: 1, offer: { sender: 'central', own: 'whole' } }]);
    send(1);
    time.run(1_000);
    expect(syncs()).toMatchObject([{ receiver: 'gateway-2' }, { receiver: 'gateway-1' }]);
  });

  test('who sends up is asked though its word that it is there was lost', () => {
    gateway(1).send('central/commands', BODY);
    time.run(1_000);
    broker.cut('gateway-1');
    time.run(150);
    broker.faults.waitingMax = 0;
    time.run(1_500);
    broker.faults.waitingMax = Number.POSITIVE_INFINITY;
    time.run(20_000);
    heard = [];
    send(3);
    time.run(5_000);
    expect([syncs().length, numbersAt(gateway(1))]).toEqual([0, []]);
    time.run(10_000);
    expect(numbersAt(gateway(1))).toEqual(upTo(3));
  });

  test('every gateway has a window of its own: one that is not there holds nobody up', () => {
    broker.halfOpen('gateway-1', 60_000);
    send(300, 'gateway-1');
    send(20, 'gateway-2');
    time.run(5_000);
    expect(numbersAt(gateway(2))).toEqual(upTo(20));
    expect(numbersAt(gateway(1))).toEqual([]);
    time.run(120_000);
    expect(numbersAt(gateway(1))).toEqual(upTo(300));
  });

  test('a full queue takes what it has room for, and the rest when there is some', () => {
    send(700);
    time.run(30_000);
    expect(numbersAt(gateway(1)).length).toBeLessThan(500);
    for (let i = 0; i < 40; i++) {
      gateway(1).consume('commands', 50);
      time.run(30_000);
    }
    expect(gateway(1).received.map(({ identity }) => identity.number)).toEqual(upTo(700));
    expect([identitiesOf(gateway(1).duplicates), central.outgoingCount]).toEqual([[], 0]);
  });
});

describe('a gateway that is away', () => {
  test('is not asked, for days; and has everything once when it is back', () => {
    gateway(1).kill();
    time.run(5_000);
    send(30);
    time.run(3 * 86_400_000);
    expect(syncs()).toEqual([]);
    expect(central.senders.every(({ state }) => state === 'idle')).toBe(true);
    gateway(1).open();
    time.run(10_000);
    expect(numbersAt(gateway(1))).toEqual(upTo(30));
  });

  test('goes away in the middle of it, and the central dies, and the broker forgets: each once', () => {
    for (let round = 0; round < 6; round++) {
      send(20);
      time.run(20 + 15 * round);
      const victim = round % 2 === 0 ? gateway(1) : central;
      victim.kill();
      if (round % 3 === 0) broker.restart(500);
      time.run(3_000);
      victim.open();
      time.run(3_000);
    }
    time.run(60_000);
    expect(numbersAt(gateway(1))).toEqual(upTo(central.accepted.length));
    expect(central.outgoingCount).toBe(0);
  });

  test('of which a will of long ago says that it is: it says that it is there, and goes on', () => {
    send(1);
    time.run(1_000);
    observer.publish(statusPublish({ kind: 'offline', node: 'gateway-1' }));
    time.run(1_000);
    send(1);
    time.run(1_000);
    expect(numbersAt(gateway(1))).toEqual([1, 2]);
  });

  test('one that subscribed anew gets what was published meanwhile, without waiting for progress', () => {
    send(1);
    time.run(1_000);
    broker.cut('gateway-1');
    send(20);
    time.run(2_000);
    expect(numbersAt(gateway(1))).toEqual(upTo(21));
  });

  test('one that never said that it is there is not asked', () => {
    central.meet('old-gateway');
    send(1, 'old-gateway');
    time.run(10 * SYNC_MS_MAX);
    expect(syncs()).toEqual([]);
  });
});

describe('who is not believed', () => {
  test('a receipt of another node frees nothing', () => {
    broker.halfOpen('gateway-1', Number.POSITIVE_INFINITY);
    send(2);
    time.run(1_000);
    const sync = syncs()[0];
    if (sync === undefined || sync === 'unknown-version') throw new Error('a sync was published');
    const { nonce } = sync.offer;
    const cursors = [{ stream: central.accepted[0]?.identity as never, cursor: 3, credit: 1000, hasMissed: false }];
    const ticket = new Uint8Array(8).fill(1);
    publish(
      'ringmail/receipt/central',
      encodeAnswer({ kind: 'welcome', receiver: 'gateway-2', ...OTHER, nonce, ticket, cursors }),
    );
    publish('ringmail/receipt/central', encodeProgress({ receiver: 'gateway-2', ...OTHER, nonce }, cursors));
    publish('ringmail/receipt/central', encodeProgress({ receiver: 'nobody', ...OTHER, nonce }, cursors));
    time.run(1_000);
    expect(central.outgoingCount).toBe(2);
    expect(counters(central).downIgnored).toBeGreaterThan(0);
  });

  test('a sync for another gateway, or of another sender, is answered by nobody', () => {
    const offer = {
      sender: 'stranger',
      ...OTHER,
      nonce: new Uint8Array(8).fill(7),
      ticket: new Uint8Array(8),
      ticketNonce: new Uint8Array(8),
      streams: [],
      own: 'whole' as const,
    };
    publish('ringmail/sync/stranger', encodeSync({ receiver: 'gateway-1', attempt: 1, offer }));
    publish('ringmail/sync/central', encodeSync({ receiver: 'gateway-1', attempt: 1, offer }));
    publish('ringmail/sync/central', encodeSync({ receiver: 'gateway-3', attempt: 1, offer: { ...offer, sender: 'central' } }));
    time.run(1_000);
    expect(heard.filter(({ topic }) => topic.startsWith('ringmail/receipt/'))).toEqual([]);
    expect(counters(gateway(1)).relayMalformed).toBe(1);
  });

  test('items of a session that is not stored nothing', () => {
    const speaker = { sender: 'central', incarnation: OTHER.incarnation, nonce: new Uint8Array(8) };
    publish('ringmail/down/gateway-1', encodePublish(speaker, []));
    publish('ringmail/down/gateway-1', NO_BYTES);
    time.run(1_000);
    expect(numbersAt(gateway(1))).toEqual([]);
    expect(counters(gateway(1))).toMatchObject({ relayStale: 1, relayHellos: 1, relayMalformed: 1 });
  });

  test('a status on the topic of another node says nothing', () => {
    const { relay } = central.parts;
    const there = () => relay instanceof RelayCentral && relay.thereCount;
    const before = [there(), counters(central).downIgnored];
    observer.publish({
      ...statusPublish({ kind: 'online', node: 'gateway-1', ...OTHER, hello: 1 }),
      topic: 'ringmail/status/stranger',
    });
    time.run(1_000);
    expect([there(), counters(central).downIgnored]).toEqual([before[0], Number(before[1]) + 1]);
  });

  test('nodes without number that say that they are there cost a bounded memory, and nobody who is below', () => {
    for (let i = 0; i < RELAY_PEER_COUNT_MAX + 500; i++)
      observer.publish(statusPublish({ kind: 'online', node: `stranger-${i}`, ...OTHER, hello: 1 }));
    time.run(5_000);
    send(3);
    time.run(5_000);
    expect(numbersAt(gateway(1))).toEqual(upTo(3));
    const { relay } = central.parts;
    expect(relay instanceof RelayCentral && relay.thereCount).toBeLessThanOrEqual(RELAY_PEER_COUNT_MAX);
  });
});
