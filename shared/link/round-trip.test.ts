import { describe, expect, test } from 'vitest';
import { lineProfile } from './line-profile.ts';
import { RoundTrip } from './round-trip.ts';

describe('a probe is due', () => {
  test.each([[undefined], [9_600], [115_200], [921_600]])(
    'only after a packet and its ACK had time to cross (baud %s)',
    (baud) => {
      const profile = lineProfile(baud);
      const trip = new RoundTrip(profile, profile.ackDelayMs);
      const crossingMs = (profile.packetBytesSent + 14) * profile.byteMs + profile.ackDelayMs;
      expect(trip.probeMs).toBeGreaterThan(crossingMs);
      for (let i = 0; i < 100; i++) trip.measured(crossingMs, profile.ackDelayMs);
      expect(trip.probeMs).toBeGreaterThan(crossingMs);
      expect(trip.probeMs).toBeLessThan(10 * crossingMs + 250);
    },
  );

  test('twice as late each time in vain, but never later than a line needs to be found dead; a word makes it early again', () => {
    const trip = new RoundTrip(lineProfile(115_200), 5);
    for (let i = 0; i < 50; i++) trip.measured(20, 0);
    const firstMs = trip.probeMs;
    trip.doubled();
    expect(trip.probeMs).toBe(2 * firstMs);
    for (let i = 0; i < 30; i++) trip.doubled();
    expect(trip.probeMs).toBe(2_000);
    trip.measured(20, 0);
    expect(trip.probeMs).toBeLessThanOrEqual(firstMs);
  });
});

test('what the other side waited is not the line', () => {
  const trip = new RoundTrip(lineProfile(115_200), 25);
  for (let i = 0; i < 100; i++) trip.measured(30, 25);
  expect(trip.smoothMs).toBeCloseTo(5);
  trip.measured(3, 25);
  expect(trip.smoothMs).toBeGreaterThanOrEqual(0);
});
