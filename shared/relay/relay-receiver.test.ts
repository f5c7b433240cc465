import { beforeEach, describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { SimBroker } from '../../hardware-sim/sim-broker.ts';
import { TestNode, type TestNodeOptions, TestTime } from '../../hardware-sim/test-node.ts';
import { concatBytes, toHex } from '../bytes.ts';
import { type Item, NO_TICKET, type Offer } from '../custody/session.ts';
import { encodeCbor } from '../message/cbor.ts';
import { encodeEnvelope } from '../message/envelope.ts';
import type { StreamKey } from '../message/identity.ts';
import type { Broker } from '../ports.ts';
import { decodePublish, encodeItem, encodePublish } from './publish-layout.ts';
import { decodeReceipt, type ProgressedStream, type Receipt } from './receipt-layout.ts';
import { decodeStatus, type Status, statusPublish } from './status-layout.ts';
import { encodeSync } from './sync-layout.ts';

const INCARNATION = 'aa00000000000001';
const EPOCH = { counter: 1, random: 7 };

/** Plays a sender by hand: hears every receipt, says what the test makes it say. */
class Puppet {
  readonly receipts: { atMs: number; receipt: Receipt }[] = [];
  readonly statuses: Status[] = [];
  nonce = new Uint8Array(8);
  ticket: Uint8Array = NO_TICKET;
  ticketNonce = new Uint8Array(8);
  readonly #broker: Broker;
  readonly #name: string;
  #attempts = 0;

  constructor(time: TestTime, broker: SimBroker, name = 'gateway') {
    this.#name = name;
    this.#broker = broker.connect(name);
    this.#broker.listen({
      onUp: () => this.#broker.subscribe([`ringmail/receipt/${name}`, 'ringmail/status/central']),
      onDown: () => {},
      onMessage: (topic, payload) => {
        if (topic.startsWith('ringmail/status/')) {
          const status = decodeStatus(payload);
          if (typeof status === 'object') this.statuses.push(status);
          return;
        }
        const receipt = decodeReceipt(payload);
        if (typeof receipt !== 'object') throw new Error('a receipt is a receipt');
        if (receipt.kind === 'answer' && toHex(receipt.answer.nonce) === toHex(this.nonce)) {
          this.ticket = receipt.answer.ticket;
          this.ticketNonce = this.nonce.slice();
        }
        this.receipts.push({ atMs: time.nowMs, receipt });
      },
    });
  }

  key(queue = 'bags', priority = 3): StreamKey {
    return { origin: this.#name, incarnation: INCARNATION, destination: `central/${queue}`, priority };
  }

  /** A fresh offer, or one with what it is told to differ in. */
  offer(change: Partial<Offer> = {}): Offer {
    this.nonce = Uint8Array.of(9, 9, 9, 9, 9, 9, 9, ++this.#attempts);
    const streams = [{ stream: this.key(), lo: 1, next: 100 }];
    const { ticket, ticketNonce, nonce } = this;
    return {
      sender: this.#name,
      incarnation: INCARNATION,
      epoch: EPOCH,
      nonce,
      ticket,
      ticketNonce,
      streams,
      own: 'in-part',
      ...change,
    };
  }

  sync(offer = this.offer(), attempt = this.#attempts, receiver = 'central'): void {
    this.say(`ringmail/sync/${this.#name}`, encodeSync({ receiver, attempt, offer }));
  }

  publish(items: readonly Uint8Array[], more: { queue?: string; nonce?: Uint8Array } = {}): void {
    const { queue = 'bags', nonce = this.nonce } = more;
    this.say(`ringmail/queue/central/${queue}/0`, encodePublish({ sender: this.#name, incarnation: INCARNATION, nonce }, items));
  }

  /** Messages `from` to `to` of a stream, as items. */
  messages(from: number, to: number, more: { key?: StreamKey; bytes?: number } = {}): Uint8Array[] {
    const { key = this.key(), bytes = 50 } = more;
    return Array.from({ length: to - from + 1 }, (_, at) => {
      const identity = { ...key, number: from + at };
      const envelope = encodeEnvelope({ identity, epoch: EPOCH, priority: key.priority, body: new Uint8Array(bytes) });
      return encodeItem(key, { kind: 'message', number: from + at, envelope });
    });
  }

  say(topic: string, payload: Uint8Array): void {
    this.#broker.publish({ topic, payload, qos: 1, retain: 'transient' });
  }

  get last(): Receipt | undefined {
    return this.receipts.at(-1)?.receipt;
  }

  kinds(): string[] {
    return this.receipts.map(({ receipt }) => (receipt.kind === 'answer' ? receipt.answer.kind : receipt.kind));
  }

  /** Cursor of a stream as the last receipt that speaks of it says. */
  told(key = this.key()): ProgressedStream | undefined {
    for (const { receipt } of [...this.receipts].reverse()) {
      if (receipt.kind === 'hello') continue;
      const cursors: readonly ProgressedStream[] =
        receipt.kind === 'answer' ? receipt.answer.cursors.map((cursor) => ({ ...cursor, hasMissed: false })) : receipt.cursors;
      const found = cursors.find(({ stream: s }) => s.destination === key.destination && s.priority === key.priority);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

let time: TestTime;
let broker: SimBroker;
let puppet: Puppet;
let central: TestNode;

function build(options: Partial<TestNodeOptions> = {}): void {
  time = new TestTime(stream(1, 'time'));
  broker = new SimBroker({ scheduler: time, random: stream(1, 'broker') });
  puppet = new Puppet(time, broker);
  const queues = [
    { name: 'bags', bytesLimit: 100_000 },
    { name: 'alarms', bytesLimit: 100_000 },
  ];
  central = new TestNode({ time, broker, random: stream(1, 'central'), name: 'central', central: 'central', queues, ...options });
  central.open();
  time.run(100);
  puppet.sync();
  time.run(100);
}

function run(ms = 100): void {
  time.run(ms);
}

const count = (name: string) => central.relayReceiver.counters()[name];
const storedNumbers = (queue = 'bags') => central.contents(queue).map(({ identity }) => identity.number);

beforeEach(() => build());

describe('sessions', () => {
  test('an offer is answered with a session and where its streams stand', () => {
    expect(puppet.last).toMatchObject({
      kind: 'answer',
      answer: { kind: 'welcome', receiver: 'central', cursors: [{ cursor: 1 }] },
    });
    puppet.publish(puppet.messages(1, 3));
    run();
    puppet.sync();
    run();
    expect(puppet.told()?.cursor).toBe(4);
  });

  test('the same offer again gets the same answer', () => {
    const offer = puppet.offer();
    puppet.sync(offer);
    puppet.sync(offer);
    run();
    const [a, b] = puppet.receipts.slice(-2).map(({ receipt }) => receipt);
    expect(puppet.kinds().slice(-2)).toEqual(['welcome', 'welcome']);
    expect(a).toEqual(b);
  });

  test('an older offer that comes late does not end the newer session', () => {
    const old = puppet.offer();
    puppet.sync(puppet.offer(), 3);
    run();
    puppet.sync(old, 2);
    run();
    puppet.publish(puppet.messages(1, 1));
    run();
    expect(storedNumbers()).toEqual([1]);
    expect(central.parts.receiver.forkCount).toBe(0);
  });

  test('an offer for another central is not answered', () => {
    const before = puppet.receipts.length;
    puppet.sync(puppet.offer(), 9, 'elsewhere');
    run();
    expect(puppet.receipts).toHaveLength(before);
  });

  test('an offer in the name of another sender is refused', () => {
    puppet.say('ringmail/sync/other', encodeSync({ receiver: 'central', attempt: 1, offer: puppet.offer() }));
    run();
    expect(count('relayMalformed')).toBe(1);
  });

  test('an offer that shows no ticket of ours is answered as a fork; the session from before stays', () => {
    puppet.publish(puppet.messages(1, 1));
    run();
    const { nonce } = puppet;
    puppet.sync(puppet.offer({ ticket: Uint8Array.of(6, 6, 6, 6, 6, 6, 6, 6) }));
    run();
    expect(puppet.kinds().at(-1)).toBe('fork');
    puppet.publish(puppet.messages(2, 2), { nonce });
    run();
    expect(storedNumbers()).toEqual([1, 2]);
  });

  test('an offer is answered only when everything taken before is on the disk', () => {
    const complete = central.disk.onPending;
    let waiting = 0;
    central.disk.onPending = () => {
      waiting += 1;
    };
    puppet.publish(puppet.messages(1, 2));
    run();
    puppet.sync();
    run(1000);
    expect(puppet.kinds()).toEqual(['welcome']);
    central.disk.onPending = complete;
    for (; waiting > 0; waiting--) complete?.();
    run();
    expect(puppet.kinds()).toEqual(['welcome', 'welcome']);
    expect(puppet.told()?.cursor).toBe(3);
  });

  test('an offer that waits ends the session before it: nothing more of that is taken, which would put the answer off', () => {
    const complete = central.disk.onPending;
    let waiting = 0;
    central.disk.onPending = () => {
      waiting += 1;
    };
    const { nonce } = puppet;
    puppet.publish(puppet.messages(1, 2));
    run();
    puppet.sync();
    run();
    puppet.publish(puppet.messages(3, 3), { nonce });
    run();
    central.disk.onPending = complete;
    for (; waiting > 0; waiting--) complete?.();
    run();
    expect(puppet.told()?.cursor).toBe(3);
    expect(storedNumbers()).toEqual([1, 2]);
    expect(puppet.kinds()).not.toContain('hello');
  });

  test('a publish of the session before is not taken', () => {
    const { nonce } = puppet;
    puppet.sync();
    run();
    puppet.publish(puppet.messages(1, 2), { nonce });
    run();
    expect(storedNumbers()).toEqual([]);
    expect(count('relayStale')).toBe(1);
  });

  test('words of a session that is over cause one hello, which carries its nonce', () => {
    const { nonce } = puppet;
    central.kill();
    central.open();
    run(1000);
    for (let i = 0; i < 5; i++) puppet.publish(puppet.messages(1, 1), { nonce });
    run();
    expect(puppet.kinds().filter((kind) => kind === 'hello')).toHaveLength(1);
    expect(puppet.last).toMatchObject({ kind: 'hello', nonce });
    expect(count('relayStale')).toBe(5);
    expect(storedNumbers()).toEqual([]);
  });
});

describe('receipts', () => {
  test('a receipt comes when the disk has it, not before', () => {
    const complete = central.disk.onPending;
    central.disk.onPending = () => {};
    puppet.publish(puppet.messages(1, 1));
    run(1000);
    expect(puppet.kinds()).toEqual(['welcome']);
    central.disk.onPending = complete;
    complete?.();
    run();
    expect(puppet.last).toMatchObject({ kind: 'progress', cursors: [{ cursor: 2, hasMissed: false }] });
  });

  test('one receipt tells of everything that moved', () => {
    const alarms = puppet.key('bags', 7);
    puppet.publish([...puppet.messages(1, 200), ...puppet.messages(1, 200, { key: alarms })]);
    run();
    expect(puppet.told()?.cursor).toBe(201);
    expect(puppet.told(alarms)?.cursor).toBe(201);
    expect(puppet.receipts.length).toBeLessThan(8); // frames, not messages
  });

  test('a repeat is answered with where the stream stands', () => {
    puppet.publish(puppet.messages(1, 2));
    run();
    puppet.publish(puppet.messages(1, 2));
    run();
    expect(puppet.kinds().slice(-2)).toEqual(['progress', 'progress']);
    expect(storedNumbers()).toEqual([1, 2]);
  });

  test('a hole is reported once a batch, and nothing behind it is taken', () => {
    puppet.publish(puppet.messages(1, 1));
    run();
    puppet.publish(puppet.messages(3, 9));
    run();
    expect(puppet.kinds()).toEqual(['welcome', 'progress', 'progress']);
    expect(puppet.told()).toMatchObject({ cursor: 2, hasMissed: true });
    expect(storedNumbers()).toEqual([1]);
  });

  test('a hole in one stream does not hold up another in the same publish', () => {
    const urgent = puppet.key('bags', 7);
    puppet.publish([...puppet.messages(5, 6), ...puppet.messages(1, 2, { key: urgent })]);
    run();
    expect(puppet.told(urgent)).toMatchObject({ cursor: 3, hasMissed: false });
  });
});

describe('room', () => {
  const large = { bytes: 10_000 };

  test('a full queue: credit 0, nothing lost, and word when there is room again', () => {
    puppet.publish(puppet.messages(1, 12, large));
    run();
    expect(puppet.told()).toMatchObject({ cursor: 10, credit: 0, hasMissed: true });
    const receipts = puppet.receipts.length;
    run(60_000);
    expect(puppet.receipts.length, 'nothing to say while nothing changes').toBe(receipts);
    central.consume('bags', 5);
    run();
    expect(puppet.told()).toMatchObject({ cursor: 10, hasMissed: true });
    expect(puppet.told()?.credit).toBeGreaterThan(10_000);
    puppet.publish(puppet.messages(10, 12, large));
    run();
    expect(puppet.told()).toMatchObject({ cursor: 13, hasMissed: false });
  });

  test('room for less than the next message is no room', () => {
    puppet.publish(puppet.messages(1, 10, large));
    run();
    central.consume('bags', 0);
    expect(puppet.told()).toMatchObject({ cursor: 10, credit: 0 });
  });

  test('a full queue does not hold up another', () => {
    const alarms = puppet.key('alarms');
    puppet.publish(puppet.messages(1, 12, large));
    puppet.publish(puppet.messages(1, 3, { key: alarms }), { queue: 'alarms' });
    run();
    expect(puppet.told(alarms)?.cursor).toBe(4);
    expect(puppet.told(alarms)?.credit).toBeGreaterThan(0);
  });

  test('what is on its way to the disk is bounded; the rest is let fall and comes again', () => {
    build({ pendingBytesMax: 3000, queues: [{ name: 'bags', bytesLimit: 500_000 }] });
    puppet.publish(puppet.messages(1, 40, { bytes: 1000 }));
    run(1000);
    const { cursor = 0, credit, hasMissed } = puppet.told() ?? {};
    expect(cursor).toBeLessThan(10);
    expect(credit).toBeGreaterThan(0);
    expect(hasMissed).toBe(true);
  });
});

describe('what nobody can take', () => {
  test('AC-46 an item that does not decode goes to $dead as it came, and the stream goes on', () => {
    const [good] = puppet.messages(2, 2);
    const broken = encodeCbor(encodeCbor([0, 'gateway', hexBytes(INCARNATION), 'central/bags', 3, 1, 'no envelope']));
    puppet.publish([broken, good as Uint8Array]);
    run();
    expect(puppet.told()?.cursor).toBe(3);
    expect(storedNumbers()).toEqual([2]);
    const [dead] = central.contents('$dead');
    expect(toHex(dead?.body ?? new Uint8Array(0))).toContain(toHex(encodeCbor('no envelope')));
    expect(central.parts.store.accounts()).toMatchObject([{ class: 'CORRUPT', count: 1 }]);
  });

  test('an envelope that does not decode likewise', () => {
    const item: Item = { kind: 'message', number: 1, envelope: Uint8Array.of(1, 2, 3) };
    puppet.publish([encodeItem(puppet.key(), item), ...puppet.messages(2, 2)]);
    run();
    expect(puppet.told()?.cursor).toBe(3);
    expect(central.contents('$dead')).toHaveLength(1);
  });

  test('a message that can never fit ends here, counted, and the stream goes on', () => {
    puppet.publish([...puppet.messages(1, 1, { bytes: 60_000 }), ...puppet.messages(2, 2)]);
    run();
    expect(puppet.told()?.cursor).toBe(3);
    expect(storedNumbers()).toEqual([2]);
    expect(central.parts.store.accounts()).toMatchObject([{ class: 'TOO_LARGE', count: 1 }]);
  });

  test('an item for another queue than its topic says is not taken', () => {
    puppet.publish(puppet.messages(1, 1, { key: puppet.key('alarms') }));
    run();
    expect(count('relayMalformed')).toBe(1);
    expect(storedNumbers('alarms')).toEqual([]);
  });

  test('gaps move the cursor and make the account', () => {
    const gap = encodeItem(puppet.key(), { kind: 'gap', number: 1, to: 4, class: 'RECEIVE_TIMEOUT', node: 'gateway' });
    puppet.publish([gap, ...puppet.messages(5, 5)]);
    run();
    expect(puppet.told()?.cursor).toBe(6);
    expect(central.parts.store.accounts()).toMatchObject([{ class: 'RECEIVE_TIMEOUT', count: 4 }]);
  });

  test('garbage, truncated or of another version: counted, nothing else', () => {
    const whole = encodePublish({ sender: 'gateway', incarnation: INCARNATION, nonce: puppet.nonce }, puppet.messages(1, 3));
    const random = stream(3, 'garbage');
    for (let i = 0; i < 300; i++) {
      const cut = whole.slice(0, random.int(whole.length));
      const flipped = whole.slice();
      const at = 50 + random.int(whole.length - 50); // behind the header, which has no checksum of its own
      flipped[at] = (flipped[at] ?? 0) ^ (1 << random.int(8));
      puppet.say('ringmail/queue/central/bags/0', random.pick([cut, flipped, random.bytes(random.int(100))]));
      puppet.say('ringmail/sync/gateway', random.bytes(random.int(100)));
    }
    const newer = whole.slice();
    newer[2] = 2; // the value of key 0
    puppet.say('ringmail/queue/central/bags/0', newer);
    run(5000);
    expect(storedNumbers()).toEqual([]);
    expect(count('relayMalformed')).toBe(600);
    expect(count('relayUnknownVersion')).toBe(1);
    puppet.publish(puppet.messages(1, 3));
    run();
    expect(storedNumbers()).toEqual([1, 2, 3]);
  });
});

describe('status', () => {
  test('every connection says hello: another opening, or another count', () => {
    const openings = puppet.statuses.length;
    broker.cut('central');
    run(2000);
    central.kill();
    central.open();
    run(2000);
    const online = puppet.statuses
      .filter((status) => status.kind === 'online')
      .map(({ epoch, hello }) => `${epoch.counter}/${hello}`);
    expect(openings).toBe(1);
    expect(new Set(online)).toEqual(new Set(['1/1', '1/2', '2/1']));
  });

  test('the late will of an old connection is contradicted', () => {
    puppet.say('ringmail/other', new Uint8Array(0));
    broker.connect('stranger'); // only a name: the will below is what the broker would publish
    puppet.say(
      statusPublish({ kind: 'offline', node: 'central' }).topic,
      statusPublish({ kind: 'offline', node: 'central' }).payload,
    );
    run();
    expect(puppet.statuses.slice(-2).map(({ kind }) => kind)).toEqual(['offline', 'online']);
  });
});

test('a publish is what it was before it was encoded', () => {
  const key = puppet.key();
  const items: Item[] = [
    { kind: 'message', number: 1, envelope: Uint8Array.of(1) },
    { kind: 'gap', number: 2, to: 9, class: 'DROPPED', node: 'gateway' },
    { kind: 'elsewhere', number: 10, to: 10 },
  ];
  const speaker = { sender: 'gateway', incarnation: INCARNATION, nonce: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) };
  const payload = encodePublish(
    speaker,
    items.map((item) => encodeItem(key, item)),
  );
  expect(decodePublish(payload)).toEqual({
    kind: 'publish',
    header: speaker,
    items: items.map((item) => ({ kind: 'item', stream: key, item })),
  });
  expect(decodePublish(concatBytes([payload, Uint8Array.of(0)]))).toBeUndefined();
});

function hexBytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}
