/** For tests: a node's calls over a few arrays, with every answer the same each time. Nothing here is durable, and no time passes. */

import type {
  Access,
  Call,
  CallResult,
  Durability,
  Health,
  Ledger,
  ProducerNumber,
  QueueStats,
  Received,
  Stats,
  TransactionStep,
} from '../../core/calls.ts';
import { RingmailError } from '../../errors.ts';
import { formatAddress, parseAddress } from '../../message/address.ts';
import { identityText, parseIdentity } from '../../message/identity.ts';
import { checkProperties, type Message, PRIORITY_DEFAULT, type TransactionMark } from '../../message/message.ts';
import { QUEUE_DEFAULTS, type QueueOptions } from '../../queue/queue-options.ts';
import type { Selector } from '../../queue/selector.ts';
import type { NodeCalls } from '../node-calls.ts';
import { type Held, insert, peekedOf, selected, shown, wantedBy } from './fake-queue.ts';

type Success = Exclude<CallResult, { kind: 'error' }>;
type Of<V extends Call['verb']> = Extract<Call, { verb: V }>;

export const FAKE_NAME = 'belt1';
const INCARNATION = '00c0ffee00c0ffee';
const BODY_BYTES_LIMIT = 192 * 1024;
const BYTES_LIMIT = 1_048_576;

interface Waiting {
  readonly queue: string;
  readonly select: Selector | undefined;
  /** Gives it what it waits for. */
  readonly offer: (held: Held) => Success;
  readonly answer: (result: Success) => void;
  readonly refuse: (error: RingmailError) => void;
}

interface Handle {
  readonly queue: string;
  readonly access: Access;
  readonly share: 'all' | 'alone';
}

const HOLES = [
  { stream: 'belt1:00c0ffee00c0ffee:central/bags:3', from: 2, to: 3, state: 'open', leftMs: 1_000, held: 4 },
  { stream: 'belt1:00c0ffee00c0ffee:central/bags:3', from: 9, to: 9, state: 'missing', leftMs: 0, held: 0 },
] as const;

const LEDGER: Ledger = {
  node: 'belt1',
  streams: [
    {
      stream: 'belt1:00c0ffee00c0ffee:central/bags:3',
      at: 'ends',
      numbers: 9,
      received: 5,
      waiting: { ready: 1, leased: 0, delayed: 0, held: 0, onItsWay: 0 },
      holes: [{ from: 8, to: 8 }],
      missing: [{ class: 'RECEIVE_TIMEOUT', count: 2, ranges: [{ from: 3, to: 4 }], detail: 'exact' }],
      others: [],
    },
  ],
  streamsLeftOut: 0,
  digest: {
    state: 'equal',
    agoMs: 60_000,
    agreedAgoMs: 60_000,
    streams: [{ stream: 'belt1:00c0ffee00c0ffee:central/bags:3', numbers: 7 }],
    losses: [{ stream: 'belt1:00c0ffee00c0ffee:belt1/gates:3', class: 'DROPPED', count: 4 }],
    lossesLeftOut: 0,
  },
};

export class FakeNode implements NodeCalls {
  /** Everything that was asked, in order. */
  readonly calls: Call[] = [];
  /** What each of the next calls is refused with. */
  readonly refusals: RingmailError[] = [];
  readonly queues = new Map<string, Held[]>();
  readonly options = new Map<string, QueueOptions>();
  readonly leases = new Map<string, { readonly queue: string; readonly held: Held }>();
  readonly handles = new Map<string, Handle>();
  waiting: Waiting[] = [];
  durability: Durability = 'sync';
  uplinks: Stats['uplinks'] = [];
  health: Health = { status: 'green', causes: [] };
  adapters: Stats['adapters'] = {};
  /** Undefined: it has none. */
  ingress: Stats['ingress'];
  /** A call waits for this before it is done: a disk that takes its time. */
  disk: Promise<void> = Promise.resolve();
  readonly #numbers = new Map<string, number>();
  readonly #identities = new Set<string>();
  readonly #sendKeys = new Map<string, Success>();
  readonly #producers = new Map<string, { readonly number: number; readonly answer: Success }>();
  readonly #positions = new Map<string, Uint8Array>();
  #leaseCount = 0;
  #lookupId = 0;
  #transactionCount = 0;
  #handleCount = 0;

