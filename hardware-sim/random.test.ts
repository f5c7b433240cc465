import { expect, test } from 'vitest';
import { Prng, stream } from './random.ts';

/** First outputs after the twelve that are thrown away. */
test.each<[string, [number, number, number], number[]]>([
  ['a Go implementation', [0, 12345, 0], [235160590, 2967261163, 116171463, 2882324903, 362604721, 4227106926, 1933307004]],
  ['a Rust implementation', [0, 0, 0], [0x514676c3, 0x08a809df, 0x30349d2b, 0xfb52c520, 0x38802be1, 0x948279e6, 0xec4bf1d9]],
])('is the sfc32 of %s', (_name, [a, b, c], expected) => {
  const prng = new Prng(a, b, c, 1);
  for (let i = 0; i < 12; i++) prng.uint32();
  expect(expected.map(() => prng.uint32())).toEqual(expected);
});

test('a seed and a name give the same numbers on every machine, for ever', () => {
  const belt = stream('demo', 'belt-1');
  expect(Array.from({ length: 4 }, () => belt.uint32())).toEqual([3261635142, 3757640016, 3680051186, 2629003447]);
});

test('streams differ by seed, by kind of seed and by name', () => {
  const firsts = [stream(1, 'a'), stream(2, 'a'), stream('1', 'a'), stream(1, 'b'), stream(1, 'belt-1'), stream(1, 'belt-2')];
  expect(new Set(firsts.map((prng) => prng.uint32())).size).toBe(firsts.length);
});

test('numbers are in range and spread', () => {
  const prng = stream(7, 'spread');
  const counts = new Array<number>(10).fill(0);
  let sum = 0;
  for (let i = 0; i < 10_000; i++) {
    const value = prng.next();
    expect(value >= 0 && value < 1).toBe(true);
    sum += value;
    counts[prng.int(10)]! += 1;
  }
  expect(sum / 10_000).toBeCloseTo(0.5, 1);
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  expect(prng.bytes(1000).some((byte) => byte > 250)).toBe(true);
  expect(prng.chance(0)).toBe(false);
  expect(prng.chance(1)).toBe(true);
  expect(['a', 'b']).toContain(prng.pick(['a', 'b']));
});
