import { expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { lineProfile } from './line-profile.ts';
import { PacketSize } from './packet-size.ts';

/** Where the size settles on a line with this probability that a bit is bad. */
function settle(size: PacketSize, bitErrorRate: number, packets = 2_000): number {
  const chance = stream(1, 'noise');
  for (let i = 0; i < packets; i++) {
    const isLost = chance.chance(1 - (1 - bitErrorRate) ** (10 * size.bytes));
    size.saw(isLost ? 'lost' : 'arrived', size.bytes);
  }
  return size.bytes;
}

test.each([
  [0, 1_040, 1_040],
  [1e-6, 900, 1_040],
  [1e-5, 250, 550],
  [1e-4, 90, 190],
  [1e-3, 64, 70],
])('with %s bad bits in one, packets are between %i and %i bytes at 921,600 baud', (rate, least, most) => {
  const bytes = settle(new PacketSize(lineProfile(921_600)), rate);
  expect(bytes).toBeGreaterThanOrEqual(least);
  expect(bytes).toBeLessThanOrEqual(most);
});

test('a line that lets nothing large through is found out after a few packets', () => {
  const size = new PacketSize(lineProfile(921_600));
  let count = 0;
  while (size.bytes > 100) {
    size.saw('lost', size.bytes);
    count += 1;
  }
  expect(count).toBeLessThanOrEqual(20);
});

test('grows again when the noise is over', () => {
  const size = new PacketSize(lineProfile(921_600));
  settle(size, 1e-3);
  expect(settle(size, 0)).toBe(1_040);
});

test('never exceeds what the other side takes, and a socket keeps its size', () => {
  const size = new PacketSize(lineProfile(921_600));
  size.limit(256);
  expect(settle(size, 0)).toBe(256);
  expect(settle(new PacketSize(lineProfile(undefined)), 1e-3)).toBe(16_384);
});
