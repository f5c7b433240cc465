import { describe, expect, test } from 'vitest';
import { lineProfile } from './line-profile.ts';
import { Pacing, SOCKET_UNSENT_BYTES_MAX } from './pacing.ts';

describe('a serial line', () => {
  test.each([[1_200], [9_600], [115_200], [921_600], [4_000_000]])(
    'is never given more than a packet or 15 ms ahead, and never rests for it (baud %s)',
    (baud) => {
      const profile = lineProfile(baud);
      const pacing = new Pacing(profile);
      const packetMs = profile.packetBytesSent * profile.byteMs;
      let freeAtMs = 0;
      let restedMs = 0;
      let aheadMs = 0;
      for (let nowMs = 0; nowMs < 2_000; nowMs += 0.25) {
        while (pacing.mayWrite(nowMs)) {
          restedMs += nowMs - Math.max(freeAtMs, 0) > 0 ? nowMs - freeAtMs : 0;
          freeAtMs = pacing.wrote(profile.packetBytesSent, nowMs);
        }
        aheadMs = Math.max(aheadMs, freeAtMs - nowMs);
      }
      expect(aheadMs).toBeLessThanOrEqual(Math.max(packetMs + 2, 15) + 0.01);
      expect(restedMs).toBe(0);
    },
  );

  test('says when it may be written to again, to the bit', () => {
    const pacing = new Pacing(lineProfile(9_600));
    pacing.wrote(96, 1_000);
    expect(pacing.mayWrite(1_050)).toBe(false);
    const atMs = pacing.mayWriteAtMs ?? 0;
    expect(atMs).toBeCloseTo(1_098);
    expect(pacing.mayWrite(atMs)).toBe(true);
  });

  test('that does not take its bytes gets no more, however late it is', () => {
    const pacing = new Pacing(lineProfile(9_600));
    pacing.wrote(64, 0);
    pacing.unsent(200);
    expect(pacing.mayWrite(10_000)).toBe(false);
    expect(pacing.mayWriteAtMs).toBeUndefined();
    pacing.unsent(0);
    expect(pacing.mayWrite(10_000)).toBe(true);
  });
});

describe('a socket', () => {
  test('gets no more while it holds 256 KiB', () => {
    const pacing = new Pacing(lineProfile(undefined));
    for (let i = 0; i < 1_000 && pacing.mayWrite(0); i++) expect(pacing.wrote(16_384, 5)).toBe(5);
    pacing.unsent(SOCKET_UNSENT_BYTES_MAX);
    expect(pacing.mayWrite(1e9)).toBe(false);
    expect(pacing.mayWriteAtMs).toBeUndefined();
    pacing.unsent(1_000);
    expect(pacing.mayWrite(0)).toBe(true);
  });

  test('counts what it was given before it says what it holds', () => {
    const pacing = new Pacing(lineProfile(undefined));
    let bytes = 0;
    while (pacing.mayWrite(0)) {
      pacing.wrote(16_384, 0);
      bytes += 16_384;
    }
    expect(bytes).toBe(SOCKET_UNSENT_BYTES_MAX);
  });
});
