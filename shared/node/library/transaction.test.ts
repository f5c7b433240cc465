import { expect, test } from 'vitest';
import { RingmailError } from '../../errors.ts';
import { RingmailClient } from './client.ts';
import { StubNode } from './stub-node.ts';
import type { Transaction } from './transaction.ts';

function stub(): { node: StubNode; client: RingmailClient } {
  const node = new StubNode();
  return { node, client: new RingmailClient(node) };
}
const body = (number: number): Uint8Array => Uint8Array.of(number);

test('receives and sends are one commit, and it says what became of it', async () => {
  const { node, client } = stub();
  for (const number of [1, 2, 3]) await client.send('in', body(number));
  const done = await client.transaction(async (tx) => {
    const first = await tx.receive('in');
    const second = await tx.receive('in');
    const third = await tx.receive('in');
    tx.send('out', body(10), { timeToBeReceivedMs: 5 });
    tx.send('out', body(11), { timeToBeReceivedMs: 7_000, priority: 6 });
    if (second !== undefined) tx.deadLetter(second, 'no such flight');
    if (third !== undefined) tx.move(third, 'in;later');
    expect(node.held('out')).toBe('');
    return first?.message.body[0];
  });
  expect(done).toMatchObject({
    value: 1,
    durability: 'sync',
    identities: [expect.stringContaining('box/out:3'), expect.stringContaining('box/out:6')],
  });
  expect([node.held('in'), node.held('in;later'), node.held('out'), node.held('$dead')]).toEqual(['', '3', '10 11', '2']);
  expect(node.stored.filter(({ queue }) => queue === 'out').map(({ message }) => message.timeToBeReceivedMs)).toEqual([5, 7_000]);
  expect(node.calls.filter(({ verb }) => verb === 'commit').length).toBe(1);
});

test('AC-19 what throws leaves nothing, and gives back what it received', async () => {
  const { node, client } = stub();
  await client.send('in', body(1));
  const failing = client.transaction(async (tx) => {
    await tx.receive('in');
    tx.send('out', body(2));
    throw new Error('mine');
  });
  await expect(failing).rejects.toThrow('mine');
  expect([node.held('in'), node.held('out')]).toEqual(['1', '']);
  expect(node.calls.at(-1)).toEqual({ verb: 'nack', lease: 'l1', delayMs: 0 });
});

test('a commit that is refused gives back; one in doubt does not, for it may be done', async () => {
  const { node, client } = stub();
  await client.send('in', body(1));
  const full = new RingmailError('QUEUE_FULL', { queue: 'out', bytesLimit: 1, bytesUsed: 1, bytesNeeded: 1 });
  node.refuse = ({ verb }) => (verb === 'commit' ? full : undefined);
  const act = async (tx: Transaction): Promise<void> => {
    await tx.receive('in');
    tx.send('out', body(2));
  };
  await expect(client.transaction(act)).rejects.toBe(full);
  expect(node.held('in')).toBe('1');
  const inDoubt = new RingmailError('IN_DOUBT', { identity: 'x', epoch: 7, reason: 'the disk' });
  node.refuse = ({ verb }) => (verb === 'commit' ? inDoubt : undefined);
  await expect(client.transaction(act)).rejects.toBe(inDoubt);
  expect(node.held('in')).toBe('1*');
});

test('a transaction that is over takes nothing more, and what comes for it late goes back', async () => {
  const { node, client } = stub();
  let kept: Transaction | undefined;
  let late: Promise<unknown> | undefined;
  await client.transaction((tx) => {
    kept = tx;
    late = tx.receive('in', { waitMs: 1_000 });
    late.catch(() => {}); // looked at below
  });
  const ended = { code: 'TRANSACTION_ENDED' };
  expect(() => kept?.send('out', body(1))).toThrow(expect.objectContaining(ended));
  await expect(kept?.receive('in')).rejects.toMatchObject(ended);
  await client.send('in', body(5));
  await expect(late).rejects.toMatchObject(ended);
  expect(node.held('in')).toBe('5');
});

test('what was received elsewhere, or is refused at once, does not get in', async () => {
  const { node, client } = stub();
  await client.send('in', body(1));
  const other = await client.receive('in');
  const failing = client.transaction((tx) => other && tx.deadLetter(other, 'x'));
  await expect(failing).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' });
  const express = client.transaction((tx) => tx.send('out', body(1), { delivery: 'express' }));
  await expect(express).rejects.toMatchObject({ code: 'PROPERTY_INVALID', details: { property: 'delivery' } });
  expect(node.calls.some(({ verb }) => verb === 'commit')).toBe(false);
});

test('nothing to do is done without asking; a number makes it the same request', async () => {
  const { node, client } = stub();
  expect(await client.transaction(() => 5)).toMatchObject({ value: 5, identities: [] });
  expect(node.calls).toEqual([]);
  await client.transaction((tx) => tx.send('out', 'hello'), { by: { producer: 'scanner', number: 1 } });
  expect(node.calls.at(-1)).toMatchObject({ verb: 'commit', by: { producer: 'scanner', number: 1 } });
});

test('several destinations are one commit, with the identities in their order', async () => {
  const { node, client } = stub();
  const identities = await client.send(['in', 'out'], { tag: '0117814872' }, { priority: 5 });
  expect(identities).toEqual([expect.stringContaining('box/in:5:1'), expect.stringContaining('box/out:5:2')]);
  expect(node.calls.length).toBe(1);
  await expect(client.send(['in', 'out'], 'x', { sendKey: 'k' })).rejects.toMatchObject({ code: 'PROPERTY_INVALID' });
});
