import { beforeEach, describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { SimBroker } from '../../hardware-sim/sim-broker.ts';
import { TestNode, type TestNodeOptions, TestTime } from '../../hardware-sim/test-node.ts';
import { toHex } from '../bytes.ts';
import { NO_TICKET } from '../custody/session.ts';
import {
  BATCH_BYTES_MAX,
  PROGRESS_MS_MAX,
  PROGRESS_MS_MIN,
  SYNC_MS_MAX,
  SYNC_MS_MIN,
  WINDOW_BYTES_MAX,
  WINDOW_PUBLISH_COUNT_MAX,
} from '../limits.ts';
import type { StreamKey } from '../message/identity.ts';
import type { Broker } from '../ports.ts';
import { decodePublish } from './publish-layout.ts';
import { encodeAnswer, encodeHello, encodeProgress } from './receipt-layout.ts';
import { statusPublish } from './status-layout.ts';
import { decodeSync, type Sync } from './sync-layout.ts';

const PLENTY = 1 << 30;
const INCARNATION = 'ce00000000000001';
const EPOCH = { counter: 1, random: 1 };
const TICKET = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

interface Heard {
  readonly atMs: number;
  readonly topic: string;
  readonly bytes: number;
  readonly nonce: string;
  /** `priority:number` of messages, `priority:number-to` of the rest. */
  readonly items: readonly string[];
  readonly envelopeBytes: number;
}

/** Plays the central by hand: hears everything, says only what the test makes it say. */
class Puppet {
  readonly syncs: { atMs: number; hex: string; sync: Sync }[] = [];
  readonly publishes: Heard[] = [];
  readonly #broker: Broker;
  readonly #time: TestTime;
  /** What to do with a sync. */
  onSync: (sync: Sync) => void = (sync) => this.welcome(sync);
  credit = PLENTY;
  incarnation = INCARNATION;

  constructor(time: TestTime, broker: SimBroker) {
    this.#time = time;
    this.#broker = broker.connect('central');
    this.#broker.listen({
      onUp: () => this.#broker.subscribe(['ringmail/sync/+', 'ringmail/queue/central/+/+']),
      onDown: () => {},
      onMessage: (topic, payload) => this.#hear(topic, payload),
    });
  }

  get nonce(): Uint8Array {
    return this.syncs.at(-1)?.sync.offer.nonce ?? new Uint8Array(8);
  }

  get items(): string[] {
    return this.publishes.flatMap(({ items }) => items);
  }

  welcome({ offer }: Sync, cursor = 1): void {
    const cursors = offer.streams.map(({ stream }) => ({ stream, cursor, credit: this.credit }));
    this.say(
      encodeAnswer({
        kind: 'welcome',
        receiver: 'central',
        incarnation: this.incarnation,
        epoch: EPOCH,
        nonce: offer.nonce,
        ticket: TICKET,
        cursors,
      }),
    );
  }

  progress(key: StreamKey, cursor: number, more: { credit?: number; hasMissed?: boolean; nonce?: Uint8Array } = {}): void {
    const { credit = this.credit, hasMissed = false, nonce = this.nonce } = more;
    this.say(
      encodeProgress({ receiver: 'central', incarnation: INCARNATION, nonce }, [{ stream: key, cursor, credit, hasMissed }]),
    );
  }

  hello(nonce = this.nonce): void {
    this.say(encodeHello({ receiver: 'central', incarnation: INCARNATION, nonce }));
  }

  status(kind: 'online' | 'offline', hello = 1): void {
    const online = { kind: 'online', node: 'central', incarnation: INCARNATION, epoch: EPOCH, hello } as const;
    this.#broker.publish(statusPublish(kind === 'online' ? online : { kind, node: 'central' }));
  }

  say(payload: Uint8Array, topic = 'ringmail/receipt/gateway'): void {
    this.#broker.publish({ topic, payload, qos: 1, retain: 'transient' });
  }

  #hear(topic: string, payload: Uint8Array): void {
    const { nowMs } = this.#time;
    if (topic.startsWith('ringmail/sync/')) {
      const sync = decodeSync(payload);
      if (sync === undefined || sync === 'unknown-version') throw new Error('a sync is a sync');
      this.syncs.push({ atMs: nowMs, hex: toHex(payload), sync });
      return this.onSync(sync);
    }
    const decoded = decodePublish(payload);
    if (decoded?.kind !== 'publish') throw new Error('a publish is a publish');
    const items: string[] = [];
    let envelopeBytes = 0;
    for (const published of decoded.items) {
      if (published.kind === 'bad') throw new Error('items decode');
      const { item, stream } = published;
      items.push(`${stream.priority}:${item.number}${item.kind === 'message' ? '' : `-${item.to}`}`);
      envelopeBytes += item.kind === 'message' ? item.envelope.length : 0;
    }
    this.publishes.push({ atMs: nowMs, topic, bytes: payload.length, nonce: toHex(decoded.header.nonce), items, envelopeBytes });
  }
}

