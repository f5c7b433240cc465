/**
 * A node as another process sees it: its local API, behind the same calls as a node in this process.
 *
 * Connections are kept and reused. Nothing is sent twice by itself: when a connection breaks after a send went out, the message may or
 * may not be stored, and that is said (IN_DOUBT).
 */
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { concatBytes } from '../../bytes.ts';
import type { Call, CallResult, Durability, Health, Received, Stats } from '../../core/calls.ts';
import { type ErrorCode, type ErrorDetails, RingmailError } from '../../errors.ts';
import { parseAddress } from '../../message/address.ts';
import type { Properties } from '../../message/message.ts';
import type { NodeCalls } from '../node-calls.ts';
import { CLIENT_ANSWER_BYTES_MAX, CLIENT_ANSWER_MS_MAX, CLIENT_IDLE_MS_MAX, LEASE_MS_DEFAULT } from './api-limits.ts';
import { parseReceived } from './message-json.ts';
import { percentEncode } from './percent.ts';

export interface ApiClientOptions {
  readonly socketPath: string;
  /** What an answer may take beyond the wait that was asked for, in ms. */
  readonly answerMs?: number;
}

export interface ReceiveOptions {
  /** How long to wait for a message, in ms. Default 0. */
  readonly waitMs?: number;
  /** How long the message is ours, in ms. Default 30,000. */
  readonly leaseMs?: number;
  /** Ends the wait: the answer is then that there is nothing. */
  readonly signal?: AbortSignal;
}

type Success = Exclude<CallResult, { kind: 'error' }>;
type Sent = Extract<CallResult, { kind: 'sent' }>;

