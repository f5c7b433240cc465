/**
 * All that a program does with a node, over a node in this process or over its local API alike: whatever answers calls (NodeCalls).
 * What each verb promises stands in docs/queues.md, how it is used in docs/library.md.
 */
import type { CallResult, HoleStats, Ledger, ProbeAnswer, QueueStats, SendOutcome, Stats } from '../../core/calls.ts';
import { custodyOf } from '../../core/whereabouts.ts';
import { RingmailError } from '../../errors.ts';
import type { QueueOptions } from '../../queue/queue-options.ts';
import type { NodeCalls } from '../node-calls.ts';
import { answerOf, ask } from './asking.ts';
import type { Body } from './body.ts';
import { type ConsumeOptions, Consumer, type Handler } from './consumer.ts';
import { Cursor, type CursorOptions } from './cursor.ts';
import { type Delivered, Deliveries, type DeliverOptions } from './deliveries.ts';
import { type Delivery, Leased, type Seen } from './delivery.ts';
import { type MessagesOptions, messagesOf } from './messages.ts';
import { type OpenQueueOptions, QueueHandle } from './queue-handle.ts';
import { type Glance, type PeekOptions, peekAt, type ReceiveOptions, receiveFrom } from './receiving.ts';
import { type RequestOptions, Requests, sendReply } from './requests.ts';
import { type SendOptions, type Sent, type SentAll, sendCall, sendToAll } from './sending.ts';
import { type Committed, runTransaction, type Transaction, type TransactionOptions } from './transaction.ts';
import { Trigger, type TriggerOptions } from './triggers.ts';

export interface ClientOptions {
  /** Queue of this node where replies to `request` come. `replies`; made when it is not there. */
  readonly responseQueue?: string;
}

export class RingmailClient {
  readonly #node: NodeCalls;
  readonly #deliveries: Deliveries;
  readonly #requests: Requests;
  /** Those that run. */
  readonly #consumers = new Set<Consumer>();
  readonly #triggers = new Map<string, Trigger | 'starting'>();

  constructor(node: NodeCalls, { responseQueue = 'replies' }: ClientOptions = {}) {
    this.#node = node;
    this.#deliveries = new Deliveries(node);
    this.#requests = new Requests(node, responseQueue);
  }

  // Sending

