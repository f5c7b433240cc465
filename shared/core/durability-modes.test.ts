/** What an answered send survives: `sync` a power cut at any time, `interval` one that comes later than the interval. */
import { describe, expect, test } from 'vitest';
import { codeOf, QueueBox } from '../../hardware-sim/queue-box.ts';
import { stream } from '../../hardware-sim/random.ts';
import { SimLink } from '../../hardware-sim/sim-link.ts';
import { SIM_RING_BYTES, SimNode } from '../../hardware-sim/sim-node.ts';
import { toUtf8 } from '../bytes.ts';
import { crc32 } from '../crc32.ts';
import { ALL_DESKS } from './all-desks.ts';
import type { CallResult, Durability } from './calls.ts';
import { NodeCore } from './node-core.ts';
import type { NodeConfig } from './node-io.ts';

const QUEUES = [{ name: 'bags', bytesLimit: 200_000 }];
const INTERVAL_MS = 50;

async function boxWith(name: string, config: Partial<NodeConfig> = {}): Promise<QueueBox> {
  const box = new QueueBox(name, { queues: QUEUES, ...config });
  await box.start();
  // Frames of the opening are written: what follows is the test's.
  await box.pass(500);
  return box;
}

/** The answer, and how long it took. */
async function timed(box: QueueBox, text: string): Promise<{ answer: CallResult | undefined; ms: number }> {
  const atMs = box.world.nowMs;
  const answer = await box.ask(box.sending('bags', text));
  return { answer, ms: box.world.nowMs - atMs };
}

test('sync: no answered message is lost, however soon the power goes after its answer', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const box = await boxWith(`sync ${seed}`);
    const { answer } = await timed(box, 'kept');
    expect(answer).toMatchObject({ kind: 'sent', durability: 'unknown' });
    await box.restart('power cut');
    expect(await box.drain('bags')).toEqual(['kept']);
  }
});

