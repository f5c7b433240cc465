/**
 * One owner for a ring file. Three ways, the first that the machine has:
 *
 *   flock    flock(1) run on our own descriptor: the lock belongs to the open file, stays when the helper is gone, and ends with the
 *            last descriptor, however the process dies
 *   socket   a name in Linux' abstract socket namespace made of device and inode: ends with the process; per network namespace
 *   file     `<path>.lock` with pid, boot and start time of the owner: the only one that must be judged for being left over
 *
 * Two owners that use different ways do not see each other; the ring's epoch fence is what stands behind all three.
 */
import { spawnSync } from 'node:child_process';
import { fstatSync, linkSync, readdirSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { RingmailError } from '../errors.ts';

export type LockMethod = 'flock' | 'socket' | 'file';

export interface Lock {
  readonly method: LockMethod;
  /** Before the descriptor is closed. */
  release(): void;
}

interface OpenFile {
  readonly fd: number;
  readonly path: string;
}

type Attempt = Lock | 'taken' | 'unavailable';

const METHODS: readonly LockMethod[] = ['flock', 'socket', 'file'];
const FLOCK_MS_MAX = 5_000;
/** Descriptors looked at to name the owner, at most. */
const DESCRIPTORS_MAX = 50_000;

/** Takes the lock. @throws RING_LOCKED, which names the owner where the machine tells */
export async function lockFile(file: OpenFile, methods: readonly LockMethod[] = METHODS): Promise<Lock> {
  const lock = await tryLock(file, methods);
  if (lock === undefined) throw new RingmailError('RING_LOCKED', { path: file.path, owner: ownerOf(file) });
  return lock;
}

/** Undefined when it is taken, by whomever: finding that out takes longer. @throws RING_UNAVAILABLE */
export async function tryLock(file: OpenFile, methods: readonly LockMethod[] = METHODS): Promise<Lock | undefined> {
  for (const method of methods) {
    const attempt = await attemptLock(file, method);
    if (attempt === 'taken') return undefined;
    if (attempt !== 'unavailable') return attempt;
  }
  throw new RingmailError('RING_UNAVAILABLE', { path: file.path, reason: `cannot be locked by ${methods.join(', ')}` });
}

function attemptLock(file: OpenFile, method: LockMethod): Attempt | Promise<Attempt> {
  switch (method) {
    case 'flock':
      return attemptFlock(file.fd);
    case 'socket':
      return attemptSocket(file.fd);
    case 'file':
      return attemptLockFile(`${file.path}.lock`);
  }
}

function attemptFlock(fd: number): Attempt {
  const { error, status } = spawnSync('flock', ['-n', '-x', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', fd],
    timeout: FLOCK_MS_MAX,
  });
  if (error !== undefined) return 'unavailable';
  if (status === 1) return 'taken';
  return status === 0 ? { method: 'flock', release: () => {} } : 'unavailable';
}

function attemptSocket(fd: number): Promise<Attempt> {
  if (process.platform !== 'linux') return Promise.resolve('unavailable');
  const { dev, ino } = fstatSync(fd);
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRINUSE' ? 'taken' : 'unavailable'));
    server.listen(`\0ringmail-${dev}-${ino}`, () => {
      server.unref();
      resolve({ method: 'socket', release: () => server.close() });
    });
  });
}

/** What tells a process from a later one with the same pid. */
interface Owner {
  readonly pid: number;
  readonly boot: string;
  readonly startTime: string;
}

function attemptLockFile(path: string): Attempt {
  const mine = JSON.stringify(ownerFor(process.pid));
  const lock: Lock = { method: 'file', release: () => unlinkSync(path) };
  if (createExclusively(path, mine)) return lock;
  const theirs = textOf(path);
  const owner = parseOwner(theirs);
  if (owner !== undefined && JSON.stringify(ownerFor(owner.pid)) === JSON.stringify(owner)) return 'taken';
  // Left over. Moved aside first: whoever is as quick as we are has taken it away by now, and its new one is put back.
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
    if (textOf(aside) !== theirs) linkSync(aside, path);
    unlinkSync(aside);
  } catch {
    return 'taken'; // gone from under us: somebody else is about to own it
  }
  return createExclusively(path, mine) ? lock : 'taken';
}

function createExclusively(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function parseOwner(text: string): Owner | undefined {
  try {
    const owner: unknown = JSON.parse(text);
    const isOwner = typeof owner === 'object' && owner !== null && typeof (owner as Owner).pid === 'number';
    return isOwner ? (owner as Owner) : undefined;
  } catch {
    return undefined; // cut short by a power cut: nobody's
  }
}

/** The process with this pid as it is now; empty start time when there is none. */
function ownerFor(pid: number): Owner {
  const stat = textOf(`/proc/${pid}/stat`);
  // Fields are counted behind the name, which may hold blanks: start time is the 22nd of all, the 20th behind it [proc(5)].
  const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  return { pid, boot: textOf('/proc/sys/kernel/random/boot_id').trim(), startTime: startTime || aliveMark(pid) };
}

/** Where there is no /proc: whether the process is alive is all that can be known. */
function aliveMark(pid: number): string {
  try {
    process.kill(pid, 0);
    return 'alive';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? 'alive' : 'dead';
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // not there, or not ours to read
  }
}

/** Who has the file open, as far as /proc shows. */
function ownerOf({ fd }: OpenFile): string {
  const { dev, ino } = fstatSync(fd);
  let left = DESCRIPTORS_MAX;
  const holds = (pid: string): number => {
    const descriptors = namesIn(`/proc/${pid}/fd`).slice(0, left);
    left -= descriptors.length;
    return descriptors.filter((name) => {
      const found = statOf(`/proc/${pid}/fd/${name}`);
      return found?.dev === dev && found.ino === ino;
    }).length;
  };
  const others = namesIn('/proc').filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  const pid = others.find((name) => holds(name) > 0);
  if (pid !== undefined) return `process ${pid} (${textOf(`/proc/${pid}/comm`).trim()})`;
  return holds(String(process.pid)) > 1 ? 'this process' : 'unknown';
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // another user's, or gone
  }
}

function statOf(path: string): { dev: number; ino: number } | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined; // closed meanwhile, or a socket
  }
}
