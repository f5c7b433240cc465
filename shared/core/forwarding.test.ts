/** Messages that routes take on: what is stored where, what their senders are told, and one body for several places. */
import { describe, expect, test } from 'vitest';
import { codeOf, QueueBox, sendStep, textOf } from '../../hardware-sim/queue-box.ts';
import { toUtf8 } from '../bytes.ts';
import { decodeCbor } from '../message/cbor.ts';
import type { Properties } from '../message/message.ts';
import type { Route } from '../queue/routes.ts';
import { PUT_BYTES } from '../ring/entry-layout.ts';
import type { NodeConfig } from './node-io.ts';

const QUEUES = ['scans', 'a', 'b', 'c'].map((name) => ({ name, bytesLimit: 400_000 }));
const LARGE = 40 * 1024;

async function boxWith(name: string, routes: readonly Route[], config: Partial<NodeConfig> = {}): Promise<QueueBox> {
  const box = new QueueBox(name, { queues: QUEUES, routes, ...config });
  await box.start();
  return box;
}

/** `bytes` of body that begin with a word. */
function text(word: string, bytes: number): string {
  return `${word} `.padEnd(bytes, 'x');
}

async function sent(box: QueueBox, queue: string, body: string, properties: Properties = {}): Promise<string> {
  const result = await box.ask(box.sending(queue, body, properties));
  return result?.kind === 'sent' ? result.identity : (codeOf(result) ?? 'nothing');
}

const ready = (box: QueueBox, ...queues: string[]): number[] => queues.map((queue) => box.queue(queue).ready);

