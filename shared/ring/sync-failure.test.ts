/**
 * A sync may fail once, and the page cache lie ever after: it shows the new bytes as clean while the medium holds any part of them.
 * The ring stops at the first failure and says what it does not know; the next opening believes nothing that was not proven.
 */
import { describe, expect, test } from 'vitest';
import { type Prng, stream } from '../../hardware-sim/random.ts';
import { freshHarness, type ModelBatch, type RingHarness } from '../../hardware-sim/ring-harness.ts';
import type { CacheAfterFailure } from '../../hardware-sim/sim-disk.ts';
import { geometryFor } from './geometry.ts';

const SMALLEST = geometryFor(388 * 512, 512);

function fresh(seed: string): RingHarness {
  const h = freshHarness({ geometry: SMALLEST, random: stream(seed, 'disk') });
  h.settle();
  return h;
}

function anyBatch(h: RingHarness, random: Prng, number: number): ModelBatch {
  const live = h.numbers();
  const one = live[random.int(live.length)];
  return {
    puts: random.chance(0.7) ? [{ number, bytes: random.int(1800) }] : [],
    acks: one !== undefined && random.chance(0.5) ? [one] : [],
    metas: random.chance(0.4) ? [{ key: `k${random.int(4)}`, value: random.chance(0.2) ? undefined : '0102' }] : [],
  };
}

describe('a failed write', () => {
  test('is in doubt, what waited behind it was not written, and the ring is stopped for good', () => {
    const h = fresh('outcome');
    h.commit({ puts: [{ number: 1, bytes: 10 }] });
    h.disk.failNextSync();
    h.append({ puts: [{ number: 2, bytes: 10 }] });
    h.append({ acks: [1] });
    h.ring.pump(h.nowMs); // both are in flight now
    h.append({ puts: [{ number: 3, bytes: 10 }] });
    h.settle();
    expect(h.refused).toEqual(['in-doubt', 'in-doubt', 'not-written']);
    expect(h.ring.state).toBe('stopped');
    expect(String(h.ring.failure)).toMatch(/EIO/);
    expect(() => h.append({ acks: [1] })).toThrow(/NODE_STOPPED/);
    expect(h.ring.wakeAtMs).toBeUndefined();
    const writes = h.disk.counters.writes;
    h.ring.pump(h.nowMs + 1e6);
    h.settle();
    expect(h.disk.counters.writes).toBe(writes);
  });

  test('tells who closes, once', () => {
    const h = fresh('close');
    h.disk.failNextSync();
    h.append({ puts: [{ number: 1, bytes: 10 }] });
    let closed = 0;
    h.ring.close(() => closed++);
    h.settle();
    expect(h.ring.state).toBe('stopped');
    h.ring.close(() => closed++);
    h.settle();
    expect(closed).toBe(2); // one for each that asked
  });

  test('leaves reads answered', () => {
    const h = fresh('reads');
    h.commit({ puts: [{ number: 1, bytes: 10 }] });
    h.disk.failNextSync();
    h.append({ metas: [{ key: 'a', value: '01' }] });
    h.settle();
    h.checkBodies();
  });
});

