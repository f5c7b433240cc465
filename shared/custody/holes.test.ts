import { describe, expect, test } from 'vitest';
import { CLOSED_HOLE_COUNT_MAX, HOLE_COUNT_MAX } from '../limits.ts';
import {
  countOf,
  firstHole,
  isKnown,
  merged,
  NO_NUMBERS,
  type Numbers,
  placeOf,
  rangeFields,
  rangesOf,
  withClosed,
  withElsewhere,
  withEnding,
  withMessage,
  without,
} from './holes.ts';

/** `3` a message, `gap 3-5`, `else 3-5`, `close` all, `close 3` the one that begins there; the time goes on by one with each. */
function play(...inputs: string[]): { numbers: Numbers; said: string[] } {
  let numbers = NO_NUMBERS;
  const said: string[] = [];
  for (const [nowMs, input] of inputs.entries()) {
    const [verb = '', what = verb] = input.split(' ');
    const [from = 0, to = from] = what.split('-').map(Number);
    const range = { from, to };
    if (verb === 'close') {
      const closed = withClosed(numbers, (hole) => what === 'close' || hole.from === from);
      numbers = closed.numbers;
      said.push(`missing ${shown(closed.missing)}`);
      if (closed.forgotten > 0) said.push(`forgotten ${closed.forgotten}`);
    } else if (verb === 'gap') {
      const ended = withEnding(numbers, range, nowMs);
      if (ended !== 'too-many') numbers = ended.numbers;
      said.push(ended === 'too-many' ? ended : `ended ${countOf(ended.ended)} corrected ${countOf(ended.corrected)}`);
    } else if (verb === 'else') {
      const after = withElsewhere(numbers, range, nowMs);
      if (after !== 'too-many') numbers = after;
      if (after === 'too-many') said.push(after);
    } else {
      const place = placeOf(numbers, from);
      said.push(place);
      const after = place === 'known' ? numbers : withMessage(numbers, from, nowMs);
      if (after !== 'too-many') numbers = after;
      if (after === 'too-many') said.push(after);
    }
  }
  return { numbers, said };
}

const shown = (ranges: readonly { from: number; to: number }[]): string =>
  ranges.map(({ from, to }) => `${from}-${to}`).join(' ');

