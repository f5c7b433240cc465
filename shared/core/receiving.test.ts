/** Which message a receive or a peek gets: by place, by name, by what arrives. */
import { beforeEach, describe, expect, test } from 'vitest';
import { codeOf, QueueBox, textOf } from '../../hardware-sim/queue-box.ts';
import { fromUtf8 } from '../bytes.ts';
import { identityText } from '../message/identity.ts';
import type { Selector } from '../queue/selector.ts';
import type { CallResult } from './calls.ts';

let box: QueueBox;

function receive(select: Selector, waitMs = 0) {
  return { verb: 'receive', queue: 'bags', waitMs, leaseMs: 60_000, select } as const;
}

function peek(select: Selector, waitMs = 0, bodies: 'with' | 'without' = 'with') {
  return { verb: 'peek', queue: 'bags', waitMs, select, bodies } as const;
}

/** The first word of what came, or what was said instead. */
function seen(result: CallResult | undefined): string | undefined {
  if (result?.kind === 'received') return textOf(result.received);
  if (result?.kind === 'peeked') return fromUtf8(result.peeked.message.body)?.split(' ')[0];
  return codeOf(result);
}

async function asked(...[call, withinMs]: Parameters<QueueBox['ask']>): Promise<string | undefined> {
  return seen(await box.ask(call, withinMs));
}

/** All places from `first` on, in the order of the queue. */
async function listed(step: 'after' | 'before'): Promise<string[]> {
  const texts: string[] = [];
  let result = await box.ask(peek({ by: step === 'after' ? 'first' : 'last' }));
  while (result?.kind === 'peeked') {
    texts.push(seen(result) ?? '');
    const { lookupId, message } = result.peeked;
    result = await box.ask(peek({ by: step, place: { priority: message.priority, lookupId } }));
  }
  return texts;
}

async function peeked(select: Selector) {
  const result = await box.ask(peek(select));
  return result?.kind === 'peeked' ? result.peeked : undefined;
}

beforeEach(async () => {
  box = new QueueBox('receiving', {
    queues: [
      { name: 'bags', bytesLimit: 400_000 },
      { name: 'other', bytesLimit: 50_000 },
    ],
  });
  await box.start();
});

async function fill(...texts: string[]): Promise<void> {
  for (const text of texts) await box.send('bags', text, { priority: Number(text[1] ?? 3) });
}

describe('by place', () => {
  const inOrder = ['a7', 'd7', 'b3', 'e3', 'c0'];
  beforeEach(() => fill('a7', 'b3', 'c0', 'd7', 'e3'));

  test('first and last are the ends of the order in which messages are received; after and before walk it', async () => {
    expect(await listed('after')).toEqual(inOrder);
    expect(await listed('before')).toEqual([...inOrder].reverse());
    expect(await asked(receive({ by: 'last' }))).toBe('c0');
    expect(await asked(receive({ by: 'first' }))).toBe('a7');
  });

  test('after and before a place find the neighbours, whatever became of the message that was there', async () => {
    const there = await peeked({ by: 'after', place: { priority: 7, lookupId: 1e9 } });
    expect(textOfPeeked(there)).toBe('b3');
    const place = { priority: 3, lookupId: there?.lookupId ?? 0 };
    for (const state of ['ready', 'leased', 'delayed', 'gone']) {
      if (state === 'leased' || state === 'gone') await asked(receive({ by: 'lookupId', lookupId: place.lookupId }));
      if (state === 'delayed') await box.ask({ verb: 'nack', lease: await leaseOf('b3'), delayMs: 1 });
      const around = [await asked(peek({ by: 'before', place })), await asked(peek({ by: 'after', place }))];
      expect([state, ...around]).toEqual([state, 'd7', 'e3']);
    }
  });

  test('a receive after a place leases what it finds, and leaves the others alone', async () => {
    expect(await asked(receive({ by: 'after', place: { priority: 3, lookupId: 1e9 } }))).toBe('c0');
    expect(await asked(receive({ by: 'before', place: { priority: 3, lookupId: 0 } }))).toBe('d7');
    expect(await box.drain('bags')).toEqual(['a7', 'b3', 'e3']);
  });

  test('nothing is behind the last and before the first; a wait for it sees what arrives there, and nothing more urgent', async () => {
    const last = await peeked({ by: 'last' });
    const place = { priority: 0, lookupId: last?.lookupId ?? 0 };
    expect(await asked(peek({ by: 'after', place }))).toBe('empty');
    expect(await asked(receive({ by: 'before', place: { priority: 7, lookupId: 1 } }))).toBe('empty');
    const waiting = box.begin(peek({ by: 'after', place }, 5_000));
    await fill('f7', 'g3');
    expect(waiting.result).toBeUndefined();
    await fill('h0');
    await box.pass(20);
    expect(seen(waiting.result)).toBe('h0');
  });
});

