import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stream } from './random.ts';
import { LOT_MS, WIRE_BYTES_MAX, Wire } from './wire.ts';

const some = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i);
const perfect = (baud: number | undefined) => new Wire({ baud, random: stream(1, 'wire') });

test('a byte takes ten bits', () => {
  const wire = perfect(1000);
  wire.push(some(3), 100);
  expect(wire.take(109)).toEqual(some(0));
  expect(wire.take(110)).toEqual(some(1));
  expect(wire.take(129)).toEqual(Uint8Array.of(1));
  expect(wire.take(130)).toEqual(Uint8Array.of(2));
  expect(wire.wakeAtMs).toBeUndefined();
});

test('bytes pushed while others are under way wait for them; an idle line saves up nothing', () => {
  const wire = perfect(1000);
  wire.push(some(1), 0);
  wire.push(some(1), 5);
  expect(wire.take(19)).toHaveLength(1);
  expect(wire.take(20)).toHaveLength(1);
  wire.push(some(1), 1000);
  expect(wire.take(1009)).toHaveLength(0);
  expect(wire.take(1010)).toHaveLength(1);
});

test('wakes for lots, and finds each at the time it named', () => {
  const wire = perfect(115_200);
  wire.push(some(200), 0.3);
  const lots: number[] = [];
  let lastMs = 0;
  for (let wakeAtMs = wire.wakeAtMs; wakeAtMs !== undefined; wakeAtMs = wire.wakeAtMs) {
    lots.push(wire.take(wakeAtMs).length);
    lastMs = wakeAtMs;
  }
  expect(lots).toEqual([46, 46, 46, 46, 16]);
  expect(lastMs).toBeCloseTo(0.3 + (200 * 10 * 1000) / 115_200, 6);
  expect(46 * (10_000 / 115_200)).toBeLessThan(LOT_MS);
});

test('a slow line wakes for each byte', () => {
  const wire = perfect(300);
  wire.push(some(2), 0);
  expect(wire.wakeAtMs).toBeCloseTo(33.33, 1);
});

test('without a baud everything is there at once', () => {
  const wire = perfect(undefined);
  wire.push(some(200), 5);
  expect(wire.wakeAtMs).toBe(5);
  expect(wire.take(5)).toEqual(some(200));
});

test('keeps a copy', () => {
  const wire = perfect(undefined);
  const bytes = some(3);
  wire.push(bytes, 0);
  bytes.fill(9);
  expect(wire.take(0)).toEqual(some(3));
});

test('holds a bounded number of bytes and counts what it loses', () => {
  const wire = perfect(9600);
  wire.push(new Uint8Array(WIRE_BYTES_MAX - 10), 0);
  wire.push(some(30), 0);
  expect(wire.backlogBytes).toBe(WIRE_BYTES_MAX);
  expect(wire.counters.overrun).toBe(20);
});

test('cut: what is under way and what comes is lost; restored: what comes then passes', () => {
  const wire = perfect(1000);
  wire.push(some(4), 0);
  expect(wire.take(20)).toHaveLength(2);
  wire.cut();
  wire.push(some(3), 25);
  expect(wire.wakeAtMs).toBeUndefined();
  expect(wire.take(1000)).toHaveLength(0);
  wire.restore();
  wire.push(some(1), 2000);
  expect(wire.take(2010)).toEqual(some(1));
  expect(wire.counters.lostInCut).toBe(5);
});

test('damages at about the rate asked for, one bit a byte', () => {
  const wire = new Wire({ baud: undefined, random: stream(3, 'wire'), faults: { dropRate: 0.02, flipRate: 0.01 } });
  wire.push(new Uint8Array(50_000), 0);
  const out = wire.take(0);
  expect(wire.counters.dropped / 50_000).toBeCloseTo(0.02, 2);
  expect(wire.counters.flipped / 50_000).toBeCloseTo(0.01, 2);
  expect(out.length).toBe(50_000 - wire.counters.dropped);
  const damaged = [...out].filter((byte) => byte !== 0);
  expect(damaged).toHaveLength(wire.counters.flipped);
  expect(new Set(damaged)).toEqual(new Set([1, 2, 4, 8, 16, 32, 64, 128]));
});

test('damage depends on bytes and seed alone, not on chunks and looks', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.array(fc.integer({ min: 1, max: 40 })), (bytes, steps) => {
      const make = () => new Wire({ baud: 1000, random: stream(5, 'wire'), faults: { dropRate: 0.1, flipRate: 0.2 } });
      const whole = make();
      whole.push(bytes, 0);
      const pieces = make();
      const out: number[] = [];
      let nowMs = 0;
      let offset = 0;
      for (const step of [...steps, bytes.length]) {
        pieces.push(bytes.slice(offset, offset + step), nowMs);
        offset += step;
        nowMs += step * 7;
        out.push(...pieces.take(nowMs));
      }
      out.push(...pieces.take(1e6));
      expect(out).toEqual([...whole.take(1e6)]);
    }),
  );
});
