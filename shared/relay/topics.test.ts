import { expect, test } from 'vitest';
import { formatTopic, parseTopic, partitionOf, queueFilter, type Topic, topicFor } from './topics.ts';

test.each<[string, Topic]>([
  ['ringmail/queue/central/bags/0', { kind: 'queue', central: 'central', queue: 'bags', partition: 0 }],
  ['ringmail/queue/c-2/$dead/65535', { kind: 'queue', central: 'c-2', queue: '$dead', partition: 65_535 }],
  ['ringmail/receipt/gw_1', { kind: 'receipt', node: 'gw_1' }],
  ['ringmail/sync/gw', { kind: 'sync', node: 'gw' }],
  ['ringmail/status/central', { kind: 'status', node: 'central' }],
  ['ringmail/down/gw', { kind: 'down', node: 'gw' }],
])('%s', (text, topic) => {
  expect(formatTopic(topic)).toBe(text);
  expect(parseTopic(text)).toEqual(topic);
});

test.each([
  '',
  'ringmail',
  'ringmail/queue/central/bags',
  'ringmail/queue/central/bags/0/1',
  'ringmail/queue/central/bags/01',
  'ringmail/queue/central/bags/-1',
  'ringmail/queue/central/bags/65536',
  'ringmail/queue/central/bags/+',
  'ringmail/queue/cen.tral/bags/0',
  'ringmail/queue//bags/0',
  'ringmail/queue/central/Bags/0',
  'ringmail/receipt/',
  'ringmail/receipt/gw/more',
  'ringmail/other/gw',
  'Ringmail/sync/gw',
  '/ringmail/sync/gw',
  'ringmail/sync/+',
  'ringmail/sync/__proto__',
])('%s is none of ours', (text) => {
  expect(parseTopic(text)).toBeUndefined();
});

test('filters', () => {
  expect(queueFilter('central', '+', '+')).toBe('ringmail/queue/central/+/+');
  expect(queueFilter('central', 'bags', 3)).toBe('ringmail/queue/central/bags/3');
});

test('the partition is the CRC-32 of zlib of the name, modulo the count: the same everywhere, for ever', () => {
  // Python: zlib.crc32(b'device-1') % 8, and so on
  expect(['device-1', 'device-2', 'gateway', 'a'].map((name) => partitionOf(name, 8))).toEqual([1, 3, 7, 3]);
  expect(partitionOf('anything', 1)).toBe(0);
});

test('all that one node sends up goes to one partition, whatever the queue: its order survives', () => {
  const path = { kind: 'up', central: 'central', partitionCount: 8 } as const;
  const topics = ['bags', 'alarms', 'parcels', 'notes'].map((queue) =>
    topicFor(path, { origin: 'device-1', incarnation: '00000000000000aa', destination: `central/${queue}`, priority: 3 }),
  );
  expect(topics).toEqual(['bags', 'alarms', 'parcels', 'notes'].map((queue) => `ringmail/queue/central/${queue}/1`));
});
