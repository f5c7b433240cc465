/**
 * Where a hall keeps everything. The path of a Unix socket has 107 bytes at most; where the directory lies too deep for that, a short
 * name leads to it, and everything is called by that.
 */

import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, rmdir, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SOCKET_PATH_BYTES_MAX } from '../../shared/node/config/line-address.ts';

/** What names of sockets in it may have, in bytes. */
export const SOCKET_NAME_BYTES_MAX = 24;

export interface HallDirectory {
  /** As it is used. */
  readonly path: string;
  /** As people find it. */
  readonly place: string;
  /** Takes it away, with everything in it. */
  remove(): Promise<void>;
  /** Leaves it; only the short name goes. */
  keep(): Promise<void>;
}

/** Makes a fresh one below `parent`. */
export async function makeHallDirectory(parent: string): Promise<HallDirectory> {
  const place = join(parent, `demo-${randomBytes(4).toString('hex')}`);
  await mkdir(place, { recursive: true });
  const remove = async (): Promise<void> => {
    await rm(place, { recursive: true, force: true });
    await rmdir(parent).catch(() => undefined); // not empty: others have something there, and it stays
  };
  if (Buffer.byteLength(place) + 1 + SOCKET_NAME_BYTES_MAX <= SOCKET_PATH_BYTES_MAX) {
    return { path: place, place, remove, keep: async () => {} };
  }
  const shortcut = await mkdtemp(join(tmpdir(), 'ringmail-'));
  const path = join(shortcut, 'hall');
  await symlink(place, path);
  const keep = (): Promise<void> => rm(shortcut, { recursive: true, force: true });
  return { path, place, keep, remove: async () => void (await Promise.all([keep(), remove()])) };
}
