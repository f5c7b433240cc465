import { expect, test } from 'vitest';
import { until } from '../api/api-fixture.ts';
import { RingmailClient } from './client.ts';
import { StubNode } from './stub-node.ts';

/** A program that answers each request with its number, doubled, as often as the request says. */
function serve(client: RingmailClient, times = 1) {
  return client.consume('in', async (request) => {
    for (let i = 0; i < times; i++) await client.reply(request, 2 * Number(request.value()));
  });
}

test('AC-62 each request gets its own reply, under load, and one response queue is enough', async () => {
  const node = new StubNode();
  const client = new RingmailClient(node);
  const server = serve(client);
  const replies = await Promise.all(Array.from({ length: 100 }, (_, i) => client.request('in', i)));
  expect(replies.map((reply) => reply.value())).toEqual(Array.from({ length: 100 }, (_, i) => 2 * i));
  await until(() => node.held('replies') === '');
  await server.stop();
});

test('two programs share a response queue, and neither takes from the other', async () => {
  const node = new StubNode();
  const one = new RingmailClient(node);
  const other = new RingmailClient(node);
  const server = serve(one);
  const [a, b] = await Promise.all([one.request('in', 1), other.request('in', 2)]);
  expect([a?.value(), b?.value()]).toEqual([2, 4]);
  expect(node.held('$dead')).toBe('');
  await server.stop();
});

test('AC-62 several replies come one after the other, until the time is over', async () => {
  const client = new RingmailClient(new StubNode());
  const server = serve(client, 3);
  const replies = [];
  for await (const reply of client.requestMany('in', 7, { waitMs: 60 })) replies.push(reply.value());
  expect(replies).toEqual([14, 14, 14]);
  await server.stop();
});

test('AC-62 a request without a reply is told so, and is worth no longer than its wait', async () => {
  const node = new StubNode();
  const client = new RingmailClient(node);
  const asking = client.request('in', 1, { waitMs: 20, label: 'x' });
  await expect(asking).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT', details: { waitMs: 20 } });
  expect(node.stored[0]?.message).toMatchObject({ label: 'x', timeToBeReceivedMs: 20, responseQueue: 'box/replies' });
});

test('AC-62 a late reply goes to $dead, and never to the next request', async () => {
  const node = new StubNode();
  const client = new RingmailClient(node);
  await expect(client.request('in', 1, { waitMs: 10 })).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' });
  const late = await client.receive('in');
  const next = client.request('in', 2, { waitMs: 5_000 });
  const request = await client.receive('in', { waitMs: 1_000 });
  if (late !== undefined) await client.reply(late, 'late');
  await until(() => node.stored.some(({ queue }) => queue === '$dead'));
  if (request !== undefined) await client.reply(request, 'in time');
  expect((await next).value()).toBe('in time');
  expect(node.stored.find(({ queue }) => queue === '$dead')?.message.history?.[0]?.reason).toMatch('late reply');
});

test('a reply that comes when its program is gone is worth as long as its request', async () => {
  const node = new StubNode();
  const gone = new RingmailClient(node);
  await expect(gone.request('in', 1, { waitMs: 10 })).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' });
  await gone.close();
  const client = new RingmailClient(node);
  const request = await client.receive('in');
  if (request !== undefined) await client.reply(request, 'hello?');
  expect(node.stored.find(({ queue }) => queue === 'replies')?.message.timeToBeReceivedMs).toBe(10);
});

test('who leaves early, aborts or closes is not waited for', async () => {
  const node = new StubNode();
  const client = new RingmailClient(node);
  const stop = new AbortController();
  const aborted = client.request('in', 1, { signal: stop.signal });
  await until(() => node.stored.length === 1);
  stop.abort(new Error('mine'));
  await expect(aborted).rejects.toThrow('mine');
  const closed = client.request('in', 1);
  await until(() => node.stored.length === 2);
  await client.close();
  await expect(closed).rejects.toMatchObject({ code: 'NODE_STOPPED' });
});

test('a message that wants no reply cannot be replied to', async () => {
  const client = new RingmailClient(new StubNode());
  await client.send('in', 1);
  const delivery = await client.receive('in');
  const replying = delivery && client.reply(delivery, 2);
  await expect(replying).rejects.toMatchObject({ code: 'PROPERTY_INVALID', details: { property: 'responseQueue' } });
});
