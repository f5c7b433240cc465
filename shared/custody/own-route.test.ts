import { beforeEach, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { formattedDisk, openRing, type RingDriver } from '../../hardware-sim/ring-driver.ts';
import { geometryFor } from '../ring/geometry.ts';
import { type Above, OwnRoute } from './own-route.ts';
import { NO_EPOCH } from './route-epochs.ts';

const A: Above = { way: 'up', node: 'gateway-1', incarnation: '00000000000000aa', opening: { counter: 3, random: 5 } };
const B: Above = { way: 'up', node: 'gateway-2', incarnation: '00000000000000bb', opening: { counter: 9, random: 5 } };

let driver: RingDriver;
beforeEach(() => {
  driver = openRing(formattedDisk(geometryFor(388 * 4096), stream(1, 'route'), 'at-once'), { epochRandom: 1 });
  driver.play(1_000);
});

/** As a node does it: planned, then durable. */
function raise(route: OwnRoute, above: Above, known = NO_EPOCH): () => void {
  const { change, settle, done } = route.raise(above, known);
  driver.ring.append({ metas: [change] }, { nowMs: 1_000, delayMs: 0 }, () => {});
  settle();
  return done;
}

test('an epoch is told on its own way, and not before it is durable', () => {
  const route = new OwnRoute();
  expect([route.epoch, route.epochOn('up'), route.isBy(A)]).toEqual([NO_EPOCH, NO_EPOCH, false]);
  const done = raise(route, A);
  expect([route.epoch, route.epochOn('up'), route.isBy(A), route.toAnnounce(A.opening)]).toEqual([
    NO_EPOCH,
    NO_EPOCH,
    true,
    'nothing',
  ]);
  done();
  expect([route.epoch, route.epochOn('up'), route.epochOn('up/spare'), route.toAnnounce(A.opening)]).toEqual([
    1,
    1,
    NO_EPOCH,
    'first',
  ]);
});

test('another neighbour, and another store of the same name, are another place', () => {
  const route = new OwnRoute();
  raise(route, A)();
  expect([
    route.isBy(A),
    route.isBy(B),
    route.isBy({ ...A, incarnation: B.incarnation }),
    route.isBy({ ...A, way: 'up/spare' }),
  ]).toEqual([true, false, false, false]);
  raise(route, B)();
  expect(route.epoch).toBe(2);
});

test('it goes above what it is told, and not below what it has', () => {
  const route = new OwnRoute();
  raise(route, A, 41)();
  expect(route.epoch).toBe(42);
  expect([route.isDoubtedBy(41), route.isDoubtedBy(42), route.isDoubtedBy(43)]).toEqual([false, true, true]);
  raise(route, A, 5)();
  expect(route.epoch).toBe(43);
  raise(route, A, 0xffff_ffff - 3)();
  expect(route.epoch, 'ahead by more than half of all is behind').toBe(44);
  raise(route, A, 0x7fff_ffff)();
  raise(route, A, 0xffff_ffff)();
  expect(route.epoch, 'there is no last one').toBe(1);
});

test('it is found again after a restart, and whether those below know of it', () => {
  const before = new OwnRoute();
  raise(before, B)();
  driver.play(1_000);
  const after = new OwnRoute();
  after.load(driver.ring.metas);
  expect([after.epoch, after.isBy(B), after.toAnnounce(B.opening)]).toEqual([1, true, 'first']);
  driver.ring.append({ metas: after.announced(B.opening).changes }, { nowMs: 1_000, delayMs: 0 }, () => {});
  driver.play(1_000);
  const later = new OwnRoute();
  later.load(driver.ring.metas);
  expect([later.epoch, later.toAnnounce(B.opening)]).toEqual([1, 'nothing']);
  expect([later.toAnnounce({ counter: 10, random: 5 }), later.toAnnounce({ counter: 9, random: 6 })]).toEqual(['again', 'again']);
});
