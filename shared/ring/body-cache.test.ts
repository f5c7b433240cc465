import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BodyCache } from './body-cache.ts';

test('what was put last is there, nothing is there that was dropped, and all of it together stays below the bound', () => {
  const step = fc.record({
    what: fc.constantFrom('put', 'get', 'drop'),
    id: fc.integer({ min: 1, max: 30 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), fc.integer({ min: 0, max: 400 }), (script, bytesMax) => {
      const cache = new BodyCache(bytesMax);
      const bodies = new Map<number, Uint8Array>();
      const newest = new Map<number, Uint8Array>();
      for (const { what, id } of script) {
        if (what === 'put') {
          const body = bodies.get(id) ?? new Uint8Array(7 * (id % 9));
          bodies.set(id, body);
          cache.put(id, body);
          newest.set(id, body);
          expect(cache.get(id)).toBe(body.length <= Math.floor(bytesMax / 2) ? body : undefined);
        } else if (what === 'drop') {
          cache.drop(id);
          newest.delete(id);
        }
        const found = cache.get(id);
        if (found !== undefined) expect(found).toBe(newest.get(id));
      }
      const kept = [...newest.keys()].reduce((sum, id) => sum + (cache.get(id)?.length ?? 0), 0);
      expect(kept).toBeLessThanOrEqual(bytesMax);
    }),
  );
});

test('what is asked for again and again stays, whatever passes by', () => {
  const cache = new BodyCache(1000);
  const kept = new Uint8Array(100);
  cache.put(1, kept);
  for (let id = 2; id < 500; id++) {
    cache.put(id, new Uint8Array(100));
    expect(cache.get(1)).toBe(kept);
  }
});
