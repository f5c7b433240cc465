/** Queues that do not hand out all they have: strict ones, and paused ones. */
import { describe, expect, test } from 'vitest';
import { codeOf, QueueBox, textOf } from '../../hardware-sim/queue-box.ts';
import type { QueueDefinition } from '../queue/queue-options.ts';
import type { CallResult, Received } from './calls.ts';

const BAGS = { name: 'bags', bytesLimit: 100_000 };

async function boxWith(name: string, options: Partial<QueueDefinition>): Promise<QueueBox> {
  const box = new QueueBox(name, { queues: [{ ...BAGS, ...options }], queueBytesLimit: 100_000 });
  await box.start();
  return box;
}

async function fill(box: QueueBox, ...texts: string[]): Promise<void> {
  for (const text of texts) await box.send('bags', text, { priority: Number(text[1]) });
}

function nack(box: QueueBox, got: Received | undefined, delayMs?: number) {
  return box.ask({ verb: 'nack', lease: got?.lease ?? '', ...(delayMs !== undefined && { delayMs }) });
}

function seen(result: CallResult | undefined): string | undefined {
  return result?.kind === 'received' ? textOf(result.received) : codeOf(result);
}

describe('strict', () => {
  test('of each stream one message is under lease at a time; the others come when it ends', async () => {
    const box = await boxWith('one', { ordering: 'strict' });
    await fill(box, 'a3', 'b3', 'c5', 'd5');
    const first = await box.receive('bags', { leaseMs: 60_000 });
    const second = await box.receive('bags', { leaseMs: 60_000 });
    expect([first, second, await box.receive('bags')].map(textOf)).toEqual(['c5', 'a3', undefined]);
    const call = { verb: 'receive', queue: 'bags', waitMs: 5_000, leaseMs: 60_000 } as const;
    const waiting = [box.begin(call)];
    await box.pass(1);
    waiting.push(box.begin(call));
    await box.pass(1);
    await box.ack(second);
    await box.pass(20);
    expect(waiting.map(({ result }) => seen(result))).toEqual(['b3', undefined]);
    await box.ack(first);
    await box.pass(20);
    expect(waiting.map(({ result }) => seen(result))).toEqual(['b3', 'd5']);
  });

  test('what is given back is the next again, before all that came later', async () => {
    const box = await boxWith('again', { ordering: 'strict' });
    await fill(box, 'a3', 'b3');
    for (let i = 0; i < 3; i++) {
      const got = await box.receive('bags');
      expect(textOf(got)).toBe('a3');
      await nack(box, got);
    }
    const held = await box.receive('bags', { leaseMs: 100 });
    expect(textOf(held)).toBe('a3');
    await box.pass(150);
    expect(await box.drain('bags')).toEqual(['a3', 'b3']);
  });

  test('nothing of a stream is handed out while an earlier one waits for its delay, over a restart, too; other streams go on', async () => {
    const box = await boxWith('delay', { ordering: 'strict', retryMs: 20_000 });
    await fill(box, 'a3', 'b3');
    for (let i = 0; i < 2; i++) await nack(box, await box.receive('bags'));
    await fill(box, 'c7');
    expect(await box.drain('bags')).toEqual(['c7']);
    await box.restart('power cut');
    expect(await box.drain('bags')).toEqual([]);
    const got = await box.receive('bags', { waitMs: 60_000 });
    expect([textOf(got), got?.deliveryCount]).toEqual(['a3', 3]);
    await box.ack(got);
    expect(await box.drain('bags')).toEqual(['b3']);
  });

  test('one that is given up, dropped or expired frees its stream', async () => {
    const box = await boxWith('frees', { ordering: 'strict', deliveriesMax: 1 });
    await fill(box, 'a3', 'b3');
    await nack(box, await box.receive('bags'));
    const got = await box.receive('bags', { waitMs: 1_000 });
    expect(textOf(got)).toBe('b3');
    await box.ask({ verb: 'deadLetter', lease: got?.lease ?? '', reason: 'no' });
    await box.send('bags', 'late', { timeToBeReceivedMs: 300, deliverAfterMs: 60_000 });
    await fill(box, 'c3');
    expect(await box.receive('bags')).toBeUndefined();
    expect(textOf(await box.receive('bags', { waitMs: 1_000 }))).toBe('c3');
  });

  test('who names one of a stream that is held back waits until it is free', async () => {
    const box = await boxWith('named', { ordering: 'strict' });
    await fill(box, 'a3');
    await box.send('bags', 'b', { correlationId: 'b' });
    await fill(box, 'c3');
    const held = await box.receive('bags', { leaseMs: 60_000 });
    const byName = (waitMs: number) =>
      ({ verb: 'receive', queue: 'bags', waitMs, leaseMs: 60_000, select: { by: 'correlationId', correlationId: 'b' } }) as const;
    expect(codeOf(await box.ask(byName(0)))).toBe('MESSAGE_NOT_FOUND');
    const waiting = box.begin(byName(5_000));
    await box.pass(100);
    expect(waiting.result).toBeUndefined();
    await box.ack(held);
    await box.pass(20);
    expect(seen(waiting.result)).toBe('b');
    const looked = await box.ask({ verb: 'peek', queue: 'bags', waitMs: 0, bodies: 'with' });
    expect(codeOf(looked)).toBe('peeked');
    expect(await box.receive('bags')).toBeUndefined();
  });

  test('any receivers, crashing as they like, see each stream in its order', async () => {
    const box = await boxWith('order', { ordering: 'strict' });
    const texts = Array.from({ length: 60 }, (_, i) => `${'abc'[i % 3]}${(i % 3) + 1}-${Math.floor(i / 3)}`);
    for (const text of texts) await box.send('bags', text, { priority: Number(text[1]) });
    const acked: string[] = [];
    for (let turn = 0; acked.length < texts.length && turn < 400; turn++) {
      const got = await Promise.all([1, 2, 3, 4].map(() => box.receive('bags', { leaseMs: 500 })));
      for (const [i, one] of got.entries()) {
        if (one === undefined || (turn + i) % 5 === 0) continue;
        if ((turn + i) % 4 === 0) await nack(box, one);
        else if ((await box.ack(one)) === 'done') acked.push(textOf(one) ?? '');
      }
      if (turn % 10 === 9) await box.restart('power cut');
      if (turn % 3 === 0) await box.pass(600);
    }
    for (const stream of ['a1', 'b2', 'c3']) {
      const own = acked.filter((text) => text.startsWith(stream));
      expect(own).toEqual(texts.filter((text) => text.startsWith(stream)));
    }
  });
});

