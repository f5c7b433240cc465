import { expect, test } from 'vitest';
import type { Accepted } from './belt-controller.ts';
import type { Arrival, ArrivalRecord } from './hall-arrivals.ts';
import { type HallAccount, ledgerProblems, settle } from './hall-ledger.ts';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const bsm = (plate: string): string => `BSM\r\n.V/1LOSL\r\n.N/${plate}001\r\nENDBSM`;
/** As the generator would say: keys are digits. */
const keyOf = (telegram: Uint8Array): string | undefined => /\.N\/(\d{10})/.exec(Buffer.from(telegram).toString('latin1'))?.[1];

const told = (...texts: string[]): Accepted[] =>
  texts.map((text, i) => ({ sequence: i + 1, telegram: bytes(text), key: keyOf(bytes(text)), atMs: i }));
let identities = 0;
const effect = (text: string, more: Partial<Arrival> = {}): ArrivalRecord => ({
  kind: 'effect',
  arrival: {
    identity: `m${++identities}`,
    queue: 'bags',
    label: 'belt-1',
    priority: 3,
    ending: undefined,
    body: bytes(text),
    ...more,
  },
});
const account = (accepted: Accepted[], records: ArrivalRecord[]): HallAccount => ({
  belts: [{ label: 'belt-1', accepted }],
  records,
  keyOf,
  outages: 2,
  seconds: 4.04,
});
const [A, B, C] = [bsm('0125000001'), bsm('0125000002'), bsm('0125000003')];

test('a clean run: everything accounted for, keys in the order in which they are printed', () => {
  const dead = effect(B, { queue: '$dead', ending: 'BAD_TELEGRAM' });
  const ledger = settle(account(told(A, B, C), [effect(A), dead, effect(C), { kind: 'redelivered', identity: 'm1' }]));
  expect(JSON.stringify(ledger)).toBe(
    '{"accepted":3,"received":2,"deadLettered":1,"expired":0,"lost":0,"duplicates":0,"redelivered":1,"outOfOrder":0,"outages":2,' +
      '"seconds":4,"messagesPerSecond":0.7}',
  );
  expect(ledgerProblems(ledger)).toEqual([]);
});

test.each<[string, Accepted[], ArrivalRecord[], string[]]>([
  ['nothing at all', [], [], ['nothing was accepted']],
  ['a telegram that is nowhere', told(A, B), [effect(A)], ['lost is 1', '2 accepted, 1 accounted for']],
  ['one that came with other bytes', told(A), [effect(A.replace('OSL', 'ZRH'))], ['lost is 1']],
  ['one key under two identities', told(A), [effect(A), effect(A)], ['duplicates is 1']],
  ['one identity twice', told(A), [effect(A, { identity: 'x' }), effect(A, { identity: 'x' })], ['duplicates is 1']],
  [
    'one identity for two telegrams',
    told(A, B),
    [effect(A, { identity: 'x' }), effect(B, { identity: 'x' })],
    ['duplicates is 1'],
  ],
  ['two in the wrong order', told(A, B), [effect(B), effect(A)], ['outOfOrder is 1']],
  ['two priorities, each in order', told(A, B), [effect(B, { priority: 5 }), effect(A)], []],
  ['one that no belt was acknowledged', told(A), [effect(A), effect(B)], ['1 accepted, 2 accounted for']],
])('%s', (_name, accepted, records, problems) => {
  expect(ledgerProblems(settle(account(accepted, records)))).toEqual(problems);
});

test('neighbours are told of where they were told apart, and nothing that reached them is a problem', () => {
  expect(settle(account(told(A), [effect(A)]))).not.toHaveProperty('neighbours');
  const reached = settle({ ...account(told(A), [effect(A)]), neighbours: 1 });
  expect([reached.neighbours, ledgerProblems(reached)]).toEqual([1, []]);
  const none = settle({ ...account(told(A), [effect(A)]), neighbours: 0 });
  expect(ledgerProblems(none)).toEqual(['nothing reached the neighbour while broker and central were away']);
});

test('given telegrams have no key: equal ones are told apart by their number, and one too many is twice', () => {
  const given = { ...account(told('x', 'x', 'y'), []), keyOf: () => undefined };
  const clean = settle({ ...given, records: [effect('x'), effect('x'), effect('y')] });
  expect([clean.accepted, clean.received, ledgerProblems(clean)]).toEqual([3, 3, []]);
  const again = settle({ ...given, records: [effect('x'), effect('x'), effect('x'), effect('y')] });
  expect(ledgerProblems(again)).toEqual(['duplicates is 1']);
  const short = settle({ ...given, records: [effect('x', { identity: 'a' }), effect('x', { identity: 'a' }), effect('y')] });
  expect(ledgerProblems(short)).toEqual(['lost is 1', 'duplicates is 1', '3 accepted, 2 accounted for']);
  const altered = settle({ ...given, records: [effect('x'), effect('x'), effect('z')] });
  expect(ledgerProblems(altered)).toEqual(['lost is 1']);
});
