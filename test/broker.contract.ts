/**
 * What every implementation of the Broker port promises (shared/ports.ts), and what the relay relies on. Each implementation brings a
 * world: a broker that clients connect to, and the means to be cruel to it.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { toHex, toUtf8 } from '../shared/bytes.ts';
import type { Broker, Publish } from '../shared/ports.ts';
import { formatTopic } from '../shared/relay/topics.ts';

export interface BrokerWorld {
  /** A client of this name; its last will says on its status topic that it is offline. It connects once somebody listens. */
  connect(name: string): Broker;
  /** Breaks the connection of a client, without a goodbye. It comes back by itself. */
  sever(name: string): void;
  /** The broker dies, forgets everything, and comes back. */
  restart(): Promise<void>;
  /** Lets the world go on until this holds; fails when it does not come to hold. */
  until(holds: () => boolean, what: string): Promise<void>;
  /** Lets the world go on long enough for what is on its way to arrive. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

/** A client with a listener that writes everything down. */
class Probe {
  readonly events: string[] = [];
  readonly payloads: Uint8Array[] = [];
  readonly broker: Broker;
  /** What to subscribe to at every connection. */
  topics: string[] = [];
  /** What to do at once when the connection is gone: a moment later it may be back. */
  whenDown: () => void = () => {};
  #depth = 0;

  constructor(broker: Broker) {
    this.broker = broker;
    this.during(() =>
      broker.listen({
        onUp: () => this.#heard('up', () => this.topics.length > 0 && this.subscribe(...this.topics)),
        onDown: () => this.#heard('down', () => this.whenDown()),
        onMessage: (topic, payload) => {
          this.payloads.push(payload);
          this.#heard(`${topic} ${toHex(payload).slice(0, 40)}`);
        },
      }),
    );
  }

  publish(topic: string, text: string, more: Partial<Publish> = {}): void {
    this.during(() => this.broker.publish({ topic, payload: toUtf8(text), qos: 1, retain: 'transient', ...more }));
  }

  subscribe(...topics: string[]): void {
    this.during(() => this.broker.subscribe(topics));
  }

  /** Anything heard in here comes from inside a call of ours. */
  during(call: () => void): void {
    this.#depth += 1;
    call();
    this.#depth -= 1;
  }

  count(event: string): number {
    return this.events.filter((other) => other === event).length;
  }

  /** Texts heard on a topic. */
  on(topic: string): string[] {
    return this.events
      .filter((event) => event.startsWith(`${topic} `))
      .map((event) => Buffer.from(event.split(' ')[1] ?? '', 'hex').toString());
  }

  #heard(event: string, then: () => void = () => {}): void {
    expect(this.#depth, `${event} heard from inside a call`).toBe(0);
    this.events.push(event);
    then();
  }
}

