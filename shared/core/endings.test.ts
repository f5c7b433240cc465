/** What goes with the end of a message, in the frame that ends it: account, letter, copy, word to the sender. */
import { describe, expect, test } from 'vitest';
import { QueueBox, textOf } from '../../hardware-sim/queue-box.ts';
import { toUtf8 } from '../bytes.ts';
import { decodeCbor } from '../message/cbor.ts';
import type { Properties } from '../message/message.ts';
import type { QueueDefinition } from '../queue/queue-options.ts';
import type { Received } from './calls.ts';

async function boxWith(name: string, queues: Record<string, Partial<QueueDefinition>> = {}): Promise<QueueBox> {
  const definitions = Object.entries({ bags: {}, ...queues });
  const box = new QueueBox(name, { queues: definitions.map(([queue, own]) => ({ name: queue, bytesLimit: 50_000, ...own })) });
  await box.start();
  return box;
}

async function all(box: QueueBox, queue: string): Promise<Received[]> {
  const found: Received[] = [];
  for (let got = await box.receive(queue, { leaseMs: 60_000 }); got; got = await box.receive(queue, { leaseMs: 60_000 })) {
    found.push(got);
  }
  return found;
}

async function words(box: QueueBox): Promise<(string | undefined)[]> {
  return (await all(box, '$admin')).map(({ message }) => message.label);
}

function accounts(box: QueueBox): Record<string, number> {
  return Object.fromEntries(box.stats.accounts.map(({ class: ending, count }) => [ending, count]));
}

async function giveUp(box: QueueBox, queue = 'bags'): Promise<string | undefined> {
  const got = await box.receive(queue);
  const result = await box.ask({ verb: 'deadLetter', lease: got?.lease ?? '', reason: 'no belt' });
  return result?.kind;
}

const SHORT: Properties = { timeToBeReceivedMs: 1_000 };

describe('what expired', () => {
  test('has an account and a letter: as it was, with its identity and one step of history', async () => {
    const box = await boxWith('letter');
    await box.send('bags', 'late', { ...SHORT, label: 'trolley', appSpecific: 7 });
    await box.pass(1_500);
    const [letter] = await all(box, '$dead');
    expect(letter?.message).toMatchObject({ label: 'trolley', appSpecific: 7, timeToBeReceivedMs: 1_000 });
    expect(letter?.message.previous).toMatch(/^box:[0-9a-f]{16}:box\/bags:3:1$/);
    const history = [{ class: 'RECEIVE_TIMEOUT', node: 'box', reason: 'nobody received it in time' }];
    expect(letter?.message.history).toEqual(history);
    expect([textOf(letter), accounts(box)]).toEqual(['late', { RECEIVE_TIMEOUT: 1 }]);
    await box.pass(60_000);
    expect(box.queue('$dead').leased + box.queue('$dead').ready).toBe(1);
  });

  test('is in one frame with all that: after a power cut at any time there is all of it or nothing', async () => {
    for (let cutMs = 1_000; cutMs < 1_040; cutMs += 2) {
      const box = await boxWith(`cut ${cutMs}`);
      const atMs = box.world.nowMs;
      await box.send('bags', 'late', { ...SHORT, acknowledge: 'full' });
      await box.pass(cutMs - (box.world.nowMs - atMs));
      await box.restart('power cut');
      await box.pass(2_000);
      expect(accounts(box)).toEqual({ RECEIVE_TIMEOUT: 1 });
      expect([box.queue('bags').ready, box.queue('$dead').ready, box.queue('$admin').ready]).toEqual([0, 1, 2]);
    }
  });

  test('and wants no letter has its account', async () => {
    const box = await boxWith('none');
    await box.send('bags', 'late', { ...SHORT, deadLetter: 'off' });
    await box.pass(1_500);
    expect([box.queue('$dead').ready, accounts(box)]).toEqual([0, { RECEIVE_TIMEOUT: 1 }]);
  });

  test('its time given by its queue, not by itself', async () => {
    const box = await boxWith('queue', { bags: { timeToBeReceivedMs: 2_000 } });
    await box.send('bags', 'says nothing');
    await box.send('bags', 'says', { timeToBeReceivedMs: 60_000 });
    await box.pass(1_800);
    expect(box.queue('bags').ready).toBe(2);
    await box.pass(500);
    expect([box.queue('bags').ready, box.queue('$dead').ready]).toEqual([1, 1]);
  });

  test('and whose body is gone has its account, and nobody waits for more', async () => {
    const box = await boxWith('gone', { bags: { bytesLimit: 10_000 } });
    await box.send('bags', 'late', SHORT);
    await box.restart('closed');
    rot(box, 'late');
    await box.pass(2_000);
    expect([box.queue('bags').ready, box.queue('$dead').ready, accounts(box)]).toEqual([0, 0, { RECEIVE_TIMEOUT: 1 }]);
  });
});

/** Wherever a text lies on the disk, it is another one by now. */
function rot(box: QueueBox, text: string): void {
  const { disk } = box.node;
  const platter = disk.platter();
  const wanted = toUtf8(text);
  for (let at = 0; at + wanted.length <= platter.length; at++) {
    if (wanted.every((byte, i) => platter[at + i] === byte)) disk.rot(at, wanted.length, 'garbage');
  }
}

