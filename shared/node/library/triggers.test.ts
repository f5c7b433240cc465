import { expect, test } from 'vitest';
import { RingmailError } from '../../errors.ts';
import { until } from '../api/api-fixture.ts';
import { RingmailClient } from './client.ts';
import { StubNode } from './stub-node.ts';

const body = (number: number): Uint8Array => Uint8Array.of(number);

test('fires once for each message that fits, whatever its priority, and takes none', async () => {
  const node = new StubNode();
  const client = new RingmailClient(node);
  const seen: (number | undefined)[] = [];
  const where = { label: 'alarm', headers: { belt: '3' } };
  const trigger = await client.trigger({ name: 't', queue: 'in', where, do: ({ message }) => void seen.push(message.body[0]) });
  const headers = new Map([['belt', '3']]);
  await client.send('in', body(1), { label: 'alarm', headers });
  await client.send('in', body(2), { label: 'alarm' });
  await client.send('in', body(3), { label: 'other', headers });
  await client.send('in', body(4), { label: 'alarm', headers, priority: 7 });
  await client.receive('in');
  await until(() => seen.length === 2);
  expect(seen).toEqual([1, 4]);
  expect(trigger.firedCount).toBe(2);
  await trigger.stop();
  expect(node.stored.filter(({ queue }) => queue === 'in').length).toBe(4);
});

test('AC-61 a restart does not fire again, and what came meanwhile fires then', async () => {
  const node = new StubNode();
  const seen: (number | undefined)[] = [];
  const options = {
    name: 't',
    queue: 'in',
    do: ({ message }: { message: { body: Uint8Array } }) => void seen.push(message.body[0]),
  };
  const first = new RingmailClient(node);
  await first.send('in', body(1));
  const trigger = await first.trigger(options);
  await until(() => seen.length === 1);
  await trigger.stop();
  await first.send('in', body(2));
  const second = new RingmailClient(node);
  await second.trigger(options);
  await until(() => seen.length === 2);
  await second.close();
  expect(seen).toEqual([1, 2]);
  const third = new RingmailClient(node);
  const last = await third.trigger(options);
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(seen).toEqual([1, 2]);
  await last.forget();
  const again = await third.trigger(options);
  await until(() => seen.length === 4);
  await again.stop();
});

test('a send and the place it stands for are one frame', async () => {
  const node = new StubNode();
  const client = new RingmailClient(node);
  const headers = new Map([['belt', '3']]);
  await client.send('in', body(1), { label: 'alarm', priority: 6, headers, acknowledge: 'full', journal: 'on' });
  const trigger = await client.trigger({ name: 't', queue: 'in', do: { send: 'out' } });
  await until(() => node.held('out') === '1');
  await trigger.stop();
  const commits = node.calls.filter(({ verb }) => verb === 'commit');
  const properties = { label: 'alarm', priority: 6, headers };
  const position = { do: 'position', name: 'trigger/t', value: Uint8Array.of(1) };
  expect(commits).toEqual([{ verb: 'commit', steps: [{ do: 'send', destination: 'out', body: body(1), properties }, position] }]);
});

test('a send in doubt that was done is not done again; one that was not is', async () => {
  const node = new StubNode();
  const client = new RingmailClient(node);
  await client.send('in', body(1));
  await client.send('in', body(2));
  const call = node.call.bind(node);
  const doubts = ['done', 'not done'];
  node.call = async (asked, signal) => {
    const doubt = asked.verb === 'commit' ? doubts.shift() : undefined;
    if (doubt !== 'not done') {
      const result = await call(asked, signal);
      if (doubt === undefined) return result;
    }
    throw new RingmailError('IN_DOUBT', { identity: '', epoch: 7, reason: 'the disk' });
  };
  const errors: unknown[] = [];
  const trigger = await client.trigger({ name: 't', queue: 'in', do: { send: 'out' }, onError: (error) => errors.push(error) });
  await until(() => node.held('out') === '1 2' && trigger.firedCount > 0);
  await trigger.stop();
  expect(node.held('out')).toBe('1 2');
  expect(errors.length).toBe(2);
});

test('AC-61 one that fails does not stop the others, and goes on after so many attempts', async () => {
  const node = new StubNode();
  const client = new RingmailClient(node);
  const good: (number | undefined)[] = [];
  const bad: (number | undefined)[] = [];
  let told = 0;
  await client.trigger({
    name: 'bad',
    queue: 'in',
    do: ({ message }) => {
      bad.push(message.body[0]);
      if (message.body[0] === 1) throw new Error('never');
    },
    onError: () => {
      told += 1;
      throw new Error('and that is broken, too');
    },
  });
  await client.trigger({ name: 'good', queue: 'in', do: ({ message }) => void good.push(message.body[0]) });
  await client.send('in', body(1));
  await client.send('in', body(2));
  await until(() => good.length === 2);
  expect(bad).not.toContain(2);
  await until(() => bad.includes(2));
  expect(bad).toEqual([1, 1, 1, 1, 1, 2]);
  expect(told).toBe(5);
  await client.close();
});

test('a full destination is waited for; a copy that can never be sent is told and passed over', async () => {
  const node = new StubNode();
  const client = new RingmailClient(node);
  const refusals = [
    new RingmailError('QUEUE_FULL', { queue: 'out', bytesLimit: 1, bytesUsed: 1, bytesNeeded: 1 }),
    undefined,
    new RingmailError('MESSAGE_TOO_LARGE', { bytes: 2, bytesMax: 1 }),
  ];
  node.refuse = ({ verb }) => (verb === 'commit' ? refusals.shift() : undefined);
  const codes: string[] = [];
  const onError = (error: unknown): void => void codes.push((error as RingmailError).code);
  for (const number of [1, 2, 3]) await client.send('in', body(number));
  const trigger = await client.trigger({ name: 't', queue: 'in', do: { send: 'out' }, onError });
  await until(() => node.held('out') === '1 3');
  await trigger.stop();
  expect(codes).toEqual(['QUEUE_FULL', 'MESSAGE_TOO_LARGE']);
});

test('names are checked, and one name runs once in a program', async () => {
  const client = new RingmailClient(new StubNode());
  const options = { name: 't', queue: 'in', do: { send: 'out' } };
  await expect(client.trigger({ ...options, name: 'A trigger' })).rejects.toMatchObject({ code: 'NAME_INVALID' });
  await expect(client.trigger({ ...options, queue: 'nowhere' })).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
  const trigger = await client.trigger(options);
  await expect(client.trigger(options)).rejects.toMatchObject({ code: 'TRIGGER_EXISTS' });
  await trigger.stop();
  await (await client.trigger(options)).stop();
});
