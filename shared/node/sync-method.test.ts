import { describe, expect, test } from 'vitest';
import { type SyncMethod, SyncMethodChoice } from './sync-method.ts';

/** Writes until the choice is made; each way takes what the table says, in turn. */
function choose(took: Record<SyncMethod, readonly number[]>): { chosen: SyncMethod | undefined; asked: SyncMethod[] } {
  const choice = new SyncMethodChoice();
  const asked: SyncMethod[] = [];
  const times = { dsync: [...took.dsync], fdatasync: [...took.fdatasync] };
  while (choice.chosen === undefined && asked.length < 100) {
    const { next } = choice;
    asked.push(next);
    choice.took(times[next].shift() ?? 1);
  }
  return { chosen: choice.chosen, asked };
}

describe('the way to sync', () => {
  test.each<[string, Record<SyncMethod, number[]>, SyncMethod]>([
    ['the quicker one stays', { dsync: [5, 5, 5, 5], fdatasync: [2, 2, 2, 2] }, 'fdatasync'],
    ['one stall decides nothing', { dsync: [2, 2, 90, 2], fdatasync: [3, 3, 3, 3] }, 'dsync'],
    ['of two equals, the one with fewer calls', { dsync: [2, 2, 2, 2], fdatasync: [2, 2, 2, 2] }, 'dsync'],
  ])('%s', (_name, took, expected) => {
    const { chosen, asked } = choose(took);
    expect(chosen).toBe(expected);
    expect(asked.slice(0, 4)).toEqual(['dsync', 'fdatasync', 'dsync', 'fdatasync']);
    expect(asked).toHaveLength(8);
  });

  test('where there is only one, nothing is tried', () => {
    const choice = new SyncMethodChoice('fdatasync');
    for (let i = 0; i < 20; i++) choice.took(1000);
    expect([choice.chosen, choice.next]).toEqual(['fdatasync', 'fdatasync']);
  });
});