  async call(call: Call, signal?: AbortSignal): Promise<Success> {
    this.calls.push(call);
    const refusal = this.refusals.shift();
    if (refusal !== undefined) throw refusal;
    await this.disk;
    switch (call.verb) {
      case 'send':
        return this.#numbered(call.by, () => this.#send(call));
      case 'commit':
        return this.#numbered(call.by, () => this.#commit(call.steps));
      case 'receive':
        this.#check(call.queue, 'receive', call.handle);
        return this.#wait(call, signal, (held) => this.#lease(call.queue, held, call.leaseMs));
      case 'peek':
        this.#check(call.queue, 'peek', call.handle);
        return this.#wait(call, signal, (held) => ({ kind: 'peeked', peeked: peekedOf(call.queue, held, call.bodies) }));
      case 'ack':
        this.#end(call.lease);
        return DONE;
      case 'nack': {
        const { queue, held } = this.#end(call.lease);
        this.#put(queue, held);
        return DONE;
      }
      case 'deadLetter':
        this.#bury(call.lease, call.reason);
        return DONE;
      case 'extend':
        if (!this.leases.has(call.lease)) throw new RingmailError('LEASE_UNKNOWN', { lease: call.lease });
        return DONE;
      case 'createQueue':
        return this.#create(call);
      case 'setQueue':
        this.#list(call.queue);
        this.options.set(call.queue, { ...this.#optionsOf(call.queue), ...call.changes });
        return DONE;
      case 'deleteQueue':
        return this.#delete(call.queue);
      case 'queues':
        return { kind: 'queues', queues: this.#queueStats() };
      case 'purge': {
        const count = this.#list(call.queue).splice(0).length;
        return { kind: 'purged', count };
      }
      case 'move':
        return this.#move(call);
      case 'redrive':
        return this.#redrive(call);
      case 'open':
        return this.#open(call);
      case 'close':
        if (!this.handles.delete(call.handle)) throw new RingmailError('HANDLE_UNKNOWN', { handle: call.handle });
        return DONE;
      case 'outcome':
        return { kind: 'outcome', outcome: this.#identities.has(call.identity) ? 'kept' : 'absent' };
      case 'probe':
        return {
          kind: 'probed',
          answers: [{ node: 'belt1', hops: 0, afterMs: 0, at: call.about === 'node' ? 'reached' : 'ready' }],
        };
      case 'ledger':
        return { kind: 'ledger', ledger: LEDGER };
      case 'retireProducer':
        if (!this.#producers.delete(call.producer)) throw new RingmailError('PRODUCER_NOT_FOUND', { producer: call.producer });
        return DONE;
      case 'holes':
        return { kind: 'holes', holes: HOLES };
      case 'closeHoles':
        return { kind: 'holesClosed', count: 2 };
      case 'position':
        return { kind: 'position', value: this.#positions.get(call.name) };
      case 'stats':
        return { kind: 'stats', stats: this.#stats() };
    }
  }

  #numbered(by: ProducerNumber | undefined, run: () => Success): Success {
    if (by === undefined) return run();
    const { producer, number } = by;
    const last = this.#producers.get(producer);
    const expected = (last?.number ?? 0) + 1;
    if (number > expected) throw new RingmailError('PRODUCER_NUMBER_INVALID', { producer, number, expected });
    if (number < expected) return last !== undefined && number === last.number ? last.answer : this.#repeated(last?.answer);
    const answer = run();
    this.#producers.set(producer, { number, answer });
    return answer;
  }

  /** Done before, and nobody knows the identities any more. */
  #repeated(like: Success | undefined): Success {
    const { durability } = this;
    return like?.kind === 'sent' ? { kind: 'sent', identity: '', durability } : { kind: 'committed', identities: [], durability };
  }

  #send({ destination, body, properties, sendKey, delivery }: Of<'send'>): Success {
    const key = sendKey === undefined ? undefined : `${formatAddress(parseAddress(destination, FAKE_NAME))} ${sendKey}`;
    const known = key === undefined ? undefined : this.#sendKeys.get(key);
    if (known !== undefined) return known;
    const identity = this.#store({ destination, body, properties }, undefined);
    const sent: Success = { kind: 'sent', identity, durability: delivery === 'express' ? 'volatile' : this.durability };
    if (key !== undefined) this.#sendKeys.set(key, sent);
    return sent;
  }

  #store(
    { destination, body, properties }: Pick<Of<'send'>, 'destination' | 'body' | 'properties'>,
    more: Partial<Message> | undefined,
  ): string {
    checkProperties(properties);
    const address = parseAddress(destination, FAKE_NAME);
    if (address.node === FAKE_NAME && address.queue.startsWith('$')) throw wrongMode(address.queue, 'send', 'a system queue');
    if (body.length > BODY_BYTES_LIMIT) {
      throw new RingmailError('MESSAGE_TOO_LARGE', { bytes: body.length, bytesMax: BODY_BYTES_LIMIT });
    }
    const priority = properties.priority ?? PRIORITY_DEFAULT;
    const stream = { origin: FAKE_NAME, incarnation: INCARNATION, destination: formatAddress(address), priority };
    const number = (this.#numbers.get(`${stream.destination}:${priority}`) ?? 0) + 1;
    this.#numbers.set(`${stream.destination}:${priority}`, number);
    const identity = { ...stream, number };
    const message = { ...properties, identity, epoch: { counter: 1, random: 7 }, priority, body: body.slice(), ...more };
    if (address.node === FAKE_NAME) this.#put(address.queue, this.#arrived(message));
    this.#identities.add(identityText(identity));
    return identityText(identity);
  }

  #arrived(message: Message): Held {
    this.#lookupId += 1;
    return { message, lookupId: this.#lookupId, deliveryCount: 0, moveCount: 0 };
  }

  #commit(steps: readonly TransactionStep[]): Success {
    for (const step of steps) {
      if ('lease' in step && !this.leases.has(step.lease)) throw new RingmailError('LEASE_UNKNOWN', { lease: step.lease });
      if (step.do === 'send') {
        checkProperties(step.properties);
        parseAddress(step.destination, FAKE_NAME);
      }
    }
    this.#transactionCount += 1;
    const id = String(this.#transactionCount);
    const count = steps.filter((step) => step.do === 'send').length;
    const identities: string[] = [];
    for (const step of steps) this.#do(step, { id, index: identities.length, count }, identities);
    return { kind: 'committed', identities, durability: this.durability };
  }

  #do(step: TransactionStep, transaction: TransactionMark, identities: string[]): void {
    switch (step.do) {
      case 'send':
        identities.push(this.#store(step, { transaction }));
        return;
      case 'ack':
        this.#end(step.lease);
        return;
      case 'deadLetter':
        return this.#bury(step.lease, step.reason);
      case 'move': {
        const { held } = this.#end(step.lease);
        held.moveCount += 1;
        return this.#put(step.to, held);
      }
      case 'position':
        if (step.value.length === 0) this.#positions.delete(step.name);
        else this.#positions.set(step.name, step.value);
    }
  }

  /** What fits now, or as soon as it comes. */
  #wait(
    call: Of<'receive' | 'peek'>,
    signal: AbortSignal | undefined,
    offer: (held: Held) => Success,
  ): Success | Promise<Success> {
    const { queue, waitMs, select } = call;
    const list = this.#list(queue);
    const isPaused = call.verb === 'receive' && this.#optionsOf(queue).state === 'paused';
    const held = isPaused ? undefined : selected(this.#seenBy(list, queue, select), select);
    if (held !== undefined) return offer(held);
    const wanted = wantedBy(select);
    const nothing = (): Success => {
      if (wanted !== undefined) throw new RingmailError('MESSAGE_NOT_FOUND', { queue, wanted });
      return { kind: 'empty' };
    };
    if (waitMs === 0 || signal?.aborted === true) return nothing();
    return new Promise((resolve, reject) => {
      const waiting = { queue, select, offer, answer: resolve, refuse: reject };
      const leave = (): void => {
        this.waiting = this.waiting.filter((other) => other !== waiting);
      };
      this.waiting.push(waiting);
      setTimeout(() => {
        leave();
        try {
          resolve(nothing());
        } catch (error) {
          reject(error);
        }
      }, waitMs).unref();
      const abort = (): void => {
        leave();
        resolve({ kind: 'empty' });
      };
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  #seenBy(list: readonly Held[], queue: string, select: Selector | undefined): readonly Held[] {
    if (select?.by !== 'arrivedAfter') return list;
    return [...list, ...[...this.leases.values()].filter((leased) => leased.queue === queue).map(({ held }) => held)];
  }

  #put(queue: string, held: Held): void {
    const list = this.queues.get(queue) ?? [];
    this.queues.set(queue, list);
    insert(list, held);
    for (const waiting of this.waiting.filter((other) => other.queue === queue)) {
      if (selected(list, waiting.select) !== held) continue;
      this.waiting = this.waiting.filter((other) => other !== waiting);
      waiting.answer(waiting.offer(held));
    }
  }

  #lease(queue: string, held: Held, leaseMs: number): Success {
    const list = this.#list(queue);
    list.splice(list.indexOf(held), 1);
    this.#leaseCount += 1;
    const lease = `1.k3v9-${this.#leaseCount}`;
    held.deliveryCount += 1;
    this.leases.set(lease, { queue, held });
    const received: Received = { lease, leaseMs, ...shown(held) };
    return { kind: 'received', received };
  }

  #end(lease: string): { queue: string; held: Held } {
    const found = this.leases.get(lease);
    if (found === undefined) throw new RingmailError('LEASE_UNKNOWN', { lease });
    this.leases.delete(lease);
    return found;
  }

  #bury(lease: string, reason: string): void {
    const { message } = this.#end(lease).held;
    const ending = { class: 'POISON' as const, node: FAKE_NAME, reason };
    this.#put('$dead', this.#arrived({ ...message, previous: identityText(message.identity), history: [ending] }));
  }

  #list(queue: string): Held[] {
    const list = this.queues.get(queue);
    if (list === undefined) throw new RingmailError('QUEUE_NOT_FOUND', { queue });
    return list;
  }

  #optionsOf(queue: string): QueueOptions {
    return this.options.get(queue) ?? { ...QUEUE_DEFAULTS, bytesLimit: BYTES_LIMIT };
  }

