import { describe, expect, test } from 'vitest';
import { Deframer } from './deframer.ts';
import { lineProfile } from './line-profile.ts';
import { CUT_MS_MIN, LineWriter } from './line-writer.ts';
import { decodePacket, type SealedPacket } from './packets.ts';

const SID = 77;
/** Takes `bytes` on the line, delimiters and all. */
function dataOf(pn: number, bytes: number): SealedPacket {
  const content = { kind: 'whole' as const, payload: new Uint8Array(bytes - 11).fill(7) };
  return { kind: 'data', handle: 0, pn, numberLow: 1, acknowledge: 'later', content };
}

/** What a line that takes its time has been given, and when. */
function play(
  writer: LineWriter,
  untilMs: number,
  at: (nowMs: number) => void = () => {},
): { atMs: number; bytes: Uint8Array }[] {
  const given: { atMs: number; bytes: Uint8Array }[] = [];
  for (let nowMs = 0; nowMs <= untilMs; nowMs += 0.5) {
    at(nowMs);
    writer.goOn(nowMs);
    const bytes = writer.take();
    if (bytes !== undefined) given.push({ atMs: nowMs, bytes });
  }
  return given;
}

/** The packet numbers of what can be read in it, and how many frames cannot. */
function read(given: readonly { bytes: Uint8Array }[]): { pns: number[]; cut: number } {
  const deframer = new Deframer(1_024);
  const pns: number[] = [];
  let cut = 0;
  for (const { bytes } of given) {
    for (const event of deframer.push(bytes)) {
      const packet = event.kind === 'frame' ? decodePacket(event.bytes, SID) : undefined;
      if (packet?.kind === 'data') pns.push(packet.pn);
      else cut += 1;
    }
  }
  return { pns, cut };
}

describe('in pieces', () => {
  test('a packet arrives whole, the line never rests, and never holds more than 15 ms of it', () => {
    const { byteMs } = lineProfile(9_600);
    const writer = new LineWriter(lineProfile(9_600));
    let sentAtMs = 0;
    const given = play(writer, 300, (nowMs) => {
      if (nowMs === 0) ({ sentAtMs } = writer.write(dataOf(5, 112), { sealId: SID, nowMs, handing: 'in-pieces' }));
    });
    expect(read(given)).toEqual({ pns: [5], cut: 0 });
    expect(given.length).toBeGreaterThan(8);
    let freeAtMs = 0;
    for (const { atMs, bytes } of given) {
      expect(atMs).toBeLessThanOrEqual(freeAtMs);
      freeAtMs += bytes.length * byteMs;
      expect(freeAtMs - atMs).toBeLessThanOrEqual(8.01);
    }
    expect(freeAtMs).toBeCloseTo(112 * byteMs);
    expect(sentAtMs).toBeCloseTo(freeAtMs);
    expect(writer.counters).toEqual({ packetsSent: 1, bytesSent: 112 });
  });

  test('no other packet before its end; then at once', () => {
    const writer = new LineWriter(lineProfile(9_600));
    writer.write(dataOf(0, 112), { sealId: SID, nowMs: 0, handing: 'in-pieces' });
    const free: number[] = [];
    play(writer, 130, (nowMs) => {
      if (writer.mayWrite(nowMs)) free.push(nowMs);
    });
    expect(free[0]).toBeGreaterThan(110);
    expect(free[0]).toBeLessThanOrEqual(116.7);
  });

  test('cut: what was not handed over is never sent, the next packet is read all the same', () => {
    const writer = new LineWriter(lineProfile(9_600));
    const given = play(writer, 300, (nowMs) => {
      if (nowMs === 0) writer.write(dataOf(0, 112), { sealId: SID, nowMs, handing: 'in-pieces' });
      if (nowMs !== 30) return;
      expect(writer.isCuttable).toBe(true);
      writer.cut();
      expect(writer.isCuttable).toBe(false);
      writer.write(dataOf(1, 40), { sealId: SID, nowMs });
    });
    expect(read(given)).toEqual({ pns: [1], cut: 1 });
    expect(writer.counters.bytesSent).toBeLessThan(112 / 2 + 40);
  });

  test('not worth a cut when little is left', () => {
    const { byteMs } = lineProfile(9_600);
    const writer = new LineWriter(lineProfile(9_600));
    writer.write(dataOf(0, 112), { sealId: SID, nowMs: 0, handing: 'in-pieces' });
    let cuttableToMs = 0;
    const given = play(writer, 130, (nowMs) => {
      if (writer.isCuttable) cuttableToMs = nowMs;
    });
    expect(112 * byteMs - cuttableToMs).toBeGreaterThan(CUT_MS_MIN);
    expect(cuttableToMs).toBeGreaterThan(75);
    expect(read(given)).toEqual({ pns: [0], cut: 0 });
  });

  test('a line that takes nothing gets no more', () => {
    const writer = new LineWriter(lineProfile(9_600));
    writer.write(dataOf(0, 112), { sealId: SID, nowMs: 0, handing: 'in-pieces' });
    writer.unsent(4_000);
    expect(writer.mayWriteAtMs).toBeUndefined();
    const before = play(writer, 1_000);
    expect(before).toHaveLength(1);
    writer.unsent(0);
    expect(read([...before, ...play(writer, 1_000)])).toEqual({ pns: [0], cut: 0 });
  });
});

test.each([
  [9_600, 'whole'],
  [921_600, 'in-pieces'],
  [undefined, 'in-pieces'],
] as const)('at once: at %s baud, asked for %s', (baud, handing) => {
  const writer = new LineWriter(lineProfile(baud));
  writer.write(dataOf(3, 90), { sealId: SID, nowMs: 0, handing });
  expect(writer.isCuttable).toBe(false);
  expect(writer.take()).toHaveLength(90);
});
