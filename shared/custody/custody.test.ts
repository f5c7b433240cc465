/** Custody between two real stores on simulated disks, without any line between them: what the rules of docs/custody.md promise. */

import { beforeEach, describe, expect, test } from 'vitest';
import { type Prng, stream } from '../../hardware-sim/random.ts';
import { formattedDisk, openRing, type RingDriver } from '../../hardware-sim/ring-driver.ts';
import type { SimDisk } from '../../hardware-sim/sim-disk.ts';
import { fromUtf8, toUtf8 } from '../bytes.ts';
import { HOLE_WAIT_MS } from '../limits.ts';
import { decodeEnvelope, encodeEnvelope } from '../message/envelope.ts';
import type { StreamKey } from '../message/identity.ts';
import type { Properties } from '../message/message.ts';
import { geometryFor } from '../ring/geometry.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import { ALL_STORE_PARTS } from './all-store-parts.ts';
import { Arrivals } from './arrivals.ts';
import { Bodies } from './bodies.ts';
import { HoleWait } from './hole-wait.ts';
import { Intake } from './intake.ts';
import { NodeStore } from './node-store.ts';
import { OutgoingExpiry } from './outgoing-expiry.ts';
import { CustodyReceiver, NEIGHBOUR_COUNT_MAX, type ReceiverSession } from './receiver.ts';
import { Rehoming } from './rehoming.ts';
import { CustodySender } from './sender.ts';
import type { Item, Offer } from './session.ts';

type Offered = NonNullable<ReturnType<CustodyReceiver['offered']>>;

let random: Prng;
let epochs = 0;
beforeEach(() => {
  random = stream(7, 'custody');
});

/** A node's store and both sides of its custody, reopened at will from what its disk kept. */
class Peer {
  readonly name: string;
  disk: SimDisk;
  driver!: RingDriver;
  store!: NodeStore;
  intake!: Intake;
  receiver!: CustodyReceiver;
  sender!: CustodySender;

  constructor(name: string) {
    this.name = name;
    this.disk = formattedDisk(geometryFor(388 * 4096), random, 'at-once');
    this.open();
  }

  open(): void {
    this.driver = openRing(this.disk, { epochRandom: ++epochs });
    this.settle();
    expect(this.driver.ring.state).toBe('serving');
    this.store = new NodeStore(this.driver.ring, ALL_STORE_PARTS);
    this.intake = new Intake(this.store, {
      unknownQueue: 'refuse',
      queueBytesLimit: 500_000,
      canReach: (node) => node !== 'nowhere',
    });
    this.store.load(this.name, random);
    this.receiver = new CustodyReceiver(this.store, this.intake);
    this.sender = new CustodySender(this.store, 'up', random);
    this.receiver.load();
    this.sender.load();
    this.intake.define('$dead', 50_000);
    this.intake.define('bags', 200_000);
    this.settle();
  }

  settle(): void {
    this.driver.play(Math.max(1_000_000_000, this.store?.nowMs ?? 0));
  }

  /** So long, with nothing but holes that are given up. */
  pass(ms: number): void {
    const waits = new HoleWait(this.store);
    this.store.nowMs += ms;
    waits.pump();
    this.settle();
  }

  powerCut(): void {
    this.disk.powerCut();
    this.open();
  }

  send(text: string, destination = 'central/bags', priority = 3): void {
    const planned = this.intake.begin(destination, { body: toUtf8(text), properties: { priority } });
    this.store.commit({ puts: planned.puts, acks: planned.acks, metas: planned.changes }, () => {});
    planned.settle();
  }

  /** Texts in a queue, as an application would get them. */
  texts(queue = 'bags'): string[] {
    const texts: string[] = [];
    for (const list of this.store.queues.get(queue).ready) {
      for (let slot = list.head; slot !== NO_SLOT; slot = list.next(slot)) texts.push(this.textAt(slot));
    }
    return texts;
  }

  textAt(slot: number): string {
    const bodies = new Bodies(this.driver.ring);
    bodies.get(slot);
    this.settle();
    const body = bodies.get(slot);
    return typeof body === 'string' ? body : (fromUtf8(decodeEnvelope(body).message.body) ?? '?');
  }
}

