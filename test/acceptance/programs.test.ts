/** AC-10 to AC-62, as far as they are promises of the library: many readers, handlers, transactions, requests (docs/msmq-parity.md). */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RingmailError } from '../../shared/errors.ts';
import { RingmailClient } from '../../shared/node/library/client.ts';
import type { Delivery } from '../../shared/node/library/delivery.ts';
import { Application } from './application.ts';
import { inEveryWorld, type World } from './worlds.ts';

const codeOf = (error: unknown): string => (error instanceof RingmailError ? error.code : String(error));
const refusal = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'nothing', codeOf);
const text = (delivery: { value(): unknown } | undefined): unknown => delivery?.value();

/** Something that a test waits for. */
function signalled(): { readonly promise: Promise<void>; readonly done: () => void } {
  let done = (): void => {};
  const promise = new Promise<void>((resolve) => {
    done = resolve;
  });
  return { promise, done };
}

inEveryWorld((start) => {
  let world: World;
  let app: Application;
  let client: RingmailClient;
  beforeEach(async () => {
    world = await start();
    app = new Application(world);
    client = new RingmailClient(world);
  });
  afterEach(async () => {
    await client.close();
    await world.end();
  });

  test('AC-10 what only the node can know is nobody’s to say', async () => {
    for (const property of ['identity', 'epoch', 'history', 'lookupId', 'deliveryCount', 'transaction']) {
      expect(await refusal(client.send('bags', 1, { [property]: 'x' } as object))).toMatch(
        /^(PROPERTY_INVALID|REQUEST_INVALID)$/,
      );
    }
    expect(await app.queue('bags')).toMatchObject({ ready: 0 });
  });

  test('AC-22 a transaction that is over is TRANSACTION_ENDED', async () => {
    let escaped: { send(address: string, body: number): void } | undefined;
    await client.transaction((tx) => {
      escaped = tx;
      tx.send('bags', 1);
    });
    expect(() => escaped?.send('bags', 2)).toThrow(expect.objectContaining({ code: 'TRANSACTION_ENDED' }));
    expect(await app.queue('bags')).toMatchObject({ ready: 1 });
  });

  test('AC-21 a transaction that throws gives back what it received, in its place, and stores nothing', async () => {
    for (const body of ['a', 'b', 'c']) await client.send('bags', body);
    const failed = client.transaction(async (tx) => {
      expect(text(await tx.receive('bags'))).toBe('a');
      expect(text(await tx.receive('bags'))).toBe('b');
      tx.send('notes', 'never');
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    const seen = [];
    for (let got = await client.receive('bags'); got; got = await client.receive('bags')) {
      seen.push([text(got), got.deliveryCount]);
      await got.ack();
    }
    expect(seen).toEqual([
      ['a', 2],
      ['b', 2],
      ['c', 1],
    ]);
    expect(await app.queue('notes')).toMatchObject({ ready: 0 });
  });

  test('AC-21 a transaction that returns has received and sent, as one', async () => {
    await client.send('bags', 'a');
    const { identities, value } = await client.transaction(async (tx) => {
      const got = await tx.receive('bags');
      tx.send('notes', `${text(got)} done`);
      return 7;
    });
    expect([identities.length, value]).toEqual([1, 7]);
    await world.restart('killed');
    expect(await app.queue('bags')).toMatchObject({ ready: 0, leased: 0 });
    expect(text(await client.receive('notes'))).toBe('a done');
  });

  test('AC-37 deliver() resolves when it was stored, or received', async () => {
    expect(await client.deliver('bags', 1, { until: 'reach' })).toMatchObject({ class: 'ACK_REACH_QUEUE' });
    const delivering = client.deliver('notes', 2);
    const got = await client.receive('notes', { waitMs: 60_000 });
    await got?.ack();
    expect(await delivering).toMatchObject({ class: 'ACK_RECEIVE' });
  });

  test('AC-37 deliver() rejects with the class when it will never be', async () => {
    const expiring = client.deliver('bags', 1, { waitMs: world.whileMs });
    await expect(expiring).rejects.toMatchObject({ code: 'DELIVERY_FAILED', details: { class: 'RECEIVE_TIMEOUT' } });
    const poisoned = client.deliver('notes', 2).catch((error: unknown) => error);
    const got = await client.receive('notes', { waitMs: 60_000 });
    await got?.deadLetter('torn');
    expect(await poisoned).toMatchObject({ code: 'DELIVERY_FAILED', details: { class: 'POISON' } });
  });

  test('AC-47 what a handler changed is not in the next delivery', async () => {
    await client.send('bags', Uint8Array.of(1, 2, 3), { headers: new Map([['gate', 'B']]) });
    const seen: unknown[] = [];
    const twice = signalled();
    const consumer = client.consume('bags', (delivery) => {
      seen.push([[...delivery.message.body], delivery.message.headers?.get('gate')]);
      delivery.message.body.fill(9);
      (delivery.message.headers as Map<string, string>).set('gate', 'X');
      if (seen.length === 2) return twice.done();
      throw new Error('again');
    });
    await twice.promise;
    await consumer.stop();
    expect(seen).toEqual([
      [[1, 2, 3], 'B'],
      [[1, 2, 3], 'B'],
    ]);
  });

  test('AC-47 an error handler that fails loses nothing', async () => {
    for (const body of ['a', 'b']) await client.send('bags', body);
    const done: unknown[] = [];
    const both = signalled();
    let failures = 0;
    const consumer = client.consume(
      'bags',
      (delivery) => {
        if (failures++ < 2) throw new Error('handler');
        done.push(text(delivery));
        if (done.length === 2) both.done();
      },
      {
        onError: () => {
          throw new Error('the error handler, too');
        },
      },
    );
    await both.promise;
    await consumer.stop();
    expect(done.sort()).toEqual(['a', 'b']);
    expect(await app.queue('bags')).toMatchObject({ ready: 0, leased: 0 });
  });

  test('AC-55 of many receivers each message goes to one', async () => {
    const count = world.kind === 'simulated disk' ? 200 : 100;
    const seen: unknown[] = [];
    const all = signalled();
    const readers = Array.from({ length: 5 }, () =>
      client.consume('bags', (delivery) => {
        seen.push(text(delivery));
        if (seen.length === count) all.done();
      }),
    );
    for (let i = 0; i < count; i += 20) await Promise.all(Array.from({ length: 20 }, (_, j) => client.send('bags', i + j)));
    await all.promise;
    await Promise.all(readers.map((reader) => reader.stop()));
    expect([...seen].sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: count }, (_, i) => i));
    expect(await app.queue('bags')).toMatchObject({ ready: 0, leased: 0 });
  });

  test('AC-55 a limit of concurrency is reached, not exceeded, and can be changed live', async () => {
    for (let i = 0; i < 12; i++) await client.send('bags', i);
    let active = 0;
    let most = 0;
    const gates: (() => void)[] = [];
    let arrived = signalled();
    let wanted = 3;
    const consumer = client.consume(
      'bags',
      async () => {
        active += 1;
        most = Math.max(most, active);
        if (active === wanted) arrived.done();
        await new Promise<void>((resolve) => gates.push(resolve));
        active -= 1;
      },
      { concurrency: 3 },
    );
    await arrived.promise;
    await client.send('notes', 'the node had its time');
    expect([most, consumer.activeCount]).toEqual([3, 3]);
    arrived = signalled();
    wanted = 5;
    consumer.concurrency = 5;
    await arrived.promise;
    await client.send('notes', 'again');
    expect(most).toBe(5);
    consumer.concurrency = 1;
    const stopping = consumer.stop();
    while (active > 0) {
      for (const open of gates.splice(0)) open();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await stopping;
    expect(most).toBe(5);
    expect(await app.queue('bags')).toMatchObject({ leased: 0 });
  });

  test('AC-55 a loop takes messages ahead, and gives back what it did not use', async () => {
    for (let i = 0; i < 6; i++) await client.send('bags', i);
    const taken: unknown[] = [];
    for await (const delivery of client.messages('bags', { prefetch: 3 })) {
      taken.push(text(delivery));
      await delivery.ack();
      if (taken.length === 2) break;
    }
    expect(taken).toEqual([0, 1]);
    const rest: unknown[] = [];
    for (let got = await client.receive('bags', { waitMs: world.whileMs }); got; got = await client.receive('bags')) {
      rest.push(text(got));
      await got.ack();
    }
    expect(rest).toEqual([2, 3, 4, 5]);
  });

  test('AC-56 who opens a queue alone is alone, until it is closed', async () => {
    await client.send('bags', 'a');
    const alone = await client.open('bags', { share: 'alone' });
    expect(await app.code({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1_000 })).toBe('SHARING_VIOLATION');
    expect(await app.code({ verb: 'peek', queue: 'bags', waitMs: 0, bodies: 'with' })).toBe('SHARING_VIOLATION');
    expect(await refusal(client.open('bags'))).toBe('SHARING_VIOLATION');
    expect(await app.trySend('bags', 'b')).toBe('sent');
    expect(text(await alone.receive())).toBe('a');
    await alone.close();
    expect(await app.code({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1_000 })).toBe('received');
  });

  test('AC-56 who has it open alone and dies loses it after its idle time', async () => {
    const idleMs = 10 * world.whileMs;
    const opened = await app.ask({ verb: 'open', queue: 'bags', access: 'receive', share: 'alone', idleMs });
    expect(opened.kind).toBe('opened');
    expect(await app.code({ verb: 'peek', queue: 'bags', waitMs: 0, bodies: 'with' })).toBe('SHARING_VIOLATION');
    await world.pass(2 * idleMs);
    expect(await app.code({ verb: 'peek', queue: 'bags', waitMs: 0, bodies: 'with' })).toBe('empty');
    const handle = opened.kind === 'opened' ? opened.handle : '';
    expect(await app.code({ verb: 'peek', queue: 'bags', waitMs: 0, bodies: 'with', handle })).toBe('HANDLE_UNKNOWN');
  });

  test('AC-56 what was opened for one thing does not do another', async () => {
    const peeking = await app.ask({ verb: 'open', queue: 'bags', access: 'peek', share: 'all', idleMs: 60_000 });
    const handle = peeking.kind === 'opened' ? peeking.handle : '';
    expect(await app.code({ verb: 'peek', queue: 'bags', waitMs: 0, bodies: 'with', handle })).toBe('empty');
    expect(await app.code({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1_000, handle })).toBe('ACCESS_MODE_INVALID');
    expect(await app.code({ verb: 'peek', queue: 'notes', waitMs: 0, bodies: 'with', handle })).toBe('ACCESS_MODE_INVALID');
    expect(await app.code({ verb: 'close', handle })).toBe('done');
    expect(await app.code({ verb: 'close', handle })).toBe('HANDLE_UNKNOWN');
  });

  test('AC-57 stopping waits for work in flight; start, stop, start works; what was sent before the start arrives once', async () => {
    await client.send('bags', 'before');
    const seen: unknown[] = [];
    const begun = signalled();
    const gate = signalled();
    const consumer = client.consume('bags', async (delivery) => {
      begun.done();
      await gate.promise;
      seen.push(text(delivery));
    });
    await begun.promise;
    const stopping = consumer.stop();
    gate.done();
    await stopping;
    await consumer.stop();
    expect(seen).toEqual(['before']);
    await client.send('bags', 'while stopped');
    expect(await app.queue('bags')).toMatchObject({ ready: 1, leased: 0 });
    consumer.start();
    consumer.start();
    while (seen.length < 2) await client.send('notes', 'time goes on');
    await consumer.stop();
    expect(seen).toEqual(['before', 'while stopped']);
    expect(await app.queue('bags')).toMatchObject({ ready: 0, leased: 0 });
  });

  test('AC-57 a stop that does not wait gives back what is in flight', async () => {
    await client.send('bags', 'a');
    const begun = signalled();
    let held: Delivery | undefined;
    const consumer = client.consume('bags', async (delivery) => {
      held = delivery;
      begun.done();
      await new Promise(() => {});
    });
    await begun.promise;
    await consumer.stop({ cancel: true });
    expect(await app.queue('bags')).toMatchObject({ ready: 1, leased: 0 });
    expect(await refusal(held?.ack() ?? Promise.resolve())).toBe('LEASE_UNKNOWN');
  });

  test('AC-58 a paused queue takes messages and hands out none, until it is resumed', async () => {
    await client.pause('bags');
    await client.send('bags', 'a');
    expect(await app.queue('bags')).toMatchObject({ state: 'paused', ready: 1 });
    expect(await client.receive('bags', { waitMs: world.whileMs })).toBeUndefined();
    expect(text(await client.peek('bags'))).toBe('a');
    await world.restart('killed');
    expect(await client.receive('bags')).toBeUndefined();
    const waiting = client.receive('bags', { waitMs: 60_000 });
    await client.resume('bags');
    expect(text(await waiting)).toBe('a');
  });

  test('AC-59 what arrived is somewhere, or ended, at any instant', async () => {
    await client.createQueue('parcels', { bytesLimit: 3_000, whenFull: 'drop-oldest' });
    const checks: boolean[] = [];
    const check = async () => {
      const queue = await app.queue('parcels');
      if (queue === undefined) return;
      const { arrived, ready, leased, delayed, ended } = queue;
      checks.push(arrived === ready + leased + delayed + ended);
    };
    for (let i = 0; i < 40; i++) {
      const timers = i % 7 === 0 ? { timeToBeReceivedMs: 1 } : i % 5 === 0 ? { deliverAfterMs: world.whileMs } : {};
      const sending = client.send('parcels', 'x'.repeat(100), timers);
      await check();
      await sending;
      const got = i % 3 === 0 ? await client.receive('parcels') : undefined;
      if (i % 9 === 0) await got?.deadLetter('torn');
      else if (i % 6 === 0) await got?.nack();
      else await got?.ack();
      await check();
      if (i === 30) await client.purge('parcels');
      await check();
    }
    await world.pass(4 * world.whileMs);
    await check();
    expect(checks.length).toBeGreaterThan(100);
    expect(checks).not.toContain(false);
  });

  test('AC-61 a trigger fires once for each message that fits, and not again after a restart', async () => {
    await client.trigger({ name: 'copies', queue: 'bags', where: { label: 'late' }, do: { send: 'notes' } });
    await client.send('bags', 'a', { label: 'late' });
    await client.send('bags', 'b');
    expect(text(await client.receive('notes', { waitMs: 60_000 }))).toBe('a');
    await client.close();
    await world.restart('closed');
    client = new RingmailClient(world);
    await client.send('bags', 'c', { label: 'late' });
    await client.trigger({ name: 'copies', queue: 'bags', where: { label: 'late' }, do: { send: 'notes' } });
    const seen: unknown[] = [];
    while (!seen.includes('c')) {
      const got = await client.receive('notes', { waitMs: 60_000 });
      seen.push(text(got));
      await got?.ack();
    }
    // The lease of the first copy ended with the restart.
    expect(seen).toEqual(['a', 'c']);
    expect(await app.queue('bags')).toMatchObject({ ready: 3 });
  });

  test('AC-61 a trigger that fails does not stop the others', async () => {
    const failures: unknown[] = [];
    const seen: unknown[] = [];
    const both = signalled();
    const onError = (error: unknown) => void failures.push(error);
    await client.trigger({
      name: 'fails',
      queue: 'bags',
      onError,
      do: () => {
        throw new Error('no');
      },
    });
    await client.trigger({
      name: 'works',
      queue: 'bags',
      do: (glance) => {
        seen.push(text(glance));
        if (seen.length === 2) both.done();
      },
    });
    for (const body of ['a', 'b']) await client.send('bags', body);
    await both.promise;
    expect(seen).toEqual(['a', 'b']);
    while (failures.length === 0) await client.send('notes', 'time goes on');
  });

  test('AC-62 each request gets its own reply, under load', async () => {
    const server = client.consume('bags', async (request) => void (await client.reply(request, Number(request.value()) * 2)), {
      concurrency: 4,
    });
    const count = world.kind === 'simulated disk' ? 60 : 30;
    const replies = await Promise.all(
      Array.from({ length: count }, async (_, i) => text(await client.request('bags', i, { waitMs: 60_000 }))),
    );
    expect(replies).toEqual(Array.from({ length: count }, (_, i) => 2 * i));
    await server.stop();
  });

  test('AC-62 a request may have several replies', async () => {
    const server = client.consume('bags', async (request) => {
      for (const part of ['a', 'b', 'c']) await client.reply(request, part);
    });
    const parts: unknown[] = [];
    for await (const reply of client.requestMany('bags', 1, { waitMs: 60_000 })) {
      parts.push(text(reply));
      if (parts.length === 3) break;
    }
    expect(parts).toEqual(['a', 'b', 'c']);
    await server.stop();
  });

  test('AC-62 a late reply is in $dead, not with the next request', async () => {
    const held = signalled();
    let late: Delivery | undefined;
    const server = client.consume(
      'bags',
      async (request) => {
        if (request.value() === 'slow') {
          late = request;
          held.done();
          return;
        }
        await client.reply(request, 'quick');
      },
      { concurrency: 2 },
    );
    // The library's own clock is the machine's, in every world.
    const slow = refusal(client.request('bags', 'slow', { waitMs: 400 }));
    await held.promise;
    expect(await slow).toBe('REQUEST_TIMEOUT');
    const next = client.request('bags', 'fast', { waitMs: 60_000 });
    if (late !== undefined) await client.reply(late, 'too late');
    expect(text(await next)).toBe('quick');
    const letter = await client.receive('$dead', { waitMs: 60_000 });
    expect(text(letter)).toBe('too late');
    await server.stop();
  });
});
