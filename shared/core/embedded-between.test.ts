/**
 * A ring between nodes that have neighbours and the small one that has none: what the first left for others, or waits for from others, the
 * small one neither shows nor loses, and the next node with neighbours goes on with it.
 */
import { expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { formattedDisk, openRing } from '../../hardware-sim/ring-driver.ts';
import { fromUtf8, toUtf8 } from '../bytes.ts';
import { crc32 } from '../crc32.ts';
import { ALL_STORE_PARTS } from '../custody/all-store-parts.ts';
import { Arrivals } from '../custody/arrivals.ts';
import { Intake } from '../custody/intake.ts';
import { type MetaChange, metaChange } from '../custody/meta-keys.ts';
import { NodeStore } from '../custody/node-store.ts';
import { batchOf } from '../custody/planned.ts';
import type { Item } from '../custody/session.ts';
import { encodeEnvelope } from '../message/envelope.ts';
import { geometryFor } from '../ring/geometry.ts';
import { ALL_DESKS } from './all-desks.ts';
import type { Call, CallResult } from './calls.ts';
import { linksAndRelay } from './carriers.ts';
import { EmbeddedNode, type EmbeddedStorage } from './embedded.ts';
import { NodeCore } from './node-core.ts';
import type { NodeInput, NodeOutput } from './node-io.ts';

const SIZE = 256 * 1024;
const NAME = 'box-1';
const TICK: NodeInput = { kind: 'tick' };
const QUEUES = [{ name: 'bags', bytesLimit: 20_000 }];
const BELT = { origin: 'belt', incarnation: '0011223344556677', destination: `${NAME}/bags`, priority: 3 };

const fromBelt = (number: number): Item => ({
  kind: 'message',
  number,
  envelope: encodeEnvelope({
    identity: { ...BELT, number },
    epoch: { counter: 1, random: 1 },
    priority: 3,
    body: toUtf8(`belt ${number}`),
  }),
});

class Storage implements EmbeddedStorage {
  readonly size = SIZE;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  read(offset: number, into: Uint8Array): void {
    into.set(this.bytes.subarray(offset, offset + into.length));
  }

  writeDurable(offset: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, offset);
  }
}

/** What a node with neighbours leaves: three messages for the central, of a belt number 1, and what lies above a hole at 2. */
function leftByANode(...metas: MetaChange[]): Storage {
  const disk = formattedDisk(geometryFor(SIZE, 512), stream('between', 'disk'), 'at-once');
  const driver = openRing(disk, { epochRandom: 1 });
  driver.play(0);
  const store = new NodeStore(driver.ring, ALL_STORE_PARTS);
  store.load(NAME, stream('between', 'node'));
  const intake = new Intake(store, { unknownQueue: 'refuse', queueBytesLimit: 20_000, canReach: () => true });
  const arrivals = new Arrivals(store, intake);
  for (const queue of ['$dead', '$journal', '$admin', 'bags']) intake.define(queue, 20_000);
  const stored = (planned: ReturnType<Arrivals['accept']>): void => {
    if (planned === undefined || 'refused' in planned) throw new Error('not taken');
    store.commit(batchOf(planned), () => {});
    planned.settle();
    driver.play(0);
  };
  for (let i = 1; i <= 3; i++) stored(intake.begin('central/bags', { body: toUtf8(`for others ${i}`), properties: {} }));
  stored(intake.begin('bags', { body: toUtf8('own 1'), properties: {} }));
  for (const item of [fromBelt(1), { kind: 'elsewhere', number: 2, to: 2 } as const, fromBelt(3)])
    stored(arrivals.accept(BELT, item, 'gateway'));
  store.commit({ metas }, () => {});
  driver.play(0);
  expect([store.outgoing.count, store.queues.get('bags').heldCount]).toEqual([3, 1]);
  return new Storage(disk.platter());
}

/** A node with neighbours, none of which is there. */
class WholeNode {
  readonly core: NodeCore;
  readonly #storage: Storage;
  readonly said: NodeOutput[] = [];
  #nowMs = 0;

  constructor(storage: Storage) {
    this.#storage = storage;
    const config = { name: NAME, queues: QUEUES, unknownQueue: 'refuse', queueBytesLimit: 20_000, uplink: 'mqtt' } as const;
    this.core = new NodeCore(
      { ...config, central: 'central', isCentral: 'no', partitionCount: 1, commitDelayMs: 0, home: undefined },
      {
        file: { path: '', size: SIZE },
        checksum: crc32,
        random: stream('between', 'whole'),
        carriers: linksAndRelay,
        desks: ALL_DESKS,
      },
    );
    this.step(TICK);
  }

