/**
 * A serial port as a Line.
 *
 *   what goes wrong with real ports                         what is done here
 *   a write never calls back (CTS low, dead adapter)        a deadline for each write: three times its line time and 1 s
 *   unplug is reported twice, or never                      reported once; every second the name must still be the one that was
 *                                                           opened, and lead to the same device
 *   a terminal that was hung up gives nothing, for ever     reads of nothing end it (serial-reader.ts)
 *   close waits for ever                                    a deadline, then it is abandoned
 *   drain waits for ever                                    never called: `write` says what is unsent
 *   flush throws away what just came, or does nothing       never called: a delimiter begins every packet
 *   opening and closing resets an Arduino by DTR            hupcl off: closing leaves DTR as it is; opening does, beyond what the
 *                                                           kernel does by itself, unless `dtrRts` says otherwise
 */

import { lstat, realpath } from 'node:fs/promises';
import { invariant } from '../assert.ts';
import { RingmailError } from '../errors.ts';
import type { Line, LineListener } from '../ports.ts';
import { bitsPerByte, SERIAL_DEFAULTS, type SerialSettings } from './config/serial-options.ts';
import { type PortReport, PortWatch } from './port-watch.ts';
import { loadSerialPort, type PackagePort, textOf } from './serial-package.ts';
import { endAtHangUp } from './serial-reader.ts';

/** Grace of a write beyond three times its time on the line, in ms. */
export const WRITE_GRACE_MS = 1000;
/** What closing a port may take, in ms, before it is abandoned: the driver may wait for a peer that will never read. */
export const CLOSE_MS_MAX = 1000;
/** How often the name of an open port is looked at, in ms: an unplugged port that nobody writes to says nothing. */
export const PRESENCE_MS = 1000;
/** Buffer of one read, in bytes: what the kernel holds for a terminal. */
const READ_BYTES_MAX = 4096;

export interface SerialLineOptions extends Partial<SerialSettings> {
  readonly path: string;
  /** Bits per second. Unless told otherwise: eight data bits, no parity, one stop bit, no flow control, DTR and RTS left alone. */
  readonly baudRate: number;
}

/**
 * Opens the port. `watch`: where its trouble is told, under which name.
 * @throws SERIALPORT_MISSING when the package cannot be loaded: do not retry. LINE_UNAVAILABLE when the port is not there, is held
 * by another program, or refuses: retry later.
 */
export async function openSerialLine(options: SerialLineOptions, watch?: PortReport & { name: string }): Promise<Line> {
  const { path, ...given } = options;
  const settings: SerialSettings = { ...SERIAL_DEFAULTS, ...given };
  const Port = await loadSerialPort();
  let identity: Identity;
  let port: PackagePort;
  try {
    identity = await identityOf(path);
    const { baudRate, dataBits, parity, stopBits, rtscts } = settings;
    const bits = { dataBits, parity, stopBits, rtscts, xon: false, xoff: false, xany: false };
    port = new Port({ path, baudRate, ...bits, autoOpen: false, hupcl: false, lock: true, highWaterMark: READ_BYTES_MAX });
    await called((done) => port.open(done));
  } catch (error) {
    throw new RingmailError('LINE_UNAVAILABLE', { line: path, reason: textOf(error) });
  }
  endAtHangUp(port.port);
  const health = watch && new PortWatch({ name: watch.name, device: identity.device }, watch);
  const line = new SerialLine(port, {
    path,
    identity: identity.text,
    byteMs: (1000 * bitsPerByte(settings)) / settings.baudRate,
    health,
  });
  try {
    await setModemLines(port, settings);
  } catch (error) {
    line.close();
    throw new RingmailError('LINE_UNAVAILABLE', { line: path, reason: `dtrRts=${settings.dtrRts}: ${textOf(error)}` });
  }
  return line;
}

/** With RTS as flow control it is the driver's, and stays on. */
async function setModemLines(port: PackagePort, { dtrRts, rtscts }: SerialSettings): Promise<void> {
  if (dtrRts === 'leave') return;
  const level = dtrRts === 'on';
  await called((done) => port.set({ dtr: level, rts: level || rtscts }, done));
}

function called(call: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => call((error) => (error ? reject(error) : resolve())));
}

interface Identity {
  readonly device: string;
  readonly text: string;
}

/**
 * What stands behind a name. A terminal's number is given away again at once, so the same target does not mean the same device: a
 * link also counts by when it was made, a device node by its inode.
 */
async function identityOf(path: string): Promise<Identity> {
  const device = await realpath(path);
  const link = await lstat(path, { bigint: true });
  const made = link.isSymbolicLink() ? link.mtimeNs : link.rdev;
  return { device, text: `${device} ${link.ino} ${made}` };
}

interface Opened {
  readonly path: string;
  /** Text of its Identity. */
  readonly identity: string;
  /** Time of a byte on the line. */
  readonly byteMs: number;
  readonly health: PortWatch | undefined;
}

class SerialLine implements Line {
  readonly #port: PackagePort;
  readonly #opened: Opened;
  /** Lengths of the writes that have not called back, in order. The first one's time is running. */
  readonly #writes: number[] = [];
  #unsentBytes = 0;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  readonly #presence: ReturnType<typeof setInterval>;
  #listener: LineListener | undefined;
  /** `closing` until the driver let go of it, or the deadline passed. */
  #state: 'open' | 'closing' | 'closed' = 'open';
  #reason = '';

  constructor(port: PackagePort, opened: Opened) {
    this.#port = port;
    this.#opened = opened;
    port.on('close', (error?: Error | null) => this.#closed(error?.message ?? 'closed by the driver'));
    port.on('error', (error: Error) => this.#end(error.message));
    this.#presence = setInterval(() => void this.#look(), PRESENCE_MS);
    void opened.health?.look();
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
      if (this.#state !== 'open') return;
      const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
      this.#opened.health?.heard(bytes);
      listener.onBytes(bytes);
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
    const deadlineMs = 3 * (this.#writes[0] ?? 0) * this.#opened.byteMs + WRITE_GRACE_MS;
    this.#deadline = setTimeout(() => this.#end(`a write took more than ${Math.round(deadlineMs)} ms`), deadlineMs);
  }

  async #look(): Promise<void> {
    const { path, identity, health } = this.#opened;
    const now = await identityOf(path).catch(() => undefined); // no such name, or no way to it: the port is not there
    if (now?.text !== identity) this.#end('unplugged');
    else await health?.look();
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
