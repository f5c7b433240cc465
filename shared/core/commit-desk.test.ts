/** AC-18 to AC-23 on one node: sends, acks and dead letters of a transaction, in one frame or not at all. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codeOf, QueueBox, sendStep, textOf } from '../../hardware-sim/queue-box.ts';
import { toUtf8 } from '../bytes.ts';
import { COMMIT_STEP_COUNT_MAX, POSITION_COUNT_MAX } from '../limits.ts';
import type { Call, TransactionStep } from './calls.ts';
import type { NodeConfig } from './node-io.ts';

const LIMIT = 3_000;
const text = (name: string, bytes = 900) => `${name} `.padEnd(bytes, '.');

async function boxWith(name: string, config: Partial<NodeConfig> = {}, how = {}): Promise<QueueBox> {
  const queues = [
    { name: 'bags', bytesLimit: LIMIT },
    { name: 'others', bytesLimit: 50_000 },
    { name: 'blocks', bytesLimit: LIMIT, whenFull: 'block' as const },
    { name: 'oldest', bytesLimit: LIMIT, whenFull: 'drop-oldest' as const },
  ];
  const box = new QueueBox(`commit ${name}`, { queues, uplink: 'link', ...config }, how);
  await box.start();
  return box;
}

const counts = (box: QueueBox) => box.stats.queues.map(({ name, ready, leased, bytes }) => ({ name, ready, leased, bytes }));
const written = (box: QueueBox) => {
  const { outgoing, accounts, ring } = box.stats;
  return { queues: counts(box), outgoing, accounts, bytes: ring.bytesUsed };
};

describe('what a transaction sends', () => {
  test('is in the queues, in order, with consecutive numbers and a mark on each; its answer names them in order', async () => {
    const box = await boxWith('marks');
    await box.send('bags', 'before');
    const steps = [sendStep('bags', 'a'), sendStep('others', 'b'), sendStep('bags', 'c'), sendStep('central/far', 'd')];
    const frames = box.stats.ring.framesWritten;
    const result = await box.ask(box.committing(steps));
    expect(box.stats.ring.framesWritten).toBe(frames + 1);
    expect(result).toMatchObject({ kind: 'committed', durability: 'unknown' });
    const names = result?.kind === 'committed' ? result.identities : [];
    expect(names.map((name) => name.split(':').slice(2).join(':'))).toEqual([
      'box/bags:3:2',
      'box/others:3:1',
      'box/bags:3:3',
      'central/far:3:1',
    ]);
    await box.send('bags', 'after');
    const got = [await box.receive('bags'), await box.receive('bags'), await box.receive('bags'), await box.receive('bags')];
    expect(got.map(textOf)).toEqual(['before', 'a', 'c', 'after']);
    const [before, a, c] = got.map((one) => one?.message.transaction);
    expect(before).toBeUndefined();
    expect(a).toMatchObject({ index: 0, count: 4 });
    expect(c).toEqual({ id: a?.id, index: 2, count: 4 });
  });

  test('no two transactions bear the same mark, over restarts too', async () => {
    const box = await boxWith('ids');
    for (let i = 0; i < 3; i++) {
      await box.commit([sendStep('others', 'x')]);
      await box.commit([sendStep('others', 'x')]);
      await box.restart('power cut');
    }
    const ids = new Set<string | undefined>();
    for (let got = await box.receive('others'); got; got = await box.receive('others')) ids.add(got.message.transaction?.id);
    expect(ids.size).toBe(6);
  });

  test('honours the priority and the timers of each message', async () => {
    const box = await boxWith('timers');
    const steps = [
      sendStep('others', 'low', { priority: 0 }),
      sendStep('others', 'short', { timeToBeReceivedMs: 500 }),
      sendStep('others', 'later', { deliverAfterMs: 1_000 }),
      sendStep('others', 'urgent', { priority: 7 }),
    ];
    expect(await box.commit(steps)).toBe('committed');
    await box.pass(600);
    expect(await box.drain('others')).toEqual(['urgent', 'low']);
    await box.pass(600);
    expect(await box.drain('others')).toEqual(['later']);
  });

  test('is checked before anything is done', async () => {
    const box = await boxWith('checked');
    const wrong = [
      [sendStep('bags', 'a'), sendStep('bags', 'b', { priority: 9 })],
      [sendStep('bags', 'a'), sendStep('nowhere', 'b')],
      [sendStep('bags', 'a'), sendStep('$dead', 'b')],
      [sendStep('bags', 'a'), sendStep('central/$admin', 'b')],
      Array.from({ length: COMMIT_STEP_COUNT_MAX + 1 }, () => sendStep('others', '')),
    ];
    const before = written(box);
    const codes: (string | undefined)[] = [];
    for (const steps of wrong) codes.push(await box.commit(steps));
    expect(codes).toEqual([
      'PROPERTY_INVALID',
      'QUEUE_NOT_FOUND',
      'ACCESS_MODE_INVALID',
      'ACCESS_MODE_INVALID',
      'PROPERTY_INVALID',
    ]);
    expect(written(box)).toEqual(before);
  });
});

describe('room', () => {
  test('is asked for all of it: two that only fit alone are refused together', async () => {
    const box = await boxWith('together');
    await box.send('bags', text('first'));
    const before = written(box);
    expect(await box.commit([sendStep('bags', text('a')), sendStep('bags', text('b')), sendStep('bags', text('c'))])).toBe(
      'QUEUE_FULL',
    );
    expect(written(box)).toEqual(before);
    expect(await box.commit([sendStep('bags', text('a')), sendStep('bags', text('b'))])).toBe('committed');
    expect(await box.drain('bags')).toEqual(['first', 'a', 'b']);
  });

  test('of the ring is asked for all of it, too', async () => {
    const box = await boxWith('ring', { queueBytesLimit: 10_000_000, unknownQueue: 'create' });
    while ((await box.send('wide', text('x', 20_000))) === 'sent');
    const { bytesUsed } = box.stats.ring;
    const before = written(box);
    const halves = Array.from({ length: 4 }, (_, i) => sendStep('wide', text(`h${i}`, 8_000)));
    expect(await box.commit(halves)).toBe('QUEUE_FULL');
    expect(box.stats.ring.bytesUsed).toBe(bytesUsed);
    expect(written(box)).toEqual(before);
  });

  test('a number that was refused is the next one, as if nothing had been asked', async () => {
    const box = await boxWith('numbers');
    await box.commit([
      sendStep('others', 'a'),
      sendStep('central/far', 'a'),
      ...[1, 2, 3, 4].map(() => sendStep('bags', text('x'))),
    ]);
    const result = await box.ask(box.committing([sendStep('others', 'b'), sendStep('central/far', 'b'), sendStep('bags', 'b')]));
    const names = result?.kind === 'committed' ? result.identities : [];
    expect(names.map((name) => name.split(':').at(-1))).toEqual(['1', '1', '1']);
    expect(box.stats.outgoing).toMatchObject([{ held: 1, lo: 1, next: 2 }]);
  });

  test('is made by dropping, where that is the policy; a refused transaction drops nothing', async () => {
    const box = await boxWith('drops');
    for (const name of ['m1', 'm2', 'm3']) await box.send('oldest', text(name));
    const before = written(box);
    const three = ['a', 'b', 'c'].map((name) => sendStep('oldest', text(name)));
    expect(await box.commit([...three.slice(0, 2), sendStep('bags', text('x', 5_000))])).toBe('MESSAGE_TOO_LARGE');
    expect(await box.commit([...three, sendStep('oldest', text('d'))])).toBe('QUEUE_FULL');
    expect(written(box)).toEqual(before);
    expect(box.queue('oldest').dropped).toBe(0);
    expect(await box.commit(three.slice(0, 2))).toBe('committed');
    expect(box.queue('oldest').dropped).toBe(2);
    expect(await box.drain('oldest')).toEqual(['m3', 'a', 'b']);
  });

  test('a queue that blocks refuses at once, and lets nobody in before those who wait', async () => {
    const box = await boxWith('blocks');
    for (const name of ['m1', 'm2', 'm3']) await box.send('blocks', text(name));
    const pending = box.begin(box.committing([sendStep('blocks', text('x'))]));
    const waiting = box.begin(box.sending('blocks', text('waits')));
    await box.pass(50);
    expect(codeOf(pending.result)).toBe('QUEUE_FULL');
    expect(waiting.result).toBeUndefined();
    expect(await box.commit([sendStep('blocks', 'small')])).toBe('QUEUE_FULL');
    expect(await box.drain('blocks')).toEqual(['m1', 'm2', 'm3', 'waits']);
  });

  test('what is taken from a full queue in the transaction makes room in it', async () => {
    const box = await boxWith('swap');
    for (const name of ['m1', 'm2', 'm3']) await box.send('bags', text(name));
    const got = await box.receive('bags');
    const again = sendStep('bags', text('again'));
    expect(await box.commit([again])).toBe('QUEUE_FULL');
    expect(await box.commit([again, { do: 'ack', lease: got?.lease ?? '' }])).toBe('committed');
    expect(await box.drain('bags')).toEqual(['m2', 'm3', 'again']);
  });

  test('more than a frame holds is TRANSACTION_TOO_LARGE, and changes nothing', async () => {
    const box = await boxWith('large', { queueBytesLimit: 400_000, unknownQueue: 'create' });
    await box.send('wide', 'first');
    const before = written(box);
    expect(await box.commit(['a', 'b', 'c'].map((name) => sendStep('wide', text(name, 30_000))))).toBe('TRANSACTION_TOO_LARGE');
    expect(written(box)).toEqual(before);
    expect(await box.drain('wide')).toEqual(['first']);
  });
});

describe('what a transaction received', () => {
  test('ends in the frame of what it sends; a lease ends once', async () => {
    const box = await boxWith('acks');
    for (const name of ['a', 'b', 'c']) await box.send('others', name);
    const [a, b, c] = [await box.receive('others'), await box.receive('others'), await box.receive('others')];
    const steps = [
      { do: 'ack', lease: a?.lease ?? '' },
      { do: 'deadLetter', lease: b?.lease ?? '', reason: 'no good' },
      sendStep('bags', 'made of them'),
    ] as const;
    const frames = box.stats.ring.framesWritten;
    expect(await box.commit(steps)).toBe('committed');
    expect(box.stats.ring.framesWritten).toBe(frames + 1);
    expect(await box.commit(steps)).toBe('LEASE_UNKNOWN');
    expect([box.queue('others').leased, box.queue('others').ready, box.queue('bags').ready]).toEqual([1, 0, 1]);
    await box.restart('power cut');
    expect(await box.drain('others')).toEqual(['c']);
    expect(c).toBeDefined();
    const letter = await box.receive('$dead');
    expect(textOf(letter)).toBe('b');
    expect(letter?.message.history?.at(-1)).toMatchObject({ class: 'POISON', reason: 'no good' });
    expect(letter?.message.transaction).toBeUndefined();
  });

  test('of several letters each is a letter of its own', async () => {
    const box = await boxWith('letters');
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) await box.send('others', name);
    const steps = [];
    for (const _ of names)
      steps.push({ do: 'deadLetter' as const, lease: (await box.receive('others'))?.lease ?? '', reason: 'all' });
    expect(await box.commit(steps)).toBe('committed');
    await box.restart('power cut');
    const identities = new Set<number | undefined>();
    for (const name of names) {
      const letter = await box.receive('$dead');
      expect(textOf(letter)).toBe(name);
      identities.add(letter?.message.identity.number);
    }
    expect(identities.size).toBe(names.length);
  });

  test('a lease that is unknown refuses all of it, and one that is named twice', async () => {
    const box = await boxWith('unknown');
    await box.send('others', 'a');
    const ack = { do: 'ack', lease: (await box.receive('others'))?.lease ?? '' } as const;
    const before = written(box);
    expect(await box.commit([sendStep('bags', 'x'), { do: 'ack', lease: '1.x-1' }])).toBe('LEASE_UNKNOWN');
    expect(await box.commit([sendStep('bags', 'x'), ack, ack])).toBe('PROPERTY_INVALID');
    expect(written(box)).toEqual(before);
    await box.pass(2_000);
    expect(await box.commit([sendStep('bags', 'x'), ack])).toBe('LEASE_UNKNOWN');
    expect(box.queue('bags').ready).toBe(0);
    expect(await box.commit([{ do: 'ack', lease: (await box.receive('others'))?.lease ?? '' }])).toBe('committed');
  });

  test('a refused transaction leaves its leases as they were', async () => {
    const box = await boxWith('kept leases');
    await box.send('others', 'a');
    await box.send('others', 'b');
    const [a, b] = [await box.receive('others'), await box.receive('others')];
    const ends = [
      { do: 'ack' as const, lease: a?.lease ?? '' },
      { do: 'deadLetter' as const, lease: b?.lease ?? '', reason: 'r' },
    ];
    const before = written(box);
    expect(await box.commit([...ends, sendStep('bags', text('x', 4_000))])).toBe('MESSAGE_TOO_LARGE');
    expect(written(box)).toEqual(before);
    expect(await box.commit(ends)).toBe('committed');
    expect([box.queue('others').leased, box.queue('$dead').ready]).toEqual([0, 1]);
  });
});

describe('a letter whose body has to be read first', () => {
  /** A message under lease whose body is not in memory any more, and a transaction that gives it up. */
  async function cold(name: string): Promise<{ box: QueueBox; steps: readonly TransactionStep[]; lease: string }> {
    const config = { queueBytesLimit: 2_000_000, unknownQueue: 'create' as const };
    const box = await boxWith(name, config, { ringBytes: 16 * 1024 * 1024 });
    await box.send('wide', text('cold', 20_000));
    const lease = (await box.receive('wide', { leaseMs: 600_000 }))?.lease ?? '';
    // The cache has 4,096 places, by id: the next one in its place takes it.
    const express = { ...(box.sending('fill', '') as Call & { verb: 'send' }), delivery: 'express' } as const;
    for (let i = 1; i < 4_096; i++) box.begin(express);
    await box.pass(10);
    await box.send('fill', 'in its place');
    return { box, steps: [{ do: 'deadLetter', lease, reason: 'cold' }, sendStep('bags', 'with-it')], lease };
  }

  test('waits for that, and is done then, once', async () => {
    const { box, steps } = await cold('cold');
    const { reads } = box.node.disk.counters;
    expect(await box.commit(steps)).toBe('committed');
    expect(box.node.disk.counters.reads).toBeGreaterThan(reads);
    expect([await box.drain('bags'), await box.drain('$dead')]).toEqual([['with-it'], ['cold']]);
    expect(await box.drain('wide')).toEqual([]);
  });

  test('whoever ends its lease meanwhile: one of the two is done, and all of it', async () => {
    for (let seed = 0; seed < 6; seed++) {
      const { box, steps, lease } = await cold(`cold race ${seed}`);
      const both = [box.begin(box.committing(steps)), box.begin({ verb: 'ack', lease })];
      await box.pass(200);
      const codes = both.map(({ result }) => codeOf(result));
      const isCommitted = codes[0] === 'committed';
      expect(codes).toEqual(isCommitted ? ['committed', 'LEASE_UNKNOWN'] : ['LEASE_UNKNOWN', 'done']);
      expect([await box.drain('bags'), await box.drain('$dead')]).toEqual(isCommitted ? [['with-it'], ['cold']] : [[], []]);
    }
  });

  test('a node that closes answers it, one way or the other', async () => {
    const { box, steps } = await cold('cold close');
    const asked = box.begin(box.committing(steps));
    await box.restart('closed');
    const isCommitted = codeOf(asked.result) === 'committed';
    expect(['committed', 'NODE_STOPPED']).toContain(codeOf(asked.result));
    expect([await box.drain('bags'), await box.drain('wide')]).toEqual(isCommitted ? [['with-it'], []] : [[], ['cold']]);
  });
});

