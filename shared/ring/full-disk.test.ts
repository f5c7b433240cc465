/**
 * A full disk or one that became read-only is a failed write like any other (sync-failure.test.ts): in doubt, and the ring is stopped
 * for good. It may clear: then the next opening has all that was acknowledged, and goes on.
 */
import { describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { freshHarness, type ModelBatch, type RingHarness } from '../../hardware-sim/ring-harness.ts';
import { geometryFor } from './geometry.ts';

const SMALLEST = geometryFor(388 * 512, 512);

function anyBatch(h: RingHarness, number: number): ModelBatch {
  const random = stream(number, 'batch');
  const live = h.numbers();
  return {
    puts: [{ number, bytes: random.int(1800) }],
    acks: live.slice(0, Math.max(0, live.length - 16)),
    metas: [{ key: `k${random.int(4)}`, value: '0102' }],
  };
}

/** A log that wraps, still open. */
const base = freshHarness({ geometry: SMALLEST, random: stream('full disk', 'disk') });
base.settle();
for (let number = 1; base.disk.counters.bytesWritten < 1.2 * base.disk.bytes; number++) base.commit(anyBatch(base, number));

describe.each(['ENOSPC', 'EROFS'] as const)('a write that fails with %s', (reason) => {
  test('is in doubt wherever it comes, stops the ring for good, and the next opening has everything acknowledged', () => {
    for (const cache of ['new', 'old'] as const) {
      for (let count = 1; count <= 18; count++) {
        const h = base.fork(stream(count, reason));
        h.disk.failWriteNumber(count, reason, cache);
        h.disk.kill();
        h.beginReopen();
        h.settle();
        for (let i = 0; h.ring.state === 'serving'; i++) h.commit(anyBatch(h, 300 + i));
        expect(String(h.ring.failure)).toContain(reason);
        expect(h.refused.every((outcome) => outcome === 'in-doubt')).toBe(true);
        expect(() => h.append({ acks: [] })).toThrow(/NODE_STOPPED/);
        const { writes } = h.disk.counters;
        h.ring.pump(h.nowMs + 1e6);
        h.settle();
        expect(h.disk.counters.writes).toBe(writes);
        if (count % 2 === 0) h.powerCut();
        h.reopen();
        h.checkBodies();
        h.powerCut();
        h.reopen();
        h.check();
        expect(h.ring.report.gaps).toEqual([]);
      }
    }
  });

  test('for a long time fails every opening, which changes nothing, until it has cleared', () => {
    const h = base.fork(stream('long', reason));
    h.disk.kill();
    h.reopen();
    h.disk.failWrites(reason);
    h.commit({ puts: [{ number: 400, bytes: 100 }] });
    expect(h.refused).toEqual(['in-doubt']);
    for (let i = 0; i < 5; i++) {
      if (i % 2 === 1) h.powerCut();
      h.beginReopen();
      h.settle();
      expect(h.ring.state).toBe('stopped');
      expect(String(h.ring.failure)).toContain(reason);
    }
    h.disk.healWrites();
    h.reopen();
    h.checkBodies();
    h.commit({ puts: [{ number: 401, bytes: 100 }] });
    h.powerCut();
    h.reopen();
    h.check();
    expect(h.ring.report.gaps).toEqual([]);
  });
});
