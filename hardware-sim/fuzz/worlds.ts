/** Targets that keep something: a ring on a damaged disk, a node whose META says anything, a session, a central among strangers. */
import { MetaRepair } from '../../shared/custody/meta-repair.ts';
import { RingmailError } from '../../shared/errors.ts';
import { identityText } from '../../shared/message/identity.ts';
import type { Line } from '../../shared/ports.ts';
import { geometryFor } from '../../shared/ring/geometry.ts';
import { bodyOf, LinkWorld } from '../link-world.ts';
import { stream } from '../random.ts';
import { formattedDisk, openRing, type RingDriver } from '../ring-driver.ts';
import { SimBroker } from '../sim-broker.ts';
import { SimDisk } from '../sim-disk.ts';
import { simLines } from '../sim-line.ts';
import { TestNode, TestTime } from '../test-node.ts';
import { type FuzzTarget, promise } from './engine.ts';
import { PACKETS, PUBLISH, RECEIPTS, STATUS, SYNC, WORD } from './good-inputs.ts';

const SMALL = geometryFor(388 * 512, 512);

/** A ring with a few laps of messages and METAs in it; written once. */
const image = once(() => {
  const disk = formattedDisk(SMALL, stream('fuzz', 'image'));
  const driver = openRing(disk, { epochRandom: 1 });
  driver.play(0);
  const kept: number[] = [];
  for (let i = 0; i < 500; i++) {
    const where = { queue: 1 + (i % 3), priority: i % 8, stream: 1, number: i + 1 };
    const when = { epochCounter: 1, epochRandom: 1, deliveryCount: 0, expiresAtMs: 0, notBeforeMs: 0 };
    const put = { ...where, ...when, body: bodyOf(i, (i * 37) % 400) };
    const acks = kept.length > 40 ? [{ id: kept.shift() ?? 0, reason: 'acknowledged' as const }] : [];
    const metas = i % 10 === 0 ? [{ key: `m/${i % 7}`, value: bodyOf(i, 20) }] : [];
    driver.ring.append({ puts: [put], acks, metas }, { nowMs: i, delayMs: 0 }, () => {});
    driver.play(i);
    kept.push(Math.max(...[...driver.ring.index.slots()].map((slot) => driver.ring.index.id(slot))));
  }
  return disk.platter();
});

/** What a ring holds, for comparing two openings. */
function holdings({ ring }: RingDriver): string {
  const ids = [...ring.index.slots()].map((slot) => ring.index.id(slot)).sort((a, b) => a - b);
  return `${ids.join()} | ${[...ring.metas.withPrefix('m/')]
    .map(([key, value]) => `${key} ${value.length}`)
    .sort()
    .join()}`;
}

function openedState({ ring }: RingDriver): string {
  if (ring.state === 'serving') return 'serving';
  promise(ring.state === 'stopped', `an opening ends, and this one is ${ring.state}`);
  promise(ring.failure instanceof RingmailError, `a ring that cannot be opened says why: ${ring.failure?.message}`);
  return (ring.failure as RingmailError).code;
}

const ring: FuzzTarget = {
  name: 'ring',
  what: 'files of a ring, changed anywhere: opened, or refused by name; what is there is there again the next time',
  bytesMax: 160,
  seeds: () => [Uint8Array.of(0, 0, 0, 1, 9), Uint8Array.of(0, 30, 8, 1, 9), Uint8Array.of(1, 200, 100, 2, 0, 0)],
  run(input) {
    const bytes = image().slice();
    for (const { at, what } of patches(input, bytes.length)) bytes.set(what, at);
    const disk = new SimDisk({ bytes: bytes.length, random: stream('fuzz', 'disk') }, bytes);
    const first = openRing(disk, { epochRandom: 2 });
    first.play(1_000);
    const state = openedState(first);
    if (state !== 'serving') return state;
    const { gaps, tornBlocks, messages } = first.ring.report;
    const there = holdings(first);
    const again = openRing(new SimDisk({ bytes: bytes.length, random: stream('fuzz', 'disk') }, disk), { epochRandom: 3 });
    again.play(1_000);
    promise(openedState(again) === 'serving', 'what was opened once is opened again');
    promise(holdings(again) === there, 'what is there once is there the next time');
    return `serving ${gaps.length} ${Math.min(tornBlocks, 3)} ${messages >> 3}`;
  },
};

