/**
 * Whether somebody has a ring file open, found without touching its lock: a lock that is only tried would turn away an owner who
 * comes at that moment. The kernel lists locks and names; where it does not, nobody knows.
 *
 *   flock    /proc/locks, by inode      socket   /proc/net/unix, by device and inode      file   `<path>.lock`
 */
import { existsSync, readFileSync, statSync } from 'node:fs';

/** `none`: no owner is in sight. In a container others' locks may be out of sight. */
export type OwnerSeen = 'held' | 'none' | 'unknown';

export function ownerSeen(path: string, proc = '/proc'): OwnerSeen {
  const locks = textOf(`${proc}/locks`);
  if (existsSync(`${path}.lock`)) return 'held';
  if (locks === undefined) return 'unknown';
  const stat = inodeOf(path);
  if (stat === undefined) return 'unknown';
  // "1: FLOCK  ADVISORY  WRITE 1234 fd:01:5678 0 EOF": the device is that of the file system below, which may have another number.
  const isLocked = locks
    .split('\n')
    .some((line) => /\bFLOCK\b.*\bWRITE\b/.test(line) && line.split(' ').some((word) => word.endsWith(`:${stat.ino}`)));
  const name = `@ringmail-${stat.dev}-${stat.ino}`;
  const isNamed = (textOf(`${proc}/net/unix`) ?? '').split('\n').some((line) => line.endsWith(` ${name}`));
  return isLocked || isNamed ? 'held' : 'none';
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // not Linux, or not ours to read
  }
}

function inodeOf(path: string): { dev: number; ino: number } | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined; // whoever opens it says why
  }
}
