/** A queue that was opened: for something, by somebody, perhaps for him alone. */
import type { Access, Share } from '../../core/calls.ts';
import { RingmailError } from '../../errors.ts';
import type { NodeCalls } from '../node-calls.ts';
import { ask } from './asking.ts';
import type { Body } from './body.ts';
import { type ConsumeOptions, Consumer, type Handler } from './consumer.ts';
import { Cursor, type CursorOptions } from './cursor.ts';
import { type Delivery, Leased } from './delivery.ts';
import { type MessagesOptions, messagesOf } from './messages.ts';
import { type From, type Glance, type PeekOptions, peekAt, type ReceiveOptions, receiveFrom } from './receiving.ts';
import { type SendOptions, type Sent, sendOne } from './sending.ts';

export interface OpenQueueOptions {
  /** What it is opened for; `receive` includes `peek`. `receive` unless said. */
  readonly access?: Access;
  /** `alone`: nobody else receives from it or looks into it meanwhile. `all` unless said. */
  readonly share?: Share;
  /** A handle that is not used for so long is closed, in ms. 30,000. */
  readonly idleMs?: number;
}

const IDLE_MS_DEFAULT = 30_000;

export class QueueHandle {
  readonly queue: string;
  readonly access: Access;
  readonly #node: NodeCalls;
  readonly #handle: string;
  readonly #running: Set<Consumer>;

  private constructor(
    node: NodeCalls,
    how: { readonly queue: string; readonly access: Access; readonly handle: string; readonly running: Set<Consumer> },
  ) {
    this.#node = node;
    this.#running = how.running;
    this.queue = how.queue;
    this.access = how.access;
    this.#handle = how.handle;
  }

  /** `running`: where its consumers are known while they run. @throws QUEUE_NOT_FOUND, SHARING_VIOLATION, ACCESS_MODE_INVALID */
  static async open(
    node: NodeCalls,
    queue: string,
    options: OpenQueueOptions & { readonly running: Set<Consumer> },
  ): Promise<QueueHandle> {
    const { access = 'receive', share = 'all', idleMs = IDLE_MS_DEFAULT, running } = options;
    const { handle } = await ask(node, { verb: 'open', queue, access, share, idleMs }, 'opened');
    return new QueueHandle(node, { queue, access, handle, running });
  }

  /** @throws HANDLE_UNKNOWN, ACCESS_MODE_INVALID, and as without a handle */
  async receive(options: ReceiveOptions = {}): Promise<Delivery | undefined> {
    const received = await receiveFrom(this.#node, this.#from, options);
    return received && new Leased(this.#node, received).delivery;
  }

  peek(options: PeekOptions = {}): Promise<Glance | undefined> {
    return peekAt(this.#node, this.#from, options);
  }

  cursor(options: CursorOptions = {}): Cursor {
    return new Cursor(this.#node, this.#from, options);
  }

  messages(options: MessagesOptions = {}): AsyncGenerator<Delivery> {
    return messagesOf(this.#node, this.#from, options);
  }

  consume(handler: Handler, options: ConsumeOptions = {}): Consumer {
    return new Consumer(this.#node, this.#from, { ...options, handler, running: this.#running });
  }

  /** @throws ACCESS_MODE_INVALID unless it was opened for `send` */
  async send(body: Body, options: SendOptions = {}): Promise<Sent> {
    if (this.access !== 'send') {
      const reason = `opened for ${this.access}`;
      throw new RingmailError('ACCESS_MODE_INVALID', { queue: this.queue, needed: 'send', reason });
    }
    return sendOne(this.#node, this.queue, { ...options, body });
  }

  /** Others may read again. What was received through it stays under its lease. */
  async close(): Promise<void> {
    await this.#node.call({ verb: 'close', handle: this.#handle });
  }

  get #from(): From {
    return { queue: this.queue, handle: this.#handle };
  }
}
