import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lockFile } from '../lock.ts';
import { FakeNode } from './fake-node.ts';
import { type ApiServer, serveApi } from './server.ts';
import { listenOnSocket } from './socket-file.ts';

let folder: string;
let path: string;
const servers: (Server | ApiServer)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringmail-socket-'));
  path = join(folder, 's');
});
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise<unknown>((resolve) => resolve(server.close()));
  rmSync(folder, { recursive: true, force: true });
});

function newServer(): Server {
  const server = createServer((socket) => socket.end());
  servers.push(server);
  return server;
}

/** A socket whose process died without removing it. */
function leaveStaleSocket(at: string): void {
  const script = `require('net').createServer().listen(${JSON.stringify(at)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
  expect(lstatSync(at).isSocket()).toBe(true);
}

function answers(at: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(at, () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.resume();
  });
}

test.each([0o600, 0o660, 0o666])('has the rights that were asked for, %o, and the process keeps its mask', async (mode) => {
  const mask = process.umask();
  await listenOnSocket(newServer(), path, mode);
  expect(lstatSync(path).mode & 0o777).toBe(mode);
  expect(process.umask()).toBe(mask);
});

test('replaces a socket that a dead process left', async () => {
  leaveStaleSocket(path);
  await listenOnSocket(newServer(), path, 0o600);
  expect(await answers(path)).toBe(true);
  expect(readdirSync(folder)).toEqual(['s']);
});

test('leaves a living socket alone', async () => {
  await listenOnSocket(newServer(), path, 0o600);
  const before = lstatSync(path).ino;
  await expect(listenOnSocket(newServer(), path, 0o600)).rejects.toMatchObject({
    code: 'SOCKET_IN_USE',
    details: { socket: path },
  });
  expect(lstatSync(path).ino).toBe(before);
  expect(await answers(path)).toBe(true);
});

test('of many that find the same dead socket one gets it, and it stays reachable', async () => {
  leaveStaleSocket(path);
  await claimThrice();
});

async function claimThrice(): Promise<void> {
  const claims = Array.from({ length: 3 }, () => listenOnSocket(newServer(), path, 0o600));
  const outcomes = await Promise.allSettled(claims);
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason.code).toBe('SOCKET_IN_USE');
  expect(await answers(path)).toBe(true);
}

test('on a machine so slow that each look at the lock takes half a second, who waits for it does not hold up who has it', async () => {
  leaveStaleSocket(path);
  const real = spawnSync('sh', ['-c', 'command -v flock'], { encoding: 'utf8' }).stdout.trim();
  const programs = mkdtempSync(join(tmpdir(), 'ringmail-slow-'));
  writeFileSync(join(programs, 'flock'), `#!/bin/sh\nsleep 0.5\nexec ${real} "$@"\n`, { mode: 0o755 });
  const { PATH } = process.env;
  process.env.PATH = `${programs}:${PATH}`;
  try {
    await claimThrice();
  } finally {
    process.env.PATH = PATH;
    rmSync(programs, { recursive: true });
  }
});

test('leaves even a dead socket alone while another process is at it', async () => {
  leaveStaleSocket(path);
  const before = lstatSync(path).ino;
  const other = await open(folder, 'r');
  const lock = await lockFile({ fd: other.fd, path: folder });
  const claimed = listenOnSocket(newServer(), path, 0o600);
  await sleep(150);
  expect([lstatSync(path).ino, await answers(path)]).toEqual([before, false]);
  lock.release();
  await other.close();
  await claimed;
  expect(await answers(path)).toBe(true);
});

test('does not touch a file that is no socket', async () => {
  writeFileSync(path, 'precious');
  await expect(listenOnSocket(newServer(), path, 0o600)).rejects.toMatchObject({ code: 'SOCKET_UNUSABLE' });
  expect(readFileSync(path, 'utf8')).toBe('precious');
});

describe('says why a path cannot be used', () => {
  test.each<[string, () => string]>([
    ['no such folder', () => join(folder, 'absent', 's')],
    ['too long', () => join(folder, 'x'.repeat(120))],
    ['a folder', () => folder],
    ['in a file', () => join(path, 's')],
  ])('%s', async (_name, pathOf) => {
    writeFileSync(path, '');
    await expect(listenOnSocket(newServer(), pathOf(), 0o600)).rejects.toMatchObject({ code: 'SOCKET_UNUSABLE' });
  });

  test('no rights', async ({ skip }) => {
    skip(process.getuid?.() === 0, 'root may write everywhere');
    chmodSync(folder, 0o500);
    await expect(listenOnSocket(newServer(), path, 0o600)).rejects.toMatchObject({ code: 'SOCKET_UNUSABLE' });
    chmodSync(folder, 0o700);
  });
});

test('the server gives up the socket when it closes, and it can be served again', async () => {
  for (let round = 0; round < 2; round++) {
    const api = await serveApi(new FakeNode(), { socketPath: path, mode: 0o600 });
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    await api.close();
    expect(existsSync(path)).toBe(false);
  }
});
