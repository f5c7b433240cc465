/** AC-01 to AC-07: queues are made, changed, listed, emptied and deleted (docs/msmq-parity.md). */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { QueueStats } from '../../shared/core/calls.ts';
import type { QueueOptions } from '../../shared/queue/queue-options.ts';
import { Application, textOf } from './application.ts';
import { inEveryWorld, type World } from './worlds.ts';

const OPTIONS: Partial<QueueOptions> = {
  bytesLimit: 12_345,
  bytesReserved: 1_000,
  whenFull: 'drop-oldest',
  remoteWhenFull: 'dead-letter',
  label: 'Gepäck, Halle 3',
  ordering: 'strict',
  journal: 'on',
  deadLetterQueue: 'notes',
  timeToBeReceivedMs: 86_400_000,
  deliveriesMax: 7,
  retryMs: 5_000,
  retryFactor: 3,
  retryMsMax: 60_000,
  retryJitterPercent: 10,
};

inEveryWorld((start) => {
  let world: World;
  let app: Application;
  beforeEach(async () => {
    world = await start();
    app = new Application(world);
  });
  afterEach(() => world.end());

  test('AC-01 a queue is made, is there, is deleted, is not there; making it twice is refused', async () => {
    expect(await app.queue('parcels')).toBeUndefined();
    expect(await app.trySend('parcels', 'a')).toBe('QUEUE_NOT_FOUND');
    expect(await app.createQueue('parcels')).toBe('done');
    expect(await app.createQueue('parcels')).toBe('QUEUE_EXISTS');
    expect(await app.trySend('parcels', 'a')).toBe('sent');
    expect(await app.code({ verb: 'deleteQueue', queue: 'parcels' })).toBe('done');
    expect(await app.queue('parcels')).toBeUndefined();
    expect(await app.code({ verb: 'deleteQueue', queue: 'parcels' })).toBe('QUEUE_NOT_FOUND');
    expect(await app.code({ verb: 'peek', queue: 'parcels', waitMs: 0, bodies: 'with' })).toBe('QUEUE_NOT_FOUND');
    expect(await app.createQueue('parcels')).toBe('done');
    expect(await app.drain('parcels')).toEqual([]);
    await world.restart('killed');
    expect(await app.queue('parcels')).toMatchObject({ ready: 0 });
  });

  test('AC-01 system queues are there, and nobody makes or deletes them', async () => {
    for (const queue of ['$dead', '$journal', '$admin']) {
      expect(await app.queue(queue)).toMatchObject({ ready: 0 });
      expect(await app.code({ verb: 'deleteQueue', queue })).toBe('ACCESS_MODE_INVALID');
      expect(['ACCESS_MODE_INVALID', 'QUEUE_EXISTS']).toContain(await app.createQueue(queue));
    }
  });

  test('AC-02 properties are the same after close and crash; ordering never changes', async () => {
    expect(await app.createQueue('parcels', OPTIONS)).toBe('done');
    for (const how of ['closed', 'killed'] as const) {
      await world.restart(how);
      expect(await app.queue('parcels')).toMatchObject(OPTIONS);
    }
    const change = (changes: Partial<QueueOptions>) => app.code({ verb: 'setQueue', queue: 'parcels', changes });
    expect(await change({ label: 'other', deliveriesMax: 2 })).toBe('done');
    expect(await change({ ordering: 'parallel' })).toBe('PROPERTY_INVALID');
    await world.restart('killed');
    expect(await app.queue('parcels')).toMatchObject({ ...OPTIONS, label: 'other', deliveriesMax: 2 });
  });

  test.each<[string, Record<string, unknown>]>([
    ['a limit that is none', { bytesLimit: -1 }],
    ['half a byte', { bytesLimit: 1.5 }],
    ['a reserve above the limit', { bytesLimit: 1_000, bytesReserved: 1_001 }],
    ['a word that is none', { whenFull: 'explode' }],
    ['a label of 125 characters', { label: 'x'.repeat(125) }],
    ['a queue for dead letters that nobody can spell', { deadLetterQueue: 'Bad Name' }],
    ['a factor below one', { retryFactor: 0.5 }],
    ['more jitter than there is time', { retryJitterPercent: 101 }],
    ['an option that does not exist', { colour: 'red' }],
  ])('AC-02 %s is refused, and nothing is made', async (_name, options) => {
    expect(['PROPERTY_INVALID', 'REQUEST_INVALID', 'NAME_INVALID']).toContain(
      await app.createQueue('parcels', options as Partial<QueueOptions>),
    );
    expect(await app.queue('parcels')).toBeUndefined();
  });

  test('AC-03 properties in every pair of values are the same after reopening', async () => {
    const values: [keyof QueueOptions, unknown, unknown][] = [
      ['bytesReserved', 0, 500],
      ['whenFull', 'reject', 'drop-lowest-priority'],
      ['remoteWhenFull', 'wait', 'dead-letter'],
      ['label', '', 'x'.repeat(124)],
      ['ordering', 'parallel', 'strict'],
      ['journal', 'off', 'on'],
      ['deadLetterQueue', '$dead', 'bags'],
      ['deliveriesMax', 0, 65_000],
      ['retryMs', 0, 1_000],
    ];
    // Rows of a Hadamard matrix of order 16: in any two columns all four combinations occur.
    const bit = (row: number, column: number) =>
      [...(row & (column + 1)).toString(2)].filter((digit) => digit === '1').length % 2;
    const made = Array.from({ length: 16 }, (_, row) =>
      Object.fromEntries(values.map(([key, a, b], column) => [key, bit(row, column) === 0 ? a : b])),
    );
    for (const [i, options] of made.entries())
      expect(await app.createQueue(`q${i}`, { bytesLimit: 2_000, ...options })).toBe('done');
    await world.restart('killed');
    const queues = new Map((await app.queues()).map((queue) => [queue.name, queue]));
    for (const [i, options] of made.entries()) expect(queues.get(`q${i}`)).toMatchObject({ bytesLimit: 2_000, ...options });
  });

  test('AC-04 every queue is listed, used or not; a fresh one counts 0, after three sends 3', async () => {
    const names = (queues: readonly QueueStats[]) => queues.map(({ name }) => name).sort();
    await app.createQueue('parcels');
    expect(names(await app.queues())).toEqual(['$admin', '$dead', '$journal', 'bags', 'notes', 'parcels']);
    expect(await app.queue('parcels')).toMatchObject({ ready: 0, leased: 0, delayed: 0, bytes: 0 });
    for (const text of ['a', 'b', 'c']) await app.send('parcels', text);
    expect(await app.queue('parcels')).toMatchObject({ ready: 3, leased: 0 });
    await world.restart('closed');
    expect(names(await app.queues())).toEqual(['$admin', '$dead', '$journal', 'bags', 'notes', 'parcels']);
    expect(await app.queue('parcels')).toMatchObject({ ready: 3, leased: 0 });
  });

  test('AC-05 a purge leaves nothing that was ready or delayed, and tells who asked', async () => {
    for (const text of ['a', 'b', 'c']) await app.send('bags', text, { acknowledge: 'receive' });
    await app.send('bags', 'later', { deliverAfterMs: 60_000 });
    const received = await app.receive('bags');
    const held = await app.receive('bags');
    expect(await app.ack(received)).toBe('done');
    expect(await app.ask({ verb: 'purge', queue: 'bags' })).toEqual({ kind: 'purged', count: 2 });
    expect(await app.queue('bags')).toMatchObject({ ready: 0, leased: 1, delayed: 0 });
    expect(await app.ack(held)).toBe('done');
    await world.restart('killed');
    expect(await app.drain('bags')).toEqual([]);
    expect(await app.drain('$dead')).toEqual([]);
    const told: string[] = [];
    for (let word = await app.receive('$admin'); word; word = await app.receive('$admin')) told.push(word.message.label ?? '');
    expect(told.sort()).toEqual(['ACK_RECEIVE', 'ACK_RECEIVE', 'Q_PURGED']);
  });

  test('AC-05 a purge of more than fits a frame is done when it is answered', async () => {
    const sent = 700;
    const body = new Uint8Array(40);
    for (let i = 0; i < sent; i += 50) await Promise.all(Array.from({ length: 50 }, () => app.send('bags', body)));
    expect(await app.ask({ verb: 'purge', queue: 'bags' })).toEqual({ kind: 'purged', count: sent });
    await world.restart('killed');
    expect(await app.queue('bags')).toMatchObject({ ready: 0, bytes: 0 });
  });

  test('AC-06 deleting a queue wakes who waits for it, ends what is under lease, and what was in it is told', async () => {
    await app.createQueue('parcels');
    const waiting = app.code({ verb: 'receive', queue: 'parcels', waitMs: 600_000, leaseMs: 1_000 });
    await app.send('bags', 'the node had its time');
    expect(await app.code({ verb: 'deleteQueue', queue: 'parcels' })).toBe('done');
    expect(await waiting).toBe('QUEUE_DELETED');

    await app.createQueue('parcels');
    await app.send('parcels', 'held', { acknowledge: 'receive' });
    await app.send('parcels', 'waits', { acknowledge: 'receive' });
    const held = await app.receive('parcels');
    expect(await app.code({ verb: 'deleteQueue', queue: 'parcels' })).toBe('done');
    expect(await app.ack(held)).toBe('LEASE_UNKNOWN');
    await world.restart('killed');
    expect(await app.queue('parcels')).toBeUndefined();
    const told: string[] = [];
    for (let word = await app.receive('$admin'); word; word = await app.receive('$admin')) told.push(word.message.label ?? '');
    expect(told).toEqual(['Q_DELETED', 'Q_DELETED']);
    await app.createQueue('parcels');
    expect(await app.drain('parcels')).toEqual([]);
    await app.send('parcels', 'new');
    expect(textOf(await app.receive('parcels'))).toBe('new');
  });

  test.each([
    ['upper case', 'Bags'],
    ['a dot', 'bags.old'],
    ['a space', 'my bags'],
    ['nothing', ''],
    ['64 characters', 'x'.repeat(64)],
    ['a letter from elsewhere', 'gepäck'],
    ['a system name that is none', '$temp'],
    ['two slashes', 'a/b/c'],
  ])('AC-07 a name with %s is refused at once', async (_name, queue) => {
    expect(await app.trySend(queue, 'a')).toBe('NAME_INVALID');
    expect(await app.createQueue(queue)).toBe('NAME_INVALID');
    expect(['NAME_INVALID', 'QUEUE_NOT_FOUND']).toContain(await app.code({ verb: 'receive', queue, waitMs: 0, leaseMs: 1_000 }));
  });

  test('AC-07 nobody sends to a subqueue, to a system queue, or to a node that is not there', async () => {
    expect(await app.trySend('bags;retry', 'a')).toMatch(/^(NAME_INVALID|ACCESS_MODE_INVALID)$/);
    for (const queue of ['$dead', '$journal', '$admin']) expect(await app.trySend(queue, 'a')).toBe('ACCESS_MODE_INVALID');
    expect(await app.trySend('elsewhere/bags', 'a')).toBe('ROUTE_NOT_FOUND');
    expect(await app.createQueue('x'.repeat(63))).toBe('done');
  });
});
