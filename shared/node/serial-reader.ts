/**
 * Reads of a serial port that come to an end. The package reads again at once when a read gives nothing, and a terminal that was hung
 * up gives nothing for ever: the processor is busy, and nobody is told.
 *
 *   bytes                        given
 *   none, for want of any        waits until there are some
 *   none, although it did not wait, ZERO_READS_MAX times in a row: the terminal is gone, and the port ends with an error
 */
import { read } from 'node:fs';

/** Reads of nothing in a row that say that the terminal was hung up. */
export const ZERO_READS_MAX = 3;

/** What is used of the package's port on Linux and macOS. */
export interface PolledPort {
  readonly fd: number | null;
  readonly isOpen: boolean;
  readonly poller: { once(event: 'readable', callback: (error: Error | null) => void): unknown };
  read(buffer: Buffer, offset: number, length: number): Promise<{ buffer: Buffer; bytesRead: number }>;
}

/** From now on this port reads so. Anything else, such as a port of Windows, is left as it is. */
export function endAtHangUp(port: unknown): void {
  if (!isPolled(port)) return;
  port.read = (buffer, offset, length) => readSome(port, { buffer, offset, length });
}

async function readSome(port: PolledPort, into: { buffer: Buffer; offset: number; length: number }): Promise<Read> {
  const { buffer } = into;
  for (let zeros = 0; zeros < ZERO_READS_MAX; ) {
    const { fd } = port;
    if (!port.isOpen || fd === null) throw canceled();
    const bytesRead = await readOnce(fd, into);
    if (bytesRead === 'nothing yet') await readable(port);
    else if (bytesRead > 0) return { buffer, bytesRead };
    else zeros += 1;
  }
  throw new Error('the terminal was hung up');
}

interface Read {
  buffer: Buffer;
  bytesRead: number;
}

function readOnce(fd: number, into: { buffer: Buffer; offset: number; length: number }): Promise<number | 'nothing yet'> {
  return new Promise((resolve, reject) => {
    read(fd, into.buffer, into.offset, into.length, null, (error, bytesRead) => {
      if (error === null) resolve(bytesRead);
      else if (error.code === 'EAGAIN' || error.code === 'EWOULDBLOCK' || error.code === 'EINTR') resolve('nothing yet');
      else reject(error);
    });
  });
}

/** Rejects when the port is closed meanwhile. */
function readable(port: PolledPort): Promise<void> {
  return new Promise((resolve, reject) => {
    if (!port.isOpen) reject(canceled());
    else port.poller.once('readable', (error) => (error ? reject(error) : resolve()));
  });
}

/** What the package takes for the end of a port that was closed on purpose. */
function canceled(): Error {
  return Object.assign(new Error('the port was closed'), { canceled: true });
}

function isPolled(port: unknown): port is PolledPort {
  return typeof port === 'object' && port !== null && 'fd' in port && typeof port.fd === 'number' && 'poller' in port;
}
