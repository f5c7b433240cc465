import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PutEntry } from '../ring/entry-layout.ts';
import { MessageIndex, NO_SLOT } from '../ring/message-index.ts';
import { SlotList } from './slot-list.ts';

const ENTRY: PutEntry = {
  kind: 'put',
  copy: false,
  damaged: false,
  id: 1,
  queue: 1,
  priority: 3,
  deliveryCount: 0,
  moveCount: 0,
  stream: 1,
  number: 1,
  epochCounter: 1,
  epochRandom: 1,
  storedAtMs: 1,
  expiresAtMs: 0,
  notBeforeMs: 0,
  bodyBytes: 1,
  bodyCrc: 1,
  bodyOffset: 128,
};

function idsOf(list: SlotList, index: MessageIndex): number[] {
  const ids: number[] = [];
  for (let slot = list.head; slot !== NO_SLOT; slot = list.next(slot)) ids.push(index.id(slot));
  return ids;
}

test('in order of id whatever the order of arrival, through inserts, returns and removals', () => {
  const steps = fc.array(fc.record({ what: fc.constantFrom('insert', 'remove'), id: fc.integer({ min: 1, max: 60 }) }));
  fc.assert(
    fc.property(steps, (script) => {
      const index = new MessageIndex();
      const list = new SlotList(index, 'rank');
      const model = new Set<number>();
      for (const { what, id } of script) {
        if (what === 'remove') {
          if (!model.delete(id)) continue;
          const slot = index.find(id);
          list.remove(slot);
          index.remove(slot);
        } else if (!model.has(id)) {
          model.add(id);
          const slot = index.insert({ ...ENTRY, id, bodyBytes: id }, 1);
          list.insert(slot);
        }
        const expected = [...model].sort((a, b) => a - b);
        expect(idsOf(list, index)).toEqual(expected);
        expect([list.count, list.bytes]).toEqual([model.size, expected.reduce((sum, one) => sum + one, 0)]);
      }
    }),
  );
});

test('one that has to wait stands behind what it waited for, several of them by number; a place is found by the same order', () => {
  const index = new MessageIndex();
  const list = new SlotList(index, 'rank');
  const put = (id: number, number: number, rank = id): number => {
    const slot = index.insert({ ...ENTRY, id, number }, 1);
    index.setRank(slot, rank);
    list.insert(slot);
    return slot;
  };
  const other = put(6, 50);
  put(3, 3, 5);
  const second = put(2, 2, 5);
  put(5, 1);
  put(4, 40);
  expect(idsOf(list, index)).toEqual([4, 5, 2, 3, 6]);
  list.remove(second);
  list.insert(second);
  expect(idsOf(list, index)).toEqual([4, 5, 2, 3, 6]);
  expect([list.lastBefore(6), list.firstAfter(5.5)]).toEqual([index.find(3), other]);
  list.remove(second);
  index.remove(second);
  expect(put(7, 7)).toBe(second);
  expect(idsOf(list, index)).toEqual([4, 5, 3, 6, 7]);
});

test('a message cannot be in two lists', () => {
  const index = new MessageIndex();
  const slot = index.insert(ENTRY, 1);
  new SlotList(index, 'rank').insert(slot);
  expect(() => new SlotList(index, 'rank').insert(slot)).toThrow('one list');
});
