/** Words between nodes: what is consumed, in which frame, and what is no word. Over a real store on a simulated disk. */

import { beforeEach, describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { formattedDisk, openRing, type RingDriver } from '../../hardware-sim/ring-driver.ts';
import { NODE_WORD_BYTES_MAX } from '../limits.ts';
import { encodeCbor } from '../message/cbor.ts';
import { encodeEnvelope } from '../message/envelope.ts';
import type { Properties } from '../message/message.ts';
import { geometryFor } from '../ring/geometry.ts';
import { ALL_STORE_PARTS } from './all-store-parts.ts';
import { Arrivals } from './arrivals.ts';
import { Intake } from './intake.ts';
import { metaChange, metaValue } from './meta-keys.ts';
import { NodeStore } from './node-store.ts';
import { beginWord, type HeardWord, streamInWord, WordFields, wordFor, wordIn } from './node-words.ts';
import { batchOf, NOTHING } from './planned.ts';
import { CBOR_TYPE } from './words.ts';

const WRITER = { origin: 'gateway-1', incarnation: '0011223344556677', priority: 5 };

let driver: RingDriver;
let store: NodeStore;
let arrivals: Arrivals;
let intake: Intake;
let uplink: 'up' | 'none';
let number: number;

beforeEach(() => {
  const random = stream(5, 'words');
  const disk = formattedDisk(geometryFor(388 * 4096), random, 'at-once');
  driver = openRing(disk, { epochRandom: 1 });
  settle();
  store = new NodeStore(driver.ring, ALL_STORE_PARTS);
  uplink = 'up';
  const canReach = () => uplink === 'up';
  intake = new Intake(store, { unknownQueue: 'create', queueBytesLimit: 100_000, canReach });
  arrivals = new Arrivals(store, intake);
  store.load('central', random);
  intake.define('$dead', 50_000);
  settle();
  number = 0;
});

function settle(): void {
  driver.play(1_000_000_000);
}

/** The next message of the writer arrives, as custody brings it. */
function arrives(body: Uint8Array, properties: Properties = { contentType: CBOR_TYPE }, destination = 'central/$node'): void {
  number += 1;
  const key = { ...WRITER, destination };
  const message = { ...properties, identity: { ...key, number }, epoch: { counter: 1, random: 1 }, priority: 5, body };
  const planned = arrivals.accept(key, { kind: 'message', number, envelope: encodeEnvelope(message) }, 'site');
  if (planned === undefined || 'refused' in planned) throw new Error('not taken');
  store.commit(batchOf(planned), () => {});
  planned.settle();
  settle();
}

const word = (kind: string, fields = {}): Uint8Array => wordFor('central', kind, fields).content.body;
const stored = (): number => driver.ring.index.count;
const counter = (prefix: 'd' | 'o'): unknown => metaValue(driver.ring.metas, `${prefix}/1`);

describe('a word for this node', () => {
  test('is told to whoever knows its kind, and what it brings about is in the frame that stores the stream’s counter', () => {
    const heard: HeardWord[] = [];
    store.words.on('attach', (said) => {
      heard.push(said);
      return { ...NOTHING, changes: [metaChange('p/seen', 1)] };
    });
    const framesBefore = driver.ring.framesWritten;
    arrives(word('attach', { node: 'device-1' }));
    expect(heard.map(({ from, identity, fields }) => [from, identity.origin, fields.name('node')])).toEqual([
      ['site', 'gateway-1', 'device-1'],
    ]);
    expect(driver.ring.framesWritten).toBe(framesBefore + 1);
    expect(metaValue(driver.ring.metas, 'p/seen')).toBe(1);
    expect(counter('d')).toEqual([2, 1, 1, 1, 1]);
    expect(stored()).toBe(0);
    expect(store.words.counts).toEqual({ heard: 1, unknown: 0, malformed: 0 });
  });

  test('is consumed and counted when nobody knows it, or when its fields are not what they should be', () => {
    store.words.on('attach', ({ fields }) => (fields.name('node') === undefined ? undefined : NOTHING));
    arrives(word('of-a-later-version', { anything: [1, 2] }));
    arrives(word('attach', { node: 'No Name' }));
    expect(store.words.counts).toEqual({ heard: 0, unknown: 1, malformed: 1 });
    expect(counter('d')).toEqual([3, 1, 1, 1, 2]);
    expect(stored()).toBe(0);
  });

  test('is taken by a ring that takes nothing else', () => {
    const key = { ...WRITER, destination: 'central/$node' };
    for (let full = false; !full; ) {
      try {
        const planned = intake.begin('elsewhere/any', { body: new Uint8Array(8_000), properties: {} });
        store.commit(batchOf(planned), () => {});
        planned.settle();
        settle();
      } catch {
        full = true;
      }
    }
    expect(arrivals.creditFor({ ...key, destination: 'elsewhere/any' }, 1000)).toBeLessThan(1000);
    expect(arrivals.creditFor(key, 1000)).toBe(1000);
    arrives(word('attach'));
    expect(store.words.counts.unknown).toBe(1);
  });
});

describe('what is no word', () => {
  test.each([
    ['no CBOR', new Uint8Array([0xff]), CBOR_TYPE],
    ['a map without a kind', encodeCbor(new Map([['node', 'device-1']])), CBOR_TYPE],
    ['a list', encodeCbor(['attach']), CBOR_TYPE],
    ['another content type', word('attach'), 'text/plain'],
    ['too large', encodeCbor(new Map([['kind', 'x'.repeat(NODE_WORD_BYTES_MAX)]])), CBOR_TYPE],
  ])('%s: ACCESS_DENIED, and a letter', (_what, body, contentType) => {
    arrives(body, { contentType });
    expect(store.accounts().map((account) => account.class)).toEqual(['ACCESS_DENIED']);
    expect(store.queues.get('$dead').plannedCount + stored()).toBe(1);
    expect(store.words.counts).toEqual({ heard: 0, unknown: 0, malformed: 0 });
  });

  test('no queue of that name is ever made', () => {
    expect(() => intake.queue('$node')).toThrow('QUEUE_NOT_FOUND');
    expect(() => intake.begin('$node', { body: word('attach'), properties: {} })).toThrow('QUEUE_NOT_FOUND');
    expect(() => store.defineQueue('$node', { bytesLimit: 1, source: 'call' })).toThrow('NAME_INVALID');
  });
});

describe('a word for another node', () => {
  test('goes on as it came, and is told to whoever wants to know what passes', () => {
    const passed: string[] = [];
    store.words.onPassing('attach', ({ from }) => {
      passed.push(from);
      return { ...NOTHING, changes: [metaChange('p/seen', 1)] };
    });
    arrives(word('attach'), undefined, 'head-office/$node');
    expect(passed).toEqual(['site']);
    expect(stored()).toBe(1);
    expect(counter('o')).toEqual([1, 2]);
    expect(metaValue(driver.ring.metas, 'p/seen')).toBe(1);
  });

  test('ends where no way leads on, without a letter, an account or a gap; its stream goes on when there is a way again', () => {
    uplink = 'none';
    arrives(word('attach'), undefined, 'head-office/$node');
    arrives(word('attach'), undefined, 'head-office/$node');
    expect([stored(), store.accounts()]).toEqual([0, []]);
    expect(counter('o')).toEqual([3, 3]);
    expect([...driver.ring.metas.withPrefix('g/')]).toEqual([]);
    uplink = 'up';
    arrives(word('attach'), undefined, 'head-office/$node');
    uplink = 'none';
    arrives(word('attach'), undefined, 'head-office/$node');
    expect(counter('o')).toEqual([3, 5]);
    expect([...driver.ring.metas.withPrefix('g/')]).toHaveLength(1);
  });
});

test('a word is written as part of a batch that is made anyway', () => {
  const planned = beginWord(intake, 'head-office', { kind: 'gap', fields: { node: 'central' } });
  store.commit({ ...batchOf(planned), metas: [...planned.changes, metaChange('p/why', 1)] }, () => {});
  planned.settle();
  settle();
  expect([stored(), metaValue(driver.ring.metas, 'p/why')]).toEqual([1, 1]);
  expect(() => beginWord(intake, 'head-office', { kind: 'gap', fields: { much: new Uint8Array(NODE_WORD_BYTES_MAX) } })).toThrow(
    'MESSAGE_TOO_LARGE',
  );
});

test('fields are read strictly', () => {
  const key = { origin: 'device-1', incarnation: '0011223344556677', destination: 'central/bags', priority: 3 };
  const body = encodeCbor(
    new Map<string, unknown>([
      ['kind', 'gap'],
      ['stream', streamInWord(key)],
      ['half', ['device-1', '00112233', 'central/bags', 3]],
      ['bare', ['device-1', '0011223344556677', 'bags', 3]],
      ['from', 3],
      ['none', 0],
      ['part', 1.5],
      ['class', 'EXPIRED?'],
      ['list', [1, 2, 3]],
    ]) as never,
  );
  const fields = wordIn({ body, contentType: CBOR_TYPE });
  expect(fields).toBeInstanceOf(WordFields);
  expect(fields?.stream('stream')).toEqual(key);
  expect([fields?.stream('half'), fields?.stream('bare'), fields?.stream('from')]).toEqual([undefined, undefined, undefined]);
  expect([fields?.number('from'), fields?.number('none'), fields?.whole('none'), fields?.whole('part')]).toEqual([
    3,
    undefined,
    0,
    undefined,
  ]);
  expect([fields?.class('class'), fields?.name('stream'), fields?.list('list', 2), fields?.list('list', 3)]).toEqual([
    undefined,
    undefined,
    undefined,
    [1, 2, 3],
  ]);
});
