/** For tests of the library: calls answered from a few arrays, at once, and refused when a test says so. Nothing is durable. */
import type { Call, CallResult, Received, TransactionStep } from '../../core/calls.ts';
import { RingmailError } from '../../errors.ts';
import { type Identity, identityText } from '../../message/identity.ts';
import type { Message } from '../../message/message.ts';
import { QUEUE_DEFAULTS } from '../../queue/queue-options.ts';
import type { Selector } from '../../queue/selector.ts';
import type { NodeCalls } from '../node-calls.ts';

type Success = Exclude<CallResult, { kind: 'error' }>;

interface Stored {
  queue: string;
  readonly message: Message;
  readonly lookupId: number;
  deliveryCount: number;
  moveCount: number;
  lease: string | undefined;
}
interface Waiting {
  readonly call: Call & { readonly verb: 'receive' | 'peek' };
  readonly answer: (result: Success) => void;
}

export class StubNode implements NodeCalls {
  readonly calls: Call[] = [];
  /** Asked of each call: an error it is refused with. */
  refuse: (call: Call) => RingmailError | undefined = () => undefined;
  readonly positions = new Map<string, Uint8Array>();
  readonly queues = new Set(['$dead', '$admin', '$journal', 'in', 'out']);
  stored: Stored[] = [];
  #waiting: Waiting[] = [];
  #nextId = 1;
  #leases = 0;