let time: TestTime;
let broker: SimBroker;
let puppet: Puppet;
let gateway: TestNode;

function build(options: Partial<TestNodeOptions> = {}): void {
  time = new TestTime(stream(1, 'time'));
  broker = new SimBroker({ scheduler: time, random: stream(1, 'broker') });
  puppet = new Puppet(time, broker);
  gateway = new TestNode({ time, broker, random: stream(1, 'gateway'), name: 'gateway', central: 'central', ...options });
  gateway.open();
  run(100);
}

function run(ms: number): void {
  time.run(ms);
}

function send(count: number, bytes = 100, priority = 3): void {
  for (let i = 0; i < count; i++) expect(gateway.send('central/bags', new Uint8Array(bytes), priority)).toBe(true);
}

function key(priority = 3): StreamKey {
  return { origin: 'gateway', incarnation: gateway.parts.store.self.incarnation, destination: 'central/bags', priority };
}

function numbers(from: number, to: number, priority = 3): string[] {
  return Array.from({ length: to - from + 1 }, (_, at) => `${priority}:${from + at}`);
}

beforeEach(() => build());

describe('custody', () => {
  test('PUBACK means nothing: frees only after the receipt', () => {
    send(3);
    run(5000);
    expect(puppet.items).toEqual(numbers(1, 3));
    expect(gateway.outgoingCount).toBe(3);
    puppet.progress(key(), 3);
    run(100);
    expect(gateway.outgoingCount).toBe(1);
    puppet.progress(key(), 4);
    run(100);
    expect(gateway.outgoingCount).toBe(0);
  });

  test('publishes nothing before the answer, and nothing before its ticket is durable', () => {
    build({ syncMsMax: 0 });
    broker.cut('gateway');
    puppet.onSync = () => {};
    run(1000);
    const { disk } = gateway;
    send(2);
    run(1000);
    expect(puppet.publishes).toEqual([]);
    const step = disk.onPending;
    disk.onPending = () => {};
    puppet.welcome(puppet.syncs.at(-1)?.sync as Sync);
    run(1000);
    expect(gateway.relaySender.view().state).toBe('ticketing');
    expect(puppet.publishes).toEqual([]);
    disk.onPending = step;
    step?.();
    run(100);
    expect(puppet.items).toEqual(numbers(1, 2));
  });

  test('publishes nothing that is not durable here', () => {
    gateway.disk.onPending = () => {};
    send(1);
    run(1000);
    expect(puppet.items).toEqual([]);
  });

  test('a receipt of another session is counted and ignored', () => {
    send(1);
    run(100);
    puppet.progress(key(), 2, { nonce: NO_TICKET });
    run(100);
    expect(gateway.outgoingCount).toBe(1);
    expect(gateway.relaySender.counters().uplinkIgnored).toBe(1);
  });

  test('goes on from the cursor of the answer', () => {
    puppet.onSync = (sync) => puppet.welcome(sync, 3);
    send(4);
    run(100); // published in the session from before, and known there
    broker.cut('gateway');
    run(2000);
    expect(puppet.items).toEqual([...numbers(1, 4), ...numbers(3, 4)]);
    expect(gateway.outgoingCount).toBe(2);
  });

  test('an answer that calls it a fork ends all publishing, and is seen', () => {
    puppet.onSync = ({ offer }) => {
      const { nonce } = offer;
      puppet.say(
        encodeAnswer({
          kind: 'fork',
          receiver: 'central',
          incarnation: INCARNATION,
          epoch: EPOCH,
          nonce,
          ticket: NO_TICKET,
          cursors: [],
        }),
      );
    };
    broker.cut('gateway');
    run(1000);
    send(2);
    run(PROGRESS_MS_MAX);
    expect(gateway.parts.sender.state).toBe('forked');
    expect(gateway.relaySender.view().state).toBe('forked');
    expect(puppet.publishes).toEqual([]);
    expect(gateway.relaySender.wakeAtMs).toBeUndefined();
  });

  test('a cursor beyond everything that was sent is a fork when it is the answer', () => {
    send(2);
    puppet.onSync = (sync) => puppet.welcome(sync, 9);
    broker.cut('gateway');
    run(2000);
    expect(gateway.relaySender.view().state).toBe('forked');
    expect(gateway.outgoingCount).toBe(2);
  });

  test('a cursor beyond everything that was sent frees nothing when it is a receipt, and a new session follows', () => {
    send(2);
    run(100);
    puppet.progress(key(), 9);
    run(1000);
    expect(gateway.outgoingCount).toBe(2);
    expect(puppet.syncs).toHaveLength(2);
  });
});

