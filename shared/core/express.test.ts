/** Express messages: in memory only, and otherwise like any other. AC-52: gone after a crash, never after a clean stop. */
import { describe, expect, test } from 'vitest';
import { codeOf, QueueBox, type SendHow, sendStep, textOf } from '../../hardware-sim/queue-box.ts';
import { EXPRESS_BYTES_MAX } from '../limits.ts';
import type { Call } from './calls.ts';
import type { NodeConfig } from './node-io.ts';

async function boxWith(name: string, config: Partial<NodeConfig> = {}, ringBytes?: number): Promise<QueueBox> {
  const queues = [
    { name: 'bags', bytesLimit: 300_000 },
    { name: 'oldest', bytesLimit: 3_000, whenFull: 'drop-oldest' as const },
    { name: 'blocks', bytesLimit: 1_000, whenFull: 'block' as const },
  ];
  const how = ringBytes === undefined ? {} : { ringBytes };
  const box = new QueueBox(`express ${name}`, { queues, uplink: 'link', ...config }, how);
  await box.start();
  return box;
}

const express = (box: QueueBox, queue: string, text: string, how: SendHow = {}): Call => ({
  ...(box.sending(queue, text, how) as Call & { verb: 'send' }),
  delivery: 'express',
});
const send = async (box: QueueBox, queue: string, text: string, how: SendHow = {}) =>
  codeOf(await box.ask(express(box, queue, text, how)));
const frames = (box: QueueBox) => box.stats.ring.framesWritten;

describe('AC-52', () => {
  test('an express message is gone after a crash; a recoverable one beside it is not', async () => {
    const box = await boxWith('crash');
    await send(box, 'bags', 'lost');
    await box.send('bags', 'kept');
    await box.restart('power cut');
    expect(await box.drain('bags')).toEqual(['kept']);
    expect(await send(box, 'bags', 'next')).toBe('sent');
    expect(await box.drain('bags')).toEqual(['next']);
  });

  test('none is gone after a clean stop: with priority, order, timers, counts and lookup id', async () => {
    const box = await boxWith('closed');
    await send(box, 'bags', 'a');
    await send(box, 'bags', 'later', { deliverAfterMs: 20_000 });
    await box.send('bags', 'b');
    await send(box, 'bags', 'urgent', { priority: 7 });
    await send(box, 'bags', 'c');
    const leased = await box.receive('bags', { leaseMs: 600_000 });
    expect(textOf(leased)).toBe('urgent');
    await box.restart('closed');
    expect(box.queue('bags')).toMatchObject({ ready: 4, delayed: 1, leased: 0 });
    const again = await box.receive('bags');
    expect(again).toMatchObject({ deliveryCount: 2, lookupId: leased?.lookupId });
    expect(again?.message.identity).toEqual(leased?.message.identity);
    await box.ack(again);
    expect(await box.drain('bags')).toEqual(['a', 'b', 'c']);
    await box.pass(20_000);
    expect(await box.drain('bags')).toEqual(['later']);
  });

  test('what was written down is like any other from then on, and its stream is forgotten when it is empty', async () => {
    const box = await boxWith('forgotten');
    for (let i = 0; i < 5; i++) {
      await send(box, 'bags', `m${i}`, { priority: i });
      await box.restart('closed');
    }
    await box.restart('power cut');
    expect(await box.drain('bags')).toEqual(['m4', 'm3', 'm2', 'm1', 'm0']);
    await box.restart('power cut');
    const { bytesUsed } = box.stats.ring;
    for (let i = 0; i < 5; i++) {
      await send(box, 'bags', 'x');
      await box.restart('closed');
      expect(await box.drain('bags')).toEqual(['x']);
    }
    await box.restart('closed');
    expect(box.stats.ring.bytesUsed).toBe(bytesUsed);
  });

  test('a clean stop finds room for them in a ring that is full', async () => {
    const box = await boxWith('full ring', { queueBytesLimit: 10_000_000, unknownQueue: 'create' });
    let count = 0;
    while ((await send(box, 'wide', 'x '.padEnd(5_000, '.'))) === 'sent') count += 1;
    expect(count).toBeGreaterThan(50);
    await box.ack(await box.receive('wide'));
    expect(await box.send('wide', 'y '.padEnd(4_800, '.'))).toBe('sent');
    expect(await box.send('wide', 'y '.padEnd(4_800, '.')), 'their room is nobody else’s').toBe('QUEUE_FULL');
    await box.restart('closed');
    expect(await box.drain('wide')).toHaveLength(count);
  });

  test('one whose end was on its way when the node stopped does not come back', async () => {
    const box = await boxWith('ending');
    await send(box, 'bags', 'letter');
    await send(box, 'bags', 'acked');
    const [a, b] = [await box.receive('bags'), await box.receive('bags')];
    box.begin({ verb: 'deadLetter', lease: a?.lease ?? '', reason: 'r' });
    box.begin({ verb: 'ack', lease: b?.lease ?? '' });
    await box.pass(0);
    await box.restart('closed');
    expect(await box.drain('bags')).toEqual([]);
    expect(await box.drain('$dead')).toEqual(['letter']);
  });

  test('a node whose write fails is a crash: the identities of what is gone are not given again', async () => {
    const box = await boxWith('fails');
    const first = await box.ask(express(box, 'bags', 'gone'));
    box.node.disk.failNextSync();
    await box.send('bags', 'doubtful');
    await box.pass(2_000);
    const second = await box.ask(express(box, 'bags', 'new'));
    expect(first).toMatchObject({ kind: 'sent', durability: 'volatile' });
    expect(second).toMatchObject({ kind: 'sent', durability: 'volatile' });
    expect(second).not.toEqual(first);
  });
});

