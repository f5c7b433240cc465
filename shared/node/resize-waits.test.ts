import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createRing } from './create-ring.ts';
import { homeOf } from './home.ts';
import { Node } from './node.ts';
import { resizeRing } from './resize-ring.ts';

test('a node that waited for the ring while it was resized is the same store', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringmail-waits-'));
  const ringPath = join(folder, 'a.ring');
  await createRing(ringPath, { fileBytes: 388 * 4096, fileId: new Uint8Array(16).fill(1), volatile: 'allow' });
  const open = () =>
    Node.open({
      config: {
        ...{ name: 'box-1', queues: [], unknownQueue: 'create', queueBytesLimit: 50_000, uplink: 'none', central: 'central' },
        ...{ isCentral: 'no', partitionCount: 1, commitDelayMs: 0, home: homeOf(ringPath) },
      } as never,
      ringPath,
      volatile: 'allow',
      lockMsMax: 5000,
    });
  const first = await open();
  const incarnation = first.stats()?.incarnation;
  await first.close();
  let waiting: Promise<Node> | undefined;
  await resizeRing(ringPath, {
    fileBytes: 500 * 4096,
    fileId: new Uint8Array(16).fill(2),
    onStep: (step) => {
      if (step === 'filled') waiting = open();
    },
  });
  const second = await waiting;
  expect(second?.stats()?.incarnation).toBe(incarnation);
  await second?.close();
  rmSync(folder, { recursive: true });
});
