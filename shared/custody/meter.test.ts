import { expect, test } from 'vitest';
import { Meter } from './meter.ts';

const meter = () => new Meter({ bytesPerSecond: 1_000, burstBytes: 5_000 });

test('begins full: a burst may go at once, and what exceeds it is waited for', () => {
  const one = meter();
  one.spend(5_000, 0);
  expect(one.isOpen(0)).toBe(true);
  one.spend(2_000, 0);
  expect([one.isOpen(1_999), one.isOpen(2_000)]).toEqual([false, true]);
  expect([one.opensAtMs, one.sentBytes]).toEqual([2_000, 7_000]);
});

test('a quiet time fills it, and never beyond a burst', () => {
  const one = meter();
  one.spend(5_000, 0);
  one.spend(5_000, 1_000_000);
  expect(one.isOpen(1_000_000)).toBe(true);
  one.spend(1, 1_000_000);
  expect(one.isOpen(1_000_000)).toBe(false);
});

test('what is larger than the burst goes, and is a debt', () => {
  const one = meter();
  one.spend(20_000, 0);
  expect([one.isOpen(14_999), one.isOpen(15_000)]).toEqual([false, true]);
});

test.each([7, 100, 1_000, 20_000])('who sends %i bytes whenever it is open has the rate in the long run', (bytes) => {
  const one = meter();
  let sent = 0;
  for (let nowMs = 0; nowMs < 600_000; nowMs += 1)
    while (one.isOpen(nowMs)) {
      one.spend(bytes, nowMs);
      sent += bytes;
    }
  expect(sent).toBeGreaterThanOrEqual(600_000);
  expect(sent).toBeLessThanOrEqual(600_000 + 5_000 + bytes);
});
