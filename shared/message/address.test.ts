import { describe, expect, test } from 'vitest';
import { isName, isQueueName, parseAddress } from './address.ts';

describe('names', () => {
  test.each(['a', '0', 'bags', 'belt-1', 'a_b', 'a'.repeat(63)])('%s is one', (name) => expect(isName(name)).toBe(true));
  test.each(['', 'A', '-a', '_a', 'a.b', 'a b', 'ä', 'a/b', 'a\n', '$dead', 'a'.repeat(64)])('%j is none', (name) => {
    expect(isName(name)).toBe(false);
  });
  test('system queues are queues, other names with a dollar are not', () => {
    expect(['$dead', '$journal', '$admin', '$other'].map(isQueueName)).toEqual([true, true, true, false]);
  });
});

describe('addresses', () => {
  test('a queue alone is one of this node', () => expect(parseAddress('bags', 'me')).toEqual({ node: 'me', queue: 'bags' }));
  test('a node and a queue', () => expect(parseAddress('central/bags', 'me')).toEqual({ node: 'central', queue: 'bags' }));
  test.each(['', '/', 'a/', '/a', 'a/b/c', 'A/b', 'a/B', '$dead/a', 'a/../b'])('%j is refused with its reason', (text) => {
    expect(() => parseAddress(text, 'me')).toThrow('NAME_INVALID');
  });
});
