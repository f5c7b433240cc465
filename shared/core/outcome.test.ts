/** `outcome`: what became of a send that was IN_DOUBT, exactly, also when its number was given to another message since. */
import { describe, expect, test } from 'vitest';
import { codeOf, QueueBox, sendStep } from '../../hardware-sim/queue-box.ts';
import { OPENING_COUNT_MAX } from '../custody/first-numbers.ts';
import { hasCode } from '../errors.ts';
import type { Call, CallResult } from './calls.ts';

async function boxWith(name: string): Promise<QueueBox> {
  const box = new QueueBox(`outcome ${name}`, { queues: [{ name: 'bags', bytesLimit: 60_000 }], uplink: 'link' });
  await box.start();
  return box;
}

interface Doubt {
  readonly identity: string;
  readonly epoch: number;
}

function doubtOf(result: CallResult | undefined): Doubt {
  if (result?.kind !== 'error' || !hasCode(result.error, 'IN_DOUBT')) throw new Error(`not in doubt: ${codeOf(result)}`);
  return result.error.details;
}

const outcome = async (box: QueueBox, identity: string, epoch?: number) => {
  const result = await box.ask({ verb: 'outcome', identity, ...(epoch !== undefined && { epoch }) });
  return result?.kind === 'outcome' ? result.outcome : codeOf(result);
};

/** A send whose write fails; the node opens again by itself. */
async function fail(box: QueueBox, call: Call, seed: number): Promise<Doubt> {
  box.node.disk.failNextSync(seed % 2 === 0 ? 'new' : 'old');
  const doubt = doubtOf(await box.ask(call));
  await box.pass(2_000);
  return doubt;
}

describe.each([
  ['a queue here', 'bags'],
  ['another node', 'central/far'],
])('for %s', (_where, destination) => {
  test('says kept of what is there, absent of what is not, and each comes to pass', async () => {
    const seen = new Set<string | undefined>();
    for (let seed = 0; seed < 16; seed++) {
      const box = await boxWith(`both ${destination} ${seed}`);
      const held = () => (destination === 'bags' ? box.queue('bags').ready : (box.stats.outgoing[0]?.held ?? 0));
      await box.send(destination, 'first');
      const { identity, epoch } = await fail(box, box.sending(destination, 'doubtful'), seed);
      expect(epoch).toBe(box.stats.epoch - 1);
      const told = await outcome(box, identity, epoch);
      expect(told).toBe(held() === 2 ? 'kept' : 'absent');
      seen.add(told);
      // Whatever happens since does not change what became of it.
      const next = await box.ask(box.sending(destination, 'next'));
      const nextIdentity = next?.kind === 'sent' ? next.identity : '';
      expect(nextIdentity === identity).toBe(told === 'absent');
      expect(await outcome(box, identity, epoch)).toBe(told);
      expect(await outcome(box, nextIdentity, box.stats.epoch)).toBe('kept');
      await box.restart('power cut');
      if (destination === 'bags') await box.drain('bags');
      expect(await outcome(box, identity, epoch)).toBe(told);
      expect(await outcome(box, nextIdentity, epoch + 1)).toBe('kept');
    }
    expect(seen).toEqual(new Set(['kept', 'absent']));
  });
});

test('a number that was lost again and again is told apart by its epoch', async () => {
  const box = await boxWith('again');
  await box.send('bags', 'first');
  const doubts: { doubt: Doubt; ready: number }[] = [];
  for (let i = 0; i < 8; i++) {
    const before = box.queue('bags').ready;
    const doubt = await fail(box, box.sending('bags', `d${i}`), i);
    doubts.push({ doubt, ready: box.queue('bags').ready - before });
  }
  for (const { doubt, ready } of doubts) {
    expect(await outcome(box, doubt.identity, doubt.epoch)).toBe(ready === 1 ? 'kept' : 'absent');
  }
});

test('a transaction in doubt names its first send, and that tells of all', async () => {
  const seen = new Set<string | undefined>();
  for (let seed = 0; seed < 12; seed++) {
    const box = await boxWith(`transaction ${seed}`);
    const { identity, epoch } = await fail(box, box.committing([sendStep('central/far', 'a'), sendStep('bags', 'b')]), seed);
    expect(identity).toContain('central/far');
    const told = await outcome(box, identity, epoch);
    expect(await box.drain('bags')).toEqual(told === 'kept' ? ['b'] : []);
    expect(box.stats.outgoing[0]?.held ?? 0).toBe(told === 'kept' ? 1 : 0);
    seen.add(told);
  }
  expect(seen).toEqual(new Set(['kept', 'absent']));
});

test('waits with kept for what is on its way to the disk', async () => {
  const box = await boxWith('on its way');
  await box.send('bags', 'first');
  const identity = (await box.receive('bags'))?.message.identity;
  const second = `box:${identity?.incarnation}:box/bags:3:2`;
  const sending = box.begin(box.sending('bags', 'second'));
  const asking = box.begin({ verb: 'outcome', identity: second, epoch: box.stats.epoch });
  await box.pass(0);
  expect([sending.result, asking.result]).toEqual([undefined, undefined]);
  await box.pass(100);
  expect(asking.result).toEqual({ kind: 'outcome', outcome: 'kept' });
});

test('says unknown of what is too old to tell, and of what is none of this node', async () => {
  const box = await boxWith('old');
  const first = await box.ask(box.sending('bags', 'first'));
  const identity = first?.kind === 'sent' ? first.identity : '';
  const { epoch } = box.stats;
  for (let i = 0; i < OPENING_COUNT_MAX - 1; i++) {
    await box.restart('power cut');
    await box.send('bags', 'x');
  }
  expect(await outcome(box, identity, epoch)).toBe('kept');
  await box.restart('power cut');
  await box.send('bags', 'x');
  expect(await outcome(box, identity, epoch)).toBe('unknown');
  expect(await outcome(box, identity), 'whichever message bore it').toBe('kept');
  expect(await outcome(box, identity.replace('box:', 'other:'))).toBe('unknown');
  expect(await outcome(box, identity.replace(/:[0-9a-f]{16}:/, ':00000000000000aa:'))).toBe('unknown');
  expect(await outcome(box, identity.replace(/:1$/, ':99'))).toBe('absent');
  expect(await outcome(box, identity.replace('bags', 'never'))).toBe('absent');
  expect(await outcome(box, 'nonsense')).toBe('PROPERTY_INVALID');
});
