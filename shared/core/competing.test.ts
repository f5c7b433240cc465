/** Many receivers at one queue: each message is one's, in the order in which they came; and nobody pays for who waits elsewhere. */
import { describe, expect, test } from 'vitest';
import { codeOf, QueueBox, textOf } from '../../hardware-sim/queue-box.ts';
import { stream } from '../../hardware-sim/random.ts';
import { toUtf8 } from '../bytes.ts';
import { WAITING_COUNT_MAX } from '../limits.ts';
import type { CallResult } from './calls.ts';

async function boxWith(name: string, queues = ['bags']): Promise<QueueBox> {
  const box = new QueueBox(name, {
    queues: queues.map((queue) => ({ name: queue, bytesLimit: 200_000 })),
    queueBytesLimit: 200_000,
  });
  await box.start();
  return box;
}

const waitingAt = (queue: string, waitMs = 60_000) => ({ verb: 'receive', queue, waitMs, leaseMs: 600_000 }) as const;

function seen(result: CallResult | undefined): string | undefined {
  return result?.kind === 'received' ? textOf(result.received) : codeOf(result);
}

describe('who waits', () => {
  test('gets messages in the order of coming; two never get one', async () => {
    const box = await boxWith('order');
    const waiting: ReturnType<QueueBox['begin']>[] = [];
    for (let i = 0; i < 40; i++) {
      waiting.push(box.begin(waitingAt('bags')));
      await box.pass(1);
    }
    for (let i = 0; i < 30; i++) {
      box.begin(box.sending('bags', `m${i}`));
      await box.pass(1);
    }
    await box.pass(100);
    expect(waiting.map(({ result }) => seen(result))).toEqual(waiting.map((_, i) => (i < 30 ? `m${i}` : undefined)));
  });

  test('a receiver that gave up takes nothing, and is passed over', async () => {
    const box = await boxWith('gave-up');
    const short = box.begin(waitingAt('bags', 100));
    const long = box.begin(waitingAt('bags'));
    await box.pass(200);
    await box.send('bags', 'a');
    await box.pass(20);
    expect([short, long].map(({ result }) => seen(result))).toEqual(['empty', 'a']);
  });

  test('one that is cancelled while its message is being read leaves it to the next', async () => {
    const box = await boxWith('cancelled', ['bags', 'other']);
    await box.send('bags', 'a'.padEnd(2_000, '.'));
    await box.restart('power cut');
    for (const waitMs of [0, 0.5, 1, 5]) {
      const pending = box.begin(waitingAt('bags'));
      await box.pass(waitMs);
      if (pending.result !== undefined) break;
      pending.cancel();
      await box.pass(20);
      expect(box.queue('bags')).toMatchObject({ ready: 1, leased: 0 });
    }
    box.begin(waitingAt('other')).cancel();
    await box.send('other', 'b');
    await box.pass(20);
    expect(box.queue('other')).toMatchObject({ ready: 1, leased: 0 });
  });

  test('what was on its way to one that is cancelled goes back at once, and not when it would have been his', async () => {
    const box = await boxWith('cancelled at once');
    await box.send('bags', 'a');
    await box.restart('power cut');
    const pending = box.begin(waitingAt('bags'));
    // Its delivery is being written first: it may be what ended the node.
    await box.pass(0);
    expect(pending.result).toBeUndefined();
    expect(box.queue('bags')).toMatchObject({ ready: 0, leased: 1 });
    pending.cancel();
    await box.pass(0);
    expect(box.queue('bags')).toMatchObject({ ready: 1, leased: 0 });
  });

  test('one that is cancelled in the moment of its answer leaves it to the next', async () => {
    const box = await boxWith('cancelled-late');
    const answers: (string | undefined)[] = [];
    const tokens: (number | undefined)[] = [];
    for (let i = 0; i < 2; i++) {
      const then = (result: CallResult): void => {
        answers.push(seen(result));
        box.node.cancel(tokens[1 - i] ?? 0);
      };
      tokens.push(box.node.call(waitingAt('bags'), then));
      await box.pass(1);
    }
    const sends = ['a', 'b'].map((text) => ({ do: 'send', destination: 'bags', body: toUtf8(text), properties: {} }) as const);
    expect(await box.commit(sends)).toBe('committed');
    await box.pass(20);
    expect(answers).toEqual(['a']);
    expect(box.queue('bags')).toMatchObject({ ready: 1, leased: 1 });
  });

  test('is BUSY when there are too many, and room again when they are served', async () => {
    const box = await boxWith('bounded');
    const some = Array.from({ length: WAITING_COUNT_MAX }, () => box.begin(waitingAt('bags', 1_000)));
    await box.pass(1);
    expect(codeOf(await box.ask(waitingAt('bags', 0)))).toBe('BUSY');
    await box.pass(1_000);
    expect(some.every(({ result }) => codeOf(result) === 'empty')).toBe(true);
    expect(codeOf(await box.ask(waitingAt('bags', 0)))).toBe('empty');
  });
});

