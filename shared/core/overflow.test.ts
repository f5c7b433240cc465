/** What a newcomer meets when there is no room: every policy, at the limit of its queue and at the end of the ring. */
import { describe, expect, test } from 'vitest';
import { codeOf, QueueBox, textOf } from '../../hardware-sim/queue-box.ts';
import { SIM_RING_BYTES } from '../../hardware-sim/sim-node.ts';
import type { WhenFull } from '../queue/queue-options.ts';

/** With its envelope about 1,100 bytes. */
const text = (name: string) => name.padEnd(1_000, ' .');
/** Room for four of them. */
const LIMIT = 4_600;

async function boxWith(name: string, whenFull: WhenFull, bytesLimit = LIMIT): Promise<QueueBox> {
  const box = new QueueBox(name, {
    queues: [
      { name: 'bags', bytesLimit, whenFull },
      { name: 'others', bytesLimit: SIM_RING_BYTES },
    ],
  });
  await box.start();
  return box;
}

/** Until nothing goes in. */
async function fill(box: QueueBox, queue: string, priority = 3): Promise<number> {
  let count = 0;
  while ((await box.send(queue, text(`f${count}`), { priority, waitMs: 0 })) === 'sent') count += 1;
  return count;
}

describe('at the limit of the queue', () => {
  test.each<[WhenFull, number[], number, string, string[]]>([
    ['reject', [3, 3, 3, 3], 3, 'QUEUE_FULL', ['m0', 'm1', 'm2', 'm3']],
    ['block', [3, 3, 3, 3], 3, 'QUEUE_FULL', ['m0', 'm1', 'm2', 'm3']],
    ['drop-oldest', [3, 3, 3, 3], 3, 'sent', ['m1', 'm2', 'm3', 'new']],
    ['drop-oldest', [7, 0, 3, 3], 0, 'sent', ['m2', 'm3', 'm1', 'new']],
    ['drop-lowest-priority', [3, 3, 3, 3], 3, 'sent', ['m1', 'm2', 'm3', 'new']],
    ['drop-lowest-priority', [7, 3, 0, 0], 3, 'sent', ['m0', 'm1', 'new', 'm3']],
    ['drop-lowest-priority', [7, 5, 4, 4], 3, 'QUEUE_FULL', ['m0', 'm1', 'm2', 'm3']],
    ['drop-lowest-priority', [7, 5, 4, 3], 3, 'sent', ['m0', 'm1', 'm2', 'new']],
  ])('%s with %j there: a newcomer of priority %i is %s', async (whenFull, there, priority, answer, left) => {
    const box = await boxWith('limit', whenFull);
    for (const [i, urgency] of there.entries()) expect(await box.send('bags', text(`m${i}`), { priority: urgency })).toBe('sent');
    const result = await box.ask(box.sending('bags', text('new'), { priority, waitMs: 500 }));
    expect(codeOf(result)).toBe(answer);
    if (result?.kind === 'error') {
      expect(result.error.details).toMatchObject({ queue: 'bags', bytesLimit: LIMIT, bytesNeeded: expect.any(Number) });
    }
    const dropped = answer === 'sent' ? 1 : 0;
    expect([box.queue('bags').dropped, box.queue('bags').ready]).toEqual([dropped, 4]);
    await box.restart('power cut');
    expect(box.queue('bags').dropped).toBe(dropped);
    expect((await box.drain('bags')).sort()).toEqual([...left].sort());
  });

  test('one large newcomer takes the place of several, each counted in its own stream', async () => {
    const box = await boxWith('large', 'drop-oldest');
    for (const [i, priority] of [3, 5, 3, 3].entries()) await box.send('bags', text(`m${i}`), { priority });
    expect(await box.send('bags', 'large '.padEnd(2_800, '.'))).toBe('sent');
    expect(await box.drain('bags')).toEqual(['m3', 'large']);
    const accounts = box.stats.accounts.map((account) => [account.stream.priority, account.class, account.count]);
    expect(accounts.sort()).toEqual([
      [3, 'DROPPED', 2],
      [5, 'DROPPED', 1],
    ]);
  });

  test.each<[WhenFull]>([['drop-oldest'], ['drop-lowest-priority']])('%s never takes what somebody has', async (whenFull) => {
    const box = await boxWith('leased', whenFull);
    for (let i = 0; i < 4; i++) await box.send('bags', text(`m${i}`));
    const head = await box.receive('bags', { leaseMs: 60_000 });
    expect(await box.send('bags', text('new'))).toBe('sent');
    expect(await box.ack(head)).toBe('done');
    expect(await box.drain('bags')).toEqual(['m2', 'm3', 'new']);
  });

  test.each<[WhenFull]>([['drop-oldest'], ['drop-lowest-priority']])(
    '%s refuses when all are leased or delayed',
    async (whenFull) => {
      const box = await boxWith('all leased', whenFull);
      for (let i = 0; i < 2; i++) await box.send('bags', text(`m${i}`), { deliverAfterMs: 60_000 });
      for (let i = 2; i < 4; i++) await box.send('bags', text(`m${i}`));
      const held = [await box.receive('bags', { leaseMs: 60_000 }), await box.receive('bags', { leaseMs: 60_000 })];
      expect(held.map(textOf)).toEqual(['m2', 'm3']);
      expect(await box.send('bags', text('new'))).toBe('QUEUE_FULL');
      expect(box.queue('bags')).toMatchObject({ ready: 0, leased: 2, delayed: 2, dropped: 0 });
    },
  );

  test('what can never fit is refused for good, and nothing goes for it', async () => {
    const box = await boxWith('never', 'drop-oldest');
    for (let i = 0; i < 4; i++) await box.send('bags', text(`m${i}`));
    expect(await box.send('bags', 'x'.repeat(LIMIT))).toBe('MESSAGE_TOO_LARGE');
    expect(await box.drain('bags')).toEqual(['m0', 'm1', 'm2', 'm3']);
  });
});

