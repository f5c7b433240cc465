import { expect, test } from 'vitest';
import { codeOf, QueueBox } from '../../hardware-sim/queue-box.ts';
import type { Access, Share } from './calls.ts';

let box: QueueBox;

async function start(name: string): Promise<void> {
  box = new QueueBox(name, { queues: ['bags', 'other'].map((queue) => ({ name: queue, bytesLimit: 50_000 })) });
  await box.start();
}

/** The handle, or the code of the refusal. */
async function open(queue: string, access: Access, share: Share = 'all', idleMs = 30_000): Promise<string> {
  const result = await box.ask({ verb: 'open', queue, access, share, idleMs });
  return result?.kind === 'opened' ? result.handle : (codeOf(result) ?? '');
}

const close = async (handle: string) => codeOf(await box.ask({ verb: 'close', handle }));

async function receive(queue: string, handle?: string): Promise<string | undefined> {
  return codeOf(await box.ask({ verb: 'receive', queue, waitMs: 0, leaseMs: 1000, ...(handle !== undefined && { handle }) }));
}

async function peek(queue: string, handle?: string): Promise<string | undefined> {
  return codeOf(await box.ask({ verb: 'peek', queue, waitMs: 0, bodies: 'without', ...(handle !== undefined && { handle }) }));
}

test('who has a queue alone is the only reader of it and of its parts, whoever asks and how', async () => {
  await start('alone');
  const mine = await open('bags', 'receive', 'alone');
  const theirs = await open('other', 'receive');
  for (const queue of ['bags', 'bags;aside']) {
    expect([queue, await receive(queue), await peek(queue)]).toEqual([queue, 'SHARING_VIOLATION', 'SHARING_VIOLATION']);
    expect([queue, await receive(queue, mine), await peek(queue, mine)]).toEqual([queue, 'empty', 'empty']);
    expect(await open(queue, 'peek')).toBe('SHARING_VIOLATION');
  }
  expect(await receive('other', theirs)).toBe('empty');
  expect(await receive('other')).toBe('empty');
  expect(await box.send('bags', 'everybody may send')).toBe('sent');
  expect(await close(mine)).toBe('done');
  expect(await receive('bags')).toBe('received');
});

test('a move is a read: not for others while somebody has the queue alone', async () => {
  await start('alone and moves');
  await box.send('bags', 'one');
  const mine = await open('bags', 'receive', 'alone');
  const move = async (handle?: string) =>
    codeOf(
      await box.ask({ verb: 'move', queue: 'bags', lookupId: 1, to: 'bags;aside', ...(handle !== undefined && { handle }) }),
    );
  expect(await move()).toBe('SHARING_VIOLATION');
  expect(await move(mine)).toBe('done');
});

test('nobody gets a queue alone while another has it open to read; who only sends is not in the way', async () => {
  await start('in the way');
  const peeking = await open('bags', 'peek');
  const sending = await open('bags', 'send');
  expect(await open('bags', 'receive', 'alone')).toBe('SHARING_VIOLATION');
  await close(peeking);
  const part = await open('bags;aside', 'receive');
  expect(await open('bags', 'receive', 'alone'), 'its parts are read with it').toBe('SHARING_VIOLATION');
  await close(part);
  const alone = await open('bags', 'receive', 'alone');
  expect(alone).toMatch(/^h/);
  expect(await open('bags', 'receive', 'alone')).toBe('SHARING_VIOLATION');
  expect(await close(sending)).toBe('done');
});

test('who has a part alone is not in the way of who reads the others', async () => {
  await start('part alone');
  const part = await open('bags;aside', 'receive', 'alone');
  expect([await receive('bags'), await receive('bags;other'), await receive('bags;aside')]).toEqual([
    'empty',
    'empty',
    'SHARING_VIOLATION',
  ]);
  expect(await open('bags', 'receive')).toMatch(/^h/);
  expect(await open('bags', 'receive', 'alone')).toBe('SHARING_VIOLATION');
  expect(await receive('bags;aside', part)).toBe('empty');
});

test('a handle serves what it was opened for, and receive includes peek', async () => {
  await start('modes');
  const [receiving, peeking] = [await open('bags', 'receive'), await open('bags', 'peek')];
  expect([await receive('bags', receiving), await peek('bags', receiving)]).toEqual(['empty', 'empty']);
  expect([await receive('bags', peeking), await peek('bags', peeking)]).toEqual(['ACCESS_MODE_INVALID', 'empty']);
  expect(await receive('other', receiving)).toBe('ACCESS_MODE_INVALID');
  expect(await receive('bags', await open('bags', 'send'))).toBe('ACCESS_MODE_INVALID');
});