describe('batches and window', () => {
  test('nothing is delayed to fill a batch', () => {
    send(1);
    run(20);
    expect(puppet.publishes.map(({ items }) => items.length)).toEqual([1]);
  });

  test('what waits goes together, and no publish exceeds the limit', () => {
    puppet.onSync = () => {};
    broker.cut('gateway');
    run(1000);
    send(300, 1000);
    run(1000);
    puppet.welcome(puppet.syncs.at(-1)?.sync as Sync);
    run(1000);
    expect(puppet.items).toEqual(numbers(1, 300));
    expect(puppet.publishes.length).toBeLessThan(9);
    for (const { bytes } of puppet.publishes) expect(bytes).toBeLessThanOrEqual(BATCH_BYTES_MAX);
    expect(Math.max(...puppet.publishes.map(({ bytes }) => bytes))).toBeGreaterThan(BATCH_BYTES_MAX - 1500);
  });

  test('no publish has more messages than the uplink may publish at once', () => {
    build({ messagesPerPublish: 2 });
    send(9);
    run(5000);
    expect(Math.max(...puppet.publishes.map(({ items }) => items.length))).toBe(2);
    expect(puppet.items).toEqual(numbers(1, 9));
  });

  test('a message above the limit goes alone', () => {
    build({ ringBytes: 20 * 1024 * 1024 });
    puppet.onSync = () => {};
    broker.cut('gateway');
    run(1000);
    send(1);
    send(1, 100_000);
    send(1);
    run(3000);
    puppet.welcome(puppet.syncs.at(-1)?.sync as Sync);
    run(1000);
    expect(puppet.publishes.map(({ items }) => items)).toEqual([['3:1'], ['3:2'], ['3:3']]);
    expect(puppet.publishes[1]?.bytes).toBeGreaterThan(100_000);
  });

  test('the window has a number of publishes', () => {
    for (let i = 0; i < WINDOW_PUBLISH_COUNT_MAX + 20; i++) {
      send(1, 10);
      run(10);
    }
    expect(puppet.publishes).toHaveLength(WINDOW_PUBLISH_COUNT_MAX);
    puppet.progress(key(), 11);
    run(100);
    expect(puppet.items.slice(WINDOW_PUBLISH_COUNT_MAX)).toEqual(numbers(257, 276)); // together: they waited
  });

  test('the window has a number of bytes', () => {
    build({ ringBytes: 20 * 1024 * 1024 });
    const bytesOut = () => puppet.publishes.reduce((sum, { bytes }) => sum + bytes, 0);
    send(300, 5000);
    run(1000);
    expect(bytesOut()).toBeLessThanOrEqual(WINDOW_BYTES_MAX);
    expect(bytesOut()).toBeGreaterThan(WINDOW_BYTES_MAX - 6000);
    const before = bytesOut();
    puppet.progress(key(), 50);
    run(1000);
    expect(bytesOut()).toBeGreaterThan(before + 200_000);
  });

  test('the urgent first', () => {
    puppet.onSync = () => {};
    broker.cut('gateway');
    run(1000);
    send(2, 10, 0);
    send(2, 10, 7);
    send(2, 10, 3);
    run(3000);
    puppet.welcome(puppet.syncs.at(-1)?.sync as Sync);
    run(100);
    expect(puppet.items).toEqual(['7:1', '7:2', '3:1', '3:2', '0:1', '0:2']);
  });

  test('among equals whoever was served least recently: a long backlog does not keep a short one waiting', () => {
    build({ ringBytes: 20 * 1024 * 1024 });
    send(300, 5000); // more than the window
    gateway.send('central/alarms', new Uint8Array(6000));
    run(1000);
    expect(puppet.publishes.map(({ topic }) => topic)).not.toContain('ringmail/queue/central/alarms/0');
    const before = puppet.publishes.length;
    puppet.progress(key(), 20);
    run(100);
    expect(puppet.publishes[before]?.topic).toBe('ringmail/queue/central/alarms/0');
  });

  test('items of one publish are all for the queue of its topic', () => {
    puppet.onSync = () => {};
    broker.cut('gateway');
    run(1000);
    for (const queue of ['bags', 'alarms', 'bags']) gateway.send(`central/${queue}`, Uint8Array.of(1));
    run(3000);
    puppet.welcome(puppet.syncs.at(-1)?.sync as Sync);
    run(100);
    expect(puppet.publishes.map(({ topic, items }) => [topic, items.length])).toEqual([
      ['ringmail/queue/central/bags/0', 2],
      ['ringmail/queue/central/alarms/0', 1],
    ]);
  });
});