describe('at the end of the ring', () => {
  test('drop-oldest goes on, as often as it likes, with messages of its own queue', async () => {
    const box = await boxWith('ring', 'drop-oldest', SIM_RING_BYTES);
    for (let i = 0; i < 20; i++) expect(await box.send('bags', text(`m${i}`))).toBe('sent');
    const others = await fill(box, 'others');
    expect(others).toBeGreaterThan(200);
    for (let i = 20; i < 120; i++) expect(await box.send('bags', text(`m${i}`)), `m${i}`).toBe('sent');
    expect(box.queue('bags')).toMatchObject({ ready: 20, dropped: 100 });
    expect(box.queue('others').ready).toBe(others);
    await box.restart('power cut');
    expect(await box.drain('bags')).toEqual(Array.from({ length: 20 }, (_, i) => `m${i + 100}`));
    expect(await box.drain('others')).toHaveLength(others);
  });

  test('many at once share what is kept free for them, and all are stored', async () => {
    const box = await boxWith('crowd', 'drop-oldest', SIM_RING_BYTES);
    for (let i = 0; i < 100; i++) await box.send('bags', text(`old${i}`));
    await fill(box, 'others');
    const crowd = Array.from({ length: 100 }, (_, i) => box.begin(box.sending('bags', text(`m${i}`))));
    await box.pass(3_000);
    expect(new Set(crowd.map(({ result }) => codeOf(result)))).toEqual(new Set(['sent']));
    expect((await box.drain('bags')).sort()).toEqual(Array.from({ length: 100 }, (_, i) => `m${i}`).sort());
    expect(box.queue('bags').dropped).toBe(100);
  });

  test.each<[WhenFull]>([['reject'], ['block']])('%s says that it is the ring, with its numbers', async (whenFull) => {
    const box = await boxWith('numbers', whenFull, SIM_RING_BYTES);
    await fill(box, 'others');
    const result = await box.ask(box.sending('bags', text('new'), { waitMs: 100 }));
    const details = result?.kind === 'error' ? result.error.details : {};
    expect(details).toMatchObject({ queue: '' });
    const { bytesLimit = 0, bytesUsed = 0, bytesNeeded = 0 } = details as Record<string, number>;
    expect(bytesUsed + bytesNeeded).toBeGreaterThan(bytesLimit);
    expect(bytesUsed).toBeLessThanOrEqual(bytesLimit);
  });
});