  #create({ queue, options }: Of<'createQueue'>): Success {
    if (queue.startsWith('$')) throw wrongMode(queue, 'create', 'a system queue');
    parseAddress(queue, FAKE_NAME);
    if (this.queues.has(queue)) throw new RingmailError('QUEUE_EXISTS', { queue });
    this.queues.set(queue, []);
    this.options.set(queue, { ...this.#optionsOf(queue), ...options });
    return DONE;
  }

  #delete(queue: string): Success {
    if (queue.startsWith('$')) throw wrongMode(queue, 'delete', 'a system queue');
    this.#list(queue);
    this.queues.delete(queue);
    this.options.delete(queue);
    for (const [lease, leased] of this.leases) if (leased.queue === queue) this.leases.delete(lease);
    const waiting = this.waiting.filter((other) => other.queue === queue);
    this.waiting = this.waiting.filter((other) => other.queue !== queue);
    for (const { refuse } of waiting) refuse(new RingmailError('QUEUE_DELETED', { queue }));
    return DONE;
  }

  #take(queue: string, lookupId: number): Held {
    const list = this.#list(queue);
    const held = selected(list, { by: 'lookupId', lookupId });
    if (held === undefined) throw new RingmailError('MESSAGE_NOT_FOUND', { queue, wanted: `lookupId ${lookupId}` });
    list.splice(list.indexOf(held), 1);
    return held;
  }

  #move({ queue, lookupId, to }: Of<'move'>): Success {
    if (baseOf(queue) !== baseOf(to))
      throw new RingmailError('NAME_INVALID', { name: to, reason: 'not a part of the same queue' });
    const held = this.#take(queue, lookupId);
    held.moveCount += 1;
    this.#put(to, held);
    return DONE;
  }

  #redrive({ queue, lookupId, to }: Of<'redrive'>): Success {
    const { message } = this.#take(queue, lookupId);
    const { identity, epoch: _epoch, body, previous: _previous, history: _history, ...properties } = message;
    const destination = to ?? parseIdentity(message.previous ?? '')?.destination ?? identity.destination;
    const again = this.#store({ destination, body, properties }, { previous: identityText(identity) });
    return { kind: 'sent', identity: again, durability: this.durability };
  }

  #open({ queue, access, share }: Of<'open'>): Success {
    this.#list(queue);
    const others = [...this.handles.values()].filter((other) => baseOf(other.queue) === baseOf(queue) && other.access !== 'send');
    const isTaken = others.some((other) => other.share === 'alone') || (share === 'alone' && others.length > 0);
    if (access !== 'send' && isTaken) throw new RingmailError('SHARING_VIOLATION', { queue });
    this.#handleCount += 1;
    const handle = `1.h7q2-${this.#handleCount}`;
    this.handles.set(handle, { queue, access, share });
    return { kind: 'opened', handle };
  }

  #check(queue: string, access: 'receive' | 'peek', handle: string | undefined): void {
    const opened = handle === undefined ? undefined : this.handles.get(handle);
    if (handle !== undefined && opened === undefined) throw new RingmailError('HANDLE_UNKNOWN', { handle });
    if (opened !== undefined && opened.access !== 'receive' && opened.access !== access) {
      throw wrongMode(queue, access, `opened for ${opened.access}`);
    }
    for (const [name, other] of this.handles) {
      if (other.share === 'alone' && name !== handle && baseOf(other.queue) === baseOf(queue)) {
        throw new RingmailError('SHARING_VIOLATION', { queue });
      }
    }
  }

  #queueStats(): QueueStats[] {
    const leased = [...this.leases.values()];
    return [...this.queues].map(([name, list]) => ({
      name,
      ready: list.length,
      leased: leased.filter(({ queue }) => queue === name).length,
      bytes: list.reduce((bytes, { message }) => bytes + message.body.length, 0),
      ...this.#optionsOf(name),
      delayed: 0,
      held: 0,
      arrived: 0,
      ended: 0,
      blocked: 0,
      dropped: 0,
      expired: 0,
    }));
  }

  #stats(): Stats {
    return {
      node: FAKE_NAME,
      incarnation: INCARNATION,
      epoch: 1,
      health: this.health,
      ring: {
        bytesUsed: 4096,
        bytesMax: 8_388_608,
        freeBlocks: 2000,
        messagesStored: 3,
        framesWritten: 3,
        blocksWritten: 3,
        gaps: 0,
        lost: { gaps: 0, frames: 0, ids: 0 },
        corrupt: 0,
        durability: this.durability,
        intervalMs: this.durability === 'interval' ? 50 : 0,
        ioMode: 'inline',
      },
      queues: this.#queueStats(),
      outgoing: [{ stream: `${FAKE_NAME}:${INCARNATION}:central/bags:3`, held: 2, lo: 1, next: 3 }],
      uplink: 'none',
      uplinks: this.uplinks,
      routes: [],
      links: [],
      clocks: [],
      accounts: [],
      counters: { redelivered: 0 },
      adapters: this.adapters,
      ...(this.ingress && { ingress: this.ingress }),
    };
  }
}

const DONE: Success = { kind: 'done' };

/** The queue a name is a part of. */
function baseOf(queue: string): string {
  return queue.split(';', 1)[0] ?? '';
}

function wrongMode(queue: string, needed: string, reason: string): RingmailError<'ACCESS_MODE_INVALID'> {
  return new RingmailError('ACCESS_MODE_INVALID', { queue, needed, reason });
}
