/** Resizing real files: what stays, what is refused, and that a power cut at any step leaves the old ring or the new one. */
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRing } from './create-ring.ts';
import { type LocalNode, openNode } from './library.ts';
import { MAKE_STEPS, type MakeStep } from './make-ring.ts';
import { systemRandom } from './random.ts';
import { type Resized, resizeRing } from './resize-ring.ts';

const KIB = 1024;
const SMALL = 388 * 4 * KIB;

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringmail-resize-'));
  path = join(folder, 'a.ring');
});
afterEach(() => rmSync(folder, { recursive: true }));

function open(): Promise<LocalNode> {
  return openNode({ name: 'box-1', ring: path, ringBytes: SMALL, allowVolatile: true });
}

async function fill(count: number, bytes = 1000): Promise<void> {
  const node = await open();
  for (let n = 0; n < count; n++) await node.send('bags', new Uint8Array(bytes).fill(n));
  await node.close();
}

function resize(fileBytes: number, onStep?: (step: MakeStep) => void): Promise<Resized> {
  return resizeRing(path, { fileBytes, fileId: systemRandom.bytes(16), ...(onStep && { onStep }) });
}

async function held(): Promise<{ first: number[]; incarnation: string; epoch: string; waiting: number }> {
  const node = await open();
  const stats = node.stats();
  const first: number[] = [];
  for (
    let delivery = await node.receive('bags');
    delivery !== undefined && first.length < 500;
    delivery = await node.receive('bags')
  ) {
    first.push(delivery.message.body[0] ?? -1);
  }
  await node.close();
  return {
    first,
    incarnation: stats?.incarnation ?? '',
    epoch: String(stats?.epoch),
    waiting: stats?.queues.find((one) => one.name === 'bags')?.ready ?? 0,
  };
}

test.each([
  ['larger', 4 * 1024 * KIB],
  ['much larger, with larger frames', 17 * 1024 * KIB],
  ['as large as before', SMALL],
])('a ring that becomes %s keeps its messages, its identity and its rights', async (_how, fileBytes) => {
  await fill(40);
  chmodSync(path, 0o640);
  const before = await held();
  const resized = await resize(fileBytes);
  expect(resized).toMatchObject({ bytesBefore: SMALL, bytes: fileBytes, messages: 40, home: 'kept' });
  expect(statSync(path)).toMatchObject({ size: fileBytes, mode: 0o100640 });
  expect(readdirSync(folder)).toEqual(['a.ring']);
  const after = await held();
  expect(after.first).toEqual(Array.from({ length: 40 }, (_, n) => n));
  expect({ ...after, epoch: '' }).toEqual({ ...before, epoch: '' });
});

test('the epoch goes on', async () => {
  await fill(3);
  const epochs: number[] = [];
  for (const fileBytes of [2 * SMALL, SMALL]) {
    epochs.push(Number((await held()).epoch.split('.')[0]));
    await resize(fileBytes);
  }
  epochs.push(Number((await held()).epoch.split('.')[0]));
  expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => a - b));
});

test('a ring becomes smaller again, and works there', async () => {
  await createRing(path, { fileBytes: 4 * 1024 * KIB, fileId: systemRandom.bytes(16), volatile: 'allow' });
  await fill(30);
  expect(await resize(SMALL)).toMatchObject({ bytesBefore: 4 * 1024 * KIB, bytes: SMALL, messages: 30 });
  await fill(5);
  expect((await held()).first).toHaveLength(35);
});

test('a ring that was copied here by somebody stays a copy: its node begins a new incarnation, as without the resize', async () => {
  await fill(3);
  const { incarnation } = await held();
  const bytes = readFileSync(path);
  path = join(folder, 'copy.ring');
  writeFileSync(path, bytes);
  expect(await resize(2 * SMALL)).toMatchObject({ home: 'copy' });
  expect((await held()).incarnation).not.toBe(incarnation);
});