/** One session: offer, answer, ticket durable. */
function connect(from: Peer, to: Peer): ReceiverSession | undefined {
  const { answer, session } = to.receiver.offered(from.sender.offer()) as Offered;
  from.sender.answered(answer);
  from.settle();
  return session;
}

function take(from: Peer): { key: StreamKey; item: Item }[] {
  const items: { key: StreamKey; item: Item }[] = [];
  for (let idle = 0; idle < 3; ) {
    const [work] = from.sender.streamsWithWork();
    const taken = work === undefined ? { kind: 'nothing' as const } : from.sender.take(work);
    if (taken.kind === 'item' && work !== undefined) {
      items.push({ key: work.key, item: taken.item });
      idle = 0;
      continue;
    }
    idle += 1;
    from.settle();
  }
  return items;
}

/** Hands everything over and tells the sender what is durable. */
function transfer(from: Peer, to: Peer, session: ReceiverSession | undefined): string[] {
  if (session === undefined) return [];
  const results = take(from).map(({ key, item }) => {
    const verdict = to.receiver.item(session, { stream: key, item }, () => {});
    return typeof verdict === 'string' ? verdict : verdict.refused;
  });
  to.settle();
  for (const out of from.store.outgoing) {
    const { cursor, credit } = to.receiver.cursorOf(session, out.key);
    from.sender.acknowledged(out.key, cursor, credit);
  }
  from.settle();
  return results;
}

/** A message as its origin would have made it. */
function envelopeOf(key: StreamKey, number: number): Uint8Array {
  const epoch = { counter: 1, random: 1 };
  return encodeEnvelope({ identity: { ...key, number }, epoch, priority: key.priority, body: toUtf8('x') });
}

describe('from one disk to the next', () => {
  test('every message once, in order within its priority, and freed at the sender', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    for (let i = 0; i < 20; i++) device.send(`m${i}`, 'central/bags', i % 2 === 0 ? 3 : 5);
    device.settle();
    transfer(device, central, connect(device, central));
    const even = Array.from({ length: 10 }, (_, i) => `m${2 * i}`);
    const odd = Array.from({ length: 10 }, (_, i) => `m${2 * i + 1}`);
    expect(central.texts()).toEqual([...even, ...odd]);
    expect(device.store.outgoing.count).toBe(0);
  });

  test('the identity is the same at both ends', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    device.send('a');
    device.settle();
    transfer(device, central, connect(device, central));
    const slot = central.store.queues.take(central.store.queues.get('bags'));
    const bodies = new Bodies(central.driver.ring);
    bodies.get(slot);
    central.settle();
    const { message } = decodeEnvelope(bodies.get(slot) as Uint8Array);
    const { incarnation } = device.store.self;
    expect(message.identity).toEqual({ origin: 'device', incarnation, destination: 'central/bags', priority: 3, number: 1 });
  });

  test('a message that is not durable at the sender is not handed over', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    connect(device, central);
    device.send('a');
    const [work] = device.sender.streamsWithWork();
    expect(work === undefined ? 'nothing' : device.sender.take(work).kind).toBe('nothing');
  });

  test('nothing is freed before the receiver says that it is durable', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    device.send('a');
    device.settle();
    const session = connect(device, central);
    for (const { key, item } of take(device)) central.receiver.item(session as ReceiverSession, { stream: key, item }, () => {});
    const [out] = [...device.store.outgoing];
    const told = central.receiver.cursorOf(session as ReceiverSession, (out as NonNullable<typeof out>).key);
    expect(told.cursor).toBe(1);
    central.settle();
    expect(central.receiver.cursorOf(session as ReceiverSession, told.stream).cursor).toBe(2);
  });

  test('a repeat is judged by the planned cursor: two copies in one step store once', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    device.send('a');
    device.settle();
    const session = connect(device, central) as ReceiverSession;
    const [first] = take(device);
    const at = { stream: (first as NonNullable<typeof first>).key, item: (first as NonNullable<typeof first>).item };
    expect(central.receiver.item(session, at, () => {})).toBe('new');
    expect(central.receiver.item(session, at, () => {})).toBe('repeat');
    central.settle();
    expect(central.texts()).toEqual(['a']);
  });

  test('an item out of sequence is not taken', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    for (const text of ['a', 'b']) device.send(text);
    device.settle();
    const session = connect(device, central) as ReceiverSession;
    const [, second] = take(device);
    const at = { stream: (second as NonNullable<typeof second>).key, item: (second as NonNullable<typeof second>).item };
    expect(central.receiver.item(session, at, () => {})).toBe('ahead');
  });

  test('what the sender lost track of by a power cut is not sent twice to the application', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    for (const text of ['a', 'b', 'c']) device.send(text);
    device.settle();
    const session = connect(device, central) as ReceiverSession;
    for (const { key, item } of take(device)) central.receiver.item(session, { stream: key, item }, () => {});
    central.settle();
    device.powerCut();
    central.powerCut();
    transfer(device, central, connect(device, central));
    expect(central.texts()).toEqual(['a', 'b', 'c']);
    expect(device.store.outgoing.count).toBe(0);
  });

  test('numbers go on after a power cut, never again', () => {
    const device = new Peer('device');
    device.send('a');
    device.settle();
    device.powerCut();
    device.send('b');
    device.settle();
    const [out] = [...device.store.outgoing];
    expect([out?.next, out?.list.count]).toEqual([3, 2]);
  });

  test('three nodes: the message keeps its identity through the one in the middle', () => {
    const [device, gateway, central] = [new Peer('device'), new Peer('gateway'), new Peer('central')];
    for (const text of ['a', 'b']) device.send(text);
    device.settle();
    transfer(device, gateway, connect(device, gateway));
    expect(device.store.outgoing.count).toBe(0);
    gateway.powerCut();
    transfer(gateway, central, connect(gateway, central));
    expect(central.texts()).toEqual(['a', 'b']);
    expect(gateway.store.outgoing.count).toBe(0);
  });
});

