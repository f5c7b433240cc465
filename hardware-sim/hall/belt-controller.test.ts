import { expect, test } from 'vitest';
import { BeltAdapter } from '../../device/adapters/belt.ts';
import { encodeAck, encodeTelegram } from '../../device/adapters/stx-etx.ts';
import { crc32 } from '../../shared/crc32.ts';
import { stream } from '../random.ts';
import { Wire } from '../wire.ts';
import { BeltController, type BeltStep, GAP_MS, REPEAT_MS } from './belt-controller.ts';
import { telegramSource, uniqueKeyOf } from './telegrams.ts';

const letters = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

/** A controller that tells A, B, C … and steps shown as the sequence and letter they write, and when they want to be woken. */
function play(options?: { firstSequence?: number; telegrams?: string }) {
  const left = [...(options?.telegrams ?? 'ABCDEFGH')];
  const belt = new BeltController({
    next: () => (left.length > 0 ? letters(left.shift() ?? '') : undefined),
    keyOf: (telegram) => `key of ${String.fromCharCode(...telegram)}`,
    firstSequence: options?.firstSequence ?? 1,
  });
  const show = ({ writes, wakeAtMs }: BeltStep) => [
    ...writes.map((bytes) => String.fromCharCode(...bytes.slice(1, -2))),
    wakeAtMs,
  ];
  return {
    belt,
    up: (nowMs: number) => show(belt.lineUp(nowMs)),
    down: (nowMs: number) => show(belt.lineDown(nowMs)),
    tick: (nowMs: number) => show(belt.tick(nowMs)),
    ack: (sequence: number, nowMs: number) => show(belt.bytes(encodeAck(sequence), nowMs)),
    accepted: () => belt.accepted.map(({ sequence, telegram }) => `${sequence} ${String.fromCharCode(...telegram)}`),
  };
}

test('says nothing before the line is up', () => {
  expect(play().tick(0)).toEqual([undefined]);
});

test('tells one, waits, writes down what is acknowledged, and tells the next after the gap', () => {
  const { up, ack, tick, accepted, belt } = play();
  expect(up(1000)).toEqual(['0001A', 1000 + REPEAT_MS]);
  expect(accepted()).toEqual([]);
  expect(ack(1, 1200)).toEqual([1200 + GAP_MS]);
  expect(tick(1200 + GAP_MS)).toEqual(['0002B', 1200 + GAP_MS + REPEAT_MS]);
  expect(accepted()).toEqual(['1 A']);
  expect(belt.accepted[0]).toEqual({ sequence: 1, telegram: letters('A'), key: 'key of A', atMs: 1200 });
});

test('tells it again until it is acknowledged, for ever', () => {
  const { up, tick, ack, belt, accepted } = play();
  up(0);
  for (let i = 1; i <= 50; i++) expect(tick(i * REPEAT_MS)).toEqual(['0001A', (i + 1) * REPEAT_MS]);
  expect(belt.counters).toEqual({ told: 1, repeats: 50, strayAcks: 0 });
  ack(1, 50 * REPEAT_MS + 1);
  expect(accepted()).toEqual(['1 A']);
});

test('an acknowledgement of something else is none', () => {
  const { up, ack, accepted, belt } = play();
  up(0);
  expect(ack(2, 10)).toEqual([REPEAT_MS]);
  ack(1, 20);
  ack(1, 21);
  expect(accepted()).toEqual(['1 A']);
  expect(belt.counters.strayAcks).toBe(2);
});

test('is woken early without harm', () => {
  const { up, tick } = play();
  up(0);
  expect(tick(REPEAT_MS - 1)).toEqual([REPEAT_MS]);
});

test('keeps silent while the line is down and tells what waited when it is up again', () => {
  const { up, down, tick, ack, accepted } = play();
  up(0);
  expect(down(10)).toEqual([undefined]);
  expect(tick(10 * REPEAT_MS)).toEqual([undefined]);
  expect(up(10 * REPEAT_MS)).toEqual(['0001A', 11 * REPEAT_MS]);
  ack(1, 10 * REPEAT_MS + 1);
  expect(accepted()).toEqual(['1 A']);
});

test('does not sit out the three seconds of a line that is gone', () => {
  const { up, down } = play();
  up(0);
  down(10);
  expect(up(20)).toEqual(['0001A', 20 + REPEAT_MS]);
});

