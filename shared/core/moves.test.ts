import { afterEach, describe, expect, test } from 'vitest';
import { codeOf, QueueBox, textOf } from '../../hardware-sim/queue-box.ts';
import { identityText } from '../message/identity.ts';
import type { QueueOptions } from '../queue/queue-options.ts';
import { SUBQUEUE_COUNT_MAX } from '../queue/queue-table.ts';
import type { Peeked } from './calls.ts';

let box: QueueBox;

async function start(name: string, options: Partial<QueueOptions> = {}): Promise<void> {
  box = new QueueBox(name, {
    queues: [
      { name: 'bags', bytesLimit: 20_000, ...options },
      { name: 'other', bytesLimit: 5000 },
    ],
  });
  await box.start();
}

const move = async (queue: string, lookupId: number, to: string) => codeOf(await box.ask({ verb: 'move', queue, lookupId, to }));

async function peek(queue: string): Promise<Peeked | undefined> {
  const result = await box.ask({ verb: 'peek', queue, waitMs: 0, bodies: 'with' });
  return result?.kind === 'peeked' ? result.peeked : undefined;
}

const counts = (queue: string) => {
  const found = box.stats.queues.find(({ name }) => name === queue);
  return found && [found.ready, found.leased, found.delayed];
};

afterEach(() => {
  for (const { name, arrived, ended, ready, leased, delayed } of box.node.stats()?.queues ?? [])
    expect(ended + ready + leased + delayed, `messages of ${name}`).toBe(arrived);
});

test('AC-48 a message that is moved to a subqueue and back keeps identity, body, lookup id and delivery count; its move count rises; it counts in its queue', async () => {
  await start('there and back');
  for (const text of ['one', 'two', 'three']) await box.send('bags', text, { priority: 5 });
  const got = await box.receive('bags');
  await box.ask({ verb: 'nack', lease: got?.lease ?? '', delayMs: 0 });
  await box.pass(300);
  const before = await peek('bags');
  const { bytes } = box.queue('bags');
  expect(before).toMatchObject({ lookupId: 1, moveCount: 0, deliveryCount: 1 });
  expect(await move('bags', 1, 'bags;aside')).toBe('done');
  const { queue: _, moveCount: __, ...same } = before as Peeked;
  for (const how of ['none', 'power cut', 'closed'] as const) {
    if (how !== 'none') await box.restart(how);
    expect(await peek('bags;aside')).toMatchObject({ ...same, queue: 'bags;aside', moveCount: 1 });
    expect([counts('bags'), counts('bags;aside')]).toEqual([
      [2, 0, 0],
      [1, 0, 0],
    ]);
    expect([box.queue('bags').bytes, box.queue('bags;aside').bytesLimit]).toEqual([bytes, 20_000]);
  }
  expect(await move('bags;aside', 1, 'bags;further')).toBe('done');
  expect(await move('bags;further', 1, 'bags')).toBe('done');
  const after = await peek('bags');
  expect(after).toMatchObject({ ...same, queue: 'bags', moveCount: 3 });
  expect(identityText(after?.message.identity as never)).toBe(identityText(before?.message.identity as never));
  expect(await box.drain('bags'), 'back in its old place').toEqual(['one', 'two', 'three']);
});

test('what is in a subqueue is received from there alone, expires there, and is purged there', async () => {
  await start('of its own');
  for (const [text, timeToBeReceivedMs] of [
    ['one', 0],
    ['two', 3000],
    ['three', 0],
  ] as const)
    await box.send('bags', text, timeToBeReceivedMs > 0 ? { timeToBeReceivedMs } : {});
  for (const id of [1, 2, 3]) expect(await move('bags', id, 'bags;aside')).toBe('done');
  expect(await box.drain('bags')).toEqual([]);
  const got = await box.receive('bags;aside');
  expect(textOf(got)).toBe('one');
  await box.ack(got);
  await box.pass(3500);
  expect(counts('bags;aside')).toEqual([1, 0, 0]);
  expect(await box.ask({ verb: 'purge', queue: 'bags;aside' })).toEqual({ kind: 'purged', count: 1 });
  expect(await box.ask({ verb: 'purge', queue: 'bags;aside' })).toEqual({ kind: 'purged', count: 0 });
});

test('who waits for a part is served by a move into it', async () => {
  await start('waits');
  const waits = box.begin({ verb: 'receive', queue: 'bags;aside', waitMs: 60_000, leaseMs: 1000 });
  await box.send('bags', 'one');
  expect(waits.result).toBeUndefined();
  expect(await move('bags', 1, 'bags;aside')).toBe('done');
  await box.pass(50);
  expect(codeOf(waits.result)).toBe('received');
});