describe('a message with timers on its way', () => {
  const sendTimed = (peer: Peer, properties: Properties) => {
    const planned = peer.intake.begin('central/bags', { body: toUtf8('timed'), properties });
    peer.store.commit({ puts: planned.puts, acks: planned.acks, metas: planned.changes }, () => {});
    planned.settle();
    peer.settle();
  };
  const hopOf = ({ item }: { item: Item }) => (item.kind === 'message' ? decodeEnvelope(item.envelope).hop : undefined);
  /** Queue time of the frame that stored it, and so many milliseconds. */
  const wait = (peer: Peer, ms: number) => {
    peer.store.nowMs = 1_000_000_000 + ms;
  };

  test('carries the time it spent here before the session; a repeat in the session has the same bytes', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    sendTimed(device, { timeToBeReceivedMs: 60_000 });
    sendTimed(device, { deliverAfterMs: 60_000 });
    device.send('plain');
    device.settle();
    wait(device, 5_000);
    connect(device, central);
    const first = take(device);
    expect(first.map(hopOf)).toEqual([
      { count: 0, elapsedMs: 5_000 },
      { count: 0, elapsedMs: 5_000 },
      { count: 0, elapsedMs: 0 },
    ]);
    wait(device, 9_000);
    for (const stream of first.map(({ key }) => key)) device.sender.rewind(device.sender.stream(outOf(device, stream)), 1);
    expect(take(device)).toEqual(first);
    connect(device, central);
    expect(hopOf(take(device)[0] ?? first[0]!)).toEqual({ count: 0, elapsedMs: 9_000 });
  });

  test('whose time is over ends here only while it was surely never handed over; then its gap says so at the destination', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    const expiry = new OutgoingExpiry(device.store, device.intake, () => [device.sender]);
    sendTimed(device, { timeToReachQueueMs: 1_000 });
    const session = connect(device, central);
    take(device);
    sendTimed(device, { timeToReachQueueMs: 1_000 });
    wait(device, 5_000);
    for (let i = 0; i < 3; i++) {
      expiry.pump();
      device.settle();
    }
    expect([device.store.outgoing.count, device.store.accounts()]).toMatchObject([
      1,
      [{ class: 'REACH_QUEUE_TIMEOUT', count: 1 }],
    ]);
    device.sender.rewind(device.sender.stream([...device.store.outgoing][0]!), 1);
    transfer(device, central, session);
    expect(central.texts()).toEqual(['timed']);
    expect(central.store.accounts()).toMatchObject([{ class: 'REACH_QUEUE_TIMEOUT', count: 1 }]);
  });

  test('that came here and asks for word of that node: it goes back the way it came', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    sendTimed(device, { acknowledge: 'reach' });
    transfer(device, central, connect(device, central));
    expect([...central.store.outgoing].map(({ key, list }) => [key.destination, list.count])).toEqual([['device/$admin', 1]]);
  });
});

