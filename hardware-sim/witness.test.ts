import { expect, test } from 'vitest';
import { type Arrived, drawLedger, type Sent } from './witness.ts';

const sent = (...keys: string[]): Sent[] => keys.map((key) => ({ key, orderedWith: 'belt-1/3' }));
const got = (...keys: string[]): Arrived[] => keys.map((key) => ({ key, orderedWith: 'belt-1/3', ending: undefined }));

test('a clean run', () => {
  const ledger = drawLedger(sent('a', 'b'), got('a', 'b'));
  expect(ledger).toEqual({ accepted: 2, received: 2, deadLettered: 0, expired: 0, lost: 0, duplicates: 0, outOfOrder: 0 });
});

test('an acknowledged message that nobody has is lost', () => {
  expect(drawLedger(sent('a', 'b'), got('a')).lost).toBe(1);
});

test('an effect that happens twice is a duplicate and counts once as received', () => {
  const ledger = drawLedger(sent('a'), got('a', 'a'));
  expect([ledger.received, ledger.duplicates]).toEqual([1, 1]);
});

test('the later one first is out of order', () => {
  expect(drawLedger(sent('a', 'b', 'c'), got('b', 'a', 'c')).outOfOrder).toBe(1);
});

test('different belts or priorities have no order among each other', () => {
  const accepted = [...sent('a'), { key: 'x', orderedWith: 'belt-2/3' }];
  const arrived: Arrived[] = [{ key: 'x', orderedWith: 'belt-2/3', ending: undefined }, ...got('a')];
  expect(drawLedger(accepted, arrived).outOfOrder).toBe(0);
});

test('dead letters are accounted for, and neither lost nor received', () => {
  const ledger = drawLedger(sent('a'), [{ key: 'a', orderedWith: '', ending: 'BAD_TELEGRAM' }]);
  expect(ledger).toMatchObject({ received: 0, deadLettered: 1, lost: 0 });
});

test('what arrives without having been acknowledged is neither a duplicate nor out of order', () => {
  const ledger = drawLedger(sent('b'), got('a', 'b'));
  expect(ledger).toMatchObject({ accepted: 1, received: 2, lost: 0, duplicates: 0, outOfOrder: 0 });
});
