/** AC-08 to AC-17: what was sent comes out, and is looked at and looked for (docs/msmq-parity.md). */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Received } from '../../shared/core/calls.ts';
import { RingmailError } from '../../shared/errors.ts';
import type { Properties } from '../../shared/message/message.ts';
import { Application, textOf } from './application.ts';
import { inEveryWorld, type World } from './worlds.ts';

const ALL: Properties = {
  priority: 6,
  contentType: 'application/x-baggage; charset=utf-8',
  label: 'Köffer 手荷物 🧳',
  correlationId: 'flight BA123/äöü',
  responseQueue: 'box/notes',
  appSpecific: 4_294_967_295,
  headers: new Map([
    ['gate', 'B 12'],
    ['Ключ', 'значение'],
  ]),
  timeToReachQueueMs: 86_400_000,
  timeToBeReceivedMs: 86_400_001,
  acknowledge: 'full',
  deadLetter: 'off',
  journal: 'on',
};

inEveryWorld((start) => {
  let world: World;
  let app: Application;
  beforeEach(async () => {
    world = await start();
    app = new Application(world);
  });
  afterEach(() => world.end());

  test.each([
    ['bytes of every value', Uint8Array.from({ length: 256 }, (_, i) => i)],
    ['nothing', new Uint8Array(0)],
    ['text of many languages', 'Gepäck — 手荷物 — багаж 🧳'],
  ])('AC-08 every property and a body of %s come out as they went in', async (_name, body) => {
    const identity = await app.send('bags', body, ALL);
    await world.restart('killed');
    const received = await app.receive('bags');
    const { identity: _identity, epoch: _epoch, body: got, ...properties } = (received as Received).message;
    expect(properties).toEqual(ALL);
    expect(typeof body === 'string' ? textOf(received) : got).toEqual(body);
    expect(identity).toMatch(/^box:[0-9a-f]{16}:box\/bags:6:1$/);
  });

  test('AC-09 what nobody said has its default', async () => {
    const sent = await app.ask({ verb: 'send', destination: 'bags', body: new Uint8Array(1), properties: {} });
    expect(sent).toMatchObject({ kind: 'sent' });
    const received = await app.receive('bags');
    const { identity: _identity, epoch: _epoch, body: _body, ...properties } = (received as Received).message;
    expect(properties).toEqual({ priority: 3 });
    expect(received).toMatchObject({ deliveryCount: 1, moveCount: 0, hop: { count: 0, elapsedMs: 0 } });
    await app.ack(received);
    expect(await app.drain('$admin')).toEqual([]);
  });

  test('AC-09 it is recoverable: after a crash it is there', async () => {
    await app.send('bags', 'a');
    await world.restart('killed');
    expect(await app.drain('bags')).toEqual(['a']);
  });

  test.each<[string, object]>([
    ['priority 8', { priority: 8 }],
    ['half a priority', { priority: 2.5 }],
    ['a negative time', { timeToBeReceivedMs: -1 }],
    ['a label of 251 characters', { label: 'x'.repeat(251) }],
    ['an acknowledgement that does not exist', { acknowledge: 'maybe' }],
    ['a response queue that nobody can spell', { responseQueue: 'No Queue' }],
  ])('AC-10 %s is refused, and nothing is stored', async (_name, properties) => {
    expect(['PROPERTY_INVALID', 'REQUEST_INVALID']).toContain(await app.trySend('bags', 'a', properties as Properties));
    expect(await app.queue('bags')).toMatchObject({ ready: 0 });
  });

  test('AC-11 changing an object after it was sent changes nothing', async () => {
    const body = Uint8Array.of(1, 2, 3);
    const headers = new Map([['gate', 'B 12']]);
    const sending = app.send('bags', body, { headers });
    await sending;
    body.fill(9);
    headers.set('gate', 'C 1');
    const received = await app.receive('bags');
    expect(received?.message.body).toEqual(Uint8Array.of(1, 2, 3));
    expect(received?.message.headers).toEqual(new Map([['gate', 'B 12']]));
  });

  test('AC-12 peek shows what the next receive gives, and takes nothing', async () => {
    await app.send('bags', 'low', { priority: 1 });
    await app.send('bags', 'high', { priority: 7 });
    for (let i = 0; i < 3; i++) expect(textOf(await app.peek('bags'))).toBe('high');
    const peeked = await app.peek('bags');
    expect(await app.queue('bags')).toMatchObject({ ready: 2, leased: 0 });
    const received = await app.receive('bags');
    expect(received?.message.identity).toEqual(peeked?.message.identity);
    expect(received).toMatchObject({ lookupId: peeked?.lookupId, deliveryCount: 1 });
    expect(peeked).toMatchObject({ deliveryCount: 0, bodyBytes: 4, queue: 'bags' });
    expect(textOf(await app.peek('bags'))).toBe('low');
  });

  test('AC-12 a header-only peek has everything but the body', async () => {
    await app.send('bags', 'a long body', { label: 'x' });
    const seen = await app.ask({ verb: 'peek', queue: 'bags', waitMs: 0, bodies: 'without' });
    expect(seen).toMatchObject({ kind: 'peeked', peeked: { bodyBytes: 11, message: { label: 'x', body: new Uint8Array(0) } } });
  });

  test('AC-13 without a wait an empty queue answers at once; a wait ends in its time with nothing', async () => {
    for (const waitMs of [0, world.whileMs]) {
      expect(await app.code({ verb: 'receive', queue: 'bags', waitMs, leaseMs: 1_000 })).toBe('empty');
      expect(await app.code({ verb: 'peek', queue: 'bags', waitMs, bodies: 'with' })).toBe('empty');
    }
  });

  test('AC-13 a wait gets what is sent later', async () => {
    const peeking = app.peek('bags', { waitMs: 600_000 });
    const receiving = app.receive('notes', { waitMs: 600_000 });
    await app.send('bags', 'a');
    await app.send('notes', 'b');
    expect(textOf(await peeking)).toBe('a');
    expect(textOf(await receiving)).toBe('b');
  });

  test('AC-14 aborting ends a wait, and what comes later is for others', async () => {
    const stop = new AbortController();
    const waiting = app.receive('bags', { waitMs: 600_000 }, stop.signal);
    await app.send('notes', 'the node had its time');
    stop.abort();
    expect(await waiting).toBeUndefined();
    await app.send('bags', 'a');
    expect(textOf(await app.receive('bags', { waitMs: world.whileMs }))).toBe('a');
  });

  test('AC-14 closing the node ends every wait', async () => {
    const waiting = app.code({ verb: 'receive', queue: 'bags', waitMs: 600_000, leaseMs: 1_000 });
    await app.send('notes', 'the node had its time');
    await world.restart('closed');
    expect(['NODE_STOPPED', 'NODE_UNREACHABLE', 'empty']).toContain(await waiting);
    expect(await app.drain('notes')).toHaveLength(1);
  });

  describe('looked for', () => {
    let identities: string[];
    let lookupIds: number[];
    beforeEach(async () => {
      identities = [];
      lookupIds = [];
      for (const text of ['a', 'b', 'c', 'd']) identities.push(await app.send('bags', text, { correlationId: `c-${text}` }));
      let got = await app.peek('bags');
      while (got !== undefined) {
        lookupIds.push(got.lookupId);
        got = await app.peek('bags', { select: { by: 'after', place: { priority: 3, lookupId: got.lookupId } } });
      }
    });

    test('AC-15 by identity, correlation id and lookup id: the right one, the others stay', async () => {
      const [, second = ''] = identities;
      expect(textOf(await app.peek('bags', { select: { by: 'identity', identity: second } }))).toBe('b');
      expect(textOf(await app.peek('bags', { select: { by: 'correlationId', correlationId: 'c-c' } }))).toBe('c');
      expect(textOf(await app.peek('bags', { select: { by: 'lookupId', lookupId: lookupIds[3] ?? 0 } }))).toBe('d');
      for (const select of [
        { by: 'identity' as const, identity: second },
        { by: 'correlationId' as const, correlationId: 'c-d' },
        { by: 'lookupId' as const, lookupId: lookupIds[0] ?? 0 },
      ]) {
        expect(await app.ack(await app.receive('bags', { select }))).toBe('done');
      }
      expect(await app.drain('bags')).toEqual(['c']);
    });

    test('AC-15 what is not there is MESSAGE_NOT_FOUND, at once or after the wait', async () => {
      for (const select of [
        { by: 'identity' as const, identity: `${identities[0]}9` },
        { by: 'correlationId' as const, correlationId: 'nobody' },
        { by: 'lookupId' as const, lookupId: 99_999 },
      ]) {
        expect(await app.code({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1_000, select })).toBe('MESSAGE_NOT_FOUND');
        expect(await app.code({ verb: 'peek', queue: 'bags', waitMs: world.whileMs, bodies: 'with', select })).toBe(
          'MESSAGE_NOT_FOUND',
        );
      }
      expect(await app.look('bags')).toEqual(['a', 'b', 'c', 'd']);
    });

    test('AC-15 who waits for a correlation id gets that one, however many others come', async () => {
      const waiting = app.receive('bags', { waitMs: 600_000, select: { by: 'correlationId', correlationId: 'late' } });
      for (let i = 0; i < 20; i++) await app.send('bags', `other ${i}`, { correlationId: `c-${i}` });
      await app.send('bags', 'this one', { correlationId: 'late', priority: 0 });
      expect(textOf(await waiting)).toBe('this one');
      expect(await app.queue('bags')).toMatchObject({ ready: 24, leased: 1 });
    });

    test('AC-15 what is under lease is in nobody’s view', async () => {
      const held = await app.receive('bags');
      const select = { by: 'lookupId' as const, lookupId: held?.lookupId ?? 0 };
      expect(await app.code({ verb: 'peek', queue: 'bags', waitMs: 0, bodies: 'with', select })).toBe('MESSAGE_NOT_FOUND');
      await app.nack(held);
      expect(textOf(await app.peek('bags', { select }))).toBe('a');
    });

    test('AC-16 first, last, after and before; lookup ids ascend, over restarts, too', async () => {
      const place = (at: number) => ({ priority: 3, lookupId: lookupIds[at] ?? 0 });
      expect(textOf(await app.peek('bags', { select: { by: 'first' } }))).toBe('a');
      expect(textOf(await app.peek('bags', { select: { by: 'last' } }))).toBe('d');
      expect(textOf(await app.peek('bags', { select: { by: 'after', place: place(1) } }))).toBe('c');
      expect(textOf(await app.peek('bags', { select: { by: 'before', place: place(1) } }))).toBe('a');
      expect(await app.peek('bags', { select: { by: 'after', place: place(3) } })).toBeUndefined();
      expect(await app.peek('bags', { select: { by: 'before', place: place(0) } })).toBeUndefined();
      await app.send('bags', 'urgent', { priority: 7 });
      expect(textOf(await app.peek('bags', { select: { by: 'before', place: place(0) } }))).toBe('urgent');
      await world.restart('killed');
      await app.send('bags', 'e');
      const last = await app.peek('bags', { select: { by: 'last' } });
      expect(textOf(last)).toBe('e');
      expect(last?.lookupId).toBeGreaterThan(lookupIds[3] ?? 0);
      expect([...lookupIds].sort((a, b) => a - b)).toEqual(lookupIds);
    });

    test('AC-17 who removes while looking goes on behind what is gone; later arrivals are seen by asking again', async () => {
      const place = (at: number) => ({ priority: 3, lookupId: lookupIds[at] ?? 0 });
      await app.ack(await app.receive('bags', { select: { by: 'lookupId', lookupId: lookupIds[2] ?? 0 } }));
      expect(textOf(await app.peek('bags', { select: { by: 'after', place: place(2) } }))).toBe('d');
      expect(textOf(await app.peek('bags', { select: { by: 'before', place: place(2) } }))).toBe('b');
      expect(await app.look('bags')).toEqual(['a', 'b', 'd']);
      const parked = { by: 'after' as const, place: place(3) };
      expect(await app.peek('bags', { select: parked })).toBeUndefined();
      const waiting = app.peek('bags', { select: parked, waitMs: 600_000 });
      await app.send('bags', 'e');
      expect(textOf(await waiting)).toBe('e');
    });
  });

  test('AC-15 a selector that is none is refused', async () => {
    const select = { by: 'colour', colour: 'red' } as never;
    expect(['PROPERTY_INVALID', 'REQUEST_INVALID']).toContain(
      await app.code({ verb: 'peek', queue: 'bags', waitMs: 0, bodies: 'with', select }),
    );
    expect(RingmailError.name).toBe('RingmailError');
  });
});
