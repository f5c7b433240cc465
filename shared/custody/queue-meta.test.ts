/** Queues as META remembers them: in the forms of earlier versions, and after damage took a key. */
import { expect, test } from 'vitest';
import { codeOf, QueueBox } from '../../hardware-sim/queue-box.ts';
import { openRing } from '../../hardware-sim/ring-driver.ts';
import { decodeCbor } from '../message/cbor.ts';
import { QUEUE_DEFAULTS } from '../queue/queue-options.ts';
import { Queues } from '../queue/queues.ts';
import { withGaps } from '../ring/loss-record.ts';
import { MessageIndex } from '../ring/message-index.ts';
import { LOST_KEY } from '../ring/ring.ts';
import { queueChange, readQueue, subqueueChange } from './queue-meta.ts';

test.each<[string, unknown[], object]>([
  ['two fields', ['bags', 5000], {}],
  [
    'five fields',
    ['bags', 5000, 100, 'block', 'dead-letter'],
    { bytesReserved: 100, whenFull: 'block', remoteWhenFull: 'dead-letter' },
  ],
  ['an option of a later version', ['bags', 5000, 0, 'reject', 'wait', new Map([['colour', 'red']])], {}],
  ['a word of a later version', ['bags', 5000, 0, 'burn', 'wait', new Map([['ordering', 'loose']])], {}],
])('a queue of %s is read', (_what, value, expected) => {
  expect(readQueue(value as never)).toEqual({
    name: 'bags',
    definition: { ...QUEUE_DEFAULTS, bytesLimit: 5000, ...expected },
    source: 'use',
    state: 'there',
    parent: undefined,
  });
});

test('a queue comes back as it was, with who made it and that it is being deleted; a subqueue knows its queue', () => {
  const queues = new Queues(new MessageIndex());
  const queue = queues.define('bags', { bytesLimit: 77, ordering: 'strict', label: 'x', source: 'call' });
  const read = ({ value }: { value: Uint8Array | undefined }) => readQueue(decodeCbor(value ?? new Uint8Array()));
  const kept = { name: 'bags', definition: queue.options, source: 'call', parent: undefined };
  expect(read(queueChange(queue))).toEqual({ ...kept, state: 'there' });
  expect(read(queueChange(queue, 'deleting'))).toEqual({ ...kept, state: 'deleting' });
  const part = queues.defineSubqueue('bags;aside', queue);
  expect(read(subqueueChange(part, queue))).toMatchObject({ name: 'bags;aside', parent: queue.id });
});

/** `bags` and `bags;aside`, with a message each, made by calls; then these keys are lost to damage. */
async function damaged(
  name: string,
  keys: readonly ('bags' | 'bags;aside')[],
  before: (box: QueueBox) => Promise<void> = async () => {},
): Promise<QueueBox> {
  const box = new QueueBox(name, {});
  await box.start();
  await box.ask({ verb: 'createQueue', queue: 'bags', options: { bytesLimit: 9000 } });
  for (const text of ['stays', 'aside']) await box.send('bags', text);
  await box.ask({ verb: 'move', queue: 'bags', lookupId: 2, to: 'bags;aside' });
  await before(box);
  const lost = keys.map((key) => ({ key: `q/${box.queueId(key)}`, value: undefined }));
  await box.stop('power cut');
  const driver = openRing(box.node.disk, { epochRandom: 3 });
  const settle = () => {
    do driver.play(0);
    while (box.node.disk.step());
  };
  settle();
  const record = withGaps(driver.ring.metas.get(LOST_KEY), [{ lsn: 1, blocks: 1, framesLost: 1, idsLost: 0 }]);
  driver.ring.append({ metas: [...lost, { key: LOST_KEY, value: record }] }, { nowMs: 0, delayMs: 0 }, () => {});
  settle();
  box.node.disk.kill();
  await box.start();
  return box;
}

test('damage that takes the key of a subqueue costs no message: it is back in its queue, which keeps its properties', async () => {
  const box = await damaged('part lost', ['bags;aside']);
  expect(box.queue('bags')).toMatchObject({ ready: 2, bytesLimit: 9000 });
  await box.restart('power cut');
  expect(await box.drain('bags')).toEqual(['stays', 'aside']);
});

test('nor does damage that takes the key of its queue', async () => {
  const box = await damaged('whole lost', ['bags']);
  const put = [...(await box.drain('bags')), ...(await box.drain('bags;aside').catch(() => []))];
  expect(put.sort()).toEqual(['aside', 'stays']);
});

test('nor when everything of it was put aside', async () => {
  const box = await damaged('whole lost, all aside', ['bags'], async (before) => {
    await before.drain('bags');
  });
  expect(await box.drain('bags')).toEqual(['aside']);
});

test('nor damage that takes both; and all of it works again', async () => {
  const box = await damaged('both lost', ['bags', 'bags;aside']);
  expect(box.queue('bags').ready).toBe(2);
  expect(codeOf(await box.ask({ verb: 'move', queue: 'bags', lookupId: 1, to: 'bags;aside' }))).toBe('done');
  await box.restart('power cut');
  expect(await box.drain('bags;aside')).toEqual(['stays']);
  expect(await box.drain('bags')).toEqual(['aside']);
  expect(codeOf(await box.ask({ verb: 'deleteQueue', queue: 'bags' }))).toBe('done');
  await box.restart('power cut');
  expect(box.stats.queues.map(({ name }) => name).filter((name) => name.startsWith('bags'))).toEqual([]);
});
