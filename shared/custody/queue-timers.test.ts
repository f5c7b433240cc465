import { expect, test } from 'vitest';
import { NUMBER_MAX } from '../ring/superblock-layout.ts';
import { entryTimes } from './queue-timers.ts';

test.each<[string, object, number, number, number]>([
  ['no timers', {}, 0, 0, 0],
  ['expiry counts from now', { timeToBeReceivedMs: 500 }, 0, 1_500, 0],
  ['less the way here', { timeToBeReceivedMs: 500 }, 200, 1_300, 0],
  ['over already: at once, not never', { timeToBeReceivedMs: 500 }, 900, 1_000, 0],
  ['a delay counts from now', { deliverAfterMs: 500 }, 0, 0, 1_500],
  ['less the way here, for a delay too', { deliverAfterMs: 500 }, 200, 0, 1_300],
  ['a delay that is over is none', { deliverAfterMs: 500 }, 500, 0, 0],
  ['beyond what an entry can say: never', { timeToBeReceivedMs: Number.MAX_SAFE_INTEGER }, 0, 0, 0],
  ['and as late as it can say', { deliverAfterMs: Number.MAX_SAFE_INTEGER }, 0, 0, NUMBER_MAX],
])('%s', (_name, timers, elapsedMs, expiresAtMs, notBeforeMs) => {
  expect(entryTimes(timers, { elapsedMs, queueTimeMs: 1_000, queueMs: 0 })).toEqual({ expiresAtMs, notBeforeMs });
});

test.each<[string, object, number]>([
  ['a queue gives a time to what says none, from its arrival', {}, 1_250],
  ['what a message says stands', { timeToBeReceivedMs: 500 }, 1_400],
])('%s', (_name, timers, expiresAtMs) => {
  const times = entryTimes(timers, { elapsedMs: 100, queueTimeMs: 1_000, queueMs: 250 });
  expect(times).toEqual({ expiresAtMs, notBeforeMs: 0 });
});

test('in a ring that was just made, time 0 is not mistaken for never', () => {
  expect(entryTimes({ timeToBeReceivedMs: 0 }, { elapsedMs: 0, queueTimeMs: 0, queueMs: 0 })).toEqual({
    expiresAtMs: 1,
    notBeforeMs: 0,
  });
});
