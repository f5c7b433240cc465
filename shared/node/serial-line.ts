/**
 * A serial port as a Line. The only importer of `serialport`, which is loaded when the first port is opened: a node without serial
 * ports does not need it.
 *
 *   what goes wrong with real ports                         what is done here
 *   a write never calls back (CTS low, dead adapter)        a deadline for each write: three times its line time and 1 s
 *   unplug is reported twice, or never                      reported once; every second the name must still be the one that was
 *                                                           opened, and lead to the same device
 *   close waits for ever                                    a deadline, then it is abandoned
 *   drain waits for ever                                    never called: `write` says what is unsent
 *   opening and closing resets an Arduino by DTR            hupcl off: closing leaves DTR as it is
 */

import { lstat, realpath } from 'node:fs/promises';
import type { SerialPort } from 'serialport';
import { invariant } from '../assert.ts';
import { RingmailError } from '../errors.ts';
import type { Line, LineListener } from '../ports.ts';

/** Grace of a write beyond three times its time on the line, in ms. */
export const WRITE_GRACE_MS = 1000;
/** What closing a port may take, in ms, before it is abandoned: the driver may wait for a peer that will never read. */
export const CLOSE_MS_MAX = 1000;
/** How often the name of an open port is looked at, in ms: an unplugged port that nobody writes to says nothing. */
export const PRESENCE_MS = 1000;
/** Buffer of one read, in bytes: what the kernel holds for a terminal. */
const READ_BYTES_MAX = 4096;

/** Start bit, eight data bits, stop bit. */
const BITS_PER_BYTE = 10;

export interface SerialLineOptions {
  path: string;
  /** Bits per second. Eight data bits, no parity, one stop bit, no flow control. */
  baudRate: number;
}

/**
 * Opens the port.
 * @throws SERIALPORT_MISSING when the package cannot be loaded: do not retry. LINE_UNAVAILABLE when the port is not there, is held
 * by another program, or refuses: retry later.
 */
export async function openSerialLine(options: SerialLineOptions): Promise<Line> {
  const { path, baudRate } = options;
  const Port = await loadSerialPort();
  let identity: string;
  let port: SerialPort;
  try {
    identity = await identityOf(path);
    port = new Port({ path, baudRate, autoOpen: false, hupcl: false, lock: true, highWaterMark: READ_BYTES_MAX });
    await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
  } catch (error) {
    throw new RingmailError('LINE_UNAVAILABLE', { line: path, reason: textOf(error) });
  }
  return new SerialLine(port, { path, identity, baudRate });
}

/**
 * What stands behind a name. A terminal's number is given away again at once, so the same target does not mean the same device: a
 * link also counts by when it was made, a device node by its inode.
 */
async function identityOf(path: string): Promise<string> {
  const target = await realpath(path);
  const link = await lstat(path, { bigint: true });
  const made = link.isSymbolicLink() ? link.mtimeNs : link.rdev;
  return `${target} ${link.ino} ${made}`;
}

async function loadSerialPort(): Promise<typeof SerialPort> {
  try {
    return (await import('serialport')).SerialPort;
  } catch (error) {
    throw new RingmailError('SERIALPORT_MISSING', { reason: textOf(error) });
  }
}

class SerialLine implements Line {
  readonly #port: SerialPort;
  readonly #byteMs: number;
  /** Lengths of the writes that have not called back, in order. The first one's time is running. */
  readonly #writes: number[] = [];
  #unsentBytes = 0;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  readonly #presence: ReturnType<typeof setInterval>;
  #listener: LineListener | undefined;
  /** `closing` until the driver let go of it, or the deadline passed. */
  #state: 'open' | 'closing' | 'closed' = 'open';
  #reason = '';

  constructor(port: SerialPort, opened: { path: string; identity: string; baudRate: number }) {
    this.#port = port;
    this.#byteMs = (1000 * BITS_PER_BYTE) / opened.baudRate;
    port.on('close', (error?: Error | null) => this.#closed(error?.message ?? 'closed by the driver'));
    port.on('error', (error: Error) => this.#end(error.message));
    this.#presence = setInterval(() => void this.#checkPresence(opened), PRESENCE_MS);
  }

  write(bytes: Uint8Array): number {
    if (this.#state !== 'open' || bytes.length === 0) return this.#unsentBytes;
    this.#writes.push(bytes.length);
    this.#unsentBytes += bytes.length;
    if (this.#writes.length === 1) this.#startDeadline();
    this.#port.write(Buffer.from(bytes), (error) => this.#written(error));
    return this.#unsentBytes;
  }

  close(): void {
    this.#end('closed');
  }

  listen(listener: LineListener): void {
    invariant(this.#listener === undefined, 'a line has one listener');
    this.#listener = listener;
    this.#port.on('data', (chunk: Buffer) => {
      if (this.#state === 'open') listener.onBytes(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
    });
    if (this.#state === 'closed') queueMicrotask(() => listener.onClosed(this.#reason));
  }

  #written(error: Error | null | undefined): void {
    this.#unsentBytes -= this.#writes.shift() ?? 0;
    clearTimeout(this.#deadline);
    if (this.#state !== 'open') return;
    if (error) {
      this.#end(error.message);
    } else if (this.#writes.length > 0) {
      this.#startDeadline();
    } else {
      this.#listener?.onDrained?.();
    }
  }

  #startDeadline(): void {
    const deadlineMs = 3 * (this.#writes[0] ?? 0) * this.#byteMs + WRITE_GRACE_MS;
    this.#deadline = setTimeout(() => this.#end(`a write took more than ${Math.round(deadlineMs)} ms`), deadlineMs);
  }

  async #checkPresence(opened: { path: string; identity: string }): Promise<void> {
    const identity = await identityOf(opened.path).catch(() => undefined); // no such name, or no way to it: the port is not there
    if (identity !== opened.identity) this.#end('unplugged');
  }

  /** The first reason stands. */
  #end(reason: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#reason = reason;
    this.#stopTimers();
    // A driver that does not let go must not keep the node from opening the port again: it is reported as closed and left behind.
    const abandon = setTimeout(() => this.#closed(reason), CLOSE_MS_MAX);
    abandon.unref();
    if (!this.#port.isOpen) {
      queueMicrotask(() => this.#closed(reason));
      return;
    }
    this.#port.close((error) => {
      clearTimeout(abandon);
      this.#closed(error?.message ?? reason);
    });
  }

  #closed(reason: string): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'open') this.#reason = reason;
    this.#state = 'closed';
    this.#stopTimers();
    this.#listener?.onClosed(this.#reason);
  }

  #stopTimers(): void {
    clearTimeout(this.#deadline);
    clearInterval(this.#presence);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
