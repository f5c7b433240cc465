import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Pages } from './pages.ts';

const BYTES = 3 * 4096 + 100;

test('is zeros, then what was set, across pages and up to the last byte', () => {
  const pages = new Pages(BYTES);
  expect(pages.slice()).toEqual(new Uint8Array(BYTES));
  const bytes = Uint8Array.from({ length: 4200 }, (_, i) => i);
  pages.set(bytes, BYTES - 4200);
  expect(pages.slice(BYTES - 4200)).toEqual(bytes);
  expect(pages.slice(BYTES - 4201, BYTES - 4199)).toEqual(Uint8Array.of(0, 0));
  expect(() => pages.set(bytes, BYTES - 4199)).toThrow('4200 bytes');
  expect(() => pages.read(-1, new Uint8Array(2))).toThrow('2 bytes at -1');
});

test('what is written to one of many copies shows in that one alone', () => {
  const action = fc.record({
    to: fc.nat(5),
    copied: fc.boolean(),
    offset: fc.nat(BYTES),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 6000 }),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 12 }), (actions) => {
      const first = Uint8Array.from({ length: BYTES }, (_, i) => i >> 5);
      const all = [{ pages: Pages.of(first), plain: first.slice() }];
      for (const { to, copied, offset, bytes } of actions) {
        const one = all[to % all.length];
        if (one === undefined) continue;
        if (copied) all.push({ pages: one.pages.copy(), plain: one.plain.slice() });
        const part = bytes.subarray(0, BYTES - offset);
        one.pages.set(part, offset);
        one.plain.set(part, offset);
      }
      for (const { pages, plain } of all) expect(Buffer.compare(pages.slice(), plain)).toBe(0);
    }),
  );
});