describe('paused', () => {
  test('takes messages and hands out none; peeking works; who waits is served when it runs again', async () => {
    const box = await boxWith('paused', { state: 'paused' });
    await box.send('bags', 'a', { correlationId: 'c' });
    expect(await box.receive('bags')).toBeUndefined();
    const byName = { by: 'correlationId', correlationId: 'c' } as const;
    const named = { verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1_000, select: byName } as const;
    expect(codeOf(await box.ask(named))).toBe('MESSAGE_NOT_FOUND');
    for (const select of [{ by: 'first' }, byName] as const) {
      expect(codeOf(await box.ask({ verb: 'peek', queue: 'bags', waitMs: 0, bodies: 'with', select }))).toBe('peeked');
    }
    await box.restart('power cut');
    const waiting = [box.begin({ ...named, waitMs: 5_000 }), box.begin({ ...named, waitMs: 5_000, select: { by: 'last' } })];
    await box.send('bags', 'b');
    expect(waiting.map(({ result }) => result)).toEqual([undefined, undefined]);
    await box.ask({ verb: 'setQueue', queue: 'bags', changes: { state: 'running' } });
    await box.pass(20);
    expect(waiting.map(({ result }) => seen(result))).toEqual(['a', 'b']);
  });

  test('pauses its subqueues with it, and they run again with it', async () => {
    const box = await boxWith('parts', {});
    await box.send('bags', 'a');
    const shown = await box.ask({ verb: 'peek', queue: 'bags', waitMs: 0, bodies: 'with' });
    const lookupId = shown?.kind === 'peeked' ? shown.peeked.lookupId : 0;
    await box.ask({ verb: 'move', queue: 'bags', lookupId, to: 'bags;aside' });
    await box.ask({ verb: 'setQueue', queue: 'bags', changes: { state: 'paused' } });
    const waiting = box.begin({ verb: 'receive', queue: 'bags;aside', waitMs: 5_000, leaseMs: 1_000 });
    await box.pass(100);
    expect(waiting.result).toBeUndefined();
    await box.ask({ verb: 'setQueue', queue: 'bags', changes: { state: 'running' } });
    await box.pass(20);
    expect(seen(waiting.result)).toBe('a');
    expect(waiting.result?.kind === 'received' && waiting.result.received.moveCount).toBe(1);
  });

  test('what is leased when it is paused is ended as ever', async () => {
    const box = await boxWith('held', {});
    await fill(box, 'a3', 'b3');
    const [a, b] = [await box.receive('bags'), await box.receive('bags')];
    await box.ask({ verb: 'setQueue', queue: 'bags', changes: { state: 'paused' } });
    expect(await box.ack(a)).toBe('done');
    expect(codeOf(await nack(box, b))).toBe('done');
    expect(box.queue('bags')).toMatchObject({ ready: 1, leased: 0, state: 'paused' });
    expect(await box.receive('bags')).toBeUndefined();
  });
});
