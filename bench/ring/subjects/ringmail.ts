/** ringmail itself: the product's ring on the product's file. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { crc32 } from '../../../shared/crc32.ts';
import { fastChecksum } from '../../../shared/node/checksum.ts';
import { createRing } from '../../../shared/node/create-ring.ts';
import { type NodeRingFile, openRingFile } from '../../../shared/node/ring-file.ts';
import type { RingFile } from '../../../shared/ports.ts';
import { META_VALUE_BYTES_MAX } from '../../../shared/ring/entry-layout.ts';
import { Express } from '../../../shared/ring/express.ts';
import { Ring } from '../../../shared/ring/ring.ts';
import { RingShell } from './ring-shell.ts';
import type { Subject, SubjectOptions } from './subject.ts';

/** As a node has them (shared/core/node-core.ts). */
const CACHE_BYTES_MAX = 1024 * 1024;
const PENDING_BYTES_MAX = 4 * 1024 * 1024;
/** For 64 senders with a message of 1 KiB each, on its way in and on its way out. */
const HEADROOM_BYTES = 256 * 1024;

export interface OpenedRing {
  readonly shell: RingShell;
  readonly file: NodeRingFile;
}

/** `watch` may stand between the ring and its file. */
export async function openRing(path: string, watch: (file: RingFile) => RingFile = (file) => file): Promise<OpenedRing> {
  const file = await openRingFile(path);
  const ring = new Ring({
    Express,
    path,
    size: file.size,
    checksum: fastChecksum(crc32),
    epochRandom: 1,
    commitDelayMs: 0,
    cacheBytesMax: CACHE_BYTES_MAX,
    pendingBytesMax: PENDING_BYTES_MAX,
  });
  const shell = new RingShell(ring, watch(file));
  await shell.open();
  return { shell, file };
}

export async function createRingIn(directory: string, fileBytes: number): Promise<string> {
  const path = join(directory, 'ring');
  await createRing(path, { fileBytes, fileId: randomBytes(16) });
  return path;
}

/**
 * META under keys of its own until live bytes are so much of the ring, less a little for what is under way.
 * [geometry.ts: 48 % may live, of that seven eighths as messages]
 */
export async function fillWithMeta(shell: RingShell, livePercent: number): Promise<void> {
  const { blockCount, blockBytes } = shell.ring.geometry;
  const bytes = (blockCount * blockBytes * livePercent) / 100 - HEADROOM_BYTES;
  const value = new Uint8Array(META_VALUE_BYTES_MAX);
  for (let i = 0; shell.ring.bytesUsed + value.length < bytes; i++)
    await shell.append({ metas: [{ key: `ballast/${i}`, value }] });
}

export async function openRingmail({ directory, ringBytes }: SubjectOptions): Promise<Subject> {
  const { shell, file } = await openRing(await createRingIn(directory, ringBytes));
  return {
    put: (priority, body) => shell.put(priority, body),
    receive: () => shell.receive(),
    ack: (message) => shell.ack(message),
    fillUp: (livePercent) => fillWithMeta(shell, livePercent),
    close: async () => {
      await shell.close();
      await file.close();
    },
  };
}