test('the bytes of its parts fill a queue', async () => {
  await start('full', { bytesLimit: 3000 });
  await box.send('bags', `one ${'x'.repeat(1800)}`);
  await move('bags', 1, 'bags;aside');
  expect(await box.send('bags', `two ${'x'.repeat(1800)}`)).toBe('QUEUE_FULL');
  await box.ask({ verb: 'purge', queue: 'bags;aside' });
  expect(await box.send('bags', `two ${'x'.repeat(1800)}`)).toBe('sent');
});

describe('nobody', () => {
  test('sends to a subqueue, from here or anywhere', async () => {
    await start('send');
    expect(await box.send('bags;aside', 'one')).toBe('ACCESS_MODE_INVALID');
    expect(await box.send('central/bags;aside', 'one')).toMatch(/NAME_INVALID|ACCESS_MODE_INVALID/);
    expect(await box.send('bags', 'one', { responseQueue: 'bags;aside' })).toBe('PROPERTY_INVALID');
  });

  test('moves a message into another queue, to where it is, or out of the reach of who waits for it', async () => {
    await start('wrong');
    await box.send('bags', 'one');
    await box.send('bags', 'later', { deliverAfterMs: 60_000 });
    await box.send('bags', 'leased', { priority: 7 });
    await box.receive('bags', { leaseMs: 60_000 });
    expect(await move('bags', 1, 'other')).toBe('ACCESS_MODE_INVALID');
    expect(await move('bags', 1, 'other;aside')).toBe('ACCESS_MODE_INVALID');
    expect(await move('bags', 1, 'bags')).toBe('ACCESS_MODE_INVALID');
    expect(await move('bags', 1, 'bags;Aside')).toBe('QUEUE_NOT_FOUND');
    expect(await move('bags', 1, `bags;${'x'.repeat(33)}`)).toBe('QUEUE_NOT_FOUND');
    expect(await move('$dead', 1, '$dead;aside')).toMatch(/MESSAGE_NOT_FOUND|ACCESS_MODE_INVALID/);
    expect(await box.receive('$dead;aside')).toBeUndefined();
    for (const id of [2, 3, 4]) expect(await move('bags', id, 'bags;aside')).toBe('MESSAGE_NOT_FOUND');
    expect(await move('other', 1, 'other;aside')).toBe('MESSAGE_NOT_FOUND');
    expect(counts('bags')).toEqual([1, 1, 1]);
  });

  test('makes more subqueues of a queue than there may be', async () => {
    await start('many parts');
    await box.send('bags', 'one');
    for (let i = 0; i < SUBQUEUE_COUNT_MAX; i++) await box.receive(`bags;p${i}`);
    expect(await move('bags', 1, 'bags;more')).toBe('BUSY');
    expect(await move('bags', 1, 'bags;p7')).toBe('done');
  });
});

test('a subqueue that is empty when the node opens is forgotten; its id is never used again', async () => {
  await start('forgotten');
  await box.send('bags', 'one');
  await move('bags', 1, 'bags;aside');
  const id = box.queueId('bags;aside');
  expect(id).toBeGreaterThan(0);
  await box.drain('bags;aside');
  expect(counts('bags;aside')).toEqual([0, 0, 0]);
  await box.restart('closed');
  await box.pass(50);
  expect([counts('bags;aside'), box.queueId('bags;aside')]).toEqual([undefined, 0]);
  await box.send('bags', 'two');
  await move('bags', 2, 'bags;aside');
  expect(box.queueId('bags;aside')).toBeGreaterThan(id);
});

test('a queue is deleted with its parts', async () => {
  await start('deleted');
  await box.ask({ verb: 'createQueue', queue: 'new', options: {} });
  await box.send('new', 'one');
  await box.send('new', 'two');
  await move('new', 1, 'new;aside');
  const waits = box.begin({ verb: 'receive', queue: 'new;empty', waitMs: 60_000, leaseMs: 1000 });
  await box.pass(20);
  expect(codeOf(await box.ask({ verb: 'deleteQueue', queue: 'new' }))).toBe('done');
  expect(codeOf(waits.result)).toBe('QUEUE_DELETED');
  expect(codeOf(await box.ask({ verb: 'receive', queue: 'new;aside', waitMs: 0, leaseMs: 1 }))).toBe('QUEUE_NOT_FOUND');
  await box.restart('power cut');
  expect(box.stats.queues.map(({ name }) => name).filter((name) => name.startsWith('new'))).toEqual([]);
});

