import { describe, expect, test } from 'vitest';
import { fitsPattern, isNamePattern } from './name-pattern.ts';

describe('a pattern fits', () => {
  test.each<[string, string, boolean]>([
    ['*', 'anything', true],
    ['central', 'central', true],
    ['central', 'central-2', false],
    ['site-*', 'site-1', true],
    ['site-*', 'site-', true],
    ['site-*', 'a-site-1', false],
    ['*-north', 'hall-north', true],
    ['*-north', 'north', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-c-b', false],
    ['*b*b*', 'b', false],
    ['*b*b*', 'bb', true],
    ['ab*ba', 'aba', false],
  ])('%s: %s %s', (pattern, name, fits) => expect(fitsPattern(pattern, name)).toBe(fits));
});

test.each<[string, boolean]>([
  ['*', true],
  ['site-*', true],
  ['**', true],
  ['', false],
  ['Site', false],
  ['a/b', false],
  ['a?', false],
  ['x'.repeat(64), false],
  ['*a*a*a*a*a*a*a*a*', false],
])('%s is a pattern: %s', (text, is) => expect(isNamePattern(text)).toBe(is));