test('a move of an express message costs no frame', async () => {
  const box = await boxWith('moves express');
  const aside = async () => box.commit([{ do: 'move', lease: (await box.receive('others'))?.lease ?? '', to: 'others;aside' }]);
  await box.send('others', 'first');
  await aside();
  await box.ask({ ...(box.sending('others', 'e') as Call & { verb: 'send' }), delivery: 'express' });
  const frames = box.stats.ring.framesWritten;
  expect(await aside()).toBe('committed');
  expect(box.stats.ring.framesWritten).toBe(frames);
  await box.restart('closed');
  expect(await box.drain('others;aside')).toEqual(['first', 'e']);
});

describe('a position', () => {
  test('is kept in the frame, found again, and forgotten', async () => {
    const box = await boxWith('positions');
    const at = (value: string) => ({ do: 'position', name: 'trigger/a', value: toUtf8(value) }) as const;
    expect(await box.commit([at('7'), sendStep('bags', 'x')])).toBe('committed');
    expect(await box.commit([at('8'), sendStep('bags', text('x', 4_000))])).toBe('MESSAGE_TOO_LARGE');
    await box.restart('power cut');
    expect(await box.ask({ verb: 'position', name: 'trigger/a' })).toEqual({ kind: 'position', value: toUtf8('7') });
    expect(await box.commit([at('')])).toBe('committed');
    expect(await box.ask({ verb: 'position', name: 'trigger/a' })).toEqual({ kind: 'position', value: undefined });
  });

  test('is bounded in name, value and number', async () => {
    const box = await boxWith('position bounds');
    const at = (name: string, bytes = 1) => ({ do: 'position', name, value: new Uint8Array(bytes) }) as const;
    expect(await box.commit([at('')])).toBe('PROPERTY_INVALID');
    expect(await box.commit([at('x'.repeat(129))])).toBe('PROPERTY_INVALID');
    expect(await box.commit([at('x', 1_025)])).toBe('PROPERTY_INVALID');
    for (let i = 0; i < POSITION_COUNT_MAX - 256; i += 256) {
      expect(await box.commit(Array.from({ length: 256 }, (_, n) => at(`p${i + n}`)))).toBe('committed');
    }
    const others = Array.from({ length: 257 }, (_, n) => at(`other${n}`));
    expect(await box.commit(others)).toBe('BUSY');
    expect(await box.commit([...others.slice(1), at('other1', 2)])).toBe('committed');
    expect(await box.commit([at('one-more')])).toBe('BUSY');
    expect(await box.commit([at('p8', 0), at('one-more')])).toBe('committed');
    expect(await box.commit([at('p7', 2)])).toBe('committed');
  });
});

