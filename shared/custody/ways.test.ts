import { describe, expect, test } from 'vitest';
import { chooseWay } from './ways.ts';

interface Named {
  readonly name: string;
  readonly stands: boolean;
  readonly sinceMs: number;
}

const PATIENCE = { failoverMs: 5, failbackMs: 30 };
const NEVER = -1_000;

/** `a+10`: a stands since 10; `b-20`: b does not since 20. */
function ways(text: string): Named[] {
  return text.split(' ').map((one) => {
    const [, name = '', sign, since] = /^(\w+)([+-])(-?\d+)$/.exec(one) ?? [];
    return { name, stands: sign === '+', sinceMs: Number(since) };
  });
}

describe('the way that is taken', () => {
  test.each<[string, string, string | undefined, number, string, number | undefined]>([
    // what                                                      ways            in use  now  taken  again at
    ['the first at an opening, while it has its time', 'a-0 b-0', undefined, 0, 'a', 5],
    ['the first, though a worse one came up sooner', 'a-0 b+1', 'a', 4, 'a', 5],
    ['the worse one when that time is over', 'a-0 b+1', 'a', 5, 'b', undefined],
    ['the first that stands', 'a+0 b+0', undefined, 0, 'a', undefined],
    ['the one in use, while it counts', 'a-10 b+0', 'a', 14, 'a', 15],
    ['the next when it does not', 'a-10 b+0', 'a', 15, 'b', undefined],
    ['the one in use, whatever a better one does for a moment', 'a+20 b+0', 'b', 21, 'b', 50],
    ['the one in use, up to the last moment', 'a+20 b+0', 'b', 49, 'b', 50],
    ['the better one once it stood long enough', 'a+20 b+0', 'b', 50, 'a', undefined],
    ['the best of two that are back', 'a+10 b+10 c+0', 'c', 60, 'a', undefined],
    ['the second, as long as the first is not back', 'a+50 b+10 c+0', 'c', 60, 'b', 80],
    ['a better one at once when that in use is lost', 'a+58 b-50', 'b', 60, 'a', undefined],
    ['the one it had when none counts', `a-${-NEVER} b-0`, 'b', 2_000, 'b', undefined],
    ['the first when none counts and none was ever taken', 'a-0 b-0', undefined, 10, 'a', undefined],
    ['the only one, standing or not', 'a-0', 'a', 10, 'a', undefined],
    ['a worse one is no reason to look again', 'a+0 b+5', 'a', 5, 'a', undefined],
  ])('%s: %s, %s at %i', (_name, text, current, nowMs, taken, againAtMs) => {
    const all = ways(text);
    const inUse = all.find(({ name }) => name === current);
    const choice = chooseWay(all, inUse, { ...PATIENCE, nowMs });
    expect([choice.way?.name, choice.againAtMs]).toEqual([taken, againAtMs]);
  });

  test('is none where none leads there', () => {
    expect(chooseWay([], undefined, { ...PATIENCE, nowMs: 0 })).toEqual({ way: undefined, againAtMs: undefined });
  });
});

test('a way that comes and goes is not taken back: the other stays in use through all of it', () => {
  let flapping: Named = { name: 'a', stands: false, sinceMs: 0 };
  const steady: Named = { name: 'b', stands: true, sinceMs: 0 };
  let current = steady;
  for (let nowMs = 10; nowMs < 2_000; nowMs += 1) {
    if (nowMs % 29 === 0) flapping = { name: 'a', stands: !flapping.stands, sinceMs: nowMs };
    const { way } = chooseWay([flapping, steady], current.name === 'a' ? flapping : steady, { ...PATIENCE, nowMs });
    current = way ?? current;
    expect(current.name, `at ${nowMs}`).toBe('b');
  }
});

test('time alone changes nothing before it is said to', () => {
  for (let seed = 0; seed < 400; seed++) {
    const bit = (at: number) => ((seed >> at) & 1) === 1;
    const all = [
      { name: 'a', stands: bit(0), sinceMs: bit(1) ? 10 : 40 },
      { name: 'b', stands: bit(2), sinceMs: bit(3) ? 10 : 40 },
      { name: 'c', stands: bit(4), sinceMs: bit(5) ? 10 : 40 },
    ];
    const current = all[(seed >> 6) % 4];
    let choice = chooseWay(all, current, { ...PATIENCE, nowMs: 41 });
    for (let nowMs = 42; nowMs < 100; nowMs++) {
      const next = chooseWay(all, choice.way, { ...PATIENCE, nowMs });
      if (nowMs < (choice.againAtMs ?? Number.POSITIVE_INFINITY)) expect(next.way, `${seed} at ${nowMs}`).toBe(choice.way);
      choice = next;
    }
  }
});
