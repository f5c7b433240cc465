/**
 * A node as another process sees it: its local API, behind the same calls as a node in this process.
 *
 * When a connection breaks after something was sent that must not happen twice, it may or may not have happened, and that is said
 * (IN_DOUBT). A producer's number, or a `sendKey`, makes asking again safe.
 */
import { unreachable } from '../../assert.ts';
import type {
  Access,
  Call,
  CallResult,
  Durability,
  Health,
  HoleStats,
  Ledger,
  Peeked,
  ProbeAnswer,
  ProducerNumber,
  QueueStats,
  Received,
  SendOutcome,
  Share,
  Stats,
  TransactionStep,
} from '../../core/calls.ts';
import { RingmailError } from '../../errors.ts';
import { BLOCK_MS_MAX } from '../../limits.ts';
import { parseAddress } from '../../message/address.ts';
import type { Properties } from '../../message/message.ts';
import type { QueueOptions } from '../../queue/queue-options.ts';
import type { Selector } from '../../queue/selector.ts';
import type { NodeCalls } from '../node-calls.ts';
import { HANDLE_IDLE_MS_DEFAULT, LEASE_MS_DEFAULT, PREFETCH_DEFAULT } from './api-limits.ts';
import { type Answer, type ApiClientOptions, fieldsOf, type Outgoing, Transport } from './client-transport.ts';
import { parsePeeked, parseReceived } from './message-json.ts';
import { percentEncode } from './percent.ts';
import { selectorParameters } from './query-parts.ts';
import { stepsJson } from './transaction-json.ts';

export type { ApiClientOptions } from './client-transport.ts';

export interface SendOptions extends Properties {
  /** How long to wait for room in a queue that blocks, in ms. The node's default. */
  readonly waitMs?: number;
  /** Sent under the same key before: nothing is stored, and the first one's identity is the answer. */
  readonly sendKey?: string;
  /** In memory only, where its queue is on that node. */
  readonly delivery?: 'express';
  /** The same number again is the same request, for ever. */
  readonly by?: ProducerNumber;
}

export interface ReceiveOptions {
  /** How long to wait for a message, in ms. Default 0. */
  readonly waitMs?: number;
  /** How long the message is ours, in ms. Default 30,000. */
  readonly leaseMs?: number;
  readonly select?: Selector;
  readonly handle?: string;
  /** Ends the wait: the answer is then that there is nothing. */
  readonly signal?: AbortSignal;
}

export interface PeekOptions extends Omit<ReceiveOptions, 'leaseMs'> {
  /** `without`: all but the body, which is then empty here. */
  readonly bodies?: 'with' | 'without';
}

export interface StreamOptions {
  /** Leases outstanding at most. Default 16. */
  readonly prefetch?: number;
  readonly leaseMs?: number;
  readonly handle?: string;
  /** `nack`: what is still leased when the connection ends goes back at once. */
  readonly whenClosed?: 'keep' | 'nack';
  /** Ends the stream. */
  readonly signal?: AbortSignal;
}

export interface OpenQueueOptions {
  readonly access?: Access;
  readonly share?: Share;
  /** Unused for so long, it is closed, in ms. Default 30,000. */
  readonly idleMs?: number;
}

export interface SentAnswer {
  /** Empty for a number of a producer that is too old for the node to know it. */
  readonly identity: string;
  readonly durability: Durability;
}

export interface CommitAnswer {
  /** Of its sends, in their order. */
  readonly identities: readonly string[];
  readonly durability: Durability;
}

type Success = Exclude<CallResult, { kind: 'error' }>;
type Parameters = Readonly<Record<string, string | number | undefined>>;

/** Rejects with the node's coded errors, and with NODE_UNREACHABLE when the socket is absent, refuses, or is not a node's. */
export class ApiClient implements NodeCalls {
  readonly #transport: Transport;

  constructor(options: ApiClientOptions) {
    this.#transport = new Transport(options);
  }

  /** Of the socket; the URL of a node that is reached over the network. */
  get socketPath(): string {
    return this.#transport.place;
  }

