import { expect, test } from 'vitest';
import { ReconnectWait } from './reconnect-wait.ts';

const all = 1;
const times = (count: number, of: () => number) => Array.from({ length: count }, of);

test('the bound doubles with each attempt in vain, up to 10 s', () => {
  const wait = new ReconnectWait(() => all);
  expect(times(8, () => wait.after(undefined))).toEqual([200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
});

test('full jitter: anything from nothing to the bound', () => {
  const chances = [0, 0.5, 0.25];
  const wait = new ReconnectWait(() => chances.shift() ?? all);
  expect(times(4, () => wait.after(undefined))).toEqual([0, 200, 200, 1_600]);
});

test('starts small only after a connection that lasted', () => {
  const wait = new ReconnectWait(() => all);
  expect(times(3, () => wait.after(10_000))).toEqual([200, 400, 800]);
  expect([wait.after(10_001), wait.after(5)]).toEqual([200, 400]);
});

test('starts small after an end that was wanted', () => {
  const wait = new ReconnectWait(() => all);
  times(3, () => wait.after(undefined));
  wait.reset();
  expect(wait.after(undefined)).toBe(200);
});