describe('a message that a route takes on', () => {
  test('is a new one of this node where it goes, linked to the one that its sender was told', async () => {
    const routes = [{ from: 'scans', where: { label: 'x' }, to: ['a'], priority: 6, timeToBeReceivedMs: 5_000 }];
    const box = await boxWith('one place', routes);
    const identity = await sent(box, 'scans', 'hello', { label: 'x', correlationId: 'c', timeToReachQueueMs: 70, journal: 'on' });
    expect(identity).toMatch(/:box\/scans:3:1$/);
    expect(ready(box, 'scans', 'a', '$journal')).toEqual([0, 1, 1]);
    const got = await box.receive('a');
    expect(got?.message).toMatchObject({
      previous: identity,
      label: 'x',
      correlationId: 'c',
      priority: 6,
      timeToBeReceivedMs: 5_000,
    });
    expect([got?.message.identity.destination, got?.message.identity.number, got?.message.journal]).toEqual([
      'box/a',
      1,
      undefined,
    ]);
    expect(await box.ask({ verb: 'outcome', identity })).toMatchObject({ outcome: 'kept' });
    await box.restart('power cut');
    expect(await sent(box, 'scans', 'stays', { label: 'y' })).toMatch(/:box\/scans:3:2$/);
    expect(ready(box, 'scans', 'a')).toEqual([1, 1]);
  });

  test('stays as well where its own queue is named', async () => {
    const box = await boxWith('stays', [{ from: 'scans', to: ['scans', 'a'] }]);
    const identity = await sent(box, 'scans', 'hello');
    const [here, there] = [await box.receive('scans'), await box.receive('a')];
    expect([textOf(here), textOf(there), there?.message.previous]).toEqual(['hello', 'hello', identity]);
    expect(here?.message.previous).toBeUndefined();
  });

  test('is there once under a send key, by a producer and in a transaction', async () => {
    const box = await boxWith('again', [{ from: 'scans', to: ['a', 'b'] }]);
    const keyed = { ...box.sending('scans', text('k', 500)), sendKey: 'key' } as const;
    const first = await box.ask(keyed);
    await box.restart('power cut');
    expect(await box.ask(keyed)).toEqual(first);
    const steps = [sendStep('scans', text('t1', 500)), sendStep('scans', text('t2', 500)), sendStep('a', 't3')];
    expect([
      await box.commit(steps, { producer: 'p', number: 1 }),
      await box.commit(steps, { producer: 'p', number: 1 }),
    ]).toEqual(['committed', 'committed']);
    expect([await box.drain('a'), await box.drain('b')]).toEqual([
      ['k', 't1', 't2', 't3'],
      ['k', 't1', 't2'],
    ]);
  });

  test.each<[Properties['acknowledge'] & string, string[], string[]]>([
    ['reach', ['ACK_REACH_QUEUE'], ['ACK_REACH_QUEUE']],
    ['receive', ['ACK_RECEIVE'], []],
    ['full', ['ACK_REACH_QUEUE', 'ACK_RECEIVE'], ['ACK_REACH_QUEUE']],
  ])('that asked for %s is told so of itself, and what is made of it asks nothing', async (acknowledge, gone, stayed) => {
    const box = await boxWith(`asked for ${acknowledge}`, [
      { from: 'scans', where: { label: 'stay' }, to: ['scans', 'a'] },
      { from: 'scans', to: ['a', 'b'] },
    ]);
    const words = async (): Promise<string[]> => {
      const labels: string[] = [];
      for (let got = await box.receive('$admin'); got !== undefined; got = await box.receive('$admin')) {
        const told = decodeCbor(got.message.body);
        expect([told instanceof Map && told.get('identity'), got.message.correlationId]).toEqual([identity, identity]);
        labels.push(got.message.label ?? '');
        await box.ack(got);
      }
      return labels;
    };
    let identity = await sent(box, 'scans', 'm', { acknowledge });
    expect(await words()).toEqual(gone);
    await box.drain('a');
    expect(await words()).toEqual([]);
    identity = await sent(box, 'scans', 'm', { acknowledge, label: 'stay' });
    expect(await words()).toEqual(stayed);
  });

  test('is not express any more', async () => {
    const box = await boxWith('express', [{ from: 'scans', to: ['a', 'b'] }]);
    expect(await box.ask({ ...box.sending('scans', 'm'), delivery: 'express' } as never)).not.toMatchObject({
      durability: 'volatile',
    });
    await box.restart('power cut');
    expect(ready(box, 'a', 'b')).toEqual([1, 1]);
  });

  test('is refused as a whole while one of its places is full, and waits where that one blocks', async () => {
    const small = { name: 'small', bytesLimit: 1_000, whenFull: 'block' as const };
    const box = await boxWith('full', [{ from: 'scans', to: ['a', 'small'] }], { queues: [...QUEUES, small] });
    expect(await box.send('scans', text('one', 500))).toBe('sent');
    expect(await box.send('scans', text('two', 500), { waitMs: 0 })).toBe('QUEUE_FULL');
    expect(await box.commit([sendStep('scans', text('two', 500))])).toBe('QUEUE_FULL');
    expect(ready(box, 'scans', 'a', 'small')).toEqual([0, 1, 1]);
    const waiting = box.begin(box.sending('scans', text('three', 500), { waitMs: 1_000 }));
    await box.pass(50);
    expect(waiting.result).toBeUndefined();
    expect(await box.drain('small')).toEqual(['one', 'three']);
    expect([codeOf(waiting.result), ready(box, 'a', 'small')]).toEqual(['sent', [2, 0]]);
  });

  test('is a letter for the place that is not there, and for that one alone; redriven, it goes there', async () => {
    const routes = [{ from: 'scans', to: ['a', 'gone', 'nowhere/q', 'b'] }];
    const box = await boxWith('no place', routes);
    const identity = await sent(box, 'scans', text('m', 600), { acknowledge: 'reach' });
    expect(ready(box, 'a', 'b', '$dead', '$admin')).toEqual([1, 1, 2, 1]);
    const letters = [await box.receive('$dead'), await box.receive('$dead')];
    expect(letters.map((letter) => letter?.message.history?.map((step) => step.class))).toEqual([['BAD_DST_Q'], ['BAD_DST_Q']]);
    expect(letters.map((letter) => letter?.message.previous?.split(':')[2])).toEqual(['box/gone', 'nowhere/q']);
    for (const letter of letters) await box.ask({ verb: 'nack', lease: letter?.lease ?? '', delayMs: 0 });
    await box.ask({ verb: 'createQueue', queue: 'gone', options: {} });
    await box.ask({ verb: 'redrive', queue: '$dead', lookupId: letters[0]?.lookupId ?? 0 });
    expect([await box.drain('gone'), ready(box, 'a', 'b')]).toEqual([['m'], [1, 1]]);
    expect(identity).toMatch(/scans/);
  });

  test('too large for one of its places is a letter for that one', async () => {
    const queues = [...QUEUES, { name: 'small', bytesLimit: 300 }];
    const box = await boxWith('too large', [{ from: 'scans', to: ['small', 'a', 'b'] }], { queues });
    expect(await box.send('scans', text('m', 600))).toBe('sent');
    expect([ready(box, 'small', 'a', 'b', '$dead'), box.stats.accounts.map((one) => one.class)]).toEqual([
      [0, 1, 1, 1],
      ['TOO_LARGE'],
    ]);
    expect([await box.drain('a'), await box.drain('b')]).toEqual([['m'], ['m']]);
  });

  test('is taken on by a command that knows the node by its ring alone', async () => {
    const box = await boxWith('kept', [
      { from: 'scans', source: 'b*', where: { headers: { belt: '3' }, appSpecific: 7 }, to: ['a', 'topic:x'], priority: 1 },
      { from: 'scans', to: ['b'] },
    ]);
    await box.restart('closed', { routes: 'kept', queueBytesLimit: 'kept', unknownQueue: 'kept', uplink: 'kept' });
    await box.send('scans', 'm', { headers: new Map([['belt', '3']]), appSpecific: 7 });
    await box.send('scans', 'n');
    expect(ready(box, 'scans', 'a', 'b')).toEqual([0, 1, 1]);
  });
});