  /** Resolves with the message's identity when it is on the node's disk, or will be within its interval. The body goes as it is. */
  async send(address: string, body: Uint8Array, options: SendOptions = {}): Promise<string> {
    return (await this.sendDetailed(address, body, options)).identity;
  }

  /** The same, and how durable it was when the answer came. */
  async sendDetailed(address: string, body: Uint8Array, options: SendOptions = {}): Promise<SentAnswer> {
    return (await this.#send(address, body, options)) ?? this.#transport.malformed();
  }

  /** Undefined when it was aborted: whether it was stored by then is not known. */
  async #send(
    address: string,
    body: Uint8Array,
    options: SendOptions & { signal?: AbortSignal },
  ): Promise<SentAnswer | undefined> {
    parseAddress(address, 'self'); // its parts become a path: what is no address must not become another path
    const { waitMs, sendKey, delivery, by, headers, signal, ...properties } = options;
    const parameters: Record<string, string | number | undefined> = { ...properties, waitMs, sendKey, delivery, ...by };
    for (const [name, value] of headers ?? []) parameters[`header:${name}`] = value;
    const path = `/v1/send/${address.split('/').map(percentEncode).join('/')}${queryOf(parameters)}`;
    const answer = await this.#ask('POST', path, { body, waitMs: waitMs ?? 0, signal, whenBroken: 'IN_DOUBT' });
    return answer.status === 204 ? undefined : this.#sent(answer.body);
  }

  /** All of it in one frame, or nothing. */
  async commit(steps: readonly TransactionStep[], options: { by?: ProducerNumber } = {}): Promise<CommitAnswer> {
    const path = `/v1/transactions${queryOf({ ...options.by })}`;
    const { body } = await this.#ask('POST', path, { body: stepsJson(steps), whenBroken: 'IN_DOUBT' });
    const { identities, durability } = fieldsOf(body);
    if (!Array.isArray(identities)) return this.#transport.malformed();
    return { identities: identities.map(String), durability: durabilityOf(durability) };
  }

  /** The most urgent message, or the selected one, leased, byte for byte; undefined when there is none within the wait. */
  async receive(queue: string, options: ReceiveOptions = {}): Promise<Received | undefined> {
    const { waitMs = 0, leaseMs = LEASE_MS_DEFAULT, select, handle, signal } = options;
    const parameters = { waitMs, leaseMs, bodyAs: 'base64', ...selectorParameters(select), handle };
    const undo = (late: Answer): Promise<void> => this.#giveBack(late);
    const answer = await this.#ask('POST', `/v1/receive/${percentEncode(queue)}${queryOf(parameters)}`, { waitMs, signal, undo });
    return answer.status === 204 ? undefined : (parseReceived(answer.body) ?? this.#transport.malformed());
  }

  async #giveBack({ body }: Answer): Promise<void> {
    const { lease } = fieldsOf(body);
    if (typeof lease === 'string') await this.nack(lease, { delayMs: 0 });
  }