describe('a queue that is deleted', () => {
  test('is told to all who wait for it or are about to get something from it; its leases are unknown, and nothing is left', async () => {
    const box = await boxWith('deleted', ['other']);
    await box.ask({ verb: 'createQueue', queue: 'bags', options: { bytesLimit: 100_000 } });
    for (const text of ['held', 'on-its-way']) await box.send('bags', text.padEnd(2_000, '.'));
    await box.restart('closed');
    const held = await box.receive('bags', { leaseMs: 60_000 });
    const selects = [undefined, { by: 'lookupId', lookupId: 999 }, { by: 'correlationId', correlationId: 'c' }] as const;
    const waiting = selects.map((select) => box.begin({ ...waitingAt('bags'), ...(select && { select }), waitMs: 60_000 }));
    waiting.push(
      box.begin({ verb: 'peek', queue: 'bags', waitMs: 60_000, bodies: 'with', select: { by: 'lookupId', lookupId: 999 } }),
    );
    const elsewhere = box.begin(waitingAt('other'));
    await box.pass(0.1);
    expect(codeOf(await box.ask({ verb: 'deleteQueue', queue: 'bags' }))).toBe('done');
    await box.pass(20);
    const codes = waiting.map(({ result }) => codeOf(result));
    expect(codes.slice(1)).toEqual(['QUEUE_DELETED', 'QUEUE_DELETED', 'QUEUE_DELETED']);
    expect(['QUEUE_DELETED', 'received']).toContain(codes[0]);
    expect(elsewhere.result).toBeUndefined();
    expect(await box.ack(held)).toBe('LEASE_UNKNOWN');
    await box.ask({ verb: 'createQueue', queue: 'bags', options: { bytesLimit: 100_000 } });
    const again = box.begin(waitingAt('bags'));
    await box.pass(1_000);
    await box.send('bags', 'new');
    await box.pass(20);
    expect(seen(again.result)).toBe('new');
  });
});

test('AC-55: receivers with leases that crash, give back and stall process every id exactly once, whatever happens to the node', async () => {
  const box = await boxWith('ac-55');
  const random = stream('ac-55', 'receivers');
  const count = 120;
  for (let i = 0; i < count; i++) await box.send('bags', `m${i}`, { priority: i % 8 });
  const processed: string[] = [];
  for (let turn = 0; processed.length < count && turn < 300; turn++) {
    const receivers = Array.from({ length: 6 }, () => box.begin({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 2_000 }));
    await box.pass(30);
    for (const { result } of receivers) {
      if (result?.kind !== 'received') continue;
      const { lease } = result.received;
      const fate = random.next();
      if (fate < 0.1) continue;
      if (fate < 0.2) await box.ask({ verb: 'nack', lease });
      else if (codeOf(await box.ask({ verb: 'ack', lease })) === 'done') processed.push(textOf(result.received) ?? '');
    }
    if (turn % 7 === 6) await box.restart(turn % 2 === 0 ? 'power cut' : 'closed');
    if (turn % 4 === 3) await box.pass(2_000);
  }
  expect(new Set(processed).size).toBe(processed.length);
  expect(processed).toHaveLength(count);
  expect(box.queue('bags')).toMatchObject({ ready: 0, leased: 0, delayed: 0 });
});
