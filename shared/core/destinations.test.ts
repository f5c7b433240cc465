/** Where applications may send to: queues with a name of their own. The system queues are filled by the node, subqueues by moves. */
import { expect, test } from 'vitest';
import { codeOf, QueueBox } from '../../hardware-sim/queue-box.ts';
import type { Call } from './calls.ts';

async function started(name: string): Promise<QueueBox> {
  const box = new QueueBox(`destinations ${name}`, { unknownQueue: 'create', uplink: 'link' });
  await box.start();
  return box;
}

test.each(['$dead', '$journal', '$admin', 'box/$dead', 'central/$admin', 'bags;aside', 'box/bags;aside'])(
  'a send to %s is ACCESS_MODE_INVALID, express or not, and nothing is stored',
  async (destination) => {
    const box = await started(destination);
    await box.send('bags', 'there');
    expect(await box.send(destination, 'x')).toBe('ACCESS_MODE_INVALID');
    const express = { ...(box.sending(destination, 'x') as Call & { verb: 'send' }), delivery: 'express' } as const;
    expect(codeOf(await box.ask(express))).toBe('ACCESS_MODE_INVALID');
    expect(box.stats.ring.messagesStored).toBe(1);
  },
);

test('an adapter gives up what it cannot use into $dead', async () => {
  const box = await started('dead');
  const dead = { class: 'CORRUPT', node: 'box', reason: 'not a telegram' } as const;
  expect(codeOf(await box.ask({ ...(box.sending('$dead', 'raw') as Call & { verb: 'send' }), dead }))).toBe('sent');
  expect(await box.drain('$dead')).toEqual(['raw']);
});
