/** What becomes of a message that comes back: it waits, longer each time, over restarts; and is given up in the end. */
import { describe, expect, test } from 'vitest';
import { codeOf, QueueBox, textOf } from '../../hardware-sim/queue-box.ts';
import type { QueueDefinition } from '../queue/queue-options.ts';
import type { Received } from './calls.ts';

async function boxWith(name: string, options: Partial<QueueDefinition>): Promise<QueueBox> {
  const box = new QueueBox(name, { queues: [{ name: 'bags', bytesLimit: 100_000, ...options }], queueBytesLimit: 100_000 });
  await box.start();
  return box;
}

function nack(box: QueueBox, got: Received | undefined, delayMs?: number) {
  return box.ask({ verb: 'nack', lease: got?.lease ?? '', ...(delayMs !== undefined && { delayMs }) });
}

/** Ms from now until the message is received again. */
async function waited(box: QueueBox): Promise<{ got: Received | undefined; ms: number }> {
  const fromMs = box.world.nowMs;
  const got = await box.receive('bags', { waitMs: 10_000_000, leaseMs: 1_000 });
  return { got, ms: box.world.nowMs - fromMs };
}

describe('back-off', () => {
  test('after each failed delivery by nack it waits longer: 0, 5, 10, 20, 40 s', async () => {
    const box = await boxWith('series', { retryMs: 5_000 });
    await box.send('bags', 'a');
    let { got } = await waited(box);
    const waits: number[] = [];
    for (let i = 0; i < 5; i++) {
      expect(codeOf(await nack(box, got))).toBe('done');
      const next = await waited(box);
      waits.push(Math.round(next.ms / 100) / 10);
      got = next.got;
      expect(got?.deliveryCount).toBe(i + 2);
    }
    expect(waits).toEqual([0, 5, 10, 20, 40]);
  });

  test('a lease that ended by its deadline counts as a nack does', async () => {
    const box = await boxWith('deadline', { retryMs: 5_000 });
    await box.send('bags', 'a');
    await waited(box);
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) waits.push(Math.round((await waited(box)).ms / 1000));
    expect(waits).toEqual([1, 6, 11, 21]);
  });

  test('leases of more messages than one batch holds end together, and all of them wait', async () => {
    const box = await boxWith('many', { retryMs: 5_000 });
    const count = 150;
    for (let i = 0; i < count; i++) await box.send('bags', `m${i}`);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < count; i++) box.begin({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 2_000 });
      await box.pass(2_100);
    }
    expect(box.queue('bags')).toMatchObject({ ready: 0, delayed: count, leased: 0 });
    await box.pass(5_000);
    expect(box.queue('bags')).toMatchObject({ ready: count, delayed: 0, leased: 0 });
  });

  test('a restart does not shorten the wait', async () => {
    const box = await boxWith('restart', { retryMs: 20_000 });
    await box.send('bags', 'a');
    await nack(box, (await waited(box)).got);
    await nack(box, (await waited(box)).got);
    await box.pass(5_000);
    await box.restart('power cut');
    const { got, ms } = await waited(box);
    expect(got?.deliveryCount).toBe(3);
    expect(ms).toBeGreaterThan(14_000);
  });

  test('a delay of its own stands for that of the queue, 0 too', async () => {
    const box = await boxWith('own', { retryMs: 60_000 });
    await box.send('bags', 'a');
    await nack(box, (await waited(box)).got);
    await nack(box, (await waited(box)).got, 1_000);
    let next = await waited(box);
    expect(Math.round(next.ms / 100)).toBe(10);
    await nack(box, next.got, 0);
    next = await waited(box);
    expect(next.ms).toBeLessThan(100);
  });

  test('messages behind one that waits are delivered meanwhile', async () => {
    const box = await boxWith('behind', { retryMs: 60_000 });
    await box.send('bags', 'a');
    await nack(box, (await waited(box)).got);
    await nack(box, (await waited(box)).got);
    await box.send('bags', 'b');
    expect(await box.drain('bags')).toEqual(['b']);
  });

  test('jitter keeps each wait between 90 and 110 %, and they differ', async () => {
    const box = await boxWith('jitter', { retryMs: 10_000, retryFactor: 1, retryJitterPercent: 10 });
    await box.send('bags', 'a');
    let { got } = await waited(box);
    const waits: number[] = [];
    for (let i = 0; i < 12; i++) {
      await nack(box, got);
      const next = await waited(box);
      if (i > 0) waits.push(next.ms);
      got = next.got;
    }
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(9_000);
    expect(Math.max(...waits)).toBeLessThan(11_100);
    expect(new Set(waits.map((ms) => Math.round(ms / 100))).size).toBeGreaterThan(4);
  });

  test('without retryMs neither a nack nor the end of a lease is written', async () => {
    const box = await boxWith('none', {});
    await box.send('bags', 'a');
    const got = await box.receive('bags', { leaseMs: 100 });
    await box.pass(20);
    const before = box.stats.ring.framesWritten;
    await nack(box, got);
    expect(box.stats.ring.framesWritten).toBe(before);
    expect(box.queue('bags')).toMatchObject({ ready: 1, delayed: 0 });
  });
});

