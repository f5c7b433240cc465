import { afterEach, describe, expect, test } from 'vitest';
import { codeOf, QueueBox, textOf } from '../../hardware-sim/queue-box.ts';
import { CLEARING_COUNT_MAX } from '../limits.ts';
import type { QueueOptions } from '../queue/queue-options.ts';
import type { Call, CallResult } from './calls.ts';
import type { NodeConfig } from './node-io.ts';

let box: QueueBox;

async function start(name: string, config: Partial<NodeConfig> = {}): Promise<void> {
  box = new QueueBox(name, config);
  await box.start();
}

const ask = async (call: Call): Promise<string | undefined> => codeOf(await box.ask(call));
const create = (queue: string, options: Partial<QueueOptions> = {}) => ask({ verb: 'createQueue', queue, options });
const set = (queue: string, changes: Partial<QueueOptions>) => ask({ verb: 'setQueue', queue, changes });
const remove = (queue: string) => ask({ verb: 'deleteQueue', queue });
const names = () => box.stats.queues.map(({ name }) => name).filter((name) => !name.startsWith('$'));

async function purged(queue: string): Promise<number | string | undefined> {
  const result = await box.ask({ verb: 'purge', queue });
  return result?.kind === 'purged' ? result.count : codeOf(result);
}

function detailsOf(result: CallResult | undefined): unknown {
  return result?.kind === 'error' ? result.error.details : result?.kind;
}

/** What every test leaves behind must add up. */
afterEach(() => {
  for (const { name, arrived, ended, ready, leased, delayed } of box.node.stats()?.queues ?? [])
    expect(ended + ready + leased + delayed, `messages of ${name}`).toBe(arrived);
});

describe('a queue that is created', () => {
  test('has what was said, and the defaults for the rest, over any restart', async () => {
    await start('created');
    const said = { label: 'bags of belt 1', ordering: 'strict', journal: 'on', retryMs: 5000, bytesReserved: 1000 } as const;
    expect(await create('bags', said)).toBe('done');
    const before = box.queue('bags');
    expect(before).toMatchObject({ ...said, bytesLimit: 50_000, whenFull: 'reject', deadLetterQueue: '$dead', retryFactor: 2 });
    expect(await box.send('bags', 'one')).toBe('sent');
    for (const how of ['power cut', 'closed'] as const) {
      await box.restart(how);
      expect(box.queue('bags')).toMatchObject({ ...said, bytesLimit: 50_000, ready: 1 });
    }
  });

  test("is refused by a name that is there, is not spelt as one, or is the system's", async () => {
    await start('names', { queues: [{ name: 'bags', bytesLimit: 1000 }] });
    expect(await create('bags')).toBe('QUEUE_EXISTS');
    expect(await create('Bags')).toBe('NAME_INVALID');
    expect(await create('$dead')).toBe('ACCESS_MODE_INVALID');
    expect(await create('bags;late')).toBe('ACCESS_MODE_INVALID');
    expect(names()).toEqual(['bags']);
  });

  test.each<[Partial<Record<keyof QueueOptions | 'colour', unknown>>, string]>([
    [{ bytesLimit: 0 }, 'bytesLimit'],
    [{ bytesLimit: 1.5 }, 'bytesLimit'],
    [{ bytesReserved: 60_000 }, 'bytesReserved'],
    [{ whenFull: 'burn' }, 'whenFull'],
    [{ ordering: 'loose' }, 'ordering'],
    [{ label: 'x'.repeat(125) }, 'label'],
    [{ deadLetterQueue: 'other/dead' }, 'deadLetterQueue'],
    [{ deadLetterQueue: 'bags' }, 'deadLetterQueue'],
    [{ timeToBeReceivedMs: -1 }, 'timeToBeReceivedMs'],
    [{ deliveriesMax: 65_536 }, 'deliveriesMax'],
    [{ retryFactor: 0.5 }, 'retryFactor'],
    [{ retryFactor: Number.NaN }, 'retryFactor'],
    [{ retryJitterPercent: 101 }, 'retryJitterPercent'],
    [{ retryMsMax: Number.POSITIVE_INFINITY }, 'retryMsMax'],
    [{ colour: 'red' }, 'colour'],
  ])('or set is refused with %j, and nothing changes', async (said, property) => {
    await start(`refused ${property}`, { queues: [{ name: 'there', bytesLimit: 50_000, deadLetterQueue: 'bags' }] });
    const options = said as Partial<QueueOptions>;
    const made = await box.ask({ verb: 'createQueue', queue: 'bags', options });
    expect([codeOf(made), detailsOf(made)]).toEqual(['PROPERTY_INVALID', expect.objectContaining({ property })]);
    expect(names()).toEqual(['there']);
    const before = box.queue('there');
    if (said.deadLetterQueue !== 'bags') expect(await set('there', options)).toBe('PROPERTY_INVALID');
    expect(box.queue('there')).toEqual(before);
  });

  test('may not reserve more than the ring can keep, with what others have', async () => {
    await start('reserves');
    const { bytesMax } = box.stats.ring;
    expect(await create('a', { bytesLimit: bytesMax, bytesReserved: Math.floor(bytesMax / 2) })).toBe('done');
    expect(await create('b', { bytesLimit: bytesMax, bytesReserved: Math.floor(bytesMax / 2) })).toBe('RESERVE_TOO_LARGE');
    expect(await set('a', { bytesReserved: bytesMax })).toBe('RESERVE_TOO_LARGE');
    expect(names()).toEqual(['a']);
  });
});

