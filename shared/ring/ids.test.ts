/** An id never means two messages, whatever became of the first. */
import { expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { freshHarness, type RingHarness } from '../../hardware-sim/ring-harness.ts';
import { geometryFor } from './geometry.ts';

const SMALLEST = geometryFor(388 * 512, 512);
const { blockBytes, blockCount } = SMALLEST;

function fresh(seed: string): RingHarness {
  const h = freshHarness({ geometry: SMALLEST, random: stream(seed, 'disk') });
  h.settle();
  return h;
}

function idsOf(h: RingHarness): number[] {
  return [...h.ring.index.slots()].map((slot) => h.ring.index.id(slot)).sort((a, b) => a - b);
}

test.each(['killed', 'closed clean'])(
  'the newest message is acknowledged and the node is %s: the next one has an id of its own',
  (ending) => {
    const h = fresh(ending);
    for (let number = 1; number < 20; number++) {
      h.commit({ puts: [{ number, bytes: 10 }] });
      expect(idsOf(h)).toEqual([number]);
      h.commit({ acks: [number] });
      if (ending === 'killed') h.disk.kill();
      else h.ring.close(() => {});
      h.settle();
      h.reopen();
    }
  },
);

test('ids go on where they were, though the frame at the anchor is lost and with it all that used them', () => {
  const h = fresh('anchor');
  h.commit({ puts: [{ number: 1, bytes: 10 }] });
  h.commit({ puts: [2, 3, 4].map((number) => ({ number, bytes: 10 })) });
  const last = Math.max(...[...h.ring.index.slots()].map((slot) => h.ring.index.lsn(slot)));
  expect(idsOf(h)).toEqual([1, 2, 3, 4]);
  h.ring.close(() => {});
  h.settle();
  h.disk.rot((2 + (last % blockCount)) * blockBytes, blockBytes, 'zeros');
  h.beginReopen();
  h.settle();
  h.believe();
  expect(h.numbers()).toEqual([1]);
  h.commit({ puts: [{ number: 10, bytes: 10 }] });
  expect(idsOf(h)).toEqual([1, 5]);
});
