/** Delays and expiry, over restarts, by queue time: late rather than early. */
import { describe, expect, test } from 'vitest';
import { QueueBox, textOf } from '../../hardware-sim/queue-box.ts';
import { EXPIRED_READ_COUNT } from '../limits.ts';

const QUEUES = [
  { name: 'bags', bytesLimit: 400_000 },
  { name: 'others', bytesLimit: 50_000 },
];

async function boxWith(name: string): Promise<QueueBox> {
  const box = new QueueBox(name, { queues: QUEUES });
  await box.start();
  return box;
}

async function nack(box: QueueBox, delayMs: number): Promise<void> {
  const got = await box.receive('bags', { leaseMs: 60_000 });
  await box.ask({ verb: 'nack', lease: got?.lease ?? '', delayMs });
}

describe('a delay', () => {
  test('of a message: not visible before, then in its place', async () => {
    const box = await boxWith('send');
    await box.send('bags', 'later', { deliverAfterMs: 5_000 });
    await box.send('bags', 'now');
    await box.send('bags', 'urgent', { deliverAfterMs: 3_000, priority: 7 });
    expect([box.queue('bags').ready, box.queue('bags').delayed]).toEqual([1, 2]);
    await box.pass(4_000);
    expect(textOf(await box.receive('bags', { leaseMs: 60_000 }))).toBe('urgent');
    await box.pass(1_500);
    expect(await box.drain('bags')).toEqual(['later', 'now']);
  });

  test('who waits is served when it ends, without anything else happening', async () => {
    const box = await boxWith('wakes');
    await box.send('bags', 'later', { deliverAfterMs: 5_000 });
    const atMs = box.world.nowMs;
    const got = await box.receive('bags', { waitMs: 60_000 });
    expect(textOf(got)).toBe('later');
    expect(box.world.nowMs - atMs).toBeGreaterThan(4_900);
    expect(box.world.nowMs - atMs).toBeLessThan(5_100);
  });

  test.each(['power cut', 'closed'] as const)('lasts over a restart: %s', async (how) => {
    const box = await boxWith('restart');
    await box.send('bags', 'sent', { deliverAfterMs: 10_000 });
    await box.send('bags', 'back');
    await nack(box, 10_000);
    await box.pass(4_000);
    await box.restart(how);
    expect(box.queue('bags')).toMatchObject({ ready: 0, delayed: 2, leased: 0 });
    await box.pass(5_000);
    expect(await box.receive('bags')).toBeUndefined();
    await box.pass(6_000);
    expect((await box.drain('bags')).sort()).toEqual(['back', 'sent']);
    expect(box.queue('bags')).toMatchObject({ ready: 0, delayed: 0, leased: 0, bytes: 0 });
  });

  test('of a nack is answered when it is on the disk, and the next lease has another name', async () => {
    const box = await boxWith('answered');
    await box.send('bags', 'a');
    const got = await box.receive('bags', { leaseMs: 60_000 });
    box.node.disk.onPending = () => {};
    const pending = box.begin({ verb: 'nack', lease: got?.lease ?? '', delayMs: 100 });
    await box.pass(1_000);
    expect([pending.result, box.queue('bags').leased]).toEqual([undefined, 1]);
    expect(await box.ack(got)).toBe('LEASE_UNKNOWN');
    box.node.disk.step();
    await box.pass(10);
    expect(pending.result).toEqual({ kind: 'done' });
  });

  test('without one a nack costs no write', async () => {
    const box = await boxWith('no delay');
    await box.send('bags', 'a');
    const frames = box.stats.ring.framesWritten;
    await nack(box, 0);
    expect([box.stats.ring.framesWritten, box.queue('bags').ready]).toEqual([frames, 1]);
  });

  test('many that end at once hold up nobody, and all come', async () => {
    const box = await boxWith('many');
    for (let i = 0; i < 2_000; i++) box.begin(box.sending('bags', `m${i}`, { deliverAfterMs: 20_000 + (i % 3) }));
    await box.pass(5_000);
    expect(box.queue('bags')).toMatchObject({ ready: 0, delayed: 2_000 });
    await box.pass(20_000);
    expect(box.queue('bags')).toMatchObject({ ready: 2_000, delayed: 0 });
  });
});