describe('a queue that is set', () => {
  test('has the new properties at once and after any restart, and the others as they were', async () => {
    await start('set');
    await create('bags', { label: 'old', deliveriesMax: 3 });
    expect(await set('bags', { label: 'new', state: 'paused' })).toBe('done');
    await box.restart('power cut');
    expect(box.queue('bags')).toMatchObject({ label: 'new', state: 'paused', deliveriesMax: 3 });
  });

  test('keeps its ordering for ever', async () => {
    await start('ordering', { queues: [{ name: 'bags', bytesLimit: 50_000, ordering: 'strict' }] });
    const refused = await box.ask({ verb: 'setQueue', queue: 'bags', changes: { ordering: 'parallel' } });
    expect([codeOf(refused), detailsOf(refused)]).toEqual([
      'PROPERTY_INVALID',
      expect.objectContaining({ property: 'ordering' }),
    ]);
    expect(await set('bags', { ordering: 'strict', label: 'same' })).toBe('done');
    await box.restart('closed', { queues: [{ name: 'bags', bytesLimit: 50_000, ordering: 'parallel' }] });
    expect(box.queue('bags').ordering).toBe('strict');
  });

  test('has to be there; a subqueue has no properties, a system queue its limits', async () => {
    await start('who', { queues: [{ name: 'bags', bytesLimit: 50_000 }] });
    expect(await set('late', { label: 'x' })).toBe('QUEUE_NOT_FOUND');
    expect(await set('bags;late', { label: 'x' })).toBe('ACCESS_MODE_INVALID');
    expect(await set('$dead', { bytesLimit: 20_000 })).toBe('done');
    expect(await set('$dead', { journal: 'on' })).toBe('PROPERTY_INVALID');
    await box.restart('power cut');
    expect(box.queue('$dead').bytesLimit).toBe(20_000);
  });

  test("is the configuration's again when the node starts, if it stands there; but paused it stays", async () => {
    const queues = [{ name: 'bags', bytesLimit: 40_000, label: 'configured' }];
    await start('wins', { queues });
    await create('mine', { bytesLimit: 30_000, bytesReserved: 1000 });
    await set('bags', { bytesLimit: 20_000, label: 'set', state: 'paused' });
    await set('mine', { label: 'mine too' });
    await box.restart('closed');
    expect(box.queue('bags')).toMatchObject({ bytesLimit: 40_000, label: 'configured', state: 'paused' });
    expect(box.queue('mine')).toMatchObject({ bytesLimit: 30_000, bytesReserved: 1000, label: 'mine too' });
  });

  test('keeps what it was told when it leaves the configuration, but for its reserve', async () => {
    await start('leaves', { queues: [{ name: 'bags', bytesLimit: 40_000, bytesReserved: 1000, label: 'configured' }] });
    await box.restart('closed', { queues: [] });
    expect(box.queue('bags')).toMatchObject({ bytesLimit: 40_000, bytesReserved: 0, label: 'configured' });
  });
});

