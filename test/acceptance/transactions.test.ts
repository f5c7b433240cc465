/** AC-18 to AC-23: several things at once, or none (docs/msmq-parity.md). */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { toUtf8 } from '../../shared/bytes.ts';
import type { TransactionStep } from '../../shared/core/calls.ts';
import type { Properties } from '../../shared/message/message.ts';
import { Application, textOf } from './application.ts';
import { inEveryWorld, type World } from './worlds.ts';

const send = (destination: string, text: string, properties: Properties = {}): TransactionStep => ({
  do: 'send',
  destination,
  body: toUtf8(text),
  properties,
});

inEveryWorld((start) => {
  let world: World;
  let app: Application;
  const commit = (...steps: TransactionStep[]) => app.code({ verb: 'commit', steps });
  beforeEach(async () => {
    world = await start();
    app = new Application(world);
  });
  afterEach(() => world.end());

  test('AC-18 what was committed arrives whole, in order, with one transaction id, index and count', async () => {
    const answer = await app.ask({ verb: 'commit', steps: [send('bags', 'a'), send('bags', 'b'), send('notes', 'c')] });
    expect(answer).toMatchObject({ kind: 'committed', identities: { length: 3 } });
    await world.restart('killed');
    const marks = [];
    const texts = [];
    for (const queue of ['bags', 'bags', 'notes']) {
      const got = await app.receive(queue);
      texts.push(textOf(got));
      marks.push(got?.message.transaction);
    }
    expect(texts).toEqual(['a', 'b', 'c']);
    const id = marks[0]?.id ?? '';
    expect(id).not.toBe('');
    expect(marks).toEqual([0, 1, 2].map((index) => ({ id, index, count: 3 })));
  });

  test('AC-18 two transactions have two ids, over restarts, too', async () => {
    const ids = new Set<string | undefined>();
    for (let i = 0; i < 3; i++) {
      expect(await commit(send('bags', 'a'))).toBe('committed');
      const got = await app.receive('bags');
      ids.add(got?.message.transaction?.id);
      await app.ack(got);
      await world.restart(i === 0 ? 'closed' : 'killed');
    }
    expect(ids.size).toBe(3);
  });

  test('AC-19 a transaction that is refused leaves nothing, whatever was in front of the refusal', async () => {
    await app.send('bags', 'held');
    const got = await app.receive('bags');
    const ack: TransactionStep = { do: 'ack', lease: got?.lease ?? '' };
    expect(await commit(send('notes', 'a'), ack, send('absent', 'b'))).toBe('QUEUE_NOT_FOUND');
    expect(await commit(send('notes', 'a'), { do: 'ack', lease: 'unknown' })).toBe('LEASE_UNKNOWN');
    expect(await commit(send('notes', 'a'), ack, send('bags', 'b', { priority: 9 }))).toBe('PROPERTY_INVALID');
    expect(await commit(send('notes', 'a'), ack, send('bags', 'x'.repeat(99_000)))).toBe('MESSAGE_TOO_LARGE');
    expect(await app.queue('notes')).toMatchObject({ ready: 0, bytes: 0 });
    expect(await app.send('notes', 'next')).toMatch(/:1$/);
    expect(await commit(ack, send('notes', 'c'))).toBe('committed');
    await world.restart('killed');
    expect(await app.drain('bags')).toEqual([]);
    expect(await app.drain('notes')).toEqual(['next', 'c']);
  });

  test('AC-19 sends that fit alone and not together are refused together', async () => {
    await app.createQueue('small', { bytesLimit: 1_000 });
    const body = 'x'.repeat(600);
    expect(await commit(send('small', body), send('small', body))).toBe('QUEUE_FULL');
    expect(await app.queue('small')).toMatchObject({ ready: 0, bytes: 0 });
    expect(await commit(send('small', body))).toBe('committed');
  });

  test('AC-19 more than a frame holds is TRANSACTION_TOO_LARGE, and nothing is stored', async () => {
    const steps = Array.from({ length: 12 }, () => send('bags', 'x'.repeat(8_000)));
    expect(await commit(...steps)).toBe('TRANSACTION_TOO_LARGE');
    expect(await app.queue('bags')).toMatchObject({ ready: 0 });
  });

  test('AC-20 two transactions at once do not interleave', async () => {
    const steps = (name: string) => Array.from({ length: 8 }, (_, i) => send('bags', `${name}${i}`));
    await Promise.all([
      app.ask({ verb: 'commit', steps: steps('a') }),
      app.send('bags', 'alone'),
      app.ask({ verb: 'commit', steps: steps('b') }),
    ]);
    const texts = (await app.drain('bags')).map((text) => text[0]).join('');
    expect(texts.replace('l', '')).toMatch(/^(a{8}|a{9}|b{8})+$/);
    expect(texts.length).toBe(17);
    expect(texts).not.toMatch(/ab+a{2,7}b|ba+b{2,7}a/);
  });

  test.each(['nack', 'closed', 'killed'] as const)(
    'AC-21 what was received and not acknowledged is back in its place after %s, in order, counted right',
    async (how) => {
      for (const text of ['a', 'b', 'c', 'd']) await app.send('bags', text);
      const held = [await app.receive('bags'), await app.receive('bags')];
      if (how === 'nack') for (const one of held.reverse()) await app.nack(one);
      else await world.restart(how);
      expect(await app.queue('bags')).toMatchObject({ ready: 4, leased: 0 });
      expect(await app.receive('bags')).toMatchObject({ deliveryCount: how === 'killed' ? expect.any(Number) : 2 });
      await world.restart('closed');
      expect(await app.drain('bags')).toEqual(['a', 'b', 'c', 'd']);
    },
  );

  test('AC-22 a lease that is over takes its transaction with it', async () => {
    await app.send('bags', 'a');
    const got = await app.receive('bags');
    await app.ack(got);
    expect(await commit({ do: 'ack', lease: got?.lease ?? '' }, send('notes', 'b'))).toBe('LEASE_UNKNOWN');
    expect(await app.drain('notes')).toEqual([]);
  });

  test('AC-23 nobody sees messages of a transaction before it is committed', async () => {
    const waiting = app.receive('bags', { waitMs: 600_000 });
    const steps = [send('bags', 'a'), send('bags', 'b')];
    const committing = app.ask({ verb: 'commit', steps });
    expect(textOf(await waiting)).toBe('a');
    await committing;
    expect(await app.queue('bags')).toMatchObject({ ready: 1, leased: 1 });
  });

  test('AC-41 priorities hold in transactions', async () => {
    expect(await commit(send('bags', 'low', { priority: 1 }), send('bags', 'high', { priority: 7 }), send('bags', 'mid'))).toBe(
      'committed',
    );
    expect(await app.drain('bags')).toEqual(['high', 'mid', 'low']);
  });

  test('AC-34 each message of a transaction has its own lifetime, in either order', async () => {
    const short = { timeToBeReceivedMs: world.whileMs };
    expect(await commit(send('bags', 'short 1', short), send('bags', 'long 1'))).toBe('committed');
    expect(await commit(send('bags', 'long 2'), send('bags', 'short 2', short))).toBe('committed');
    await world.pass(3 * world.whileMs);
    expect(await app.drain('bags')).toEqual(['long 1', 'long 2']);
  });
});
