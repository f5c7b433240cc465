/** Producers: who numbers its requests may repeat any of them at any time; each is done once. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codeOf, QueueBox, sendStep } from '../../hardware-sim/queue-box.ts';
import { ANSWER_STRETCH_COUNT_MAX, PRODUCER_COUNT_MAX } from '../limits.ts';
import type { Call, CallResult } from './calls.ts';
import type { NodeConfig } from './node-io.ts';

async function boxWith(name: string, config: Partial<NodeConfig> = {}): Promise<QueueBox> {
  const queues = [
    { name: 'bags', bytesLimit: 60_000 },
    { name: 'tiny', bytesLimit: 500 },
  ];
  const box = new QueueBox(`producers ${name}`, { queues, uplink: 'link', ...config });
  await box.start();
  return box;
}

const numbered = (box: QueueBox, number: number, text: string, producer = 'plc', queue = 'bags'): Call => {
  const call = box.sending(queue, text);
  return call.verb === 'send' ? { ...call, by: { producer, number } } : call;
};
const done = { kind: 'done' };
const plain = (result: CallResult | undefined) => (result?.kind === 'error' ? result.error.details : result);

describe('a number', () => {
  test('that was stored already is answered as it was, if it is the last, and as done, if it is older', async () => {
    const box = await boxWith('repeat');
    const one = await box.ask(numbered(box, 1, 'one'));
    expect(one?.kind).toBe('sent');
    expect(await box.ask(numbered(box, 1, 'one'))).toEqual(one);
    const steps = [sendStep('bags', 'a'), sendStep('central/far', 'b'), sendStep('bags', 'c')];
    const two = await box.ask(box.committing(steps, { producer: 'plc', number: 2 }));
    for (const how of ['power cut', 'closed'] as const) {
      expect(await box.ask(box.committing(steps, { producer: 'plc', number: 2 }))).toEqual(two);
      expect(await box.ask(numbered(box, 1, 'one'))).toEqual({ ...one, identity: '' });
      const again = box.committing(steps, { producer: 'plc', number: 1 });
      expect(await box.ask(again)).toMatchObject({ kind: 'committed', identities: [] });
      await box.restart(how);
    }
    expect(await box.ask(numbered(box, 2, 'anything'))).toEqual(two);
    expect(await box.drain('bags')).toEqual(['one', 'a', 'c']);
    expect(box.stats.outgoing).toMatchObject([{ held: 1 }]);
  });

  test('beyond the next is refused with the expected one', async () => {
    const box = await boxWith('holes');
    expect(plain(await box.ask(numbered(box, 2, 'x')))).toEqual({ producer: 'plc', number: 2, expected: 1 });
    await box.ask(numbered(box, 1, 'x'));
    await box.restart('power cut');
    expect(plain(await box.ask(numbered(box, 3, 'x')))).toEqual({ producer: 'plc', number: 3, expected: 2 });
    expect(codeOf(await box.ask(numbered(box, 0, 'x')))).toBe('PROPERTY_INVALID');
    expect(codeOf(await box.ask(numbered(box, 1, 'x', 'not a name')))).toBe('NAME_INVALID');
    expect(box.queue('bags').ready).toBe(1);
  });

  test('of a request on its way: its repeat is answered when that is durable; the next may follow at once', async () => {
    const box = await boxWith('on its way');
    const asked: ReturnType<QueueBox['begin']>[] = [];
    for (const number of [1, 1, 2, 1, 3, 2]) {
      asked.push(box.begin(numbered(box, number, `m${number}`)));
      await box.pass(0);
    }
    expect(asked.filter(({ result }) => result !== undefined)).toEqual([]);
    await box.pass(200);
    const [a, b, c, d, , f] = asked.map(({ result }) => result);
    expect([b, d, f]).toEqual([a, a, c]);
    expect(await box.drain('bags')).toEqual(['m1', 'm2', 'm3']);
  });

  test('is not used up by a request that was refused', async () => {
    const box = await boxWith('refused');
    expect(codeOf(await box.ask(numbered(box, 1, 'x'.repeat(400), 'plc', 'tiny')))).toBe('sent');
    expect(codeOf(await box.ask({ ...numbered(box, 2, 'x'.repeat(400), 'plc', 'tiny'), waitMs: 0 } as Call))).toBe('QUEUE_FULL');
    expect(await box.commit([{ do: 'ack', lease: 'none' }], { producer: 'plc', number: 2 })).toBe('LEASE_UNKNOWN');
    expect(codeOf(await box.ask(numbered(box, 2, 'now')))).toBe('sent');
    expect(await box.drain('bags')).toEqual(['now']);
  });

  test('whose write failed is in doubt for its repeat, too, and is stored once at most', async () => {
    for (let seed = 0; seed < 8; seed++) {
      const box = await boxWith(`doubt ${seed}`);
      box.node.disk.failNextSync();
      const asked = [1, 1].map((number) => box.begin(numbered(box, number, 'once')));
      await box.pass(2_000);
      expect(asked.map(({ result }) => codeOf(result))).toEqual(['IN_DOUBT', 'IN_DOUBT']);
      expect(codeOf(await box.ask(numbered(box, 1, 'once')))).toBe('sent');
      expect(await box.drain('bags')).toEqual(['once']);
    }
  });

  test('waits for the disk where others are answered before it', async () => {
    const box = await boxWith('interval', { intervalMs: 200 });
    const plainSend = box.begin(box.sending('bags', 'x'));
    const counted = box.begin(numbered(box, 1, 'y'));
    await box.pass(1);
    expect(codeOf(plainSend.result)).toBe('sent');
    expect(counted.result).toBeUndefined();
    await box.pass(500);
    expect(counted.result).toMatchObject({ kind: 'sent', durability: 'unknown' });
  });

  test('has no key beside it', async () => {
    const box = await boxWith('both');
    expect(codeOf(await box.ask({ ...numbered(box, 1, 'x'), sendKey: 'k' } as Call))).toBe('PROPERTY_INVALID');
  });
});

describe('what is remembered', () => {
  test('of an answer with too many stretches is that it was done', async () => {
    const box = await boxWith('stretches');
    const steps = Array.from({ length: ANSWER_STRETCH_COUNT_MAX + 1 }, (_, i) => sendStep(i % 2 ? 'bags' : 'central/far', 'x'));
    const by = { producer: 'plc', number: 1 };
    expect(await box.commit(steps.slice(1), by)).toBe('committed');
    await box.restart('power cut');
    expect(await box.commit(steps.slice(1), by)).toBe('committed');
    expect(await box.commit(steps, { ...by, number: 2 })).toBe('committed');
    await box.restart('power cut');
    expect(await box.ask(box.committing(steps, { ...by, number: 2 }))).toMatchObject({ kind: 'committed', identities: [] });
  });

  test(`are ${PRODUCER_COUNT_MAX} producers: another one is BUSY until one is retired, whose name begins at 1 again`, async () => {
    const box = await boxWith('many', { queues: [{ name: 'bags', bytesLimit: 500_000 }] });
    const asked = Array.from({ length: PRODUCER_COUNT_MAX }, (_, i) => box.begin(numbered(box, 1, 'x', `p${i}`)));
    await box.pass(500);
    expect(new Set(asked.map(({ result }) => codeOf(result)))).toEqual(new Set(['sent']));
    await box.restart('power cut');
    expect(codeOf(await box.ask(numbered(box, 1, 'x', 'late')))).toBe('BUSY');
    expect(codeOf(await box.ask(numbered(box, 2, 'x', 'p7')))).toBe('sent');
    expect(await box.ask({ verb: 'retireProducer', producer: 'p7' })).toEqual(done);
    expect(codeOf(await box.ask(numbered(box, 1, 'x', 'late')))).toBe('sent');
    expect(await box.ask({ verb: 'retireProducer', producer: 'p8' })).toEqual(done);
    await box.restart('power cut');
    expect(plain(await box.ask(numbered(box, 2, 'x', 'p8')))).toEqual({ producer: 'p8', number: 2, expected: 1 });
    expect(codeOf(await box.ask({ verb: 'retireProducer', producer: 'NO' }))).toBe('NAME_INVALID');
    expect(codeOf(await box.ask({ verb: 'retireProducer', producer: 'p8' }))).toBe('PRODUCER_NOT_FOUND');
  });
});

test('a producer that repeats until it is answered has each of its requests done once, whenever the power goes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 6, maxLength: 12 }),
      async (seed, pauses) => {
        const box = await boxWith(`crashes ${seed}`);
        const expected: string[] = [];
        for (const [i, ms] of pauses.entries()) {
          const number = i + 1;
          expected.push(`m${number}`);
          const call =
            number % 3 === 0
              ? box.committing([sendStep('bags', `m${number}`)], { producer: 'plc', number })
              : numbered(box, number, `m${number}`);
          box.begin(call);
          await box.pass(ms);
          if (ms % 3 === 0) await box.restart('power cut');
          for (let result = await box.ask(call); result?.kind === 'error'; result = await box.ask(call)) await box.pass(100);
        }
        expect(await box.drain('bags')).toEqual(expected);
      },
    ),
    { numRuns: 25 },
  );
});
