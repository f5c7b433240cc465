/**
 * Where ways meet, and where they part: a destination with two neighbours, and a node in the middle, item by item over a real store on a
 * simulated disk. Whole nodes: test/two-gateways.test.ts, test/carried.test.ts.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { type Prng, stream } from '../../hardware-sim/random.ts';
import { formattedDisk, openRing, type RingDriver } from '../../hardware-sim/ring-driver.ts';
import type { SimDisk } from '../../hardware-sim/sim-disk.ts';
import { fromUtf8, toHex, toUtf8 } from '../bytes.ts';
import { HOLE_COUNT_MAX, PASSED_RANGE_COUNT_MAX } from '../limits.ts';
import { decodeEnvelope, encodeEnvelope } from '../message/envelope.ts';
import type { Identity, StreamKey } from '../message/identity.ts';
import type { Properties } from '../message/message.ts';
import { geometryFor } from '../ring/geometry.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import { ALL_STORE_PARTS } from './all-store-parts.ts';
import { Bodies } from './bodies.ts';
import { GAP_WORD, identityAt, planAway } from './carrying.ts';
import { Intake } from './intake.ts';
import { metaChange, metaValue } from './meta-keys.ts';
import { NodeStore } from './node-store.ts';
import { streamInWord, wordFor } from './node-words.ts';
import { batchOf } from './planned.ts';
import { CustodyReceiver, type ReceiverSession } from './receiver.ts';
import { Rehoming } from './rehoming.ts';
import { type Item, NO_TICKET } from './session.ts';

const KEY: StreamKey = { origin: 'device', incarnation: '0011223344556677', destination: 'central/bags', priority: 3 };
const SITE: StreamKey = { ...KEY, origin: 'site', incarnation: '8899aabbccddeeff' };

let random: Prng;
let disk: SimDisk;
let driver: RingDriver;
let store: NodeStore;
let intake: Intake;
let receiver: CustodyReceiver;
let sessions: Map<string, ReceiverSession>;
/** As the neighbours have them on their disks. */
let tickets: Map<string, ReceiverSession>;
let name: string;
let openings: number;

beforeEach(() => {
  random = stream(11, 'meeting');
  disk = formattedDisk(geometryFor(388 * 4096), random, 'at-once');
  openings = 0;
  tickets = new Map();
});

function open(as: string): void {
  name = as;
  openings += 1;
  driver = openRing(disk, { epochRandom: openings });
  settle();
  store = new NodeStore(driver.ring, ALL_STORE_PARTS);
  intake = new Intake(store, { unknownQueue: 'refuse', queueBytesLimit: 500_000, canReach: () => true });
  store.load(as, random);
  receiver = new CustodyReceiver(store, intake);
  receiver.load();
  intake.define('$dead', 50_000);
  intake.define('bags', 200_000);
  sessions = new Map();
  settle();
}

function settle(): void {
  driver.play(1_000_000_000);
}

function reopen(): void {
  disk.powerCut();
  open(name);
}

function sessionOf(neighbour: string): ReceiverSession {
  const known = sessions.get(neighbour);
  if (known !== undefined) return known;
  const { ticket = NO_TICKET, nonce: ticketNonce = NO_TICKET } = tickets.get(neighbour) ?? {};
  const incarnation = toHex(toUtf8(`neighbour ${neighbour}`).subarray(-8));
  const fields = { sender: neighbour, incarnation, epoch: { counter: 1, random: 1 }, nonce: random.bytes(8) };
  const session = receiver.offered({ ...fields, ticket, ticketNonce, streams: [], own: 'in-part' })?.session;
  if (session === undefined) throw new Error('a stranger is welcome');
  sessions.set(neighbour, session);
  tickets.set(neighbour, session);
  return session;
}

function envelopeOf(identity: Identity, properties: Properties = {}, counter = 1): Uint8Array {
  const body = toUtf8(`${identity.origin} ${identity.number}`);
  return encodeEnvelope({ ...properties, identity, epoch: { counter, random: counter }, priority: identity.priority, body });
}

/** An item, as its neighbour hands it over: what becomes of it. */
function arrives(neighbour: string, item: Item, key = KEY): unknown {
  const verdict = receiver.item(sessionOf(neighbour), { stream: key, item }, () => {});
  settle();
  return verdict;
}

