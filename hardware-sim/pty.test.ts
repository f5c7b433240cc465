import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { openPty, type Pty, ptysAvailable } from './pty.ts';

const missing = await ptysAvailable();

const opened: Pty[] = [];
async function opens(): Promise<Pty> {
  const pty = await openPty();
  opened.push(pty);
  return pty;
}
afterEach(() => Promise.all(opened.splice(0).map((pty) => pty.close())));

const allBytes = Uint8Array.from({ length: 256 }, (_, i) => i);

function recorder() {
  const seen = { bytes: [] as number[], closed: [] as string[] };
  return {
    seen,
    onBytes: (bytes: Uint8Array) => void seen.bytes.push(...bytes),
    onClosed: (reason: string) => void seen.closed.push(reason),
  };
}

describe.skipIf(missing !== undefined)(`pseudo-terminals${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  test('carry all 256 bytes both ways, unchanged, from the first one on', async () => {
    const pty = await opens();
    const ours = recorder();
    pty.listen(ours);
    pty.write(allBytes);
    const terminal = await open(pty.path, 'r+');
    await terminal.write(allBytes);
    const buffer = new Uint8Array(256);
    for (let length = 0; length < 256; ) length += (await terminal.read(buffer, length)).bytesRead;
    await vi.waitFor(() => expect(ours.seen.bytes).toEqual([...allBytes]));
    expect(buffer).toEqual(allBytes);
    await terminal.close();
  });

  test('stay when whoever opened them goes, and serve the next one', async () => {
    const pty = await opens();
    const ours = recorder();
    pty.listen(ours);
    for (const byte of [1, 2]) {
      const terminal = await open(pty.path, 'r+');
      await terminal.write(Uint8Array.of(byte));
      await terminal.close();
    }
    await vi.waitFor(() => expect(ours.seen).toEqual({ bytes: [1, 2], closed: [] }));
  });

  test('close once, with their processes, whoever waits for it', async () => {
    const pty = await opens();
    const ours = recorder();
    pty.listen(ours);
    const terminal = await open(pty.path, 'r+');
    await Promise.all([pty.close(), pty.close()]);
    expect(ours.seen.closed).toEqual(['closed']);
    expect(pty.write(allBytes)).toBe(0);
    await expect(terminal.write(allBytes)).rejects.toMatchObject({ code: 'EIO' });
    await terminal.close();
  });

  test('make their writers wait while paused, and lose nothing', async () => {
    const pty = await opens();
    const ours = recorder();
    pty.listen(ours);
    pty.pause();
    const terminal = await open(pty.path, 'r+');
    const writing = terminal.write(new Uint8Array(300_000).fill(7));
    await expect(Promise.race([writing, new Promise((resolve) => setTimeout(resolve, 150, 'waits'))])).resolves.toBe('waits');
    pty.resume();
    await writing;
    await vi.waitFor(() => expect(ours.seen.bytes.length).toBe(300_000), 5000);
    await terminal.close();
  });

  test('die with the process that opened them, even when that is killed', async () => {
    const { code } = await bundled(join(import.meta.dirname, 'pty.ts'));
    const program = `${code}\nconsole.log((await openPty()).path); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const path = await new Promise<string>((resolve) => child.stdout.once('data', (chunk: Buffer) => resolve(`${chunk}`.trim())));
    const inside = processesOn(path);
    expect(inside.length).toBeGreaterThan(0);
    child.kill('SIGKILL');
    await vi.waitFor(() => expect(existsSync(path)).toBe(false), 5000);
    await vi.waitFor(() => expect(inside.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]), 5000);
  });
});

/** Puts a shell script in the place of `setpriv`, and so of the whole terminal. */
async function instead(body: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ringmail-'));
  await writeFile(join(folder, 'setpriv'), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true });
  });
}

test('what comes right behind the path belongs to the stream', async () => {
  await instead("printf '/dev/pts/99\\r\\nearly '; exec cat");
  const pty = await opens();
  expect(pty.path).toBe('/dev/pts/99');
  pty.write(new TextEncoder().encode('late'));
  const ours = recorder();
  pty.listen(ours);
  await vi.waitFor(() => expect(String.fromCharCode(...ours.seen.bytes)).toBe('early late'));
});

test.each([
  ['something else than a path', 'echo usage: script; exec sleep 60', 'script printed "usage: script" instead of a terminal'],
  ['a line without end', 'head -c 1000 /dev/zero; exec sleep 60', 'script printed "" instead of a terminal'],
  ['nothing', 'exec sleep 60', 'no terminal within 300 ms'],
  ['its complaint and ends', 'echo no more ptys >&2', 'no more ptys'],
])('refuses a program that prints %s, and ends it', async (_name, body, reason) => {
  await instead(`echo $$ > "$(dirname "$0")/pid"; ${body}`);
  const pidFile = join(process.env.PATH?.split(':')[0] ?? '', 'pid');
  await expect(openPty({ timeoutMs: 300 })).rejects.toThrow(reason);
  const pid = (await readFile(pidFile, 'latin1')).trim();
  await vi.waitFor(() => expect(existsSync(`/proc/${pid}`)).toBe(false));
});

test('says why when a program is missing, and leaves nothing behind', async () => {
  vi.stubEnv('PATH', '/nonexistent');
  await expect(ptysAvailable()).resolves.toMatch(/^no pseudo-terminals: .*setpriv/);
  vi.unstubAllEnvs();
});

async function bundled(entry: string): Promise<{ code: string }> {
  const result = await build({ entryPoints: [entry], bundle: true, write: false, format: 'esm', platform: 'node' });
  return { code: result.outputFiles[0]?.text ?? '' };
}

/** Processes whose standard input is this terminal. */
function processesOn(path: string): string[] {
  const pids = readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name));
  return pids.filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/0`) === path;
    } catch {
      // Gone meanwhile, or without standard input.
      return false;
    }
  });
}