describe('the numbers of a stream at its destination', () => {
  test.each<[string, string[], string[], { next: number; holes?: string; closed?: string }]>([
    ['in order, nothing is missing', ['1', '2', '3'], ['new', 'new', 'new'], { next: 4 }],
    ['what is known is known', ['1', '1'], ['new', 'known'], { next: 2 }],
    ['elsewhere opens a hole', ['1', 'else 1-3', '4'], ['new', 'new'], { next: 5, holes: '2-3' }],
    ['elsewhere over what is known opens none', ['1', '2', 'else 1-2', '3'], ['new', 'new', 'new'], { next: 4 }],
    ['it is filled from below', ['else 1-2', '3', '1', '2'], ['new', 'fills', 'fills'], { next: 4 }],
    ['it is filled from above', ['else 1-2', '3', '2', '1'], ['new', 'fills', 'fills'], { next: 4 }],
    ['filled in the middle it becomes two', ['else 1-3', '2'], ['fills'], { next: 4, holes: '1-1 3-3' }],
    ['what filled it is known', ['else 1-1', '1', '1'], ['fills', 'known'], { next: 2 }],
    ['elsewhere above elsewhere is one hole', ['else 1-2', 'else 3-4'], [], { next: 5, holes: '1-4' }],
    ['elsewhere that reaches further grows it', ['else 1-2', 'else 1-4'], [], { next: 5, holes: '1-4' }],
    ['elsewhere above a message is another', ['else 1-2', '3', 'else 4-4'], ['new'], { next: 5, holes: '1-2 4-4' }],
    ['a gap ends what was not seen', ['gap 1-4'], ['ended 4 corrected 0'], { next: 5 }],
    ['a gap ends what is waited for', ['else 1-4', 'gap 2-3'], ['ended 2 corrected 0'], { next: 5, holes: '1-1 4-4' }],
    ['a gap over both', ['else 1-4', 'gap 3-6'], ['ended 4 corrected 0'], { next: 7, holes: '1-2' }],
    ['a gap over what is known ends nothing', ['1', '2', 'gap 1-2'], ['new', 'new', 'ended 0 corrected 0'], { next: 3 }],
    ['what a gap ended is known', ['else 1-2', 'gap 1-1', '1'], ['ended 1 corrected 0', 'known'], { next: 3, holes: '2-2' }],
    ['closed it is missing', ['else 1-2', '3', 'close'], ['new', 'missing 1-2'], { next: 4, closed: '1-2' }],
    [
      'one is closed, the other is not',
      ['else 1-2', '3', 'else 4-5', 'close 1'],
      ['new', 'missing 1-2'],
      { next: 6, holes: '4-5', closed: '1-2' },
    ],
    ['late, and known then', ['else 1-2', 'close', '1', '1'], ['missing 1-2', 'late', 'known'], { next: 3, closed: '2-2' }],
    ['late in the middle', ['else 1-3', 'close', '2'], ['missing 1-3', 'late'], { next: 4, closed: '1-1 3-3' }],
    [
      'a gap that comes late',
      ['else 1-3', 'close', 'gap 1-2'],
      ['missing 1-3', 'ended 0 corrected 2'],
      { next: 4, closed: '3-3' },
    ],
    [
      'a gap over all three kinds',
      ['else 1-1', 'close', '2', 'else 3-3', 'gap 1-4'],
      ['missing 1-1', 'new', 'ended 2 corrected 1'],
      { next: 5 },
    ],
    [
      'elsewhere does not open what is closed',
      ['else 1-2', 'close', 'else 1-2', '3'],
      ['missing 1-2', 'new'],
      { next: 4, closed: '1-2' },
    ],
    [
      'closed side by side is one',
      ['else 1-1', 'close', 'else 2-2', 'close'],
      ['missing 1-1', 'missing 2-2'],
      { next: 3, closed: '1-2' },
    ],
    ['a message far above opens a hole itself', ['1', '5'], ['new', 'new'], { next: 6, holes: '2-4' }],
    ['so does an ending', ['1', 'gap 4-5'], ['new', 'ended 2 corrected 0'], { next: 6, holes: '2-3' }],
    ['far above a hole it is the same hole', ['else 1-2', '5'], ['new'], { next: 6, holes: '1-4' }],
  ])('%s', (_name, inputs, said, { next, holes = '', closed = '' }) => {
    const played = play(...inputs);
    expect(played.said).toEqual(said);
    const { numbers } = played;
    expect({ next: numbers.next, holes: shown(numbers.holes), closed: shown(numbers.closed) }).toEqual({ next, holes, closed });
  });

  test('a hole is as old as its newest end, and its parts are as old as it was', () => {
    expect(play('else 1-2', 'else 3-5', '4').numbers.holes).toEqual([
      { from: 1, to: 3, sinceMs: 1 },
      { from: 5, to: 5, sinceMs: 1 },
    ]);
  });

  test('nothing from the first hole on is seen', () => {
    expect(firstHole(play('1', '2').numbers)).toBe(Number.POSITIVE_INFINITY);
    expect(firstHole(play('1', 'else 2-3', '4', 'else 5-6').numbers)).toBe(2);
    expect(firstHole(play('1', 'else 2-3', '4', 'else 5-6', '2', '3').numbers)).toBe(5);
    expect(firstHole(play('1', 'else 2-3', '4', 'else 5-6', 'close').numbers)).toBe(Number.POSITIVE_INFINITY);
  });

  test('what changes nothing is told as such', () => {
    const { numbers } = play('1', 'else 2-3', '4', 'close', 'else 5-6', '7');
    expect(isKnown(numbers, { from: 1, to: 1 }, 'ending')).toBe(true);
    expect(isKnown(numbers, { from: 1, to: 2 }, 'ending')).toBe(false);
    expect(isKnown(numbers, { from: 5, to: 5 }, 'ending')).toBe(false);
    expect(isKnown(numbers, { from: 5, to: 7 }, 'elsewhere')).toBe(true);
    expect(isKnown(numbers, { from: 5, to: 8 }, 'elsewhere')).toBe(false);
  });
});

