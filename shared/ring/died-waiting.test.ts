/** Frames that were read to be copied, and died before their turn came, keep nobody from cleaning further. */
import { expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { freshHarness } from '../../hardware-sim/ring-harness.ts';
import { geometryFor } from './geometry.ts';

const SMALLEST = geometryFor(388 * 512, 512);

test('a message that waits for room gets it, though all that was read for cleaning is acknowledged by now', () => {
  const h = freshHarness({ geometry: SMALLEST, random: stream('died waiting', 'disk') });
  h.settle();
  const { frameBlocksMax } = SMALLEST;
  // Pairs at the tail that are read in one piece: a frame of 13 blocks and one of a single block.
  const pairs: number[][] = [];
  for (let number = 1; h.ring.hasRoomFor(6200 + 100); number += 2) {
    h.commit({ puts: [{ number, bytes: 6100 }] });
    h.commit({ puts: [{ number: number + 1, bytes: 100 }] });
    pairs.push([number, number + 1]);
  }
  // So little room that no message may be written, also when a pair goes.
  for (let i = 0; i < 200 && h.ring.freeBlocks >= 4 * frameBlocksMax; i++) {
    h.commit({ metas: [0, 1, 2, 3, 4, 5, 6].map((k) => ({ key: `k${k}`, value: `${i % 10}${k}`.repeat(1000) })) });
  }
  for (let i = 0; i < 20 && h.ring.freeBlocks > 3 * frameBlocksMax + 1; i++)
    h.commit({ metas: [{ key: 'tick', value: `0${i % 10}` }] });
  expect(h.ring.freeBlocks).toBe(3 * frameBlocksMax + 1);
  // A frame of one block ends a pair: it looks at eight blocks of what was read, which is the larger frame; the other one waits on, dead.
  h.commit({ acks: pairs[0] ?? [] });
  expect(h.ring.freeBlocks).toBeLessThan(4 * frameBlocksMax);
  h.commit({ puts: [{ number: 1000, bytes: 10 }] });
  expect(h.outstandingCount).toBe(0);
  h.check();
  h.checkBodies();
});
