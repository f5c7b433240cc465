/** Reading a ring file without owning it: nothing is written, and its owner is seen without touching his lock. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ReadSteps } from '../ring/file-steps.ts';
import { inspectRing } from '../ring/inspect.ts';
import { createRing } from './create-ring.ts';
import { openForReading, readThrough } from './read-ring.ts';
import { openRingFile } from './ring-file.ts';
import { ownerSeen } from './ring-owner.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ringmail-read-'));
  path = join(folder, 'a.ring');
  await createRing(path, { fileBytes: 388 * 512, fileId: new Uint8Array(16).fill(7), blockBytes: 512, volatile: 'allow' });
});
afterEach(() => rmSync(folder, { recursive: true }));

function* ask(...ranges: readonly [number, number][]): ReadSteps<(number | undefined)[]> {
  const answers: (number | undefined)[] = [];
  for (const [offset, bytes] of ranges) answers.push((yield { kind: 'read', offset, bytes })?.length);
  return answers;
}

describe('a reader', () => {
  test('gives whole ranges, and nothing for one that leaves the file, also when it gets shorter under him', async () => {
    const file = openForReading(path);
    const end = 388 * 512;
    expect(await readThrough(ask([0, 512], [end - 10, 10], [end - 10, 11], [2 * end, 1]), file)).toEqual([
      512,
      10,
      undefined,
      undefined,
    ]);
    truncateSync(path, 600);
    expect(await readThrough(ask([0, 600], [512, 512]), file)).toEqual([600, undefined]);
    file.close();
  });

  test('writes nothing, and never would', async () => {
    const before = { bytes: readFileSync(path), mtimeMs: statSync(path).mtimeMs };
    const file = openForReading(path);
    expect((await readThrough(inspectRing(file), file)).messages).toBe(0);
    const writing = (function* (): Generator<never, void, Uint8Array | undefined> {
      yield { kind: 'write', offset: 0, bytes: new Uint8Array(1) } as never;
    })();
    await expect(readThrough(writing, file)).rejects.toThrow('do not write');
    file.close();
    expect(readFileSync(path).equals(before.bytes)).toBe(true);
    expect(statSync(path).mtimeMs).toBe(before.mtimeMs);
  });

  test('is stopped by a signal', async () => {
    const file = openForReading(path);
    const reason = new Error('enough');
    await expect(readThrough(ask([0, 1]), file, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    file.close();
  });

  test('refuses what is no file', () => {
    expect(() => openForReading(join(folder, 'absent'))).toThrow('RING_NOT_FOUND');
    expect(() => openForReading(folder)).toThrow('RING_FOREIGN');
  });
});

describe('the owner of a ring', () => {
  test('is seen while he has it, and is not turned away by who looks', async () => {
    expect(ownerSeen(path)).not.toBe('held');
    const owner = await openRingFile(path, { volatile: 'allow' });
    expect(ownerSeen(path)).toBe('held');
    await owner.close();
    expect(ownerSeen(path)).not.toBe('held');
    await (await openRingFile(path, { volatile: 'allow' })).close();
  });

  test('is seen by each way of locking that the machine tells of', () => {
    const { dev, ino } = statSync(path);
    const proc = join(folder, 'proc');
    mkdirSync(join(proc, 'net'), { recursive: true });
    expect(ownerSeen(path, proc)).toBe('unknown');
    writeFileSync(
      join(proc, 'locks'),
      `1: POSIX  ADVISORY  READ 12 fd:00:${ino} 0 EOF\n2: FLOCK  ADVISORY  WRITE 12 fd:00:${ino}0 0 EOF\n`,
    );
    expect(ownerSeen(path, proc)).toBe('none');
    writeFileSync(join(proc, 'locks'), `2: FLOCK  ADVISORY  WRITE 12 fd:00:${ino} 0 EOF\n`);
    expect(ownerSeen(path, proc)).toBe('held');
    writeFileSync(join(proc, 'locks'), '');
    writeFileSync(join(proc, 'net', 'unix'), `0000: 00000002 00000000 00010000 0001 01 4711 @ringmail-${dev}-${ino}\n`);
    expect(ownerSeen(path, proc)).toBe('held');
    writeFileSync(join(proc, 'net', 'unix'), '');
    writeFileSync(`${path}.lock`, '{}');
    expect(ownerSeen(path, proc)).toBe('held');
  });
});