test('system queues are bounded: an eighth of the ring, unless configured', async () => {
  await start('system', { queueBytesLimit: 10_000_000, queues: [{ name: '$journal', bytesLimit: 5000 }] });
  const eighth = Math.floor(box.stats.ring.bytesMax / 8);
  expect(['$dead', '$journal', '$admin'].map((name) => box.queue(name).bytesLimit)).toEqual([eighth, 5000, eighth]);
});

test('queues are listed with their properties and counts', async () => {
  await start('listed', { queues: [{ name: 'bags', bytesLimit: 50_000 }] });
  await box.send('bags', 'one');
  const result = await box.ask({ verb: 'queues' });
  expect(result?.kind === 'queues' && result.queues).toEqual(box.stats.queues);
  expect(result?.kind === 'queues' && result.queues.find(({ name }) => name === 'bags')).toMatchObject({
    ready: 1,
    bytesLimit: 50_000,
  });
});

describe('a purge', () => {
  test('ends what is ready or delayed, says how many, and leaves what is under lease', async () => {
    await start('purge', {
      queues: [
        { name: 'bags', bytesLimit: 50_000 },
        { name: 'other', bytesLimit: 50_000 },
      ],
    });
    for (const priority of [1, 3, 7]) await box.send('bags', `p${priority}`, { priority });
    const leased = await box.receive('bags', { leaseMs: 60_000 });
    await box.send('bags', 'later', { deliverAfterMs: 5000 });
    await box.send('other', 'stays');
    expect(await purged('bags')).toBe(3);
    expect(box.queue('bags')).toMatchObject({ ready: 0, delayed: 0, leased: 1 });
    expect(box.queue('other').ready).toBe(1);
    await box.restart('power cut');
    expect(box.queue('bags')).toMatchObject({ ready: 1, delayed: 0 });
    expect(textOf(await box.receive('bags'))).toBe(textOf(leased));
    expect(await purged('none')).toBe('QUEUE_NOT_FOUND');
    expect(await purged('bags')).toBe(0);
  });

  test('accounts for each of them as Q_PURGED', async () => {
    await start('account', { queues: [{ name: 'bags', bytesLimit: 50_000 }] });
    for (let i = 0; i < 5; i++) await box.send('bags', `m${i}`);
    expect(await purged('bags')).toBe(5);
    await box.restart('power cut');
    const dead = box.queue('$dead').ready;
    const counted = box.stats.accounts.filter((one) => one.class === 'Q_PURGED').reduce((sum, { count }) => sum + count, 0);
    expect(counted + dead).toBe(5);
  });

  test('of a long queue takes bounded steps, and nobody waits for its end: what comes meanwhile stays', async () => {
    const COUNT = 6 * CLEARING_COUNT_MAX;
    await start('long', {
      queues: [
        { name: 'bags', bytesLimit: 400_000 },
        { name: 'other', bytesLimit: 5000 },
      ],
    });
    const sends = Array.from({ length: COUNT }, (_, i) => box.begin(box.sending('bags', `m${i}`)));
    while (sends.some(({ result }) => result === undefined)) await box.pass(10);
    const began = box.begin({ verb: 'purge', queue: 'bags' });
    await box.pass(1);
    const during = box.begin(box.sending('bags', 'arrives'));
    const other = box.begin(box.sending('other', 'quick'));
    let left = 0;
    while (other.result === undefined || during.result === undefined) await box.pass(1);
    left = box.queue('bags').ready;
    expect(left, 'the purge goes on').toBeGreaterThan(1);
    while (began.result === undefined) await box.pass(5);
    expect(began.result).toEqual({ kind: 'purged', count: COUNT });
    expect(await box.drain('bags')).toEqual(['arrives']);
  });
});