/** What a transaction of the property below does, on the model and on the node. */
type Part = { do: 'send'; queue: 'bags' | 'others' } | { do: 'ack' | 'deadLetter' };
const part: fc.Arbitrary<Part> = fc.oneof(
  fc.record({ do: fc.constant('send' as const), queue: fc.constantFrom('bags' as const, 'others' as const) }),
  fc.record({ do: fc.constantFrom('ack' as const, 'deadLetter' as const) }),
);

interface Model {
  bags: string[];
  others: string[];
  $dead: string[];
}

test('AC-18 to AC-23: whenever the power goes, each transaction is there as a whole or not at all', {
  timeout: 120_000,
}, async () => {
  const programs = fc.array(fc.array(part, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 });
  const cut = fc.integer({ min: 0, max: 12 });
  let kept = 0;
  let lost = 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(), programs, cut, async (seed, program, cutMs) => {
      const box = await boxWith(`whole ${seed}`);
      const model: Model = { bags: [], others: [], $dead: [] };
      for (let i = 0; i < 8; i++) {
        await box.send('others', `o${i}`);
        model.others.push(`o${i}`);
      }
      const views = [structuredClone(model)];
      const asked: ReturnType<QueueBox['begin']>[] = [];
      let sent = 0;
      for (const [at, parts] of program.entries()) {
        const steps: TransactionStep[] = [];
        const after = structuredClone(views.at(-1) as Model);
        const letters: string[] = [];
        for (const one of parts) {
          if (one.do === 'send') {
            steps.push(sendStep(one.queue, `t${++sent}`));
            after[one.queue].push(`t${sent}`);
            continue;
          }
          const got = await box.receive('others', { leaseMs: 600_000 });
          if (got === undefined) continue;
          after.others = after.others.filter((name) => name !== textOf(got));
          if (one.do === 'ack') steps.push({ do: 'ack', lease: got.lease });
          else steps.push({ do: 'deadLetter', lease: got.lease, reason: 'r' });
          if (one.do === 'deadLetter') letters.push(textOf(got) ?? '');
        }
        after.$dead.push(...letters);
        const isLast = at === program.length - 1;
        if (isLast) {
          asked.push(box.begin(box.committing(steps)));
          await box.pass(cutMs / 2);
        } else expect(await box.commit(steps)).toBe('committed');
        views.push(after);
      }
      await box.restart('power cut');
      const found = { bags: await box.drain('bags'), others: await box.drain('others'), $dead: await box.drain('$dead') };
      const [before, after] = views.slice(-2);
      const isAnswered = codeOf(asked[0]?.result) === 'committed';
      expect(isAnswered ? [after] : [before, after]).toContainEqual(found);
      if (JSON.stringify(found) === JSON.stringify(after)) kept += 1;
      else lost += 1;
    }),
    { numRuns: 60 },
  );
  expect(Math.min(kept, lost), 'both ends were seen').toBeGreaterThan(0);
});
