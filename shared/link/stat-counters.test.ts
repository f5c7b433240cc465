import { expect, test } from 'vitest';
import { STAT_COUNTERS, statCounters, statText } from './stat-counters.ts';

test('counters go out in the order of the list, those nobody counted as 0', () => {
  expect(statCounters({ runsCorrupt: 3, packetsSent: 9, somethingElse: 5 })).toEqual([9, 0, 3, 0, 0, 0, 0]);
});

test.each([
  [[], ''],
  [[4, 3], 'packetsSent 4, packetsReceived 3'],
  [[1, 2, 3, 4, 5, 6, 7, 8, 9], STAT_COUNTERS.map((name, i) => `${name} ${i + 1}`).join(', ')],
])('what comes is shown by its name, whatever there is less or more (%j)', (counters, text) => {
  expect(statText(counters)).toBe(text);
});
