import { expect, test } from 'vitest';
import { topicMatches } from './topic-filter.ts';

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
])('filter %s, topic %s: %s', (filter, topic, matches) => {
  expect(topicMatches(filter, topic)).toBe(matches);
});
