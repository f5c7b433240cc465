/** What links counted is told as long as the store is open, whatever became of their lines. */
import { expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { type SimLinePair, simLines } from '../../hardware-sim/sim-line.ts';
import { SimNode } from '../../hardware-sim/sim-node.ts';
import { World } from '../../hardware-sim/world.ts';
import type { NodeConfig } from './node-io.ts';

const CONFIG: NodeConfig = {
  name: 'gateway',
  queues: [{ name: 'bags', bytesLimit: 100_000 }],
  unknownQueue: 'refuse',
  queueBytesLimit: 100_000,
  uplink: 'none',
  central: 'gateway',
  isCentral: 'no',
  partitionCount: 1,
  commitDelayMs: 0,
  home: undefined,
};
/** Between zeros, so that it is a run; not a packet. */
const GARBAGE = new Uint8Array([0, 0x05, 0xde, 0xad, 0xbe, 0xef, 0x03, 0x77, 0x99, 0x12, 0]);

test('garbage on a line that is then closed is still counted, and added to that of the next', async () => {
  const world = new World(stream('carriers', 'scheduler'));
  const node = new SimNode({ world, config: CONFIG, random: stream('carriers', 'node'), syncMsMax: 5 });
  node.start();
  await world.run(world.nowMs + 200);
  const garbage = async (): Promise<SimLinePair> => {
    const pair = simLines({ world, random: stream('carriers', 'line'), baud: undefined });
    node.attach(pair.b, { role: 'accept', baud: undefined }, () => {});
    pair.a.listen({ onBytes: () => {}, onClosed: () => {} });
    pair.a.write(GARBAGE);
    await world.run(world.nowMs + 100);
    return pair;
  };

  const first = await garbage();
  const living = node.stats()?.counters ?? {};
  expect(living.bytesReceived).toBe(GARBAGE.length);
  expect((living.runsCorrupt ?? 0) + (living.runsMalformed ?? 0)).toBe(1);

  first.cut();
  await world.run(world.nowMs + 100);
  expect(node.stats()).toMatchObject({ links: [], counters: living });

  await garbage();
  const both = node.stats()?.counters ?? {};
  expect([both.bytesReceived, (both.runsCorrupt ?? 0) + (both.runsMalformed ?? 0)]).toEqual([2 * GARBAGE.length, 2]);
});
