/**
 * Makes a ring file: real zeros, so that no later write changes the file system's own tables or finds no space; synced before it
 * gets its name, so that a file of that name is always a whole ring.
 *
 *   path.tmp, locked ─▶ zeros, fsync ─▶ superblocks, fsync ─▶ link to path ─▶ unlink path.tmp ─▶ fsync of the directory
 */
import { existsSync } from 'node:fs';
import { type FileHandle, link, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { invariant } from '../assert.ts';
import { hasCode, RingmailError } from '../errors.ts';
import { formatRing } from '../ring/file-steps.ts';
import { fileBytesOf, geometryFor, type RingGeometry } from '../ring/geometry.ts';
import { lockFile } from './lock.ts';
import { syncDirectory } from './ring-file.ts';
import { refuseVolatile } from './volatile.ts';

export interface CreateRingOptions {
  /** At most; rounded down to whole blocks. */
  readonly fileBytes: number;
  /** 16 random bytes: what tells this file's frames from all others. */
  readonly fileId: Uint8Array;
  readonly blockBytes?: number;
  readonly volatile?: 'refuse' | 'allow';
}

const CHUNK_BYTES = 1024 * 1024;
const FILE_ID_BYTES = 16;

/**
 * Makes a new ring file. Never touches one that is there.
 * @throws RING_SIZE_INVALID, RING_EXISTS, RING_LOCKED while another process makes it, RING_VOLATILE, RING_UNAVAILABLE
 */
export async function createRing(path: string, options: CreateRingOptions): Promise<RingGeometry> {
  invariant(options.fileId.length === FILE_ID_BYTES, 'a file id has 16 bytes');
  const geometry = geometryFor(options.fileBytes, options.blockBytes);
  if (existsSync(path)) throw new RingmailError('RING_EXISTS', { path });
  try {
    await refuseVolatile(path, options.volatile ?? 'refuse');
    await create(path, geometry, options.fileId);
    return geometry;
  } catch (error) {
    if (error instanceof RingmailError) throw error;
    throw new RingmailError('RING_UNAVAILABLE', { path, reason: error instanceof Error ? error.message : String(error) });
  }
}

async function create(path: string, geometry: RingGeometry, fileId: Uint8Array): Promise<void> {
  const unfinished = `${path}.tmp`;
  const file = await openUnfinished(unfinished);
  try {
    const lock = await lockFile({ fd: file.fd, path: unfinished });
    try {
      await checkIsOurs(file, { unfinished, path });
      await fill(file, fileBytesOf(geometry));
      for (const write of formatRing(geometry, fileId)) {
        if (write.kind === 'write') await writeAll(file, write.bytes, write.offset);
      }
      await file.sync();
      await giveName(unfinished, path);
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
  } finally {
    await file.close();
  }
}

/** A new file of that name; one that a power cut left behind is emptied, one that is being made is locked, which the caller finds. */
export async function openUnfinished(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx+', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return open(path, 'r+');
  }
}

/** Between opening and locking it, whoever made it may have finished: then it has another name by now, and is a ring. */
export async function checkIsOurs(file: FileHandle, names: { unfinished: string; path: string }): Promise<void> {
  const [opened, named] = [await file.stat(), await stat(names.unfinished).catch(() => undefined)];
  if (opened.nlink !== 1 || named?.ino !== opened.ino) throw new RingmailError('RING_EXISTS', { path: names.path });
}

export async function writeAll(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await file.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
}

export async function fill(file: FileHandle, bytes: number): Promise<void> {
  await file.truncate(0);
  const zeros = new Uint8Array(CHUNK_BYTES);
  for (let offset = 0; offset < bytes; offset += CHUNK_BYTES) {
    await writeAll(file, zeros.subarray(0, Math.min(CHUNK_BYTES, bytes - offset)), offset);
  }
  await file.sync();
}

/** Unlike a rename, a link never replaces what has that name. Where the file system has no links, nothing better than looking is left. */
export async function giveName(unfinished: string, path: string): Promise<void> {
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
