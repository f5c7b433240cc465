import { expect, test } from 'vitest';
import { filterProblem, topicMatches } from './topic-filter.ts';

test.each<[string, string, boolean]>([
  ['a/b', 'a/b', true],
  ['a/b', 'a/b/c', false],
  ['a/b/c', 'a/b', false],
  ['a/+', 'a/b', true],
  ['a/+', 'a', false],
  ['a/+', 'a/b/c', false],
  ['+/b', 'a/b', true],
  ['a/#', 'a/b/c', true],
  ['a/#', 'a', true], // [MQTT-4.7.1-2]: `#` is the parent too
  ['#', 'a/b', true],
  ['a/+/c', 'a//c', true],
  ['#', '$SYS/a', false], // [MQTT-4.7.2-1]
  ['+/a', '$SYS/a', false],
  ['$SYS/+', '$SYS/a', true],
])('filter %s, topic %s: %s', (filter, topic, matches) => {
  expect(topicMatches(filter, topic)).toBe(matches);
});

test.each(['a', '/', 'a/+/c', '+', '#', 'a/#', '+/+/#', 'Küche/Ofen'])('%s is a filter', (filter) => {
  expect(filterProblem(filter)).toBeUndefined();
});

test.each(['', 'a+', 'a/b#', '#/a', 'a/#/b', '$SYS/#', 'a\u0000', '\ud800', 'x'.repeat(251)])('%j is none', (filter) => {
  expect(filterProblem(filter)).toMatch(/./);
});
