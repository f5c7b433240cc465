import { expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { lineProfile } from './line-profile.ts';
import { PacketSize } from './packet-size.ts';

/** Around a payload. */
const AROUND_BYTES = 12;

/** The payload that a sender with many bytes to say would send. */
const payloadOf = (size: PacketSize): number => Math.round(Math.min(size.bytesMax, size.bestPayload));

/** Where that settles on a line with this probability that a bit is bad. */
function settle(size: PacketSize, bitErrorRate: number, packets = 4_000): number {
  const chance = stream(1, 'noise');
  for (let i = 0; i < packets; i++) {
    const bytes = payloadOf(size) + AROUND_BYTES;
    size.saw(chance.chance(1 - (1 - bitErrorRate) ** (8 * bytes)) ? 'lost' : 'arrived', bytes);
  }
  return payloadOf(size);
}

test.each([
  [0, 1_040, 1_040],
  [1e-6, 900, 1_040],
  [1e-5, 250, 550],
  [1e-4, 95, 160],
  [1e-3, 48, 55],
])('with %s bad bits in one, payloads of between %i and %i bytes are best at 921,600 baud', (rate, least, most) => {
  const bytes = settle(new PacketSize(lineProfile(921_600)), rate);
  expect(bytes).toBeGreaterThanOrEqual(least);
  expect(bytes).toBeLessThanOrEqual(most);
});

test('a line that lets nothing large through is found out after a few packets', () => {
  const size = new PacketSize(lineProfile(921_600));
  let count = 0;
  while (payloadOf(size) > 100) {
    size.saw('lost', payloadOf(size));
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

/** Errors a byte where so much payload is best. */
const errorsAt = (payload: number): number => AROUND_BYTES / (payload * (payload + AROUND_BYTES));

/** Of a line about as bad as that. */
function settled(bestPayload: number): PacketSize {
  const size = new PacketSize(lineProfile(921_600));
  const errors = errorsAt(bestPayload);
  // Of 64 packets of these bytes one is lost.
  const bytes = Math.round(-Math.log(1 - 1 / 64) / errors);
  for (let i = 0; i < 64 * 40; i++) size.saw(i % 64 === 0 ? 'lost' : 'arrived', bytes);
  expect(size.bestPayload / bestPayload).toBeCloseTo(1, 1);
  return size;
}

/** Bytes that arrive for each that crosses the line. */
const worth = (payload: number, errors: number): number => {
  const bytes = payload + AROUND_BYTES;
  return (payload / bytes) * (1 - errors) ** bytes;
};

test.each([60, 122, 400])('where %i bytes are best: what is chosen is within a thousandth of the better choice', (best) => {
  const size = settled(best);
  const errors = errorsAt(size.bestPayload);
  const worst = { growing: 1, parting: 1 };
  for (let bytes = 1; bytes <= 1_024; bytes++) {
    for (const more of [1, 32, 128]) {
      const [now, then] = [worth(bytes, errors), worth(bytes + more, errors)];
      const chosen = size.mayGrow(bytes, bytes + more) ? then : now;
      worst.growing = Math.min(worst.growing, chosen / Math.max(now, then));
    }
    const inParts = (count: number) => worth(bytes / count, errors);
    const most = Math.max(...Array.from({ length: 24 }, (_, i) => inParts(i + 1)));
    worst.parting = Math.min(worst.parting, inParts(size.partCount(bytes, 1_024)) / most);
  }
  expect(worst.growing).toBeGreaterThan(0.999);
  expect(worst.parting).toBeGreaterThan(0.999);
});

test('parts: as few as there is room for where nothing is lost; a message that is best as it is stays whole', () => {
  const calm = new PacketSize(lineProfile(921_600));
  expect([1, 1_000, 1_001, 2_001].map((bytes) => calm.partCount(bytes, 1_000))).toEqual([1, 1, 2, 3]);
  const noisy = settled(122);
  // Some two fifths more than the best, and no further: from there on halves are better.
  expect([130, 165, 180, 1_027].map((bytes) => noisy.partCount(bytes, 1_000))).toEqual([1, 1, 2, 9]);
  expect(noisy.partCount(1_027, 100)).toBe(11);
});
