import { expect, test } from 'vitest';
import { KEPT_STREAM_BYTES_MAX } from './kept-items.ts';
import { lineProfile } from './line-profile.ts';
import { PACKET_BYTES_LIMIT, PACKET_BYTES_MIN, WINDOW_MAX } from './packet-layout.ts';

test.each([
  [50, 64, 25],
  [2_400, 64, 25],
  [9_600, 160, 25],
  [19_200, 160, 5],
  [38_400, 92, 5],
  [115_200, 246, 5],
  [230_400, 476, 5],
  [512_000, 1_040, 5],
  [4_000_000, 1_040, 5],
  [undefined, 16_384, 5],
])('at %s baud: packets of %i bytes, acknowledged within %i ms', (baud, packetBytes, ackDelayMs) => {
  expect(lineProfile(baud)).toMatchObject({ packetBytesSent: packetBytes, ackDelayMs });
});

test('limits agree: what one side sends the other takes, and the format allows', () => {
  for (const baud of [50, 9_600, 115_200, 4_000_000, undefined]) {
    const { packetBytesSent, packetBytesTaken, window } = lineProfile(baud);
    expect(packetBytesTaken).toBeGreaterThanOrEqual(Math.max(PACKET_BYTES_MIN, packetBytesSent));
    expect(packetBytesTaken).toBeLessThanOrEqual(PACKET_BYTES_LIMIT);
    expect(window).toBeLessThanOrEqual(WINDOW_MAX);
    // What a serial line has under way behind a loss can be kept; a socket loses nothing.
    if (baud !== undefined) expect(window * (packetBytesSent + 128)).toBeLessThanOrEqual(KEPT_STREAM_BYTES_MAX);
  }
});

test.each([
  [50, 'in-pieces'],
  [19_200, 'in-pieces'],
  [38_400, 'in-pieces'],
  [115_200, 'in-pieces'],
  [921_600, 'whole'],
  [undefined, 'whole'],
])('at %s baud a packet that may be cut short is handed over %s', (baud, handing) => {
  expect(lineProfile(baud)).toMatchObject({ handing });
});
