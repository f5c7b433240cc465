/** A medium that loses writes may show again what was given up before they were made. It is not taken for what was made later. */
import { expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { freshHarness, type RingHarness } from '../../hardware-sim/ring-harness.ts';
import { equalBytes } from '../bytes.ts';
import { geometryFor } from './geometry.ts';

const SMALLEST = geometryFor(388 * 512, 512);
const { blockBytes } = SMALLEST;

function offsetOf(lsn: number): number {
  return (2 + (lsn % SMALLEST.blockCount)) * blockBytes;
}

function lsnOf(h: RingHarness, number: number): number {
  for (const slot of h.ring.index.slots()) if (h.ring.index.number(slot) === number) return h.ring.index.lsn(slot);
  throw new Error(`message ${number} is there`);
}

function close(h: RingHarness): void {
  h.ring.close(() => {});
  h.settle();
}

test('a damaged anchor costs nothing that stood whole before it, whatever a lost write uncovers', () => {
  const h = freshHarness({ geometry: SMALLEST, random: stream('given up', 'disk') });
  h.settle();
  h.commit({ puts: [{ number: 1, bytes: 10 }] });
  h.commit({ puts: [{ number: 2, bytes: 2400 }] });
  h.commit({ puts: [{ number: 3, bytes: 10 }] });
  const [from, to] = [lsnOf(h, 2), lsnOf(h, 3)];
  // Messages 2 and 3 cannot be read at an opening, which goes on in their place: they are given up.
  h.disk.kill();
  h.disk.failReads(offsetOf(from), (to + 1 - from) * blockBytes);
  h.beginReopen();
  h.settle();
  h.disk.healReads();
  h.believe();
  expect(h.numbers()).toEqual([1]);
  h.commit({ puts: [{ number: 10, bytes: 10 }] });
  const kept = lsnOf(h, 10);
  const before = h.disk.platter();
  // What is written over the rest of them, and the anchor behind it, gets lost.
  h.commit({ puts: [{ number: 11, bytes: 2400 }] });
  h.commit({ puts: [{ number: 12, bytes: 10 }] });
  expect(lsnOf(h, 11)).toBeLessThan(to);
  expect(lsnOf(h, 12)).toBeGreaterThan(to);
  const end = lsnOf(h, 12) + 1;
  close(h);
  h.disk.poke(offsetOf(kept + 1), before.subarray(offsetOf(kept + 1), offsetOf(end)));
  h.beginReopen();
  h.settle();
  h.believe();
  expect(h.numbers()).toEqual([1, 10]);
  expect(h.ring.report.gaps.length).toBeGreaterThan(0);
  h.checkBodies();
  h.powerCut();
  h.reopen();
  h.check();
});

test('a frame whose sync failed, in the place of one that only the cache held, stays given up once an opening served without it', () => {
  let uncovered = 0;
  for (let seed = 0; seed < 24; seed++) {
    const h = freshHarness({ geometry: SMALLEST, random: stream(seed, 'cache only'), completion: 'stepped' });
    const meta = (key: string) => h.append({ metas: [{ key, value: '01' }] });
    h.settle();
    h.commit({ puts: [{ number: 1, bytes: 10 }] }); // keeps the tail before all that follows
    meta('kept');
    h.settle();
    // It reaches the medium, perhaps, but the cache shows what was there before; the OPEN frame in its place reaches only the cache.
    meta('given up');
    h.play();
    h.disk.failNextSync('old');
    h.settle();
    h.disk.kill();
    h.beginReopen();
    h.play();
    const [open] = h.disk.pending;
    h.disk.failNextSync('new');
    h.settle();
    const at = open?.offset ?? 0;
    const onMedium = h.disk.platter().subarray(at, at + blockBytes);
    if (open !== undefined && onMedium[0] !== 0 && !equalBytes(onMedium, open.bytes.subarray(0, blockBytes))) uncovered += 1;
    h.disk.kill();
    h.reopen();
    expect([...h.durable.metas.keys()]).toEqual(['kept']);
    h.powerCut();
    h.reopen();
    h.check();
    expect(h.ring.report.gaps).toEqual([]);
  }
  expect(uncovered).toBeGreaterThan(2);
});
