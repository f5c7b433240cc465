import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Item } from '../custody/session.ts';
import { Assembly } from './assembly.ts';
import { ByteRanges } from './byte-ranges.ts';
import { KEPT_BYTES_MAX, KEPT_STREAM_BYTES_MAX, KeptBytes, KeptItems } from './kept-items.ts';

const message = (number: number, bytes = 10): Item => ({ kind: 'message', number, envelope: new Uint8Array(bytes).fill(number) });
const numbered = Uint8Array.from({ length: 1_000 }, (_, i) => i % 251);

const asItCame = (_number: number, payload: Uint8Array): Uint8Array => payload;

describe('byte ranges', () => {
  test('cover what was added, in any order and with overlaps', () => {
    const parts = fc.array(fc.tuple(fc.nat(90), fc.integer({ min: 1, max: 30 })), { maxLength: 30 });
    fc.assert(
      fc.property(parts, (list) => {
        const ranges = new ByteRanges(1_000);
        const model = new Set<number>();
        for (const [start, length] of list) {
          ranges.add(start, start + length);
          for (let i = start; i < start + length; i++) model.add(i);
        }
        let first = 0;
        while (model.has(first)) first += 1;
        const covered = Array.from({ length: 124 }, (_, i) => i + 1).filter((length) => ranges.covers(length));
        expect(covered).toEqual(Array.from({ length: first }, (_, i) => i + 1));
        expect(ranges.end).toBe(Math.max(0, ...[...model].map((i) => i + 1)));
      }),
    );
  });

  test('are refused, unchanged, beyond their number', () => {
    const ranges = new ByteRanges(2);
    expect([ranges.add(0, 1), ranges.add(10, 11), ranges.add(20, 21)]).toEqual([true, true, false]);
    expect(ranges.end).toBe(11);
    expect(ranges.add(1, 10)).toBe(true);
    expect(ranges.covers(11)).toBe(true);
  });
});

describe('a message in parts', () => {
  test('is whole when all of it came, in any order, sizes and repeats', () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 999 }), { maxLength: 20 });
    fc.assert(
      fc.property(cuts, fc.infiniteStream(fc.nat(1_000_000)), (list, chance) => {
        const ends = [...list, 1_000].sort((a, b) => a - b);
        const parts = ends.map((end, i) => {
          const offset = ends[i - 1] ?? 0;
          const total = offset === 0 || end === 1_000 ? 1_000 : undefined;
          return { offset, payload: numbered.subarray(offset, end), total };
        });
        const order = [...parts, ...parts.slice(0, 3)]
          .map((part) => ({ part, key: chance.next().value }))
          .sort((a, b) => a.key - b.key);
        const assembly = new Assembly();
        const seen = new Set<number>();
        for (const { part } of order) {
          expect(assembly.add(part)).toBe('added');
          seen.add(part.offset);
          expect(assembly.whole !== undefined).toBe(seen.size === parts.length);
        }
        expect(assembly.whole).toEqual(numbered);
      }),
    );
  });

  test.each([
    ['another total', { offset: 10, payload: numbered.subarray(0, 10), total: 30 }],
    ['an end beyond it', { offset: 90, payload: numbered.subarray(0, 20), total: undefined }],
  ])('contradicts itself: %s', (_name, part) => {
    const assembly = new Assembly();
    assembly.add({ offset: 0, payload: numbered.subarray(0, 10), total: 100 });
    expect(assembly.add(part)).toBe('conflict');
    expect(assembly.add({ offset: 10, payload: numbered.subarray(10, 100), total: undefined })).toBe('added');
    expect(assembly.whole).toEqual(numbered.subarray(0, 100));
  });

  test('contradicts itself: a total below what came', () => {
    const assembly = new Assembly();
    assembly.add({ offset: 50, payload: numbered.subarray(0, 50), total: undefined });
    expect(assembly.add({ offset: 0, payload: numbered.subarray(0, 10), total: 80 })).toBe('conflict');
  });
});

