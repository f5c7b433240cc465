import { expect, test } from 'vitest';
import { LogValve } from './log-valve.ts';

test('a burst passes, then one a second, and what was held back is told', () => {
  const valve = new LogValve(10);
  const passed: string[] = [];
  for (let i = 0; i < 1_000; i++) {
    const text = valve.pass(`line ${i}`, 5_000 + i);
    if (text !== undefined) passed.push(text);
  }
  expect(passed).toEqual([...Array(10).keys()].map((i) => `line ${i}`));
  expect(valve.pass('later', 6_500)).toBe('later (990 lines before this one held back)');
  expect(valve.pass('again', 6_501)).toBeUndefined();
  expect(valve.pass('much later', 100_000)).toBe('much later (1 lines before this one held back)');
});