describe('extend', () => {
  test('a lease holds for so long from now, and then ends; an ended one cannot be extended', async () => {
    const box = await boxWith('extend', {});
    await box.send('bags', 'a');
    const got = await box.receive('bags', { leaseMs: 1_000 });
    const extend = (leaseMs: number) => box.ask({ verb: 'extend', lease: got?.lease ?? '', leaseMs });
    for (let i = 0; i < 3; i++) {
      await box.pass(900);
      expect(codeOf(await extend(1_000))).toBe('done');
    }
    expect(await box.receive('bags')).toBeUndefined();
    expect(codeOf(await extend(100))).toBe('done');
    await box.pass(150);
    expect(codeOf(await extend(1_000))).toBe('LEASE_UNKNOWN');
    expect(textOf(await box.receive('bags'))).toBe('a');
  });
});

describe('poison', () => {
  const poisoned = async (name: string) => {
    const box = await boxWith(name, { deliveriesMax: 3 });
    await box.send('bags', 'bad', { label: 'heavy' });
    await box.send('bags', 'good');
    return box;
  };

  async function letter(box: QueueBox): Promise<Received | undefined> {
    return box.receive('$dead');
  }

  test('AC-45: delivered so often and given back it goes to $dead with its history, counts survive restarts, and the queue goes on', async () => {
    const box = await poisoned('nacked');
    for (let count = 1; count <= 3; count++) {
      expect(await letter(box)).toBeUndefined();
      const got = await box.receive('bags');
      expect([textOf(got), got?.deliveryCount]).toEqual(['bad', count]);
      expect(codeOf(await nack(box, got, 0))).toBe('done');
      if (count < 3) await box.restart(count === 1 ? 'closed' : 'power cut');
    }
    // Nobody has to ask for it.
    expect([box.queue('bags').ready, box.queue('$dead').ready]).toEqual([1, 1]);
    await box.restart('power cut');
    expect(await box.drain('bags')).toEqual(['good']);
    const dead = await letter(box);
    expect([textOf(dead), dead?.message.label, dead?.deliveryCount]).toEqual(['bad', 'heavy', 1]);
    expect(dead?.message.history).toEqual([{ class: 'POISON', node: 'box', reason: 'delivered 3 times, of at most 3' }]);
  });

  test('so does one whose last lease ended by its deadline', async () => {
    const box = await poisoned('expired');
    for (let count = 1; count <= 3; count++) {
      expect(textOf(await box.receive('bags', { leaseMs: 100 }))).toBe('bad');
      await box.pass(150);
    }
    expect([box.queue('bags').ready, box.queue('$dead').ready]).toEqual([1, 1]);
    expect(await box.drain('bags')).toEqual(['good']);
    expect(textOf(await letter(box))).toBe('bad');
  });

  test('one whose node died under its last delivery is not delivered again', async () => {
    const box = await poisoned('died');
    for (let count = 1; count <= 3; count++) {
      expect(textOf(await box.receive('bags'))).toBe('bad');
      await box.pass(400);
      await box.restart('power cut');
    }
    const got = await box.receive('bags');
    expect(textOf(got)).toBe('good');
    await box.pass(20);
    expect(textOf(await letter(box))).toBe('bad');
  });

  test('an ack of the last delivery is an ack', async () => {
    const box = await poisoned('acked');
    for (let count = 1; count <= 3; count++) {
      const got = await box.receive('bags');
      if (count < 3) await nack(box, got, 0);
      else expect(await box.ack(got)).toBe('done');
    }
    expect(await letter(box)).toBeUndefined();
    expect(box.queue('bags').ready).toBe(1);
  });

  test('a limit that was lowered gives up whatever was delivered so often when its turn comes, for whoever asks by whatever name', async () => {
    const box = await boxWith('lowered', {});
    for (const text of ['a', 'b', 'c']) await box.send('bags', text, { correlationId: text });
    const held = [await box.receive('bags'), await box.receive('bags')];
    for (const got of held) await nack(box, got, 0);
    await box.pass(400);
    await box.restart('closed', { queues: [{ name: 'bags', bytesLimit: 100_000, deliveriesMax: 1 }] });
    const select = { by: 'correlationId', correlationId: 'b' } as const;
    const named = await box.ask({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1_000, select });
    expect(codeOf(named)).toBe('MESSAGE_NOT_FOUND');
    expect(await box.drain('bags')).toEqual(['c']);
    expect((await box.drain('$dead')).sort()).toEqual(['a', 'b']);
  });
});

describe('an end that is under way', () => {
  /** What is acknowledged has to be read first: its queue keeps copies, and it is not in memory. */
  async function slowBox(name: string): Promise<{ box: QueueBox; got: Received | undefined }> {
    const box = await boxWith(name, { journal: 'on' });
    await box.send('bags', 'a'.padEnd(2_000, '.'));
    await box.restart('closed');
    const got = await box.receive('bags', { leaseMs: 5_000 });
    return { box, got };
  }

  test('a lease can be ended once: the second of two acks, and a nack behind one, find it unknown', async () => {
    const { box, got } = await slowBox('twice');
    const lease = got?.lease ?? '';
    const calls = [
      { verb: 'ack', lease },
      { verb: 'ack', lease },
      { verb: 'nack', lease },
      { verb: 'extend', lease, leaseMs: 1_000 },
    ] as const;
    const answers = calls.map((call) => box.begin(call));
    await box.pass(100);
    expect(answers.map(({ result }) => codeOf(result))).toEqual(['done', 'LEASE_UNKNOWN', 'LEASE_UNKNOWN', 'LEASE_UNKNOWN']);
    expect(box.queue('bags')).toMatchObject({ ready: 0, leased: 0, delayed: 0 });
  });
});