describe('what expires', () => {
  test('is never delivered, leaves the ring, and is counted, also after a power cut', async () => {
    const box = await boxWith('expires');
    await box.send('bags', 'short', { timeToBeReceivedMs: 1_000 });
    await box.send('bags', 'long', { timeToBeReceivedMs: 60_000 });
    await box.send('bags', 'forever');
    await box.pass(1_100);
    expect(box.queue('bags')).toMatchObject({ ready: 2, expired: 1 });
    await box.restart('power cut');
    expect(box.queue('bags')).toMatchObject({ ready: 2, expired: 1 });
    expect(box.stats.accounts.map(({ class: ending, count }) => [ending, count])).toEqual([['RECEIVE_TIMEOUT', 1]]);
    expect(await box.drain('bags')).toEqual(['long', 'forever']);
  });

  test('while nobody runs the node: not before its time by queue time, then at once', async () => {
    const box = await boxWith('down');
    await box.send('bags', 'a', { timeToBeReceivedMs: 5_000 });
    await box.pass(1_000);
    await box.restart('closed');
    expect(box.queue('bags')).toMatchObject({ ready: 1, expired: 0 });
    await box.pass(3_000);
    expect(box.queue('bags').expired).toBe(0);
    await box.pass(2_000);
    expect(box.queue('bags')).toMatchObject({ ready: 0, expired: 1 });
  });

  test.each(['power cut', 'closed'] as const)('at once when its time came as the node opened: %s', async (how) => {
    const box = await boxWith('opening');
    for (let i = 0; i < 5; i++) await box.send('bags', `m${i}`, { timeToBeReceivedMs: 1_000 });
    const held = await box.receive('bags', { leaseMs: 60_000 });
    await box.pass(1_100);
    // A frame that knows the time, with a message in it whose lease ends with the node.
    expect([await box.send('others', 'tick'), held !== undefined]).toEqual(['sent', true]);
    await box.stop(how);
    const { steps } = box.world;
    await box.start();
    await box.pass(100);
    expect(box.queue('bags')).toMatchObject({ ready: 0, leased: 0, expired: 5 });
    expect(box.world.steps - steps).toBeLessThan(100);
  });

  test('what is due while the node closes waits for the next opening, and turns no wheels', async () => {
    const box = await boxWith('closes');
    await box.send('bags', 'a', { timeToBeReceivedMs: 1_000 });
    await box.pass(900);
    box.node.disk.onPending = () => box.world.after(500, () => box.node.disk.step());
    const { steps } = box.world;
    box.node.close();
    await box.pass(5_000);
    expect([box.node.isUp, box.world.steps - steps < 100]).toEqual([false, true]);
    await box.start();
    await box.pass(100);
    expect(box.queue('bags')).toMatchObject({ ready: 0, expired: 1 });
  });

  test('not while it is leased; given back it is gone', async () => {
    const box = await boxWith('leased');
    for (const text of ['acked', 'back']) await box.send('bags', text, { timeToBeReceivedMs: 1_000 });
    const [first, second] = [await box.receive('bags', { leaseMs: 5_000 }), await box.receive('bags', { leaseMs: 5_000 })];
    await box.pass(3_000);
    expect(box.queue('bags')).toMatchObject({ leased: 2, expired: 0 });
    expect(await box.ack(first)).toBe('done');
    await box.ask({ verb: 'nack', lease: second?.lease ?? '', delayMs: 0 });
    await box.pass(10);
    expect(box.queue('bags')).toMatchObject({ ready: 0, leased: 0, expired: 1, bytes: 0 });
    expect(await box.receive('bags')).toBeUndefined();
  });

  test('before its delay ends it never becomes visible', async () => {
    const box = await boxWith('delayed');
    await box.send('bags', 'never', { timeToBeReceivedMs: 1_000, deliverAfterMs: 5_000 });
    await box.send('bags', 'back', { timeToBeReceivedMs: 3_000 });
    await nack(box, 10_000);
    await box.pass(20_000);
    expect(box.queue('bags')).toMatchObject({ ready: 0, delayed: 0, leased: 0, expired: 2, bytes: 0 });
  });

  test('many at once in few frames, and a receiver that waits meanwhile gets none of them', async () => {
    const box = await boxWith('many');
    for (let i = 0; i < 1_500; i++) box.begin(box.sending('bags', `m${i}`, { timeToBeReceivedMs: 20_000 }));
    await box.pass(5_000);
    const frames = box.stats.ring.framesWritten;
    const head = await box.receive('bags', { leaseMs: 100_000 });
    await box.pass(14_990);
    const waiting = Array.from({ length: 50 }, () =>
      box.begin({ verb: 'receive', queue: 'bags', waitMs: 5_000, leaseMs: 30_000 }),
    );
    const taken = () => waiting.filter(({ result }) => result?.kind === 'received').length;
    await box.pass(3_000);
    const early = taken();
    await box.pass(5_000);
    expect([taken(), waiting.every(({ result }) => result !== undefined)]).toEqual([early, true]);
    expect(box.queue('bags')).toMatchObject({ ready: 0, leased: early + 1, expired: 1_499 - early });
    expect(box.stats.ring.framesWritten - frames).toBeLessThan(20);
    expect(await box.ack(head)).toBe('done');
  });

  test('of many whose delay and whose time end in the same instant nobody gets one', async () => {
    const box = await boxWith('instant');
    const timers = { deliverAfterMs: 20_000, timeToBeReceivedMs: 20_000 };
    for (let i = 0; i < 1_500; i++) box.begin(box.sending('bags', `m${i}`, timers));
    await box.pass(5_000);
    const waiting = Array.from({ length: 50 }, () =>
      box.begin({ verb: 'receive', queue: 'bags', waitMs: 60_000, leaseMs: 30_000 }),
    );
    await box.pass(20_000);
    expect(waiting.filter(({ result }) => result !== undefined)).toEqual([]);
    expect(box.queue('bags')).toMatchObject({ ready: 0, delayed: 0, expired: 1_500 });
  });

  test('a letter in $dead has no timers any more', async () => {
    const box = await boxWith('dead');
    await box.send('bags', 'poison', { timeToBeReceivedMs: 2_000, deliverAfterMs: 500 });
    const got = await box.receive('bags', { waitMs: 1_000 });
    await box.ask({ verb: 'deadLetter', lease: got?.lease ?? '', reason: 'no' });
    await box.pass(10_000);
    expect(await box.drain('$dead')).toEqual(['poison']);
  });

  test('room comes back with it: who waits for room gets it', async () => {
    const box = new QueueBox('room', { queues: [{ name: 'bags', bytesLimit: 2_000, whenFull: 'block' }] });
    await box.start();
    await box.send('bags', 'short '.padEnd(1_000, '.'), { timeToBeReceivedMs: 2_000 });
    expect(await box.send('bags', 'waits '.padEnd(1_000, '.'), { waitMs: 10_000 })).toBeUndefined();
    await box.pass(500);
    expect(await box.drain('bags')).toEqual(['waits']);
  });
});

