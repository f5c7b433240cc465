/** `ringmail ring`: real files, the real node, and a process of its own that writes while its ring is looked at. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import * as esbuild from 'esbuild';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type LocalNode, openNode } from '../shared/node/library.ts';
import { EXIT } from './exit-codes.ts';
import { FakeWorld } from './fake-world.ts';
import { ring } from './ring.ts';
import { runningOf } from './ring-progress.ts';
import { runCommandLine } from './run.ts';

const TOOLS = ['inspect', 'verify', 'salvage', 'export', 'import', 'resize', 'create'];
const RING_BYTES = 388 * 4096;

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringmail-ring-'));
  path = join(folder, 'a.ring');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  return runIn(new FakeWorld(folder), ...argv);
}

async function runIn(world: FakeWorld, ...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const code = await runCommandLine({ ring: async () => ring }, ['ring', ...argv], world);
  return { code, out: world.out, err: world.err };
}

function open(ringPath = path): Promise<LocalNode> {
  return openNode({ name: 'box-1', ring: ringPath, ringBytes: RING_BYTES, allowVolatile: true });
}

/** Bodies of `bytes` bytes, each full of its number, in a queue `bags`; then one in `urgent`. */
async function fill(count: number, bytes = 500): Promise<void> {
  const node = await open();
  for (let n = 1; n <= count; n++) await node.send('bags', new Uint8Array(bytes).fill(n), { label: `bag ${n}` });
  await node.send('urgent', { alarm: 'smoke' }, { priority: 7 });
  await node.close();
}

async function bags(ringPath: string): Promise<number[]> {
  const node = await open(ringPath);
  const numbers: number[] = [];
  for (let one = await node.receive('bags'); one !== undefined; one = await node.receive('bags'))
    numbers.push(one.message.body[0] ?? 0);
  await node.close();
  return numbers;
}

/** Changes a byte in the body that is full of `n`. */
function damageBody(n: number): void {
  const bytes = readFileSync(path);
  const at = bytes.indexOf(Buffer.alloc(400, n));
  bytes[at + 50] = 0xee;
  writeFileSync(path, bytes);
}

function zeroSuperblocks(): void {
  const bytes = readFileSync(path);
  for (const at of [0, 4096, bytes.length - 8192, bytes.length - 4096]) bytes.fill(0, at, at + 4096);
  writeFileSync(path, bytes);
}