describe('credit', () => {
  test('no more is out than the receiver allows', () => {
    puppet.credit = 1000;
    broker.cut('gateway');
    send(20);
    run(3000);
    const out = puppet.publishes.reduce((sum, { envelopeBytes }) => sum + envelopeBytes, 0);
    expect(out).toBeLessThanOrEqual(1000);
    const done = puppet.items.length;
    expect(done).toBeGreaterThan(2);
    puppet.progress(key(), done + 1);
    run(100);
    expect(puppet.items.length).toBe(2 * done);
  });

  test('one message may go while there is any credit, be it larger', () => {
    puppet.credit = 1;
    broker.cut('gateway');
    send(3);
    run(3000);
    expect(puppet.items).toEqual(['3:1']);
    puppet.progress(key(), 2);
    run(100);
    expect(puppet.items).toEqual(['3:1', '3:2']);
  });

  test('with credit 0 nothing goes, and people can see why; then it goes on by itself', () => {
    puppet.credit = 0;
    broker.cut('gateway');
    send(3);
    run(3000);
    expect(puppet.items).toEqual([]);
    expect(gateway.relaySender.view().isStarved).toBe(true);
    puppet.progress(key(), 1, { credit: PLENTY });
    run(100);
    expect(puppet.items).toEqual(numbers(1, 3));
    expect(gateway.relaySender.view().isStarved).toBe(false);
  });

  test('a stream without credit does not hold up another', () => {
    puppet.onSync = ({ offer }) => {
      const cursors = offer.streams.map(({ stream: s }) => ({ stream: s, cursor: 1, credit: s.priority === 7 ? 0 : PLENTY }));
      const { nonce } = offer;
      puppet.say(
        encodeAnswer({
          kind: 'welcome',
          receiver: 'central',
          incarnation: INCARNATION,
          epoch: EPOCH,
          nonce,
          ticket: TICKET,
          cursors,
        }),
      );
    };
    broker.cut('gateway');
    send(3, 10, 7);
    send(3, 10, 1);
    run(3000);
    expect(puppet.items).toEqual(numbers(1, 3, 1));
  });

  test('a lost word of new credit is asked for: a sync after progressMs, then ever more rarely', () => {
    puppet.credit = 0;
    broker.cut('gateway');
    send(1);
    run(2000);
    const before = puppet.syncs.length;
    run(PROGRESS_MS_MIN + 1000);
    expect(puppet.syncs.length).toBe(before + 1);
    run(2 * PROGRESS_MS_MIN - 4000);
    expect(puppet.syncs.length).toBe(before + 1);
    run(3000);
    expect(puppet.syncs.length).toBe(before + 2);
  });
});

