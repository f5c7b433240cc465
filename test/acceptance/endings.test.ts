/** AC-32 to AC-48: timers, dead letters, acknowledgements, limits and poison (docs/msmq-parity.md). */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { RingmailError } from '../../shared/errors.ts';
import { decodeCbor } from '../../shared/message/cbor.ts';
import { Application, textOf } from './application.ts';
import { inEveryWorld, SimWorld, type World } from './worlds.ts';

inEveryWorld((start) => {
  let world: World;
  let app: Application;
  beforeEach(async () => {
    world = await start();
    app = new Application(world);
  });
  afterEach(() => world.end());

  test('AC-32 alive before its time, gone after', async () => {
    const life = 20 * world.whileMs;
    await app.send('bags', 'a', { timeToBeReceivedMs: life });
    await world.pass(world.whileMs);
    expect(await app.look('bags')).toEqual(['a']);
    await world.pass(life);
    expect(await app.look('bags')).toEqual([]);
    expect(await app.queue('bags')).toMatchObject({ ready: 0, expired: 1 });
  });

  test('AC-35 what expired while the node was off is a dead letter after it opened, with the right class', async () => {
    await app.send('bags', 'a', { timeToBeReceivedMs: world.whileMs });
    await world.restart('killed');
    await world.pass(3 * world.whileMs);
    expect(await app.drain('bags')).toEqual([]);
    const letter = await app.receive('$dead', { waitMs: 20 * world.whileMs });
    expect(letter?.message.history).toMatchObject([{ class: 'RECEIVE_TIMEOUT', node: 'box' }]);
  });

  test('AC-39 what expired is in $dead with reason, queue and history', async () => {
    const identity = await app.send('bags', 'a', { timeToBeReceivedMs: world.whileMs, label: 'x', priority: 5 });
    await world.pass(3 * world.whileMs);
    const letter = await app.receive('$dead', { waitMs: 20 * world.whileMs });
    expect(textOf(letter)).toBe('a');
    expect(letter?.message).toMatchObject({ previous: identity, label: 'x', priority: 5 });
    expect(letter?.message.previous).toContain('box/bags');
    expect(letter?.message.history).toEqual([{ class: 'RECEIVE_TIMEOUT', node: 'box', reason: expect.any(String) }]);
  });

  test('AC-39 with dead letters off it is only counted', async () => {
    await app.send('bags', 'a', { timeToBeReceivedMs: world.whileMs, deadLetter: 'off' });
    await world.pass(6 * world.whileMs);
    expect(await app.queue('bags')).toMatchObject({ ready: 0, expired: 1 });
    expect(await app.drain('$dead')).toEqual([]);
  });

  test('AC-39 a queue has its own dead letter queue, if it wants one', async () => {
    await app.createQueue('lost');
    await app.createQueue('parcels', { deadLetterQueue: 'lost' });
    await app.send('parcels', 'a', { timeToBeReceivedMs: world.whileMs });
    await app.send('parcels', 'b');
    const got = await app.receive('parcels', { select: { by: 'last' } });
    expect(await app.code({ verb: 'deadLetter', lease: got?.lease ?? '', reason: 'torn' })).toBe('done');
    await world.pass(6 * world.whileMs);
    expect((await app.drain('lost')).sort()).toEqual(['a', 'b']);
    expect(await app.drain('$dead')).toEqual([]);
  });

  test('AC-37 stored: ACK_REACH_QUEUE; received: ACK_RECEIVE; each only for who asked', async () => {
    for (const acknowledge of ['reach', 'receive', 'full'] as const) await app.send('bags', acknowledge, { acknowledge });
    await app.send('bags', 'none');
    const words = async () => {
      const said: string[] = [];
      for (let word = await app.receive('$admin'); word; word = await app.receive('$admin')) {
        said.push(word.message.label ?? '?');
        await app.ack(word);
      }
      return said.sort();
    };
    expect(await words()).toEqual(['ACK_REACH_QUEUE', 'ACK_REACH_QUEUE']);
    expect(await app.drain('bags')).toEqual(['reach', 'receive', 'full', 'none']);
    expect(await words()).toEqual(['ACK_RECEIVE', 'ACK_RECEIVE']);
  });

  test('AC-38 an acknowledgement names the message, copies its number of the application, and is never acknowledged', async () => {
    const identity = await app.send('bags', 'a', { acknowledge: 'reach', appSpecific: 4711 });
    const word = await app.receive('$admin');
    expect(word?.message).toMatchObject({ correlationId: identity, appSpecific: 4711, label: 'ACK_REACH_QUEUE' });
    const body = decodeCbor(word?.message.body ?? new Uint8Array(0));
    expect(body).toEqual(new Map(Object.entries({ class: 'ACK_REACH_QUEUE', identity, node: 'box' })));
    expect(await app.ack(word)).toBe('done');
    expect(await app.drain('$admin')).toEqual([]);
  });

  test.each([
    ['RECEIVE_TIMEOUT', { timeToBeReceivedMs: 1 }],
    ['Q_PURGED', {}],
    ['POISON', {}],
  ] as const)('AC-36 who asked is told %s', async (cls, timers) => {
    const identity = await app.send('bags', 'a', { acknowledge: 'receive', ...timers });
    if (cls === 'Q_PURGED') await app.ask({ verb: 'purge', queue: 'bags' });
    if (cls === 'POISON') {
      const got = await app.receive('bags');
      await app.code({ verb: 'deadLetter', lease: got?.lease ?? '', reason: 'torn' });
    }
    await world.pass(3 * world.whileMs);
    const word = await app.receive('$admin', { waitMs: 20 * world.whileMs });
    expect(word?.message).toMatchObject({ label: cls, correlationId: identity });
  });

  test('AC-40 $dead is bounded and keeps the newest; filling it stops nothing', async () => {
    const limit = (await app.queue('$dead'))?.bytesLimit ?? 0;
    const body = new Uint8Array(4_000);
    const count = Math.ceil((1.3 * limit) / body.length);
    for (let i = 0; i < count; i++) {
      const name = `${String(i).padStart(4, '0')} `;
      await app.send('bags', name.padEnd(4_000, '.'));
      const got = await app.receive('bags');
      expect(await app.code({ verb: 'deadLetter', lease: got?.lease ?? '', reason: 'full?' })).toBe('done');
    }
    expect((await app.queue('$dead'))?.bytes).toBeLessThanOrEqual(limit);
    expect(await app.trySend('bags', 'goes on')).toBe('sent');
    const last = await app.peek('$dead', { select: { by: 'last' } });
    expect(textOf(last)).toMatch(new RegExp(`^${String(count - 1).padStart(4, '0')}`));
    expect((await app.queue('$dead'))?.dropped).toBeGreaterThan(0);
  });

  test('AC-40 a journal keeps what was received, bounded, and stops nothing', async () => {
    await app.createQueue('parcels', { journal: 'on' });
    const identity = await app.send('parcels', 'a', { label: 'x' });
    expect(await app.drain('parcels')).toEqual(['a']);
    const copy = await app.receive('$journal');
    expect(copy?.message).toMatchObject({ previous: identity, label: 'x' });
    expect(textOf(copy)).toBe('a');
    await app.send('bags', 'b', { journal: 'on' });
    expect(textOf(await app.receive('$journal'))).toBe('b');
    expect(await app.drain('bags')).toEqual(['b']);
    const limit = (await app.queue('$journal'))?.bytesLimit ?? 0;
    for (let bytes = 0; bytes < 1.2 * limit; bytes += 4_000) {
      await app.send('parcels', 'x'.repeat(4_000));
      expect(await app.ack(await app.receive('parcels'))).toBe('done');
    }
    expect((await app.queue('$journal'))?.bytes).toBeLessThanOrEqual(limit);
  });

  test('AC-39 a dead letter goes where it was going, or elsewhere, linked to what it was', async () => {
    const identity = await app.send('bags', 'a', { priority: 5 });
    for (const to of [undefined, 'notes']) {
      const got = await app.receive(to === undefined ? 'bags' : 'bags');
      await app.code({ verb: 'deadLetter', lease: got?.lease ?? '', reason: 'torn' });
      const letter = await app.peek('$dead');
      const again = { verb: 'redrive' as const, queue: '$dead', lookupId: letter?.lookupId ?? 0, ...(to && { to }) };
      expect(await app.code(again)).toBe('sent');
      expect(await app.drain('$dead')).toEqual([]);
      await world.restart('killed');
    }
    const again = await app.receive('notes');
    expect(again?.message).toMatchObject({ priority: 5, history: [{ class: 'POISON' }, { class: 'POISON' }] });
    expect(again?.message.identity).not.toEqual(identity);
    expect(await app.drain('bags')).toEqual([]);
  });

  test('AC-41 higher priority first, in order within one', async () => {
    for (const [text, priority] of [
      ['3a', 3],
      ['0a', 0],
      ['7a', 7],
      ['3b', 3],
      ['7b', 7],
    ] as const)
      await app.send('bags', text, { priority });
    await world.restart('killed');
    expect(await app.drain('bags')).toEqual(['7a', '7b', '3a', '3b', '0a']);
  });

  test('AC-42 a full queue names queue, limit and usage', async () => {
    await app.createQueue('small', { bytesLimit: 1_000 });
    await app.send('small', 'x'.repeat(700));
    const refusal = await app.send('small', 'x'.repeat(400)).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'QUEUE_FULL', details: { queue: 'small', bytesLimit: 1_000 } });
    expect((refusal as RingmailError<'QUEUE_FULL'>).details.bytesUsed).toBeGreaterThan(700);
    expect(refusal).toBeInstanceOf(RingmailError);
  });

  test('AC-42 drop-oldest counts each loss; block waits, and can be aborted', async () => {
    await app.createQueue('drops', { bytesLimit: 1_000, whenFull: 'drop-oldest' });
    for (const text of ['a', 'b', 'c']) await app.send('drops', text.padEnd(600, '.'));
    expect(await app.queue('drops')).toMatchObject({ ready: 1, dropped: 2 });
    expect((await app.drain('drops')).map((text) => text[0])).toEqual(['c']);

    await app.createQueue('blocks', { bytesLimit: 1_000, whenFull: 'block' });
    await app.send('blocks', 'first '.padEnd(600, '.'));
    const waits = app.send('blocks', 'second '.padEnd(600, '.'));
    await app.send('notes', 'the node had its time');
    expect(await app.queue('blocks')).toMatchObject({ ready: 1, blocked: 1 });
    await app.ack(await app.receive('blocks'));
    expect(await waits).toMatch(/^box:/);
    const stop = new AbortController();
    const body = new Uint8Array(600);
    const aborted = app.ask({ verb: 'send', destination: 'blocks', body, properties: {} }, stop.signal).catch(() => undefined);
    await app.send('notes', 'again');
    stop.abort();
    await aborted;
    await world.pass(world.whileMs);
    expect(await app.queue('blocks')).toMatchObject({ ready: 1, blocked: 0 });
  });

  test('AC-43 what fits exactly is taken, one byte more is refused, and the next message goes through', async () => {
    await app.createQueue('exact', { bytesLimit: 1_000 });
    await app.send('exact', '');
    const probe = (await app.queue('exact'))?.bytes ?? 0;
    await app.drain('exact');
    // A body of more than 255 bytes has a longer head than an empty one, twice.
    let bytes = 1_000 - probe - 4;
    while ((await app.trySend('exact', new Uint8Array(bytes + 1))) === 'sent') {
      await app.drain('exact');
      bytes += 1;
    }
    expect(await app.trySend('exact', new Uint8Array(bytes + 1))).toBe('MESSAGE_TOO_LARGE');
    expect(await app.trySend('exact', new Uint8Array(bytes))).toBe('sent');
    expect(await app.queue('exact')).toMatchObject({ bytes: 1_000 });
    expect(await app.trySend('bags', new Uint8Array(1_000_000))).toBe('MESSAGE_TOO_LARGE');
    expect(await app.trySend('bags', 'next')).toBe('sent');
  });

  test('AC-45 the delivery count rises with each failed delivery, survives restarts, and at the limit the queue goes on', async () => {
    await app.createQueue('parcels', { deliveriesMax: 3 });
    const identity = await app.send('parcels', 'bad', { priority: 7 });
    await app.send('parcels', 'good');
    expect(await app.receive('parcels')).toMatchObject({ deliveryCount: 1 });
    await world.restart('closed');
    const second = await app.receive('parcels');
    expect(second).toMatchObject({ deliveryCount: 2 });
    await app.nack(second);
    const third = await app.receive('parcels');
    expect(third).toMatchObject({ deliveryCount: 3 });
    expect(textOf(third)).toBe('bad');
    await app.nack(third);
    expect(await app.receive('parcels', { waitMs: 20 * world.whileMs }).then(textOf)).toBe('good');
    const letter = await app.receive('$dead', { waitMs: 20 * world.whileMs });
    expect(letter?.message).toMatchObject({ previous: identity, history: [{ class: 'POISON', node: 'box' }] });
  });

  test('AC-45 a lease that ends by itself is a failed delivery, too', async () => {
    await app.createQueue('parcels', { deliveriesMax: 1 });
    await app.send('parcels', 'bad');
    await app.receive('parcels', { leaseMs: world.whileMs });
    await world.pass(4 * world.whileMs);
    expect(textOf(await app.receive('$dead', { waitMs: 20 * world.whileMs }))).toBe('bad');
    expect(await app.queue('parcels')).toMatchObject({ ready: 0, leased: 0, delayed: 0 });
  });

  test('AC-28 a message that fails again and again waits longer and longer, and others pass', async () => {
    const retryMs = 10 * world.whileMs;
    await app.createQueue('parcels', { retryMs, retryFactor: 2 });
    await app.send('parcels', 'bad', { priority: 7 });
    await app.nack(await app.receive('parcels'));
    await app.nack(await app.receive('parcels'));
    await app.send('parcels', 'good');
    expect(await app.queue('parcels')).toMatchObject({ ready: 1, delayed: 1 });
    expect(await app.drain('parcels')).toEqual(['good']);
    await world.restart('killed');
    expect(await app.queue('parcels')).toMatchObject({ ready: 0, delayed: 1 });
    expect(textOf(await app.receive('parcels', { waitMs: 2 * retryMs + 20 * world.whileMs }))).toBe('bad');
  });

  test('AC-48 to a subqueue and back: same identity and body, moveCount rises, bytes count at the queue', async () => {
    const identity = await app.send('bags', 'a');
    await app.send('bags', 'b');
    const before = await app.queue('bags');
    const move = async (queue: string, to: string) => {
      const got = await app.peek(queue);
      return app.code({ verb: 'move', queue, lookupId: got?.lookupId ?? 0, to });
    };
    expect(await move('bags', 'bags;retry')).toBe('done');
    expect(await app.look('bags')).toEqual(['b']);
    expect(await app.look('bags;retry')).toEqual(['a']);
    expect((await app.queue('bags'))?.bytes).toBe(before?.bytes);
    await world.restart('killed');
    expect(await app.peek('bags;retry')).toMatchObject({ moveCount: 1 });
    expect(await move('bags;retry', 'bags;poison')).toBe('done');
    expect(await move('bags;poison', 'bags')).toBe('done');
    const back = await app.receive('bags');
    expect(back).toMatchObject({ moveCount: 3, deliveryCount: 1 });
    expect(textOf(back)).toBe('a');
    const { origin, incarnation, destination, priority, number } = back?.message.identity ?? {};
    expect(`${origin}:${incarnation}:${destination}:${priority}:${number}`).toBe(identity);
    expect(await move('bags', 'notes')).toBe('ACCESS_MODE_INVALID');
    expect(await move('bags', 'notes;x')).toBe('ACCESS_MODE_INVALID');
    expect(await app.queue('bags;retry')).toMatchObject({ ready: 0 });
  });
});

test('AC-32 just before and just after, to the millisecond; a clock that jumps a year changes nothing', async () => {
  const world = await SimWorld.start({ name: 'box', queues: [{ name: 'bags', bytesLimit: 100_000 }] });
  const app = new Application(world);
  const startedMs = world.box.world.nowMs;
  await app.send('bags', 'a', { timeToBeReceivedMs: 3_600_000 });
  const sentMs = world.box.world.nowMs;
  world.box.node.jumpWallClock(365 * 86_400_000);
  await world.pass(startedMs + 3_600_000 - world.box.world.nowMs - 1);
  expect(await app.look('bags')).toEqual(['a']);
  world.box.node.jumpWallClock(-2 * 365 * 86_400_000);
  expect(await app.look('bags')).toEqual(['a']);
  await world.pass(sentMs + 3_600_000 - world.box.world.nowMs + 1);
  expect(await app.look('bags')).toEqual([]);
  await world.end();
});
