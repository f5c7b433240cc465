/** Every loss is counted once, durably, whenever the power goes. */
import { expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { freshHarness, type RingHarness } from '../../hardware-sim/ring-harness.ts';
import { geometryFor, segmentsOf } from './geometry.ts';

const SMALLEST = geometryFor(388 * 512, 512);

/** Messages in a frame each, and the blocks of some of them gone. */
function damaged(seed: string, lost: readonly number[]): RingHarness {
  const h = freshHarness({ geometry: SMALLEST, random: stream(seed, 'disk'), completion: 'stepped' });
  h.settle();
  const blocks: number[] = [];
  for (let number = 1; number <= 6; number++) {
    h.commit({ puts: [{ number, bytes: 100 }] });
    blocks.push(Math.max(...[...h.ring.index.slots()].map((slot) => h.ring.index.lsn(slot))));
  }
  h.disk.kill();
  for (const number of lost) {
    const [segment] = segmentsOf(SMALLEST, { lsn: blocks[number - 1] ?? 0, skip: 0, bytes: 512 });
    h.disk.rot(segment?.offset ?? 0, 512, 'zeros');
    h.durable.messages.delete(number);
  }
  return h;
}

/** Opens again and again, each opening cut at its write number `cutAt`, and then for good. */
function openedAtLast(h: RingHarness, cutAt: number, times: number): RingHarness {
  for (let opening = 0; opening < times; opening++) {
    h.beginReopen();
    h.play();
    for (let write = 0; write < cutAt && h.disk.step(); write++) h.play();
    h.powerCut(() => 'old');
  }
  h.reopen();
  return h;
}

test.each([0, 1, 2, 3, 4, 5])('one lost message is counted once, with openings cut at their write number %i', (cutAt) => {
  const h = openedAtLast(damaged('one', [1]), cutAt, 3);
  expect(h.ring.losses).toEqual({ gaps: 1, frames: 1, ids: 1 });
  h.check();
  h.reopen();
  h.settle();
  expect(h.ring.losses, 'and stays counted').toEqual({ gaps: 1, frames: 1, ids: 1 });
});

test.each([0, 1, 2, 3, 4])('two losses at different times add up, with openings cut at their write number %i', (cutAt) => {
  const h = openedAtLast(damaged('two', [2, 3]), cutAt, 2);
  expect(h.ring.losses).toEqual({ gaps: 1, frames: 2, ids: 2 });
  const lsn = Math.max(
    ...[...h.ring.index.slots()].filter((slot) => h.ring.index.number(slot) === 5).map((slot) => h.ring.index.lsn(slot)),
  );
  h.disk.kill();
  h.disk.rot(segmentsOf(SMALLEST, { lsn, skip: 0, bytes: 512 })[0]?.offset ?? 0, 512, 'garbage');
  h.durable.messages.delete(5);
  openedAtLast(h, cutAt, 2);
  expect(h.ring.losses).toEqual({ gaps: 2, frames: 3, ids: 3 });
  h.check();
});

test('a ring that lost nothing says so, and has no record', () => {
  const h = damaged('none', []);
  h.reopen();
  expect(h.ring.losses).toEqual({ gaps: 0, frames: 0, ids: 0 });
  expect(h.ring.metas.get('lost')).toBeUndefined();
});
