import { expect, test } from 'vitest';
import { placeText } from '../../queue/selector.ts';
import { RingmailClient } from './client.ts';
import { StubNode } from './stub-node.ts';

async function filled(...priorities: number[]): Promise<{ node: StubNode; client: RingmailClient }> {
  const node = new StubNode();
  const client = new RingmailClient(node);
  for (const [i, priority] of priorities.entries()) await client.send('in', Uint8Array.of(i + 1), { priority });
  return { node, client };
}
const numbers = (seen: { message: { body: Uint8Array } } | undefined): number | undefined => seen?.message.body[0];

test('AC-11 what is changed after a send changes nothing that was sent', async () => {
  const { node, client } = await filled();
  const bytes = Uint8Array.of(1);
  const value = { tag: 'a' };
  await client.send('in', bytes);
  await client.send('in', value);
  bytes[0] = 9;
  value.tag = 'b';
  expect((await client.receive('in'))?.message.body).toEqual(Uint8Array.of(1));
  expect((await client.receive('in'))?.value()).toEqual(new Map([['tag', 'a']]));
  expect(node.calls[1]).toMatchObject({ properties: { contentType: 'application/cbor' } });
});

test('how a message is sent goes with the call, and is no property of it', async () => {
  const { node, client } = await filled();
  const by = { producer: 'scanner', number: 7 };
  await client.send('in', Uint8Array.of(1), { label: 'x', waitMs: 5, sendKey: 'k', delivery: 'express', by });
  const how = { waitMs: 5, sendKey: 'k', delivery: 'express', by };
  expect(node.calls).toEqual([{ verb: 'send', destination: 'in', body: Uint8Array.of(1), properties: { label: 'x' }, ...how }]);
});

test('AC-12 a peek shows what a receive would give, and takes nothing', async () => {
  const { node, client } = await filled(3, 5);
  const glance = await client.peek('in');
  expect(glance).toMatchObject({ queue: 'in', bodyBytes: 1, deliveryCount: 0, place: { priority: 5, lookupId: 2 } });
  expect((await client.receive('in'))?.identity).toBe(glance?.identity);
  expect((await client.peek('in', { bodies: 'without' }))?.message.body.length).toBe(0);
  expect(node.held('in')).toBe('1 2*');
});

test('AC-15 by id, by correlation, by lookup id', async () => {
  const { client } = await filled(3, 3);
  const identity = await client.send('in', Uint8Array.of(3), { correlationId: 'c' });
  expect(numbers(await client.peek('in', { select: { by: 'identity', identity } }))).toBe(3);
  expect(numbers(await client.receive('in', { select: { by: 'correlationId', correlationId: 'c' } }))).toBe(3);
  expect(numbers(await client.receive('in', { select: { by: 'lookupId', lookupId: 2 } }))).toBe(2);
  const gone = client.receive('in', { select: { by: 'lookupId', lookupId: 2 } });
  await expect(gone).rejects.toMatchObject({ code: 'MESSAGE_NOT_FOUND' });
});

test('AC-16 AC-17 a cursor goes both ways, over what is gone, and sees what comes later when it is asked again', async () => {
  const { client } = await filled(3, 3, 5, 3);
  const cursor = client.cursor('in');
  expect(numbers(await cursor.next())).toBe(3);
  expect(numbers(await cursor.next())).toBe(1);
  expect(numbers(await cursor.next())).toBe(2);
  await (await cursor.receive())?.ack();
  expect(await cursor.current()).toBeUndefined();
  expect(await cursor.receive()).toBeUndefined();
  expect(numbers(await cursor.next())).toBe(4);
  expect(await cursor.next()).toBeUndefined();
  await client.send('in', Uint8Array.of(5));
  expect(numbers(await cursor.next())).toBe(5);
  expect(numbers(await cursor.previous())).toBe(4);
  expect(numbers(await cursor.previous())).toBe(1);
  const again: (number | undefined)[] = [];
  const { place } = cursor;
  for await (const seen of client.cursor('in', place === undefined ? {} : { at: placeText(place) })) again.push(numbers(seen));
  expect(again).toEqual([4, 5]);
  expect(() => client.cursor('in', { at: 'third' })).toThrow(expect.objectContaining({ code: 'PROPERTY_INVALID' }));
});

test('what is asked of queues and of the node arrives as it was asked', async () => {
  const { node, client } = await filled();
  await client.createQueue('bags', { bytesLimit: 5 });
  await client.pause('bags');
  await client.resume('bags');
  await client.move('bags', 7, 'bags;later');
  await client.redrive('$dead', 8);
  await client.redrive('$dead', 8, 'bags');
  await client.deleteQueue('bags');
  await client.retireProducer('scanner');
  expect(await client.outcome('x', 3)).toBe('kept');
  expect(await client.purge('in')).toBe(0);
  expect((await client.queues()).map(({ name }) => name)).toContain('bags');
  const handle = await client.open('in', { share: 'alone' });
  await handle.receive();
  await handle.peek();
  await expect(handle.send('x')).rejects.toMatchObject({ code: 'ACCESS_MODE_INVALID' });
  await handle.close();
  expect(node.calls).toEqual([
    { verb: 'createQueue', queue: 'bags', options: { bytesLimit: 5 } },
    { verb: 'setQueue', queue: 'bags', changes: { state: 'paused' } },
    { verb: 'setQueue', queue: 'bags', changes: { state: 'running' } },
    { verb: 'move', queue: 'bags', lookupId: 7, to: 'bags;later' },
    { verb: 'redrive', queue: '$dead', lookupId: 8 },
    { verb: 'redrive', queue: '$dead', lookupId: 8, to: 'bags' },
    { verb: 'deleteQueue', queue: 'bags' },
    { verb: 'retireProducer', producer: 'scanner' },
    { verb: 'outcome', identity: 'x', epoch: 3 },
    { verb: 'purge', queue: 'in' },
    { verb: 'queues' },
    { verb: 'open', queue: 'in', access: 'receive', share: 'alone', idleMs: 30_000 },
    { verb: 'receive', queue: 'in', handle: 'in-handle', waitMs: 0, leaseMs: 30_000 },
    { verb: 'peek', queue: 'in', handle: 'in-handle', waitMs: 0, bodies: 'with' },
    { verb: 'close', handle: 'in-handle' },
  ]);
});