/** The stream of a peer by its key. */
function outOf(peer: Peer, key: StreamKey) {
  const out = [...peer.store.outgoing].find(({ key: other }) => other.priority === key.priority);
  if (out === undefined) throw new Error('no such stream');
  return out;
}

describe('sessions', () => {
  test('a newer session fences the older one', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    device.send('a');
    device.settle();
    const old = connect(device, central) as ReceiverSession;
    const [first] = take(device);
    connect(device, central);
    const at = { stream: (first as NonNullable<typeof first>).key, item: (first as NonNullable<typeof first>).item };
    expect(central.receiver.item(old, at, () => {})).toBe('stale');
  });

  test('an answer to an older offer means nothing', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    device.send('a');
    device.settle();
    const { answer } = central.receiver.offered(device.sender.offer()) as Offered;
    device.sender.offer();
    device.sender.answered(answer);
    expect(device.sender.state).toBe('offered');
  });

  test('an offer heard twice gets the same session', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    const offer = device.sender.offer();
    const first = central.receiver.offered(offer) as Offered;
    const second = central.receiver.offered(offer) as Offered;
    expect(second.session).toBe(first.session);
    expect(second.answer.ticket).toEqual(first.answer.ticket);
  });

  test('honest nodes that lose power at any point of the handshake are never called forks', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    for (let round = 0; round < 60; round++) {
      device.send(`m${round}`);
      device.settle();
      const offer = device.sender.offer();
      const { answer, session } = central.receiver.offered(offer) as Offered;
      if (random.chance(0.3)) central.powerCut();
      if (random.chance(0.3)) {
        device.powerCut();
        continue;
      }
      device.sender.answered(answer);
      if (random.chance(0.3)) device.powerCut();
      device.settle();
      if (random.chance(0.5) && device.sender.state === 'ready') transfer(device, central, session);
      if (random.chance(0.2)) device.powerCut();
      if (random.chance(0.2)) central.powerCut();
      expect(device.sender.state).not.toBe('forked');
    }
    expect(central.receiver.forkCount).toBe(0);
    transfer(device, central, connect(device, central));
    expect(central.texts()).toEqual(Array.from({ length: 60 }, (_, i) => `m${i}`));
  });

  test('an offer is not answered while another ticket is on its way to the disk: no power cut makes a fork of it', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    device.send('a');
    device.settle();
    const session = connect(device, central) as ReceiverSession;
    for (const { key, item } of take(device)) central.receiver.item(session, { stream: key, item }, () => {});
    expect(central.receiver.offered(device.sender.offer())).toBeUndefined();
    central.powerCut();
    transfer(device, central, connect(device, central));
    expect([device.sender.state, central.texts()]).toEqual(['ready', ['a']]);
  });

  test('a receiver that lost its store, and then its first answer, still takes the sender for a stranger', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    device.send('a');
    device.settle();
    transfer(device, central, connect(device, central));
    const fresh = new Peer('central');
    device.send('b');
    device.settle();
    fresh.receiver.offered(device.sender.offer()); // its answer is lost
    transfer(device, fresh, connect(device, fresh));
    fresh.pass(HOLE_WAIT_MS);
    expect([device.sender.state, fresh.receiver.forkCount, fresh.texts()]).toEqual(['ready', 0, ['b']]);
  });

  test('names that only make offers cost bounded memory, and push out nobody who sent something', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    device.send('a');
    device.settle();
    transfer(device, central, connect(device, central));
    const offer = device.sender.offer();
    for (let i = 0; i < NEIGHBOUR_COUNT_MAX + 100; i++) central.receiver.offered({ ...offer, sender: `stranger-${i}` });
    expect(central.receiver.senders().length).toBeLessThanOrEqual(NEIGHBOUR_COUNT_MAX);
    expect(central.receiver.senders()).toContain('device');
  });

  test('a cursor beyond what was handed over is counted and frees nothing', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    for (const text of ['a', 'b']) device.send(text);
    device.settle();
    connect(device, central);
    const [out] = [...device.store.outgoing];
    device.sender.acknowledged((out as NonNullable<typeof out>).key, 3, 1000);
    device.settle();
    expect(device.store.outgoing.count).toBe(2);
    expect(device.sender.staleCount).toBe(1);
  });
});

