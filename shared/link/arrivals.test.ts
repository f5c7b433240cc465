import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arrivals } from './arrivals.ts';
import { Outstanding } from './outstanding.ts';

function arrive(arrivals: Arrivals, pn: number, nowMs = 0): void {
  const position = arrivals.heard(pn);
  expect(position).toBeDefined();
  arrivals.arrived(position ?? 0, 'soon', nowMs);
}
const fresh = (): Arrivals => new Arrivals({ window: 16, ackDelayMs: 5 });

describe('an acknowledgement is due', () => {
  test('within the delay after one packet, at once after the second', () => {
    const arrivals = fresh();
    arrive(arrivals, 0, 100);
    expect(arrivals.dueAtMs).toBe(105);
    arrive(arrivals, 1, 101);
    expect(arrivals.dueAtMs).toBe(101);
    arrivals.acknowledge(101);
    expect(arrivals.dueAtMs).toBeUndefined();
    arrive(arrivals, 2, 110);
    expect(arrivals.dueAtMs).toBe(115);
  });

  test('at once when something is missing', () => {
    const arrivals = fresh();
    arrive(arrivals, 0, 100);
    arrivals.acknowledge(100);
    arrive(arrivals, 2, 101);
    expect(arrivals.dueAtMs).toBe(101);
  });

  test('at once when the sender wants it', () => {
    const arrivals = fresh();
    arrivals.arrived(arrivals.heard(0) ?? 0, 'now', 100);
    expect(arrivals.dueAtMs).toBe(100);
  });
});

describe('it says', () => {
  test('before the first packet: 255', () => {
    expect(fresh().acknowledge(0)).toEqual({ largest: 255, delayMs: 0, bitmap: new Uint8Array(0) });
  });

  test('how long the newest waited, up to 255 ms', () => {
    const arrivals = fresh();
    arrive(arrivals, 0, 100);
    expect(arrivals.acknowledge(112.7).delayMs).toBe(12);
    expect(arrivals.acknowledge(10_000).delayMs).toBe(255);
  });

  test('nothing about a whole window, and the window when something is missing', () => {
    const arrivals = fresh();
    for (const pn of [0, 1, 2]) arrive(arrivals, pn);
    expect(arrivals.acknowledge(0)).toMatchObject({ largest: 2, bitmap: new Uint8Array(0) });
    arrive(arrivals, 5);
    // Missing 4 and 3; arrived 2, 1, 0. 15 numbers before the largest take 2 bytes.
    expect(arrivals.acknowledge(0)).toMatchObject({ largest: 5, bitmap: Uint8Array.of(0b11100, 0) });
  });

  test('of a packet that was heard and dropped what it says of one that was lost', () => {
    const arrivals = fresh();
    arrive(arrivals, 0);
    arrivals.heard(1);
    expect(arrivals.acknowledge(0)).toMatchObject({ largest: 0, bitmap: new Uint8Array(0) });
    arrive(arrivals, 2);
    expect(arrivals.acknowledge(0)).toMatchObject({ largest: 2, bitmap: Uint8Array.of(0b10, 0) });
  });
});

test('a number from before the first packet is none', () => {
  expect(fresh().heard(255)).toBeUndefined();
  expect(fresh().heard(200)).toBeUndefined();
});

test('numbers of 8 bits may wrap, also over a loss', () => {
  const arrivals = fresh();
  for (let i = 0; i < 1_000; i++) {
    if (i % 10 === 8) continue;
    expect(arrivals.heard(i % 256)).toBe(i);
    arrivals.arrived(i, 'soon', 0);
    if (i % 10 === 9) expect(arrivals.acknowledge(0)).toMatchObject({ largest: i % 256, bitmap: { 0: 0b1111_1110 } });
  }
});

test('both ends agree on what arrived, whatever the line loses and the receiver drops', () => {
  const fates = fc.array(fc.constantFrom('arrives', 'arrives', 'arrives', 'lost', 'dropped'), {
    minLength: 1,
    maxLength: 400,
    size: 'max',
  });
  fc.assert(
    fc.property(fates, fc.integer({ min: 1, max: 20 }), (list, ackEvery) => {
      const outstanding = new Outstanding<number>(64);
      const arrivals = new Arrivals({ window: 64, ackDelayMs: 5 });
      const arrived = new Set<number>();
      const said = { arrived: new Set<number>(), lost: new Set<number>() };
      list.forEach((fate, i) => {
        if (outstanding.room <= 0) said.lost.add(outstanding.giveUpOldest()?.content ?? -1);
        const pn = outstanding.nextPn;
        outstanding.sent({ content: i, bytes: 1, sentAtMs: 0 });
        const position = fate === 'lost' ? undefined : arrivals.heard(pn);
        if (fate === 'arrives' && position !== undefined) {
          arrived.add(i);
          arrivals.arrived(position, 'soon', 0);
        }
        if (i % ackEvery !== 0) return;
        const news = outstanding.acknowledged(arrivals.acknowledge(0));
        expect(news).toBeDefined();
        for (const { content } of news?.arrived ?? []) said.arrived.add(content);
        for (const { content } of news?.lost ?? []) said.lost.add(content);
      });
      for (const i of said.arrived) expect(arrived.has(i)).toBe(true);
      // What was given up for its age may have arrived; nothing else that arrived is called lost.
      const wronged = [...said.lost].filter((i) => arrived.has(i));
      expect(wronged.every((i) => i <= list.length - 64)).toBe(true);
    }),
  );
});
