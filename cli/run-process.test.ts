/** The command line as a process of its own: real pipes, real signals, real exit codes. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import * as esbuild from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../shared/node/api/api-fixture.ts';
import { CliFixture } from './cli-fixture.ts';

const built = mkdtempSync(join(tmpdir(), 'ringmail-built-'));
const program = join(built, 'cli.mjs');
let cli: CliFixture;
const children: ChildProcessWithoutNullStreams[] = [];

beforeAll(async () => {
  const contents = `
    import { runProcess } from './run-process.ts';
    const oh = () => { throw new TypeError('oh'); };
    await runProcess({
      send: async () => (await import('./send.ts')).send,
      receive: async () => (await import('./receive.ts')).receive,
      buggy: async () => ({ name: 'buggy', summary: '', run: async () => oh() }),
      'buggy-later': async () => ({ name: 'buggy-later', summary: '', run: () => new Promise(() => setTimeout(oh)) }),
    });`;
  await esbuild.build({
    stdin: { contents, resolveDir: import.meta.dirname, loader: 'ts' },
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['*/local-node.ts'], // these commands find their node behind its socket
    logLevel: 'warning',
  });
});
afterAll(() => rmSync(built, { recursive: true, force: true }));
beforeEach(async () => {
  cli = new CliFixture();
  await cli.serve();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await cli.end();
});

function start(...argv: string[]): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [program, ...argv], { cwd: cli.folder });
  children.push(child);
  return child;
}

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function ended(child: ChildProcessWithoutNullStreams): Promise<Ended> {
  return new Promise((resolve) => {
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (err += chunk));
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

/** Whether a process has a handler for a signal [proc(5), SigCgt]. */
function catches(pid: number | undefined, signal: number): boolean {
  const [, mask = '0'] = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}

async function put(body: string): Promise<void> {
  await cli.node.call({ verb: 'send', destination: 'bags', body: new Uint8Array(Buffer.from(body)), properties: {} });
}

test('sends what it is piped and prints the identity', async () => {
  const child = start('send', 'bags', '-');
  const bytes = Uint8Array.from({ length: 1024 }, (_, i) => i % 256);
  child.stdin.end(bytes);
  expect(await ended(child)).toEqual({ code: 0, out: 'belt1:00c0ffee00c0ffee:belt1/bags:3:1\n', err: '' });
  expect(cli.node.calls.at(-1)).toMatchObject({ body: bytes });
});

test('a long body is printed whole before the process ends', async () => {
  const body = 'x'.repeat(190 * 1024);
  await put(body);
  expect(await ended(start('receive', 'bags'))).toEqual({ code: 0, out: `${body}\n`, err: '' });
});

test('what cannot be printed because the reader is gone goes back, with exit code 7 and no noise', async () => {
  await put('first');
  const child = start('receive', 'bags', '--follow');
  const end = ended(child);
  await new Promise((resolve) => child.stdout.once('data', resolve));
  await until(() => cli.node.waiting.length === 1);
  child.stdout.destroy();
  await new Promise((resolve) => child.stdout.once('close', resolve));
  await put('second');
  expect(await end).toMatchObject({ code: 7, err: '' });
  expect(cli.node.queues.get('bags')?.length).toBe(1);
});

test('what cannot be printed because the disk is full goes back', async ({ skip }) => {
  skip(process.platform !== 'linux', 'there is no /dev/full');
  await put('first');
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [program, 'receive', 'bags'], { cwd: cli.folder, stdio: ['ignore', full, 'ignore'] });
  const code = await new Promise((resolve) => child.on('close', resolve));
  closeSync(full);
  expect(code).toBe(7);
  expect(cli.node.queues.get('bags')?.length).toBe(1);
});

describe('asked to end', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('by %s, a follower ends with success', async (signal) => {
    cli.node.queues.set('bags', []);
    const child = start('receive', 'bags', '--follow');
    const end = ended(child);
    await until(() => cli.node.waiting.length === 1);
    child.kill(signal);
    expect(await end).toEqual({ code: 0, out: '', err: '' });
  });

  test('a send that waits for its body sends nothing', async ({ skip }) => {
    skip(process.platform !== 'linux', 'there is no /proc to see when the process listens to signals');
    const child = start('send', 'bags');
    const end = ended(child);
    child.stdin.write('half');
    await until(() => catches(child.pid, constants.signals.SIGHUP)); // the last one it listens to; Node itself leaves it alone
    child.kill('SIGINT');
    expect(await end).toMatchObject({ code: 130, out: '' });
    expect(cli.node.calls).toEqual([]);
  });

  test('twice, a command that still waits for the node ends at once', async () => {
    cli.node.disk = new Promise(() => {});
    const child = start('send', 'bags', 'x');
    const end = ended(child);
    await until(() => cli.node.calls.length > 0);
    child.kill('SIGINT');
    child.kill('SIGTERM');
    expect([130, 143]).toContain((await end).code);
  });
});

test.each(['buggy', 'buggy-later'])('a bug has its own exit code and shows where it is: %s', async (command) => {
  const { code, err } = await ended(start(command));
  expect([code, err]).toEqual([70, expect.stringMatching(/^ringmail: a bug: TypeError: oh\n +at /)]);
});