const message = (number: number, counter = 1): Item => ({
  kind: 'message',
  number,
  envelope: envelopeOf({ ...KEY, number }, {}, counter),
});
const elsewhere = (number: number, to: number): Item => ({ kind: 'elsewhere', number, to });
const gap = (number: number, to: number): Item => ({ kind: 'gap', number, to, class: 'PURGED', node: 'gateway' });
const carried = (number: number, identity: Identity): Item => ({ kind: 'message', number, envelope: envelopeOf(identity) });

/** What an application would be handed out, in order. */
function texts(queue = 'bags'): string[] {
  const found: string[] = [];
  for (const list of store.queues.get(queue).ready)
    for (let slot = list.head; slot !== NO_SLOT; slot = list.next(slot))
      found.push(fromUtf8(decodeEnvelope(bodyOf(slot)).message.body) ?? '?');
  return found;
}

function bodyOf(slot: number): Uint8Array {
  const bodies = new Bodies(driver.ring);
  bodies.get(slot);
  settle();
  const body = bodies.get(slot);
  if (typeof body === 'string') throw new Error(body);
  return body;
}

const accounts = (): [string, number][] => store.accounts().map(({ class: ending, count }) => [ending, count]);
const device = (...numbers: number[]): string[] => numbers.map((number) => `device ${number}`);