describe('one body for several places', () => {
  test('is stored once, counts whole in each queue, and comes out whole of each, after any restart', async () => {
    const box = await boxWith('once', [{ from: 'scans', to: ['a', 'b', 'c'] }]);
    const before = box.stats.ring;
    await box.send('scans', text('m', LARGE));
    const { bytesUsed, blocksWritten } = box.stats.ring;
    expect(bytesUsed - before.bytesUsed).toBeLessThan(LARGE + 4 * PUT_BYTES + 2_000);
    expect(blocksWritten - before.blocksWritten).toBeLessThan(LARGE / 4096 + 3);
    for (const queue of ['a', 'b', 'c']) expect(box.queue(queue).bytes).toBeGreaterThan(LARGE);
    await box.restart('power cut');
    const got = [await box.receive('a'), await box.receive('b'), await box.receive('c')];
    for (const one of got) expect(one?.message.body).toEqual(toUtf8(text('m', LARGE)));
    expect(new Set(got.map((one) => one?.message.identity.destination))).toEqual(new Set(['box/a', 'box/b', 'box/c']));
  });

  test('goes with the last of them, whichever that is, and however they end', async () => {
    const queues = QUEUES.map((queue) => (queue.name === 'c' ? { ...queue, timeToBeReceivedMs: 1_000 } : queue));
    const box = await boxWith('last', [{ from: 'scans', to: ['a', 'b', 'c'] }], { queues });
    await box.send('scans', 'warm');
    await box.ask({ verb: 'purge', queue: 'a' });
    await box.ask({ verb: 'purge', queue: 'b' });
    await box.pass(3_000);
    await box.ask({ verb: 'purge', queue: '$dead' });
    const empty = box.stats.ring.bytesUsed;
    await box.send('scans', text('m', LARGE));
    await box.ack(await box.receive('b'));
    expect(box.stats.ring.bytesUsed - empty).toBeGreaterThan(LARGE);
    await box.restart('power cut');
    await box.ask({ verb: 'purge', queue: 'a' });
    expect(box.stats.ring.bytesUsed - empty).toBeGreaterThan(LARGE);
    await box.pass(3_000);
    await box.ask({ verb: 'purge', queue: '$dead' });
    expect(ready(box, 'a', 'b', 'c', '$dead')).toEqual([0, 0, 0, 0]);
    expect(box.stats.ring.bytesUsed - empty).toBeLessThan(2_000);
    await box.restart('closed');
    expect(box.onDisk().index.count).toBe(0);
  });

  test('is not made for what is small', async () => {
    const box = await boxWith('small', [{ from: 'scans', to: ['a', 'b'] }]);
    await box.send('scans', text('m', 100));
    expect(box.onDisk().index.count).toBe(2);
    await box.send('scans', text('m', 300));
    expect(box.onDisk().index.count).toBe(5);
  });

  test('all of it or nothing, wherever the power goes: its send is answered, or may be made again', async () => {
    for (let ms = 0; ms < 14; ms++) {
      const box = await boxWith(`cut ${ms}`, [{ from: 'scans', to: ['a', 'b', 'c'] }]);
      const sending = box.begin(box.sending('scans', text('m', 5_000)));
      await box.pass(ms);
      await box.restart('power cut');
      const [a = 0, b = 0, c = 0] = ready(box, 'a', 'b', 'c');
      expect([b, c]).toEqual([a, a]);
      if (sending.result?.kind === 'sent') expect(a).toBe(1);
      if (a === 1) expect([await box.drain('a'), await box.drain('b'), await box.drain('c')]).toEqual([['m'], ['m'], ['m']]);
      expect(box.onDisk().index.count).toBe(0);
    }
  });

  test('frees nothing too early, wherever the power goes while its places end', async () => {
    for (let ms = 0; ms < 14; ms++) {
      const box = await boxWith(`end ${ms}`, [{ from: 'scans', to: ['a', 'b', 'c'] }]);
      await box.send('scans', text('m', 5_000));
      const leases = [await box.receive('a'), await box.receive('b')];
      const acks = leases.map((got) => box.begin({ verb: 'ack', lease: got?.lease ?? '' }));
      await box.pass(ms);
      await box.restart('power cut');
      for (const [i, queue] of ['a', 'b'].entries()) {
        const left = await box.drain(queue);
        if (codeOf(acks[i]?.result) === 'done') expect(left).toEqual([]);
        else expect(left.length).toBeLessThan(2);
      }
      expect(await box.drain('c')).toEqual(['m']);
      expect(box.onDisk().index.count).toBe(0);
    }
  });

  test('stays through laps of the ring while one place is dead for an hour, and holds back none of the others', async () => {
    const box = await boxWith('laps', [{ from: 'scans', to: ['a', 'b', 'dead'] }], {
      queues: [...QUEUES, { name: 'dead', bytesLimit: 400_000 }],
    });
    for (let i = 0; i < 5; i++) await box.send('scans', text(`m${i}`, 20_000));
    let count = 0;
    for (let minute = 0; minute < 60; minute++) {
      await box.pass(60_000);
      for (let i = 0; i < 20; i++) await box.send('a', text('filler', 8_000));
      count += (await box.drain('a')).length;
      await box.drain('b');
    }
    expect(count).toBe(60 * 20 + 5);
    const { framesWritten, blocksWritten } = box.stats.ring;
    expect([framesWritten > 0, blocksWritten * 4096 > 2 * box.node.disk.bytes]).toEqual([true, true]);
    await box.restart('power cut');
    expect(await box.drain('dead')).toEqual(['m0', 'm1', 'm2', 'm3', 'm4']);
  });

  test('that rots is corrupt in each of its places, each accounted for, and the ring is empty', async () => {
    const box = await boxWith('rot', [{ from: 'scans', to: ['a', 'b', 'c'] }]);
    await box.send('scans', text('m', LARGE));
    await box.restart('closed');
    const { index, geometry } = box.onDisk();
    const holder = [...index.slots()].find((slot) => index.isHolder(slot)) ?? -1;
    const block = 2 + (index.lsn(holder) % geometry.blockCount) + 3;
    box.node.disk.rot(block * geometry.blockBytes, geometry.blockBytes, 'garbage');
    await box.restart('power cut');
    for (const queue of ['a', 'b', 'c']) expect(await box.receive(queue)).toBeUndefined();
    await box.pass(100);
    expect(box.stats.accounts.map((one) => [one.class, one.count, one.stream.destination]).sort()).toEqual([
      ['CORRUPT', 1, 'box/a'],
      ['CORRUPT', 1, 'box/b'],
      ['CORRUPT', 1, 'box/c'],
    ]);
    expect(box.onDisk().index.count).toBe(0);
  });
});