describe('three thousand that expire together', () => {
  test('hold up nobody who sends or receives, in bounded steps; $dead keeps the newest', { timeout: 120_000 }, async () => {
    const box = new QueueBox(
      'mass',
      {
        queues: [
          { name: 'bags', bytesLimit: 4_000_000 },
          { name: 'others', bytesLimit: 50_000 },
          { name: '$dead', bytesLimit: 100_000 },
        ],
      },
      { ringBytes: 48 * 1024 * 1024 },
    );
    await box.start();
    for (let i = 0; i < 3_000; i++) {
      box.begin(box.sending('bags', `m${i}`, { timeToBeReceivedMs: 60_000 }));
      if (i % 1_000 === 999) await box.pass(50);
    }
    await box.pass(500);
    expect(box.queue('bags').ready).toBe(3_000);
    await box.restart('closed');
    await box.pass(59_000 - (box.world.nowMs % 1));
    const frames = box.stats.ring.framesWritten;
    const waits: number[] = [];
    for (let i = 0; i < 200; i++) {
      const atMs = box.world.nowMs;
      await box.send('others', `o${i}`);
      await box.ack(await box.receive('others'));
      waits.push(box.world.nowMs - atMs);
    }
    await box.pass(10_000);
    expect(box.queue('bags')).toMatchObject({ ready: 0, expired: 3_000 });
    // Two for each that was sent and received meanwhile.
    expect(box.stats.ring.framesWritten - frames).toBeLessThan(2 * waits.length + 300);
    const kept: number[] = [];
    for (let got = await box.receive('$dead'); got !== undefined; got = await box.receive('$dead')) {
      kept.push(Number(got.message.previous?.split(':').at(-1)));
      await box.ack(got);
    }
    expect(kept.length).toBeGreaterThan(200);
    // A few are read at once, and end in the order in which they came from the disk.
    expect(Math.min(...kept)).toBeGreaterThanOrEqual(3_000 - kept.length - EXPIRED_READ_COUNT);
    // A durable write takes up to 5 ms here, and who sends may find one under way, and one of those who expire.
    expect(Math.max(...waits)).toBeLessThan(40);
  });
});