describe('while the node runs', () => {
  test('10,000 of them, sent, leased, given back and acknowledged, cost no frame', async () => {
    const box = await boxWith('no frame', { queues: [{ name: 'bags', bytesLimit: 3_000_000 }] }, 16 * 1024 * 1024);
    await box.pass(1_000);
    const before = frames(box);
    const { bytesUsed } = box.stats.ring;
    const sends = Array.from({ length: 10_000 }, (_, i) => box.begin(express(box, 'bags', `m${i}`)));
    await box.pass(10);
    expect(new Set(sends.map(({ result }) => codeOf(result)))).toEqual(new Set(['sent']));
    const again = await box.receive('bags', { leaseMs: 100 });
    await box.pass(2_000);
    expect((await box.receive('bags', { leaseMs: 60_000 }))?.deliveryCount).toBe(2);
    expect(again?.deliveryCount).toBe(1);
    for (let i = 1; i < 10_000; i++) await box.ack(await box.receive('bags'));
    expect(box.queue('bags')).toMatchObject({ ready: 0, leased: 1 });
    expect(frames(box)).toBe(before);
    expect(box.stats.ring.bytesUsed).toBeLessThan(bytesUsed + 500);
  });

  test('they stand in the order of priority among recoverable ones', async () => {
    const box = await boxWith('order');
    await box.send('bags', 'r3');
    await send(box, 'bags', 'e7', { priority: 7 });
    await send(box, 'bags', 'e0', { priority: 0 });
    await box.send('bags', 'r7', { priority: 7 });
    await send(box, 'bags', 'e3');
    expect(await box.drain('bags')).toEqual(['e7', 'r7', 'r3', 'e3', 'e0']);
  });

  test('one that arrives while recoverable ones are being written is seen after them', async () => {
    const box = await boxWith('ids');
    const recoverable = box.begin(box.sending('bags', 'r'));
    await box.pass(0);
    const fast = box.begin(express(box, 'bags', 'e'));
    await box.pass(0);
    expect([codeOf(recoverable.result), codeOf(fast.result)]).toEqual([undefined, 'sent']);
    const [r, e] = [await box.receive('bags', { waitMs: 100 }), await box.receive('bags', { waitMs: 100 })];
    expect([textOf(r), textOf(e)]).toEqual(['r', 'e']);
    expect(e?.lookupId).toBeGreaterThan(r?.lookupId ?? 0);
  });

  test('they expire, delayed ones come later, and the account is durable', async () => {
    const box = await boxWith('timers');
    await send(box, 'bags', 'short', { timeToBeReceivedMs: 500, deadLetter: 'off' });
    await send(box, 'bags', 'later', { deliverAfterMs: 800 });
    await box.pass(600);
    expect(box.queue('bags')).toMatchObject({ ready: 0, delayed: 1, expired: 1 });
    await box.pass(300);
    expect(await box.drain('bags')).toEqual(['later']);
    await box.restart('power cut');
    expect(box.queue('bags').expired).toBe(1);
    expect(box.stats.accounts).toMatchObject([{ class: 'RECEIVE_TIMEOUT', count: 1, stream: { destination: 'box/bags' } }]);
  });

  test('nack puts one back, with a delay too; a lease that ends does', async () => {
    const box = await boxWith('nack');
    await send(box, 'bags', 'a');
    const first = await box.receive('bags');
    await box.ask({ verb: 'nack', lease: first?.lease ?? '', delayMs: 300 });
    expect(await box.receive('bags')).toBeUndefined();
    await box.pass(400);
    const second = await box.receive('bags', { leaseMs: 100 });
    expect(second?.deliveryCount).toBe(2);
    await box.pass(200);
    expect(textOf(await box.receive('bags'))).toBe('a');
  });

  test('the letter of one is recoverable', async () => {
    const box = await boxWith('letter');
    await send(box, 'bags', 'poison');
    const got = await box.receive('bags');
    expect(codeOf(await box.ask({ verb: 'deadLetter', lease: got?.lease ?? '', reason: 'r' }))).toBe('done');
    await box.restart('power cut');
    const letter = await box.receive('$dead');
    expect(textOf(letter)).toBe('poison');
    expect(letter?.message.history?.at(-1)).toMatchObject({ class: 'POISON' });
    expect(await box.drain('bags')).toEqual([]);
  });

  test('a transaction takes one and sends recoverable ones; a refused one leaves it', async () => {
    const box = await boxWith('transaction');
    await send(box, 'bags', 'in');
    const got = await box.receive('bags');
    const ack = { do: 'ack', lease: got?.lease ?? '' } as const;
    expect(await box.commit([ack, sendStep('nowhere', 'x')])).toBe('QUEUE_NOT_FOUND');
    expect(await box.commit([ack, sendStep('bags', 'out')])).toBe('committed');
    await box.restart('power cut');
    expect(await box.drain('bags')).toEqual(['out']);
  });

  test('they make room, and room is made for them, where the queue drops', async () => {
    const box = await boxWith('drops');
    const big = (name: string) => `${name} `.padEnd(900, '.');
    for (const name of ['e1', 'e2', 'e3']) await send(box, 'oldest', big(name));
    await box.send('oldest', big('r4'));
    expect(await send(box, 'oldest', big('e5'))).toBe('sent');
    expect(box.queue('oldest').dropped).toBe(2);
    expect(await send(box, 'oldest', big('e6'))).toBe('sent');
    await box.pass(50);
    expect(await box.drain('oldest')).toEqual(['r4', 'e5', 'e6']);
  });

  test('one waits for room where its queue blocks', async () => {
    const box = await boxWith('blocks');
    await send(box, 'blocks', 'a'.padEnd(700, '.'));
    const waiting = box.begin(express(box, 'blocks', 'b'.padEnd(700, '.')));
    await box.pass(50);
    expect(waiting.result).toBeUndefined();
    await box.ack(await box.receive('blocks'));
    await box.pass(50);
    expect(codeOf(waiting.result)).toBe('sent');
  });
});

