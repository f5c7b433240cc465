import { describe, expect, test } from 'vitest';
import { toUtf8 } from '../shared/bytes.ts';
import { lineBench as bench, bytesOf, run, text } from './line-bench.ts';
import { Clock } from './link-world.ts';
import { swapLines } from './sim-line.ts';

describe('two cables swapped', () => {
  const two = (bauds: [number | undefined, number | undefined] = [115_200, 115_200]) => {
    const clock = new Clock();
    return [bench({ clock, baud: bauds[0] }), bench({ clock, baud: bauds[1], seed: 2 })] as const;
  };

  test('each end finds the other one’s peer; what was on its way is lost; swapped again all is as before', () => {
    const [one, other] = two();
    one.pair.a.write(toUtf8('lost'));
    swapLines(one.pair, other.pair);
    one.pair.a.write(toUtf8('from one'));
    one.pair.b.write(toUtf8('to one'));
    other.pair.a.write(toUtf8('from other'));
    run(one, 1_000);
    expect([one.a, one.b, other.a, other.b].map(text)).toEqual(['to one', 'from other', '', 'from one']);
    swapLines(one.pair, other.pair);
    one.pair.a.write(toUtf8('!'));
    run(one, 1_000);
    expect(text(one.b)).toBe('from other!');
  });

  test('a pair that is cut afterwards closes the ends it leads to now', () => {
    const [one, other] = two();
    swapLines(one.pair, other.pair);
    one.pair.cut();
    run(one, 1_000);
    expect([one.a, one.b, other.a, other.b].map(({ closed }) => closed.length)).toEqual([1, 0, 0, 1]);
    expect([one.pair.isClosed, other.pair.isClosed]).toEqual([true, false]);
    swapLines(one.pair, other.pair);
    other.pair.a.write(toUtf8('still there'));
    run(one, 1_000);
    expect(text(one.b)).toBe('still there');
  });

  test('ends set to different speeds hear garbage', () => {
    const [one, other] = two([115_200, 9_600]);
    swapLines(one.pair, other.pair);
    one.pair.a.write(new Uint8Array(400).fill(65));
    run(one, 10_000);
    expect(bytesOf(other.b).length).toBeGreaterThan(200);
    expect(bytesOf(other.b).filter((byte) => byte === 65).length).toBeLessThan(10);
  });

  test('sockets have no ends to swap', () => {
    const [one, other] = two([undefined, undefined]);
    expect(() => swapLines(one.pair, other.pair)).toThrow('a socket has no ends to swap');
  });
});