test('half an acknowledgement of the old line is not completed by the new one', () => {
  const { up, down, belt, accepted } = play();
  up(0);
  belt.bytes(encodeAck(1).slice(0, 3), 1);
  down(2);
  up(3);
  belt.bytes(encodeAck(1).slice(3), 4);
  expect(accepted()).toEqual([]);
});

test('stopped, it still brings the outstanding one to its end, and then wants nothing', () => {
  const { up, tick, ack, belt, accepted } = play();
  up(0);
  belt.stop();
  expect(tick(REPEAT_MS)).toEqual(['0001A', 2 * REPEAT_MS]);
  expect(ack(1, REPEAT_MS + 1)).toEqual([undefined]);
  expect(tick(99 * REPEAT_MS)).toEqual([undefined]);
  expect(accepted()).toEqual(['1 A']);
  expect(belt.outstanding).toBeUndefined();
});

test('asks again at every gap when there is nothing to tell', () => {
  const { up, tick } = play({ telegrams: '' });
  expect(up(0)).toEqual([GAP_MS]);
  expect(tick(GAP_MS)).toEqual([2 * GAP_MS]);
});

test('counts past 9999 to 1', () => {
  const { up, ack, tick } = play({ firstSequence: 9999 });
  expect(up(0)[0]).toBe('9999A');
  ack(9999, 1);
  expect(tick(1 + GAP_MS)[0]).toBe('0001B');
});

/**
 * Controller, two wires and adapter in virtual time. The store takes its time and fails now and then; every telegram that the belt
 * was told is durable must be there once, with its bytes, in order.
 */
test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'nothing acknowledged is missing, changed, twice or out of order: lossy line, seed %i',
  (seed) => {
    const prng = stream(seed, 'line');
    const world = stream(seed, 'store');
    const generator = stream(seed, 'telegrams');
    const belt = new BeltController({ next: telegramSource({ belt: 1, next: () => generator.next() }), keyOf: uniqueKeyOf });
    // Bytes vanish; a flipped acknowledgement could name another sequence, which this protocol cannot notice.
    const there = new Wire({ baud: 9600, random: prng, faults: { dropRate: 0.0005 } });
    const back = new Wire({ baud: 9600, random: prng, faults: { dropRate: 0.01 } });
    const durable: string[] = [];
    let position: Uint8Array | undefined;
    let adapter = new BeltAdapter({ crc32, position });
    let store: { token: number; text: string; position: Uint8Array; atMs: number } | undefined;

    const take = (outputs: ReturnType<BeltAdapter['bytes']>, nowMs: number): void => {
      for (const output of outputs) {
        if (output.kind === 'reply') back.push(output.bytes, nowMs);
        else
          store = {
            token: output.token,
            text: String.fromCharCode(...output.telegram),
            position: output.position,
            atMs: nowMs + world.int(50),
          };
      }
    };
    const settle = (nowMs: number): void => {
      if (store === undefined || nowMs < store.atMs) return;
      const done = store;
      store = undefined;
      const fate = world.next();
      if (fate < 0.05) return take(adapter.notStored(done.token), nowMs);
      durable.push(done.text);
      position = done.position;
      if (fate >= 0.1) return take(adapter.stored(done.token), nowMs);
      // The power fails between the frame and the answer.
      adapter = new BeltAdapter({ crc32, position });
    };

    belt.lineUp(0).writes.forEach((bytes) => {
      there.push(bytes, 0);
    });
    for (let nowMs = 5; nowMs < 300_000; nowMs += 5) {
      if (prng.chance(0.002)) there.cut();
      if (prng.chance(0.1)) there.restore();
      take(adapter.bytes(there.take(nowMs)), nowMs);
      settle(nowMs);
      for (const bytes of belt.bytes(back.take(nowMs), nowMs).writes) there.push(bytes, nowMs);
    }

    const accepted = belt.accepted.map(({ telegram }) => String.fromCharCode(...telegram));
    expect(accepted.length).toBeGreaterThan(100);
    expect(belt.counters.repeats).toBeGreaterThan(5);
    // What is durable beyond that is the one that is outstanding.
    expect(durable.slice(0, accepted.length)).toEqual(accepted);
    expect(durable.length - accepted.length).toBeLessThanOrEqual(1);
  },
);

test('what it writes is the line format', () => {
  const [bytes] = new BeltController({ next: () => letters('A'), firstSequence: 7 }).lineUp(0).writes;
  expect(bytes).toEqual(encodeTelegram(7, letters('A')));
});
