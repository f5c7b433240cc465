/** A search that has to read what is there, while more arrives: what it finds is the first in the order of the queue. */
import { beforeEach, expect, test } from 'vitest';
import type { NodeStore } from '../custody/node-store.ts';
import { Queues } from '../queue/queues.ts';
import { MessageIndex } from '../ring/message-index.ts';
import type { Correlation, Correlations } from './correlations.ts';
import { NamedSearch } from './named-search.ts';
import { QueueWaits, type Waiting } from './waiting-receives.ts';

let index: MessageIndex;
let queues: Queues;
let unread: Set<string>;
let found: string[];
let ended: number;
let search: NamedSearch;
const names = new Map<number, string>();

/** A message whose name says its correlation id. */
function arrives(name: string, priority = 3): void {
  const id = names.size + 1;
  names.set(id, name);
  const slot = index.insert(
    {
      kind: 'put',
      copy: false,
      damaged: false,
      id,
      queue: queues.get('q').id,
      priority,
      deliveryCount: 0,
      moveCount: 0,
      stream: 1,
      number: id,
      epochCounter: 1,
      epochRandom: 1,
      storedAtMs: 0,
      expiresAtMs: 0,
      notBeforeMs: 0,
      bodyBytes: 10,
      bodyCrc: 0,
      bodyOffset: 0,
    },
    1,
  );
  queues.enqueue(slot);
}

function nameOf(slot: number): string {
  return names.get(index.id(slot)) ?? '';
}

beforeEach(() => {
  names.clear();
  index = new MessageIndex();
  queues = new Queues(index);
  queues.define('q', { bytesLimit: 1e6 });
  for (const name of ['x-1', 'x-2', 'c-3']) arrives(name);
  unread = new Set();
  found = [];
  ended = 0;
  const streams = { key: () => ({ origin: 'o', incarnation: '0'.repeat(16), destination: 'o/q', priority: 3 }) };
  const store = { ring: { index }, queues, streams } as unknown as NodeStore;
  const of = (slot: number): Correlation => {
    const [id = ''] = nameOf(slot).split('-');
    return unread.has(nameOf(slot)) ? { is: 'reading' } : { is: 'id', id };
  };
  const waiting: Waiting = {
    number: 1,
    token: 1,
    queue: 'q',
    deadlineMs: 0,
    select: { by: 'correlationId', correlationId: 'c' },
    wants: { do: 'receive', leaseMs: 1 },
  };
  const waits = new QueueWaits('q');
  waits.add(waiting);
  search = new NamedSearch(
    {
      store,
      correlations: { of } as unknown as Correlations,
      found: (one, slot) => {
        found.push(nameOf(slot));
        waits.remove(one);
        return 'taken';
      },
      ended: () => {
        ended += 1;
      },
    },
    queues.get('q'),
    waits,
  );
});

test('what arrives behind the place it has reached comes in its turn', () => {
  unread.add('x-2');
  expect(search.pump()).toBe('reading');
  arrives('c-4');
  expect([search.pump(), found]).toEqual(['reading', []]);
  unread.clear();
  expect([search.pump(), found]).toEqual(['idle', ['c-3']]);
});

test('what is more urgent than the place it has reached is found at once', () => {
  unread.add('x-2');
  search.pump();
  arrives('c-4', 7);
  search.pump();
  expect(found).toEqual(['c-4']);
});

test('where it is not, the end is told once, and it is found when it arrives', () => {
  const slot = index.find(3);
  queues.end(slot);
  expect([search.pump(), search.pump(), ended, found]).toEqual(['idle', 'idle', 1, []]);
  arrives('x-4');
  search.pump();
  arrives('c-5');
  search.pump();
  expect([ended, found]).toEqual([1, ['c-5']]);
});
