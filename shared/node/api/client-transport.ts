/**
 * Requests to the local API of a node: over its Unix socket, or over the network with a token. Connections are kept and reused. Nothing
 * is sent twice by itself.
 */
import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { concatBytes } from '../../bytes.ts';
import { type ErrorCode, type ErrorDetails, RingmailError } from '../../errors.ts';
import { CLIENT_ABORTED_MS_MAX, CLIENT_ANSWER_BYTES_MAX, CLIENT_ANSWER_MS_MAX, CLIENT_IDLE_MS_MAX } from './api-limits.ts';

export type ApiClientOptions = (
  | { readonly socketPath: string }
  /** `https://host:port`, or `http://` for a node of this machine. `ca`: PEM of who signed its certificate, where that is nobody known. */
  | { readonly url: string; readonly token: string; readonly ca?: string }
) & {
  /** What an answer may take beyond the wait that was asked for, in ms. */
  readonly answerMs?: number;
};

export interface Outgoing {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: Uint8Array | string;
  /** How long the node may take by itself. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Undoes an answer that came when its wait was aborted already. Without it nobody looks for one. */
  readonly undo?: (late: Answer) => Promise<unknown>;
  /** What a connection that breaks under way means. */
  readonly whenBroken: 'IN_DOUBT' | 'NODE_UNREACHABLE';
}

export interface Answer {
  readonly status: number;
  /** What its JSON says; undefined when it is not JSON. */
  readonly body: unknown;
}

/** What an aborted wait is answered with: nothing was there. */
const NO_ANSWER: Answer = { status: 204, body: undefined };
const STRANGER = 'what answers is not the local API of a node';
const CONNECTIONS_KEPT = 8;

export class Transport {
  /** Where the node is, for people. */
  readonly place: string;
  readonly #answerMs: number;
  readonly #agent: Agent;
  readonly #target: RequestOptions;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #isTls: boolean;

  constructor(options: ApiClientOptions) {
    this.#answerMs = options.answerMs ?? CLIENT_ANSWER_MS_MAX;
    const kept = { keepAlive: true, maxFreeSockets: CONNECTIONS_KEPT, timeout: CLIENT_IDLE_MS_MAX };
    if ('socketPath' in options) {
      this.place = options.socketPath;
      this.#target = { socketPath: options.socketPath };
      this.#headers = { Host: 'ringmail' };
      this.#isTls = false;
      this.#agent = new Agent(kept);
      return;
    }
    const { protocol, hostname, port, host } = new URL(options.url);
    this.place = options.url;
    this.#isTls = protocol === 'https:';
    this.#target = { host: hostname.replace(/^\[(.*)\]$/, '$1'), port };
    this.#headers = { Host: host, Authorization: `Bearer ${options.token}` };
    this.#agent = this.#isTls ? new TlsAgent({ ...kept, ...(options.ca !== undefined && { ca: options.ca }) }) : new Agent(kept);
  }

  /** Closes the connections. What is under way is rejected. */
  close(): void {
    this.#agent.destroy();
  }

  unreachable(reason: string): RingmailError<'NODE_UNREACHABLE'> {
    return new RingmailError('NODE_UNREACHABLE', { socket: this.place, reason });
  }

  /** @throws NODE_UNREACHABLE */
  malformed(): never {
    throw this.unreachable(STRANGER);
  }

