import { expect, test } from 'vitest';
import type { PutEntry } from '../ring/entry-layout.ts';
import { MessageIndex } from '../ring/message-index.ts';
import { bytesUsed, messageCount, Queues, readyCount } from './queues.ts';

const ENTRY: PutEntry = {
  ...{ kind: 'put', copy: false, damaged: false, id: 1, queue: 1, priority: 3, deliveryCount: 0, moveCount: 0 },
  ...{ stream: 1, number: 1, epochCounter: 1, epochRandom: 1, storedAtMs: 1, expiresAtMs: 100, notBeforeMs: 0 },
  ...{ bodyBytes: 10, bodyCrc: 1, bodyOffset: 128 },
};

test('a message whose time comes on its way between two queues expires when it is there, and not before', () => {
  const index = new MessageIndex();
  const queues = new Queues(index);
  const bags = queues.define('bags', { bytesLimit: 1000 });
  const aside = queues.defineSubqueue('bags;aside', bags);
  const slot = index.insert({ ...ENTRY, queue: bags.id }, 1);
  queues.enqueue(slot, 50);
  queues.moveOut(slot, aside);
  expect([readyCount(bags), messageCount(bags), bytesUsed(bags), messageCount(aside)]).toEqual([0, 1, 10, 1]);
  expect(queues.takeExpired(150, 10)).toEqual([]);
  index.setState(slot, { deliveryCount: 0, notBeforeMs: 0, queue: aside.id, moveCount: 1 });
  queues.moveIn(slot, 150);
  expect([readyCount(aside), messageCount(bags)]).toEqual([1, 1]);
  expect(queues.takeExpired(150, 10)).toEqual([slot]);
  expect(messageCount(bags)).toBe(0);
});