describe('liveness', () => {
  test('an unanswered sync is repeated, the same bytes, ever more rarely', () => {
    puppet.onSync = () => {};
    broker.cut('gateway');
    run(1000);
    const first = puppet.syncs.length;
    run(SYNC_MS_MAX * 4);
    const since = puppet.syncs.slice(first - 1);
    expect(new Set(since.map(({ hex }) => hex)).size).toBe(1);
    const pauses = since.slice(1).map(({ atMs }, at) => Math.round((atMs - (since[at]?.atMs ?? 0)) / 1000));
    expect(pauses.slice(0, 6)).toEqual([2, 4, 8, 16, 32, 60]);
    expect(SYNC_MS_MIN).toBe(2000);
  });

  test('an answer to an older offer is ignored', () => {
    const old = puppet.syncs[0]?.sync as Sync;
    puppet.onSync = () => {};
    broker.cut('gateway');
    run(1000);
    puppet.welcome(old);
    run(1000);
    expect(gateway.relaySender.view().state).toBe('syncing');
  });

  test('what was published and stands still is published again in a new session, at ever longer intervals', () => {
    send(3);
    run(200_000);
    const pauses = puppet.syncs.slice(1).map(({ atMs }, at) => Math.round((atMs - (puppet.syncs[at]?.atMs ?? 0)) / 10_000));
    expect(pauses.slice(0, 4)).toEqual([1, 2, 4, 8]);
    expect(puppet.items.slice(0, 6)).toEqual([...numbers(1, 3), ...numbers(1, 3)]);
    expect(gateway.outgoingCount).toBe(3);
  });

  test('after two sessions in vain the items go one by one, until something moves', () => {
    send(3);
    run(PROGRESS_MS_MIN + 1000);
    expect(puppet.publishes.at(-1)?.items).toEqual(numbers(1, 3));
    run(2 * PROGRESS_MS_MIN);
    expect(puppet.publishes.slice(-3).map(({ items }) => items)).toEqual([['3:1'], ['3:2'], ['3:3']]);
    puppet.progress(key(), 4);
    run(100);
    send(9);
    run(100);
    expect(puppet.publishes.at(-1)?.items.length).toBeGreaterThan(1);
  });

  test('progress is progress, however slow: no new session while cursors move', () => {
    send(10);
    for (let cursor = 2; cursor <= 11; cursor++) {
      run(PROGRESS_MS_MIN - 1000);
      puppet.progress(key(), cursor);
    }
    run(1000);
    expect(puppet.syncs).toHaveLength(1);
    expect(gateway.outgoingCount).toBe(0);
  });

  test('an idle sender wants no timer', () => {
    send(1);
    run(100);
    puppet.progress(key(), 2);
    run(1000);
    expect(gateway.relaySender.wakeAtMs).toBeUndefined();
  });

  test('hello of the present session brings a new one; hello of an older one does not', () => {
    const old = puppet.nonce;
    puppet.hello();
    run(1000);
    expect(puppet.syncs).toHaveLength(2);
    puppet.hello(old);
    run(1000);
    expect(puppet.syncs).toHaveLength(2);
  });

  test('a central that subscribed anew is offered to at once', () => {
    puppet.status('online', 1);
    run(100);
    expect(puppet.syncs, 'the opening that answered: no news').toHaveLength(1);
    puppet.status('online', 1);
    run(100);
    expect(puppet.syncs, 'heard twice').toHaveLength(1);
    puppet.status('online', 2);
    run(300);
    expect(puppet.syncs).toHaveLength(2);
  });

  test('a central that went away is not published to; when it is back, at once', () => {
    puppet.status('online');
    run(300);
    puppet.onSync = () => {};
    puppet.status('offline');
    run(100);
    send(2);
    run(SYNC_MS_MIN + 1000);
    expect(puppet.syncs.length, 'its absence is doubted: the will may be an old one').toBe(2);
    expect(puppet.items).toEqual([]);
    puppet.onSync = (sync) => puppet.welcome(sync);
    puppet.status('online', 2);
    run(100);
    expect(puppet.items).toEqual(numbers(1, 2));
  });

  test('a reported hole brings a new session, and the stream goes on from the cursor', () => {
    send(4);
    run(100);
    puppet.onSync = (sync) => puppet.welcome(sync, 2);
    puppet.progress(key(), 2, { hasMissed: true });
    run(1000);
    expect(puppet.syncs).toHaveLength(2);
    expect(puppet.items).toEqual([...numbers(1, 4), ...numbers(2, 4)]);
  });

  test('a hole without credit waits for credit, and does not fill the window', () => {
    send(4);
    run(100);
    puppet.progress(key(), 2, { credit: 0, hasMissed: true });
    run(1000);
    expect(puppet.syncs).toHaveLength(1);
    expect(gateway.relaySender.view()).toMatchObject({ windowPublishes: 0, windowBytes: 0, isStarved: true });
    puppet.progress(key(), 2, { credit: PLENTY });
    run(1000);
    expect(puppet.syncs).toHaveLength(2);
  });

  test('a hole whose credit was never told is asked about', () => {
    send(4);
    run(100);
    puppet.progress(key(), 2, { credit: 0, hasMissed: true });
    run(PROGRESS_MS_MIN + 1000);
    expect(puppet.syncs).toHaveLength(2);
  });
});

