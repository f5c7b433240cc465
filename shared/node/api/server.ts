/**
 * The local API over HTTP/1.1 on a Unix socket, and where that is configured over TLS: many programs, in any language, at one node
 * (docs/local-api.md).
 *
 * One client never harms another: heads, bodies, connections, requests sent ahead and every wait have a bound (api-limits.ts), and
 * what a client breaks is its own connection. A client that goes away takes its wait with it, not what was leased to it before.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { RingmailError } from '../../errors.ts';
import type { HostPort } from '../config/line-address.ts';
import type { NodeCalls } from '../node-calls.ts';
import {
  API_TIMING,
  type ApiTiming,
  BODY_POOL_BYTES_MAX,
  CONNECTION_COUNT_MAX,
  HEAD_BYTES_MAX,
  HEAD_COUNT_MAX,
  PIPELINED_COUNT_MAX,
  REMOTE_CONNECTION_COUNT_MAX,
} from './api-limits.ts';
import { BodyPool, RequestBody } from './body-pool.ts';
import { ClientAccount } from './client-account.ts';
import { answer } from './endpoints.ts';
import { LeaseBook } from './lease-book.ts';
import { createRemoteServer, listenAt, type RemoteOptions } from './remote.ts';
import { errorReply, type LineSink, type Reply } from './reply.ts';
import { listenOnSocket } from './socket-file.ts';
import { TokenDoor } from './tokens.ts';
import { Waiting } from './waiting.ts';

export interface ApiOptions {
  readonly socketPath: string;
  /** Rights of the socket file: who may write to it may use the node. Default 0o660, the owner and the group of the folder's choice. */
  readonly mode?: number;
  readonly timing?: Partial<ApiTiming>;
  /** Over the network too, for who has a token. */
  readonly remote?: RemoteOptions;
}

export interface ApiServer {
  /** Where it listens on the network, its port as it is. */
  readonly remote: HostPort | undefined;
  /**
   * Takes no more requests, tells those who wait for a message that the node stops, lets the others finish for a bounded time, and
   * removes the socket. A second call waits for the first.
   */
  close(): Promise<void>;
}

const MODE_DEFAULT = 0o660;

/** Resolves when it can be used. @throws SOCKET_IN_USE, SOCKET_UNUSABLE, CONFIG_INVALID */
export async function serveApi(node: NodeCalls, options: ApiOptions): Promise<ApiServer> {
  const { socketPath, mode = MODE_DEFAULT, timing, remote } = options;
  const api = new Api(node, { ...API_TIMING, ...timing });
  try {
    if (remote !== undefined) await api.listenAt(remote);
    await api.listenOn(socketPath, mode);
  } catch (error) {
    await api.close();
    throw error;
  }
  return api;
}

/** A connection, and who is behind it. */
interface Connection {
  /** Of the Unix socket. Over the network each request says who asks. */
  readonly client: ClientAccount | undefined;
  /** Requests under way. Aborting one ends its wait. */
  readonly underWay: Set<Waiting>;
}

class Api implements ApiServer {
  remote: HostPort | undefined;
  readonly #node: NodeCalls;
  readonly #timing: ApiTiming;
  readonly #pool = new BodyPool(BODY_POOL_BYTES_MAX);
  readonly #leases = new LeaseBook();
  readonly #servers: Server[] = [];
  readonly #connections = new Map<Duplex, Connection>();
  readonly #sweep: NodeJS.Timeout;
  #stopping: RingmailError | undefined;
  #closed: Promise<void> | undefined;

  constructor(node: NodeCalls, timing: ApiTiming) {
    this.#node = node;
    this.#timing = timing;
    this.#sweep = setInterval(() => this.#leases.expire(performance.now()), timing.checkMs).unref();
  }