describe('by name', () => {
  test('lookup id: that message and no other; ids ascend with every message and are the same after a restart', async () => {
    await fill('a7', 'b3', 'c0');
    const ids = [];
    for (const text of ['a', 'b', 'c']) ids.push([text, (await byText(text))?.lookupId ?? 0] as const);
    expect(ids.map(([, id]) => id)).toEqual(ids.map(([, id]) => id).sort((a, b) => a - b));
    await box.restart('power cut');
    for (const [text, lookupId] of ids) expect((await asked(peek({ by: 'lookupId', lookupId })))?.[0]).toBe(text);
    const [, , [, lookupId = 0] = []] = ids;
    expect(await asked(receive({ by: 'lookupId', lookupId }))).toBe('c0');
    expect(await asked(receive({ by: 'lookupId', lookupId }))).toBe('MESSAGE_NOT_FOUND');
    await box.send('other', 'x');
    const other = await box.receive('other');
    expect(await asked(peek({ by: 'lookupId', lookupId: other?.lookupId ?? 0 }))).toBe('MESSAGE_NOT_FOUND');
    expect(await box.drain('bags')).toEqual(['a7', 'b3']);
  });

  test('identity: of its stream, by its number; what is no identity is refused', async () => {
    const sent = [];
    for (const text of ['a', 'b', 'c']) sent.push(await box.ask(box.sending('bags', text)));
    const identities = sent.map((result) => (result?.kind === 'sent' ? result.identity : ''));
    expect(await asked(peek({ by: 'identity', identity: identities[1] ?? '' }))).toBe('b');
    expect(await asked(receive({ by: 'identity', identity: identities[2] ?? '' }))).toBe('c');
    const others = [
      identities[2] ?? '',
      (identities[0] ?? '').replace(':3:', ':4:'),
      (identities[0] ?? '').replace('box:', 'bix:'),
    ];
    for (const identity of others) expect(await asked(receive({ by: 'identity', identity }))).toBe('MESSAGE_NOT_FOUND');
    expect(await asked(receive({ by: 'identity', identity: 'nonsense' }))).toBe('PROPERTY_INVALID');
    expect(await box.drain('bags')).toEqual(['a', 'b']);
  });

  test('correlation id: the first one that carries it in the order of the queue, wherever it lies', async () => {
    for (let i = 0; i < 400; i++) await box.send('bags', `m${i}`, { correlationId: `c${i % 300}` });
    await box.send('bags', 'urgent', { priority: 7, correlationId: 'c299' });
    await box.restart('closed');
    expect(await asked(peek({ by: 'correlationId', correlationId: 'c299' }))).toBe('urgent');
    expect(await asked(receive({ by: 'correlationId', correlationId: 'c299' }))).toBe('urgent');
    expect(await asked(receive({ by: 'correlationId', correlationId: 'c299' }))).toBe('m299');
    expect(await asked(receive({ by: 'correlationId', correlationId: 'c299' }))).toBe('MESSAGE_NOT_FOUND');
    expect(await asked(receive({ by: 'correlationId', correlationId: 'c7' }))).toBe('m7');
    expect(await asked(receive({ by: 'correlationId', correlationId: 'c7' }))).toBe('m307');
    expect(box.queue('bags').ready).toBe(397);
  });

  test('each waits for its own message and holds up nobody; when it does not come they are told which was not found', async () => {
    await box.send('bags', 'x');
    const first = await peeked({ by: 'first' });
    const next = (first?.lookupId ?? 0) + 1;
    const sent =
      first === undefined ? '' : identityText({ ...first.message.identity, number: first.message.identity.number + 2 });
    const waiting = [
      receive({ by: 'lookupId', lookupId: next }, 400),
      receive({ by: 'identity', identity: sent }, 400),
      receive({ by: 'correlationId', correlationId: 'reply' }, 400),
      peek({ by: 'correlationId', correlationId: 'reply' }, 400),
      receive({ by: 'correlationId', correlationId: 'never' }, 400),
    ].map((call) => box.begin(call));
    expect(await asked(receive({ by: 'first' }))).toBe('x');
    await box.send('bags', 'by-id');
    await box.send('bags', 'by-identity');
    await box.send('bags', 'by-correlation', { correlationId: 'reply' });
    await box.send('bags', 'any');
    expect(await asked(receive({ by: 'first' }))).toBe('any');
    expect(waiting.slice(0, 4).map(({ result }) => seen(result))).toEqual([
      'by-id',
      'by-identity',
      'by-correlation',
      'by-correlation',
    ]);
    expect(waiting[4]?.result).toBeUndefined();
    await box.pass(500);
    const last = waiting[4]?.result;
    expect(last?.kind === 'error' && last.error.details).toEqual({ queue: 'bags', wanted: 'correlationId never' });
  });

  test('what is leased or delayed is found when it comes back', async () => {
    await box.send('bags', 'a', { correlationId: 'c' });
    await box.send('bags', 'late', { correlationId: 'later', deliverAfterMs: 300 });
    const got = await box.receive('bags', { leaseMs: 200 });
    const lookupId = got?.lookupId ?? 0;
    expect(await asked(receive({ by: 'lookupId', lookupId }))).toBe('MESSAGE_NOT_FOUND');
    const byId = box.begin(peek({ by: 'lookupId', lookupId }, 1_000));
    const byCorrelation = box.begin(receive({ by: 'correlationId', correlationId: 'c' }, 1_000));
    const delayed = box.begin(receive({ by: 'correlationId', correlationId: 'later' }, 1_000));
    await box.pass(400);
    expect([byId, byCorrelation, delayed].map(({ result }) => seen(result))).toEqual(['a', 'a', 'late']);
  });

  test('a search reads each message once, whoever searches and however long, also where they do not fit into memory', async () => {
    const queues = [{ name: 'bags', bytesLimit: 4_000_000 }];
    box = new QueueBox('reads', { queues, queueBytesLimit: 4_000_000 }, { ringBytes: 2_000 * 4096 });
    await box.start();
    const count = 120;
    for (let i = 0; i < count; i++) await box.send('bags', `m${i} `.padEnd(20_000, '.'));
    await box.restart('closed');
    const reads = countReads(box);
    const waiting = Array.from({ length: 20 }, (_, i) =>
      box.begin(receive({ by: 'correlationId', correlationId: `c${i}` }, 30_000)),
    );
    await box.pass(1_000);
    expect(reads()).toBeGreaterThanOrEqual(count);
    expect(reads()).toBeLessThan(1.2 * count);
    const before = reads();
    for (let i = 0; i < 20; i++) await box.send('bags', `r${i}`, { correlationId: `c${i}` });
    await box.pass(100);
    expect(waiting.map(({ result }) => seen(result))).toEqual(waiting.map((_, i) => `r${i}`));
    expect(reads() - before).toBeLessThan(5);
  });

  test('while one search reads a long queue others are served', async () => {
    for (let i = 0; i < 150; i++) await box.send('bags', `m${i} `.padEnd(1_500, '.'));
    await box.restart('closed');
    const search = box.begin(receive({ by: 'correlationId', correlationId: 'none' }));
    expect(await asked(receive({ by: 'first' }))).toBe('m0');
    await box.pass(1_000);
    expect(seen(search.result)).toBe('MESSAGE_NOT_FOUND');
  });
});