  async call(call: Call, signal?: AbortSignal): Promise<Success> {
    this.calls.push(call);
    const refusal = this.refuse(call);
    if (refusal !== undefined) throw refusal;
    switch (call.verb) {
      case 'send':
        return { kind: 'sent', identity: this.#put(call), durability: 'sync' };
      case 'commit': {
        const identities = call.steps.flatMap((step) => this.#do(step));
        return { kind: 'committed', identities, durability: 'sync' };
      }
      case 'receive':
      case 'peek':
        return this.#look(call, signal);
      case 'ack':
        this.stored = this.stored.filter((one) => one !== this.#leased(call.lease));
        return { kind: 'done' };
      case 'nack':
        this.#leased(call.lease).lease = undefined;
        this.#serve();
        return { kind: 'done' };
      case 'deadLetter':
        this.#do({ ...call, do: 'deadLetter' });
        return { kind: 'done' };
      case 'extend':
        this.#leased(call.lease);
        return { kind: 'done' };
      case 'createQueue':
        if (this.queues.has(call.queue)) throw new RingmailError('QUEUE_EXISTS', { queue: call.queue });
        this.queues.add(call.queue);
        return { kind: 'done' };
      case 'position':
        return { kind: 'position', value: this.positions.get(call.name) };
      case 'stats':
        return { kind: 'stats', stats: { node: 'box', ring: { messagesStored: this.#nextId - 1 } } as never };
      case 'open':
        return { kind: 'opened', handle: `${call.queue}-handle` };
      case 'outcome':
        return { kind: 'outcome', outcome: 'kept' };
      case 'ledger':
        return { kind: 'ledger', ledger: { node: call.node, streams: [], streamsLeftOut: 0 } };
      case 'probe':
        return { kind: 'probed', answers: [{ node: 'box', hops: 0, afterMs: 0, at: 'reached' }] };
      case 'redrive':
        return { kind: 'sent', identity: `again ${call.lookupId}`, durability: 'sync' };
      case 'purge':
        return { kind: 'purged', count: 0 };
      case 'queues':
        return { kind: 'queues', queues: [...this.queues].map((name) => ({ name, ...QUEUE_DEFAULTS }) as never) };
      default:
        return { kind: 'done' };
    }
  }

  /** Bodies in a queue, as numbers of their first byte, and whether each is under lease. */
  held(queue: string): string {
    return this.stored
      .filter((one) => one.queue === queue)
      .map(({ message, lease }) => `${message.body[0]}${lease === undefined ? '' : '*'}`)
      .join(' ');
  }

  /** Leases end as at their deadline. */
  endLeases(): void {
    for (const one of this.stored) one.lease = undefined;
    this.#serve();
  }

  #do(step: TransactionStep): string[] {
    switch (step.do) {
      case 'send':
        return [this.#put(step)];
      case 'position':
        this.positions.set(step.name, step.value);
        return [];
      case 'move': {
        const one = this.#leased(step.lease);
        Object.assign(one, { queue: step.to, lease: undefined, moveCount: one.moveCount + 1 });
        return [];
      }
      case 'ack':
        this.stored = this.stored.filter((one) => one !== this.#leased(step.lease));
        return [];
      case 'deadLetter': {
        const one = this.#leased(step.lease);
        this.stored = this.stored.filter((other) => other !== one);
        const { label } = one.message;
        const reason = { class: 'POISON', node: 'box', reason: step.reason } as const;
        this.#put({ destination: '$dead', body: one.message.body, properties: { ...(label && { label }) } }, [reason]);
        return [];
      }
    }
  }

  #put(
    { destination, body, properties }: Pick<Call & { verb: 'send' }, 'destination' | 'body' | 'properties'>,
    history?: Message['history'],
  ): string {
    const queue = destination.replace(/^box\//, '');
    if (!this.queues.has(queue)) throw new RingmailError('QUEUE_NOT_FOUND', { queue });
    const { priority = 3 } = properties;
    const lookupId = this.#nextId++;
    const stream = { origin: 'box', incarnation: '00c0ffee00c0ffee', destination: `box/${queue}`, priority };
    const identity: Identity = { ...stream, number: lookupId };
    const message = { ...properties, identity, epoch: { counter: 1, random: 7 }, priority, body, ...(history && { history }) };
    this.stored.push({ queue, message, lookupId, deliveryCount: 0, moveCount: 0, lease: undefined });
    queueMicrotask(() => this.#serve());
    return identityText(identity);
  }

  #look(call: Waiting['call'], signal: AbortSignal | undefined): Success | Promise<Success> {
    if (!this.queues.has(call.queue)) throw new RingmailError('QUEUE_NOT_FOUND', { queue: call.queue });
    const found = this.#answerTo(call);
    if (found !== undefined) return found;
    if (call.waitMs === 0 || signal?.aborted) return this.#nothing(call);
    return new Promise((resolve) => {
      const abort = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        resolve({ kind: 'empty' });
      };
      const answer = (result: Success): void => {
        signal?.removeEventListener('abort', abort);
        resolve(result);
      };
      const waiting = { call, answer };
      this.#waiting.push(waiting);
      signal?.addEventListener('abort', abort);
    });
  }

  #nothing({ queue, select }: Waiting['call']): Success {
    if (select?.by !== 'lookupId' && select?.by !== 'identity' && select?.by !== 'correlationId') return { kind: 'empty' };
    throw new RingmailError('MESSAGE_NOT_FOUND', { queue, wanted: select.by });
  }

  #serve(): void {
    for (const waiting of [...this.#waiting]) {
      const found = this.#answerTo(waiting.call);
      if (found === undefined) continue;
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
      waiting.answer(found);
    }
  }

  #answerTo(call: Waiting['call']): Success | undefined {
    const one = this.#select(call.queue, call.select ?? { by: 'first' });
    if (one === undefined) return undefined;
    const { message, lookupId, moveCount } = one;
    const common = { hop: { count: 0, elapsedMs: 0 }, message, moveCount, lookupId };
    if (call.verb === 'peek') {
      const { queue, deliveryCount } = one;
      const shown = call.bodies === 'with' ? message : { ...message, body: new Uint8Array(0) };
      return { kind: 'peeked', peeked: { ...common, message: shown, queue, deliveryCount, bodyBytes: message.body.length } };
    }
    one.deliveryCount += 1;
    one.lease = `l${++this.#leases}`;
    const received: Received = { ...common, lease: one.lease, leaseMs: call.leaseMs, deliveryCount: one.deliveryCount };
    return { kind: 'received', received };
  }

  #select(queue: string, select: Selector): Stored | undefined {
    const all = this.stored.filter((one) => one.queue === queue);
    if (select.by === 'arrivedAfter') return all.find(({ lookupId }) => lookupId > select.lookupId);
    const ready = all
      .filter(({ lease }) => lease === undefined)
      .sort((a, b) => b.message.priority - a.message.priority || a.lookupId - b.lookupId);
    const rank = ({ message: { priority }, lookupId }: Stored) => -priority * 1e9 + lookupId;
    switch (select.by) {
      case 'first':
        return ready[0];
      case 'last':
        return ready.at(-1);
      case 'after':
        return ready.find((one) => rank(one) > -select.place.priority * 1e9 + select.place.lookupId);
      case 'before':
        return ready.filter((one) => rank(one) < -select.place.priority * 1e9 + select.place.lookupId).at(-1);
      case 'lookupId':
        return ready.find(({ lookupId }) => lookupId === select.lookupId);
      case 'identity':
        return ready.find(({ message }) => identityText(message.identity) === select.identity);
      case 'correlationId':
        return ready.find(({ message }) => message.correlationId === select.correlationId);
    }
  }

  #leased(lease: string): Stored {
    const one = this.stored.find((other) => other.lease === lease);
    if (one === undefined) throw new RingmailError('LEASE_UNKNOWN', { lease });
    return one;
  }
}