describe('what is kept', () => {
  test('comes back in order of number, once it is whole', () => {
    const kept = new KeptItems(new KeptBytes(), asItCame);
    for (const number of [7, 5, 6]) expect(kept.keep(message(number))).toBe(true);
    expect(kept.first).toEqual(message(5));
    kept.dropBelow(7);
    expect(kept.first).toEqual(message(7));
    expect(kept.keepPart(6, { offset: 0, payload: numbered.subarray(0, 10), total: 20 })).toBe('kept');
    expect(kept.first).toBeUndefined();
    expect(kept.keepPart(6, { offset: 10, payload: numbered.subarray(10, 20), total: undefined })).toBe('whole');
    expect(kept.first).toEqual({ kind: 'message', number: 6, envelope: numbered.slice(0, 20) });
  });

  test('is a copy', () => {
    const kept = new KeptItems(new KeptBytes(), asItCame);
    const envelope = Uint8Array.of(1, 2, 3);
    kept.keep({ kind: 'message', number: 1, envelope });
    envelope.fill(0);
    expect(kept.first).toEqual({ kind: 'message', number: 1, envelope: Uint8Array.of(1, 2, 3) });
  });

  test('a gap stays as long as its last number has not come', () => {
    const kept = new KeptItems(new KeptBytes(), asItCame);
    const gap: Item = { kind: 'elsewhere', number: 8, to: 12 };
    kept.keep(gap);
    kept.dropBelow(10);
    expect(kept.first).toEqual(gap);
    kept.dropBelow(13);
    expect(kept.first).toBeUndefined();
  });

  test('is bounded for a stream and for a session, and what is dropped makes room', () => {
    const bytes = new KeptBytes();
    const streams = [new KeptItems(bytes, asItCame), new KeptItems(bytes, asItCame), new KeptItems(bytes, asItCame)] as const;
    let count = 0;
    while (streams[0].keep(message(++count, 10_000)));
    expect(streams[0].bytes).toBeLessThanOrEqual(KEPT_STREAM_BYTES_MAX);
    expect(streams[0].bytes).toBeGreaterThan(KEPT_STREAM_BYTES_MAX - 10_200);
    while (streams[1].keep(message(++count, 10_000)));
    while (streams[2].keep(message(++count, 10_000)));
    expect(bytes.used).toBeLessThanOrEqual(KEPT_BYTES_MAX);
    expect(streams[2].bytes).toBeLessThan(20_000);
    expect(streams[2].keepPart(1, { offset: 0, payload: numbered, total: 100_000 })).toBe('full');
    streams[0].dropBelow(1_000);
    expect(streams[2].keepPart(1, { offset: 0, payload: numbered, total: 100_000 })).toBe('kept');
    for (const stream of streams) stream.dropBelow(10_000);
    expect(bytes.used).toBe(0);
  });

  test('stays, whatever else finds no room: it was told as arrived', () => {
    const kept = new KeptItems(new KeptBytes(), asItCame);
    expect(kept.keepPart(1, { offset: 0, payload: numbered.subarray(0, 50), total: 100 })).toBe('kept');
    expect(kept.keep(message(2, 10))).toBe(true);
    expect(kept.keepPart(3, { offset: 0, payload: numbered, total: KEPT_STREAM_BYTES_MAX })).toBe('full');
    expect(kept.keep(message(4, KEPT_STREAM_BYTES_MAX))).toBe(false);
    expect(kept.has(2)).toBe(true);
    expect(kept.keepPart(1, { offset: 50, payload: numbered.subarray(50, 100), total: undefined })).toBe('whole');
  });

  test('gives back exactly what it took, whatever happens to it', () => {
    const step = fc.tuple(
      fc.constantFrom('keep', 'part', 'conflict', 'drop', 'below'),
      fc.integer({ min: 1, max: 12 }),
      fc.nat(9),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const bytes = new KeptBytes();
        const kept = new KeptItems(bytes, asItCame);
        for (const [what, number, n] of steps) {
          if (what === 'keep') kept.keep(message(number, 100 * n));
          if (what === 'part')
            kept.keepPart(number, { offset: 100 * n, payload: numbered.subarray(0, 100), total: n % 3 ? undefined : 1_000 });
          if (what === 'conflict') kept.keepPart(number, { offset: 0, payload: numbered, total: 100 });
          if (what === 'drop') kept.drop(number);
          if (what === 'below') kept.dropBelow(number);
          expect(bytes.used).toBe(kept.bytes);
        }
        kept.dropBelow(100);
        expect([bytes.used, kept.count]).toEqual([0, 0]);
      }),
    );
  });
});