describe('bounds', () => {
  const full = (): Numbers =>
    play(...Array.from({ length: HOLE_COUNT_MAX }, (_, i) => [`else ${3 * i + 1}-${3 * i + 2}`, `${3 * i + 3}`]).flat()).numbers;

  test('one hole more waits, whatever would open it', () => {
    const numbers = full();
    const { next } = numbers;
    expect(numbers.holes).toHaveLength(HOLE_COUNT_MAX);
    expect(withElsewhere(numbers, { from: next, to: next }, 0)).toBe('too-many');
    expect(withMessage(numbers, next + 1, 0)).toBe('too-many');
    expect(withEnding(numbers, { from: next + 1, to: next + 1 }, 0)).toBe('too-many');
  });

  test('a filler that would split a hole waits; what opens none is taken', () => {
    const wide = withElsewhere(play('1').numbers, { from: 2, to: 4 }, 0);
    if (wide === 'too-many') throw new Error('one hole');
    let numbers: Numbers = wide;
    while (numbers.holes.length < HOLE_COUNT_MAX) {
      const more = withMessage(numbers, numbers.next + 1, 0);
      if (more === 'too-many') {
        const known = withMessage(numbers, numbers.next, 0);
        if (known === 'too-many') throw new Error('opens none');
        numbers = known;
        break;
      }
      numbers = more;
    }
    expect(withMessage(numbers, 3, 0)).toBe('too-many');
    expect(withMessage(numbers, 2, 0)).not.toBe('too-many');
    expect(withMessage(numbers, numbers.next, 0)).not.toBe('too-many');
    expect(withEnding(numbers, { from: 2, to: 4 }, 0)).not.toBe('too-many');
    expect(withElsewhere(numbers, { from: 1, to: 4 }, 0)).toBe(numbers);
  });

  test('so many closed ones are remembered; the oldest is forgotten, counted, and a repeat from then on', () => {
    const { numbers: closed } = withClosed(full(), () => true);
    expect(closed.closed).toHaveLength(CLOSED_HOLE_COUNT_MAX);
    const more = withElsewhere(closed, { from: closed.next, to: closed.next }, 0);
    if (more === 'too-many') throw new Error('no hole is open');
    const again = withClosed(more, () => true);
    expect(again.forgotten).toBe(2);
    expect([placeOf(again.numbers, 1), placeOf(again.numbers, 4)]).toEqual(['known', 'late']);
  });
});

test('ranges: as META holds them, without some numbers, joined where they touch', () => {
  const ranges = [
    { from: 1, to: 3 },
    { from: 7, to: 7 },
  ];
  expect(rangesOf(rangeFields(ranges))).toEqual(ranges);
  expect(countOf(ranges)).toBe(4);
  expect(shown(without(ranges, { from: 2, to: 7 }))).toBe('1-1');
  expect(shown(without(ranges, { from: 4, to: 6 }))).toBe('1-3 7-7');
  expect(shown(merged([{ from: 5, to: 6 }, ...ranges, { from: 4, to: 4 }]))).toBe('1-7');
});

test('every order of messages, endings and elsewhere leaves each number known once, in a hole, or missing', () => {
  const words = ['1', '2', '3', 'gap 2-3', 'else 1-2', 'else 2-3', 'close'];
  const walk = (inputs: readonly string[]): void => {
    const { numbers, said } = play(...inputs);
    const taken = said.filter((text) => text === 'new' || text === 'fills' || text === 'late').length;
    const counted = said.flatMap((text) => [...text.matchAll(/(?:ended|corrected) (\d+)/g)].map(([, n]) => Number(n)));
    const ended = counted.reduce((sum, n) => sum + n, 0);
    expect(taken + ended + countOf(numbers.holes) + countOf(numbers.closed), inputs.join(', ')).toBe(numbers.next - 1);
    if (inputs.length < 4) for (const word of words) walk([...inputs, word]);
  };
  walk([]);
});