test('of a strict queue what is put aside holds nobody back', async () => {
  await start('strict', { ordering: 'strict' });
  for (const text of ['one', 'two']) await box.send('bags', text);
  await move('bags', 1, 'bags;aside');
  const two = await box.receive('bags', { leaseMs: 60_000 });
  expect(textOf(two)).toBe('two');
  await move('bags;aside', 1, 'bags');
  expect(await box.receive('bags'), 'of its stream one is under lease').toBeUndefined();
  await box.ack(two);
  expect(textOf(await box.receive('bags'))).toBe('one');
});

test.each([...Array(12).keys()])(
  'cut %i half milliseconds into it, a move is before or after, never lost and never twice',
  async (at) => {
    await start(`cut ${at}`);
    for (let i = 1; i <= 6; i++) await box.send('bags', `m${i}`, { priority: i % 3 });
    const moves = [1, 2, 3].map((lookupId) => box.begin({ verb: 'move', queue: 'bags', lookupId, to: 'bags;aside' }));
    await box.pass(at / 2);
    const told = moves.filter(({ result }) => result?.kind === 'done').length;
    await box.restart('power cut');
    const aside = counts('bags;aside')?.[0] ?? 0;
    expect(aside).toBeGreaterThanOrEqual(told);
    const texts = [...(await box.drain('bags')), ...(aside > 0 ? await box.drain('bags;aside') : [])];
    expect(texts.sort()).toEqual(['m1', 'm2', 'm3', 'm4', 'm5', 'm6']);
  },
);

test("a message on its way between two queues is nobody's: not received, purged or expired before it is there", async () => {
  await start('on its way');
  await box.send('bags', 'one', { timeToBeReceivedMs: 2000 });
  await box.pass(1990);
  const moved = box.begin({ verb: 'move', queue: 'bags', lookupId: 1, to: 'bags;aside' });
  const got = box.begin({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1000 });
  const purge = box.begin({ verb: 'purge', queue: 'bags' });
  await box.pass(1000);
  expect(moved.result?.kind === 'done' || codeOf(moved.result) === 'MESSAGE_NOT_FOUND').toBe(true);
  if (moved.result?.kind === 'done') {
    expect([codeOf(got.result), purge.result]).toEqual(['empty', { kind: 'purged', count: 0 }]);
    expect(counts('bags;aside')).toEqual([0, 0, 0]);
  }
});

describe('in a transaction', () => {
  test('what is under lease moves in the frame of the rest, or none of it happens', async () => {
    await start('transaction');
    for (const text of ['one', 'two']) await box.send('bags', text);
    const [one, two] = [await box.receive('bags', { leaseMs: 60_000 }), await box.receive('bags', { leaseMs: 60_000 })];
    const lease = one?.lease ?? '';
    const send = { do: 'send' as const, destination: 'other', body: new Uint8Array(1), properties: {} };
    const refused = await box.ask({
      verb: 'commit',
      steps: [
        { do: 'move', lease, to: 'bags;aside' },
        { ...send, destination: 'none' },
      ],
    });
    expect([codeOf(refused), counts('bags'), counts('bags;aside')]).toEqual(['QUEUE_NOT_FOUND', [0, 2, 0], [0, 0, 0]]);
    const elsewhere = await box.ask({ verb: 'commit', steps: [{ do: 'move', lease, to: 'other' }, send] });
    expect([codeOf(elsewhere), counts('other')]).toEqual(['ACCESS_MODE_INVALID', [0, 0, 0]]);
    const steps = [one, two].map((got) => ({ do: 'move' as const, lease: got?.lease ?? '', to: 'bags;aside' }));
    expect(codeOf(await box.ask({ verb: 'commit', steps: [...steps, send] }))).toBe('committed');
    expect(await box.ack(one)).toBe('LEASE_UNKNOWN');
    for (const how of ['none', 'power cut'] as const) {
      if (how !== 'none') await box.restart(how);
      expect([counts('bags'), counts('bags;aside'), counts('other')]).toEqual([
        [0, 0, 0],
        [2, 0, 0],
        [1, 0, 0],
      ]);
    }
    expect(await peek('bags;aside')).toMatchObject({ lookupId: 1, moveCount: 1 });
    expect(await box.drain('bags;aside')).toEqual(['one', 'two']);
  });
});