  /** The same message, left where it is. */
  async peek(queue: string, options: PeekOptions = {}): Promise<Peeked | undefined> {
    const { waitMs = 0, select, handle, bodies = 'with', signal } = options;
    const parameters = { waitMs, bodies, bodyAs: 'base64', ...selectorParameters(select), handle };
    const answer = await this.#ask('GET', `/v1/peek/${percentEncode(queue)}${queryOf(parameters)}`, { waitMs, signal });
    return answer.status === 204 ? undefined : (parsePeeked(answer.body) ?? this.#transport.malformed());
  }

  /**
   * Messages as they come, each leased, on a connection of its own. Leases end by `ack` and the like, on other connections; at most
   * `prefetch` are outstanding. Leaving the loop ends the stream.
   * @throws what ended it, NODE_UNREACHABLE when it broke off
   */
  async *stream(queue: string, options: StreamOptions = {}): AsyncGenerator<Received, void> {
    const { prefetch = PREFETCH_DEFAULT, leaseMs = LEASE_MS_DEFAULT, handle, whenClosed, signal } = options;
    const path = `/v1/stream/${percentEncode(queue)}${queryOf({ prefetch, leaseMs, bodyAs: 'base64', handle, whenClosed })}`;
    for await (const line of this.#transport.lines({ method: 'POST', path, signal, whenBroken: 'NODE_UNREACHABLE' })) {
      yield parseReceived(line) ?? this.#transport.malformed();
    }
  }

  /** Resolves when the message can never be delivered again. */
  async ack(lease: string): Promise<void> {
    await this.#lease(lease, 'ack', {});
  }

  /** Back to its place, visible again after `delayMs`, or after what its queue's back-off says. */
  async nack(lease: string, options: { delayMs?: number } = {}): Promise<void> {
    await this.#lease(lease, 'nack', { delayMs: options.delayMs });
  }

  /** Given up, into the queue's dead letter queue with its history. */
  async deadLetter(lease: string, reason: string): Promise<void> {
    await this.#lease(lease, 'dead-letter', { reason });
  }

  /** From now on the lease holds for `leaseMs`. */
  async extend(lease: string, leaseMs: number): Promise<void> {
    await this.#lease(lease, 'extend', { leaseMs });
  }

  /** A queue with these properties, and the defaults for others. */
  async createQueue(queue: string, options: Partial<QueueOptions> = {}): Promise<void> {
    await this.#queue('PUT', queue, { body: JSON.stringify(options) });
  }

  /** Changes these properties of it, and no other. */
  async setQueue(queue: string, changes: Partial<QueueOptions>): Promise<void> {
    await this.#queue('PATCH', queue, { body: JSON.stringify(changes) });
  }

  async deleteQueue(queue: string): Promise<void> {
    await this.#queue('DELETE', queue, {});
  }

  async queues(): Promise<readonly QueueStats[]> {
    const { body } = await this.#ask('GET', '/v1/queues');
    const { queues } = fieldsOf(body);
    return Array.isArray(queues) ? (queues as QueueStats[]) : this.#transport.malformed();
  }

  /** One of them. @throws QUEUE_NOT_FOUND */
  async queue(queue: string): Promise<QueueStats> {
    const { body } = await this.#queue('GET', queue, {});
    return typeof fieldsOf(body).name === 'string' ? (body as QueueStats) : this.#transport.malformed();
  }

  /** Ends all that is ready or delayed; resolves with how many that were. */
  async purge(queue: string): Promise<number> {
    const { body } = await this.#queue('POST', queue, { what: '/purge' });
    const { count } = fieldsOf(body);
    return typeof count === 'number' ? count : this.#transport.malformed();
  }

  /** A ready message, from a queue to one of its subqueues, between two of them, or back. */
  async move(queue: string, lookupId: number, to: string): Promise<void> {
    await this.#queue('POST', queue, { what: `/move${queryOf({ lookupId, to })}` });
  }

  /** A dead letter becomes a message again, for `to` or for where it was going. */
  async redrive(queue: string, lookupId: number, to?: string): Promise<SentAnswer> {
    const what = `/redrive${queryOf({ lookupId, to })}`;
    const { body } = await this.#queue('POST', queue, { what, whenBroken: 'IN_DOUBT' });
    return this.#sent(body);
  }

  /** Resolves with the handle. */
  async open(queue: string, options: OpenQueueOptions = {}): Promise<string> {
    const { access = 'receive', share = 'all', idleMs = HANDLE_IDLE_MS_DEFAULT } = options;
    const { body } = await this.#queue('POST', queue, { what: `/open${queryOf({ access, share, idleMs })}` });
    const { handle } = fieldsOf(body);
    return typeof handle === 'string' ? handle : this.#transport.malformed();
  }

  async closeHandle(handle: string): Promise<void> {
    await this.#ask('DELETE', `/v1/handles/${percentEncode(handle)}`);
  }

  /** What became of a send that was IN_DOUBT. */
  async outcome(identity: string, epoch?: number): Promise<SendOutcome> {
    const { body } = await this.#ask('GET', `/v1/outcome${queryOf({ identity, epoch })}`);
    const { outcome } = fieldsOf(body);
    return OUTCOMES.find((known) => known === outcome) ?? this.#transport.malformed();
  }

  /** What nodes on the way to this one say, within the wait. */
  async ping(node: string, waitMs: number): Promise<ProbeAnswer[]> {
    return this.#probed(`/v1/ping${queryOf({ node, waitMs })}`);
  }

  /** What nodes say of a message, within the wait. */
  async trace(identity: string, waitMs: number): Promise<ProbeAnswer[]> {
    return this.#probed(`/v1/trace${queryOf({ identity, waitMs })}`);
  }

  async #probed(path: string): Promise<ProbeAnswer[]> {
    const { body } = await this.#ask('GET', path);
    const { answers } = fieldsOf(body);
    return Array.isArray(answers) ? (answers as ProbeAnswer[]) : this.#transport.malformed();
  }