describe('a queue that is deleted', () => {
  test('is gone with its messages, and its id and numbers are never used again', async () => {
    await start('deleted');
    await create('bags');
    const first = await box.ask(box.sending('bags', 'one'));
    await box.send('bags', 'later', { deliverAfterMs: 60_000 });
    expect(await remove('bags')).toBe('done');
    expect(names()).toEqual([]);
    expect(await box.send('bags', 'two')).toBe('QUEUE_NOT_FOUND');
    for (const how of ['power cut', 'closed'] as const) {
      await box.restart(how);
      expect(names()).toEqual([]);
    }
    expect(await create('bags')).toBe('done');
    expect(await box.drain('bags')).toEqual([]);
    const second = await box.ask(box.sending('bags', 'three'));
    const numberOf = (result: CallResult | undefined) =>
      result?.kind === 'sent' ? Number(result.identity.split(':').at(-1)) : 0;
    expect(numberOf(second)).toBeGreaterThan(numberOf(first));
    expect(await box.drain('bags')).toEqual(['three']);
  });

  test('never gives its id to another one, also when it was the newest and the node restarts between', async () => {
    await start('ids');
    const ids = new Set<number>();
    for (let round = 0; round < 4; round++) {
      await create('bags');
      await box.send('bags', 'one');
      const id = box.queueId('bags');
      expect(ids.has(id)).toBe(false);
      ids.add(id);
      expect(await remove('bags')).toBe('done');
      await box.restart(round % 2 === 0 ? 'power cut' : 'closed');
    }
  });

  test('tells who waits for it, and its leases are unknown from then on', async () => {
    await start('waiters', { queues: [{ name: 'other', bytesLimit: 50_000 }] });
    await create('bags');
    await box.send('bags', 'leased');
    const leased = await box.receive('bags', { leaseMs: 60_000 });
    const waits = box.begin({ verb: 'receive', queue: 'bags', waitMs: 60_000, leaseMs: 1000 });
    const elsewhere = box.begin({ verb: 'receive', queue: 'other', waitMs: 60_000, leaseMs: 1000 });
    await box.pass(50);
    expect(await remove('bags')).toBe('done');
    expect(codeOf(waits.result)).toBe('QUEUE_DELETED');
    expect(elsewhere.result).toBeUndefined();
    expect(await box.ack(leased)).toBe('LEASE_UNKNOWN');
  });

  test('waits for a nack whose delay is being written, and for sends on their way', async () => {
    await start('on their way');
    await create('bags');
    await box.send('bags', 'nacked');
    const leased = await box.receive('bags', { leaseMs: 60_000 });
    const nack = box.begin({ verb: 'nack', lease: leased?.lease ?? '', delayMs: 60_000 });
    const send = box.begin(box.sending('bags', 'sent just before'));
    await box.pass(1);
    const gone = box.begin({ verb: 'deleteQueue', queue: 'bags' });
    await box.pass(2000);
    expect([codeOf(nack.result), codeOf(send.result), codeOf(gone.result)]).toEqual(['done', 'sent', 'done']);
    await box.restart('power cut');
    expect(names()).toEqual([]);
  });

  test('is not there for others at once, and its name is free for a new one while the old one ends', async () => {
    const COUNT = 2 * CLEARING_COUNT_MAX;
    await start('name is free', { queues: [] });
    await create('bags', { bytesLimit: 200_000 });
    const sends = Array.from({ length: COUNT }, (_, i) => box.begin(box.sending('bags', `m${i}`)));
    while (sends.some(({ result }) => result === undefined)) await box.pass(10);
    const gone = box.begin({ verb: 'deleteQueue', queue: 'bags' });
    await box.pass(1);
    expect(await create('bags', { label: 'new' })).toBe('done');
    expect(gone.result).toBeUndefined();
    expect(await box.send('bags', 'fresh')).toBe('sent');
    while (gone.result === undefined) await box.pass(5);
    expect(codeOf(gone.result)).toBe('done');
    await box.restart('power cut');
    expect(box.queue('bags').label).toBe('new');
    expect(await box.drain('bags')).toEqual(['fresh']);
  });

  test('goes on when the power fails in the middle of it, wherever that is', { timeout: 120_000 }, async () => {
    const COUNT = 3 * CLEARING_COUNT_MAX;
    const found = { before: 0, middle: 0, after: 0 };
    for (let ms = 0; ms <= 26; ms += 2) {
      await start(`cut after ${ms}`);
      await create('bags', { bytesLimit: 200_000 });
      await create('other');
      const sends = Array.from({ length: COUNT }, (_, i) => box.begin(box.sending('bags', `m${i}`)));
      while (sends.some(({ result }) => result === undefined)) await box.pass(10);
      await box.send('bags', 'later', { deliverAfterMs: 600_000 });
      const gone = box.begin({ verb: 'deleteQueue', queue: 'bags' });
      await box.pass(ms);
      await box.stop('power cut');
      const state = box.keptQueues().find(({ name }) => name === 'bags')?.state ?? 'gone';
      found[state === 'there' ? 'before' : state === 'deleting' ? 'middle' : 'after'] += 1;
      await box.start();
      await box.pass(1000);
      if (state === 'there') {
        expect(gone.result, 'it was not told so').toBeUndefined();
        expect(box.queue('bags'), 'all of it is there').toMatchObject({ ready: COUNT, delayed: 1 });
        continue;
      }
      expect(names()).toEqual(['other']);
      await box.restart('power cut');
      expect(names()).toEqual(['other']);
      expect(box.keptQueues().map(({ name }) => name)).not.toContain('bags');
      expect(box.onDisk().index.count - box.queue('$dead').ready).toBe(0);
    }
    expect(found.middle, JSON.stringify(found)).toBeGreaterThan(1);
    expect(found.before + found.after).toBeGreaterThan(1);
  });

  test('refuses who waits for room in it', async () => {
    await start('blocked');
    await create('bags', { bytesLimit: 1500, whenFull: 'block' });
    await box.send('bags', `one ${'x'.repeat(1200)}`);
    const blocked = box.begin(box.sending('bags', `two ${'x'.repeat(1200)}`, { waitMs: 60_000 }));
    await box.pass(50);
    expect(box.queue('bags').blocked).toBe(1);
    expect(await remove('bags')).toBe('done');
    await box.pass(50);
    expect(codeOf(blocked.result)).toBe('QUEUE_NOT_FOUND');
  });

  test('is not a system queue or a part of one', async () => {
    await start('kinds', { queues: [{ name: 'bags', bytesLimit: 50_000 }] });
    expect(await remove('$dead')).toBe('ACCESS_MODE_INVALID');
    expect(await remove('bags;late')).toBe('ACCESS_MODE_INVALID');
    expect(await remove('none')).toBe('QUEUE_NOT_FOUND');
  });
});