describe('interval', () => {
  test('answers at once, says so, and writes within the interval: before that a power cut takes it back', async () => {
    const box = await boxWith('lost', { intervalMs: INTERVAL_MS });
    const { answer, ms } = await timed(box, 'lost');
    expect([answer, ms]).toMatchObject([{ kind: 'sent', durability: 'interval' }, 0]);
    expect(box.stats.ring).toMatchObject({ durability: 'interval', intervalMs: INTERVAL_MS });
    await box.pass(INTERVAL_MS / 2);
    await box.restart('power cut');
    expect(await box.drain('bags')).toEqual([]);
  });

  test('who asks for an answer by the disk gets that one: a power cut right after it takes nothing', async () => {
    const box = await boxWith('by the disk', { intervalMs: INTERVAL_MS });
    const answer = await box.ask({ verb: 'send', destination: 'bags', body: toUtf8('kept'), properties: {}, answer: 'disk' });
    expect(answer).toMatchObject({ kind: 'sent', durability: 'unknown' });
    await box.restart('power cut');
    expect(await box.drain('bags')).toEqual(['kept']);
  });

  test('after it, a power cut takes nothing', async () => {
    const box = await boxWith('kept', { intervalMs: INTERVAL_MS });
    for (let i = 0; i < 5; i++) await timed(box, `m${i}`);
    const frames = box.stats.ring.framesWritten;
    await box.pass(INTERVAL_MS + 10);
    expect(box.stats.ring.framesWritten - frames).toBe(1);
    await box.restart('power cut');
    expect(await box.drain('bags')).toEqual(['m0', 'm1', 'm2', 'm3', 'm4']);
  });

  test('a clean end takes nothing', async () => {
    const box = await boxWith('closed', { intervalMs: INTERVAL_MS });
    await timed(box, 'kept');
    await box.restart('closed');
    expect(await box.drain('bags')).toEqual(['kept']);
  });

  test('receivers get only what is on the disk, and an acknowledgement is answered by it', async () => {
    const box = await boxWith('receivers', { intervalMs: INTERVAL_MS });
    await timed(box, 'a');
    expect(await box.receive('bags')).toBeUndefined();
    const got = await box.receive('bags', { waitMs: 1_000 });
    await box.ack(got);
    await box.restart('power cut');
    expect(await box.drain('bags')).toEqual([]);
    expect(box.queue('bags').ready).toBe(0);
  });

  test('a number is never given twice: what was lost was never handed to anybody', async () => {
    const box = await boxWith('numbers', { intervalMs: INTERVAL_MS, uplink: 'link', queues: [] });
    const central = new SimNode({
      world: box.world,
      config: {
        ...{ name: 'central', queues: QUEUES, unknownQueue: 'refuse', queueBytesLimit: 50_000, uplink: 'none' },
        ...{ central: 'central', isCentral: 'no', partitionCount: 1, commitDelayMs: 0, home: undefined },
      },
      random: stream('numbers', 'central'),
      syncMsMax: 5,
    });
    central.start();
    await box.pass(500);
    const line = new SimLink({ world: box.world, random: stream('numbers', 'line'), dials: box.node, accepts: central });
    const send = (text: string) => box.send('central/bags', text);
    for (let i = 0; i < 10; i++) {
      await send(`m${i}`);
      await box.pass(i % 2 === 0 ? 5_000 : 10);
      if (i % 2 === 1) {
        line.unplug();
        await box.restart('power cut');
        line.plug();
        await box.pass(1_000);
      }
    }
    await box.pass(30_000);
    const ready = central.stats()?.queues.find(({ name }) => name === 'bags')?.ready ?? 0;
    expect(ready).toBe(5);
    expect([box.node.stops, central.stops]).toEqual([[], []]);
  });

  test('an adapter’s send waits for the disk all the same: its source lets go of what is answered', async () => {
    const box = await boxWith('adapter', { intervalMs: INTERVAL_MS });
    box.node.disk.onPending = () => {};
    const position = { name: 'belt', value: new Uint8Array([7]) };
    const body = new Uint8Array(10);
    const pending = box.begin({ verb: 'send', destination: 'bags', body, properties: {}, position });
    await box.pass(10);
    expect(pending.result).toBeUndefined();
    box.node.disk.step();
    await box.pass(10);
    expect(pending.result).toMatchObject({ kind: 'sent', durability: 'unknown' });
  });

  test('a disk that fails within it stops the store; what was answered is gone or there, and the node goes on', async () => {
    const box = await boxWith('fails', { intervalMs: INTERVAL_MS });
    box.node.disk.failNextSync();
    expect(codeOf((await timed(box, 'doubtful')).answer)).toBe('sent');
    await box.pass(1_000);
    expect(box.node.openings).toBe(2);
    expect(['doubtful', undefined]).toContain((await box.drain('bags'))[0]);
  });

  test('what waits for the disk is bounded: beyond it BUSY', async () => {
    const box = await boxWith('bounded', { intervalMs: 1_000, queues: [{ name: 'bags', bytesLimit: 40_000_000 }] });
    box.node.disk.onPending = () => {};
    const sends = Array.from({ length: 3_000 }, () => box.begin(box.sending('bags', 'x'.repeat(4_000))));
    await box.pass(900);
    const codes = new Set(sends.map(({ result }) => codeOf(result)));
    expect([...codes].some((code) => code === 'BUSY' || code === 'QUEUE_FULL')).toBe(true);
  });
});

test.each<[Durability, number | undefined, Durability]>([
  ['sync', undefined, 'sync'],
  ['sync', 50, 'interval'],
  ['volatile', 50, 'volatile'],
])('a file that is %s, with the interval %s: stats say %s', (file, intervalMs, said) => {
  const core = new NodeCore(
    {
      ...{ name: 'box', queues: QUEUES, unknownQueue: 'refuse', queueBytesLimit: 1, uplink: 'none', central: 'central' },
      ...{ isCentral: 'no', partitionCount: 1, commitDelayMs: 0, home: undefined, intervalMs },
    },
    {
      file: { path: '', size: SIM_RING_BYTES },
      checksum: crc32,
      random: stream('modes', 'core'),
      carriers: 'none',
      desks: ALL_DESKS,
      describeFile: () => ({ durability: file, ioMode: '' }),
    },
  );
  expect(core.stats(0).ring.durability).toBe(said);
});
