import { describe, expect, test } from 'vitest';
import { copiesAreKept } from './check-copies.ts';
import type { SendEvent } from './history.ts';
import { type Account, atRest, Tale } from './quiet-run.ts';

const KEY = 'device-1:1';
const received = (how: Partial<SendEvent> = {}) => new Tale().boot('central').whole(KEY, how);
const of = (tale: Tale, accounts: readonly Account[] = [], journals: readonly string[] = ['central/bags']) => {
  const history = tale.end([atRest('central', accounts), atRest('device-1')]);
  return copiesAreKept({ ...history, facts: { ...history.facts, journals } }).violations;
};
const DROPPED: Account = ['central', 'central/$journal', 3, 'DROPPED', 1];

describe('S17, journals', () => {
  test('have a copy of what was received', () => {
    expect(of(received().copy(KEY, 'central'))).toEqual([]);
    expect(of(received())).toEqual([`central has no copy of ${KEY}, and says 0 dropped, 0 left out`]);
    expect(of(received(), [], [])).toEqual([]);
  });

  test('have a copy of what was sent and wanted one, where it was taken', () => {
    expect(of(received({ journal: 'on' }).copy(KEY, 'device-1'), [], [])).toEqual([]);
    expect(of(received({ journal: 'on' }), [], [])).toEqual([`device-1 has no copy of ${KEY}, and says 0 dropped, 0 left out`]);
  });

  test('have none twice, and none that nobody wanted', () => {
    expect(of(received().copy(KEY, 'central').copy(KEY, 'central'))).toHaveLength(1);
    expect(of(received().copy(KEY, 'central'), [], [])).toHaveLength(1);
    expect(of(received({ journal: 'on' }).copy(KEY, 'central').copy(KEY, 'device-1'))).toEqual([]);
  });

  test('may have dropped it, or left it out, and say so', () => {
    expect(of(received().free(`${KEY}^`, 'central', 'dropped'), [DROPPED])).toEqual([]);
    expect(of(received().down('central', 'crash', { copies: 1 }))).toEqual([]);
  });

  test('drop their oldest, and count it; a copy goes for no other reason', () => {
    expect(of(received().free(`${KEY}^`, 'central', 'dropped'))).toContain('central dropped 1 copies, and says 0');
    const early = received().tell({ kind: 'freed', node: 'central', key: `${KEY}^`, reason: 'dropped', heldBy: [], older: 2 });
    expect(of(early, [DROPPED])).toEqual([`${KEY}^ at central dropped before 2 older ones`]);
    expect(of(received().free(`${KEY}^`, 'central', 'expired'), [DROPPED])).toEqual([`${KEY}^ at central went as expired`]);
  });

  test('have no copy of what ended otherwise', () => {
    const ended = new Tale().send(KEY).accept(KEY).carry(KEY).free(KEY, 'central', 'dropped').copy(KEY, 'central');
    expect(of(ended)).toEqual([`a copy of ${KEY} at central, which was dropped`]);
  });
});