  /**
   * Rejects with the coded error of a refusal, and with what a broken connection means. An aborted wait is 204. With `undo` it is so when
   * the node has taken it away, or has answered and that is undone: at once with a node that listens, in `CLIENT_ABORTED_MS_MAX` else.
   */
  ask(outgoing: Outgoing): Promise<Answer> {
    const { waitMs = 0, signal, undo, whenBroken } = outgoing;
    if (signal?.aborted === true) return Promise.resolve(NO_ANSWER);
    return new Promise((resolve, reject) => {
      let isConnected = false;
      let isAborted = false;
      const request = this.#request(outgoing);
      const broken = (reason: string): void => {
        const inDoubt = isConnected && whenBroken === 'IN_DOUBT';
        finish();
        if (isAborted)
          resolve(NO_ANSWER); // which is what became of a wait that was taken away
        else reject(inDoubt ? new RingmailError('IN_DOUBT', { identity: '', epoch: 0, reason }) : this.unreachable(reason));
      };
      const giveUp = (): void => {
        broken(`no answer within ${this.#answerMs} ms`);
        request.destroy();
      };
      let timer = setTimeout(giveUp, waitMs + this.#answerMs);
      const abort = (): void => {
        isAborted = true;
        finish();
        if (isConnected && undo !== undefined) {
          // Our side alone: the node sees that nobody waits any more, and what it wrote before can still be read.
          timer = setTimeout(giveUp, CLIENT_ABORTED_MS_MAX);
          request.socket?.end();
          return;
        }
        resolve(NO_ANSWER);
        request.destroy();
      };
      const undone = async (late: Answer): Promise<void> => {
        await undo?.(late).catch(nothing); // the node is gone, or its lease has ended: the message comes back by itself
        finish();
        resolve(NO_ANSWER);
      };
      const finish = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
      };
      signal?.addEventListener('abort', abort, { once: true });
      request.on('socket', (socket: Socket) => {
        // Before the other side has shown who it is nothing was sent.
        if (socket.connecting) socket.once(this.#isTls ? 'secureConnect' : 'connect', () => (isConnected = true));
        else isConnected = true;
      });
      request.on('error', (error: NodeJS.ErrnoException) => broken(error.code ?? error.message));
      request.on('response', (response) => {
        readJson(response).then(
          (answered) => {
            if (isAborted) return undone(answered);
            finish();
            const error = this.#errorOf(answered);
            if (error === undefined) resolve(answered);
            else reject(error);
            return undefined;
          },
          (error: Error) => {
            broken(error.message);
            request.destroy();
          },
        );
      });
      request.end(outgoing.body);
    });
  }

  /**
   * The lines of an answer, each parsed, as they come; whoever stops reading ends the connection. Ends when the signal aborts.
   * @throws the coded error of a refusal, or of a last line that is one; NODE_UNREACHABLE when it breaks off
   */
  async *lines(outgoing: Outgoing): AsyncGenerator<unknown, void> {
    const { signal } = outgoing;
    const isAborted = (): boolean => signal?.aborted === true;
    if (isAborted()) return;
    const request = this.#request(outgoing);
    const abort = (): void => void request.destroy();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const response = await this.#responseTo(request, outgoing);
      if ((response.statusCode ?? 0) !== 200) throw this.#errorOf(await readJson(response)) ?? this.unreachable(STRANGER);
      for await (const line of linesOf(response)) {
        const value = parsed(line);
        const { code } = fieldsOf(value);
        if (typeof code === 'string') throw errorOf(value);
        yield value;
      }
      if (!isAborted()) throw this.unreachable('the node ended the stream');
    } catch (error) {
      if (isAborted()) return;
      throw error instanceof RingmailError ? error : this.unreachable(error instanceof Error ? error.message : String(error));
    } finally {
      signal?.removeEventListener('abort', abort);
      request.destroy();
    }
  }

  #responseTo(request: ClientRequest, outgoing: Outgoing): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      request.setTimeout(0);
      request.once('response', resolve);
      request.on('error', (error: NodeJS.ErrnoException) => reject(this.unreachable(error.code ?? error.message)));
      request.end(outgoing.body);
    });
  }

  #request({ method, path, body }: Outgoing): ClientRequest {
    const ask = this.#isTls ? tlsRequest : httpRequest;
    const length = method === 'GET' || method === 'DELETE' ? {} : { 'Content-Length': String(Buffer.byteLength(body ?? '')) };
    return ask({ ...this.#target, agent: this.#agent, method, path, headers: { ...this.#headers, ...length } });
  }

  /** The refusal in an answer; undefined for success and for red health, which is an answer too. */
  #errorOf({ status, body }: Answer): RingmailError | undefined {
    if (status < 300) return undefined;
    const { code, causes } = fieldsOf(body);
    if (status === 503 && Array.isArray(causes)) return undefined;
    return typeof code === 'string' ? errorOf(body) : this.unreachable(STRANGER);
  }
}

/** The error that a node told of. A code of a newer node is an error with that code. */
function errorOf(value: unknown): RingmailError {
  const { code, details } = fieldsOf(value);
  return new RingmailError(code as ErrorCode, fieldsOf(details) as ErrorDetails[ErrorCode]);
}

/** Rejects when it breaks off or is too long. */
async function readJson(response: IncomingMessage): Promise<Answer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > CLIENT_ANSWER_BYTES_MAX) throw tooLong();
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, body: parsed(Buffer.from(concatBytes(chunks)).toString('utf8')) };
}

/** Each line without its end. What is behind the last line end is no line: the answer broke off there. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string, void> {
  let rest: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      yield Buffer.from(concatBytes([...rest, chunk.subarray(start, end)])).toString('utf8');
      rest = [];
      bytes = 0;
      start = end + 1;
    }
    if (start === chunk.length) continue;
    rest.push(chunk.subarray(start));
    bytes += chunk.length - start;
    if (bytes > CLIENT_ANSWER_BYTES_MAX) throw tooLong();
  }
}

function nothing(): void {}

function tooLong(): Error {
  return new Error(`the answer is longer than ${CLIENT_ANSWER_BYTES_MAX} bytes`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not JSON: whoever wants a value of it says what that means
  }
}

export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