test('nobody opens for sending what nobody sends to, or sends alone', async () => {
  await start('sending');
  expect(await open('$dead', 'send')).toBe('ACCESS_MODE_INVALID');
  expect(await open('bags;aside', 'send')).toBe('ACCESS_MODE_INVALID');
  expect(await open('bags', 'send', 'alone')).toBe('ACCESS_MODE_INVALID');
  expect(await open('none', 'receive')).toBe('QUEUE_NOT_FOUND');
  expect(await open('$dead', 'receive', 'alone')).toMatch(/^h/);
});

test('a handle that nobody uses for its time is closed, and the queue is free; each use prolongs it', async () => {
  await start('idle');
  const mine = await open('bags', 'receive', 'alone', 1000);
  for (let i = 0; i < 4; i++) {
    await box.pass(800);
    expect(await receive('bags', mine)).toBe('empty');
  }
  await box.pass(1001);
  expect(await receive('bags')).toBe('empty');
  expect(await receive('bags', mine)).toBe('HANDLE_UNKNOWN');
  expect(await close(mine)).toBe('HANDLE_UNKNOWN');
});

test('one that is idle is not in the way of who wants the queue alone', async () => {
  await start('idle in the way');
  await open('bags', 'peek', 'all', 500);
  await box.pass(501);
  expect(await open('bags', 'receive', 'alone', 500)).toMatch(/^h/);
  await box.pass(501);
  expect(await open('bags', 'receive', 'alone', 500)).toMatch(/^h/);
});

test('a handle ends with the node, and with its queue', async () => {
  await start('ends');
  await box.ask({ verb: 'createQueue', queue: 'new', options: {} });
  const old = await open('new', 'receive', 'alone');
  await box.ask({ verb: 'deleteQueue', queue: 'new' });
  expect(await receive('new', old)).toMatch(/QUEUE_(DELETED|NOT_FOUND)/);
  await box.ask({ verb: 'createQueue', queue: 'new', options: {} });
  expect(await receive('new', old), 'of its name is another one').toBe('QUEUE_DELETED');
  expect(await receive('new')).toBe('empty');
  const mine = await open('bags', 'receive', 'alone');
  await box.restart('power cut');
  expect(await receive('bags')).toBe('empty');
  expect(await receive('bags', mine)).toBe('HANDLE_UNKNOWN');
  expect(await open('bags', 'receive')).not.toBe(mine);
});

test('as many as there may be, and then BUSY, until some are idle', { timeout: 60_000 }, async () => {
  await start('many');
  const { HANDLE_COUNT_MAX } = await import('../limits.ts');
  const results = Array.from({ length: HANDLE_COUNT_MAX }, () =>
    box.begin({ verb: 'open', queue: 'bags', access: 'peek', share: 'all', idleMs: 5000 }),
  );
  await box.pass(100);
  expect(results.every(({ result }) => result?.kind === 'opened')).toBe(true);
  expect(await open('bags', 'peek')).toBe('BUSY');
  await box.pass(5000);
  expect(await open('bags', 'peek')).toMatch(/^h/);
});

test('who waits for a queue when another opens it alone is told so; his leases hold', async () => {
  await start('waits');
  await box.send('bags', 'one');
  const leased = await box.receive('bags', { leaseMs: 60_000 });
  const waits = ['bags', 'bags;aside', 'other'].map((queue) =>
    box.begin({ verb: 'receive', queue, waitMs: 60_000, leaseMs: 1000 }),
  );
  await box.pass(20);
  const mine = await open('bags', 'receive', 'alone');
  expect(waits.map(({ result }) => codeOf(result))).toEqual(['SHARING_VIOLATION', 'SHARING_VIOLATION', undefined]);
  expect(await box.ack(leased)).toBe('done');
  await box.send('bags', 'two');
  expect(await receive('bags', mine)).toBe('received');
});

test('a wait is a use for as long as it lasts', async () => {
  await start('long wait');
  const mine = await open('bags', 'receive', 'alone', 1000);
  const waits = box.begin({ verb: 'receive', queue: 'bags', waitMs: 5000, leaseMs: 1000, handle: mine });
  await box.pass(5500);
  expect(codeOf(waits.result)).toBe('empty');
  expect(await receive('bags', mine)).toBe('empty');
  await box.pass(1500);
  expect(await receive('bags', mine)).toBe('HANDLE_UNKNOWN');
});
