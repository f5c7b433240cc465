import { expect, test } from 'vitest';
import { RingmailError } from '../../errors.ts';
import { until } from '../api/api-fixture.ts';
import { RingmailClient } from './client.ts';
import { StubNode } from './stub-node.ts';

const body = (number: number): Uint8Array => Uint8Array.of(number);

async function filled(count: number): Promise<{ node: StubNode; client: RingmailClient }> {
  const node = new StubNode();
  const client = new RingmailClient(node);
  for (let i = 1; i <= count; i++) await client.send('in', body(i));
  return { node, client };
}

/** A handler that works on a message until it is told to go on. */
function gate() {
  const working: { number: number; open: () => void }[] = [];
  const handler = ({ message }: { message: { body: Uint8Array } }): Promise<void> =>
    new Promise((open) => working.push({ number: message.body[0] ?? 0, open }));
  return { working, handler };
}

test('a handler gets each message once, and what it returned from is gone', async () => {
  const { node, client } = await filled(20);
  const got: number[] = [];
  const consumer = client.consume('in', ({ message }) => void got.push(message.body[0] ?? 0), { concurrency: 3 });
  await until(() => got.length === 20 && node.held('in') === '');
  expect(got.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  await consumer.stop();
});

test('AC-55 the limit is reached, never exceeded, and changes while it works', async () => {
  const { node, client } = await filled(10);
  const { working, handler } = gate();
  const consumer = client.consume('in', handler, { concurrency: 3 });
  await until(() => working.length === 3);
  expect(node.held('in')).toBe('1* 2* 3* 4 5 6 7 8 9 10');
  consumer.concurrency = 5;
  await until(() => working.length === 5);
  expect(consumer.activeCount).toBe(5);
  consumer.concurrency = 1;
  for (const { open } of working.splice(0, 4)) open();
  await until(() => consumer.activeCount === 1);
  expect(node.held('in')).toBe('5* 6 7 8 9 10');
  working[0]?.open();
  await until(() => working.length === 2);
  expect(consumer.activeCount).toBe(1);
  consumer.concurrency = 0;
  working[1]?.open();
  await until(() => consumer.activeCount === 0);
  expect(node.held('in')).toBe('7 8 9 10');
  await consumer.stop();
  expect(() => {
    consumer.concurrency = -1;
  }).toThrow(expect.objectContaining({ code: 'PROPERTY_INVALID' }));
});

test('AC-47 what a handler throws gives the message back unchanged; an onError that throws loses nothing', async () => {
  const { node, client } = await filled(1);
  const seen: { body: number; header: string | undefined; count: number }[] = [];
  node.stored = [];
  await client.send('in', body(7), { headers: new Map([['belt', '3']]) });
  const consumer = client.consume(
    'in',
    ({ message, deliveryCount }) => {
      seen.push({ body: message.body[0] ?? 0, header: message.headers?.get('belt'), count: deliveryCount });
      message.body[0] = 99;
      (message.headers as Map<string, string>).set('belt', 'broken');
      if (deliveryCount < 3) throw new Error('not now');
    },
    {
      onError: () => {
        throw new Error('and that is broken, too');
      },
    },
  );
  await until(() => node.held('in') === '' && seen.length === 3);
  expect(seen).toEqual([1, 2, 3].map((count) => ({ body: 7, header: '3', count })));
  expect(node.calls.filter(({ verb }) => verb === 'nack')).toEqual([
    { verb: 'nack', lease: 'l1' },
    { verb: 'nack', lease: 'l2' },
  ]);
  await consumer.stop();
});

test('a handler that ends its lease itself has decided', async () => {
  const { node, client } = await filled(2);
  const consumer = client.consume('in', async (delivery) => {
    if (delivery.message.body[0] === 1) await delivery.deadLetter('no such flight');
    else {
      await delivery.ack();
      throw new Error('too late to matter');
    }
  });
  await until(() => node.held('in') === '');
  expect(node.held('$dead')).toBe('1');
  await consumer.stop();
});

test('AC-57 stop waits for work in flight; start and stop again, as often as one likes', async () => {
  const { node, client } = await filled(3);
  const { working, handler } = gate();
  const consumer = client.consume('in', handler);
  await until(() => working.length === 1);
  let isStopped = false;
  const stopping = Promise.all([consumer.stop(), consumer.stop()]).then(() => {
    isStopped = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(isStopped).toBe(false);
  consumer.start();
  consumer.start();
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(working.length).toBe(1);
  working[0]?.open();
  await until(() => working.length === 2);
  expect(node.held('in')).toBe('2* 3');
  const again = consumer.stop();
  working[1]?.open();
  await again;
  await stopping;
  expect(node.held('in')).toBe('3');
  await consumer.stop();
});

test('AC-57 a cancelled stop gives back at once what handlers still have, and what they do later does nothing', async () => {
  const { node, client } = await filled(3);
  const { working, handler } = gate();
  const errors: unknown[] = [];
  const consumer = client.consume('in', handler, { concurrency: 2, onError: (error) => void errors.push(error) });
  await until(() => working.length === 2);
  await consumer.stop({ cancel: true });
  expect(node.held('in')).toBe('1 2 3');
  for (const { open } of working) open();
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(node.held('in')).toBe('1 2 3');
  expect(errors).toEqual([]);
});

test('a node that is away for a while is asked again; a queue that is gone ends it, and says so', async () => {
  const { node, client } = await filled(1);
  const errors: string[] = [];
  let refusals = 2;
  node.refuse = ({ verb }) => {
    if (verb !== 'receive' || refusals === 0) return undefined;
    refusals -= 1;
    return new RingmailError('NODE_STOPPED', { reason: 'opening' });
  };
  const told = (error: unknown): void => void errors.push((error as RingmailError).code);
  const consumer = client.consume('in', () => {}, { onError: told });
  await until(() => node.held('in') === '');
  expect(errors).toEqual(['NODE_STOPPED', 'NODE_STOPPED']);
  await consumer.stop();
  const lost = client.consume('nowhere', () => {}, { concurrency: 2 });
  expect(await lost.ended).toMatchObject({ code: 'QUEUE_NOT_FOUND' });
  await lost.stop();
});

test('closing the client stops its consumers', async () => {
  const { node, client } = await filled(1);
  const { working, handler } = gate();
  client.consume('in', handler);
  await until(() => working.length === 1);
  const closing = client.close();
  working[0]?.open();
  await closing;
  await client.send('in', body(9));
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(node.held('in')).toBe('9');
});