describe('block', () => {
  test('in order of arrival, as room comes, nobody overtaking', async () => {
    const box = await boxWith('order', 'block');
    for (let i = 0; i < 4; i++) await box.send('bags', text(`m${i}`));
    const large = box.begin(box.sending('bags', 'large '.padEnd(2_000, '.')));
    await box.pass(1);
    const small = box.begin(box.sending('bags', 'small'));
    await box.pass(1_000);
    expect([large.result, small.result, box.queue('bags').blocked]).toEqual([undefined, undefined, 2]);
    await box.ack(await box.receive('bags'));
    await box.pass(100);
    expect([large.result, small.result]).toEqual([undefined, undefined]);
    await box.ack(await box.receive('bags'));
    await box.pass(100);
    expect([codeOf(large.result), codeOf(small.result), box.queue('bags').blocked]).toEqual(['sent', 'sent', 0]);
    expect(await box.drain('bags')).toEqual(['m2', 'm3', 'large', 'small']);
  });

  test('as long as the call says, else as long as the node does', async () => {
    const box = new QueueBox('deadline', { blockMs: 5_000, queues: [{ name: 'bags', bytesLimit: LIMIT, whenFull: 'block' }] });
    await box.start();
    for (let i = 0; i < 4; i++) await box.send('bags', text(`m${i}`));
    const sends = [undefined, 0, 1_000, 9_000].map((waitMs) =>
      box.begin(box.sending('bags', text('x'), waitMs === undefined ? {} : { waitMs })),
    );
    const codes = () => sends.map(({ result }) => codeOf(result));
    await box.pass(10);
    expect(codes()).toEqual([undefined, 'QUEUE_FULL', undefined, undefined]);
    await box.pass(1_000);
    expect(codes()).toEqual([undefined, 'QUEUE_FULL', 'QUEUE_FULL', undefined]);
    await box.pass(4_000);
    expect(codes()).toEqual(['QUEUE_FULL', 'QUEUE_FULL', 'QUEUE_FULL', undefined]);
    await box.pass(4_000);
    expect(codes()).toEqual(['QUEUE_FULL', 'QUEUE_FULL', 'QUEUE_FULL', 'QUEUE_FULL']);
    expect(await box.drain('bags')).toEqual(['m0', 'm1', 'm2', 'm3']);
  });

  test('closing answers who waits, and nothing of it was written', async () => {
    const box = await boxWith('closing', 'block');
    for (let i = 0; i < 4; i++) await box.send('bags', text(`m${i}`));
    const waiting = box.begin(box.sending('bags', text('waits')));
    await box.pass(100);
    await box.restart('closed');
    expect(codeOf(waiting.result)).toBe('NODE_STOPPED');
    expect(await box.drain('bags')).toEqual(['m0', 'm1', 'm2', 'm3']);
  });

  test('no more than so many wait: the next is BUSY', async () => {
    const box = await boxWith('crowd', 'block');
    for (let i = 0; i < 4; i++) await box.send('bags', text(`m${i}`));
    const sends = Array.from({ length: 1_030 }, () => box.begin(box.sending('bags', text('x'))));
    await box.pass(100);
    const codes = sends.map(({ result }) => codeOf(result)).filter((code) => code !== undefined);
    expect(codes).toEqual(Array(6).fill('BUSY'));
    expect(box.queue('bags').blocked).toBe(1_024);
  });

  test('another queue is not held up', async () => {
    const box = await boxWith('others', 'block');
    for (let i = 0; i < 5; i++) box.begin(box.sending('bags', text(`m${i}`)));
    expect(await box.send('others', 'x')).toBe('sent');
  });
});

describe('a frame that fails', () => {
  test.each<[WhenFull]>([['drop-oldest'], ['drop-lowest-priority']])(
    '%s: the newcomer with all that goes for it, or neither',
    async (whenFull) => {
      for (let seed = 0; seed < 12; seed++) {
        const box = await boxWith(`fails ${seed}`, whenFull);
        for (let i = 0; i < 4; i++) await box.send('bags', text(`m${i}`));
        box.node.disk.failNextSync();
        expect(await box.send('bags', text('new'))).toBe('IN_DOUBT');
        await box.pass(1_000);
        const { dropped, ready } = box.queue('bags');
        const left = await box.drain('bags');
        expect([[...left, dropped, ready]]).toContainEqual(
          left.includes('new') ? ['m1', 'm2', 'm3', 'new', 1, 4] : ['m0', 'm1', 'm2', 'm3', 0, 4],
        );
      }
    },
  );
});