  /**
   * Resolves with the identity when the message is on the disk (with `intervalMs`: will be within that). A `Uint8Array` is kept byte for
   * byte; anything else is encoded. To several addresses: in one frame, with the identities in their order.
   * @throws NAME_INVALID, PROPERTY_INVALID, QUEUE_FULL, MESSAGE_TOO_LARGE, ROUTE_NOT_FOUND, BUSY, IN_DOUBT, NODE_STOPPED …
   */
  send(address: string, body: Body, options?: SendOptions): Promise<string>;
  send(addresses: readonly string[], body: Body, options?: SendOptions): Promise<readonly string[]>;
  send(to: string | readonly string[], body: Body, options: SendOptions = {}): Promise<string | readonly string[]> {
    if (typeof to !== 'string') return this.sendToAll(to, body, options).then(({ identities }) => identities);
    // What every program does most: one promise for the node, one for the program, and no function that is suspended between.
    try {
      return this.#node.call(sendCall(to, body, options)).then(identityOf);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The same, and how durable it was when the answer came. */
  async sendDetailed(address: string, body: Body, options: SendOptions = {}): Promise<Sent> {
    const { identity, durability } = await ask(this.#node, sendCall(address, body, options), 'sent');
    return { identity, durability };
  }

  sendToAll(addresses: readonly string[], body: Body, options: SendOptions = {}): Promise<SentAll> {
    return sendToAll(this.#node, addresses, { ...options, body });
  }

  /** Sends, and resolves when the message was received, or with `until: 'reach'` when it is stored in its queue. @throws DELIVERY_FAILED with the class of its end, DELIVERY_UNKNOWN */
  deliver(address: string, body: Body, options: DeliverOptions = {}): Promise<Delivered> {
    return this.#deliveries.deliver(address, body, options);
  }

  // Receiving

  /** The most urgent message of a queue under lease, or the selected one; undefined when none came in time. @throws QUEUE_NOT_FOUND, MESSAGE_NOT_FOUND for one that was named */
  async receive(queue: string, options: ReceiveOptions = {}): Promise<Delivery | undefined> {
    const received = await receiveFrom(this.#node, { queue }, options);
    return received && new Leased(this.#node, received).delivery;
  }

  /** The same message, left where it is. */
  peek(queue: string, options: PeekOptions = {}): Promise<Glance | undefined> {
    return peekAt(this.#node, { queue }, options);
  }

  /** For walking through a queue, in the order in which it is received. */
  cursor(queue: string, options: CursorOptions = {}): Cursor {
    return new Cursor(this.#node, { queue }, options);
  }

  /** For `for await`: each message under lease, one by one, without end. */
  messages(queue: string, options: MessagesOptions = {}): AsyncGenerator<Delivery> {
    return messagesOf(this.#node, { queue }, options);
  }

  /** Calls `handler` for each message: acknowledged when it returns, back in the queue when it throws. */
  consume(queue: string, handler: Handler, options: ConsumeOptions = {}): Consumer {
    return new Consumer(this.#node, { queue }, { ...options, handler, running: this.#consumers });
  }

  /** A queue, opened for something; `alone`: for nobody else. @throws SHARING_VIOLATION, ACCESS_MODE_INVALID, QUEUE_NOT_FOUND */
  open(queue: string, options: OpenQueueOptions = {}): Promise<QueueHandle> {
    return QueueHandle.open(this.#node, queue, { ...options, running: this.#consumers });
  }

  // Both

  /** What `act` receives and sends through the transaction is one: all of it when `act` returns, nothing when it throws. */
  transaction<T>(act: (transaction: Transaction) => T | Promise<T>, options: TransactionOptions = {}): Promise<Committed<T>> {
    return runTransaction(this.#node, act, options);
  }

  /** Sends, and resolves with the first reply. @throws REQUEST_TIMEOUT */
  request(address: string, body: Body, options: RequestOptions = {}): Promise<Seen> {
    return this.#requests.one(address, body, options);
  }

  /** Every reply that comes within `waitMs`. @throws REQUEST_TIMEOUT when there is none */
  requestMany(address: string, body: Body, options: RequestOptions = {}): AsyncGenerator<Seen> {
    return this.#requests.many(address, body, options);
  }

  /** Answers a message that names a response queue. @throws PROPERTY_INVALID when it names none, and as `send` */
  async reply(request: Seen, body: Body, options: SendOptions = {}): Promise<string> {
    return (await sendReply(this.#node, request, { ...options, body })).identity;
  }

  /** Does something once for each message that arrives in a queue and fits. @throws TRIGGER_EXISTS, NAME_INVALID, QUEUE_NOT_FOUND */
  async trigger(options: TriggerOptions): Promise<Trigger> {
    const { name } = options;
    const known = this.#triggers.get(name);
    if (known !== undefined) throw new RingmailError('TRIGGER_EXISTS', { trigger: name });
    this.#triggers.set(name, 'starting');
    try {
      const trigger = await Trigger.start(this.#node, options);
      this.#triggers.set(name, trigger);
      void trigger.ended.then(() => this.#triggers.delete(name));
      return trigger;
    } catch (error) {
      this.#triggers.delete(name);
      throw error;
    }
  }

  // Queues

  /** @throws QUEUE_EXISTS, NAME_INVALID, PROPERTY_INVALID, RESERVE_TOO_LARGE */
  async createQueue(queue: string, options: Partial<QueueOptions> = {}): Promise<void> {
    await this.#node.call({ verb: 'createQueue', queue, options });
  }

  /** Changes what is named, and leaves the rest. @throws QUEUE_NOT_FOUND, PROPERTY_INVALID */
  async setQueue(queue: string, changes: Partial<QueueOptions>): Promise<void> {
    await this.#node.call({ verb: 'setQueue', queue, changes });
  }

  /** Ends all its messages, then the queue. @throws QUEUE_NOT_FOUND, ACCESS_MODE_INVALID */
  async deleteQueue(queue: string): Promise<void> {
    await this.#node.call({ verb: 'deleteQueue', queue });
  }

  async queues(): Promise<readonly QueueStats[]> {
    return (await ask(this.#node, { verb: 'queues' }, 'queues')).queues;
  }

  /** It takes messages and hands out none, until `resume`. */
  pause(queue: string): Promise<void> {
    return this.setQueue(queue, { state: 'paused' });
  }

  resume(queue: string): Promise<void> {
    return this.setQueue(queue, { state: 'running' });
  }

  /** Ends what is ready, delayed or held, and says how many. */
  async purge(queue: string): Promise<number> {
    return (await ask(this.#node, { verb: 'purge', queue }, 'purged')).count;
  }

  /** Puts a ready message into a subqueue of its queue, or back. @throws MESSAGE_NOT_FOUND, ACCESS_MODE_INVALID */
  async move(queue: string, lookupId: number, to: string): Promise<void> {
    await this.#node.call({ verb: 'move', queue, lookupId, to });
  }

  /** Sends a dead letter where it was going, or to `to`: a new message, whose identity this is. @throws MESSAGE_NOT_FOUND, and as `send` */
  async redrive(queue: string, lookupId: number, to?: string): Promise<string> {
    const call = { verb: 'redrive', queue, lookupId, ...(to !== undefined && { to }) } as const;
    return (await ask(this.#node, call, 'sent')).identity;
  }

  // The node

  /** What became of a send that was IN_DOUBT, once the node is open again. */
  async outcome(identity: string, epoch?: number): Promise<SendOutcome> {
    return (await ask(this.#node, { verb: 'outcome', identity, ...(epoch !== undefined && { epoch }) }, 'outcome')).outcome;
  }

  /**
   * Whether the way to a node is open: each node on it answers, itself last. Who did not within `waitMs` is not among them, and may later.
   * @throws NAME_INVALID, ROUTE_NOT_FOUND
   */
  async ping(node: string, waitMs = 10_000): Promise<readonly ProbeAnswer[]> {
    return (await ask(this.#node, { verb: 'probe', about: 'node', node, waitMs }, 'probed')).answers;
  }

  /**
   * Where a message is: `stored@<node>`, `handed-over@<node>` where that one did not answer within `waitMs`, `received`, `ended`, or
   * `unknown`; and what each node on its way said. @throws PROPERTY_INVALID
   */
  async custody(identity: string, waitMs = 10_000): Promise<{ custody: string; answers: readonly ProbeAnswer[] }> {
    const { answers } = await ask(this.#node, { verb: 'probe', about: 'message', identity, waitMs }, 'probed');
    return { custody: custodyOf(answers), answers };
  }

  /**
   * What became of all that a node sent, as far as this one knows: for each of its streams numbers 1 to N, received, waiting, and exactly
   * which are missing and why; and whether that is all the node says it sent. @throws NAME_INVALID
   */
  async ledger(node: string): Promise<Ledger> {
    return (await ask(this.#node, { verb: 'ledger', node }, 'ledger')).ledger;
  }

  /** Forgets a producer: its name may begin at 1 again. */
  async retireProducer(producer: string): Promise<void> {
    await this.#node.call({ verb: 'retireProducer', producer });
  }

  /** Numbers that are waited for, or were given up, of streams that end here. */
  async holes(): Promise<readonly HoleStats[]> {
    return (await ask(this.#node, { verb: 'holes' }, 'holes')).holes;
  }

  /** Gives up all holes of a queue, or of one stream: so many numbers are missing now. @throws QUEUE_NOT_FOUND */
  async closeHoles(of: string): Promise<number> {
    return (await ask(this.#node, { verb: 'closeHoles', of }, 'holesClosed')).count;
  }

  async readStats(): Promise<Stats> {
    return (await ask(this.#node, { verb: 'stats' }, 'stats')).stats;
  }

  /** Stops consumers and triggers when what they are doing is done, and tells who waits for replies or acknowledgements NODE_STOPPED. */
  async close(): Promise<void> {
    this.#deliveries.close();
    this.#requests.close();
    const triggers = [...this.#triggers.values()].filter((one) => one !== 'starting');
    await Promise.all([...this.#consumers].map((consumer) => consumer.stop()));
    await Promise.all(triggers.map((trigger) => trigger.stop()));
  }
}

function identityOf(result: Exclude<CallResult, { kind: 'error' }>): string {
  return answerOf(result, 'send', 'sent').identity;
}
