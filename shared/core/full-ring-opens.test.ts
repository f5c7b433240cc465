/** A ring beyond its cap, because ends brought copies and words along, opens again and is worked with. */
import { expect, test } from 'vitest';
import { codeOf, QueueBox } from '../../hardware-sim/queue-box.ts';
import type { TransactionStep } from './calls.ts';

async function inOverdraft(): Promise<QueueBox> {
  const queues = [{ name: 'a', bytesLimit: 7_000_000, journal: 'on' as const }];
  const box = new QueueBox('full', { queues, unknownQueue: 'create' });
  await box.start();
  const step: TransactionStep = { do: 'send', destination: 'a', body: new Uint8Array(1), properties: { acknowledge: 'full' } };
  for (let count = 200; count >= 1; )
    if ((await box.commit(Array.from({ length: count }, () => step))) !== 'committed') count = Math.floor(count / 2);
  const options = { label: 'x'.repeat(124) };
  for (let made = 0, code: string | undefined = 'done'; code === 'done'; made++)
    code = codeOf(await box.ask({ verb: 'createQueue', queue: `q${made}`, options }));
  for (let i = 0; i < 100; i++) await box.ack(await box.receive('a'));
  expect(box.stats.ring.bytesUsed).toBeGreaterThan(box.stats.ring.bytesMax);
  return box;
}

test.each(['closed', 'power cut'] as const)(
  'after a node was %s while its ring was in overdraft',
  async (how) => {
    const box = await inOverdraft();
    await box.restart(how, { queues: [{ name: 'a', bytesLimit: 7_000_000, journal: 'on', label: 'x'.repeat(120) }] });
    const got = await box.receive('a');
    expect(got).toBeDefined();
    expect(await box.ack(got)).toBe('done');
    await box.restart(how);
    expect(codeOf(await box.ask({ verb: 'deleteQueue', queue: 'q0' }))).toBe('done');
    expect(box.stats.queues.some(({ name }) => name === 'q0')).toBe(false);
  },
  60_000,
);
