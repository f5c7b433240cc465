import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BodyCache } from './body-cache.ts';

test('what was put last is there, nothing is there that was dropped, and all of it together stays below the bound', () => {
  const step = fc.record({ what: fc.constantFrom('put', 'get', 'drop'), id: fc.integer({ min: 1, max: 30 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), fc.integer({ min: 0, max: 4000 }), (script, bytesMax) => {
      const cache = new BodyCache(bytesMax);
      const bodies = new Map<number, Uint8Array>();
      const there = new Set<number>();
      for (const { what, id } of script) {
        if (what === 'put') {
          const body = bodies.get(id) ?? new Uint8Array(70 * (id % 9)).map((_, i) => id + i);
          bodies.set(id, body);
          cache.put(id, body);
          there.add(id);
          expect(cache.get(id)).toEqual(body.length <= bytesMax ? body : undefined);
          expect(cache.has(id)).toBe(body.length <= bytesMax);
        } else if (what === 'drop') {
          cache.drop(id);
          there.delete(id);
        }
        const found = cache.get(id);
        expect(cache.has(id)).toBe(found !== undefined);
        if (found !== undefined) expect([there.has(id), found]).toEqual([true, bodies.get(id)]);
        const kept = [...bodies.keys()].reduce((sum, one) => sum + (cache.get(one)?.length ?? 0), 0);
        expect(kept).toBeLessThanOrEqual(bytesMax);
      }
    }),
  );
});

test.each([16, 256, 1000])('of many bodies of %i bytes, put in order of id, the newest are there', (bytes) => {
  const bytesMax = 64 * 1024;
  const cache = new BodyCache(bytesMax);
  for (let id = 1; id <= 5000; id++) cache.put(id, new Uint8Array(bytes));
  const count = Math.floor(Math.min(bytesMax / bytes, bytesMax / 256));
  const found = Array.from({ length: count }, (_, i) => cache.get(5000 - i)).filter((body) => body !== undefined);
  expect(found.length).toBeGreaterThanOrEqual(count - 1);
});

test('what was handed out stays as it is, whatever is put later', () => {
  const cache = new BodyCache(4096);
  cache.put(1, new Uint8Array(100).fill(1));
  const body = cache.get(1);
  for (let id = 2; id <= 100; id++) cache.put(id, new Uint8Array(100).fill(id));
  expect([cache.get(1), body]).toEqual([undefined, new Uint8Array(100).fill(1)]);
});

test('what has no id is not there, before and after others were', () => {
  const cache = new BodyCache(4096);
  expect([cache.has(0), cache.get(0)]).toEqual([false, undefined]);
  cache.put(1, Uint8Array.of(1));
  cache.drop(1);
  expect([cache.has(0), cache.get(0), cache.has(1)]).toEqual([false, undefined, false]);
});
