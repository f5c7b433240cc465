/**
 * Requests and their replies: one response queue and one reader for all of a program.
 *
 * A request carries a correlation id that begins with a word of this program's own, by chance, so that several programs may share a
 * response queue: each reads its own replies and leaves those of others. A reply whose request waits no more is given up, into `$dead`.
 * One that comes when its program is gone expires, after what its request was worth.
 */
import { toHex } from '../../bytes.ts';
import { hasCode, RingmailError } from '../../errors.ts';
import type { NodeCalls } from '../node-calls.ts';
import { systemRandom } from '../random.ts';
import { ask } from './asking.ts';
import type { Body } from './body.ts';
import { CorrelatedReader } from './correlated-reader.ts';
import type { Seen } from './delivery.ts';
import { checkWait } from './receiving.ts';
import { type SendOptions, type Sent, sendOne } from './sending.ts';

export interface RequestOptions extends Omit<SendOptions, 'responseQueue' | 'correlationId' | 'timeToBeReceivedMs'> {
  /** How long to wait for a reply, in ms; a request that nobody received by then is not delivered any more. 30,000. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

const WAIT_MS_DEFAULT = 30_000;
/** Requests that wait at once. */
const PENDING_COUNT_MAX = 10_000;
/** Replies of one request that nobody asked for yet. Those beyond are given up. */
const REPLY_COUNT_MAX = 1_024;
/** How long a reply lies in the response queue when its program is gone and nothing was said. */
const REPLY_MS_MAX = 3_600_000;

export class Requests {
  readonly #node: NodeCalls;
  readonly #queue: string;
  readonly #reader: CorrelatedReader;
  readonly #prefix = `${toHex(systemRandom.bytes(8))}-`;
  #count = 0;
  #pending = 0;
  #address: Promise<string> | undefined;

  constructor(node: NodeCalls, queue: string) {
    this.#node = node;
    this.#queue = queue;
    const giveUp = { giveUp: 'late reply: nobody waits for it any more' };
    const strayOf = (id: string) => (id.startsWith(this.#prefix) ? giveUp : ('leave' as const));
    this.#reader = new CorrelatedReader(node, queue, strayOf, () => {
      this.#address = undefined; // the next request makes the queue again
    });
  }

  /** The first reply. @throws REQUEST_TIMEOUT, BUSY, and as `send` */
  async one(address: string, body: Body, options: RequestOptions): Promise<Seen> {
    for await (const reply of this.many(address, body, options)) return reply;
    throw new RingmailError('NODE_STOPPED', { reason: 'closed' });
  }

  /** Every reply that comes within the wait. @throws REQUEST_TIMEOUT when there is none */
  async *many(address: string, body: Body, options: RequestOptions): AsyncGenerator<Seen> {
    const { waitMs = WAIT_MS_DEFAULT, signal, ...send } = options;
    if (this.#pending >= PENDING_COUNT_MAX)
      throw new RingmailError('BUSY', { pending: this.#pending, pendingMax: PENDING_COUNT_MAX });
    checkWait(waitMs);
    signal?.throwIfAborted();
    this.#pending += 1;
    let replies: Replies | undefined;
    try {
      const responseQueue = await this.#open();
      this.#count += 1;
      const correlationId = `${this.#prefix}${this.#count}`;
      replies = new Replies(waitMs, signal);
      const { take, fail } = replies;
      replies.whenOver(this.#reader.wait(correlationId, { take, fail }));
      await sendOne(this.#node, address, { ...send, responseQueue, correlationId, timeToBeReceivedMs: waitMs, body });
      let count = 0;
      for (let reply = await replies.next(); reply !== undefined; reply = await replies.next()) {
        count += 1;
        yield reply;
      }
      if (count === 0) throw new RingmailError('REQUEST_TIMEOUT', { correlationId, waitMs });
    } finally {
      replies?.end();
      this.#pending -= 1;
    }
  }

  close(): void {
    this.#reader.close(new RingmailError('NODE_STOPPED', { reason: 'closed' }));
  }

  /** The address for replies. The reader goes on from the first request to the end: it is who gives late replies up. */
  #open(): Promise<string> {
    this.#address ??= this.#start();
    this.#address.catch(() => {
      this.#address = undefined; // the next request tries again
    });
    return this.#address;
  }

  async #start(): Promise<string> {
    await makeQueue(this.#node, this.#queue, { timeToBeReceivedMs: REPLY_MS_MAX });
    const { stats } = await ask(this.#node, { verb: 'stats' }, 'stats');
    await this.#reader.hold();
    return `${stats.node}/${this.#queue}`;
  }
}

/** Replies to one request, until its time is over. */
class Replies {
  readonly #waiting: Seen[] = [];
  readonly #signal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout;
  #state: 'open' | 'over' | { readonly error: unknown } = 'open';
  #forget: (() => void) | undefined;
  #wake: (() => void) | undefined;
  readonly #abort = (): void => this.fail(this.#signal?.reason);

  constructor(waitMs: number, signal: AbortSignal | undefined) {
    this.#signal = signal;
    this.#timer = setTimeout(() => this.end(), waitMs);
    signal?.addEventListener('abort', this.#abort, { once: true });
  }

  whenOver(forget: () => void): void {
    this.#forget = forget;
  }

  readonly take = (seen: Seen): void => {
    this.#waiting.push(seen);
    if (this.#waiting.length >= REPLY_COUNT_MAX) this.#close('over');
    this.#wake?.();
  };

  readonly fail = (error: unknown): void => this.#close({ error });

  end(): void {
    this.#close('over');
  }

  /** The next reply; undefined when the time is over. */
  async next(): Promise<Seen | undefined> {
    for (;;) {
      const reply = this.#waiting.shift();
      if (reply !== undefined) return reply;
      if (this.#state === 'over') return undefined;
      if (this.#state !== 'open') throw this.#state.error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #close(state: 'over' | { readonly error: unknown }): void {
    if (this.#state === 'open') this.#state = state;
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#forget?.();
    this.#wake?.();
  }
}

/** Answers a request: to its response queue, under its correlation id, worth as long as it. @throws PROPERTY_INVALID when it wants no answer */
export async function sendReply(
  node: NodeCalls,
  request: Seen,
  { body, ...options }: SendOptions & { body: Body },
): Promise<Sent> {
  const { responseQueue, correlationId, timeToBeReceivedMs } = request.message;
  if (responseQueue === undefined)
    throw new RingmailError('PROPERTY_INVALID', { property: 'responseQueue', reason: 'the message names none' });
  const same = {
    ...(correlationId !== undefined && { correlationId }),
    ...(timeToBeReceivedMs !== undefined && { timeToBeReceivedMs }),
  };
  return sendOne(node, responseQueue, { ...same, ...options, body });
}

/** The queue exists, by whomever it was made; who may make none finds out when it reads from it. */
async function makeQueue(node: NodeCalls, queue: string, options: { timeToBeReceivedMs: number }): Promise<void> {
  try {
    await node.call({ verb: 'createQueue', queue, options });
  } catch (error) {
    if (!hasCode(error, 'QUEUE_EXISTS') && !hasCode(error, 'ACCESS_DENIED')) throw error;
  }
}
