/** What every implementation of the Random port promises. */
import { describe, expect, test } from 'vitest';
import { toHex } from '../shared/bytes.ts';
import type { Random } from '../shared/ports.ts';

/** Chance of a wrong failure in what follows is below one in 10^12 each time. */
export function randomContract(name: string, make: () => Random): void {
  describe(`Random contract: ${name}`, () => {
    test.each([0, 1, 7, 8, 16, 65_536, 100_000])('gives the %i bytes that were asked for', (count) => {
      const bytes = make().bytes(count);
      expect(bytes.length).toBe(count);
      // The core is given plain arrays: a Buffer's `slice` shares, and its constructor name differs.
      expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype);
    });

    test('each draw is another one', () => {
      const random = make();
      const draws = Array.from({ length: 10_000 }, () => toHex(random.bytes(16)));
      expect(new Set(draws).size).toBe(draws.length);
    });

    test('what was given belongs to who asked: it shares no memory with another draw', () => {
      const random = make();
      const first = random.bytes(16);
      const kept = first.slice();
      const second = random.bytes(16);
      second.fill(0);
      new Uint8Array(second.buffer).fill(0);
      expect(first).toEqual(kept);
    });

    test('every value of a byte comes, about equally often', () => {
      const counts = new Array<number>(256).fill(0);
      for (const byte of make().bytes(256 * 1_000)) counts[byte] = (counts[byte] ?? 0) + 1;
      // 1,000 expected with a deviation of 31.6: eight of those.
      expect(Math.min(...counts)).toBeGreaterThan(747);
      expect(Math.max(...counts)).toBeLessThan(1_253);
    });
  });
}