function jsonLines(out: string): Record<string, unknown>[] {
  return out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('help', () => {
  test('of all tools', async () => {
    const { code, out } = await run('--help');
    expect(code).toBe(0);
    for (const tool of TOOLS) expect(out).toMatch(new RegExp(`^  ring ${tool} +\\S`, 'm'));
  });

  test.each(TOOLS)('of %s, which does nothing then', async (tool) => {
    const { code, out } = await run(tool, '--help');
    expect([code, out]).toEqual([0, expect.stringContaining(`Usage: ringmail ring ${tool} <`)]);
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([[[]], [['inspct']], [['inspect']], [['verify', 'a', '--bodies', 'some']], [['resize', 'a', 'big']]])(
    '%j is a wrong command line',
    async (argv) => expect((await run(...argv)).code).toBe(EXIT.usage),
  );
});

describe('tools that read', () => {
  test.each([['inspect', '--frames', '--meta'], ['verify', '--bodies', 'all'], ['export'], ['salvage', '--deep']])(
    '%s changes neither bytes nor times of the ring, and needs no right to write',
    async (tool, ...options) => {
      await fill(5);
      chmodSync(path, 0o400);
      const before = { bytes: readFileSync(path), stat: statSync(path) };
      const operands = tool === 'salvage' ? ['a.ring', 'b.ring'] : ['a.ring'];
      expect(await run(tool, ...operands, ...options)).toMatchObject({ code: 0, err: '' });
      expect(readFileSync(path).equals(before.bytes)).toBe(true);
      const { mtimeMs, ctimeMs, size } = statSync(path);
      expect({ mtimeMs, ctimeMs, size }).toEqual({
        mtimeMs: before.stat.mtimeMs,
        ctimeMs: before.stat.ctimeMs,
        size: before.stat.size,
      });
    },
  );

  test.each(['inspect', 'verify', 'export', 'salvage'])('%s of what is not there, and of what is no ring', async (tool) => {
    const more = tool === 'salvage' ? ['b.ring'] : [];
    expect(await run(tool, 'absent.ring', ...more)).toMatchObject({ code: EXIT.unreachable, out: '' });
    writeFileSync(path, 'x'.repeat(20_000));
    expect(await run(tool, 'a.ring', ...more)).toMatchObject({
      code: EXIT.notRing,
      out: '',
      err: expect.stringContaining('RING_FOREIGN'),
    });
    expect((await run(tool, '.', ...more)).code).toBe(EXIT.notRing);
  });

  test.each(['inspect', 'verify', 'export'])('%s ends when it is asked to', async (tool) => {
    await fill(5);
    const world = new FakeWorld(folder);
    world.stop.abort();
    expect((await runIn(world, tool, 'a.ring')).code).toBe(EXIT.interrupted);
  });
});

describe('inspect', () => {
  test('says what a ring is and holds, with the names of its queues', async () => {
    await fill(5);
    const { out } = await run('inspect', 'a.ring', '--meta', '--frames');
    expect(out).toContain('bags: 5, ');
    expect(out).toContain('urgent: 1, ');
    expect(out).toMatch(/^node {8}box-1$/m);
    expect(out).toMatch(/^epoch {7}1\.\d+, closed clean$/m);
    expect(out).toMatch(/^superblock {2}copy 3: generation \d+, epoch 1/m);
    expect(out).toMatch(/^key {9}home: \d+ B$/m);
    expect(out).toMatch(/^frame {7}lsn 384, seq 1, OPEN, epoch 1, 1 blocks: /m);
  });

  test('--json is all of it on one line', async () => {
    await fill(5);
    const { out } = await run('inspect', 'a.ring', '--json', '--frames', '--meta');
    expect(out.split('\n')).toHaveLength(2);
    const seen = JSON.parse(out);
    expect(seen).toMatchObject({
      bytes: RING_BYTES,
      live: false,
      changedWhileRead: false,
      node: 'box-1',
      closed: 'clean',
      messages: 6,
      log: { gaps: [], tornBlocks: 0 },
      opening: { epoch: 2 },
    });
    expect(seen.queues.map((queue: { name: string; messages: number }) => [queue.name, queue.messages])).toEqual([
      ['bags', 5],
      ['urgent', 1],
    ]);
    expect(seen.frames.length).toBe(seen.log.frames.data + seen.log.frames.open + seen.log.frames.copies);
    expect(seen.metas.length).toBe(seen.meta.keys);
  });

  test('golden rings, made by another implementation', async () => {
    for (const name of ['clean', 'killed']) {
      writeFileSync(path, gunzipSync(readFileSync(join(import.meta.dirname, `../test/golden/ring-v1-${name}.ring.gz`))));
      expect(JSON.parse((await run('inspect', 'a.ring', '--json')).out)).toMatchObject({ messages: 2, node: null });
      expect(await run('verify', 'a.ring', '--bodies', 'all')).toMatchObject({ code: 0 });
    }
  });
});

describe('verify', () => {
  test('nothing wrong: 0, and says so', async () => {
    await fill(5);
    expect(await run('verify', 'a.ring')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/a\.ring: nothing wrong \(.*6 messages/),
    });
  });

  test('damage: 8, and each problem with its place and what it costs', async () => {
    await fill(5);
    damageBody(3);
    const { code, out } = await run('verify', 'a.ring');
    expect(code).toBe(EXIT.damaged);
    expect(out).toMatch(/^BODY_DAMAGED at block \d+, byte \d+, \d+ B: lost: messages 3 \(stream \d+ number 3\)$/m);
    const lines = jsonLines((await run('verify', 'a.ring', '--json')).out);
    expect(lines).toMatchObject([
      { kind: 'problem', code: 'BODY_DAMAGED', lost: { messages: [{ id: 3, number: 3 }] } },
      { kind: 'summary', problems: 1, live: false, messages: 6, bodiesChecked: 6 },
    ]);
  });

  test('a file that was cut short is damaged; one without any superblock is no ring', async () => {
    await fill(5);
    copyFileSync(path, join(folder, 'b.ring'));
    writeFileSync(join(folder, 'b.ring'), readFileSync(path).subarray(0, 500_000));
    expect(await run('verify', 'b.ring')).toMatchObject({ code: EXIT.damaged, out: expect.stringContaining('RING_TRUNCATED') });
    zeroSuperblocks();
    expect((await run('verify', 'a.ring')).code).toBe(EXIT.notRing);
  });
});

describe('salvage', () => {
  test.each([[[]], [['--deep']]])('%j of a whole ring: its messages, for a node under a new incarnation', async (options) => {
    await fill(5);
    const { code, out } = await run('salvage', 'a.ring', 'b.ring', ...options);
    expect([code, out]).toEqual([0, expect.stringMatching(/b\.ring: 1\.51 MiB, 6 messages saved, 0 lost\n$/)]);
    const incarnations = [];
    for (const name of ['a.ring', 'b.ring']) {
      const node = await open(join(folder, name));
      incarnations.push(node.stats()?.incarnation);
      await node.close();
    }
    expect(incarnations[0]).not.toBe(incarnations[1]);
    expect(await bags(join(folder, 'b.ring'))).toEqual([1, 2, 3, 4, 5]);
  });

  test('--deep needs no superblock', async () => {
    await fill(5);
    zeroSuperblocks();
    expect((await run('salvage', 'a.ring', 'b.ring')).code).toBe(EXIT.notRing);
    const { code, out } = await run('salvage', 'a.ring', 'b.ring', '--deep', '--json', '--block-bytes', '4096');
    expect([code, JSON.parse(out)]).toMatchObject([0, { by: 'frames', messages: 6, lostMessages: 0 }]);
    expect(await bags(join(folder, 'b.ring'))).toEqual([1, 2, 3, 4, 5]);
  });

  test('what is lost is told, with exit code 8', async () => {
    await fill(5);
    damageBody(3);
    const { code, out } = await run('salvage', 'a.ring', 'b.ring');
    expect(code).toBe(EXIT.damaged);
    expect(out).toMatch(/^lost {7}message 3: bags, box-1:[0-9a-f]{16}:box-1\/bags:3 number 3$/m);
    expect(await bags(join(folder, 'b.ring'))).toEqual([1, 2, 4, 5]);
  });

  test('never over a file that is there, nor into one that is too short; nothing is left behind', async () => {
    await fill(60, 5000);
    writeFileSync(join(folder, 'b.ring'), 'mine');
    expect(await run('salvage', 'a.ring', 'b.ring')).toMatchObject({
      code: EXIT.refused,
      err: expect.stringContaining('RING_EXISTS'),
    });
    expect(readFileSync(join(folder, 'b.ring'), 'utf8')).toBe('mine');
    expect((await run('salvage', 'a.ring', 'c.ring', '--size', '8 KiB')).err).toContain('RING_SIZE_INVALID');
    expect(readdirSync(folder).sort()).toEqual(['a.ring', 'b.ring']);
  });
});

describe('export and import', () => {
  test('the new ring holds the same, and exports the same lines', async () => {
    await fill(5);
    const first = await run('export', 'a.ring');
    writeFileSync(join(folder, 'a.jsonl'), first.out);
    expect(await run('import', 'b.ring', 'a.jsonl')).toMatchObject({ code: 0, out: expect.stringContaining('6 messages') });
    const second = await run('export', 'b.ring');
    expect(second).toEqual(first);
    expect(await run('verify', 'b.ring', '--bodies', 'all')).toMatchObject({ code: 0 });
    expect(await bags(join(folder, 'b.ring'))).toEqual([1, 2, 3, 4, 5]);
  });

  test('begins with a version, ends with the counts, has all META and messages between', async () => {
    await fill(2);
    const lines = jsonLines((await run('export', 'a.ring')).out);
    expect(lines[0]).toMatchObject({ kind: 'ringmail-export', version: 1, fileBytes: RING_BYTES, blockBytes: 4096 });
    const metas = lines.filter(({ kind }) => kind === 'meta').length;
    expect(lines.at(-1)).toEqual({ kind: 'end', messages: 3, metas, lost: 0 });
    expect(lines.filter(({ kind }) => kind === 'message')).toMatchObject([
      { id: 1, priority: 3, number: 1 },
      { id: 2 },
      { id: 3, priority: 7 },
    ]);
  });

  test('--decode says what the envelopes say, and import does not mind', async () => {
    await fill(2);
    const { out } = await run('export', 'a.ring', '--decode');
    const [first] = jsonLines(out).filter(({ kind }) => kind === 'message');
    expect(first?.envelope).toMatchObject({
      identity: expect.stringMatching(/^box-1:[0-9a-f]{16}:box-1\/bags:3:1$/),
      label: 'bag 1',
      body: Buffer.alloc(500, 1).toString('base64'),
    });
    const world = new FakeWorld(folder);
    world.input = [Buffer.from(out.slice(0, 700)), Buffer.from(out.slice(700))];
    expect(await runIn(world, 'import', 'b.ring', '-')).toMatchObject({ code: 0 });
    expect((await run('export', 'b.ring')).out).toBe((await run('export', 'a.ring')).out);
  });

  test('--out is a new file for its owner alone', async () => {
    await fill(2);
    expect(await run('export', 'a.ring', '--out', 'a.jsonl')).toMatchObject({
      code: 0,
      out: expect.stringContaining('3 messages'),
    });
    expect(statSync(join(folder, 'a.jsonl')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, 'a.jsonl'), 'utf8')).toBe((await run('export', 'a.ring')).out);
    expect((await run('export', 'a.ring', '--out', 'a.jsonl')).code).toBe(EXIT.refused);
  });

  test('a damaged message is a line of its own, and exit code 8', async () => {
    await fill(3);
    damageBody(2);
    const { code, out } = await run('export', 'a.ring');
    expect(code).toBe(EXIT.damaged);
    expect(jsonLines(out).filter(({ kind }) => kind === 'lost')).toMatchObject([{ id: 2, number: 2 }]);
    writeFileSync(join(folder, 'a.jsonl'), out);
    expect((await run('import', 'b.ring', 'a.jsonl')).code).toBe(EXIT.damaged);
    expect(await bags(join(folder, 'b.ring'))).toEqual([1, 3]);
  });

  test('nobody reads on: 7', async () => {
    await fill(3);
    const world = new FakeWorld(folder);
    world.readsLeft = 2;
    expect((await runIn(world, 'export', 'a.ring')).code).toBe(EXIT.outputClosed);
  });

  test('a file that was cut short is refused wherever it was cut, unless --partial', async () => {
    await fill(3);
    const { out } = await run('export', 'a.ring');
    const lastLine = out.lastIndexOf('\n', out.length - 2) + 1;
    for (const cut of [1, lastLine, lastLine + 5, out.length - 1, out.indexOf('\n') + 1]) {
      writeFileSync(join(folder, 'cut.jsonl'), out.slice(0, cut));
      const { code, err } = await run('import', 'b.ring', 'cut.jsonl');
      expect([code, err]).toEqual([EXIT.refused, expect.stringContaining('EXPORT_INVALID')]);
    }
    expect(readdirSync(folder).sort()).toEqual(['a.ring', 'cut.jsonl']);
    writeFileSync(join(folder, 'cut.jsonl'), out.slice(0, lastLine - 10));
    expect(await run('import', 'b.ring', 'cut.jsonl', '--partial')).toMatchObject({
      code: EXIT.damaged,
      out: expect.stringMatching(/3 messages.*cut short/),
    });
    expect(await bags(join(folder, 'b.ring'))).toEqual([1, 2, 3]);
  });

  test.each<[string, (out: string) => string]>([
    ['no export', () => '{"a":1}\n'],
    ['a newer version', (out) => out.replace('"version":1', '"version":2')],
    ['a message twice', (out) => out.replace(/(\{"kind":"message".*\n)/, '$1$1')],
    ['a message less', (out) => out.replace(/\{"kind":"message".*\n/, '')],
    ['a priority there is not', (out) => out.replace('"priority":3', '"priority":8')],
    ['a body that is no base64', (out) => out.replace(/"body":"..../, '"body":"!!!!')],
    ['an id that was never given', (out) => out.replace('"id":1,', '"id":999,')],
    ['words behind the end', (out) => `${out}{"kind":"meta","key":"a","value":""}\n`],
    ['no JSON', (out) => out.replace('{"kind":"meta"', '{"kind":meta')],
  ])('%s is refused with the line', async (_what, change) => {
    await fill(3);
    writeFileSync(join(folder, 'bad.jsonl'), change((await run('export', 'a.ring')).out));
    const { code, err } = await run('import', 'b.ring', 'bad.jsonl');
    expect([code, err]).toEqual([EXIT.refused, expect.stringMatching(/EXPORT_INVALID[\s\S]*line: \d+/)]);
    expect(readdirSync(folder).sort()).toEqual(['a.ring', 'bad.jsonl']);
  });
});

describe('create and resize', () => {
  test('an empty ring, which a node takes', async () => {
    expect(await run('create', 'a.ring', '2 MiB', '--allow-volatile')).toMatchObject({
      code: 0,
      out: expect.stringContaining('2 MiB'),
    });
    expect((await run('create', 'a.ring', '2 MiB', '--allow-volatile')).code).toBe(EXIT.refused);
    await fill(1);
    expect(statSync(path).size).toBe(2 * 1024 * 1024);
  });

  test('another length, the same messages', async () => {
    await fill(5);
    const { code, out } = await run('resize', 'a.ring', '3 MiB', '--json');
    expect([code, JSON.parse(out)]).toMatchObject([
      0,
      { bytesBefore: RING_BYTES, bytes: 3 * 1024 * 1024, messages: 6, home: 'kept' },
    ]);
    expect(await bags(path)).toEqual([1, 2, 3, 4, 5]);
  });

  test('not while a node has it: 5, later', async () => {
    await fill(1);
    const node = await open();
    const { code, err } = await run('resize', 'a.ring', '3 MiB');
    await node.close();
    expect([code, err]).toEqual([EXIT.later, expect.stringContaining('RING_LOCKED')]);
  });
});

test('long work says on stderr how far it is; short work says nothing', async () => {
  const world = new FakeWorld(folder);
  let nowMs = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  const running = runningOf(world, { tool: 'verify', fileBytes: 256 * 1024 * 1024 });
  for (let i = 0; i < 50; i++) {
    nowMs += 100;
    running.onRead?.(1024 * 1024);
  }
  clock.mockRestore();
  expect(world.err).toBe('ring verify: 20 MiB read, of a file of 256 MiB\nring verify: 40 MiB read, of a file of 256 MiB\n');
});

describe('beside a process that writes all the time', () => {
  const built = mkdtempSync(join(tmpdir(), 'ringmail-writer-'));
  let writer: ChildProcess | undefined;
  afterAll(() => rmSync(built, { recursive: true, force: true }));
  afterEach(() => void writer?.kill('SIGKILL'));

  /** Twenty messages that stay, then for ever one in and one out. Says when it is under way. */
  async function startWriter(): Promise<void> {
    const program = join(built, 'writer.mjs');
    const contents = `
      import { openNode } from '../shared/node/library.ts';
      const node = await openNode({ name: 'box-1', ring: process.argv[2], ringBytes: ${RING_BYTES}, allowVolatile: true });
      for (let n = 1; n <= 20; n++) await node.send('stays', new Uint8Array(900).fill(n));
      for (let n = 0; ; n++) {
        await Promise.all([1, 2, 3, 4].map(() => node.send('passes', new Uint8Array(6000).fill(n))));
        for (let i = 0; n > 3 && i < 4; i++) await (await node.receive('passes'))?.ack();
        if (n === 20) process.stdout.write('writes');
      }`;
    await esbuild.build({
      stdin: { contents, resolveDir: import.meta.dirname, loader: 'ts' },
      outfile: program,
      bundle: true,
      platform: 'node',
      format: 'esm',
      banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
      logLevel: 'error',
    });
    const child = spawn(process.execPath, [program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    writer = child;
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve());
      child.once('exit', (code) => reject(new Error(`the writer ended with ${code}`)));
    });
  }

  test('nothing is called damaged, and what stays is always there', async () => {
    await startWriter();
    for (let round = 0; round < 8; round++) {
      const inspected = await run('inspect', 'a.ring', '--json');
      expect(JSON.parse(inspected.out)).toMatchObject({ live: true, log: { gaps: [] } });
      expect(await run('verify', 'a.ring', '--bodies', 'all')).toMatchObject({
        code: 0,
        out: expect.stringContaining('nothing wrong'),
      });
      const exported = await run('export', 'a.ring', '--decode');
      expect(exported.code).toBe(0);
      const stays = jsonLines(exported.out).filter(({ envelope }) => JSON.stringify(envelope ?? '').includes('/stays:'));
      expect(stays).toHaveLength(20);
      const saved = await run('salvage', 'a.ring', `${round}.ring`, ...(round % 2 === 0 ? ['--deep'] : []));
      expect(saved).toMatchObject({ code: 0, out: expect.stringContaining(' 0 lost\n') });
    }
    expect(writer?.exitCode).toBeNull();
    writer?.kill('SIGKILL');
    await new Promise((resolve) => writer?.once('exit', resolve));
    expect(await run('verify', 'a.ring')).toMatchObject({ code: 0 });
    expect(await run('verify', '7.ring')).toMatchObject({ code: 0 });
  });
});
