/** Messages that come together are to a node what they are one by one: two nodes get the same, each in its way. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { formattedDisk, openRing, type RingDriver } from '../../hardware-sim/ring-driver.ts';
import { toHex } from '../bytes.ts';
import { decodeEnvelope, encodeEnvelope } from '../message/envelope.ts';
import type { Message } from '../message/message.ts';
import { geometryFor } from '../ring/geometry.ts';
import { ALL_STORE_PARTS } from './all-store-parts.ts';
import { Intake } from './intake.ts';
import { NodeStore } from './node-store.ts';
import { CustodyReceiver, type ReceiverSession } from './receiver.ts';
import { type Item, type MessageItem, NO_TICKET } from './session.ts';

const key = { origin: 'device', incarnation: '0011223344556677', destination: 'gateway/bags', priority: 3 };
const BODY_BYTES = 20;
/** For about 25 messages. */
const QUEUE_BYTES = 2_000;

class Gateway {
  readonly #driver: RingDriver;
  readonly store: NodeStore;
  readonly receiver: CustodyReceiver;
  readonly session: ReceiverSession;
  durableCount = 0;

  constructor(remoteWhenFull: 'wait' | 'dead-letter') {
    const random = stream(1, 'runs');
    this.#driver = openRing(formattedDisk(geometryFor(388 * 4096), random, 'at-once'), {
      epochRandom: 1,
      cacheBytesMax: 100_000,
    });
    this.settle();
    this.store = new NodeStore(this.#driver.ring, ALL_STORE_PARTS);
    const intake = new Intake(this.store, { unknownQueue: 'refuse', queueBytesLimit: 500_000, canReach: () => true });
    this.store.load('gateway', random);
    this.receiver = new CustodyReceiver(this.store, intake);
    intake.define('$dead', 50_000);
    intake.define('bags', QUEUE_BYTES, { remoteWhenFull });
    const offered = this.receiver.offered({
      ...{ sender: 'device', incarnation: key.incarnation, epoch: { counter: 1, random: 1 }, nonce: new Uint8Array(8) },
      ...{ ticket: NO_TICKET, ticketNonce: new Uint8Array(8), streams: [{ stream: key, lo: 1, next: 6 }], own: 'in-part' },
    });
    if (offered?.session === undefined) throw new Error('no session');
    this.session = offered.session;
    this.receiver.confirm(this.session);
    this.settle();
  }

  settle(): void {
    this.#driver.play(1_000_000_000);
  }

  singly(items: readonly Item[]): void {
    for (const item of items) this.receiver.item(this.session, { stream: key, item }, () => {});
  }

  /** Returns how many were taken as one. */
  together(items: readonly MessageItem[]): number {
    const count = this.receiver.run(this.session, { stream: key, items }, () => {
      this.durableCount += 1;
    });
    this.singly(items.slice(count));
    return count;
  }

  get cursor(): number {
    return this.receiver.cursorOf(this.session, key).cursor;
  }

  /** Of the queue and of dead letters, by number, and all that is in META. */
  look() {
    const { index, metas } = this.store.ring;
    const slots = [...index.slots()].sort((a, b) => index.id(a) - index.id(b));
    const messages = slots.map((slot) => {
      const body = this.store.ring.cachedBody(slot);
      const { message, hop } = decodeEnvelope(body ?? new Uint8Array(0));
      const isListed = index.isListed(slot);
      return { queue: index.queue(slot), number: index.number(slot), isListed, hop, body: toHex(message.body) };
    });
    const values = [...metas.withPrefix('')].map(([name, value]) => `${name} ${toHex(value)}`);
    const { plannedCount, plannedBytes } = this.store.queues.get('bags');
    return { messages, values: values.sort(), plannedCount, plannedBytes, cursor: this.cursor };
  }
}

function messageOf(number: number, more: Partial<Message> = {}): MessageItem {
  const body = new Uint8Array(BODY_BYTES).fill(number);
  const epoch = { counter: 2, random: 7 };
  const envelope = encodeEnvelope({ identity: { ...key, number }, epoch, priority: key.priority, body, ...more });
  return { kind: 'message', number, envelope };
}

