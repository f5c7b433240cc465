/**
 * The ring file on a real file system.
 *
 *   write   one write(2) on an O_DSYNC descriptor: back when the medium says that it has the bytes, and no pages of others are
 *           flushed along. Inline or in the thread pool, as measured. Where the system has no such descriptor (anything but Linux):
 *           write and fdatasync.
 *   read    pread(2) inline: what is read was written lately, or is read ahead by the kernel
 *   fence   pread(2) right before the write
 */
import * as fs from 'node:fs';
import { open } from 'node:fs/promises';
import { invariant } from '../assert.ts';
import { equalBytes } from '../bytes.ts';
import { RingmailError } from '../errors.ts';
import type { Fence, RingFile } from '../ports.ts';
import { type Lock, lockFile } from './lock.ts';
import { type IoMode, StallBudget } from './stall-budget.ts';
import { refuseVolatile } from './volatile.ts';

export interface OpenRingFileOptions {
  /** A file in memory is refused unless this says that it may be: a power cut would empty it. */
  readonly volatile?: 'refuse' | 'allow';
}

const { O_RDWR } = fs.constants;
/** macOS knows the flag and does not keep the promise; there fdatasync does. */
const O_DSYNC = process.platform === 'linux' ? fs.constants.O_DSYNC : 0;

/**
 * Opens an existing ring file and becomes its owner.
 * @throws RING_NOT_FOUND, RING_LOCKED, RING_VOLATILE, RING_FOREIGN when it is not a plain file, RING_UNAVAILABLE
 */
export async function openRingFile(path: string, options: OpenRingFileOptions = {}): Promise<NodeRingFile> {
  const fd = openDescriptor(path);
  try {
    const stat = fs.fstatSync(fd);
    if (!stat.isFile()) throw new RingmailError('RING_FOREIGN', { path, reason: 'not a plain file' });
    const durability = await refuseVolatile(path, options.volatile ?? 'refuse');
    const lock = await lockFile({ fd, path });
    return new NodeRingFile({ fd, size: stat.size, durability, lock });
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}

function openDescriptor(path: string): number {
  try {
    return fs.openSync(path, O_RDWR | O_DSYNC);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new RingmailError('RING_NOT_FOUND', { path });
    throw new RingmailError('RING_UNAVAILABLE', { path, reason: message });
  }
}

interface Opened {
  readonly fd: number;
  readonly size: number;
  readonly durability: 'sync' | 'volatile';
  readonly lock: Lock;
}

export class NodeRingFile implements RingFile {
  readonly size: number;
  /** `sync`: done means on the medium. `volatile`: the file lies in memory, and done means nothing after a power cut. */
  readonly durability: 'sync' | 'volatile';
  readonly #fd: number;
  readonly #lock: Lock;
  readonly #budget = new StallBudget();
  #failure: Error | undefined;
  #writing: Promise<void> | undefined;

  constructor(opened: Opened) {
    this.size = opened.size;
    this.durability = opened.durability;
    this.#fd = opened.fd;
    this.#lock = opened.lock;
  }

  /** How the next write is done. */
  get ioMode(): IoMode {
    return this.#budget.mode;
  }

  read(offset: number, into: Uint8Array): void {
    this.#checkRange(offset, into.length);
    for (let filled = 0; filled < into.length; ) {
      const count = fs.readSync(this.#fd, into, filled, into.length - filled, offset + filled);
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
      this.#budget.took(performance.now() - startMs);
      return;
    }
    this.#writing = writePooled(this.#fd, { offset, bytes }).then(
      () => {
        this.#writing = undefined;
        this.#budget.took(performance.now() - startMs);
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
    fs.closeSync(this.#fd);
  }

  #writeInline(offset: number, bytes: Uint8Array): void {
    try {
      for (let done = 0; done < bytes.length; )
        done += some(fs.writeSync(this.#fd, bytes, done, bytes.length - done, offset + done));
      if (O_DSYNC === 0) fs.fdatasyncSync(this.#fd);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #checkFence(fence: Fence): void {
    const found = new Uint8Array(fence.bytes.length);
    try {
      this.read(fence.offset, found);
    } catch (error) {
      throw this.#fail(error);
    }
    if (!equalBytes(found, fence.bytes)) throw this.#fail(new Error('another owner has written to the ring file'));
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

async function writePooled(fd: number, { offset, bytes }: { offset: number; bytes: Uint8Array }): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += some(await writeSome(fd, bytes.subarray(done), offset + done));
  if (O_DSYNC === 0)
    await new Promise<void>((resolve, reject) => fs.fdatasync(fd, (error) => (error ? reject(error) : resolve())));
}

/** A short write goes on; one of nothing would go on for ever. */
function some(count: number): number {
  if (count === 0) throw new Error('the system took no bytes');
  return count;
}

function writeSome(fd: number, bytes: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(fd, bytes, 0, bytes.length, position, (error, count) => (error ? reject(error) : resolve(count)));
  });
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
