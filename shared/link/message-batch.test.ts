import { expect, test } from 'vitest';
import { MessageBatch, type MessageItem } from './message-batch.ts';

const item = (number: number, form: 'full' | 'compact'): MessageItem => ({
  kind: 'message',
  number,
  envelope: new Uint8Array(70).fill(0x84),
  ...(form === 'compact' && { compact: { body: new Uint8Array(10).fill(7), crc: number } }),
});

test('credit counts envelopes, whatever crosses the line', () => {
  const batch = new MessageBatch(1_000, item(1, 'compact'));
  batch.add(item(2, 'compact'));
  expect(batch.bytes).toBe(140);
});

test('a batch is mixed once one in it is compact, and fits with its check', () => {
  const batch = new MessageBatch(2 * 72 + 11 + 3, item(1, 'full'));
  expect(batch.add(item(2, 'full'))).toBe(true);
  expect(batch.content.kind).toBe('batch');
  expect(batch.add(item(3, 'compact'))).toBe(false);
  const larger = new MessageBatch(2 * 72 + 11 + 4, item(1, 'full'));
  for (const [number, form] of [
    [2, 'full'],
    [3, 'compact'],
  ] as const)
    expect(larger.add(item(number, form))).toBe(true);
  expect(larger.content).toMatchObject({ kind: 'mixed', check: 3 });
  expect(larger.isOpen).toBe(false);
});

test('one alone goes whole', () => {
  expect(new MessageBatch(100, item(5, 'compact')).content).toMatchObject({ kind: 'whole', payload: { length: 15 } });
});
