import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { crc32 } from '../crc32.ts';
import { hasCode, RingmailError } from '../errors.ts';
import { Express } from '../ring/express.ts';
import { recover } from '../ring/recovery.ts';
import { type BodyResult, Ring } from '../ring/ring.ts';
import { createRing } from './create-ring.ts';
import { type LockMethod, lockFile } from './lock.ts';
import { NodeRingFile, openRingFile } from './ring-file.ts';
import { mountOf, volatileFileSystem } from './volatile.ts';

const FILE_ID = new Uint8Array(16).fill(0xa5);
const SMALLEST = 388 * 4096;

let folder = '';
let path = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ringmail-'));
  path = join(folder, 'ring');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const create = (options = {}) => createRing(path, { fileBytes: SMALLEST, fileId: FILE_ID, volatile: 'allow', ...options });
const open = () => openRingFile(path, { volatile: 'allow' });

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof RingmailError ? error.code : String(error);
}

describe('creating', () => {
  test('makes a whole ring of real zeros, and leaves nothing else behind', async () => {
    const geometry = await create();
    expect(geometry.blockCount).toBe(384);
    const { size, blocks } = await stat(path);
    expect(size).toBe(SMALLEST);
    expect(blocks * 512).toBeGreaterThanOrEqual(SMALLEST); // no holes
    expect(fs.readdirSync(folder)).toEqual(['ring']);
    const bytes = new Uint8Array(await readFile(path));
    const steps = recover({ path, size }, crc32, () => {});
    let step = steps.next();
    while (!step.done) step = steps.next(bytes.subarray(step.value.offset, step.value.offset + step.value.bytes));
    expect(step.value.superblock.fileId).toEqual(FILE_ID);
  });

  test('never touches a file that is there', async () => {
    await writeFile(path, 'precious');
    expect(await codeOf(create())).toBe('RING_EXISTS');
    expect(await readFile(path, 'utf8')).toBe('precious');
    expect(fs.readdirSync(folder)).toEqual(['ring']);
  });

  test('goes on where a power cut left an unfinished file', async () => {
    await writeFile(`${path}.tmp`, new Uint8Array(3 * SMALLEST).fill(7));
    await create();
    expect((await stat(path)).size).toBe(SMALLEST);
    expect(fs.readdirSync(folder)).toEqual(['ring']);
  });

  test('leaves a file alone that another process is making', async () => {
    await writeFile(`${path}.tmp`, 'half');
    const fd = fs.openSync(`${path}.tmp`, 'r+');
    const lock = await lockFile({ fd, path: `${path}.tmp` });
    expect(await codeOf(create())).toBe('RING_LOCKED');
    expect(fs.readFileSync(`${path}.tmp`, 'utf8')).toBe('half');
    lock.release();
    fs.closeSync(fd);
  });

  test('never empties a ring that was finished under the unfinished name', async () => {
    await create();
    fs.linkSync(path, `${path}.tmp`); // where the maker lost power between giving the name and taking the other away
    fs.renameSync(path, join(folder, 'moved'));
    expect(await codeOf(create())).toBe('RING_EXISTS');
    expect((await stat(join(folder, 'moved'))).size).toBe(SMALLEST);
  });

  test('only one of two that create at once succeeds, and its ring is whole', async () => {
    const codes = await Promise.all([codeOf(create()), codeOf(create({ fileId: new Uint8Array(16).fill(1) }))]);
    expect(codes.filter((code) => code === 'undefined')).toHaveLength(1);
    expect(fs.readdirSync(folder)).toEqual(['ring']);
    await (await open()).close();
  });

  test.each([
    ['too small', { fileBytes: 387 * 4096 }, 'RING_SIZE_INVALID'],
    ['no block size of ours', { blockBytes: 1000 }, 'RING_SIZE_INVALID'],
  ])('refuses a size that is %s', async (_name, options, code) => {
    expect(await codeOf(create(options))).toBe(code);
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  test('says what the system said when it cannot', async () => {
    const nowhere = join(folder, 'no', 'such', 'folder', 'ring');
    expect(await codeOf(createRing(nowhere, { fileBytes: SMALLEST, fileId: FILE_ID }))).toBe('RING_UNAVAILABLE');
  });
});

describe('opening', () => {
  test('says that a ring is not there, and makes none', async () => {
    expect(await codeOf(open())).toBe('RING_NOT_FOUND');
    expect(fs.existsSync(path)).toBe(false);
  });

  test('refuses what is not a plain file', async () => {
    expect(await codeOf(openRingFile(folder, { volatile: 'allow' }))).toBe('RING_UNAVAILABLE');
    expect(await codeOf(openRingFile('/dev/null', { volatile: 'allow' }))).toBe('RING_FOREIGN');
  });

  test('gives the lock back with the file', async () => {
    await create();
    const first = await open();
    expect(await codeOf(open())).toBe('RING_LOCKED');
    await first.close();
    await (await open()).close();
  });

  test('waits for the write on its way before it lets go', async () => {
    await create();
    const file = await open();
    const written = file.writeDurable(8192, new Uint8Array(4096).fill(5));
    await Promise.all([file.close(), written]);
    expect((await readFile(path))[8192]).toBe(5);
  });

  test('fails every later write with the reason of the first that failed', async () => {
    await create();
    const fd = fs.openSync(path, 'r'); // the system refuses to write through it
    const lock = { method: 'flock', release: () => {} } as const;
    const file = new NodeRingFile({ fd, size: SMALLEST, durability: 'sync', lock });
    const first = await (async () => file.writeDurable(0, new Uint8Array(512)))().catch((error: unknown) => error);
    expect(first).toBeInstanceOf(Error);
    await expect((async () => file.writeDurable(0, new Uint8Array(512)))()).rejects.toBe(first);
    file.read(0, new Uint8Array(512));
    await file.close();
  });

  test('reports how it writes', async () => {
    await create();
    const file = await open();
    expect(file.ioMode).toBe('async');
    expect(['sync', 'volatile']).toContain(file.durability);
    await file.close();
  });
});

describe('a ring on a real file', () => {
  /** Answers a ring until it rests. */
  async function play(ring: Ring, file: NodeRingFile): Promise<void> {
    for (let outputs = ring.takeOutputs(); ; outputs = ring.takeOutputs()) {
      for (const output of outputs) {
        const { id, offset } = output;
        if (output.kind === 'read') {
          const bytes = new Uint8Array(output.length);
          file.read(offset, bytes);
          ring.input({ kind: 'readDone', id, bytes });
        } else {
          await file.writeDurable(offset, output.bytes, output.fence);
          ring.input({ kind: 'flushed', id });
        }
      }
      if (outputs.length === 0 && ring.wakeAtMs === undefined) return;
      ring.pump(0);
    }
  }

  async function openRing(epochRandom: number): Promise<{ ring: Ring; file: NodeRingFile }> {
    const file = await open();
    const options = { path, size: file.size, checksum: crc32, epochRandom, commitDelayMs: 0, cacheBytesMax: 0 };
    const ring = new Ring({ Express, ...options, pendingBytesMax: 1e6 });
    await play(ring, file);
    expect(ring.state).toBe('serving');
    return { ring, file };
  }

  test('keeps its messages and META over several laps and openings', async () => {
    await create();
    const when = { nowMs: 0, delayMs: 0 };
    const fields = {
      queue: 1,
      priority: 3,
      stream: 1,
      epochCounter: 1,
      epochRandom: 1,
      deliveryCount: 0,
      expiresAtMs: 0,
      notBeforeMs: 0,
    };
    let number = 0;
    for (let opening = 1; opening <= 3; opening++) {
      const { ring, file } = await openRing(opening);
      expect([ring.epoch.counter, ring.index.count, ring.metas.get('count')?.[0] ?? 0]).toEqual([
        opening,
        number === 0 ? 0 : 5,
        number % 256,
      ]);
      for (let i = 0; i < 60; i++) {
        number += 1;
        const body = new Uint8Array(10_000).fill(number);
        const stored = [...ring.index.slots()].map((slot) => ring.index.id(slot)).sort((a, b) => a - b);
        const acks = stored.slice(0, Math.max(0, stored.length - 4)).map((id) => ({ id, reason: 'acknowledged' as const }));
        const batch = { puts: [{ ...fields, number, body }], acks, metas: [{ key: 'count', value: Uint8Array.of(number) }] };
        ring.append(batch, when, (outcome) => expect(outcome).toBe('durable'));
        await play(ring, file);
      }
      ring.close(() => {});
      await play(ring, file);
      await file.close();
    }
    const { ring, file } = await openRing(9);
    for (const slot of ring.index.slots()) {
      const bodies: BodyResult[] = [];
      ring.fetchBody(ring.index.id(slot), (result) => bodies.push(result));
      await play(ring, file);
      expect(bodies).toEqual([{ kind: 'body', body: new Uint8Array(10_000).fill(ring.index.number(slot)) }]);
    }
    await file.close();
  });
});

describe('the lock', () => {
  /** A process that holds the lock on `path` until it dies. */
  async function otherOwner(): Promise<{ pid: number; end: () => Promise<void> }> {
    const script = `
      const fd = require('fs').openSync(process.argv[1], 'r+');
      const { status } = require('child_process').spawnSync('flock', ['-n', '-x', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
      process.stdout.write(String(status));
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--eval', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [status] = await once(child.stdout, 'data');
    expect(String(status)).toBe('0');
    const end = async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    };
    return { pid: child.pid ?? 0, end };
  }

  test('keeps a second process out, names the first, and ends when it is killed', async (context) => {
    await create();
    const probe = fs.openSync(path, 'r+');
    const way = await lockFile({ fd: probe, path });
    fs.closeSync(probe);
    if (way.method !== 'flock') return context.skip('no flock(1) on this machine');
    const other = await otherOwner();
    try {
      const error = await open().catch((reason: unknown) => reason);
      expect(hasCode(error, 'RING_LOCKED') && error.details).toEqual({ path, owner: `process ${other.pid} (node)` });
    } finally {
      await other.end();
    }
    await (await open()).close();
  });

  test.each<LockMethod>(['flock', 'socket', 'file'])('by %s holds until it is released', async (method) => {
    await create();
    const [a, b] = [fs.openSync(path, 'r+'), fs.openSync(path, 'r+')];
    const lock = await lockFile({ fd: a, path }, [method]);
    expect(lock.method).toBe(method);
    expect(await codeOf(lockFile({ fd: b, path }, [method]))).toBe('RING_LOCKED');
    lock.release();
    fs.closeSync(a);
    const again = await lockFile({ fd: b, path }, [method]);
    again.release();
    fs.closeSync(b);
    expect(fs.existsSync(`${path}.lock`)).toBe(false);
  });

  test("a lock file of a process that is gone, of another boot, or cut short is nobody's", async () => {
    await create();
    const fd = fs.openSync(path, 'r+');
    const boot = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const startTime = fs.readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ')[19] ?? '';
    const texts = [
      JSON.stringify({ pid: 4_194_304, boot, startTime: '1' }),
      JSON.stringify({ pid: process.pid, boot: 'an earlier one', startTime }),
      JSON.stringify({ pid: process.pid, boot, startTime: '12' }),
      '{"pid":12',
      '',
    ];
    for (const text of texts) {
      fs.writeFileSync(`${path}.lock`, text);
      (await lockFile({ fd, path }, ['file'])).release();
    }
    fs.writeFileSync(`${path}.lock`, JSON.stringify({ pid: process.pid, boot, startTime }));
    expect(await codeOf(lockFile({ fd, path }, ['file']))).toBe('RING_LOCKED');
    fs.closeSync(fd);
  });
});

describe('memory', () => {
  test('is recognised, refused, and allowed by name', async (context) => {
    const isThere = fs.existsSync('/dev/shm') && (await volatileFileSystem('/dev/shm')) !== undefined;
    if (!isThere) return context.skip('no file system in memory at /dev/shm');
    const inMemory = await mkdtemp('/dev/shm/ringmail-');
    try {
      const ring = join(inMemory, 'ring');
      expect(await volatileFileSystem(ring)).toBe('tmpfs');
      expect(await codeOf(createRing(ring, { fileBytes: SMALLEST, fileId: FILE_ID }))).toBe('RING_VOLATILE');
      expect(fs.readdirSync(inMemory)).toEqual([]);
      await createRing(ring, { fileBytes: SMALLEST, fileId: FILE_ID, volatile: 'allow' });
      expect(await codeOf(openRingFile(ring))).toBe('RING_VOLATILE');
      const file = await openRingFile(ring, { volatile: 'allow' });
      expect(file.durability).toBe('volatile');
      await file.close();
    } finally {
      await rm(inMemory, { recursive: true });
    }
  });

  test('the mount of a path is the deepest above it, the last one mounted there', () => {
    const text = [
      '22 1 0:21 / / rw - overlay overlay rw,lowerdir=/l,upperdir=/run/up\\040per,workdir=/w',
      '23 22 8:1 / /data rw shared:1 - ext4 /dev/sda1 rw',
      '24 22 254:0 / /data rw - ext4 /dev/zram0 rw',
      '25 22 8:2 / /database rw - ext4 /dev/sdb1 rw',
    ].join('\n');
    expect(mountOf(text, '/data/ring')).toMatchObject({ point: '/data', source: '/dev/zram0' });
    expect(mountOf(text, '/database/ring')).toMatchObject({ source: '/dev/sdb1' });
    expect(mountOf(text, '/var/ring')).toMatchObject({ point: '/', upperDirectory: '/run/up per' });
    expect(mountOf('', '/var/ring')).toBeUndefined();
  });
});