describe('a store that was rolled back', () => {
  function rolledBack(sentAfterwards: number): { device: Peer; central: Peer } {
    const [device, central] = [new Peer('device'), new Peer('central')];
    device.send('before');
    device.settle();
    transfer(device, central, connect(device, central));
    const image = device.disk.clone(random);
    for (let i = 0; i < 3; i++) device.send(`later${i}`);
    device.settle();
    transfer(device, central, connect(device, central));
    device.disk = image;
    device.open();
    for (let i = 0; i < sentAfterwards; i++) device.send(`new${i}`);
    device.settle();
    return { device, central };
  }

  test.each([0, 1, 3, 10])('is found, with %i messages sent since, and swallows none of them', (count) => {
    const { device, central } = rolledBack(count);
    connect(device, central);
    expect(device.sender.state).toBe('forked');
    const rehoming = new Rehoming({ store: device.store, intake: device.intake, random, reason: 'new-incarnation' });
    for (let i = 0; i < 100 && !rehoming.isDone; i++) {
      rehoming.pump();
      device.settle();
    }
    device.open();
    transfer(device, central, connect(device, central));
    expect(central.texts().filter((text) => text.startsWith('new'))).toEqual(Array.from({ length: count }, (_, i) => `new${i}`));
    expect(device.store.outgoing.count).toBe(0);
  });

  function receiverRolledBack(sessions: number): { device: Peer; central: Peer } {
    const [device, central] = [new Peer('device'), new Peer('central')];
    device.send('a');
    device.settle();
    transfer(device, central, connect(device, central));
    const image = central.disk.clone(random);
    for (let i = 0; i < sessions; i++) {
      device.send(`freed${i}`);
      device.settle();
      transfer(device, central, connect(device, central));
    }
    central.disk = image;
    central.open();
    device.send('z');
    device.settle();
    return { device, central };
  }

  test('a receiver rolled back over several sessions shows a ticket chain nobody continues: a fork', () => {
    const { device, central } = receiverRolledBack(2);
    connect(device, central);
    expect(device.sender.state).toBe('forked');
  });

  test('a receiver rolled back within one session asks for what was freed: counted at both ends, never silent', () => {
    const { device, central } = receiverRolledBack(1);
    transfer(device, central, connect(device, central));
    expect(central.texts()).toEqual(['a']);
    central.pass(HOLE_WAIT_MS);
    expect(central.texts()).toEqual(['a', 'z']);
    expect(central.store.accounts()).toMatchObject([{ class: 'MISSING', count: 1 }]);
    expect(device.sender.elsewhereCount).toBe(1);
  });

  test('a receiver that lost its store is a stranger: the sender goes on from what it holds', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    device.send('a');
    device.settle();
    transfer(device, central, connect(device, central));
    const fresh = new Peer('central');
    device.send('b');
    device.settle();
    transfer(device, fresh, connect(device, fresh));
    expect(fresh.texts()).toEqual([]);
    fresh.pass(HOLE_WAIT_MS);
    expect(fresh.texts()).toEqual(['b']);
    expect(fresh.store.accounts()).toMatchObject([{ class: 'MISSING', count: 1 }]);
  });

  test('a gateway that was rolled back goes on from the cursor of the central', () => {
    const [device, gateway, central] = [new Peer('device'), new Peer('gateway'), new Peer('central')];
    device.send('a');
    device.settle();
    transfer(device, gateway, connect(device, gateway));
    const image = gateway.disk.clone(random);
    transfer(gateway, central, connect(gateway, central));
    gateway.disk = image;
    gateway.open();
    transfer(gateway, central, connect(gateway, central));
    expect(central.texts()).toEqual(['a']);
  });
});

