/** The system may take less of a write than it was given. What is called durable is there all the same, and a system that takes nothing is an error. */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { equalBytes } from '../bytes.ts';
import { createRing } from './create-ring.ts';
import { type NodeRingFile, openRingFile } from './ring-file.ts';

const fs = createRequire(import.meta.url)('node:fs') as typeof import('node:fs');
const { write, writeSync } = fs;
const BLOCK = 4096;
/** Bytes taken of each write. */
let taken = (bytes: number) => bytes;

let folder = '';
let file: NodeRingFile | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ringmail-'));
  await createRing(join(folder, 'ring'), { fileBytes: 388 * BLOCK, fileId: new Uint8Array(16), volatile: 'allow' });
  file = await openRingFile(join(folder, 'ring'), { volatile: 'allow' });
  const short = { write: shortWrite, writeSync: shortWriteSync };
  Object.assign(fs, short);
  syncBuiltinESMExports();
});
afterEach(async () => {
  Object.assign(fs, { write, writeSync });
  syncBuiltinESMExports();
  await file?.close();
  await rm(folder, { recursive: true, force: true });
});

function shortWriteSync(fd: number, bytes: Uint8Array, from: number, length: number, position: number): number {
  const count = taken(length);
  return count === 0 ? 0 : writeSync(fd, bytes, from, count, position);
}

type WhenWritten = (error: Error | null, count: number, bytes: Uint8Array) => void;
function shortWrite(fd: number, bytes: Uint8Array, from: number, length: number, position: number, then: WhenWritten): void {
  const count = taken(length);
  if (count === 0) setImmediate(then, null, 0, bytes);
  else write(fd, bytes, from, count, position, then);
}

test('a short write goes on where it stopped, in the pool and inline', async () => {
  const seen = new Set<string>();
  for (let i = 0; i < 200 && seen.size < 2; i++) {
    // Only the write that is looked at is short: the others decide by their speed how the next one is done.
    const mode = file?.ioMode ?? '';
    const isLookedAt = !seen.has(mode);
    taken = isLookedAt ? (bytes) => Math.min(bytes, 1000) : (bytes) => bytes;
    const bytes = new Uint8Array(3 * BLOCK).map((_, at) => (at * 7 + i) & 0xff);
    await file?.writeDurable(2 * BLOCK, bytes);
    if (!isLookedAt) continue;
    seen.add(mode);
    const found = (await readFile(join(folder, 'ring'))).subarray(2 * BLOCK, 5 * BLOCK);
    expect(equalBytes(found, bytes), `${mode} write`).toBe(true);
  }
  expect(seen.has('async')).toBe(true); // inline only on a medium fast enough
});

test('a system that takes nothing fails the write', async () => {
  taken = () => 0;
  await expect((async () => file?.writeDurable(2 * BLOCK, new Uint8Array(BLOCK)))()).rejects.toThrow('took no bytes');
  taken = (bytes) => bytes;
  await expect((async () => file?.writeDurable(2 * BLOCK, new Uint8Array(BLOCK)))()).rejects.toThrow('took no bytes');
});

test.each([
  ['a signal interrupts it once', 1],
  ['signals interrupt it five times', 5],
])('a read that %s gives its bytes; the medium did not fail', async (_how, times) => {
  const { readSync } = fs;
  let left = times;
  const interrupted = (...how: Parameters<typeof readSync>): number => {
    left -= 1;
    if (left >= 0) throw Object.assign(new Error('EINTR: interrupted system call, read'), { code: 'EINTR' });
    return readSync(...how);
  };
  Object.assign(fs, { readSync: interrupted });
  syncBuiltinESMExports();
  try {
    const into = new Uint8Array(BLOCK).fill(1);
    await file?.read(2 * BLOCK, into);
    expect(left).toBeLessThan(0);
    expect(into.every((byte) => byte === 0)).toBe(true);
  } finally {
    Object.assign(fs, { readSync });
    syncBuiltinESMExports();
  }
});
