import { describe, expect, test } from 'vitest';
import { Outstanding } from './outstanding.ts';

const NO_BITMAP = new Uint8Array(0);
const bits = (...arrived: number[]): Uint8Array => {
  const bitmap = new Uint8Array(8);
  for (const bit of arrived) bitmap[bit >> 3] = (bitmap[bit >> 3] ?? 0) | (1 << (bit & 7));
  return bitmap;
};

function sent(count: number, window = 64): Outstanding<number> {
  const outstanding = new Outstanding<number>(window);
  for (let i = 0; i < count; i++) outstanding.sent({ content: i, bytes: 10, sentAtMs: i });
  return outstanding;
}
const contents = (packets: readonly { content: number }[]): number[] => packets.map(({ content }) => content);

describe('an ACK', () => {
  test.each<[string, number, number, Uint8Array, number[], number[]]>([
    ['without a bitmap: all before its largest arrived', 5, 3, NO_BITMAP, [0, 1, 2, 3], []],
    ['of the first', 5, 0, NO_BITMAP, [0], []],
    ['before the first', 5, 255, NO_BITMAP, [], []],
    ['with a bitmap: what it does not show is lost', 6, 5, bits(0, 2), [2, 4, 5], [0, 1, 3]],
    [
      'with a bitmap that does not reach far: lost too',
      20,
      19,
      bits(0, 1, 2).slice(0, 1),
      [16, 17, 18, 19],
      [...Array(16).keys()],
    ],
  ])('%s', (_name, count, largest, bitmap, arrived, lost) => {
    const outstanding = sent(count);
    const news = outstanding.acknowledged({ largest, bitmap });
    expect(contents(news?.arrived ?? [])).toEqual(arrived);
    expect(contents(news?.lost ?? [])).toEqual(lost);
    expect(outstanding.count).toBe(count - arrived.length - lost.length);
  });

  test('measures only the newest, and only once', () => {
    const outstanding = sent(3);
    expect(outstanding.acknowledged({ largest: 1, bitmap: NO_BITMAP })?.newest?.content).toBe(1);
    expect(outstanding.acknowledged({ largest: 1, bitmap: NO_BITMAP })?.newest).toBeUndefined();
    expect(outstanding.acknowledged({ largest: 2, bitmap: NO_BITMAP })?.newest?.content).toBe(2);
  });

  test('of a number that was never sent is no word of ours', () => {
    expect(sent(3).acknowledged({ largest: 3, bitmap: NO_BITMAP })).toBeUndefined();
    expect(sent(3).acknowledged({ largest: 100, bitmap: NO_BITMAP })).toBeUndefined();
  });

  test('of a number further back than half of them is no word of ours', () => {
    expect(sent(300, 300).acknowledged({ largest: 299 - 128, bitmap: NO_BITMAP })).toBeUndefined();
    expect(sent(300, 300).acknowledged({ largest: 299 - 127, bitmap: NO_BITMAP })?.newest?.content).toBe(299 - 127);
  });

  test('is understood wherever the numbers of 8 bits have wrapped to', () => {
    const outstanding = sent(0);
    for (let i = 0; i < 1_000; i++) {
      expect(outstanding.nextPn).toBe(i % 256);
      outstanding.sent({ content: i, bytes: 1, sentAtMs: 0 });
      if (i % 10 !== 9) continue;
      const news = outstanding.acknowledged({ largest: (i - 3) % 256, bitmap: bits(0, 2) });
      expect(contents(news?.arrived ?? []).slice(-2)).toEqual([i - 4, i - 3]);
      expect(contents(news?.lost ?? [])).toContain(i - 5);
    }
  });
});

test('a packet number is used once, whatever became of its packet', () => {
  const outstanding = sent(1);
  expect(outstanding.giveUpOldest()?.content).toBe(0);
  expect(outstanding.nextPn).toBe(1);
  outstanding.sent({ content: 1, bytes: 10, sentAtMs: 0 });
  outstanding.acknowledged({ largest: 1, bitmap: NO_BITMAP });
  expect(outstanding.nextPn).toBe(2);
});

test('what is lost or given up makes room, and a late word about it is nothing', () => {
  const outstanding = sent(4, 4);
  expect(outstanding.room).toBe(0);
  expect(outstanding.giveUpOldest()?.content).toBe(0);
  expect(outstanding.room).toBe(1);
  const news = outstanding.acknowledged({ largest: 2, bitmap: bits(1) });
  expect([contents(news?.arrived ?? []), contents(news?.lost ?? [])]).toEqual([[2], [1]]);
  expect(outstanding.room).toBe(3);
  expect(outstanding.acknowledged({ largest: 0, bitmap: NO_BITMAP })).toMatchObject({ arrived: [], lost: [] });
});

test('the newest is taken back when it never left whole: no ACK speaks of it, its number is used up', () => {
  const outstanding = sent(3);
  expect(outstanding.takeBackNewest()?.content).toBe(2);
  expect(outstanding.count).toBe(2);
  outstanding.sent({ content: 3, bytes: 10, sentAtMs: 3 });
  const news = outstanding.acknowledged({ largest: 3, bitmap: bits(1, 2) });
  expect([contents(news?.arrived ?? []), contents(news?.lost ?? [])]).toEqual([[0, 1, 3], []]);
});

test('a window has the room that it would have without the newest', () => {
  expect(sent(1, 1).roomWithoutNewest).toBe(1);
  expect(sent(2, 2).roomWithoutNewest).toBe(0);
  expect(sent(2, 3).roomWithoutNewest).toBe(1);
});

test('one that was acknowledged before it left whole is not there to be taken back, nor is another', () => {
  const outstanding = sent(3);
  outstanding.acknowledged({ largest: 2, bitmap: bits(0) });
  outstanding.sent({ content: 3, bytes: 10, sentAtMs: 3 });
  outstanding.acknowledged({ largest: 3, bitmap: NO_BITMAP });
  expect(outstanding.takeBackNewest()).toBeUndefined();
  const other = sent(3);
  other.sent({ content: 3, bytes: 10, sentAtMs: 3 });
  other.acknowledged({ largest: 3, bitmap: NO_BITMAP });
  expect(other.takeBackNewest()).toBeUndefined();
});
