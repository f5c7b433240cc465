/** What a node does not let in of what other nodes send, class by class: dead letter, account, word to the sender, and the stream goes on. */

import { describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { formattedDisk, openRing } from '../../hardware-sim/ring-driver.ts';
import { toUtf8 } from '../bytes.ts';
import type { EndingClass } from '../message/classes.ts';
import { decodeEnvelope, encodeEnvelope, type Hop } from '../message/envelope.ts';
import type { Properties, TransactionMark } from '../message/message.ts';
import { geometryFor } from '../ring/geometry.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import { ALL_STORE_PARTS } from './all-store-parts.ts';
import { Arrivals } from './arrivals.ts';
import { Bodies } from './bodies.ts';
import { Intake } from './intake.ts';
import { NodeStore } from './node-store.ts';
import { batchOf } from './planned.ts';
import type { Arrival, Policy } from './policy.ts';

interface How extends Properties {
  readonly hop?: Partial<Hop>;
  readonly transaction?: TransactionMark;
  readonly destination?: string;
}

class Node {
  readonly #driver = openRing(formattedDisk(geometryFor(388 * 4096), stream(7, 'policy'), 'at-once'), { epochRandom: 1 });
  readonly store: NodeStore;
  readonly intake: Intake;
  readonly #sent = new Map<string, number>();

  constructor(policy?: Policy, canReach: (node: string) => boolean = () => true) {
    this.settle();
    this.store = new NodeStore(this.#driver.ring, ALL_STORE_PARTS);
    this.store.load('central', stream(7, 'node'));
    this.intake = new Intake(this.store, { unknownQueue: 'refuse', queueBytesLimit: 50_000, canReach, policy });
    for (const queue of ['$dead', '$journal', '$admin', 'bags']) this.intake.define(queue, 5_000);
    this.settle();
  }

  settle(): void {
    this.#driver.play(1_000_000_000);
  }

  /** Takes the next message of a stream of a device. */
  arrives(text: string, { hop = {}, destination = 'central/bags', ...properties }: How = {}): void {
    const key = { origin: 'device', incarnation: '0011223344556677', destination, priority: 3 };
    const number = (this.#sent.get(destination) ?? 0) + 1;
    this.#sent.set(destination, number);
    const message = {
      ...properties,
      identity: { ...key, number },
      epoch: { counter: 1, random: 1 },
      priority: 3,
      body: toUtf8(text),
    };
    const envelope = encodeEnvelope(message, { count: 0, elapsedMs: 0, ...hop });
    const planned = new Arrivals(this.store, this.intake).accept(key, { kind: 'message', number, envelope }, 'device-1');
    if (planned === undefined || 'refused' in planned) throw new Error(`not taken: ${planned?.refused ?? 'no room'}`);
    this.store.commit(batchOf(planned), () => {});
    planned.settle();
    this.settle();
  }

  in(queue: string): string[] {
    const lists = this.store.queues.get(queue).ready;
    return lists.flatMap((list) => this.#texts(list.head, list.next.bind(list)));
  }

  /** Labels of what waits for another node. */
  get leaving(): string[] {
    return [...this.store.outgoing].flatMap(({ list }) => this.#texts(list.head, list.next.bind(list)));
  }

  get accounts(): [string, number][] {
    return this.store.accounts().map(({ class: ending, count }) => [ending, count]);
  }

  #texts(head: number, next: (slot: number) => number): string[] {
    const texts: string[] = [];
    for (let slot = head; slot !== NO_SLOT; slot = next(slot)) {
      const bodies = new Bodies(this.store.ring);
      bodies.get(slot);
      this.settle();
      const body = bodies.get(slot);
      if (typeof body === 'string') throw new Error(body);
      const { message } = decodeEnvelope(body);
      texts.push(message.label ?? message.history?.at(-1)?.class ?? new TextDecoder().decode(message.body));
    }
    return texts;
  }
}

const TRANSACTION = { id: 't1', index: 0, count: 1 };

describe('a message of another node ends as', () => {
  const refusing =
    (ending: EndingClass): Policy =>
    () =>
      ending;
  test.each<[EndingClass, How, Policy | undefined]>([
    ['BAD_DST_Q', { destination: 'central/nowhere' }, undefined],
    ['ACCESS_DENIED', { destination: 'central/$journal' }, undefined],
    ['ACCESS_DENIED', {}, ({ origin }) => (origin === 'device' ? 'ACCESS_DENIED' : undefined)],
    ['HOP_COUNT_EXCEEDED', { hop: { count: 15 } }, undefined],
    ['REACH_QUEUE_TIMEOUT', { timeToReachQueueMs: 500, hop: { elapsedMs: 500 } }, undefined],
    ['BAD_SIGNATURE', {}, refusing('BAD_SIGNATURE')],
    ['BAD_ENCRYPTION', {}, refusing('BAD_ENCRYPTION')],
    ['NOT_TRANSACTIONAL_Q', { transaction: TRANSACTION }, ({ transaction }) => transaction && 'NOT_TRANSACTIONAL_Q'],
    ['NOT_TRANSACTIONAL_MSG', {}, ({ transaction }) => (transaction ? undefined : 'NOT_TRANSACTIONAL_MSG')],
    ['ACCESS_DENIED', { destination: 'beyond/bags' }, refusing('ACCESS_DENIED')],
  ])('%s (%j)', (ending, how, policy) => {
    const node = new Node(policy);
    node.arrives('a', { ...how, acknowledge: 'reach' });
    expect([node.in('bags'), node.in('$dead'), node.leaving]).toEqual([[], [ending], [ending]]);
    if (how.destination !== 'beyond/bags') expect(node.accounts).toEqual([[ending, 1]]);
    else expect([...node.store.outgoing].flatMap(({ gaps }) => gaps.map((gap) => gap.class))).toEqual([ending]);
    node.arrives('b', { ...how, deadLetter: 'off' });
    expect([node.in('$dead').length, node.leaving.length, node.store.leftOut]).toEqual([
      1,
      1,
      { words: 0, copies: 0, letters: 0 },
    ]);
  });

  test('nothing, one hop below the limit', () => {
    const node = new Node();
    node.arrives('a', { hop: { count: 14 }, timeToReachQueueMs: 500 });
    expect([node.in('bags'), node.accounts]).toEqual([['a'], []]);
  });
});

test('the policy is told what there is to know', () => {
  const seen: Arrival[] = [];
  const node = new Node((arrival) => void seen.push(arrival));
  node.arrives('a', { label: 'trolley', transaction: TRANSACTION, hop: { count: 2 } });
  expect(seen[0]).toMatchObject({ destination: 'central/bags', origin: 'device', transaction: TRANSACTION, hops: 2 });
  expect(seen[0]?.properties).toMatchObject({ label: 'trolley', priority: 3 });
});

test('one that is sent here is refused to its sender, and nothing is stored', () => {
  const node = new Node(() => 'ACCESS_DENIED');
  expect(() => node.intake.begin('bags', { body: toUtf8('a'), properties: {} })).toThrow('MESSAGE_REFUSED');
  expect([node.in('bags'), node.in('$dead'), node.accounts]).toEqual([[], [], []]);
});

describe('in the frame that stores a message of another node', () => {
  test('goes the word that it is in its queue, if that was asked for', () => {
    const node = new Node();
    for (const acknowledge of ['reach', 'receive', 'full'] as const) node.arrives(acknowledge, { acknowledge });
    expect([node.in('bags'), node.leaving]).toEqual([
      ['reach', 'receive', 'full'],
      ['ACK_REACH_QUEUE', 'ACK_REACH_QUEUE'],
    ]);
  });

  test('no word where there is no way to its sender: counted, and the message is stored', () => {
    const node = new Node();
    Object.assign(node, {
      intake: new Intake(node.store, { unknownQueue: 'refuse', queueBytesLimit: 0, canReach: () => false }),
    });
    node.arrives('a', { acknowledge: 'full' });
    expect([node.in('bags'), node.store.leftOut.words]).toEqual([['a'], 1]);
  });

  test('words of other nodes for $admin find room there: the oldest go', () => {
    const node = new Node();
    for (let i = 0; i < 100; i++) node.arrives('a word', { destination: 'central/$admin', label: `w${i}` });
    const words = node.in('$admin');
    expect(words.length).toBeGreaterThan(10);
    expect(words).toEqual(Array.from({ length: words.length }, (_, i) => `w${100 - words.length + i}`));
    expect(node.accounts).toEqual([['DROPPED', 100 - words.length]]);
    expect(
      new Arrivals(node.store, node.intake).creditFor(
        { origin: 'device', incarnation: '0011223344556677', destination: 'central/$admin', priority: 3 },
        1_000,
      ),
    ).toBe(1_000);
  });
});

describe('a message for a node that nobody can reach', () => {
  const nowhere = (): Node => new Node(undefined, () => false);

  test('is a dead letter here; its account is the gap, for its destination', () => {
    const node = nowhere();
    node.arrives('a', { destination: 'device-2/orders' });
    expect([node.in('$dead'), node.accounts]).toEqual([['BAD_DST_Q'], []]);
  });

  test('is accounted for here when it wants no letter: the gap may never be told to anybody', () => {
    const node = nowhere();
    node.arrives('a', { destination: 'device-2/orders', deadLetter: 'off' });
    expect([node.in('$dead'), node.accounts]).toEqual([[], [['BAD_DST_Q', 1]]]);
  });
});
