/** On a slow line an urgent message does not wait for the end of a lesser packet: what that buys, and what it costs. In virtual time. */
import { describe, expect, test } from 'vitest';
import { bodyOf, LARGE_RING_BYTES, LinkWorld } from '../hardware-sim/link-world.ts';
import { lineProfile } from '../shared/link/line-profile.ts';

const BAGS = 'gateway/bags';
/** A packet of its own at 115,200 baud, two parts of the same size at 9,600. */
const BULK_BYTES = 228;

/** A line full of messages of priority 1, with streams of some others open. */
function busy(baud: number, lineDelayMs = 0): LinkWorld {
  const w = new LinkWorld({ seed: 1, baud, delayMs: lineDelayMs, ringBytes: LARGE_RING_BYTES });
  w.start();
  for (const priority of [0, 1, 5, 6, 7]) w.device.send(BAGS, bodyOf(priority, 10), priority);
  w.until(() => w.gateway.count('bags') === 5 && w.device.outgoingCount === 0, 20_000);
  for (let i = 0; i < 450; i++) w.device.send(BAGS, bodyOf(100 + i, BULK_BYTES), 1);
  w.run(2_000);
  return w;
}
const stored = (w: LinkWorld, priority: number): number => w.gateway.parts.store.queues.get('bags').ready[priority]?.count ?? 0;

/** From `send` until it is stored there, of messages at moments that fall all over the packets before them. */
function waits(w: LinkWorld, priority: number, count = 36): { meanMs: number; mostMs: number } {
  const ms: number[] = [];
  for (let i = 0; i < count; i++) {
    w.run(400 + 37.3 * i);
    const startMs = w.world.nowMs;
    const before = stored(w, priority);
    w.device.send(BAGS, bodyOf(1_000 + i, 10), priority);
    w.until(() => stored(w, priority) > before, 5_000);
    ms.push(w.world.nowMs - startMs);
  }
  return { meanMs: ms.reduce((a, b) => a + b) / ms.length, mostMs: Math.max(...ms) };
}

/** Of the same message on the same line when nothing else is on it. */
function alone(baud: number): number {
  const w = new LinkWorld({ seed: 1, baud, ringBytes: LARGE_RING_BYTES });
  w.start();
  w.device.send(BAGS, bodyOf(6, 10), 6);
  w.until(() => stored(w, 6) === 1 && w.device.outgoingCount === 0, 20_000);
  w.run(500);
  return waits(w, 6, 5).mostMs;
}

describe.each([[9_600], [19_200]])('behind bulk at %i baud', (baud) => {
  const packetMs = (BULK_BYTES / 2 + 14) * lineProfile(baud).byteMs;

  test('an urgent message waits for 8 ms of the packet before it, others for all of it', () => {
    const ownMs = alone(baud);
    const [urgent, other] = [busy(baud), busy(baud)];
    const cut = waits(urgent, 6);
    const whole = waits(other, 5);
    // What ends soon is not cut off; a sent message is on the disk a millisecond later.
    expect(cut.mostMs - ownMs).toBeLessThan(2 * 8 + 3);
    expect(cut.meanMs - ownMs).toBeLessThan(8 + 3);
    expect(whole.mostMs - ownMs).toBeGreaterThan(0.8 * packetMs);
    expect(whole.meanMs - ownMs).toBeGreaterThan(0.35 * packetMs);
    expect(urgent.device.link.counters().packetsCut).toBeGreaterThan(10);
    expect(other.device.link.counters().packetsCut).toBe(0);
  });

  test('what was cut short is found missing, sent again at once, and nothing is lost, doubled or out of order', () => {
    const w = busy(baud, 5);
    waits(w, 7);
    w.until(() => w.isDelivered(), 600_000);
    w.check();
    const { packetsCut = 0, ...device } = w.device.link.counters();
    expect(packetsCut).toBeGreaterThan(10);
    // The sender knows before the ACK says so: not a loss of the line, which would make its packets smaller.
    expect(device).toMatchObject({ packetsLost: 0, probes: 0, repeated: packetsCut, sessions: 1 });
    const { runsCorrupt = 0, runsMalformed = 0 } = w.gateway.link.counters();
    expect(runsCorrupt + runsMalformed).toBe(packetsCut);
    expect(w.tap.of('ack', 'gateway').some(({ packet }) => packet.bitmap.length > 0)).toBe(true);
  });

  test('urgent messages without end cost the others less than half of what is left, and never all of it', () => {
    const w = busy(baud);
    const startMs = w.world.nowMs;
    const before = stored(w, 1);
    for (let i = 0; w.world.nowMs < startMs + 30_000; i++) {
      w.device.send(BAGS, bodyOf(i, 10), 7);
      w.run(1.3 * packetMs);
    }
    const seconds = (w.world.nowMs - startMs) / 1_000;
    const urgentShare = (stored(w, 7) * 90) / seconds / (baud / 10);
    const bulkShare = ((stored(w, 1) - before) * BULK_BYTES) / seconds / (baud / 10);
    expect(stored(w, 7)).toBeGreaterThan(30_000 / (1.3 * packetMs) - 3);
    expect(bulkShare).toBeGreaterThan(0.4 * (1 - urgentShare) * 0.7);
  });
});

test('what is left of a message of text is not taken for words on the console', () => {
  const w = busy(9_600);
  const words = 'the quick brown fox jumps over the lazy dog and goes on for a while; '.repeat(20);
  for (let i = 0; i < 40; i++)
    w.device.send(
      BAGS,
      Uint8Array.from(words, (character) => character.charCodeAt(0)),
      2,
    );
  waits(w, 6, 30);
  expect(w.device.link.counters().packetsCut).toBeGreaterThan(10);
  expect(w.gateway.console).toEqual([]);
});

test('a packet that got its turn because it was passed over is not cut short', () => {
  const w = busy(9_600);
  for (let i = 0; i < 400; i++) w.device.send(BAGS, bodyOf(i, 60), 6);
  w.run(30_000);
  expect(stored(w, 6)).toBeGreaterThan(100);
  expect(w.device.link.counters().packetsCut).toBeLessThanOrEqual(1);
});

test('at 115,200 baud, too, an urgent message waits less than others', () => {
  const ownMs = alone(115_200);
  const urgent = busy(115_200);
  const cut = waits(urgent, 7);
  expect(cut.mostMs - ownMs).toBeLessThan(2 * 8);
  expect(cut.mostMs).toBeLessThan(waits(busy(115_200), 5).mostMs);
  expect(urgent.device.link.counters().packetsCut).toBeGreaterThan(3);
});

test('at 921,600 baud nothing is cut short: a packet takes 11 ms', () => {
  const w = busy(921_600);
  waits(w, 7);
  expect(w.device.link.counters().packetsCut).toBe(0);
  expect(w.tap.cut).toEqual({ device: 0, gateway: 0 });
});