describe('bounds', () => {
  test('of all of them in memory: beyond it QUEUE_FULL', async () => {
    const queues = [{ name: 'bags', bytesLimit: 2 * EXPRESS_BYTES_MAX }];
    const box = await boxWith('memory', { queues }, 32 * 1024 * 1024);
    let bytes = 0;
    while ((await send(box, 'bags', 'x'.repeat(100_000))) === 'sent') bytes += 100_000;
    expect(bytes).toBeGreaterThan(0.9 * EXPRESS_BYTES_MAX);
    expect(bytes).toBeLessThan(EXPRESS_BYTES_MAX);
    expect(await box.send('bags', 'x'.repeat(100_000))).toBe('sent');
  });

  test('one that is too large is refused', async () => {
    const box = await boxWith('large');
    expect(await send(box, 'bags', 'x'.repeat(60_000))).toBe('MESSAGE_TOO_LARGE');
  });
});

test('for another node, under a key, or numbered: stored like any other', async () => {
  const box = await boxWith('stored');
  const before = frames(box);
  const far = await box.ask(express(box, 'central/far', 'x'));
  const keyed = await box.ask({ ...express(box, 'bags', 'k'), sendKey: 'k' } as Call);
  expect([far, keyed]).toMatchObject([{ durability: 'unknown' }, { durability: 'unknown' }]);
  expect(frames(box)).toBeGreaterThan(before);
  await box.restart('power cut');
  expect(await box.drain('bags')).toEqual(['k']);
  expect(box.stats.outgoing).toMatchObject([{ held: 1 }]);
});
