import { expect, test } from 'vitest';
import { RingmailError } from '../../errors.ts';
import { identityText } from '../../message/identity.ts';
import { until } from '../api/api-fixture.ts';
import { RingmailClient } from './client.ts';
import { StubNode } from './stub-node.ts';

const BODY = Uint8Array.of(1);

/** What a node says in `$admin` of a message. */
async function say(node: StubNode, word: string, correlationId: string): Promise<void> {
  await node.call({ verb: 'send', destination: '$admin', body: BODY, properties: { label: word, correlationId } });
}
function identitiesIn(node: StubNode, queue: string): string[] {
  return node.stored.filter((one) => one.queue === queue).map(({ message }) => identityText(message.identity));
}

test('AC-37 resolves with the word that it was received, and takes that word', async () => {
  const node = new StubNode();
  const client = new RingmailClient(node);
  const delivering = client.deliver('in', BODY, { label: 'x' });
  await until(() => node.stored.length === 1);
  const [identity = ''] = identitiesIn(node, 'in');
  expect(node.stored[0]?.message).toMatchObject({ label: 'x', acknowledge: 'receive' });
  await say(node, 'ACK_RECEIVE', identity);
  expect(await delivering).toEqual({ identity, durability: 'sync', class: 'ACK_RECEIVE' });
  await until(() => node.held('$admin') === '');
});

test('AC-37 rejects with the class of any other end', async () => {
  const node = new StubNode();
  const client = new RingmailClient(node);
  const delivering = client.deliver('in', BODY, { until: 'reach', waitMs: 5_000 });
  await until(() => node.stored.length === 1);
  expect(node.stored[0]?.message).toMatchObject({ acknowledge: 'reach', timeToReachQueueMs: 5_000 });
  const [identity = ''] = identitiesIn(node, 'in');
  await say(node, 'REACH_QUEUE_TIMEOUT', identity);
  await expect(delivering).rejects.toMatchObject({
    code: 'DELIVERY_FAILED',
    details: { identity, class: 'REACH_QUEUE_TIMEOUT' },
  });
});

test('a word that is faster than the answer to the send is not missed', async () => {
  const node = new StubNode();
  const client = new RingmailClient(node);
  const call = node.call.bind(node);
  node.call = async (asked, signal) => {
    const result = await call(asked, signal);
    if (asked.verb === 'send' && asked.destination === 'in' && result.kind === 'sent') {
      await say(node, 'ACK_REACH_QUEUE', result.identity);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return result;
  };
  expect((await client.deliver('in', BODY, { until: 'reach' })).class).toBe('ACK_REACH_QUEUE');
});

test('words for others stay, old ones and new ones, and one reader serves all', async () => {
  const node = new StubNode();
  const client = new RingmailClient(node);
  await say(node, 'ACK_RECEIVE', 'old');
  const all = Promise.all(Array.from({ length: 50 }, () => client.deliver('in', BODY)));
  await until(() => node.stored.length === 51);
  await say(node, 'ACK_RECEIVE', 'of another program');
  for (const identity of identitiesIn(node, 'in').reverse()) await say(node, 'ACK_RECEIVE', identity);
  expect((await all).map(({ identity }) => identity)).toEqual(identitiesIn(node, 'in'));
  await until(() => node.stored.filter(({ queue }) => queue === '$admin').length === 2);
  expect(node.calls.filter(({ verb }) => verb === 'stats').length).toBe(1);
});

test('a wait ends by its signal, by its time, and with the client', async () => {
  const node = new StubNode();
  const client = new RingmailClient(node);
  const stop = new AbortController();
  const aborted = client.deliver('in', BODY, { signal: stop.signal });
  await until(() => node.stored.length === 1);
  stop.abort(new Error('mine'));
  await expect(aborted).rejects.toThrow('mine');
  await expect(client.deliver('in', BODY, { signal: stop.signal })).rejects.toThrow('mine');
  const closed = client.deliver('in', BODY);
  await until(() => node.stored.length === 2);
  await client.close();
  await expect(closed).rejects.toMatchObject({ code: 'NODE_STOPPED' });
});

test('a send that is refused is told as it is; a node that is away for a while is asked again', async () => {
  const node = new StubNode();
  const client = new RingmailClient(node);
  await expect(client.deliver('nowhere', BODY)).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
  let refusals = 2;
  node.refuse = ({ verb }) => {
    if (verb !== 'peek' || refusals === 0) return undefined;
    refusals -= 1;
    return new RingmailError('NODE_STOPPED', { reason: 'opening' });
  };
  const delivering = client.deliver('in', BODY);
  await until(() => refusals === 0 && node.stored.length === 1);
  await say(node, 'ACK_RECEIVE', identitiesIn(node, 'in')[0] ?? '');
  expect((await delivering).class).toBe('ACK_RECEIVE');
});