  async listenOn(socketPath: string, mode: number): Promise<void> {
    const server = createServer(this.#serverOptions());
    this.#serveOn(server, { countMax: CONNECTION_COUNT_MAX, door: undefined });
    await listenOnSocket(server, socketPath, mode);
    this.#servers.push(server);
  }

  async listenAt(remote: RemoteOptions): Promise<void> {
    const server = createRemoteServer(remote, this.#serverOptions());
    this.#serveOn(server, { countMax: REMOTE_CONNECTION_COUNT_MAX, door: new TokenDoor(remote.tokens) });
    this.remote = await listenAt(server, remote.listen);
    this.#servers.push(server);
  }

  #serverOptions() {
    const { headMs, requestMs, checkMs, idleMs } = this.#timing;
    return {
      maxHeaderSize: HEAD_BYTES_MAX,
      headersTimeout: headMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: checkMs,
      keepAliveTimeout: idleMs,
    };
  }

  #serveOn(server: Server, { countMax, door }: { countMax: number; door: TokenDoor | undefined }): void {
    server.maxConnections = countMax;
    server.maxHeadersCount = HEAD_COUNT_MAX;
    const serve = (request: IncomingMessage, response: ServerResponse, onRead: () => void): void =>
      void this.#serve(request, response, { door, onRead });
    server.on('request', (request, response) => serve(request, response, nothing));
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) =>
      serve(request, response, () => response.writeContinue()),
    );
    server.on('clientError', refuseConnection);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    clearInterval(this.#sweep);
    const ended = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    this.#stopping = new RingmailError('NODE_STOPPED', { reason: 'the node is stopping' });
    for (const { underWay } of this.#connections.values()) for (const waiting of underWay) waiting.abort(this.#stopping);
    const closeAll = (): void => {
      for (const server of this.#servers) server.closeAllConnections();
    };
    const deadline = setTimeout(closeAll, this.#timing.closeMs);
    await Promise.all(ended);
    clearTimeout(deadline);
  }

  #connectionOf(socket: Duplex, door: TokenDoor | undefined): Connection {
    const known = this.#connections.get(socket);
    if (known !== undefined) return known;
    const connection = { client: door === undefined ? new ClientAccount() : undefined, underWay: new Set<Waiting>() };
    this.#connections.set(socket, connection);
    socket.once('close', () => {
      this.#connections.delete(socket);
      for (const waiting of connection.underWay) waiting.abort();
    });
    return connection;
  }

  /** Rejects only for a bug, and then ends the process: nobody catches it. */
  async #serve(request: IncomingMessage, response: ServerResponse, of: { door: TokenDoor | undefined; onRead: () => void }) {
    const { socket } = request;
    const { client, underWay } = this.#connectionOf(socket, of.door);
    if (socket.destroyed || underWay.size >= PIPELINED_COUNT_MAX) {
      socket.destroy();
      return;
    }
    const waiting = new Waiting();
    underWay.add(waiting);
    try {
      const asking = client ?? of.door?.enter(request.headers.authorization);
      if (asking === undefined) throw new RingmailError('TOKEN_INVALID', { reason: 'nobody is behind this connection' });
      await this.#serveClient(request, response, { client: asking, waiting, onRead: of.onRead });
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      request.resume();
      await this.#send(response, errorReply(error), waiting);
    } finally {
      underWay.delete(waiting);
    }
  }

  async #serveClient(
    request: IncomingMessage,
    response: ServerResponse,
    of: { client: ClientAccount; waiting: Waiting; onRead: () => void },
  ): Promise<void> {
    const { client, waiting, onRead } = of;
    client.take('requests');
    const body = new RequestBody(request, { pool: this.#pool, client, onRead });
    try {
      const reply = await this.#answer(request, { client, waiting, readBody: (bytesMax) => body.read(bytesMax) });
      if (reply.lines === undefined) body.release();
      await this.#send(response, reply, waiting);
    } finally {
      body.release();
      client.give('requests');
    }
  }

  async #answer(
    request: IncomingMessage,
    of: { client: ClientAccount; waiting: Waiting; readBody: (bytesMax: number) => Promise<Uint8Array> },
  ): Promise<Reply> {
    const { method = '', url = '', headers } = request;
    const ask = { method, url, contentType: headers['content-type'], accept: headers.accept, ...of };
    try {
      if (this.#stopping !== undefined) throw this.#stopping;
      // Those beyond the limit are not even kept: among them could have been one that matters.
      if (request.rawHeaders.length >= 2 * HEAD_COUNT_MAX) throw tooManyHeaders();
      return await answer(ask, { node: this.#node, leases: this.#leases });
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      return errorReply(error);
    }
  }

  /** Resolves when the answer was handed over, or cannot be; of lines, when there are no more. */
  async #send(response: ServerResponse, reply: Reply, waiting: Waiting): Promise<void> {
    const { socket } = response.req;
    if (socket.destroyed) {
      reply.undelivered?.();
      return;
    }
    if (this.#stopping !== undefined) response.setHeader('Connection', 'close');
    if (reply.lines !== undefined) {
      response.writeHead(reply.status, reply.headers);
      response.flushHeaders();
      await reply.lines({ signal: waiting.signal, write: (line) => this.#writeLine(response, line) });
      // What says that it is the last answer was written before anybody knew.
      response.end(() => this.#stopping !== undefined && socket.end());
      return;
    }
    response.writeHead(reply.status, withLength(reply));
    response.end(reply.body);
    // Taken by the system already, and nobody has to hear of it: most answers are of this kind.
    if (reply.undelivered === undefined && response.socket?.writableLength === 0) return;
    const slow = setTimeout(() => socket.destroy(), this.#timing.answerMs);
    response.once('close', () => {
      clearTimeout(slow);
      if (!response.writableFinished) reply.undelivered?.();
    });
  }

  /** A line that is not taken in the time of an answer ends its connection. */
  #writeLine(response: ServerResponse, line: string): ReturnType<LineSink['write']> {
    const { socket } = response.req;
    return new Promise((resolve) => {
      if (socket.destroyed) return resolve(false);
      const slow = setTimeout(() => socket.destroy(), this.#timing.answerMs);
      const onClose = (): void => done(false);
      const done = (isTaken: boolean): void => {
        clearTimeout(slow);
        response.off('close', onClose);
        resolve(isTaken);
      };
      response.once('close', onClose);
      response.write(`${line}\n`, (error) => done(error === null || error === undefined));
    });
  }
}

function nothing(): void {}

function tooManyHeaders(): RingmailError<'REQUEST_INVALID'> {
  return new RingmailError('REQUEST_INVALID', { reason: `${HEAD_COUNT_MAX} headers or more` });
}

function withLength({ status, headers, body }: Reply): Record<string, string | number> {
  return status === 204 ? headers : { ...headers, 'Content-Length': Buffer.byteLength(body) };
}

const STATUS_BY_PARSER_CODE: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };

/** What is not HTTP, too long or too slow ends its connection, with a coded answer where one can still be read. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status = STATUS_BY_PARSER_CODE[error.code ?? ''] ?? 400;
  const { headers, body } = errorReply(new RingmailError('REQUEST_INVALID', { reason: reasonOf(status) }), status);
  const head = { ...headers, Connection: 'close', 'Content-Length': String(Buffer.byteLength(body)) };
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`, () => socket.destroy());
}

function reasonOf(status: number): string {
  if (status === 431) return `request line and headers are more than ${HEAD_BYTES_MAX} bytes`;
  return status === 408 ? 'the request did not arrive in time' : 'this is not an HTTP/1.1 request';
}