describe('at the destination', () => {
  beforeEach(() => open('central'));

  test('an item that would open one hole too many waits; others do not, and it is taken when one is gone', () => {
    let next = 1;
    for (let i = 0; i < HOLE_COUNT_MAX; i++, next += 2) {
      expect(arrives('b', elsewhere(next, next))).toBe('new');
      expect(arrives('b', message(next + 1))).toBe('new');
    }
    expect(arrives('b', elsewhere(next, next))).toBe('no-room');
    expect(arrives('b', elsewhere(next, next))).toBe('no-room');
    reopen();
    expect(arrives('b', elsewhere(next, next))).toBe('no-room');
    expect(arrives('a', message(1))).toBe('new');
    expect(texts()).toEqual(device(1, 2));
    expect(arrives('b', elsewhere(next, next))).toBe('new');
    expect(arrives('b', message(next + 1))).toBe('new');
    expect(store.ends.destinations.get(1)?.holes).toHaveLength(HOLE_COUNT_MAX);
  });

  test('an item that opens none is taken however many there are', () => {
    for (let i = 0, next = 1; i < HOLE_COUNT_MAX; i++, next += 2) {
      arrives('b', elsewhere(next, next));
      arrives('b', message(next + 1));
    }
    const next = 2 * HOLE_COUNT_MAX + 1;
    expect(arrives('b', message(next))).toBe('new');
    expect(arrives('b', gap(next + 1, next + 4))).toBe('new');
    expect(arrives('a', gap(1, 2))).toBe('new');
    expect(accounts()).toEqual([['PURGED', 5]]);
  });

  test('a number that a gap ended is ended: a copy that comes later is a counted repeat', () => {
    arrives('b', elsewhere(1, 2));
    arrives('a', gap(1, 1));
    const before = receiver.repeatCount;
    expect(arrives('c', message(1))).toBe('new'); // its cursor moves
    expect(receiver.repeatCount).toBe(before + 1);
    expect([texts(), accounts()]).toEqual([[], [['PURGED', 1]]]);
  });

  test('what fills a hole under an epoch that cannot be is a clone in $dead, and the hole stays for the other', () => {
    arrives('b', elsewhere(1, 2));
    arrives('b', message(3, 5));
    expect(arrives('a', message(1, 7))).toBe('new');
    expect(texts('$dead')).toEqual(device(1));
    expect([texts(), accounts()]).toEqual([[], [['CLONED', 1]]]);
    expect(arrives('c', message(1, 4))).toBe('new');
    expect(arrives('c', message(2, 5))).toBe('new');
    expect(texts()).toEqual(device(1, 2, 3));
  });

  test('a ring that knows of no holes opens, and goes on', () => {
    arrives('b', message(1));
    expect(metaValue(driver.ring.metas, 'd/1')).toEqual([2, 1, 1, 1, 1]);
    reopen();
    arrives('b', elsewhere(2, 2));
    arrives('b', message(3));
    expect(metaValue(driver.ring.metas, 'd/1')).toEqual([4, 1, 1, 1, 3, [2, 2], []]);
    reopen();
    expect(texts()).toEqual(device(1));
    arrives('a', elsewhere(1, 1));
    arrives('a', message(2));
    expect(metaValue(driver.ring.metas, 'd/1')).toEqual([4, 1, 1, 1, 3]);
    reopen();
    expect(texts()).toEqual(device(1, 2, 3));
  });

  test('of what an older value calls missing, and lies there, damage has taken the newer one: it is no hole', () => {
    arrives('b', elsewhere(1, 2));
    arrives('b', message(3));
    const older = metaValue(driver.ring.metas, 'd/1');
    arrives('a', message(1));
    arrives('a', message(2));
    store.commit({ metas: [metaChange('d/1', older as never)] }, () => {});
    settle();
    reopen();
    expect(store.ends.destinations.get(1)?.holes).toEqual([]);
    expect(texts()).toEqual(device(1, 2, 3));
  });

  test('a carried message fills its hole, moves the stream that carries it, and is a repeat the second time', () => {
    arrives('b', elsewhere(1, 2));
    arrives('b', message(3));
    expect(arrives('b', carried(1, { ...KEY, number: 1 }), SITE)).toBe('new');
    expect(arrives('b', carried(2, { ...KEY, number: 2 }), SITE)).toBe('new');
    expect(arrives('b', { kind: 'message', number: 3, envelope: envelopeOf({ ...SITE, number: 3 }) }, SITE)).toBe('new');
    expect(texts()).toEqual([...device(1, 2, 3), 'site 3']);
    expect(arrives('b', carried(4, { ...KEY, number: 1 }), SITE)).toBe('new');
    expect(arrives('c', elsewhere(1, 3), SITE)).toBe('new');
    expect(arrives('c', carried(4, { ...KEY, number: 1 }), SITE)).toBe('new');
    expect(texts()).toHaveLength(4);
    expect(accounts()).toEqual([]);
  });

  test('a carried message that comes before anything is said of its stream opens the hole below it', () => {
    expect(arrives('b', carried(1, { ...KEY, number: 3 }), SITE)).toBe('new');
    expect(texts()).toEqual([]);
    for (const number of [1, 2]) arrives('a', message(number));
    expect(texts()).toEqual(device(1, 2, 3));
    // What the first neighbour has of it, too.
    expect(arrives('a', message(3))).toBe('new');
    expect(texts()).toEqual(device(1, 2, 3));
  });

  test.each([
    ['to another queue', { ...KEY, destination: 'central/alarms' }],
    ['of another priority', { ...KEY, priority: 4 }],
    ['of the stream itself under another number', { ...SITE }],
  ])('one %s is not carried: its item says something else', (_what, key) => {
    expect(arrives('b', carried(1, { ...key, number: 7 }), SITE)).toBe('new');
    expect(texts()).toEqual([]);
    expect(accounts()).toEqual([['CORRUPT', 1]]);
  });

  test('a word tells of endings, in time or late; what makes no sense changes nothing', () => {
    arrives('b', elsewhere(1, 4));
    arrives('b', message(5));
    const WORDS = { ...SITE, destination: 'central/$node', priority: 5 };
    let number = 0;
    const tell = (fields: Record<string, unknown>): unknown => {
      const { content } = wordFor('central', GAP_WORD, fields as never);
      number += 1;
      const identity = { ...WORDS, number };
      const envelope = encodeEnvelope({
        ...content.properties,
        identity,
        epoch: { counter: 1, random: 1 },
        priority: 5,
        body: content.body,
      });
      return arrives('b', { kind: 'message', number, envelope }, WORDS);
    };
    const told = { stream: streamInWord(KEY), class: 'PURGED', node: 'site' };
    expect(
      tell({
        ...told,
        ranges: [
          [1, 2],
          [4, 4],
        ],
      }),
    ).toBe('new');
    expect(accounts()).toEqual([['PURGED', 3]]);
    for (const ranges of [[], [[3]], [[4, 3]], [[0, 1]], 'all', [[3, Number.MAX_SAFE_INTEGER]]])
      expect(tell({ ...told, ranges })).toBe('new');
    expect(tell({ ...told, ranges: [[3, 3]], stream: streamInWord({ ...KEY, destination: 'other/bags' }) })).toBe('new');
    expect(store.words.counts.malformed).toBe(7);
    expect(texts()).toEqual([]);
    expect(tell({ ...told, ranges: [[3, 3]] })).toBe('new');
    expect(texts()).toEqual(device(5));
  });
});

