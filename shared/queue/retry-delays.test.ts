import { expect, test } from 'vitest';
import { QUEUE_DEFAULTS } from './queue-options.ts';
import { chanceOf, retryDelayMs } from './retry-delays.ts';

/** In seconds, after 1, 2, 3 … failed deliveries. */
function series(options: { retryMs: number; retryFactor: number; retryMsMax?: number }, count: number): number[] {
  const whole = { ...QUEUE_DEFAULTS, ...options };
  return Array.from({ length: count }, (_, i) => retryDelayMs(whole, i + 1, 0.5) / 1000);
}

test.each<[string, { retryMs: number; retryFactor: number; retryMsMax?: number }, number[]]>([
  ['5 s, doubled', { retryMs: 5_000, retryFactor: 2 }, [0, 5, 10, 20, 40, 80, 160, 320, 640, 1280]],
  ['3 s, tripled', { retryMs: 3_000, retryFactor: 3 }, [0, 3, 9, 27, 81, 243, 729]],
  ['always the same', { retryMs: 7_000, retryFactor: 1 }, [0, 7, 7, 7, 7]],
  ['never above the longest', { retryMs: 5_000, retryFactor: 2, retryMsMax: 15_000 }, [0, 5, 10, 15, 15]],
  ['an hour, unless said', { retryMs: 1_800_000, retryFactor: 10 }, [0, 1800, 3600, 3600]],
  ['none', { retryMs: 0, retryFactor: 2 }, [0, 0, 0]],
])('waits after failed deliveries: %s', (_name, options, seconds) => {
  expect(series(options, seconds.length)).toEqual(seconds);
});

test('a count that cannot rise any more still gives a wait', () => {
  const options = { ...QUEUE_DEFAULTS, retryMs: 5_000 };
  expect(retryDelayMs(options, 65_535, 0.5)).toBe(options.retryMsMax);
});

test('jitter of 10 % keeps every wait between 90 and 110 % of it, and reaches both ends', () => {
  const options = { ...QUEUE_DEFAULTS, retryMs: 5_000, retryMsMax: 20_000, retryJitterPercent: 10 };
  for (const [failed, ms] of [
    [1, 0],
    [2, 5_000],
    [3, 10_000],
    [6, 20_000],
  ] as const) {
    const waits = [0, 0.25, 0.5, 0.75, 1 - 2 ** -32].map((chance) => retryDelayMs(options, failed, chance));
    expect(waits).toEqual([0.9, 0.95, 1, 1.05, 1.1].map((part) => Math.round(part * ms)));
  }
});

test('chance is a number from 0 to below 1, wherever its bytes lie', () => {
  const of = (...bytes: number[]) => chanceOf({ bytes: () => new Uint8Array([9, ...bytes]).subarray(1) });
  expect(of(0, 0, 0, 0)).toBe(0);
  expect(of(0, 0, 0, 128)).toBe(0.5);
  expect(of(255, 255, 255, 255)).toBe(1 - 2 ** -32);
});
