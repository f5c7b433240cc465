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

const eight = (ms: number) => Array.from({ length: 8 }, () => ms);

describe('the way to sync', () => {
  test.each<[string, Record<SyncMethod, number[]>, SyncMethod]>([
    ['fdatasync stays where it is clearly quicker', { dsync: eight(5), fdatasync: eight(3) }, 'fdatasync'],
    ['a little quicker is not worth a second call', { dsync: eight(5), fdatasync: eight(4) }, 'dsync'],
    ['dsync stays where it is quicker', { dsync: eight(2), fdatasync: eight(3) }, 'dsync'],
    ['three stalls decide nothing', { dsync: [2, 90, 2, 2, 90, 2, 2, 90], fdatasync: eight(3) }, 'dsync'],
  ])('%s', (_name, took, expected) => {
    const { chosen, asked } = choose(took);
    expect(chosen).toBe(expected);
    expect(asked.slice(0, 4)).toEqual(['dsync', 'fdatasync', 'dsync', 'fdatasync']);
    expect(asked).toHaveLength(16);
  });

  test('where there is only one, nothing is tried', () => {
    const choice = new SyncMethodChoice('fdatasync');
    for (let i = 0; i < 20; i++) choice.took(1000);
    expect([choice.chosen, choice.next]).toEqual(['fdatasync', 'fdatasync']);
  });
});
