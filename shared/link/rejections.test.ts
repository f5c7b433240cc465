/** What is refused, step by step: when it is said, how often, and until when. */
import { expect, test } from 'vitest';
import { refusalClass } from './class-codes.ts';
import { REJECTED_AHEAD_MAX, Rejections } from './rejections.ts';
import type { Tlv } from './tlv.ts';

/** Plays words at a clock in ms; returns what each `say` said, as "at: handle/number …". */
function play(...words: string[]): string[] {
  const rejections = new Rejections();
  const said: string[] = [];
  let last: (Tlv & { kind: 'reject' })[] = [];
  let nowMs = 0;
  for (const word of words) {
    const [verb = '', a = 0, b = 0, c = 0] = word.split(' ').map((part, i) => (i === 0 ? part : Number(part))) as [
      string,
      ...number[],
    ];
    if (verb === 'at') nowMs = a;
    else if (verb === 'add') rejections.add({ handle: a, number: b, class: 'TOO_LARGE' }, 'at-cursor');
    else if (verb === 'comes') said.push(rejections.meets(a, b, nowMs) ? 'refused' : 'not refused');
    else if (verb === 'asked') rejections.asked();
    else if (verb === 'lost') rejections.lost(last);
    else if (verb === 'ended') rejections.ended(a, b, c);
    else if (verb === 'say') {
      rejections.pump(nowMs);
      const tlvs = rejections.take(a || 1_000, nowMs);
      if (tlvs.length > 0) said.push(`${nowMs}: ${tlvs.map(({ handle, number }) => `${handle}/${number}`).join(' ')}`);
      last = tlvs;
    } else throw new Error(`no such word: ${verb}`);
  }
  return said;
}

const EVERY_SECOND = Array.from({ length: 33 }, (_, i) => [`at ${i * 1_000}`, 'say']).flat();

test.each<[string, string[], string[]]>([
  ['at once, and once', ['add 0 5', 'say', 'at 900', 'say'], ['0: 0/5']],
  ['the same again is the same', ['add 0 5', 'add 0 5', 'say', 'add 0 5', 'say'], ['0: 0/5']],
  [
    'again after 1, 2, 4, 8, 8 s',
    ['add 0 5', ...EVERY_SECOND],
    ['0: 0/5', '1000: 0/5', '3000: 0/5', '7000: 0/5', '15000: 0/5', '23000: 0/5', '31000: 0/5'],
  ],
  [
    'a new one is said at once, and the times begin anew',
    ['add 0 5', 'say', 'at 1000', 'say', 'add 0 6', 'say', 'at 2000', 'say'],
    ['0: 0/5', '1000: 0/5', '1000: 0/6', '2000: 0/5 0/6'],
  ],
  ['again when asked', ['add 0 5', 'say', 'at 10', 'asked', 'say'], ['0: 0/5', '10: 0/5']],
  ['again when its NOTE is lost', ['add 0 5', 'say', 'at 10', 'lost', 'say'], ['0: 0/5', '10: 0/5']],
  [
    'again when the message comes again a second later',
    ['add 0 5', 'say', 'at 999', 'comes 0 5', 'at 1000', 'comes 0 5', 'say'],
    ['0: 0/5', 'refused', 'refused', '1000: 0/5'],
  ],
  ['not the message beside it', ['add 0 5', 'comes 0 6', 'comes 1 5'], ['not refused', 'not refused']],
  [
    'until its gap came, and not after',
    ['add 0 5', 'say', 'ended 0 5 5', 'asked', 'lost', 'at 60000', 'say', 'comes 0 5'],
    ['0: 0/5', 'not refused'],
  ],
  ['a gap that came before it was said', ['add 0 5', 'add 0 9', 'ended 0 1 7', 'say'], ['0: 0/9']],
  ['a gap of another stream changes nothing', ['add 0 5', 'ended 1 5 5', 'say'], ['0: 0/5']],
  ['as many as fit, the others in the next one', ['add 0 5', 'add 0 6', 'add 0 7', 'say 10', 'say 10'], ['0: 0/5 0/6', '0: 0/7']],
])('says REJECT %s', (_name, words, said) => {
  expect(play(...words)).toEqual(said);
});

test('nothing is due once every gap came', () => {
  const rejections = new Rejections();
  rejections.add({ handle: 0, number: 1, class: 'TOO_LARGE' }, 'at-cursor');
  rejections.take(100, 0);
  expect(rejections.wakeAtMs).toBe(1_000);
  rejections.ended(0, 1, 1);
  expect(rejections.wakeAtMs).toBeUndefined();
});

test('those above their cursors are bounded; one at its cursor always has a place', () => {
  const rejections = new Rejections();
  const add = (number: number, place: 'at-cursor' | 'ahead') => rejections.add({ handle: 0, number, class: 'TOO_LARGE' }, place);
  for (let number = 2; number < 2 + REJECTED_AHEAD_MAX; number++) expect(add(number, 'ahead')).toBe(true);
  expect(add(500, 'ahead')).toBe(false);
  expect(rejections.meets(0, 500, 0)).toBe(false);
  expect(add(1, 'at-cursor')).toBe(true);
});

test('what the line lost was not said', () => {
  const rejections = new Rejections();
  rejections.add({ handle: 7, number: 1, class: 'BAD_DST_Q' }, 'at-cursor');
  for (let i = 0; i < 10; i++) rejections.lost(rejections.take(100, 0));
  expect(rejections.inVain).toEqual([]);
});

test('said three times and not answered is in vain', () => {
  const rejections = new Rejections();
  rejections.add({ handle: 7, number: 1, class: 'BAD_DST_Q' }, 'at-cursor');
  for (let i = 0; i < 3; i++) {
    expect(rejections.inVain).toEqual([]);
    expect(rejections.take(100, 0)).toEqual([{ kind: 'reject', handle: 7, number: 1, reason: 6 }]);
    rejections.asked();
  }
  expect(rejections.inVain).toEqual([7]);
});

test.each<[number, string]>([
  [4, 'CORRUPT'],
  [5, 'REJECTED'],
  [6, 'BAD_DST_Q'],
  [7, 'Q_EXCEED_QUOTA'],
  [10, 'TOO_LARGE'],
  [12, 'CLONED'],
  [0, 'REJECTED'],
  [1, 'REJECTED'],
  [200, 'REJECTED'],
])('reason %i of a REJECT is understood as %s', (reason, name) => {
  expect(refusalClass(reason)).toBe(name);
});