describe('hostile or foreign', () => {
  test('what is no receipt, no status, or of another version is counted and ignored', () => {
    send(2);
    run(100);
    const random = stream(2, 'garbage');
    const receipt = encodeProgress({ receiver: 'central', incarnation: INCARNATION, nonce: puppet.nonce }, [
      { stream: key(), cursor: 3, credit: 1, hasMissed: false },
    ]);
    for (let i = 0; i < 500; i++) {
      const bytes = i % 2 === 0 ? random.bytes(random.int(80)) : receipt.slice(0, random.int(receipt.length));
      puppet.say(bytes, random.pick(['ringmail/receipt/gateway', 'ringmail/status/central']));
    }
    const newer = receipt.slice();
    newer[2] = 2; // the value of key 0
    puppet.say(newer);
    run(100);
    expect(gateway.outgoingCount).toBe(2);
    expect(gateway.relaySender.counters().uplinkIgnored).toBe(501);
    expect(gateway.relaySender.view().state).toBe('publishing');
  });

  test('a receipt of another store under the same nonce is ignored', () => {
    send(1);
    run(100);
    puppet.say(
      encodeProgress({ receiver: 'central', incarnation: 'ffffffffffffffff', nonce: puppet.nonce }, [
        { stream: key(), cursor: 2, credit: 1, hasMissed: false },
      ]),
    );
    run(100);
    expect(gateway.outgoingCount).toBe(1);
  });

  test('a second store that answers the same offer is known for one; the first one goes on', () => {
    const sync = puppet.syncs.at(-1)?.sync as Sync;
    puppet.welcome(sync); // the same store again, as a broker that delivers twice would have it
    run(100);
    expect(gateway.parts.sender.twins).toBeUndefined();
    puppet.incarnation = 'ce00000000000002';
    puppet.welcome(sync);
    run(100);
    expect(gateway.parts.sender.twins?.incarnations).toEqual([INCARNATION, 'ce00000000000002']);
    expect(gateway.relaySender.counters()).toMatchObject({ uplinkTwins: 1 });
    send(1);
    run(1000);
    expect(puppet.items).toEqual(numbers(1, 1));
  });

  test('streams it does not have are passed over', () => {
    send(1);
    run(100);
    puppet.progress({ ...key(), origin: 'stranger' }, 5);
    puppet.progress({ ...key(), priority: 6 }, 5);
    run(100);
    expect(gateway.outgoingCount).toBe(1);
    expect(puppet.syncs).toHaveLength(1);
  });
});