test('messages that are pending, leased, delayed or ended are those that arrived, at any instant, under load', async () => {
  await start('add up', { queues: [{ name: 'bags', bytesLimit: 20_000, whenFull: 'drop-oldest' }] });
  let seed = 7;
  const roll = (sides: number) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor(seed / 65536) % sides;
  };
  const leases: string[] = [];
  for (let step = 0; step < 600; step++) {
    const what = roll(8);
    const lease = leases[roll(Math.max(1, leases.length))] ?? '';
    if (what < 3)
      box.begin(
        box.sending(
          'bags',
          `m${step} ${'x'.repeat(roll(900))}`,
          roll(3) === 0 ? { deliverAfterMs: roll(300) } : { timeToBeReceivedMs: 50 + roll(500) },
        ),
      );
    if (what === 3) box.begin({ verb: 'receive', queue: 'bags', waitMs: roll(50), leaseMs: 20 + roll(100) });
    if (what === 4) {
      const got = await box.receive('bags', { leaseMs: 200 });
      if (got !== undefined) leases.push(got.lease);
    }
    if (what === 5) box.begin({ verb: 'ack', lease });
    if (what === 6) box.begin({ verb: 'nack', lease, ...(roll(2) === 0 && { delayMs: roll(100) }) });
    if (what === 7 && roll(10) === 0) box.begin({ verb: 'purge', queue: 'bags' });
    await box.pass(roll(4));
    const { arrived, ended, ready, leased, delayed } = box.queue('bags');
    expect(ended + ready + leased + delayed, `step ${step}`).toBe(arrived);
  }
  expect(box.queue('bags').arrived).toBeGreaterThan(100);
});