describe('peek', () => {
  test('shows what the next receive gets, and changes nothing', async () => {
    await fill('a3', 'b7');
    for (let i = 0; i < 3; i++) expect(await asked(peek({ by: 'first' }))).toBe('b7');
    const before = await peeked({ by: 'first' });
    expect(before).toMatchObject({ queue: 'bags', deliveryCount: 0, moveCount: 0, bodyBytes: 2 });
    const got = await box.receive('bags');
    expect(got && identityText(got.message.identity)).toBe(before && identityText(before.message.identity));
    expect(got).toMatchObject({ deliveryCount: 1, lookupId: before?.lookupId });
    await box.ask({ verb: 'nack', lease: got?.lease ?? '' });
    expect(await peeked({ by: 'first' })).toMatchObject({ deliveryCount: 1 });
  });

  test('without bodies all else is there, and how long the body is', async () => {
    await box.send('bags', 'x'.repeat(500), { label: 'heavy', headers: new Map([['h', '1']]) });
    const result = await box.ask(peek({ by: 'first' }, 0, 'without'));
    const { peeked: shown } = result?.kind === 'peeked' ? result : { peeked: undefined };
    expect(shown).toMatchObject({ bodyBytes: 500, message: { label: 'heavy', headers: new Map([['h', '1']]) } });
    expect(shown?.message.body).toEqual(new Uint8Array(0));
  });

  test('waits, is served before a receive takes the message, and says empty when its time is up', async () => {
    const looks = [box.begin(peek({ by: 'first' }, 5_000)), box.begin(peek({ by: 'last' }, 5_000))];
    const takes = box.begin(receive({ by: 'first' }, 5_000));
    expect(await asked(peek({ by: 'first' }, 50))).toBe('empty');
    await fill('a3');
    await box.pass(20);
    expect([...looks, takes].map(({ result }) => seen(result))).toEqual(['a3', 'a3', 'a3']);
  });

  test('by order of arrival: whatever the priority, leased and delayed, too; for peek alone', async () => {
    await fill('a3', 'b7', 'c0');
    await box.send('bags', 'd', { deliverAfterMs: 60_000 });
    await fill('e7');
    const lease = await box.receive('bags', { leaseMs: 60_000 });
    expect(textOf(lease)).toBe('b7');
    const texts: (string | undefined)[] = [];
    let lookupId = 0;
    for (;;) {
      const shown = await peeked({ by: 'arrivedAfter', lookupId });
      if (shown === undefined) break;
      texts.push(textOfPeeked(shown));
      lookupId = shown.lookupId;
    }
    expect(texts).toEqual(['a3', 'b7', 'c0', 'd', 'e7']);
    const waiting = box.begin(peek({ by: 'arrivedAfter', lookupId }, 5_000));
    await box.send('bags', 'f', { deliverAfterMs: 60_000 });
    await box.pass(20);
    expect(seen(waiting.result)).toBe('f');
    expect(await asked(receive({ by: 'arrivedAfter', lookupId: 0 }))).toBe('PROPERTY_INVALID');
  });
});

/** Reads of the ring file from here on. */
function countReads({ node }: QueueBox): () => number {
  let count = 0;
  const { disk } = node;
  const read = disk.read.bind(disk);
  disk.read = (...args: Parameters<typeof read>) => {
    count += 1;
    return read(...args);
  };
  return () => count;
}

function textOfPeeked(shown: Awaited<ReturnType<typeof peeked>>): string | undefined {
  return shown && fromUtf8(shown.message.body)?.split(' ')[0];
}

async function byText(text: string) {
  let shown = await peeked({ by: 'first' });
  while (shown !== undefined && textOfPeeked(shown)?.[0] !== text) {
    shown = await peeked({ by: 'after', place: { priority: shown.message.priority, lookupId: shown.lookupId } });
  }
  return shown;
}

/** Of the only message under lease: given back and taken anew. */
async function leaseOf(text: string): Promise<string> {
  await box.pass(61_000);
  const got = await box.ask(receive({ by: 'lookupId', lookupId: (await byText(text[0] ?? ''))?.lookupId ?? 0 }));
  return got?.kind === 'received' ? got.received.lease : '';
}
