import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Breakable, Breaker } from './hall-breaker.ts';
import type { Outage } from './hall-outages.ts';

const events: string[] = [];
const failures: string[] = [];
const thing = (name: string, more: Partial<Breakable> = {}): Breakable => ({
  name,
  break: async () => 'broken',
  mend: async () => '',
  ...more,
});
const breaker = (breakables: Record<string, Breakable[]>) =>
  new Breaker({ breakables, onEvent: (text) => events.push(text), onFailure: (text) => failures.push(text) });
const outage = (target: Outage['target'], atMs: number, index = 0): Outage => ({ target, index, atMs, lastsMs: 1500 });

beforeEach(() => {
  vi.useFakeTimers();
  events.length = 0;
  failures.length = 0;
});
afterEach(() => {
  vi.useRealTimers();
});

test('breaks at its time and mends after its time', async () => {
  const run = breaker({ cable: [thing('cable-1'), thing('cable-2', { mend: async () => '/dev/pts/9' })] });
  run.begin([outage('cable', 1000, 1)]);
  await vi.advanceTimersByTimeAsync(999);
  expect(run.count).toBe(0);
  await vi.advanceTimersByTimeAsync(1);
  expect([run.count, ...run.out]).toEqual([1, 'cable-2']);
  await vi.advanceTimersByTimeAsync(1500);
  expect(events).toEqual(['cable-2: out for 1.5 s', 'cable-2: back, /dev/pts/9']);
  expect([run.count, run.out.size]).toEqual([1, 0]);
});

test('what was down anyway, or is not there, is not counted', async () => {
  const run = breaker({ gateway: [thing('gateway', { break: async () => 'was down' })] });
  run.begin([outage('gateway', 10), outage('broker', 20)]);
  await vi.advanceTimersByTimeAsync(5000);
  expect([run.count, events, failures]).toEqual([0, [], []]);
});

test('the end cancels what has not begun and waits for what is out', async () => {
  const run = breaker({ broker: [thing('broker')], central: [thing('central')] });
  run.begin([outage('broker', 100), outage('central', 200)]);
  await vi.advanceTimersByTimeAsync(150);
  const seen: string[] = [];
  run.end().then(() => seen.push('ended'));
  await vi.advanceTimersByTimeAsync(1400);
  expect(seen).toEqual([]);
  await vi.advanceTimersByTimeAsync(100);
  expect(seen).toEqual(['ended']);
  expect(run.count).toBe(1);
});

test('what cannot be mended is told and nothing is thrown', async () => {
  const run = breaker({ cable: [thing('cable-1', { mend: () => Promise.reject(new Error('no terminal')) })] });
  run.begin([outage('cable', 1)]);
  await vi.advanceTimersByTimeAsync(2000);
  expect(failures).toEqual(['cable-1: Error: no terminal']);
  expect(run.out.size).toBe(0);
});
