import { expect, test } from 'vitest';
import { nearest } from './nearest.ts';

const KEYS = ['path', 'size', 'allowVolatile', 'commitDelayMs', 'partitions', 'protocol', 'port'];

test.each<[string, string]>([
  ['pth', 'path'],
  ['paht', 'path'],
  ['Path', 'path'],
  ['sizes', 'size'],
  ['commit_delay_ms', 'commitDelayMs'],
  ['commitDelay', 'commitDelayMs'],
  ['allow-volatile', 'allowVolatile'],
  ['partition', 'partitions'],
  ['prot', 'port'],
])('%s is a slip of %s', (name, known) => expect(nearest(name, KEYS)).toBe(known));

test.each(['', 'x', 'limit', 'volatility', '__proto__', 'p'.repeat(41), 'path'.repeat(1000)])('%s is near none', (name) => {
  expect(nearest(name, KEYS)).toBeUndefined();
});