interface Outgoing {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: Uint8Array;
  /** How long the node may take by itself. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** What a connection that breaks under way means. */
  readonly whenBroken: 'IN_DOUBT' | 'NODE_UNREACHABLE';
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** What an aborted wait is answered with: nothing was there. */
const NO_ANSWER: Answer = { status: 204, body: undefined };

/** Rejects with the node's coded errors, and with NODE_UNREACHABLE when the socket is absent, refuses, or is not a node's. */
export class ApiClient implements NodeCalls {
  readonly socketPath: string;
  readonly #answerMs: number;
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 8, timeout: CLIENT_IDLE_MS_MAX });

  constructor(options: ApiClientOptions) {
    this.socketPath = options.socketPath;
    this.#answerMs = options.answerMs ?? CLIENT_ANSWER_MS_MAX;
  }

  /** Resolves with the message's identity when it is on the node's disk, or will be within its interval. The body goes as it is. */
  async send(address: string, body: Uint8Array, properties: Properties = {}): Promise<string> {
    return (await this.#send(address, body, { properties })).identity;
  }

  /** The most urgent message, leased, byte for byte; undefined when there is none within the wait. */
  async receive(queue: string, options: ReceiveOptions = {}): Promise<Received | undefined> {
    const { waitMs = 0, leaseMs = LEASE_MS_DEFAULT, signal } = options;
    const parameters = { waitMs: String(waitMs), leaseMs: String(leaseMs), bodyAs: 'base64' };
    const path = `/v1/receive/${percentEncode(queue)}${queryOf(parameters)}`;
    const answer = await this.#ask({ method: 'POST', path, waitMs, signal, whenBroken: 'NODE_UNREACHABLE' });
    return answer.status === 204 ? undefined : (parseReceived(answer.body) ?? this.#malformed());
  }

  /** Resolves when the message can never be delivered again. */
  async ack(lease: string): Promise<void> {
    await this.#lease(lease, 'ack');
  }

  /** Back to its place, visible again after `delayMs`. */
  async nack(lease: string, options: { delayMs?: number } = {}): Promise<void> {
    await this.#lease(lease, `nack${queryOf({ delayMs: String(options.delayMs ?? 0) })}`);
  }

  /** Given up, into `$dead` with its history. */
  async deadLetter(lease: string, reason: string): Promise<void> {
    await this.#lease(lease, `dead-letter${queryOf({ reason })}`);
  }

  async stats(): Promise<Stats> {
    const { body } = await this.#ask({ method: 'GET', path: '/v1/stats', whenBroken: 'NODE_UNREACHABLE' });
    return typeof fieldsOf(body).node === 'string' ? (body as Stats) : this.#malformed();
  }

  /** Resolves for red too. */
  async health(): Promise<Health> {
    const { body } = await this.#ask({ method: 'GET', path: '/v1/health', whenBroken: 'NODE_UNREACHABLE' });
    const { status, causes } = fieldsOf(body);
    return (status === 'green' || status === 'red') && Array.isArray(causes) ? (body as Health) : this.#malformed();
  }

  /** The version of ringmail that serves. */
  async version(): Promise<string> {
    const { body } = await this.#ask({ method: 'GET', path: '/v1/version', whenBroken: 'NODE_UNREACHABLE' });
    const { version } = fieldsOf(body);
    return typeof version === 'string' ? version : this.#malformed();
  }

  /** The same calls as a node in this process takes. Positions of adapters are not offered to other processes. */
  async call(call: Call, signal?: AbortSignal): Promise<Success> {
    switch (call.verb) {
      case 'send':
        if (call.position !== undefined || call.dead !== undefined) throw notOffered();
        return this.#send(call.destination, call.body, call);
      case 'receive': {
        const received = await this.receive(call.queue, { ...call, ...(signal && { signal }) });
        return received === undefined ? { kind: 'empty' } : { kind: 'received', received };
      }
      case 'ack':
        await this.ack(call.lease);
        return { kind: 'done' };
      case 'nack':
        await this.nack(call.lease, call);
        return { kind: 'done' };
      case 'deadLetter':
        await this.deadLetter(call.lease, call.reason);
        return { kind: 'done' };
      case 'stats':
        return { kind: 'stats', stats: await this.stats() };
      default:
        throw notOffered();
    }
  }

  /** Closes the connections. What is under way is rejected. */
  close(): void {
    this.#agent.destroy();
  }

  async #send(address: string, body: Uint8Array, how: { properties: Properties; waitMs?: number }): Promise<Sent> {
    parseAddress(address, 'self'); // its parts become a path: what is no address must not become another path
    const { properties, waitMs } = how;
    const parameters = { ...sendParameters(properties), waitMs: waitMs?.toString() };
    const path = `/v1/send/${address.split('/').map(percentEncode).join('/')}${queryOf(parameters)}`;
    const answer = await this.#ask({ method: 'POST', path, body, waitMs: waitMs ?? 0, whenBroken: 'IN_DOUBT' });
    const { identity, durable, durability } = fieldsOf(answer.body);
    if (typeof identity !== 'string') return this.#malformed();
    return { kind: 'sent', identity, durability: durabilityOf(durability ?? durable) };
  }

  #lease(lease: string, what: string): Promise<Answer> {
    return this.#ask({ method: 'POST', path: `/v1/leases/${percentEncode(lease)}/${what}`, whenBroken: 'NODE_UNREACHABLE' });
  }

  #malformed(): never {
    throw this.#unreachable('what answers is not the local API of a node');
  }

  #unreachable(reason: string): RingmailError<'NODE_UNREACHABLE'> {
    return new RingmailError('NODE_UNREACHABLE', { socket: this.socketPath, reason });
  }

  #ask(outgoing: Outgoing): Promise<Answer> {
    const { method, path, body, waitMs = 0, signal, whenBroken } = outgoing;
    if (signal?.aborted === true) return Promise.resolve(NO_ANSWER);
    return new Promise((resolve, reject) => {
      let isConnected = false;
      const headers = { Host: 'ringmail', ...(method === 'POST' && { 'Content-Length': String(body?.length ?? 0) }) };
      const request = httpRequest({ socketPath: this.socketPath, agent: this.#agent, method, path, headers });
      const broken = (reason: string): void => {
        const inDoubt = isConnected && whenBroken === 'IN_DOUBT';
        finish();
        reject(inDoubt ? new RingmailError('IN_DOUBT', { identity: '', epoch: 0, reason }) : this.#unreachable(reason));
      };
      const giveUp = (): void => {
        broken(`no answer within ${this.#answerMs} ms`);
        request.destroy();
      };
      const timer = setTimeout(giveUp, waitMs + this.#answerMs);
      const abort = (): void => {
        finish();
        resolve(NO_ANSWER);
        request.destroy();
      };
      const finish = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
      };
      signal?.addEventListener('abort', abort, { once: true });
      request.on('socket', (socket: Socket) => {
        if (socket.connecting) socket.once('connect', () => (isConnected = true));
        else isConnected = true;
      });
      request.on('error', (error: NodeJS.ErrnoException) => broken(error.code ?? error.message));
      request.on('response', (response) => {
        readJson(response).then(
          (answered) => {
            finish();
            const error = this.#errorOf(answered);
            if (error === undefined) resolve(answered);
            else reject(error);
          },
          (error: Error) => {
            broken(error.message);
            request.destroy();
          },
        );
      });
      request.end(body);
    });
  }

  /** The refusal in an answer; undefined for success and for red health, which is an answer too. */
  #errorOf({ status, body }: Answer): RingmailError | undefined {
    if (status < 300) return undefined;
    const { code, details, causes } = fieldsOf(body);
    if (status === 503 && Array.isArray(causes)) return undefined;
    if (typeof code !== 'string') return this.#unreachable('what answers is not the local API of a node');
    return new RingmailError(code as ErrorCode, fieldsOf(details) as ErrorDetails[ErrorCode]);
  }
}

function sendParameters(properties: Properties): Record<string, string | undefined> {
  const { headers, ...others } = properties;
  const parameters: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(others)) parameters[name] = value?.toString();
  for (const [name, value] of headers ?? []) parameters[`header:${name}`] = value;
  return parameters;
}

function queryOf(parameters: Readonly<Record<string, string | undefined>>): string {
  const pairs = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [`${percentEncode(name)}=${percentEncode(value)}`],
  );
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

/** The answer and what its JSON says; `body` is undefined when it is not JSON. Rejects when it breaks off or is too long. */
async function readJson(response: IncomingMessage): Promise<Answer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > CLIENT_ANSWER_BYTES_MAX) throw new Error(`the answer is longer than ${CLIENT_ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  const status = response.statusCode ?? 0;
  try {
    return { status, body: JSON.parse(Buffer.from(concatBytes(chunks)).toString('utf8')) };
  } catch {
    return { status, body: undefined }; // not JSON: whoever wants a value of it says what that means
  }
}

const DURABILITIES: readonly Durability[] = ['sync', 'interval', 'volatile', 'unknown'];

/** Its name; an earlier node says only whether it is `sync`. */
function durabilityOf(said: unknown): Durability {
  if (said === true) return 'sync';
  return said === false ? 'volatile' : (DURABILITIES.find((known) => known === said) ?? 'unknown');
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function notOffered(): RingmailError<'REQUEST_INVALID'> {
  return new RingmailError('REQUEST_INVALID', { reason: 'the local API does not offer the positions of adapters' });
}