/** Four bytes say where and how much, and what follows is put there. */
function* patches(input: Uint8Array, size: number): Generator<{ at: number; what: Uint8Array }> {
  for (let i = 0; i + 4 < input.length; ) {
    const at = (((input[i] ?? 0) << 16) | ((input[i + 1] ?? 0) << 8) | (input[i + 2] ?? 0)) % size;
    const length = 1 + ((input[i + 3] ?? 0) % 16);
    const what = input.subarray(i + 4, i + 4 + Math.min(length, size - at));
    yield { at, what };
    i += 4 + length;
  }
}

/** Identities that it gave out. */
const sentBefore = new Set<string>();

/** A node that served once, and holds something. */
const served = once(() => {
  const { node, time } = lonelyNode();
  node.open();
  time.run(50);
  for (let i = 0; i < 5; i++) node.send('central/bags', bodyOf(i, 30));
  for (let i = 0; i < 5; i++) node.send('gateway/bags', bodyOf(i, 30), i);
  time.run(50);
  for (const { identity } of node.accepted) sentBefore.add(identityText(identity));
  node.kill();
  return node.disk.platter();
});

function lonelyNode() {
  const time = new TestTime(stream('fuzz', 'time'));
  const broker = new SimBroker({ scheduler: time, random: stream('fuzz', 'broker') });
  const node = new TestNode({ time, broker, random: stream('fuzz', 'node'), name: 'gateway', central: 'central' });
  return { node, time, broker };
}

const meta: FuzzTarget = {
  name: 'meta',
  what: 'a ring of which damage took any values of META: mended, and whoever can be served is, under numbers that were never given out',
  bytesMax: 40,
  seeds: () => [Uint8Array.of(0), Uint8Array.of(1, 2), Uint8Array.of(3, 4, 5, 6)],
  run(input) {
    const bytes = served();
    const disk = new SimDisk({ bytes: bytes.length, random: stream('fuzz', 'disk') }, bytes);
    const driver = openRing(disk, { epochRandom: 5 });
    driver.play(1_000);
    promise(driver.ring.state === 'serving', 'the ring is whole');
    const keys = [...driver.ring.metas.withPrefix('')]
      .map(([key]) => key)
      .filter((key) => !key.startsWith('$'))
      .sort();
    const lost = new Set([...input].map((byte) => keys[byte % keys.length] ?? 'node'));
    driver.ring.append({ metas: [...lost].map((key) => ({ key, value: undefined })) }, { nowMs: 1_000, delayMs: 0 }, () => {});
    driver.play(1_000);
    const repair = new MetaRepair(driver.ring, 'gateway');
    for (let rounds = 0; !repair.isDone; rounds++) {
      promise(rounds < 1_000, 'mending ends');
      repair.pump(1_000);
      driver.play(1_000);
    }
    const { node, time } = lonelyNode();
    node.disk = new SimDisk({ bytes: bytes.length, random: stream('fuzz', 'disk'), completion: 'stepped' }, disk);
    node.open();
    time.run(5_000);
    promise(node.isServing, 'what is mended is served');
    promise(node.send('central/bags', bodyOf(9, 30)), 'what is mended takes messages');
    time.run(5_000);
    const given = node.accepted.map(({ identity }) => identityText(identity));
    promise(!given.some((one) => sentBefore.has(one)), 'no number is given out twice');
    return `${node.outgoingCount} ${[...lost].sort().join()}`.slice(0, 120);
  },
};