describe('after a sync failed', () => {
  test.each<CacheAfterFailure>(['new', 'old'])(
    'with the cache showing what is %s: stop, reopen from the cache, power cut',
    (cache) => {
      for (let seed = 0; seed < 60; seed++) {
        const random = stream(seed, `sync ${cache}`);
        const h = fresh(`${seed}${cache}`);
        let number = 1;
        for (let round = 0; round < 4; round++) {
          for (let i = random.int(5); i >= 0; i--) h.commit(anyBatch(h, random, number++));
          h.disk.failNextSync(cache);
          h.append(anyBatch(h, random, number++));
          h.append(anyBatch(h, random, number++));
          h.settle();
          // The failing write may be the frame, or the anchor before it: the ring stops at either.
          expect(h.ring.state).toBe('stopped');
          h.disk.kill();
          if (random.chance(0.3)) failedOpening(h, cache);
          h.reopen();
          if (random.chance(0.3)) h.commit(anyBatch(h, random, number++));
          h.powerCut();
          h.reopen();
          h.check();
          expect(h.ring.report.gaps).toEqual([]);
          h.checkBodies();
        }
      }
    },
  );

  /** The opening meets a failing sync of its own, in its OPEN frame or in either copy of its anchor. */
  function failedOpening(h: RingHarness, cache: CacheAfterFailure): void {
    h.beginReopen();
    h.disk.failNextSync(cache);
    h.settle();
    expect(h.ring.state).toBe('stopped');
    h.disk.kill();
  }

  test.each([0, 1, 2])('an opening that fails in its write number %i, again and again, changes nothing', (writes) => {
    const random = stream(writes, 'opening');
    const h = freshHarness({ geometry: SMALLEST, random, completion: 'stepped' });
    h.settle();
    for (let number = 1; number < 9; number++) h.commit(anyBatch(h, random, number));
    for (let round = 0; round < 12; round++) {
      h.append(anyBatch(h, random, 100 + round));
      h.play();
      h.disk.failNextSync(random.pick(['new', 'old']));
      h.settle();
      for (let again = 0; again < 3; again++) {
        h.disk.kill();
        h.beginReopen();
        h.play();
        for (let i = 0; i < writes; i++) {
          h.disk.step();
          h.play();
        }
        h.disk.failNextSync(random.pick(['new', 'old']));
        h.settle();
        expect(h.ring.state).toBe('stopped');
        if (again === 1 && round % 2 === 0) h.powerCut();
      }
      h.disk.kill();
      h.reopen();
      h.check();
      h.powerCut();
      h.reopen();
      h.check();
      h.checkBodies();
    }
  });
});