  step(first: NodeInput): void {
    const inputs = [first];
    const next = () => inputs.shift() ?? ((this.core.wakeAtMs ?? Number.POSITIVE_INFINITY) <= this.#nowMs ? TICK : undefined);
    for (let input = next(); input !== undefined; input = next()) {
      for (const output of this.core.step(input, ++this.#nowMs)) {
        if (output.kind === 'write') {
          this.#storage.writeDurable(output.offset, output.bytes);
          inputs.push({ kind: 'ring', input: { kind: 'flushed', id: output.id } });
        } else if (output.kind === 'read') {
          const bytes = new Uint8Array(output.length);
          this.#storage.read(output.offset, bytes);
          inputs.push({ kind: 'ring', input: { kind: 'readDone', id: output.id, bytes } });
        } else this.said.push(output);
      }
    }
  }
}

class SmallNode {
  readonly node: EmbeddedNode;
  #nowMs = 0;

  constructor(storage: Storage) {
    this.node = new EmbeddedNode({ name: NAME, queues: QUEUES }, { storage, random: stream('between', 'small') });
    expect(this.node.run(0).map(({ kind }) => kind)).toContain('serving');
  }

  call(call: Call): CallResult | undefined {
    const token = this.node.ask(call);
    const answers = this.node.run(++this.#nowMs).filter((event) => event.kind === 'answer' && event.token === token);
    const [answer] = answers;
    return answer?.kind === 'answer' ? answer.result : undefined;
  }

  takeAll(): string[] {
    const texts: string[] = [];
    for (;;) {
      const got = this.call({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1_000 });
      if (got?.kind !== 'received') return texts;
      texts.push(fromUtf8(got.received.message.body) ?? '');
      this.call({ verb: 'ack', lease: got.received.lease });
    }
  }
}

const heldOf = ({ core }: WholeNode) => core.stats(0).outgoing.map(({ held, lo, next }) => [held, lo, next]);

test('what is for others, and what lies above a hole, stays; what is its own goes on', () => {
  const storage = leftByANode();
  const small = new SmallNode(storage);
  expect(small.node.stats(0)).toMatchObject({ outgoing: [], uplinks: [] });
  expect(small.takeAll()).toEqual(['own 1', 'belt 1']);
  // More than the ring holds: what stays is copied forward, as whatever else lives in it.
  for (let i = 2; i < 900; i++) {
    const sent = small.call({ verb: 'send', destination: 'bags', body: toUtf8(`own ${i}`), properties: {} });
    expect(sent).toMatchObject({ kind: 'sent', identity: expect.stringMatching(new RegExp(`:${i}$`)) });
    if (i % 20 === 0) small.takeAll();
  }
  small.takeAll();
  small.call({ verb: 'send', destination: 'bags', body: toUtf8('last'), properties: {} });
  small.node.close();
  expect(small.node.run(100_000).map(({ kind }) => kind)).toEqual(['closed']);

  const whole = new WholeNode(storage);
  expect(heldOf(whole)).toEqual([[3, 1, 4]]);
  const bags = () => whole.core.stats(0).queues.find(({ name }) => name === 'bags');
  expect(bags()).toMatchObject({ ready: 1, held: 1 });
  whole.step({ kind: 'call', token: 1, call: { verb: 'closeHoles', of: 'bags' } });
  expect(bags()).toMatchObject({ ready: 2, held: 0 });
});

test('a store that found out that it was cloned begins a new incarnation; what it holds for others a node moves that has any', () => {
  const storage = leftByANode(metaChange('forked', true));
  const small = new SmallNode(storage);
  const { incarnation } = small.node.stats(0);
  expect(small.takeAll()).toEqual(['own 1', 'belt 1']);
  expect(small.call({ verb: 'send', destination: 'bags', body: toUtf8('new'), properties: {} })).toMatchObject({
    identity: `${NAME}:${incarnation}:${NAME}/bags:3:1`,
  });
  const whole = new WholeNode(storage);
  expect(whole.core.stats(0).incarnation).toBe(incarnation);
  const held = whole.core.stats(0).outgoing.filter((out) => out.held > 0);
  expect(held.map((out) => [out.stream, out.held])).toEqual([[`${NAME}:${incarnation}:central/bags:3`, 3]]);
});