describe('an offer that does not list a stream the receiver has numbers of', () => {
  const AGO = 'ffffffffffffffff';

  /** The central has numbers of two streams of the device, of one it forwards, and of one of an older incarnation. */
  function offered(change: (offer: Offer, ours: (stream: StreamKey) => boolean) => Partial<Offer>): Offered['answer']['kind'] {
    const [device, central] = [new Peer('device'), new Peer('central')];
    device.send('a', 'central/bags', 3);
    device.send('b', 'central/bags', 5);
    device.settle();
    const session = connect(device, central);
    transfer(device, central, session);
    const { incarnation } = device.store.self;
    for (const key of [
      { origin: 'another', incarnation, destination: 'central/bags', priority: 3 },
      { origin: 'device', incarnation: AGO, destination: 'central/bags', priority: 3 },
    ]) {
      const item = { kind: 'message' as const, number: 1, envelope: envelopeOf(key, 1) };
      expect(session && central.receiver.item(session, { stream: key, item }, () => {})).toBe('new');
    }
    central.settle();
    const offer = device.sender.offer();
    expect(offer.streams.map(({ stream }) => stream.priority)).toEqual([3, 5]);
    const isOurs = (stream: StreamKey) => stream.origin === 'device' && stream.incarnation === incarnation;
    const before = central.receiver.forkCount;
    const { answer } = central.receiver.offered({ ...offer, ...change(offer, isOurs) }) as Offered;
    expect(central.receiver.forkCount - before).toBe(answer.kind === 'fork' ? 1 : 0);
    return answer.kind;
  }

  test('is a fork when it says that it lists all that begin at the sender', () => {
    expect(offered(({ streams }) => ({ streams: streams.slice(1) }))).toBe('fork');
    expect(offered(() => ({ streams: [] }))).toBe('fork');
  });

  test('is none when it lists a part only', () => {
    expect(offered(({ streams }) => ({ streams: streams.slice(1), own: 'in-part' }))).toBe('welcome');
    expect(offered(() => ({ streams: [], own: 'in-part' }))).toBe('welcome');
  });

  test('is none when the stream begins at another node, or belongs to an older incarnation', () => {
    expect(offered(() => ({}))).toBe('welcome');
  });

  test('is none when the receiver merely heard of the stream', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    device.send('a');
    device.settle();
    connect(device, central);
    expect(central.receiver.offered({ ...device.sender.offer(), streams: [] })?.answer.kind).toBe('welcome');
  });

  test('that a sender makes itself lists them all, what was freed too', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    for (const priority of [0, 3, 7]) device.send('x', 'central/bags', priority);
    device.settle();
    transfer(device, central, connect(device, central));
    device.powerCut();
    const { own, streams } = device.sender.offer();
    expect([own, streams.map(({ stream, lo, next }) => [stream.priority, lo, next])]).toEqual([
      'whole',
      [
        [0, 2, 2],
        [3, 2, 2],
        [7, 2, 2],
      ],
    ]);
  });
});

