/**
 * The local API over HTTP/1.1 on a Unix socket: many programs of one box, in any language, at one node (docs/local-api.md).
 *
 * One client never harms another: heads, bodies, connections, requests sent ahead and every wait have a bound (api-limits.ts), and
 * what a client breaks is its own connection. A client that goes away takes its wait with it, not what was leased to it before.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { RingmailError } from '../../errors.ts';
import type { NodeCalls } from '../node-calls.ts';
import {
  API_TIMING,
  type ApiTiming,
  BODY_BYTES_MAX,
  BODY_POOL_BYTES_MAX,
  CONNECTION_COUNT_MAX,
  HEAD_BYTES_MAX,
  HEAD_COUNT_MAX,
  PIPELINED_COUNT_MAX,
} from './api-limits.ts';
import { BodyPool, RequestBody } from './body-pool.ts';
import { answer } from './endpoints.ts';
import { errorReply, type Reply } from './reply.ts';
import { listenOnSocket } from './socket-file.ts';

export interface ApiOptions {
  readonly socketPath: string;
  /** Rights of the socket file: who may write to it may use the node. Default 0o660, the owner and the group of the folder's choice. */
  readonly mode?: number;
  readonly timing?: Partial<ApiTiming>;
}

export interface ApiServer {
  /**
   * Takes no more requests, tells those who wait for a message that the node stops, lets the others finish for a bounded time, and
   * removes the socket. A second call waits for the first.
   */
  close(): Promise<void>;
}

const MODE_DEFAULT = 0o660;

/** Resolves when the socket can be used. @throws SOCKET_IN_USE, SOCKET_UNUSABLE */
export async function serveApi(node: NodeCalls, options: ApiOptions): Promise<ApiServer> {
  const api = new Api(node, { ...API_TIMING, ...options.timing });
  await listenOnSocket(api.server, options.socketPath, options.mode ?? MODE_DEFAULT);
  return api;
}

class Api implements ApiServer {
  readonly server: Server;
  readonly #node: NodeCalls;
  readonly #timing: ApiTiming;
  readonly #pool = new BodyPool(BODY_POOL_BYTES_MAX);
  /** Requests under way by open connection. Aborting one ends its wait. */
  readonly #underWay = new Map<Duplex, Set<AbortController>>();
  #stopping: RingmailError | undefined;
  #closed: Promise<void> | undefined;

  constructor(node: NodeCalls, timing: ApiTiming) {
    this.#node = node;
    this.#timing = timing;
    this.server = createServer({
      maxHeaderSize: HEAD_BYTES_MAX,
      headersTimeout: timing.headMs,
      requestTimeout: timing.requestMs,
      connectionsCheckingInterval: timing.checkMs,
      keepAliveTimeout: timing.idleMs,
    });
    this.server.maxConnections = CONNECTION_COUNT_MAX;
    this.server.maxHeadersCount = HEAD_COUNT_MAX;
    this.server.on('connection', (socket) => {
      const underWay = new Set<AbortController>();
      this.#underWay.set(socket, underWay);
      socket.once('close', () => {
        this.#underWay.delete(socket);
        for (const waiting of underWay) waiting.abort();
      });
    });
    this.server.on('request', (request, response) => void this.#serve(request, response));
    this.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      if (Number(request.headers['content-length'] ?? 0) <= BODY_BYTES_MAX) response.writeContinue();
      void this.#serve(request, response);
    });
    this.server.on('clientError', refuseConnection);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.#stopping = new RingmailError('NODE_STOPPED', { reason: 'the node is stopping' });
    for (const underWay of this.#underWay.values()) for (const waiting of underWay) waiting.abort(this.#stopping);
    const deadline = setTimeout(() => this.server.closeAllConnections(), this.#timing.closeMs);
    await ended;
    clearTimeout(deadline);
  }

  /** Rejects only for a bug, and then ends the process: nobody catches it. */
  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const underWay = this.#underWay.get(socket);
    if (underWay === undefined || underWay.size >= PIPELINED_COUNT_MAX) {
      socket.destroy();
      return;
    }
    const waiting = new AbortController();
    underWay.add(waiting);
    const body = new RequestBody(request, this.#pool);
    try {
      this.#send(response, await this.#answer(request, body, waiting.signal));
    } finally {
      body.release();
      underWay.delete(waiting);
    }
  }

  async #answer(request: IncomingMessage, body: RequestBody, signal: AbortSignal): Promise<Reply> {
    const ask = {
      method: request.method ?? '',
      url: request.url ?? '',
      contentType: request.headers['content-type'],
      accept: request.headers.accept,
      readBody: () => body.read(),
      signal,
    };
    try {
      if (this.#stopping !== undefined) throw this.#stopping;
      // Those beyond the limit are not even kept: among them could have been one that matters.
      if (request.rawHeaders.length >= 2 * HEAD_COUNT_MAX) throw tooManyHeaders();
      return await answer(ask, this.#node);
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      return errorReply(error);
    }
  }

  #send(response: ServerResponse, reply: Reply): void {
    const { socket } = response.req;
    if (socket.destroyed) {
      reply.undelivered?.();
      return;
    }
    const slow = setTimeout(() => socket.destroy(), this.#timing.answerMs);
    response.once('close', () => {
      clearTimeout(slow);
      if (!response.writableFinished) reply.undelivered?.();
    });
    const closing = this.#stopping !== undefined ? { Connection: 'close' } : {};
    response.writeHead(reply.status, { ...reply.headers, ...closing, ...lengthOf(reply) });
    response.end(reply.body);
  }
}

function tooManyHeaders(): RingmailError<'REQUEST_INVALID'> {
  return new RingmailError('REQUEST_INVALID', { reason: `${HEAD_COUNT_MAX} headers or more` });
}

function lengthOf({ status, body }: Reply): Record<string, string> {
  return status === 204 ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
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