describe('refused, with the old ring as it was', () => {
  async function refusal(fileBytes: number): Promise<{ code: string; details: object }> {
    const before = readFileSync(path);
    const error = await resize(fileBytes).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(folder)).toEqual(['a.ring']);
    return error as { code: string; details: object };
  }

  test('what lives does not fit: the error says what would', async () => {
    await createRing(path, { fileBytes: 16 * 1024 * KIB, fileId: systemRandom.bytes(16), volatile: 'allow' });
    await fill(60, 20_000);
    const { code, details } = await refusal(SMALL);
    expect(code).toBe('RING_TOO_SMALL');
    const { bytesNeeded } = details as { bytesNeeded: number };
    expect((await refusal(bytesNeeded - 4096)).code).toBe('RING_TOO_SMALL');
    expect(await resize(bytesNeeded)).toMatchObject({ messages: 60, bytes: bytesNeeded });
  });

  test('a size no ring can have', async () => {
    await fill(1);
    expect((await refusal(1000)).code).toBe('RING_SIZE_INVALID');
  });

  test('a node has it open', async () => {
    await fill(1);
    const node = await open();
    await expect(resize(2 * SMALL)).rejects.toMatchObject({ code: 'RING_LOCKED' });
    await node.send('bags', new Uint8Array(1));
    await node.close();
  });

  test('a body is damaged: copying would hide it', async () => {
    await fill(3, 3000);
    const bytes = readFileSync(path);
    const at = bytes.indexOf(Buffer.alloc(2000, 1));
    bytes[at + 100] = 77;
    writeFileSync(path, bytes);
    expect((await refusal(2 * SMALL)).code).toBe('RING_DAMAGED');
  });

  test('no such ring', async () => {
    await expect(resize(SMALL)).rejects.toMatchObject({ code: 'RING_NOT_FOUND' });
  });
});

describe('power cut', () => {
  test.each(MAKE_STEPS)('behind "%s": the old ring or the new one, whole', async (step) => {
    await fill(10);
    const { first: expected } = await held();
    const done: MakeStep[] = [];
    // Whatever stands on the disk at this moment is what a power cut leaves: earlier steps are synced, later ones did not happen.
    const left = new Map<string, Buffer>();
    await resize(2 * SMALL, (at) => {
      done.push(at);
      if (at === step) for (const name of readdirSync(folder)) left.set(name, readFileSync(join(folder, name)));
    });
    expect(done).toEqual([...MAKE_STEPS]);
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    for (const [name, bytes] of left) writeFileSync(join(folder, name), bytes);
    const isNew = MAKE_STEPS.indexOf(step) >= MAKE_STEPS.indexOf('named');
    expect(statSync(path).size).toBe(isNew ? 2 * SMALL : SMALL);
    expect((await held()).first).toEqual(expected);
    // What was left over is in nobody's way.
    expect(await resize(3 * SMALL)).toMatchObject({ messages: 10 });
    expect(existsSync(`${path}.tmp`)).toBe(false);
  });

  test('a step that fails leaves the old ring and nothing else', async () => {
    await fill(10);
    const before = readFileSync(path);
    for (const step of MAKE_STEPS.slice(0, MAKE_STEPS.indexOf('named'))) {
      const failing = resize(2 * SMALL, (at) => {
        if (at === step) throw new Error('no space');
      });
      await expect(failing).rejects.toThrow('no space');
      expect(readFileSync(path).equals(before)).toBe(true);
      expect(readdirSync(folder)).toEqual(['a.ring']);
    }
  });
});

test('who opened the old file a moment before finds no ring in it; a link to it is left alone', async () => {
  await fill(3);
  const { openSync, fstatSync, closeSync } = await import('node:fs');
  const fd = openSync(path, 'r');
  await resize(2 * SMALL);
  expect(fstatSync(fd).size).toBe(0);
  closeSync(fd);
  const linked = join(folder, 'kept.ring');
  linkSync(path, linked);
  await resize(3 * SMALL);
  expect(statSync(linked).size).toBe(2 * SMALL);
});