const session: FuzzTarget = {
  name: 'session',
  what: 'bytes of a stranger in the middle of a session, at either end: all that is accepted arrives, once and in order',
  bytesMax: 600,
  dictionary: [...PACKETS, Uint8Array.of(0)],
  seeds: () => [Uint8Array.of(0, 0), ...PACKETS.slice(0, 4)],
  run(input) {
    const queues = [{ name: 'bags', bytesLimit: 200_000 }];
    const w = new LinkWorld({ seed: 'fuzz', baud: 921_600, queues, ringBytes: 388 * 4096 });
    w.device.open();
    w.gateway.open();
    w.until(() => w.device.isServing && w.gateway.isServing, 10_000);
    const ends: ((bytes: Uint8Array) => void)[] = [];
    const lines = simLines({ world: w.world, random: stream('fuzz', 'line'), baud: 921_600 });
    w.gateway.attach(tapped(lines.b, ends), 'accept', 921_600);
    w.device.attach(tapped(lines.a, ends), 'dial', 921_600);
    for (let i = 0; i < 6; i++) w.device.send('gateway/bags', bodyOf(i, 40 * i), i % 3);
    for (let at = 0; at < input.length; at += 64) {
      w.run(1 + ((input[at] ?? 0) % 20));
      ends[(input[at] ?? 0) & 1]?.(input.slice(at, at + 64));
    }
    w.until(() => w.isDelivered(), 400_000);
    w.check();
    return [...w.gateway.links, ...w.device.links].map((link) => magnitudes(link.counters())).join(' | ');
  },
};

/** The same line; what is given to its listener may be given by others, too. */
function tapped(line: Line, ends: ((bytes: Uint8Array) => void)[]): Line {
  return {
    write: (bytes) => line.write(bytes),
    close: () => line.close(),
    listen: (listener) => {
      ends.push((bytes) => listener.onBytes(bytes));
      line.listen(listener);
    },
  };
}

const TOPICS = [
  'queue/central/bags/0',
  'receipt/gateway',
  'receipt/central',
  'sync/gateway',
  'status/central',
  'status/gateway',
  'down/gateway',
];

const strangers: FuzzTarget = {
  name: 'strangers',
  what: 'what others publish to the topics of a gateway and its central: neither falls, and what is honest arrives, once',
  bytesMax: 2_000,
  dictionary: [PUBLISH, ...RECEIPTS, STATUS, SYNC, WORD],
  seeds: () =>
    [PUBLISH, ...RECEIPTS, STATUS, SYNC].map((one, at) => Uint8Array.of(at, one.length >> 8, one.length & 0xff, ...one)),
  run(input) {
    const { node: gateway, time, broker } = lonelyNode();
    const central = new TestNode({ time, broker, random: stream('fuzz', 'central'), name: 'central', central: 'central' });
    const stranger = broker.connect('stranger');
    stranger.listen({ onUp: () => {}, onDown: () => {}, onMessage: () => {} });
    central.open();
    gateway.open();
    time.run(2_000);
    gateway.send('central/bags', bodyOf(1, 30));
    for (let i = 0; i + 3 < input.length; ) {
      const topic = TOPICS[(input[i] ?? 0) % TOPICS.length] ?? '';
      const length = ((input[i + 1] ?? 0) << 8) | (input[i + 2] ?? 0);
      stranger.publish({ topic: `ringmail/${topic}`, payload: input.slice(i + 3, i + 3 + length), qos: 1, retain: 'transient' });
      time.run(1 + ((input[i + 2] ?? 0) % 30));
      i += 3 + length;
    }
    gateway.send('central/bags', bodyOf(2, 30));
    time.run(700_000);
    promise(gateway.isServing && central.isServing, 'neither falls');
    const own = central.contents('bags').filter(({ identity }) => identity.origin === 'gateway');
    const numbers = own.map(({ identity }) => identity.number);
    promise(new Set(numbers).size === numbers.length, 'nothing comes twice');
    const counted = [gateway, central].map((one) => magnitudes(one.parts.relay.counters())).join(' | ');
    return `${numbers.join()} ${gateway.outgoingCount} ${central.contents('$dead').length} ${counted}`;
  },
};

/** Counters, each as the power of two that it reaches. */
function magnitudes(counters: Readonly<Record<string, number>>): string {
  const reached = Object.entries(counters).filter(([, count]) => count > 0);
  return reached.map(([name, count]) => `${name} ${Math.floor(Math.log2(count))}`).join();
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

export const WORLDS: readonly FuzzTarget[] = [ring, meta, session, strangers];
