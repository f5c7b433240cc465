import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expandNumber, lowNumber } from './data-packet.ts';
import { NUMBER_MAX } from './packet-layout.ts';

describe('16 bits of a number', () => {
  test.each([
    [1, 1, 1],
    [5, 1, 5],
    [1, 5, 1],
    [0xffff, 0xffff, 0xffff],
    [0, 0xffff, 0x1_0000],
    [0xffff, 0x1_0000, 0xffff],
    [0x7fff, 0x1_0000, 0x1_7fff],
    [0x8000, 0x1_0000, 0x8000],
    [0, NUMBER_MAX, undefined],
    [0xffff, 1, undefined],
    [0, 1, undefined],
  ])('%i near cursor %i is %s', (low, cursor, number) => expect(expandNumber(low, cursor)).toBe(number));

  test('mean the number that is in flight, wherever in its window the cursor is', () => {
    const cursors = fc.integer({ min: 1, max: NUMBER_MAX - 70_000 });
    fc.assert(
      fc.property(cursors, fc.nat(0x7fff), fc.nat(0x7fff), (known, ahead, behind) => {
        const number = known + ahead;
        const cursor = known + behind;
        expect(expandNumber(lowNumber(number), cursor)).toBe(number);
      }),
    );
  });
});
