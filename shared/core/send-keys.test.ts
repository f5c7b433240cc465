/** `sendKey`: an application that sends again under a key that its destination remembers stores nothing, and is told what the first was. */
import { describe, expect, test } from 'vitest';
import { codeOf, QueueBox, textOf } from '../../hardware-sim/queue-box.ts';
import { SEND_KEY_COUNT_MAX, SEND_KEY_DESTINATION_COUNT_MAX } from '../limits.ts';
import type { Call, CallResult } from './calls.ts';
import type { NodeConfig } from './node-io.ts';

async function boxWith(name: string, config: Partial<NodeConfig> = {}): Promise<QueueBox> {
  const queues = [
    { name: 'bags', bytesLimit: 60_000 },
    { name: 'others', bytesLimit: 60_000 },
    { name: 'blocks', bytesLimit: 1_000, whenFull: 'block' as const },
  ];
  const box = new QueueBox(`keys ${name}`, { queues, uplink: 'link', ...config });
  await box.start();
  return box;
}

const keyed = (box: QueueBox, queue: string, text: string, sendKey: string): Call => {
  const call = box.sending(queue, text);
  return call.verb === 'send' ? { ...call, sendKey } : call;
};
const identityOf = (result: CallResult | undefined) => (result?.kind === 'sent' ? result.identity : undefined);
const send = async (box: QueueBox, queue: string, text: string, key: string) =>
  identityOf(await box.ask(keyed(box, queue, text, key)));

describe('a key that is remembered', () => {
  test('stores nothing and answers with the identity of the first, over restarts of either kind', async () => {
    const box = await boxWith('again');
    const first = await send(box, 'bags', 'first', 'k-1');
    expect(first).toBeDefined();
    for (const how of ['power cut', 'closed'] as const) {
      expect(await send(box, 'bags', 'repeat', 'k-1')).toBe(first);
      await box.restart(how);
    }
    expect(await send(box, 'bags', 'repeat', 'k-1')).toBe(first);
    expect(await box.drain('bags')).toEqual(['first']);
    expect(await send(box, 'bags', 'repeat', 'k-1'), 'also when it was received').toBe(first);
    expect(await box.drain('bags')).toEqual([]);
  });

  test('belongs to its destination, by whichever name that goes; also on other nodes', async () => {
    const box = await boxWith('destination');
    const first = await send(box, 'bags', 'a', 'k');
    expect(await send(box, 'box/bags', 'a', 'k')).toBe(first);
    expect(await send(box, 'others', 'a', 'k')).not.toBe(first);
    const far = await send(box, 'central/bags', 'a', 'k');
    await box.restart('power cut');
    expect(await send(box, 'central/bags', 'a', 'k')).toBe(far);
    expect(box.stats.outgoing).toMatchObject([{ held: 1, next: 2 }]);
  });

  test('while the first is on its way, is answered when that one is durable, and not before', async () => {
    const box = await boxWith('on its way');
    const both = [box.begin(keyed(box, 'bags', 'first', 'k')), box.begin(keyed(box, 'bags', 'repeat', 'k'))];
    await box.pass(0);
    expect(both.map(({ result }) => result)).toEqual([undefined, undefined]);
    await box.pass(100);
    expect(identityOf(both[1]?.result)).toBe(identityOf(both[0]?.result));
    expect(identityOf(both[0]?.result)).toBeDefined();
    expect(box.queue('bags').ready).toBe(1);
  });

  test('of a write that failed is as doubtful as the first, and stores one message at most', async () => {
    for (let seed = 0; seed < 8; seed++) {
      const box = await boxWith(`doubt ${seed}`);
      box.node.disk.failNextSync();
      const both = [box.begin(keyed(box, 'bags', 'first', 'k')), box.begin(keyed(box, 'bags', 'repeat', 'k'))];
      await box.pass(2_000);
      expect(both.map(({ result }) => codeOf(result))).toEqual(['IN_DOUBT', 'IN_DOUBT']);
      expect(await send(box, 'bags', 'again', 'k')).toBeDefined();
      expect(await box.drain('bags')).toHaveLength(1);
    }
  });

  test('is answered though its queue is full by now', async () => {
    const box = await boxWith('full');
    const body = 'x'.padEnd(700, '.');
    const first = await send(box, 'blocks', body, 'k');
    const waiting = [box.begin(keyed(box, 'blocks', body, 'w')), box.begin(keyed(box, 'blocks', body, 'w'))];
    expect(await send(box, 'blocks', body, 'k')).toBe(first);
    await box.ack(await box.receive('blocks'));
    await box.pass(100);
    expect(identityOf(waiting[0]?.result)).toBeDefined();
    expect(identityOf(waiting[1]?.result), 'one that waited behind it stores nothing').toBe(identityOf(waiting[0]?.result));
    expect(box.queue('blocks').ready).toBe(1);
  });

  test('was not used by a send that was refused', async () => {
    const box = await boxWith('refused');
    expect(codeOf(await box.ask(keyed(box, 'bags', 'x'.repeat(61_000), 'k')))).toBe('MESSAGE_TOO_LARGE');
    expect(await send(box, 'bags', 'small', 'k')).toBeDefined();
    expect(await box.drain('bags')).toEqual(['small']);
  });
});

describe('what is remembered', () => {
  test(`are the last ${SEND_KEY_COUNT_MAX} keys of each destination`, async () => {
    const box = await boxWith('many', { queueBytesLimit: 1_000_000 });
    const first: (string | undefined)[] = [];
    for (let i = 0; i < SEND_KEY_COUNT_MAX + 44; i++) {
      first.push(await send(box, 'others', `m${i}`, `k${i}`));
      if (i % 100 === 0) await box.restart('power cut');
    }
    await box.restart('power cut');
    expect(await send(box, 'others', 'new', 'k44')).toBe(first[44]);
    expect(await send(box, 'others', 'new', `k${SEND_KEY_COUNT_MAX + 43}`)).toBe(first.at(-1));
    expect(await send(box, 'others', 'new', 'k43'), 'what is older is sent anew').not.toBe(first[43]);
    expect(await send(box, 'others', 'new', 'k44'), 'and takes the place of the oldest').not.toBe(first[44]);
  });

  test(`are keys of ${SEND_KEY_DESTINATION_COUNT_MAX} destinations: for another one it is BUSY, and nothing is sent`, async () => {
    const box = await boxWith('destinations', { unknownQueue: 'create' });
    for (let i = 0; i < SEND_KEY_DESTINATION_COUNT_MAX; i++) await send(box, `q${i}`, 'x', 'k');
    expect(codeOf(await box.ask(keyed(box, 'bags', 'x', 'k')))).toBe('BUSY');
    expect(box.queue('bags').ready).toBe(0);
    expect(await send(box, 'q0', 'x', 'other')).toBeDefined();
    expect(await box.send('bags', 'x'), 'without a key').toBe('sent');
  });

  test('is 1 to 64 characters long', async () => {
    const box = await boxWith('length');
    expect(codeOf(await box.ask(keyed(box, 'bags', 'x', '')))).toBe('PROPERTY_INVALID');
    expect(codeOf(await box.ask(keyed(box, 'bags', 'x', 'k'.repeat(65))))).toBe('PROPERTY_INVALID');
    const umlauts = 'ü'.repeat(64);
    const first = await send(box, 'bags', 'x', umlauts);
    await box.restart('power cut');
    expect(await send(box, 'bags', 'x', umlauts)).toBe(first);
    expect(textOf(await box.receive('bags'))).toBe('x');
  });
});
