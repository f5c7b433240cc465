/**
 * A ring file for who only looks: opened O_RDONLY, without a lock, and nothing is ever written. Its owner may go on writing; what that
 * means for what is read, shared/ring/inspect-view.ts deals with.
 */
import * as fs from 'node:fs';
import { crc32 } from '../crc32.ts';
import { RingmailError } from '../errors.ts';
import type { FileSteps, ReadSteps } from '../ring/file-steps.ts';
import type { RingSource } from '../ring/inspect-view.ts';
import { fastChecksum } from './checksum.ts';
import { readSome } from './ring-file.ts';

/** Reading goes on without a pause this long; then the process may hear a signal. */
const TURN_MS = 20;

export interface RingReader extends RingSource {
  /** Undefined where the file gives no such bytes: beyond its end, or a broken medium. */
  read(offset: number, bytes: number): Uint8Array | undefined;
  close(): void;
}

/** How steps are run: what may end them, and who hears how far they are. */
export interface Running {
  readonly signal?: AbortSignal;
  /** With the bytes of each read. */
  readonly onRead?: (bytes: number) => void;
}

/** @throws RING_NOT_FOUND, RING_FOREIGN when it is not a plain file, RING_UNAVAILABLE */
export function openForReading(path: string): RingReader {
  const fd = openDescriptor(path);
  const stat = fs.fstatSync(fd);
  if (!stat.isFile() && !stat.isBlockDevice()) {
    fs.closeSync(fd);
    throw new RingmailError('RING_FOREIGN', { path, reason: 'not a plain file' });
  }
  return {
    path,
    size: stat.size,
    checksum: fastChecksum(crc32),
    read: (offset, bytes) => readAt(fd, offset, bytes),
    close: () => fs.closeSync(fd),
  };
}

function openDescriptor(path: string): number {
  try {
    return fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new RingmailError('RING_NOT_FOUND', { path });
    throw new RingmailError('RING_UNAVAILABLE', { path, reason: message });
  }
}

function readAt(fd: number, offset: number, bytes: number): Uint8Array | undefined {
  const into = new Uint8Array(bytes);
  try {
    for (let filled = 0; filled < bytes; ) {
      const count = readSome(fd, into, { filled, offset });
      if (count === 0) return undefined;
      filled += count;
    }
  } catch {
    return undefined; // what the medium does not give is an answer, and the steps know what it means
  }
  return into;
}

/** Runs steps that only read. Rejects with the reason of the signal when that ends them. */
export function readThrough<T>(steps: ReadSteps<T>, from: Pick<RingReader, 'read'>, running: Running = {}): Promise<T> {
  return runSteps(steps, { read: from.read, write: undefined }, running);
}

/** Runs steps that read here and write there. */
export async function runSteps<T>(
  steps: FileSteps<T>,
  file: { read: RingReader['read']; write: ((offset: number, bytes: Uint8Array) => Promise<void>) | undefined },
  { signal, onRead }: Running,
): Promise<T> {
  let turnMs = performance.now();
  for (let step = steps.next(); ; ) {
    if (step.done) return step.value;
    const request = step.value;
    if (performance.now() - turnMs > TURN_MS) {
      await new Promise((resolve) => setImmediate(resolve));
      turnMs = performance.now();
    }
    signal?.throwIfAborted();
    if (request.kind === 'read') {
      onRead?.(request.bytes);
      step = steps.next(file.read(request.offset, request.bytes));
    } else {
      if (file.write === undefined) throw new Error('steps that only read do not write');
      await file.write(request.offset, request.bytes);
      step = steps.next();
    }
  }
}
