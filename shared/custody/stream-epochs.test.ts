import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contradicts, EPOCH_COUNT_MAX, type EpochSpan, spanFields, spansOf, withNumber } from './stream-epochs.ts';

/** Numbers from 1, each with the counter of its epoch; 0: it ended without being seen. */
function spansOfHistory(counters: readonly number[]): readonly EpochSpan[] {
  let spans: readonly EpochSpan[] = [];
  counters.forEach((counter, at) => {
    if (counter > 0) spans = withNumber(spans, at + 1, { counter, random: counter * 7 });
  });
  return spans;
}

describe('an honest repeat', () => {
  test('is never called a clone, whatever ended unseen between', () => {
    const rising = fc.array(fc.tuple(fc.nat(2), fc.boolean()), { minLength: 1, maxLength: 60 }).map((steps) => {
      let counter = 1;
      return steps.map(([more, isSeen]) => {
        counter += more;
        return { counter, isSeen };
      });
    });
    fc.assert(
      fc.property(rising, (history) => {
        const spans = spansOfHistory(history.map(({ counter, isSeen }) => (isSeen ? counter : 0)));
        history.forEach(({ counter }, at) => {
          expect(contradicts(spans, at + 1, { counter, random: counter * 7 })).toBe(false);
        });
      }),
    );
  });
});

describe('what fills a hole late', () => {
  const histories = fc.array(fc.nat(2), { minLength: 1, maxLength: EPOCH_COUNT_MAX }).chain((steps) =>
    fc.tuple(
      fc.constant(steps),
      fc.shuffledSubarray(
        steps.map((_, at) => at),
        { minLength: steps.length },
      ),
    ),
  );

  test('is compared by its number: in whatever order honest messages come, none is a clone, and the spans are the same', () => {
    fc.assert(
      fc.property(histories, ([steps, order]) => {
        const counters = steps.map((_, at) => steps.slice(0, at + 1).reduce((sum, more) => sum + more, 1));
        let spans: readonly EpochSpan[] = [];
        for (const at of order) {
          const epoch = { counter: counters[at] ?? 0, random: (counters[at] ?? 0) * 7 };
          expect(contradicts(spans, at + 1, epoch)).toBe(false);
          spans = withNumber(spans, at + 1, epoch);
        }
        expect(spans).toEqual(spansOfHistory(counters));
      }),
    );
  });

  test('is a clone where what came before and after it say so', () => {
    const spans = withNumber(spansOfHistory([1, 1, 0, 0, 3]), 3, { counter: 2, random: 14 });
    expect(spans.map(({ counter }) => counter)).toEqual([1, 2, 3]);
    expect(contradicts(spans, 4, { counter: 2, random: 14 })).toBe(false);
    expect(contradicts(spans, 4, { counter: 3, random: 21 })).toBe(false);
    expect(contradicts(spans, 4, { counter: 1, random: 7 })).toBe(true);
    expect(contradicts(spans, 4, { counter: 2, random: 15 })).toBe(true);
    expect(contradicts(spans, 4, { counter: 4, random: 28 })).toBe(true);
  });
});

describe('a number that was given out twice', () => {
  const spans = spansOfHistory([1, 1, 1, 4, 4, 0, 0, 6]);

  test.each([
    ['again by a later opening', 2, 5, 35],
    ['again by the first opening after the image', 1, 2, 14],
    ['by an opening before the one that gave it', 4, 3, 21],
    ['by an opening of the same number and another life', 5, 4, 99],
    ['by a life whose openings are older than all that followed', 8, 2, 14],
  ])('%s is a clone', (_how, number, counter, random) => {
    expect(contradicts(spans, number, { counter, random })).toBe(true);
  });

  test('where numbers ended unseen, both neighbours are all that is known', () => {
    expect([4, 5, 6].map((counter) => contradicts(spans, 6, { counter, random: counter * 7 }))).toEqual([false, false, false]);
    expect([3, 7].map((counter) => contradicts(spans, 6, { counter, random: counter * 7 }))).toEqual([true, true]);
  });
});

test('the last epochs are kept, there and back through META', () => {
  const spans = spansOfHistory(Array.from({ length: 40 }, (_, i) => i + 1));
  expect(spans).toHaveLength(EPOCH_COUNT_MAX);
  expect(spans[0]).toEqual({ counter: 25, random: 175, first: 25, last: 25 });
  expect(spansOf(spanFields(spans))).toEqual(spans);
  expect(spansOf([])).toEqual([]);
});