describe('what is given up', () => {
  test('has a letter and no account: that is its end', async () => {
    const box = await boxWith('poison');
    await box.send('bags', 'poison');
    expect(await giveUp(box)).toBe('done');
    expect([await box.drain('$dead'), accounts(box)]).toEqual([['poison'], {}]);
  });

  test('goes to the dead letter queue of its own queue, and to $dead when that one is full or away', async () => {
    const box = await boxWith('own', {
      bags: { deadLetterQueue: 'lost' },
      lost: { bytesLimit: 400 },
      orphans: { deadLetterQueue: 'nowhere' },
    });
    for (const text of ['first', 'second']) await box.send('bags', text.padEnd(120, ' '));
    for (let i = 0; i < 2; i++) expect(await giveUp(box)).toBe('done');
    await box.send('orphans', 'orphan');
    expect(await giveUp(box, 'orphans')).toBe('done');
    expect([box.queue('lost').ready, box.queue('$dead').ready]).toEqual([1, 2]);
    expect(await giveUp(box, 'lost')).toBe('done');
    expect(await box.drain('$dead')).toEqual(['second', 'orphan', 'first']);
  });

  test('and wants no letter is accounted for', async () => {
    const box = await boxWith('off');
    await box.send('bags', 'poison', { deadLetter: 'off' });
    expect(await giveUp(box)).toBe('done');
    expect([box.queue('$dead').ready, accounts(box)]).toEqual([0, { POISON: 1 }]);
  });
});

describe('the sender is told', () => {
  test.each<[Properties['acknowledge'], string[], string[], string[]]>([
    [undefined, [], [], []],
    ['reach', ['ACK_REACH_QUEUE'], ['ACK_REACH_QUEUE'], ['ACK_REACH_QUEUE']],
    ['receive', ['ACK_RECEIVE'], ['RECEIVE_TIMEOUT'], ['POISON']],
    ['full', ['ACK_REACH_QUEUE', 'ACK_RECEIVE'], ['ACK_REACH_QUEUE', 'RECEIVE_TIMEOUT'], ['ACK_REACH_QUEUE', 'POISON']],
  ])('%s', async (acknowledge, received, expired, given) => {
    const box = await boxWith(`told ${acknowledge}`);
    const asks = acknowledge === undefined ? {} : { acknowledge };
    await box.send('bags', 'a', asks);
    await box.ack(await box.receive('bags'));
    expect(await words(box)).toEqual(received);
    await box.restart('closed');
    expect((await box.drain('$admin')).length).toBe(received.length);
    await box.send('bags', 'b', { ...asks, ...SHORT });
    await box.pass(1_500);
    expect(await words(box)).toEqual(expired);
    await box.restart('power cut');
    await box.drain('$admin');
    await box.send('bags', 'c', asks);
    await giveUp(box);
    expect(await words(box)).toEqual(given);
  });

  test('by a message of its own: class, identity and node, and what the application gave it', async () => {
    const box = await boxWith('word');
    const sent = await box.ask(box.sending('bags', 'a', { acknowledge: 'reach', appSpecific: 41, priority: 5 }));
    const identity = sent?.kind === 'sent' ? sent.identity : '?';
    const [word] = await all(box, '$admin');
    expect(word?.message).toMatchObject({ label: 'ACK_REACH_QUEUE', correlationId: identity, appSpecific: 41, priority: 3 });
    expect(Object.fromEntries(decodeCbor(word?.message.body ?? new Uint8Array(0)) as Map<string, string>)).toEqual({
      class: 'ACK_REACH_QUEUE',
      identity,
      node: 'box',
    });
  });

  test('also of a message that was stored before a restart', async () => {
    const box = await boxWith('restart');
    await box.send('bags', 'a', { acknowledge: 'receive' });
    await box.restart('power cut');
    await box.ack(await box.receive('bags'));
    expect(await words(box)).toEqual(['ACK_RECEIVE']);
  });

  test('words are bounded: the oldest go, and nobody is stopped', async () => {
    const box = await boxWith('bounded', { $admin: { bytesLimit: 1_000 } });
    for (let i = 0; i < 9; i++) expect(await box.send('bags', `m${i}`, { acknowledge: 'reach' })).toBe('sent');
    const kept = (await all(box, '$admin')).map(({ message }) => Number(message.correlationId?.split(':').at(-1)));
    expect(kept.length).toBeGreaterThan(1);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 10 - kept.length + i));
    expect(accounts(box).DROPPED).toBe(9 - kept.length);
  });

  test('of a word itself nobody, and no letter is made of it', async () => {
    const box = await boxWith('silent');
    await box.send('bags', 'a', { acknowledge: 'reach' });
    await giveUp(box, '$admin');
    expect([box.queue('$admin').ready, box.queue('$dead').ready]).toEqual([0, 0]);
  });
});

describe('a copy in $journal', () => {
  test('of a message that asks for it, when it is sent', async () => {
    const box = await boxWith('sent');
    await box.send('bags', 'a', { journal: 'on', timeToBeReceivedMs: 1_000 });
    await box.send('bags', 'b');
    await box.pass(5_000);
    const [copy, none] = await all(box, '$journal');
    expect([textOf(copy), copy?.message.previous?.endsWith('box/bags:3:1'), none]).toEqual(['a', true, undefined]);
  });

  test('of each that is received from a queue that keeps one, and none of those that end otherwise', async () => {
    const box = await boxWith('received', { bags: { journal: 'on' } });
    for (const text of ['received', 'poison']) await box.send('bags', text);
    await box.ack(await box.receive('bags'));
    await giveUp(box);
    expect(await box.drain('$journal')).toEqual(['received']);
  });

  test('of which there is no room is left out, and counted; its message is sent', async () => {
    const box = await boxWith('large', { bags: { bytesLimit: 200_000 } });
    const large = 'm '.padEnd(box.node.disk.bytes > 16 * 2 ** 20 ? 150_000 : 35_000, '.');
    expect(await box.send('bags', large, { journal: 'on' })).toBe('sent');
    expect([box.queue('bags').ready, box.queue('$journal').ready]).toEqual([1, 0]);
    expect(box.stats.counters.copiesLeftOut).toBe(1);
  });
});
