/** What nodes say of who is below, one word after the other, and what a neighbour that lies can bring about. Over a real store. */

import { beforeEach, describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { formattedDisk, openRing, type RingDriver } from '../../hardware-sim/ring-driver.ts';
import { toUtf8 } from '../bytes.ts';
import { HealthWatch } from '../core/health.ts';
import { NO_CARRIERS } from '../core/node-carriers.ts';
import type { CborInput } from '../message/cbor.ts';
import { decodeEnvelope } from '../message/envelope.ts';
import type { Epoch } from '../message/identity.ts';
import { geometryFor } from '../ring/geometry.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import { ALL_STORE_PARTS } from './all-store-parts.ts';
import { Attachments } from './attachments.ts';
import { Bodies } from './bodies.ts';
import { Intake } from './intake.ts';
import { NodeStore } from './node-store.ts';
import { WordFields, wordIn } from './node-words.ts';
import { batchOf } from './planned.ts';

let driver: RingDriver;
let store: NodeStore;
let attachments: Attachments;
let opening: Epoch;
let carrier: 'link' | 'mqtt';
let intake: Intake;
/** Neighbours that are dialled in. */
let there: Set<string>;

/** A site in the middle: `gateway-1` and `gateway-2` below it, `central` above. */
beforeEach(() => {
  const random = stream(3, 'attachments');
  opening = { counter: 1, random: 7 };
  carrier = 'link';
  there = new Set(['gateway-1', 'gateway-2']);
  driver = openRing(formattedDisk(geometryFor(388 * 4096), random, 'at-once'), { epochRandom: 1 });
  settle();
  store = new NodeStore(driver.ring, ALL_STORE_PARTS);
  intake = new Intake(store, { unknownQueue: 'refuse', queueBytesLimit: 100_000, canReach: () => true });
  store.load('site', random);
  attachments = new Attachments({
    store,
    intake,
    central: 'central',
    above: () => ({ way: 'up', node: 'region', incarnation: '0011223344556677', opening, carrier }),
    receiversAbove: () => ['region'],
    strays: () => [],
    isThere: (neighbour) => there.has(neighbour),
    leaves: () => [],
  });
  settle();
  attachments.pump();
  settle();
  for (const gateway of ['gateway-1', 'gateway-2']) attachments.met(gateway, 1);
  settle();
  for (let i = 0; i < 3; i++) {
    attachments.pump();
    settle();
  }
  words();
});

function settle(): void {
  driver.play(1_000_000_000);
}

/** A word as a neighbour hands it over; passing, or for this node. */
function hears(kind: string, fields: Record<string, CborInput>, from: string, way: 'heard' | 'passing' = 'passing'): void {
  const identity = { origin: from, incarnation: '0011223344556677', destination: 'central/$node', priority: 5, number: 1 };
  const said = new WordFields(kind, new Map(Object.entries({ kind, ...fields })) as never);
  const planned = store.words[way]({ fields: said, identity, from, hops: 1 });
  store.commit(batchOf(planned), () => {});
  planned.settle();
  settle();
}

/** What this node has written to others since the last time. */
function words(): [string, string, unknown, unknown][] {
  const said: [string, string, unknown, unknown][] = [];
  for (const out of store.outgoing) {
    for (let slot = out.list.head; slot !== NO_SLOT; slot = out.list.head) {
      const bodies = new Bodies(driver.ring);
      bodies.get(slot);
      settle();
      const body = bodies.get(slot);
      if (typeof body === 'string') throw new Error(body);
      const fields = wordIn(decodeEnvelope(body).message);
      said.push([out.node, `${fields?.kind} ${fields?.value('node')}`, fields?.value('epochs'), fields?.value('refused')]);
      out.list.remove(slot);
    }
  }
  return said;
}

const known = (node: string): unknown => store.hops.directory.find(node);

describe('an announcement', () => {
  test('is noted with the neighbour who hands it over; the later one wins, and the old way hears of it', () => {
    hears('attach', { node: 'device', epochs: [5, 1] }, 'gateway-1');
    expect(known('device')).toEqual({ way: 'gateway-1', epochs: [5, 1] });
    hears('attach', { node: 'device', epochs: [6, 1] }, 'gateway-2');
    expect(known('device')).toEqual({ way: 'gateway-2', epochs: [6, 1] });
    expect(words()).toEqual([['gateway-1', 'detach device', [6, 1], undefined]]);
  });

  test('that is older, or has the same epochs by another way, changes nothing and is refused; a repeat is nothing', () => {
    hears('attach', { node: 'device', epochs: [5, 1] }, 'gateway-1');
    hears('attach', { node: 'device', epochs: [5, 1] }, 'gateway-1');
    expect(words()).toEqual([]);
    hears('attach', { node: 'device', epochs: [4, 9] }, 'gateway-2');
    hears('attach', { node: 'device', epochs: [5, 1] }, 'gateway-2');
    expect(known('device')).toEqual({ way: 'gateway-1', epochs: [5, 1] });
    expect(words()).toEqual([
      ['gateway-2', 'detach device', [5, 1], [4, 9]],
      ['gateway-2', 'detach device', [5, 1], [5, 1]],
    ]);
  });

  test('in fields that are none is malformed, and so is one with too many epochs', () => {
    hears('attach', { node: 'device', epochs: [] }, 'gateway-1', 'passing');
    hears('attach', { node: 'No', epochs: [1] }, 'gateway-1', 'heard');
    hears('attach', { node: 'device', epochs: [2 ** 32] }, 'gateway-1', 'heard');
    hears('attach', { node: 'device', epochs: Array.from({ length: 16 }, () => 1) }, 'gateway-1', 'heard');
    hears('detach', { node: 'device', epochs: [1], refused: 'all' }, 'region', 'heard');
    expect([known('device'), store.words.counts.malformed]).toEqual([undefined, 3]);
  });

  test('goes on as one frame with the word to the central, where a device dials this node', () => {
    const frames = driver.ring.framesWritten;
    attachments.met('device', 7);
    settle();
    expect(driver.ring.framesWritten).toBe(frames + 1);
    expect(known('device')).toEqual({ way: 'device', epochs: [7] });
    expect(words()).toEqual([['central', 'attach device', [7, 1], undefined]]);
    attachments.met('device', 7);
    attachments.met('standing-by', 0);
    settle();
    expect([words(), known('standing-by')]).toEqual([[], undefined]);
  });
});

describe('who is above opens its store anew, and may have forgotten', () => {
  const pump = (): void => {
    for (let i = 0; i < 3; i++) {
      attachments.pump();
      settle();
    }
  };

  test('those below are announced again, once, by the epochs they have', () => {
    hears('attach', { node: 'device', epochs: [5, 1] }, 'gateway-1');
    opening = { counter: 2, random: 1 };
    pump();
    expect(words()).toEqual([
      ['central', 'attach gateway-1', [1, 1], undefined],
      ['central', 'attach gateway-2', [1, 1], undefined],
      ['central', 'attach device', [5, 1, 1], undefined],
    ]);
    pump();
    expect(words()).toEqual([]);
  });

  test('over MQTT, where no session says it, this node too', () => {
    carrier = 'mqtt';
    opening = { counter: 2, random: 1 };
    pump();
    expect(words()[0]).toEqual(['central', 'attach site', [1], undefined]);
  });

  test('once more in the middle of that: all of them again', () => {
    for (let i = 0; i < 40; i++) hears('attach', { node: `device-${i}`, epochs: [5, 1] }, 'gateway-1');
    opening = { counter: 2, random: 1 };
    attachments.pump();
    settle();
    expect(words()).toHaveLength(32);
    opening = { counter: 3, random: 1 };
    pump();
    expect(words()).toHaveLength(42);
  });

  test('whoever has nobody below writes nothing for it', () => {
    for (const gateway of ['gateway-1', 'gateway-2']) hears('detach', { node: gateway, epochs: [2] }, 'region', 'heard');
    words();
    const frames = driver.ring.framesWritten;
    opening = { counter: 2, random: 1 };
    pump();
    expect([driver.ring.framesWritten, words()]).toEqual([frames, []]);
  });
});

describe('a detachment', () => {
  test('from above, by a later epoch: not below any more, and remembered; who has it is told', () => {
    hears('attach', { node: 'device', epochs: [5, 1] }, 'gateway-1');
    words();
    hears('detach', { node: 'device', epochs: [6, 1] }, 'region', 'heard');
    expect(known('device')).toEqual({ way: undefined, epochs: [6, 1] });
    expect(words()).toEqual([['gateway-1', 'detach device', [6, 1], undefined]]);
    hears('attach', { node: 'device', epochs: [5, 1] }, 'gateway-1');
    expect(store.hops.isBelow('device'), 'an announcement that comes late').toBe(false);
  });

  test('of a device that is there all the same: it is told how far to go', () => {
    attachments.met('device', 5);
    settle();
    hears('detach', { node: 'device', epochs: [5, 2], refused: [5, 1] }, 'region', 'heard');
    expect([store.hops.isBelow('device'), attachments.toTell('device')]).toEqual([false, 5]);
    attachments.met('device', 6);
    settle();
    expect([known('device'), attachments.toTell('device')]).toEqual([{ way: 'device', epochs: [6] }, undefined]);
  });

  test('that speaks of this node’s own neighbour by the epochs of others above it means the way above it', () => {
    attachments.met('device', 5);
    settle();
    hears('detach', { node: 'device', epochs: [5, 9] }, 'region', 'heard');
    expect(known('device')).toEqual({ way: 'device', epochs: [5] });
  });

  test('a device that knows no epochs is announced anew in its name', () => {
    attachments.met('device', undefined);
    settle();
    expect(words()).toEqual([['central', 'attach device', [0, 1], undefined]]);
    hears('detach', { node: 'device', epochs: [8, 1], refused: [0, 1] }, 'region', 'heard');
    attachments.pump();
    settle();
    expect(words()).toEqual([['central', 'attach device', [9, 1], undefined]]);
  });
});

describe('who lies', () => {
  test('cannot take the name of this node, of the central, or of who is above', () => {
    for (const node of ['site', 'central', 'region']) hears('attach', { node, epochs: [1_000] }, 'gateway-1');
    expect([known('site'), known('central'), known('region'), attachments.counts.refused]).toEqual([
      undefined,
      undefined,
      undefined,
      3,
    ]);
  });

  test('is not believed when it is not below, and does not detach when it is', () => {
    hears('attach', { node: 'device', epochs: [5, 1] }, 'gateway-1');
    hears('attach', { node: 'device', epochs: [9, 1] }, 'stranger');
    hears('attach', { node: 'device', epochs: [9, 1] }, 'region');
    hears('detach', { node: 'device', epochs: [9, 1] }, 'gateway-2', 'heard');
    expect(known('device')).toEqual({ way: 'gateway-1', epochs: [5, 1] });
    expect(attachments.counts.refused).toBe(3);
  });

  test('claims a device by an epoch far ahead, and loses it to the device itself', () => {
    attachments.met('device', 5);
    settle();
    hears('attach', { node: 'device', epochs: [0x7fff_ffff, 1] }, 'gateway-2');
    expect(known('device')).toMatchObject({ way: 'gateway-2' });
    attachments.met('device', 5);
    expect(attachments.toTell('device')).toBe(0x7fff_ffff);
    attachments.met('device', 0x8000_0000);
    settle();
    expect(known('device')).toEqual({ way: 'device', epochs: [0x8000_0000] });
  });

  test('invents nodes: as many as are remembered, and nobody who is below goes for it', () => {
    store.hops.belowCountMax = 10;
    for (let i = 0; i < 50; i++) hears('attach', { node: `invented-${i}`, epochs: [1] }, 'gateway-1');
    expect([store.hops.directory.count, attachments.counts.full]).toEqual([10, 42]);
    expect(known('gateway-2')).toEqual({ way: 'gateway-2', epochs: [1] });
    hears('detach', { node: 'invented-0', epochs: [2] }, 'region', 'heard');
    attachments.met('device', 1);
    expect([store.hops.directory.count, store.hops.isBelow('device'), known('invented-0')]).toEqual([10, true, undefined]);
  });
});

describe('as many nodes below as there is room for', () => {
  const send = (node: string) => () => intake.begin(`${node}/commands`, { body: toUtf8('go'), properties: {} });
  const causes = () => new HealthWatch(store, NO_CARRIERS).health(0).causes;

  beforeEach(() => {
    store.hops.belowCountMax = 4;
    for (const node of ['device-1', 'device-2', 'device-3', 'device-4']) {
      there.add(node);
      attachments.met(node, 1);
      settle();
    }
    pump();
  });

  test('one more can send and is not reached: who sends to it is told so, and health is red', () => {
    expect([...store.hops.directory.below()]).toEqual(['gateway-1', 'gateway-2', 'device-1', 'device-2']);
    expect(send('device-3')).toThrow(expect.objectContaining({ code: 'BUSY', details: { pending: 4, pendingMax: 4 } }));
    expect(send('device-1')).not.toThrow();
    expect(send('somebody-else')).not.toThrow();
    expect(causes()).toEqual([{ code: 'BELOW_FULL', detail: '2 nodes below are not reached: 4 are, and no more' }]);
  });

  test('as soon as another has moved away it is taken in, and announced', () => {
    words();
    hears('detach', { node: 'device-1', epochs: [2, 1] }, 'region', 'heard');
    words();
    pump();
    expect(known('device-3')).toEqual({ way: 'device-3', epochs: [1] });
    expect(words().map(([to, what]) => [to, what])).toEqual([['central', 'attach device-3']]);
    expect(send('device-3')).not.toThrow();
    expect(send('device-4')).toThrow(expect.objectContaining({ code: 'BUSY' }));
    expect(causes()).toHaveLength(1);
  });

  test('one that has left is forgotten: what is for it goes where it would go anyway', () => {
    there.delete('device-3');
    store.nowMs += 10_000;
    pump();
    expect(send('device-3')).not.toThrow();
    expect(send('device-4')).toThrow(expect.objectContaining({ code: 'BUSY' }));
    there.delete('device-4');
    store.nowMs += 10_000;
    pump();
    expect(causes()).toEqual([]);
  });

  test('of those that are turned away a bounded number is known', () => {
    for (let i = 0; i < 3_000; i++) hears('attach', { node: `invented-${i}`, epochs: [1] }, 'gateway-1');
    expect(store.hops.directory.turnedAway.size).toBe(1024);
  });

  function pump(): void {
    for (let i = 0; i < 5; i++) {
      attachments.pump();
      settle();
    }
  }
});
