import { expect, test } from 'vitest';
import { checkOf } from './compact.ts';
import { lineProfile } from './line-profile.ts';
import { MessageBatch, type MessageItem } from './message-batch.ts';
import { PacketSize } from './packet-size.ts';

const item = (number: number, form: 'full' | 'compact'): MessageItem => ({
  kind: 'message',
  number,
  envelope: new Uint8Array(70).fill(0x84),
  ...(form === 'compact' && { compact: { body: new Uint8Array(10).fill(7), crc: number } }),
});

/** Of a line that loses nothing. */
const size = new PacketSize(lineProfile(921_600));

test('credit counts envelopes, whatever crosses the line', () => {
  const batch = new MessageBatch(1_000, size, item(1, 'compact'));
  batch.add(item(2, 'compact'));
  expect(batch.bytes).toBe(140);
});

test('a batch is mixed once one in it is compact, and fits with its check', () => {
  const batch = new MessageBatch(2 * 72 + 11 + 1, size, item(1, 'full'));
  expect(batch.add(item(2, 'full'))).toBe(true);
  expect(batch.content.kind).toBe('batch');
  expect(batch.add(item(3, 'compact'))).toBe(false);
  const larger = new MessageBatch(2 * 72 + 11 + 2, size, item(1, 'full'));
  for (const [number, form] of [
    [2, 'full'],
    [3, 'compact'],
  ] as const)
    expect(larger.add(item(number, form))).toBe(true);
  expect(larger.content).toMatchObject({ kind: 'mixed', check: checkOf([3]) });
  expect(larger.isOpen).toBe(false);
});

test('one alone goes whole', () => {
  expect(new MessageBatch(100, size, item(5, 'compact')).content).toMatchObject({
    kind: 'compact',
    check: checkOf([5]),
    body: { length: 10 },
  });
  expect(new MessageBatch(100, size, item(5, 'full')).content).toMatchObject({ kind: 'whole', payload: { length: 70 } });
});

test('one larger than the room goes alone', () => {
  const batch = new MessageBatch(60, size, item(5, 'full'));
  expect(batch.isOpen).toBe(false);
  expect(batch.add(item(6, 'full'))).toBe(false);
});

test('takes as many as are best for the line, not as many as fit', () => {
  // Of 11 bytes each and a check of 2: 35 bytes, 46, 57; 57 · 46 is the first product above 50².
  const upTo50 = { mayGrow: (from: number, to: number) => from * to <= 50 * 50 };
  const batch = new MessageBatch(1_000, upTo50, item(1, 'compact'));
  let number = 2;
  while (batch.add(item(number, 'compact'))) number += 1;
  expect([batch.from, batch.to]).toEqual([1, 4]);
  expect(batch.isOpen).toBe(true);
});
