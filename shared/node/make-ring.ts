/**
 * Makes a ring file that holds something from the start: all of it is written and synced under another name before it gets its own.
 *
 *   path.tmp, locked ─▶ zeros ─▶ log and superblocks ─▶ fsync ─▶ link to path, or rename over it ─▶ fsync of the directory
 *
 * Until the name is given there is no new ring; from then on it is whole. A power cut anywhere leaves one or the other.
 */
import { existsSync } from 'node:fs';
import { type FileHandle, link, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasCode, RingmailError } from '../errors.ts';
import type { FileSteps } from '../ring/file-steps.ts';
import { fileBytesOf, type RingGeometry } from '../ring/geometry.ts';
import { lockFile } from './lock.ts';
import { type RingReader, type Running, runSteps } from './read-ring.ts';
import { syncDirectory } from './ring-file.ts';

const CHUNK_BYTES = 1024 * 1024;

/** What was done last. In this order. */
export const MAKE_STEPS = ['opened', 'filled', 'written', 'synced', 'named', 'name-synced'] as const;
export type MakeStep = (typeof MAKE_STEPS)[number];

export interface MakeRingOptions {
  readonly geometry: RingGeometry;
  /** `never`: a file of that name is left alone. `always`: the new one takes its place at once. */
  readonly replace: 'never' | 'always';
  readonly running?: Running;
  /** Of the new file; 0600 otherwise. */
  readonly owner?: { readonly mode: number; readonly uid: number; readonly gid: number };
  /** Called after each step; for who has to know that the order is kept. */
  readonly onStep?: (step: MakeStep) => void;
}

/** The new file while it is filled. */
export interface Filling {
  /** Its name until it is finished; its inode stays. */
  readonly unfinished: string;
  /** Reads from the given ring, writes into the new file. */
  run<T>(steps: FileSteps<T>, from?: Pick<RingReader, 'read'>): Promise<T>;
}

/**
 * `fillIn` writes the log and the superblocks. When it fails there is no new file.
 * @throws RING_EXISTS, RING_LOCKED while another process makes it, RING_UNAVAILABLE
 */
export async function makeRing<T>(path: string, options: MakeRingOptions, fillIn: (file: Filling) => Promise<T>): Promise<T> {
  if (options.replace === 'never' && existsSync(path)) throw new RingmailError('RING_EXISTS', { path });
  try {
    return await make(path, options, fillIn);
  } catch (error) {
    if (error instanceof RingmailError || (error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new RingmailError('RING_UNAVAILABLE', { path, reason: (error as Error).message });
  }
}

async function make<T>(path: string, options: MakeRingOptions, fillIn: (file: Filling) => Promise<T>): Promise<T> {
  const { onStep = () => {}, owner, running = {} } = options;
  const unfinished = `${path}.tmp`;
  const file = await openUnfinished(unfinished);
  try {
    const lock = await lockFile({ fd: file.fd, path: unfinished });
    let result: T;
    try {
      await checkIsOurs(file, { unfinished, path });
      onStep('opened');
      if (owner !== undefined) {
        await file.chmod(owner.mode);
        await file.chown(owner.uid, owner.gid).catch(() => {
          // Only root may give files away; whoever resizes a ring of another user as that user does not need it.
        });
      }
      await fill(file, fileBytesOf(options.geometry));
      onStep('filled');
      const write = (offset: number, bytes: Uint8Array) => writeAll(file, bytes, offset);
      const run = <R>(steps: FileSteps<R>, from?: Pick<RingReader, 'read'>) =>
        runSteps(steps, { read: from?.read ?? (() => undefined), write }, running);
      result = await fillIn({ unfinished, run });
      onStep('written');
      await file.sync();
      onStep('synced');
      if (options.replace === 'never') await giveName(unfinished, path);
      else await rename(unfinished, path);
      onStep('named');
    } catch (error) {
      // What was finished meanwhile is not ours to remove.
      if (!hasCode(error, 'RING_EXISTS')) {
        await unlink(unfinished).catch(() => {
          // The first error is the one to tell; what cannot be removed is emptied and filled by the next attempt.
        });
      }
      throw error;
    } finally {
      lock.release();
    }
    await syncDirectory(dirname(path));
    onStep('name-synced');
    return result;
  } finally {
    await file.close();
  }
}

/** A new file of that name; one that a power cut left behind is emptied, one that is being made is locked, which the caller finds. */
async function openUnfinished(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx+', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return open(path, 'r+');
  }
}

/** Between opening and locking it, whoever made it may have finished: then it has another name by now, and is a ring. */
async function checkIsOurs(file: FileHandle, names: { unfinished: string; path: string }): Promise<void> {
  const [opened, named] = [await file.stat(), await stat(names.unfinished).catch(() => undefined)];
  if (opened.nlink !== 1 || named?.ino !== opened.ino) throw new RingmailError('RING_EXISTS', { path: names.path });
}

async function writeAll(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await file.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
}

async function fill(file: FileHandle, bytes: number): Promise<void> {
  await file.truncate(0);
  const zeros = new Uint8Array(CHUNK_BYTES);
  for (let offset = 0; offset < bytes; offset += CHUNK_BYTES) {
    await writeAll(file, zeros.subarray(0, Math.min(CHUNK_BYTES, bytes - offset)), offset);
  }
  await file.sync();
}

/** Unlike a rename, a link never replaces what has that name. Where the file system has no links, nothing better than looking is left. */
async function giveName(unfinished: string, path: string): Promise<void> {
  try {
    await link(unfinished, path);
  } catch {
    const isTaken = (await stat(path).catch(() => undefined)) !== undefined;
    if (!isTaken) return rename(unfinished, path);
    await unlink(unfinished);
    throw new RingmailError('RING_EXISTS', { path });
  }
  await unlink(unfinished);
}
