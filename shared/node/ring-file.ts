/**
 * The ring file on a real file system.
 *
 *   write   back when the medium says that it has the bytes: one write(2) with O_DSYNC, or write(2) and fdatasync(2), whichever is
 *           quicker here (sync-method.ts; only the latter anywhere but on Linux). Inline or in the thread pool, as measured.
 *   read    pread(2) inline: what is read was written lately, or is read ahead by the kernel
 *   fence   pread(2) right before the write
 */
import * as fs from 'node:fs';
import { open } from 'node:fs/promises';
import { invariant } from '../assert.ts';
import { RingmailError } from '../errors.ts';
import type { Fence, RingFile } from '../ports.ts';
import { type Lock, lockFile } from './lock.ts';
import { type IoMode, StallBudget } from './stall-budget.ts';
import { type SyncMethod, SyncMethodChoice } from './sync-method.ts';
import { refuseVolatile } from './volatile.ts';

export interface OpenRingFileOptions {
  /** A file in memory is refused unless this says that it may be: a power cut would empty it. */
  readonly volatile?: 'refuse' | 'allow';
}

const { O_RDWR } = fs.constants;
/** Each time somebody replaced the file between our opening and our locking it. */
const REPLACED_COUNT_MAX = 5;
/** macOS knows the flag and does not keep the promise; there fdatasync does. */
const IS_DSYNC_KEPT = process.platform === 'linux';

/**
 * Opens an existing ring file and becomes its owner.
 * @throws RING_NOT_FOUND, RING_LOCKED, RING_VOLATILE, RING_FOREIGN when it is not a plain file, RING_UNAVAILABLE
 */
export async function openRingFile(path: string, options: OpenRingFileOptions = {}): Promise<NodeRingFile> {
  for (let attempt = 1; ; attempt++) {
    const file = await openOnce(path, options);
    if (file !== undefined) return file;
    if (attempt === REPLACED_COUNT_MAX)
      throw new RingmailError('RING_UNAVAILABLE', { path, reason: 'it is replaced again and again' });
  }
}

/** Undefined when the name means another file by the time the lock is ours: it was resized meanwhile. */
async function openOnce(path: string, options: OpenRingFileOptions): Promise<NodeRingFile | undefined> {
  const fd = openDescriptor(path);
  let lock: Lock | undefined;
  try {
    const stat = fs.fstatSync(fd);
    if (!stat.isFile()) throw new RingmailError('RING_FOREIGN', { path, reason: 'not a plain file' });
    const durability = await refuseVolatile(path, options.volatile ?? 'refuse');
    lock = await lockFile({ fd, path });
    if (fs.statSync(path, { throwIfNoEntry: false })?.ino === stat.ino) {
      const dsyncFd = IS_DSYNC_KEPT ? openAgain(path, stat.ino) : undefined;
      return new NodeRingFile({ fd, dsyncFd, size: stat.size, durability, lock });
    }
  } catch (error) {
    lock?.release();
    fs.closeSync(fd);
    throw error;
  }
  lock.release();
  fs.closeSync(fd);
  return undefined;
}

function openDescriptor(path: string): number {
  try {
    return fs.openSync(path, O_RDWR);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new RingmailError('RING_NOT_FOUND', { path });
    throw new RingmailError('RING_UNAVAILABLE', { path, reason: message });
  }
}

/** A second descriptor of the same file, undefined where the name means another one by now. */
function openAgain(path: string, inode: number): number | undefined {
  const fd = fs.openSync(path, O_RDWR | fs.constants.O_DSYNC);
  if (fs.fstatSync(fd).ino === inode) return fd;
  fs.closeSync(fd);
  return undefined;
}

interface Opened {
  /** Holds the lock; reads go through it. */
  readonly fd: number;
  /** Of the same file, with O_DSYNC. Without it writes are synced by fdatasync. */
  readonly dsyncFd?: number | undefined;
  readonly size: number;
  readonly durability: 'sync' | 'volatile';
  readonly lock: Lock;
}

export class NodeRingFile implements RingFile {
  readonly size: number;
  /** `sync`: done means on the medium. `volatile`: the file lies in memory, and done means nothing after a power cut. */
  readonly durability: 'sync' | 'volatile';
  readonly #fd: number;
  readonly #dsyncFd: number | undefined;
  readonly #method: SyncMethodChoice;
  readonly #lock: Lock;
  readonly #budget = new StallBudget();
  /** What stands where the fence is; kept, since it is read before every write. */
  #found = new Uint8Array(0);
  #failure: Error | undefined;
  #writing: Promise<void> | undefined;

  constructor(opened: Opened) {
    this.size = opened.size;
    this.durability = opened.durability;
    this.#fd = opened.fd;
    this.#dsyncFd = opened.dsyncFd;
    this.#method = new SyncMethodChoice(opened.dsyncFd === undefined ? 'fdatasync' : undefined);
    this.#lock = opened.lock;
  }