describe('a frame that only the cache holds', () => {
  /** Messages dense at the tail, and so much garbage behind them that the reserve is short. */
  function shortReserve(h: RingHarness): void {
    let number = 1;
    while (h.ring.hasRoomFor(6144)) h.commit({ puts: [{ number: number++, bytes: 6000 }] });
    for (let i = 0; h.ring.freeBlocks >= 4 * SMALLEST.frameBlocksMax; i++) {
      h.commit({ metas: [0, 1, 2, 3, 4, 5, 6].map((k) => ({ key: `k${k}`, value: `${i % 10}${k}`.repeat(1000) })) });
    }
  }

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    'hides nothing that was written over what stood in its place, %i commits later',
    (commits) => {
      for (let seed = 0; seed < 12; seed++) {
        const h = freshHarness({ geometry: SMALLEST, random: stream(seed, `hides ${commits}`), completion: 'stepped' });
        h.settle();
        h.commit({ puts: [{ number: 1, bytes: 100 }] });
        // A frame of six blocks of which only the directory arrives; the OPEN frame in its place that only the cache holds; one behind it.
        h.append({ puts: [{ number: 2, bytes: 2700 }] });
        h.play();
        h.powerCut((position) => (position === 0 ? 'new' : 'old'));
        h.beginReopen();
        h.play();
        h.disk.failNextSync('new');
        h.settle();
        h.disk.kill();
        h.beginReopen();
        h.play();
        h.disk.kill();
        h.reopen();
        for (let i = 0; i < commits; i++) h.commit({ metas: [{ key: `k${i}`, value: '0a' }] });
        for (const number of [3, 4]) {
          h.disk.kill();
          h.reopen();
          h.commit({ puts: [{ number, bytes: 10 }] });
          h.powerCut();
          h.reopen();
          h.check();
          expect(h.ring.report.gaps).toEqual([]);
        }
        h.checkBodies();
      }
    },
  );

  test('is not needed by one that says it again and is torn itself: what was there before it stays', () => {
    for (let seed = 0; seed < 60; seed++) {
      const h = freshHarness({ geometry: SMALLEST, random: stream(seed, 'torn again'), completion: 'stepped' });
      h.settle();
      h.commit({ puts: [{ number: 1, bytes: 10 }] });
      h.commit({ puts: [{ number: 2, bytes: 1500 }], metas: [{ key: 'a', value: '01' }] });
      for (let failed = seed % 3; failed >= 0; failed--) {
        h.disk.kill();
        h.beginReopen();
        h.play();
        h.disk.failNextSync('new');
        h.settle();
      }
      h.disk.kill();
      h.beginReopen();
      h.play();
      h.powerCut((position) => (position === 0 ? 'new' : 'old')); // its directory says that it says all again; its bodies are missing
      h.reopen();
      h.check();
      expect(h.ring.report.gaps).toEqual([]);
      h.checkBodies();
    }
  });

  test.each([
    [1, 'lets much go'],
    [2, 'lets much go'],
    [3, 'lets much go'],
    [9, 'lets much go'],
    [1, 'lets nothing go'],
    [4, 'lets nothing go'],
    [14, 'lets nothing go'],
  ] as const)('is believed by nobody, after %i openings that failed, when it %s', (openings, what) => {
    for (let seed = 0; seed < 6; seed++) {
      const h = fresh(`cache only ${what} ${openings} ${seed}`);
      shortReserve(h);
      const acks = what === 'lets much go' ? h.numbers().slice(0, 8) : [];
      h.disk.failNextSync('new');
      h.append({ acks, metas: [0, 1, 2].map((k) => ({ key: `k${k}`, value: `f${k}`.repeat(1000) })) });
      h.settle();
      expect(h.ring.state).toBe('stopped');
      for (let i = 0; i < openings; i++) {
        h.disk.kill();
        h.beginReopen();
        h.disk.failNextSync('new');
        h.settle();
        expect(h.ring.state).toBe('stopped');
      }
      const continued = h.fork(stream(seed, 'continued'));
      h.powerCut();
      h.reopen();
      h.check();
      h.checkBodies();
      // Or an opening succeeds on what the cache shows: from then on it holds.
      continued.disk.kill();
      continued.reopen();
      continued.powerCut();
      continued.reopen();
      continued.check();
      continued.checkBodies();
    }
  });
});

describe('a medium that lies about its flushes', () => {
  test('may lose what it called durable, but invents nothing, mixes nothing up, and opens', () => {
    let holes = 0;
    for (let seed = 0; seed < 150; seed++) {
      const random = stream(seed, 'lies');
      const h = fresh(`lies ${seed}`);
      let number = 1;
      const everPut = new Map<number, number>();
      const commit = () => {
        const batch = anyBatch(h, random, number++);
        for (const put of batch.puts ?? []) everPut.set(put.number, put.bytes);
        h.commit(batch);
      };
      for (let i = random.int(40); i >= 0; i--) commit();
      const before = new Set(h.numbers());
      h.disk.lie();
      for (let i = random.int(12); i >= 0; i--) commit();
      if (random.chance(0.3)) {
        h.disk.kill();
        h.beginReopen();
        h.settle();
        commit();
      }
      h.powerCut();
      h.disk.flush();
      h.beginReopen();
      h.settle();
      expect(h.ring.state, String(h.ring.failure)).toBe('serving');
      holes += h.ring.report.gaps.length;
      const { index } = h.ring;
      for (const slot of index.slots()) expect(everPut.get(index.number(slot))).toBe(index.bodyBytes(slot));
      for (const message of before) if (h.durable.messages.has(message)) expect(findNumber(h, message)).toBe(true);
      h.powerCut();
      const shown = index.count;
      h.beginReopen();
      h.settle();
      expect(h.ring.index.count).toBe(shown);
    }
    expect(holes).toBeGreaterThan(5);
  });
});

function findNumber(h: RingHarness, number: number): boolean {
  for (const slot of h.ring.index.slots()) if (h.ring.index.number(slot) === number) return true;
  return false;
}