const kinds: Record<string, (number: number) => MessageItem> = {
  plain: (number) => messageOf(number),
  labelled: (number) => messageOf(number, { label: 'x' }),
  'asks to be told': (number) => messageOf(number, { acknowledge: 'full' }),
  'of a later epoch': (number) => messageOf(number, { epoch: { counter: 3, random: 9 } }),
  'too late': (number) => messageOf(number, { timeToReachQueueMs: 0 }),
  large: (number) => messageOf(number, { body: new Uint8Array(QUEUE_BYTES) }),
  damaged: (number) => ({
    ...messageOf(number),
    envelope: messageOf(number).envelope.map((byte, at) => (at === 40 ? byte ^ 1 : byte)),
  }),
  'of another number': (number) => ({ ...messageOf(number + 1), number }),
};
const kind = fc.oneof({ weight: 12, arbitrary: fc.constant('plain') }, fc.constantFrom(...Object.keys(kinds)));
const packets = fc.array(
  fc.record({
    kinds: fc.array(kind, { minLength: 1, maxLength: 8 }),
    back: fc.nat(2),
    elsewhere: fc.nat(12),
    settles: fc.boolean(),
  }),
  { minLength: 1, maxLength: 6 },
);

test('whatever comes, the node is the same as if it had come one by one', () => {
  let runs = 0;
  fc.assert(
    fc.property(packets, fc.constantFrom('wait' as const, 'dead-letter' as const), (sent, remoteWhenFull) => {
      const [singly, together] = [new Gateway(remoteWhenFull), new Gateway(remoteWhenFull)];
      let next = 1;
      for (const packet of sent) {
        // Now and then two numbers go another way, or what came comes again.
        const elsewhere: Item[] = packet.elsewhere === 0 ? [{ kind: 'elsewhere', number: next, to: next + 1 }] : [];
        next += 2 * elsewhere.length;
        const first = Math.max(1, next - (packet.back === 2 ? 2 : 0));
        const items = packet.kinds.map((name, at) => kinds[name]?.(first + at) ?? messageOf(first + at));
        next = Math.max(next, first + items.length);
        singly.singly([...elsewhere, ...items]);
        together.singly(elsewhere);
        if (together.together(items) > 0) runs += 1;
        if (!packet.settles) continue;
        singly.settle();
        together.settle();
      }
      singly.settle();
      together.settle();
      expect(together.look()).toEqual(singly.look());
    }),
    { numRuns: 60 },
  );
  expect(runs).toBeGreaterThan(20);
});

test('the cursor that is told moves when all of them are on the disk', () => {
  const gateway = new Gateway('wait');
  expect(gateway.together([messageOf(1), messageOf(2), messageOf(3)])).toBe(3);
  expect([gateway.cursor, gateway.durableCount]).toEqual([1, 0]);
  gateway.settle();
  expect([gateway.cursor, gateway.durableCount]).toEqual([4, 1]);
});

test('what waited for the session says so, and nothing else does', () => {
  const gateway = new Gateway('wait');
  expect(gateway.together([3, 4, 5, 6, 7].map((number) => messageOf(number - 2)))).toBe(5);
  expect(gateway.together([messageOf(6), messageOf(7)])).toBe(2);
  gateway.settle();
  expect(gateway.look().messages.map(({ hop }) => hop.replayed === true)).toEqual([true, true, true, true, true, false, false]);
});

test.each(Object.keys(kinds).filter((name) => name !== 'plain' && name !== 'labelled'))('ends before one that is %s', (name) => {
  const gateway = new Gateway('wait');
  const items = [messageOf(1), messageOf(2), kinds[name]?.(3) ?? messageOf(3), messageOf(4)];
  expect(gateway.receiver.run(gateway.session, { stream: key, items }, () => {})).toBe(2);
});

test('one alone, or one out of its turn, is no run', () => {
  const gateway = new Gateway('wait');
  const run = (...items: MessageItem[]) => gateway.receiver.run(gateway.session, { stream: key, items }, () => {});
  expect(run(messageOf(1))).toBe(0);
  expect(run(messageOf(2), messageOf(3))).toBe(0);
  expect(run(messageOf(1), messageOf(2))).toBe(2);
  expect(run(messageOf(1), messageOf(2))).toBe(0);
  expect(run(messageOf(3), messageOf(4))).toBe(2);
});

test('a full queue takes as many as fit', () => {
  const [singly, together] = [new Gateway('wait'), new Gateway('wait')];
  const items = Array.from({ length: 40 }, (_, at) => messageOf(1 + at));
  singly.singly(items);
  const count = together.together(items);
  singly.settle();
  together.settle();
  expect(count).toBeGreaterThan(5);
  expect(together.cursor).toBeLessThan(40);
  expect(together.look()).toEqual(singly.look());
});
