/** What damage to META costs those who may ask twice: a key or an answer of a stream that nobody names is never taken for another's. */
import { expect, test } from 'vitest';
import { codeOf, QueueBox } from '../../hardware-sim/queue-box.ts';
import { openRing } from '../../hardware-sim/ring-driver.ts';
import type { Call } from '../core/calls.ts';
import { withGaps } from '../ring/loss-record.ts';
import { LOST_KEY } from '../ring/ring.ts';
import { metaChange } from './meta-keys.ts';

/** The box's ring without some values, as damage leaves it: they are gone, and it is on record that something is. */
async function loses(box: QueueBox, prefixes: readonly string[]): Promise<void> {
  await box.stop('power cut');
  const { disk } = box.node;
  const driver = openRing(disk, { epochRandom: 77 });
  const settle = (): void => {
    for (driver.play(1e9); disk.step(); ) driver.play(1e9);
  };
  settle();
  const { ring } = driver;
  const lost = withGaps(ring.metas.get(LOST_KEY), [{ lsn: 1, blocks: 1, framesLost: 1, idsLost: 0 }]);
  const keys = prefixes.flatMap((prefix) => [...ring.metas.withPrefix(prefix)].map(([key]) => key));
  const metas = [...keys.map((key) => ({ key, value: undefined })), metaChange('e/99', [1, 1]), metaChange('x/99', true)];
  ring.append({ metas: [...metas, { key: LOST_KEY, value: lost }] }, { nowMs: 0, delayMs: 0 }, () => {});
  settle();
  disk.kill();
  await box.start();
}

test('the node starts; a key of a lost stream is unknown; a producer goes on, and its last answer has no identity any more', async () => {
  const box = new QueueBox('repair repeats', { queues: [{ name: 'bags', bytesLimit: 50_000 }], uplink: 'link' });
  await box.start();
  const plain = (text: string) => box.sending('bags', text) as Call & { verb: 'send' };
  const keyed: Call = { ...plain('keyed'), sendKey: 'k' };
  const numbered = (number: number): Call => ({ ...plain(`n${number}`), by: { producer: 'plc', number } });
  const first = await box.ask(keyed);
  expect(codeOf(await box.ask(numbered(1)))).toBe('sent');
  expect(await box.drain('bags')).toEqual(['keyed', 'n1']);
  await loses(box, ['s/', 'd/']);
  expect(await box.ask(numbered(1))).toMatchObject({ kind: 'sent', identity: '' });
  expect(codeOf(await box.ask(numbered(2)))).toBe('sent');
  const again = await box.ask(keyed);
  expect(codeOf(again)).toBe('sent');
  expect(await box.drain('bags')).toEqual(['n2', 'keyed']);
  const identity = first?.kind === 'sent' ? first.identity : '';
  expect(await box.ask({ verb: 'outcome', identity, epoch: 1 })).toEqual({ kind: 'outcome', outcome: 'unknown' });
  expect(box.node.stops).toEqual([]);
});
