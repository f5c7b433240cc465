/**
 * A Unix socket as a file: who may write to it may connect.
 *
 *   listen ──ok──────────────────────────▶ serving
 *     │ something lies there
 *     ├── not a socket ──────────────────▶ SOCKET_UNUSABLE
 *     └── a socket: connect to it
 *           ├── answers, or refuses us ──▶ SOCKET_IN_USE
 *           └── nobody listens: removed, then listen again
 *
 * All of it under a lock on the folder, released with the descriptor. Without it two processes that find the same dead socket could
 * each remove what the other has just made, and a socket that is bound and does not listen yet looks like a dead one.
 */
import { type FileHandle, lstat, open, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RingmailError } from '../../errors.ts';
import { SOCKET_PATH_BYTES_MAX } from '../config/line-address.ts';
import { type Lock, lockFile, tryLock } from '../lock.ts';

/** Other processes hold the lock for a few milliseconds each. */
const LOCK_MS_MAX = 5_000;
const LOCK_RETRY_MS = 50;

/** Those of this process come one after the other: looking at the lock stops the process, and with it who has the lock. */
let turn: Promise<void> = Promise.resolve();

/**
 * Listens on `socketPath`, which has the rights `mode` from its first moment. A socket that a dead process left is replaced, a living
 * one never. The server removes the file when it closes. @throws SOCKET_IN_USE, SOCKET_UNUSABLE
 */
export async function listenOnSocket(server: Server, socketPath: string, mode: number): Promise<void> {
  if (Buffer.byteLength(socketPath) > SOCKET_PATH_BYTES_MAX) {
    throw unusable(socketPath, `longer than ${SOCKET_PATH_BYTES_MAX} bytes`);
  }
  const mine = turn.then(() => lockAndClaim(server, socketPath, mode));
  turn = mine.catch(() => {}); // told to whose turn it was
  await mine;
}

async function lockAndClaim(server: Server, socketPath: string, mode: number): Promise<void> {
  const folder = await open(dirname(socketPath), 'r').catch((error: Error) => {
    throw unusable(socketPath, error.message);
  });
  try {
    const lock = await lockFolder(folder, socketPath);
    try {
      await claim(server, socketPath, mode);
    } finally {
      lock.release();
    }
  } finally {
    await folder.close();
  }
}

async function lockFolder({ fd }: FileHandle, socketPath: string): Promise<Lock> {
  const deadlineMs = performance.now() + LOCK_MS_MAX;
  try {
    while (performance.now() < deadlineMs) {
      const lock = await tryLock({ fd, path: socketPath });
      if (lock !== undefined) return lock;
      await sleep(LOCK_RETRY_MS);
    }
    return await lockFile({ fd, path: socketPath });
  } catch (error) {
    throw error instanceof RingmailError ? unusable(socketPath, error.message) : error;
  }
}

async function claim(server: Server, socketPath: string, mode: number): Promise<void> {
  const error = await tryListen(server, socketPath, mode);
  if (error === undefined) return;
  if (error.code !== 'EADDRINUSE') throw unusable(socketPath, error.message);
  await removeDead(socketPath);
  const again = await tryListen(server, socketPath, mode);
  if (again !== undefined) throw unusable(socketPath, again.message);
}

function tryListen(server: Server, socketPath: string, mode: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      server.off('listening', onListening);
      resolve(error);
    };
    const onListening = (): void => {
      server.off('error', onError);
      resolve(undefined);
    };
    server.once('error', onError);
    server.once('listening', onListening);
    // `listen` makes the file before it returns: with this mask it never has wider rights, not for a moment.
    const mask = process.umask(0o777 & ~mode);
    try {
      server.listen(socketPath);
    } finally {
      process.umask(mask);
    }
  });
}

async function removeDead(socketPath: string): Promise<void> {
  const found = await lstat(socketPath).catch(absent);
  if (found === undefined) return;
  if (!found.isSocket()) throw unusable(socketPath, 'something that is not a socket lies there');
  if (await isAlive(socketPath)) throw new RingmailError('SOCKET_IN_USE', { socket: socketPath });
  await unlink(socketPath).catch(absent);
}

/** False only when it is certain that nobody listens. */
function isAlive(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'));
  });
}

/** Its owner removed it meanwhile: what was to be done is done. */
function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}

function unusable(socket: string, reason: string): RingmailError<'SOCKET_UNUSABLE'> {
  return new RingmailError('SOCKET_UNUSABLE', { socket, reason });
}
