import { expect, test } from 'vitest';
import { SystemWallClock } from './wall-clock.ts';

const START_MS = 1_790_000_000_000;

/** A machine whose steady clock began some time ago; `setMs`: how much its date was set forward since. */
function machine(): { clock: SystemWallClock; pass: (ms: number) => number; set: (ms: number) => void } {
  let trueMs = START_MS + 0.7;
  let setMs = 0;
  const clock = new SystemWallClock(
    () => Math.floor(trueMs + setMs),
    () => trueMs - START_MS + 123.456,
  );
  return {
    clock,
    pass: (ms) => {
      trueMs += ms;
      return clock.nowUs() - 1_000 * (trueMs + setMs);
    },
    set: (ms) => {
      setMs += ms;
    },
  };
}

test('is right to a millisecond at once, and to much less after a while', () => {
  const { pass } = machine();
  expect(Math.abs(pass(0))).toBeLessThanOrEqual(1_000);
  let errorUs = 0;
  for (let i = 0; i < 500; i++) errorUs = pass(0.37);
  expect(Math.abs(errorUs)).toBeLessThan(20);
});

test('counts what lies between two milliseconds', () => {
  const { clock, pass } = machine();
  for (let i = 0; i < 100; i++) pass(0.37);
  const beforeUs = clock.nowUs();
  pass(0.25);
  expect(clock.nowUs() - beforeUs).toBeGreaterThanOrEqual(249);
  expect(clock.nowUs() - beforeUs).toBeLessThanOrEqual(251);
});

test.each([[3_600_000], [-3_600_000], [5], [-5]])('follows a date that is set by %i ms', (ms) => {
  const { pass, set } = machine();
  for (let i = 0; i < 100; i++) pass(0.37);
  set(ms);
  expect(Math.abs(pass(1))).toBeLessThanOrEqual(1_000);
});

test('shows the date of this machine', () => {
  const before = Date.now();
  const ms = new SystemWallClock().nowUs() / 1_000;
  expect(ms).toBeGreaterThanOrEqual(before - 1);
  expect(ms).toBeLessThanOrEqual(Date.now() + 1);
});
