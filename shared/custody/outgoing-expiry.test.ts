/** What does not leave its node in time ends there; what may have left it ends where it goes. */
import { describe, expect, test } from 'vitest';
import { QueueBox, textOf } from '../../hardware-sim/queue-box.ts';
import type { Properties } from '../message/message.ts';

/** A device whose uplink is a line that nobody has plugged in. */
async function device(name: string): Promise<QueueBox> {
  const box = new QueueBox(name, { uplink: 'link', queues: [{ name: 'local', bytesLimit: 50_000 }] });
  await box.start();
  return box;
}

const accounts = (box: QueueBox) => Object.fromEntries(box.stats.accounts.map(({ class: ending, count }) => [ending, count]));
const held = (box: QueueBox) =>
  box.stats.outgoing.reduce((sum, stream) => sum + (stream.stream.includes('/bags:') ? stream.held : 0), 0);

describe('a message that waits for its way out', () => {
  test.each<[string, Properties]>([
    ['its time to reach the queue', { timeToReachQueueMs: 2_000 }],
    ['its time to be received', { timeToBeReceivedMs: 2_000 }],
    ['the smaller of both', { timeToReachQueueMs: 2_000, timeToBeReceivedMs: 60_000 }],
  ])('ends when %s is over: account, letter, word', async (_name, timers) => {
    const box = await device('ends');
    await box.send('central/bags', 'late', { ...timers, acknowledge: 'reach' });
    await box.send('central/bags', 'patient');
    await box.pass(1_900);
    expect([held(box), accounts(box)]).toEqual([2, {}]);
    await box.pass(200);
    expect([held(box), accounts(box)]).toEqual([1, { REACH_QUEUE_TIMEOUT: 1 }]);
    const [letter, word] = [await box.receive('$dead'), await box.receive('$admin')];
    expect([textOf(letter), letter?.message.history?.at(-1)?.class]).toEqual(['late', 'REACH_QUEUE_TIMEOUT']);
    expect([word?.message.label, word?.message.correlationId]).toEqual(['REACH_QUEUE_TIMEOUT', letter?.message.previous]);
  });

  test('also over restarts; once, wherever the power goes', async () => {
    for (let ms = 0; ms < 20; ms += 3) {
      const box = await device(`cut ${ms}`);
      await box.send('central/bags', 'late', { timeToReachQueueMs: 3_000 });
      await box.restart('power cut');
      await box.pass(2_000 + ms);
      await box.restart('power cut');
      await box.pass(4_000);
      expect([held(box), accounts(box), box.queue('$dead').ready]).toEqual([0, { REACH_QUEUE_TIMEOUT: 1 }, 1]);
    }
  });

  test('and wants no letter has none', async () => {
    const box = await device('none');
    await box.send('central/bags', 'late', { timeToReachQueueMs: 100, deadLetter: 'off' });
    await box.pass(1_000);
    expect([held(box), accounts(box), box.queue('$dead').ready]).toEqual([0, { REACH_QUEUE_TIMEOUT: 1 }, 0]);
  });

  test('is one of many: they take one place in META, not one each', async () => {
    const box = await device('many');
    const empty = box.stats.ring.bytesUsed;
    for (let i = 0; i < 200; i++)
      box.begin(box.sending('central/bags', `m${i}`, { timeToReachQueueMs: 10_000, deadLetter: 'off' }));
    await box.pass(15_000);
    expect([held(box), accounts(box)]).toEqual([0, { REACH_QUEUE_TIMEOUT: 200 }]);
    await box.restart('power cut');
    expect([held(box), accounts(box)]).toEqual([0, { REACH_QUEUE_TIMEOUT: 200 }]);
    expect(box.stats.ring.bytesUsed - empty).toBeLessThan(1_000);
  });
});