describe('in the middle', () => {
  beforeEach(() => open('site'));

  const held = (): [string, number][] =>
    [...store.outgoing].flatMap((out) => {
      const found: [string, number][] = [];
      for (let slot = out.list.head; slot !== NO_SLOT; slot = out.list.next(slot)) {
        const { identity } = decodeEnvelope(bodyOf(slot)).message;
        found.push([out.key.origin, identity.number]);
      }
      return found;
    });

  test('a number that was passed over is carried when it comes; its envelope is the same but for the hop', () => {
    arrives('b', elsewhere(1, 2));
    arrives('b', message(3));
    reopen();
    expect(metaValue(driver.ring.metas, 'v/1')).toEqual([1, 2]);
    expect(arrives('a', message(1))).toBe('new');
    expect(held()).toEqual([
      ['device', 3],
      ['site', 1],
    ]);
    expect(metaValue(driver.ring.metas, 'v/1')).toEqual([2, 2]);
    const own = [...store.outgoing].find(({ key }) => key.origin === 'site');
    const envelope = bodyOf(own?.list.head ?? NO_SLOT);
    expect(decodeEnvelope(envelope).message).toEqual(decodeEnvelope(envelopeOf({ ...KEY, number: 1 })).message);
    expect(own && identityAt(own, 1, envelope)).toEqual({ identity: { ...KEY, number: 1 }, isCarried: true });
  });

  test('what is carried stays what it is under a new incarnation', () => {
    arrives('b', elsewhere(1, 1));
    arrives('a', message(1));
    const before = store.self.incarnation;
    const rehoming = new Rehoming({ store, intake, random, reason: 'new-incarnation' });
    for (let i = 0; i < 20 && !rehoming.isDone; i++) {
      rehoming.pump();
      settle();
    }
    expect(store.self.incarnation).not.toBe(before);
    const own = [...store.outgoing].find(({ key, list }) => key.origin === 'site' && list.count > 0);
    expect(own?.key.incarnation).toBe(store.self.incarnation);
    const { message: what } = decodeEnvelope(bodyOf(own?.list.head ?? NO_SLOT));
    expect([what.identity, what.maybeDuplicate, what.previous]).toEqual([{ ...KEY, number: 1 }, undefined, undefined]);
  });

  test('a gap that comes late is a word for where it was going, for what was passed over alone', () => {
    arrives('b', elsewhere(1, 2));
    arrives('b', message(3));
    arrives('b', elsewhere(4, 4));
    arrives('b', message(5));
    expect(arrives('a', gap(1, 4))).toBe('new');
    const words = [...store.outgoing].find(({ key }) => key.destination === 'central/$node');
    const { body } = decodeEnvelope(bodyOf(words?.list.head ?? NO_SLOT)).message;
    const { body: expected } = wordFor('central', GAP_WORD, {
      stream: streamInWord(KEY),
      ranges: [
        [1, 2],
        [4, 4],
      ],
      class: 'PURGED',
      node: 'gateway',
    }).content;
    expect(body).toEqual(expected);
    expect(metaValue(driver.ring.metas, 'v/1')).toBeUndefined();
  });

  test('a stream that goes another way as a whole: messages are carried in order, endings told, and its old place is elsewhere', () => {
    for (const number of [1, 2]) arrives('a', message(number));
    arrives('a', gap(3, 4));
    arrives('a', message(5));
    const out = [...store.outgoing].find(({ key }) => key.origin === 'device');
    if (out === undefined) throw new Error('it is held');
    const bodies = new Bodies(driver.ring);
    const outcomes: string[] = [];
    for (let i = 0; i < 20; i++) {
      const planned = planAway({ store, intake }, out, (slot) => bodies.get(slot));
      if (typeof planned === 'string') {
        outcomes.push(planned);
        settle();
        if (planned === 'done') break;
        continue;
      }
      store.commit(batchOf(planned), () => {});
      planned.settle();
      settle();
    }
    expect(outcomes.at(-1)).toBe('done');
    expect(
      held()
        .filter(([origin]) => origin === 'site')
        .map(([, number]) => number),
    ).toEqual([1, 2, 5, 1]);
    expect([out.lo, out.next, out.list.count, out.gaps]).toEqual([6, 6, 0, []]);
    reopen();
    expect(held().map(([origin]) => origin)).toEqual(['site', 'site', 'site', 'site']);
  });

  test('of very many stretches that were passed over the nearest become one: none is forgotten', () => {
    let next = 1;
    for (let count = 1; count <= PASSED_RANGE_COUNT_MAX + 3; count++) {
      arrives('b', elsewhere(next, next));
      next += 1;
      for (let i = 0; i < count; i++, next++) arrives('b', message(next));
    }
    const passed = store.passedOver.of(1);
    expect(passed).toHaveLength(PASSED_RANGE_COUNT_MAX);
    expect(passed[0]).toEqual({ from: 1, to: 10 });
  });
});
