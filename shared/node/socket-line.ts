/**
 * TCP and Unix sockets as lines: dialled, and listened for.
 *
 *   what goes wrong with sockets                            what is done here
 *   the other side is gone and nobody said so               TCP keepalive; the link's own silence closes it much earlier
 *   an error and a close, in any order                      closed is reported once, with the first reason
 *   a close that waits for a peer that never reads          what is unsent gets a second, then the socket is destroyed
 *   small packets wait for company (Nagle)                  they do not
 *   a dead process left its Unix socket behind              replaced; a living one never (api/socket-file.ts)
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { invariant, unreachable } from '../assert.ts';
import { RingmailError } from '../errors.ts';
import type { Line, LineListener } from '../ports.ts';
import { listenOnSocket } from './api/socket-file.ts';
import { formatLineAddress } from './config/line-address.ts';

export type SocketTarget =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

export interface LineListening {
  /** Of TCP: the one in use, also where 0 was asked for. */
  readonly port?: number;
  /** Takes no more lines; those that are open stay. Resolves when nobody can connect any more. */
  close(): Promise<void>;
}

/** What a connection attempt may take, in ms: a host that drops packets answers never. */
export const CONNECT_MS_MAX = 10_000;
/** What closing may take, in ms, while there is something unsent. */
export const CLOSE_MS_MAX = 1_000;
/** Idle time before the kernel asks whether the other side is there, in ms. */
const KEEPALIVE_MS = 30_000;
/** Owner and group: who may write to the file may speak. */
const SOCKET_MODE = 0o660;
/** Lines of one listener. More are refused: each holds up to a quarter of a MiB. */
export const LINE_COUNT_MAX = 1_024;

/** @throws LINE_UNAVAILABLE: nobody listens, no way there, no rights. Retry later. */
export function connectLine(target: SocketTarget): Promise<Line> {
  return new Promise((resolve, reject) => {
    const socket = open(target);
    const give = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new RingmailError('LINE_UNAVAILABLE', { line: formatLineAddress(target), reason: error.message }));
    };
    const timer = setTimeout(() => give(new Error(`no connection within ${CONNECT_MS_MAX} ms`)), CONNECT_MS_MAX);
    socket.once('error', give);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', give);
      resolve(new SocketLine(socket));
    });
  });
}

/**
 * Gives `onLine` a line for each connection. It listens to it or closes it.
 * @throws LINE_UNAVAILABLE for TCP, SOCKET_IN_USE and SOCKET_UNUSABLE for a Unix socket
 */
export async function listenLines(target: SocketTarget, onLine: (line: Line) => void): Promise<LineListening> {
  const server = createServer({ pauseOnConnect: true }, (socket) => onLine(new SocketLine(socket)));
  server.maxConnections = LINE_COUNT_MAX;
  switch (target.kind) {
    case 'unix':
      await listenOnSocket(server, target.path, SOCKET_MODE);
      return listening(server, {});
    case 'tcp':
      return listening(server, { port: await listenOnPort(server, target) });
    default:
      return unreachable(target);
  }
}

function open(target: SocketTarget): Socket {
  switch (target.kind) {
    case 'unix':
      return connect({ path: target.path });
    case 'tcp':
      return connect({ host: target.host, port: target.port });
    default:
      return unreachable(target);
  }
}

function listenOnPort(server: Server, target: SocketTarget & { kind: 'tcp' }): Promise<number> {
  return new Promise((resolve, reject) => {
    const refused = (error: Error): void => {
      reject(new RingmailError('LINE_UNAVAILABLE', { line: formatLineAddress(target), reason: error.message }));
    };
    server.once('error', refused);
    server.listen({ host: target.host, port: target.port }, () => {
      server.off('error', refused);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : target.port);
    });
  });
}

function listening(server: Server, at: { port?: number }): LineListening {
  // A connection that could not be accepted (no more descriptors) is tried again by whoever dialled.
  server.on('error', () => undefined);
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      // Node calls back when the last connection has ended too; what is promised is that no new one comes.
      server.close();
      setImmediate(resolve);
    });
  return { ...at, close };
}

class SocketLine implements Line {
  readonly #socket: Socket;
  #listener: LineListener | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #reason = 'closed by the other end';
  #isDrainOwed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE_MS);
    socket.on('error', (error) => {
      if (this.#state === 'open') this.#reason = error.message;
    });
    socket.on('close', () => this.#closed());
  }

  write(bytes: Uint8Array): number {
    if (this.#state !== 'open' || bytes.length === 0) return this.#unsentBytes;
    // A copy: the caller may use its array again, while the kernel takes bytes when it can.
    this.#socket.write(bytes.slice(), () => this.#sent());
    if (this.#unsentBytes > 0) this.#isDrainOwed = true;
    return this.#unsentBytes;
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#reason = 'closed';
    // What comes in is read and dropped: bytes nobody read would make the kernel reset the connection, and the last words with it.
    this.#socket.resume();
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), CLOSE_MS_MAX).unref();
  }

  listen(listener: LineListener): void {
    invariant(this.#listener === undefined, 'a line has one listener');
    this.#listener = listener;
    this.#socket.on('data', (chunk: Buffer) => {
      if (this.#state === 'open') listener.onBytes(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
    });
    this.#socket.resume();
    if (this.#state === 'closed') setImmediate(() => listener.onClosed(this.#reason));
  }

  get #unsentBytes(): number {
    return this.#state === 'closed' ? 0 : this.#socket.writableLength;
  }

  #sent(): void {
    if (!this.#isDrainOwed || this.#state !== 'open' || this.#unsentBytes > 0) return;
    this.#isDrainOwed = false;
    this.#listener?.onDrained?.();
  }

  #closed(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#listener?.onClosed(this.#reason);
  }
}
