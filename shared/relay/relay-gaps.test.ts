/** A gateway that forwards a device's stream with gaps in it: every message arrives, and only what ended is accounted as ended. */
import { beforeEach, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { SimBroker } from '../../hardware-sim/sim-broker.ts';
import { TestNode, TestTime } from '../../hardware-sim/test-node.ts';
import { invariant } from '../assert.ts';
import { type Item, NO_TICKET, type Offer } from '../custody/session.ts';
import { encodeEnvelope } from '../message/envelope.ts';

const KEY = { origin: 'device', incarnation: 'dd00000000000001', destination: 'central/bags', priority: 3 };
const EPOCH = { counter: 1, random: 1 };

let time: TestTime;
let broker: SimBroker;
let gateway: TestNode;
let central: TestNode;

beforeEach(() => {
  time = new TestTime(stream(1, 'time'));
  broker = new SimBroker({ scheduler: time, random: stream(1, 'broker') });
  const common = { time, broker, central: 'central' };
  gateway = new TestNode({ ...common, random: stream(1, 'gateway'), name: 'gateway' });
  const queues = [{ name: 'bags', bytesLimit: 20_000 }];
  central = new TestNode({ ...common, random: stream(1, 'central'), name: 'central', queues });
  central.open();
  gateway.open();
  time.run(1000);
});

/** The device hands these over, in one step of the gateway. */
function handOver(items: readonly Item[]): void {
  const nonce = new Uint8Array(8).fill(1);
  const offer: Offer = {
    sender: 'device',
    incarnation: KEY.incarnation,
    epoch: EPOCH,
    nonce,
    ticket: NO_TICKET,
    ticketNonce: nonce,
    streams: [],
    own: 'in-part' as const,
  };
  gateway.step(({ receiver }) => {
    const session = receiver.offered(offer)?.session;
    invariant(session !== undefined, 'the device is welcome');
    for (const item of items) expect(receiver.item(session, { stream: KEY, item }, () => {})).toBe('new');
  });
}

function message(number: number): Item {
  const content = { identity: { ...KEY, number }, epoch: EPOCH, priority: KEY.priority, body: new Uint8Array(1000) };
  return { kind: 'message', number, envelope: encodeEnvelope(content) };
}

const accounts = () => central.parts.store.accounts().map(({ class: ending, count }) => `${ending} ${count}`);
const numbers = () => central.received.map(({ identity }) => identity.number);

test('a gap right behind a message that is not on the disk yet does not end the message', () => {
  handOver([message(1), { kind: 'gap', number: 2, to: 3, class: 'RECEIVE_TIMEOUT', node: 'device' }, message(4)]);
  time.run(1000);
  central.consume('bags', 10);
  expect(numbers()).toEqual([1, 4]);
  expect(accounts()).toEqual(['RECEIVE_TIMEOUT 2']);
});

test('a gap at the end of what waits does not end what waits before it', () => {
  handOver([
    ...Array.from({ length: 100 }, (_, at) => message(at + 1)),
    { kind: 'gap', number: 101, to: 109, class: 'RECEIVE_TIMEOUT', node: 'device' },
  ]);
  for (let i = 0; i < 200; i++) {
    time.run(100);
    central.consume('bags', 5);
  }
  expect(numbers()).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
  expect(accounts()).toEqual(['RECEIVE_TIMEOUT 9']);
});

test('a gap needs no room: it is accounted for while the queue behind it is full', () => {
  while (central.send('central/bags', new Uint8Array(1000)));
  for (let bytes = 1000; !central.send('central/bags', new Uint8Array(bytes)); bytes--); // to the last byte
  time.run(1000);
  broker.cut('gateway'); // the offer of the next session names the stream, and the answer gives it no credit
  handOver([{ kind: 'gap', number: 1, to: 3, class: 'RECEIVE_TIMEOUT', node: 'device' }, message(4)]);
  time.run(60_000);
  expect(accounts()).toEqual(['RECEIVE_TIMEOUT 3']);
  expect(gateway.outgoingCount).toBe(1);
  central.consume('bags', 100);
  time.run(60_000);
  central.consume('bags', 100);
  expect(numbers().at(-1)).toBe(4);
});