  /** How the next write is done. */
  get ioMode(): IoMode {
    return this.#budget.mode;
  }

  /** How writes are made durable; undefined while the first ones are measured. */
  get syncMethod(): SyncMethod | undefined {
    return this.#method.chosen;
  }

  /** Both, for people. */
  get howItWrites(): string {
    return `${this.syncMethod ?? 'measuring'} ${this.ioMode}`;
  }

  read(offset: number, into: Uint8Array): void {
    this.#checkRange(offset, into.length);
    for (let filled = 0; filled < into.length; ) {
      const count = readSome(this.#fd, into, { filled, offset });
      if (count === 0) throw new Error(`the file ends at ${offset + filled}`);
      filled += count;
    }
  }

  writeDurable(offset: number, bytes: Uint8Array, fence?: Fence): void | Promise<void> {
    invariant(this.#writing === undefined, 'one write at a time');
    if (this.#failure !== undefined) throw this.#failure;
    this.#checkRange(offset, bytes.length);
    if (fence !== undefined) this.#checkFence(fence);
    const startMs = performance.now();
    if (this.ioMode === 'inline') {
      this.#writeInline(offset, bytes);
      return this.#took(performance.now() - startMs);
    }
    this.#writing = this.#writePooled(offset, bytes).then(
      () => {
        this.#writing = undefined;
        this.#took(performance.now() - startMs);
      },
      (error: unknown) => {
        this.#writing = undefined;
        throw this.#fail(error);
      },
    );
    return this.#writing;
  }

  /** Waits for a write on its way, then gives up the file and its lock. */
  async close(): Promise<void> {
    if (this.#failure instanceof ClosedError) return;
    const writing = this.#writing;
    this.#failure = new ClosedError();
    await writing?.catch(() => {}); // its caller hears of it
    this.#lock.release();
    if (this.#dsyncFd !== undefined) fs.closeSync(this.#dsyncFd);
    fs.closeSync(this.#fd);
  }

  #took(ms: number): void {
    this.#budget.took(ms);
    this.#method.took(ms);
  }

  /** Where the next write goes. */
  get #writeFd(): number {
    return this.#method.next === 'dsync' ? (this.#dsyncFd ?? this.#fd) : this.#fd;
  }

  #writeInline(offset: number, bytes: Uint8Array): void {
    try {
      for (let done = 0; done < bytes.length; )
        done += some(fs.writeSync(this.#writeFd, bytes, done, bytes.length - done, offset + done));
      if (this.#method.next === 'fdatasync') fs.fdatasyncSync(this.#fd);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  async #writePooled(offset: number, bytes: Uint8Array): Promise<void> {
    const fd = this.#writeFd;
    for (let done = 0; done < bytes.length; ) done += some(await writeSome(fd, bytes.subarray(done), offset + done));
    if (this.#method.next === 'fdatasync') await syncPooled(fd);
  }

  #checkFence(fence: Fence): void {
    if (this.#found.length !== fence.bytes.length) this.#found = new Uint8Array(fence.bytes.length);
    const found = this.#found;
    try {
      this.read(fence.offset, found);
    } catch (error) {
      throw this.#fail(error);
    }
    if (Buffer.compare(found, fence.bytes) !== 0) throw this.#fail(new Error('another owner has written to the ring file'));
  }

  #checkRange(offset: number, length: number): void {
    if (this.#failure instanceof ClosedError) throw this.#failure;
    if (offset < 0 || offset + length > this.size)
      throw new RangeError(`${length} bytes at ${offset} leave the file of ${this.size}`);
  }

  /** After a failed write nobody knows what is on the medium: nothing more is written. The first reason stands. */
  #fail(error: unknown): Error {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    return this.#failure;
  }
}

class ClosedError extends Error {
  constructor() {
    super('the ring file is closed');
  }
}

/** A short write goes on; one of nothing would go on for ever. */
function some(count: number): number {
  if (count === 0) throw new Error('the system took no bytes');
  return count;
}

/** A read that a signal interrupted is no medium that fails: everything else is tried again by libuv, reads are not. */
export function readSome(fd: number, into: Uint8Array, { filled, offset }: { filled: number; offset: number }): number {
  for (;;) {
    try {
      return fs.readSync(fd, into, filled, into.length - filled, offset + filled);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EINTR') throw error;
    }
  }
}

function writeSome(fd: number, bytes: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(fd, bytes, 0, bytes.length, position, (error, count) => (error ? reject(error) : resolve(count)));
  });
}

function syncPooled(fd: number): Promise<void> {
  return new Promise((resolve, reject) => fs.fdatasync(fd, (error) => (error ? reject(error) : resolve())));
}

/** Makes the names in a directory survive a power cut. Where directories cannot be synced (Windows) the system does it by itself. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
