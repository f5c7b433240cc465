/** A belt's adapter on a real node: what it counts is in the node's stats, over all its lines. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { linePair } from '../hardware-sim/line-pair.ts';
import { toUtf8 } from '../shared/bytes.ts';
import type { Stats } from '../shared/core/calls.ts';
import { createRing } from '../shared/node/create-ring.ts';
import { Node } from '../shared/node/node.ts';
import type { Line } from '../shared/ports.ts';
import { encodeTelegram } from './adapters/stx-etx.ts';
import { runBelt } from './belt-role.ts';

const GARBAGE = new Uint8Array(40).fill(0xaa);

let folder: string;
let node: Node;
let belt: Line | undefined;
const stop = new AbortController();
let running: Promise<void>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ringmail-belt-role-'));
  const ringPath = join(folder, 'box.ring');
  await createRing(ringPath, { fileBytes: 388 * 4096, fileId: new Uint8Array(16).fill(3), volatile: 'allow' });
  node = await Node.open({
    config: {
      name: 'box-1',
      queues: [{ name: 'bags', bytesLimit: 100_000 }],
      unknownQueue: 'refuse',
      queueBytesLimit: 100_000,
      uplink: 'none',
      central: 'central',
      isCentral: 'no',
      partitionCount: 1,
      commitDelayMs: 0,
      home: undefined,
    },
    ringPath,
    volatile: 'allow',
  });
  const open = (): Promise<Line> => {
    const [ours, theirs] = linePair();
    theirs.listen({ onBytes: () => {}, onClosed: () => {} });
    belt = theirs;
    return Promise.resolve(ours);
  };
  const role = { name: 'belt-1', node: 'box-1', destination: 'bags', open, counters: node.adapterCounters, log: () => {} };
  running = runBelt(node, role, stop.signal);
});
afterEach(async () => {
  stop.abort();
  await running;
  await node.close();
  rmSync(folder, { recursive: true });
});

async function nextLine(): Promise<Line> {
  const line = await vi.waitFor(() => belt ?? Promise.reject(new Error('no line yet')), { timeout: 5_000, interval: 5 });
  belt = undefined;
  return line;
}

async function counted(): Promise<Stats['adapters'][string]> {
  const result = await node.call({ verb: 'stats' });
  return (result.kind === 'stats' && result.stats.adapters['belt-1']) || {};
}

function badCheck(sequence: number): Uint8Array {
  const bytes = encodeTelegram(sequence, toUtf8('BSM\r\nENDBSM'));
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 0x40;
  return bytes;
}

test('a wrong check byte and garbage are seen while the line lives, and still when it is gone and another came', async () => {
  const first = await nextLine();
  first.write(badCheck(1));
  first.write(GARBAGE);
  first.write(encodeTelegram(1, toUtf8('BSM\r\nENDBSM')));
  await vi.waitFor(async () => expect(await counted()).toMatchObject({ discardedChecksum: 1, telegrams: 1, invalid: 1 }));
  const { discardedBytes = 0 } = await counted();
  expect(discardedBytes).toBeGreaterThan(GARBAGE.length);

  first.close();
  const second = await nextLine();
  expect(await counted()).toMatchObject({ discardedChecksum: 1, telegrams: 1, discardedBytes });
  second.write(badCheck(2));
  second.write(encodeTelegram(2, toUtf8('BSM\r\nENDBSM')));
  await vi.waitFor(async () => expect(await counted()).toMatchObject({ discardedChecksum: 2, telegrams: 2 }));
  expect(node.stats()?.adapters).toEqual({ 'belt-1': await counted() });
});