describe('what nobody can take', () => {
  test('a message for a queue that is not there goes into $dead, and the stream goes on', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    device.send('a', 'central/nothing');
    device.send('b', 'central/nothing');
    device.settle();
    transfer(device, central, connect(device, central));
    expect(device.store.outgoing.count).toBe(0);
    expect(central.store.queues.get('$dead').ready[3]?.count).toBe(2);
    expect(central.store.accounts()).toMatchObject([{ class: 'BAD_DST_Q', count: 2 }]);
  });

  test('bytes that are no envelope go into $dead of the first node that looks, and the next hop learns of the gap', () => {
    const [device, gateway, central] = [new Peer('device'), new Peer('gateway'), new Peer('central')];
    for (const text of ['a', 'b', 'c']) device.send(text);
    device.settle();
    const session = connect(device, gateway) as ReceiverSession;
    for (const { key, item } of take(device)) {
      const bad = item.kind === 'message' && item.number === 2 ? { ...item, envelope: new Uint8Array([1, 2, 3]) } : item;
      expect(gateway.receiver.item(session, { stream: key, item: bad }, () => {})).toBe('new');
    }
    gateway.settle();
    gateway.powerCut();
    transfer(gateway, central, connect(gateway, central));
    expect(central.texts()).toEqual(['a', 'c']);
    expect(central.store.accounts()).toMatchObject([{ class: 'CORRUPT', count: 1 }]);
    expect(gateway.store.queues.get('$dead').ready[3]?.count).toBe(1);
  });

  test('$dead is bounded and stops nothing: its oldest bodies go, counted', () => {
    const central = new Peer('central');
    for (let i = 0; i < 100; i++) {
      const ending = { class: 'BAD_TELEGRAM' as const, node: 'central', reason: 'test' };
      const planned = central.intake.beginDead({ body: new Uint8Array(1000), properties: {} }, ending);
      central.store.commit({ puts: planned.puts, acks: planned.acks, metas: planned.changes }, () => {});
      planned.settle();
      central.settle();
    }
    const dead = central.store.queues.get('$dead');
    const held = dead.ready[3]?.count ?? 0;
    expect(held).toBeGreaterThan(30);
    expect(central.store.accounts()).toMatchObject([{ class: 'DROPPED', count: 100 - held }]);
  });

  test('$dead that cannot take a letter at all drops nothing for it', () => {
    const central = new Peer('central');
    const ending = { class: 'BAD_TELEGRAM' as const, node: 'central', reason: 'test' };
    const planned = central.intake.beginDead({ body: new Uint8Array(1000), properties: {} }, ending);
    central.store.commit({ puts: planned.puts, metas: planned.changes }, () => {});
    planned.settle();
    central.settle();
    expect(() => central.intake.beginDead({ body: new Uint8Array(60_000), properties: {} }, ending)).toThrow('MESSAGE_TOO_LARGE');
    expect(central.store.queues.get('$dead').ready[3]?.count).toBe(1);
    expect(central.store.accounts()).toEqual([]);
  });

  test('a message that grows past what this ring can hold is refused, and nothing moves', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    device.send('a');
    device.settle();
    const session = connect(device, central) as ReceiverSession;
    const bodyBytesMax = central.driver.ring.bodyBytesMax;
    for (const { key, item } of take(device)) {
      const huge = item.kind === 'message' ? { ...item, envelope: grown(item.envelope, bodyBytesMax) } : item;
      expect(central.receiver.item(session, { stream: key, item: huge }, () => {})).toEqual({ refused: 'TOO_LARGE' });
      central.settle();
      expect(central.receiver.cursorOf(session, key).cursor).toBe(1);
      expect(central.receiver.item(session, { stream: key, item }, () => {})).toBe('new');
    }
    central.settle();
    expect(central.texts()).toEqual(['a']);
    expect(central.store.accounts()).toEqual([]);
  });

  test('a message nobody can take that is too large for $dead is refused, with its true class', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    device.send('a', 'central/nothing');
    device.settle();
    const session = connect(device, central) as ReceiverSession;
    for (const { key, item } of take(device)) {
      const at = (envelope: Uint8Array) => ({ stream: key, item: { ...item, envelope } as Item });
      for (const bytes of [49_100, 200_000]) {
        expect(central.receiver.item(session, at(new Uint8Array(bytes)), () => {})).toEqual({ refused: 'BAD_DST_Q' });
      }
      expect(central.receiver.cursorOf(session, key).cursor).toBe(1);
    }
    central.settle();
    expect(central.store.accounts()).toEqual([]);
    expect(central.store.queues.get('$dead').ready[3]?.count).toBe(0);
  });

  test('a forwarded message that is refused ends where it lies: the gap names that node and is the account, at the destination', () => {
    const [device, gateway, central] = [new Peer('device'), new Peer('gateway'), new Peer('central')];
    for (const text of ['a', 'b']) device.send(text);
    device.settle();
    transfer(device, gateway, connect(device, gateway));
    const session = connect(gateway, central) as ReceiverSession;
    const [first] = take(gateway);
    const verdicts = Array.from({ length: 3 }, () => {
      const verdict = gateway.sender.refused(first?.key as StreamKey, { number: 1, class: 'BAD_DST_Q' });
      gateway.settle();
      return verdict;
    });
    expect(verdicts).toEqual(['reading', 'planned', 'ended']);
    expect(transfer(gateway, central, session)).toEqual([]);
    const [work] = [...gateway.store.outgoing].map((out) => gateway.sender.stream(out));
    gateway.sender.rewind(work as NonNullable<typeof work>, 1);
    expect(transfer(gateway, central, session)).toEqual(['new', 'new']);
    expect(central.texts()).toEqual(['b']);
    expect(central.store.accounts()).toMatchObject([{ class: 'REJECTED', count: 1, stream: { origin: 'device' } }]);
    expect([gateway.store.accounts(), gateway.texts('$dead'), device.texts('$dead')]).toEqual([[], ['a'], []]);
    expect(gateway.store.outgoing.count).toBe(0);
  });

  test('a full queue takes nothing and loses nothing', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    central.intake.define('bags', 3_000);
    central.settle();
    for (let i = 0; i < 8; i++) device.send(`${i}${'x'.repeat(900)}`);
    device.settle();
    const results = transfer(device, central, connect(device, central));
    expect(results).toContain('no-room');
    expect(central.texts().length + device.store.outgoing.count).toBe(8);
    const first = central.texts().length;
    expect(first).toBeGreaterThan(0);
    central.intake.define('bags', 100_000);
    central.settle();
    transfer(device, central, connect(device, central));
    expect(central.texts().map((text) => text[0])).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
  });

  test('a full queue that says so takes them into $dead, each with its account, and the stream goes on', () => {
    const [device, central] = [new Peer('device'), new Peer('central')];
    central.intake.define('bags', 3_000, { remoteWhenFull: 'dead-letter' });
    central.settle();
    for (let i = 0; i < 8; i++) device.send(`${i}${'x'.repeat(900)}`);
    device.settle();
    expect(transfer(device, central, connect(device, central))).not.toContain('no-room');
    expect([central.texts().length, device.store.outgoing.count]).toEqual([3, 0]);
    expect(central.store.queues.get('$dead').ready[3]?.count).toBe(5);
    expect(central.store.accounts()).toMatchObject([{ class: 'Q_EXCEED_QUOTA', count: 5 }]);
    const stream = central.store.streams.key(
      central.store.ring.index.stream(central.store.queues.get('bags').ready[3]?.head ?? 0),
    );
    expect(new Arrivals(central.store, central.intake).creditFor(stream, 10_000)).toBe(10_000);
    central.powerCut();
    expect(central.store.accounts()).toMatchObject([{ class: 'Q_EXCEED_QUOTA', count: 5 }]);
    expect(transfer(device, central, connect(device, central))).toEqual([]);
  });

  test.each(['drop-oldest', 'drop-lowest-priority', 'block'] as const)(
    '%s drops nothing for a message of another node',
    (whenFull) => {
      const [device, central] = [new Peer('device'), new Peer('central')];
      central.intake.define('bags', 3_000, { whenFull });
      central.settle();
      for (let i = 0; i < 8; i++) device.send(`${i}${'x'.repeat(900)}`, 'central/bags', 7);
      device.settle();
      expect(transfer(device, central, connect(device, central))).toContain('no-room');
      expect([central.texts().map((text) => text[0]), central.store.accounts()]).toEqual([['0', '1', '2'], []]);
    },
  );

  test('a refused batch has changed no account in memory', () => {
    const central = new Peer('central');
    central.intake.define('bags', 2_500, { whenFull: 'drop-oldest' });
    central.settle();
    for (const text of ['a', 'b']) central.send(text.padEnd(1_000), 'central/bags');
    central.settle();
    const planned = central.intake.begin('central/bags', { body: new Uint8Array(1_000), properties: {} });
    expect([planned.acks.length, central.store.accounts(), central.texts().length]).toEqual([1, [], 2]);
    planned.settle();
    expect(central.store.accounts()).toMatchObject([{ class: 'DROPPED', count: 1 }]);
  });

  test('an address nobody leads to is refused at send', () => {
    const device = new Peer('device');
    expect(() => device.send('a', 'nowhere/bags')).toThrow('ROUTE_NOT_FOUND');
  });
});

/** The same message with a body that makes its envelope just as large as a ring takes, before a hop is added. */
function grown(envelope: Uint8Array, bytes: number): Uint8Array {
  const { message } = decodeEnvelope(envelope);
  const withBody = (length: number): Uint8Array => encodeEnvelope({ ...message, body: new Uint8Array(length) });
  return withBody(bytes - withBody(bytes).length + bytes);
}
