/** How often a message was delivered, whatever happened to the node in between; and what it costs to know. */
import { describe, expect, test } from 'vitest';
import { QueueBox, textOf } from '../../hardware-sim/queue-box.ts';
import { COUNT_DELAY_MS } from '../limits.ts';

const QUEUES = [{ name: 'bags', bytesLimit: 200_000 }];

async function boxWith(name: string): Promise<QueueBox> {
  const box = new QueueBox(name, { queues: QUEUES });
  await box.start();
  return box;
}

async function counted(box: QueueBox, leaseMs = 1_000): Promise<number | undefined> {
  return (await box.receive('bags', { leaseMs }))?.deliveryCount;
}

/** Frames that `act` causes, and a second of what follows. */
async function framesOf(box: QueueBox, act: () => Promise<unknown>): Promise<number> {
  const before = box.stats.ring.framesWritten;
  await act();
  await box.pass(1_000);
  return box.stats.ring.framesWritten - before;
}

describe('what it costs', () => {
  test('nothing, when the acknowledgement comes soon', async () => {
    const box = await boxWith('soon');
    for (let i = 0; i < 10; i++) await box.send('bags', `m${i}`);
    expect(await framesOf(box, () => box.drain('bags'))).toBe(10);
  });

  test('one frame for all that are held for longer', async () => {
    const box = await boxWith('longer');
    for (let i = 0; i < 100; i++) await box.send('bags', `m${i}`);
    const receives = () =>
      Array.from({ length: 50 }, () => box.begin({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 60_000 }));
    expect(await framesOf(box, async () => receives())).toBe(1);
  });
});

describe('what is known', () => {
  test('counts on within one opening: each delivery after the first is on the disk before it is handed out', async () => {
    const box = await boxWith('within');
    await box.send('bags', 'a');
    expect(await counted(box, 10)).toBe(1);
    await box.pass(20);
    for (let count = 2; count <= 5; count++) {
      expect(await framesOf(box, async () => expect(await counted(box, 10)).toBe(count))).toBe(1);
      if (count === 3) await box.restart('power cut');
    }
  });

  test('a first delivery that was held for a while is known after a power cut', async () => {
    const box = await boxWith('held');
    await box.send('bags', 'a');
    expect(await counted(box)).toBe(1);
    await box.pass(COUNT_DELAY_MS + 50);
    await box.restart('power cut');
    expect(await counted(box)).toBe(2);
  });

  test('a clean end writes what only memory knew', async () => {
    const box = await boxWith('clean');
    for (let i = 0; i < 200; i++) await box.send('bags', `m${i}`);
    for (let i = 0; i < 150; i++) box.begin({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 60_000 });
    await box.pass(20);
    await box.restart('closed');
    const counts = [];
    for (let got = await box.receive('bags'); got !== undefined; got = await box.receive('bags')) {
      counts.push(got.deliveryCount);
      await box.ack(got);
    }
    expect(counts.sort()).toEqual([...Array(50).fill(1), ...Array(150).fill(2)]);
  });

  test('after a clean end a first delivery costs nothing, after an unclean one it is written first', async () => {
    const box = await boxWith('ends');
    for (const text of ['a', 'b', 'c']) await box.send('bags', text);
    await box.restart('closed');
    expect(await framesOf(box, async () => box.ack(await box.receive('bags')))).toBe(1);
    await box.restart('power cut');
    expect(await framesOf(box, async () => box.ack(await box.receive('bags')))).toBe(2);
    await box.send('bags', 'new');
    await box.ack(await box.receive('bags'));
    expect(await framesOf(box, async () => box.ack(await box.receive('bags')))).toBe(1);
  });

  test('a clean end in between acquits nobody', async () => {
    const box = await boxWith('acquits');
    await box.send('bags', 'killer');
    const counts: (number | undefined)[] = [];
    for (let death = 0; death < 4; death++) {
      counts.push((await box.receive('bags'))?.deliveryCount);
      await box.restart('power cut');
      await box.restart('closed');
    }
    expect(counts).toEqual([1, 1, 2, 3]);
  });

  test('a message that kills its node at once does not come with the same count for ever', async () => {
    const box = await boxWith('killer');
    await box.send('bags', 'killer');
    const counts: (number | undefined)[] = [];
    for (let death = 0; death < 5; death++) {
      const pending = box.begin({ verb: 'receive', queue: 'bags', waitMs: 1_000, leaseMs: 60_000 });
      await box.world.run(box.world.nowMs + 2_000, () => pending.result !== undefined);
      counts.push(pending.result?.kind === 'received' ? pending.result.received.deliveryCount : undefined);
      await box.restart('power cut');
    }
    expect(counts).toEqual([1, 1, 2, 3, 4]);
  });

  test('a write that fails under a redelivery hands nothing out', async () => {
    const box = await boxWith('fails');
    await box.send('bags', 'a');
    expect(await counted(box, 10)).toBe(1);
    await box.pass(20);
    box.node.disk.failNextSync();
    expect(await box.ask({ verb: 'receive', queue: 'bags', waitMs: 500, leaseMs: 1_000 }, 800)).toMatchObject({ kind: 'error' });
    await box.pass(1_000);
    const again = await box.receive('bags');
    expect([textOf(again), again !== undefined && again.deliveryCount >= 1]).toEqual(['a', true]);
  });

  test('a delay does not lose it', async () => {
    const box = await boxWith('delay');
    await box.send('bags', 'a');
    for (let count = 1; count <= 3; count++) {
      const got = await box.receive('bags');
      expect(got?.deliveryCount).toBe(count);
      await box.ask({ verb: 'nack', lease: got?.lease ?? '', delayMs: 500 });
      await box.restart(count === 2 ? 'closed' : 'power cut');
      await box.pass(600);
    }
    expect(await counted(box)).toBe(4);
  });
});
