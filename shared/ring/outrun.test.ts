/** A medium that lied can leave superblocks that are a lap ahead of the frames. Such a ring opens, says so, and goes on. */
import { expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { freshHarness, type RingHarness } from '../../hardware-sim/ring-harness.ts';
import { geometryFor } from './geometry.ts';

const SMALLEST = geometryFor(388 * 512, 512);
const { blockBytes, blockCount } = SMALLEST;

/** Writes and acknowledges until the log has moved on by so many blocks. */
function moveOn(h: RingHarness, blocks: number, number: number): number {
  const until = h.ring.blocksWritten + blocks;
  let next = number;
  while (h.ring.blocksWritten < until) {
    h.commit({ puts: [{ number: next, bytes: 2000 }] });
    h.commit({ acks: [next] });
    next += 1;
  }
  return next;
}

test.each([150, 250, 350, 380])(
  'frames %i blocks behind their superblock: the ring opens, says that some are lost, and goes on',
  (ahead) => {
    const h = freshHarness({ geometry: SMALLEST, random: stream('outrun', 'disk') });
    h.settle();
    let number = moveOn(h, 100, 1);
    for (let i = 0; i < 12; i++) h.commit({ puts: [{ number: number++, bytes: 1000 }] });
    const before = h.disk.platter();
    number = moveOn(h, ahead, number);
    h.ring.close(() => {});
    h.settle();
    h.disk.poke(2 * blockBytes, before.subarray(2 * blockBytes, (2 + blockCount) * blockBytes));
    h.beginReopen();
    h.settle();
    expect([h.ring.state, h.ring.failure]).toEqual(['serving', undefined]);
    expect(h.ring.report.gaps.length).toBeGreaterThan(0);
    expect(h.ring.freeBlocks).toBeGreaterThan(0);
    h.believe();
    h.checkBodies();
    moveOn(h, 2 * blockCount, number);
    h.powerCut();
    h.reopen();
    h.check();
  },
);
