/** Dead letters become messages again: in one frame, linked, and nothing that is no letter. */
import { describe, expect, test } from 'vitest';
import { codeOf, QueueBox, textOf } from '../../hardware-sim/queue-box.ts';
import type { Properties } from '../message/message.ts';
import type { Call } from './calls.ts';

async function boxWithLetter(
  name: string,
  properties: Properties = {},
): Promise<{ box: QueueBox; call: Call & { verb: 'redrive' } }> {
  const queues = [
    { name: 'bags', bytesLimit: 50_000 },
    { name: 'others', bytesLimit: 50_000 },
    { name: 'small', bytesLimit: 100 },
  ];
  const box = new QueueBox(name, { queues });
  await box.start();
  await box.send('bags', 'letter', properties);
  const got = await box.receive('bags');
  await box.ask({ verb: 'deadLetter', lease: got?.lease ?? '', reason: 'no belt' });
  const letter = await box.receive('$dead');
  await box.ask({ verb: 'nack', lease: letter?.lease ?? '', delayMs: 0 });
  return { box, call: { verb: 'redrive', queue: '$dead', lookupId: letter?.lookupId ?? 0 } };
}

const TIMERS: Properties = { timeToBeReceivedMs: 60_000, timeToReachQueueMs: 60_000, deliverAfterMs: 1 };

describe('a letter that is redriven', () => {
  test('is a new message where the old one was going: its history, linked to the letter, without its timers', async () => {
    const { box, call } = await boxWithLetter('back', { label: 'trolley', priority: 5, ...TIMERS });
    const [letterOf, sent] = [call.lookupId, await box.ask(call)];
    expect([letterOf > 0, sent?.kind, box.queue('$dead').ready]).toEqual([true, 'sent', 0]);
    const got = await box.receive('bags');
    expect(got?.message).toMatchObject({ label: 'trolley', priority: 5, history: [{ class: 'POISON', reason: 'no belt' }] });
    expect(got?.message.previous).toMatch(/:box\/\$dead:5:1$/);
    expect([got?.message.timeToBeReceivedMs, got?.message.timeToReachQueueMs, got?.message.deliverAfterMs]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect([textOf(got), got?.deliveryCount]).toEqual(['letter', 1]);
    expect(box.stats.accounts).toEqual([]);
  });

  test('may go elsewhere, and asks for what it asked for before', async () => {
    const { box, call } = await boxWithLetter('elsewhere', { acknowledge: 'reach' });
    expect(codeOf(await box.ask({ ...call, to: 'others' }))).toBe('sent');
    expect([await box.drain('others'), box.queue('$admin').ready]).toEqual([['letter'], 2]);
  });

  test('is there once, in one of the two queues, wherever the power goes', async () => {
    for (let ms = 0; ms < 12; ms++) {
      const { box, call } = await boxWithLetter(`cut ${ms}`);
      await box.restart('closed');
      box.begin(call);
      await box.pass(ms);
      await box.restart('power cut');
      expect(box.queue('$dead').ready + box.queue('bags').ready).toBe(1);
    }
  });

  test('is answered when it is on the disk, also when it has to be read first', async () => {
    const { box, call } = await boxWithLetter('read');
    await box.restart('closed');
    const calls = [box.begin(call), box.begin(call)];
    await box.pass(100);
    expect(calls.map(({ result }) => codeOf(result)).sort()).toEqual(['MESSAGE_NOT_FOUND', 'sent']);
  });

  test('stays a letter when nobody waits for the answer any more, or the node closes, while it is read', async () => {
    const { box, call } = await boxWithLetter('given up');
    await box.restart('closed');
    box.begin(call).cancel();
    await box.pass(100);
    expect([box.queue('$dead').ready, box.queue('bags').ready]).toEqual([1, 0]);
    await box.restart('closed');
    const asked = box.begin(call);
    await box.restart('closed');
    expect([codeOf(asked.result), box.queue('$dead').ready]).toEqual(['NODE_STOPPED', 1]);
  });
});

describe('nothing is changed', () => {
  test.each<[string, string, object]>([
    ['there is no such queue', 'QUEUE_NOT_FOUND', { queue: 'nowhere' }],
    ['there is no such message', 'MESSAGE_NOT_FOUND', { lookupId: 999 }],
    ['it is in another queue', 'MESSAGE_NOT_FOUND', { queue: 'others' }],
    ['its goal is not there', 'QUEUE_NOT_FOUND', { to: 'nowhere' }],
    ['its goal is a system queue', 'ACCESS_MODE_INVALID', { to: '$journal' }],
    ['its goal has no room', 'MESSAGE_TOO_LARGE', { to: 'small' }],
    ['its goal is no name', 'NAME_INVALID', { to: 'No Name' }],
  ])('when %s: %s', async (_why, code, other) => {
    const { box, call } = await boxWithLetter(code);
    expect(codeOf(await box.ask({ ...call, ...other }))).toBe(code);
    expect(await box.drain('$dead')).toEqual(['letter']);
  });

  test('when it is sent to a system queue, which is what the reason says', async () => {
    const { box, call } = await boxWithLetter('to $admin');
    const refused = await box.ask({ ...call, to: '$admin' });
    expect(refused?.kind === 'error' && refused.error.details).toMatchObject({
      queue: '$admin',
      reason: 'a system queue takes no letters: say another `to`',
    });
  });

  test('when it is no letter: PROPERTY_INVALID', async () => {
    const { box } = await boxWithLetter('none');
    await box.send('others', 'plain');
    const got = await box.receive('others');
    await box.ask({ verb: 'nack', lease: got?.lease ?? '', delayMs: 0 });
    expect(codeOf(await box.ask({ verb: 'redrive', queue: 'others', lookupId: got?.lookupId ?? 0, to: 'bags' }))).toBe(
      'PROPERTY_INVALID',
    );
    expect(await box.drain('others')).toEqual(['plain']);
  });

  test('while somebody has it under lease: MESSAGE_NOT_FOUND', async () => {
    const { box, call } = await boxWithLetter('leased');
    await box.receive('$dead', { leaseMs: 60_000 });
    expect(codeOf(await box.ask(call))).toBe('MESSAGE_NOT_FOUND');
  });
});