  /** Forgets a producer: its name may begin at 1 again. */
  async retireProducer(producer: string): Promise<void> {
    await this.#ask('DELETE', `/v1/producers/${percentEncode(producer)}`);
  }

  /** What the node knows of the streams that begin at another one. */
  async ledger(node: string): Promise<Ledger> {
    const fields = fieldsOf((await this.#ask('GET', `/v1/devices/${percentEncode(node)}`)).body);
    return Array.isArray(fields.streams) ? (fields as unknown as Ledger) : this.#transport.malformed();
  }

  /** Numbers that are waited for, or were given up, of streams that end at the node. */
  async holes(): Promise<readonly HoleStats[]> {
    const { holes } = fieldsOf((await this.#ask('GET', '/v1/holes')).body);
    return Array.isArray(holes) ? (holes as HoleStats[]) : this.#transport.malformed();
  }

  /** Gives up all holes of a queue, or of one stream. Resolves with how many numbers are missing now. */
  async closeHoles(of: string): Promise<number> {
    const { count } = fieldsOf((await this.#ask('POST', `/v1/holes/close${queryOf({ of })}`)).body);
    return typeof count === 'number' ? count : this.#transport.malformed();
  }

  /** A place that was stored in a transaction, under a name that begins with `trigger/`. */
  async position(name: string): Promise<Uint8Array | undefined> {
    const answer = await this.#ask('GET', `/v1/positions/${percentEncode(name)}`);
    if (answer.status === 204) return undefined;
    const { valueBase64 } = fieldsOf(answer.body);
    return typeof valueBase64 === 'string' ? new Uint8Array(Buffer.from(valueBase64, 'base64')) : this.#transport.malformed();
  }

  async stats(): Promise<Stats> {
    const { body } = await this.#ask('GET', '/v1/stats');
    return typeof fieldsOf(body).node === 'string' ? (body as Stats) : this.#transport.malformed();
  }

  /** Resolves for red too. */
  async health(): Promise<Health> {
    const { body } = await this.#ask('GET', '/v1/health');
    const { status, causes } = fieldsOf(body);
    const isHealth = (status === 'green' || status === 'red') && Array.isArray(causes);
    return isHealth ? (body as Health) : this.#transport.malformed();
  }

  /** The version of ringmail that serves. */
  async version(): Promise<string> {
    const { body } = await this.#ask('GET', '/v1/version');
    const { version } = fieldsOf(body);
    return typeof version === 'string' ? version : this.#transport.malformed();
  }

  /** The same calls as a node in this process takes. Positions of adapters are not offered to other processes. */
  async call(call: Call, signal?: AbortSignal): Promise<Success> {
    switch (call.verb) {
      case 'send': {
        if (call.position !== undefined || call.dead !== undefined) throw notOffered();
        const { waitMs, sendKey, delivery, by } = call;
        const how = { ...call.properties, ...defined({ waitMs, sendKey, delivery, by }) };
        if (signal === undefined) return { kind: 'sent', ...(await this.sendDetailed(call.destination, call.body, how)) };
        const sent = await this.#send(call.destination, call.body, { waitMs: BLOCK_MS_MAX, ...how, signal });
        return sent === undefined ? { kind: 'empty' } : { kind: 'sent', ...sent };
      }
      case 'commit':
        return { kind: 'committed', ...(await this.commit(call.steps, call)) };
      case 'receive': {
        const received = await this.receive(call.queue, { ...call, ...(signal && { signal }) });
        return received === undefined ? { kind: 'empty' } : { kind: 'received', received };
      }
      case 'peek': {
        const peeked = await this.peek(call.queue, { ...call, ...(signal && { signal }) });
        return peeked === undefined ? { kind: 'empty' } : { kind: 'peeked', peeked };
      }
      case 'ack':
        return done(this.ack(call.lease));
      case 'nack':
        return done(this.nack(call.lease, call));
      case 'deadLetter':
        return done(this.deadLetter(call.lease, call.reason));
      case 'extend':
        return done(this.extend(call.lease, call.leaseMs));
      case 'createQueue':
        return done(this.createQueue(call.queue, call.options));
      case 'setQueue':
        return done(this.setQueue(call.queue, call.changes));
      case 'deleteQueue':
        return done(this.deleteQueue(call.queue));
      case 'queues':
        return { kind: 'queues', queues: await this.queues() };
      case 'purge':
        return { kind: 'purged', count: await this.purge(call.queue) };
      case 'move':
        return done(this.move(call.queue, call.lookupId, call.to));
      case 'redrive':
        return { kind: 'sent', ...(await this.redrive(call.queue, call.lookupId, call.to)) };
      case 'open':
        return { kind: 'opened', handle: await this.open(call.queue, call) };
      case 'close':
        return done(this.closeHandle(call.handle));
      case 'outcome':
        return { kind: 'outcome', outcome: await this.outcome(call.identity, call.epoch) };
      case 'probe': {
        const { waitMs } = call;
        const asked = call.about === 'node' ? this.ping(call.node, waitMs) : this.trace(call.identity, waitMs);
        return { kind: 'probed', answers: await asked };
      }
      case 'ledger':
        return { kind: 'ledger', ledger: await this.ledger(call.node) };
      case 'retireProducer':
        return done(this.retireProducer(call.producer));
      case 'holes':
        return { kind: 'holes', holes: await this.holes() };
      case 'closeHoles':
        return { kind: 'holesClosed', count: await this.closeHoles(call.of) };
      case 'position':
        return { kind: 'position', value: await this.position(call.name) };
      case 'stats':
        return { kind: 'stats', stats: await this.stats() };
      default:
        return unreachable(call);
    }
  }

  /** Closes the connections. What is under way is rejected. */
  close(): void {
    this.#transport.close();
  }

  #lease(lease: string, what: string, parameters: Parameters): Promise<Answer> {
    return this.#ask('POST', `/v1/leases/${percentEncode(lease)}/${what}${queryOf(parameters)}`);
  }

  #queue(method: Outgoing['method'], queue: string, how: { what?: string } & Partial<Outgoing>): Promise<Answer> {
    const { what = '', ...others } = how;
    return this.#ask(method, `/v1/queues/${percentEncode(queue)}${what}`, others);
  }

  #ask(method: Outgoing['method'], path: string, how: Partial<Outgoing> = {}): Promise<Answer> {
    return this.#transport.ask({ whenBroken: 'NODE_UNREACHABLE', ...how, method, path });
  }

  #sent(body: unknown): SentAnswer {
    const { identity, durable, durability } = fieldsOf(body);
    if (typeof identity !== 'string') return this.#transport.malformed();
    return { identity, durability: durabilityOf(durability ?? durable) };
  }
}

async function done(work: Promise<void>): Promise<Success> {
  await work;
  return { kind: 'done' };
}

/** Without the members that are undefined. */
function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as never;
}

function queryOf(parameters: Parameters): string {
  let query = '';
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined) continue;
    query += `${query === '' ? '?' : '&'}${percentEncode(name)}=${percentEncode(String(value))}`;
  }
  return query;
}

const OUTCOMES: readonly SendOutcome[] = ['kept', 'absent', 'unknown'];
const DURABILITIES: readonly Durability[] = ['sync', 'interval', 'volatile', 'unknown'];

/** Its name; an earlier node says only whether it is `sync`. */
function durabilityOf(said: unknown): Durability {
  if (said === true) return 'sync';
  return said === false ? 'volatile' : (DURABILITIES.find((known) => known === said) ?? 'unknown');
}

function notOffered(): RingmailError<'REQUEST_INVALID'> {
  return new RingmailError('REQUEST_INVALID', { reason: 'the local API does not offer the positions of adapters' });
}