export function brokerContract(name: string, open: () => Promise<BrokerWorld>): void {
  describe(`Broker contract: ${name}`, () => {
    let world: BrokerWorld;
    beforeEach(async () => {
      world = await open();
    });
    afterEach(() => world.close());

    async function probe(client: string, ...topics: string[]): Promise<Probe> {
      const made = new Probe(world.connect(client));
      made.topics = topics;
      await world.until(() => made.count('up') === 1, `${client} is up`);
      await world.settle();
      return made;
    }

    test('what is published is heard by who subscribed, in order', async () => {
      const b = await probe('b', 't/+/x');
      const a = await probe('a');
      const texts = Array.from({ length: 200 }, (_, at) => `m${at}`);
      for (const text of texts) a.publish('t/1/x', text);
      a.publish('t/1/y', 'other');
      await world.until(() => b.on('t/1/x').length >= 200, 'all heard');
      await world.settle();
      expect(b.on('t/1/x')).toEqual(texts);
      expect(b.on('t/1/y')).toEqual([]);
    });

    test('a client hears its own publishes when it subscribed', async () => {
      const a = await probe('a', 't');
      a.publish('t', 'mine');
      await world.until(() => a.on('t').length === 1, 'heard');
    });

    test('large payloads arrive whole, and are copies on both sides', async () => {
      const b = await probe('b', 'large');
      const a = await probe('a');
      const payload = new Uint8Array(300_000).fill(7);
      a.during(() => a.broker.publish({ topic: 'large', payload, qos: 1, retain: 'transient' }));
      payload.fill(9);
      await world.until(() => b.payloads.length === 1, 'heard');
      const [heard] = b.payloads;
      expect(heard).toHaveLength(300_000);
      expect(heard?.every((byte) => byte === 7)).toBe(true);
      expect(heard?.constructor).toBe(Uint8Array);
      expect(heard?.byteOffset).toBe(0);
    });

    test('more publishes than any broker takes at once all go out, in order', async () => {
      const b = await probe('b', 't');
      const a = await probe('a');
      const texts = Array.from({ length: 500 }, (_, at) => `m${at}`);
      for (const text of texts) a.publish('t', text);
      await world.until(() => b.on('t').length >= 500, 'all heard');
      expect(b.on('t')).toEqual(texts);
    });

    test('the word of the broker on each publish that wants it comes once, later, and of no connection that is over', async () => {
      const a = await probe('a');
      const told: string[] = [];
      const publish = (text: string) => {
        let isInside = true;
        const ended = (outcome: string) => told.push(`${text} ${outcome}${isInside ? ' from inside a call' : ''}`);
        a.during(() => a.broker.publish({ topic: 't', payload: toUtf8(text), qos: 1, retain: 'transient' }, ended));
        isInside = false;
      };
      const texts = Array.from({ length: 100 }, (_, at) => `m${at}`);
      for (const text of texts) publish(text);
      await world.until(() => told.length >= 100, 'all told');
      await world.settle();
      expect([...told].sort()).toEqual(texts.map((text) => `${text} acknowledged`).sort());
      world.sever('a');
      publish('in doubt');
      a.whenDown = () => publish('dropped');
      await world.until(() => a.count('up') === 2, 'up again');
      await world.settle();
      expect(told.filter((word) => !word.startsWith('m') && word !== 'in doubt acknowledged')).toEqual([]);
    });

    test('what is retained is heard by who subscribes later, the newest only', async () => {
      const a = await probe('a');
      a.publish('r', 'old', { retain: 'retain' });
      a.publish('r', 'new', { retain: 'retain' });
      a.publish('n', 'gone');
      await world.settle();
      const b = await probe('b', 'r', 'n');
      await world.until(() => b.on('r').length > 0, 'heard');
      await world.settle();
      expect(b.on('r')).toEqual(['new']);
      expect(b.on('n')).toEqual([]);
    });

    test('a broken connection: down, then up again with nothing subscribed and nothing of earlier', async () => {
      const b = await probe('b', 't');
      const a = await probe('a');
      b.topics = [];
      world.sever('b');
      await world.until(() => b.count('down') === 1, 'down');
      a.publish('t', 'meanwhile');
      await world.until(() => b.count('up') === 2, 'up again');
      await world.settle();
      a.publish('t', 'not subscribed');
      await world.settle();
      b.subscribe('t');
      await world.settle();
      a.publish('t', 'heard');
      await world.until(() => b.on('t').length > 0, 'heard');
      expect(b.on('t')).toEqual(['heard']);
      expect(b.events.filter((event) => event === 'up' || event === 'down')).toEqual(['up', 'down', 'up']);
    });

    test('what is published while down is dropped, not kept for later', async () => {
      const b = await probe('b', 't');
      const a = await probe('a');
      a.whenDown = () => {
        a.publish('t', 'lost');
        a.subscribe('t');
      };
      world.sever('a');
      await world.until(() => a.count('down') === 1, 'down');
      await world.until(() => a.count('up') === 2, 'up again');
      await world.settle();
      a.publish('t', 'sent');
      await world.until(() => b.on('t').length > 0, 'heard');
      await world.settle();
      expect(b.on('t')).toEqual(['sent']);
      expect(a.on('t')).toEqual([]);
    });

    test('a broker that dies takes everything with it; all come back by themselves', async () => {
      const a = await probe('a', 't');
      const b = await probe('b');
      b.publish('r', 'retained', { retain: 'retain' });
      await world.settle();
      await world.restart();
      await world.until(() => a.count('up') === 2 && b.count('up') === 2, 'both are back');
      await world.settle();
      b.publish('t', 'after');
      await world.until(() => a.on('t').length > 0, 'heard');
      a.subscribe('r');
      await world.settle();
      expect(a.on('r')).toEqual([]);
    });

    test('the last will is published when a connection breaks, and says so itself when it is closed', async () => {
      const [status, other] = ['a', 'c'].map((node) => formatTopic({ kind: 'status', node }));
      const b = await probe('b', status ?? '', other ?? '');
      await probe('a');
      world.sever('a');
      await world.until(() => b.on(status ?? '').length > 0, 'the will is heard');
      const c = await probe('c');
      await c.broker.close();
      await world.until(() => b.on(other ?? '').length > 0, 'the goodbye is heard');
    });

    test('closed, it is silent for good, and closing again is nothing', async () => {
      const b = await probe('b', 't');
      const a = await probe('a');
      await b.broker.close();
      await b.broker.close();
      const heard = b.events.length;
      a.publish('t', 'too late');
      b.publish('t', 'nobody says this');
      world.sever('b');
      await world.settle();
      expect(b.events).toHaveLength(heard);
    });

    test('closed before it was connected, it never connects', async () => {
      const broker = world.connect('never');
      const early = new Probe(broker);
      await broker.close();
      await world.settle();
      expect(early.events).toEqual([]);
    });
  });
}
