import { expect, test } from 'vitest';
import { RingmailError } from '../../errors.ts';
import { until } from '../api/api-fixture.ts';
import { RingmailClient } from './client.ts';
import { StubNode } from './stub-node.ts';

async function filled(count: number): Promise<{ node: StubNode; client: RingmailClient }> {
  const node = new StubNode();
  const client = new RingmailClient(node);
  for (let i = 1; i <= count; i++) await client.send('in', Uint8Array.of(i));
  return { node, client };
}

test('a loop gets one message after the other, and takes none before it asks', async () => {
  const { node, client } = await filled(3);
  const got: number[] = [];
  for await (const delivery of client.messages('in')) {
    got.push(delivery.message.body[0] ?? 0);
    expect(node.held('in').match(/\*/g)?.length).toBe(1);
    await delivery.ack();
    if (got.length === 3) break;
  }
  expect(got).toEqual([1, 2, 3]);
});

test('prefetch leases so many ahead, and what was not handed out is back when the loop ends', async () => {
  const { node, client } = await filled(10);
  for await (const delivery of client.messages('in', { prefetch: 4 })) {
    await until(() => node.held('in').startsWith('1* 2* 3* 4* 5* 6 '));
    await delivery.ack();
    break;
  }
  expect(node.held('in')).toBe('2 3 4 5 6 7 8 9 10');
});

test('a loop that throws gives back, too', async () => {
  const { node, client } = await filled(3);
  const loop = async (): Promise<void> => {
    for await (const delivery of client.messages('in', { prefetch: 2 })) {
      await until(() => node.held('in') === '1* 2* 3*');
      await delivery.nack();
      throw new Error('mine');
    }
  };
  await expect(loop()).rejects.toThrow('mine');
  expect(node.held('in')).toBe('1 2 3');
});

test('the signal ends a loop that waits, and one that works', async () => {
  const { node, client } = await filled(1);
  const stop = new AbortController();
  const got: number[] = [];
  const looping = (async () => {
    for await (const delivery of client.messages('in', { signal: stop.signal, prefetch: 1 })) {
      got.push(delivery.message.body[0] ?? 0);
      await delivery.ack();
    }
  })();
  await until(() => got.length === 1);
  stop.abort();
  await looping;
  await client.send('in', Uint8Array.of(2));
  expect(node.held('in')).toBe('2');
  for await (const _never of client.messages('in', { signal: stop.signal })) expect.unreachable();
});

test('what waited longer than its lease is not handed out: somebody else may have it', async () => {
  const { node, client } = await filled(3);
  const got: number[] = [];
  for await (const delivery of client.messages('in', { prefetch: 2, leaseMs: 20 })) {
    got.push(delivery.message.body[0] ?? 0);
    await delivery.ack();
    if (got.length === 1) {
      await until(() => node.held('in') === '2* 3*');
      await new Promise((resolve) => setTimeout(resolve, 30));
      node.endLeases();
    }
    if (got.length === 3) break;
  }
  expect(got).toEqual([1, 2, 3]);
  expect(node.calls.filter(({ verb }) => verb === 'ack').length).toBe(3);
});

test('an error of the node ends the loop with it', async () => {
  const { node, client } = await filled(1);
  const loop = async (): Promise<void> => {
    for await (const delivery of client.messages('in')) {
      await delivery.ack();
      node.refuse = () => new RingmailError('QUEUE_DELETED', { queue: 'in' });
    }
  };
  await expect(loop()).rejects.toMatchObject({ code: 'QUEUE_DELETED' });
});
