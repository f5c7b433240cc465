/** Sends that want to know what became of them: one reader of `$admin` for all of a program. */
import { RingmailError } from '../../errors.ts';
import { isEndingClass } from '../../message/classes.ts';
import type { Acknowledge } from '../../message/message.ts';
import type { NodeCalls } from '../node-calls.ts';
import type { Body } from './body.ts';
import { CorrelatedReader } from './correlated-reader.ts';
import type { Seen } from './delivery.ts';
import { checkWait } from './receiving.ts';
import { type SendOptions, type Sent, sendOne } from './sending.ts';

export interface DeliverOptions extends Omit<SendOptions, 'acknowledge'> {
  /** `reach`: stored in its queue. `receive`: received there. `receive` unless said. */
  readonly until?: 'reach' | 'receive';
  /**
   * How long it may take, in ms: the message's own timer is set to it, so that one that is late is never delivered. For ever unless said.
   * It is not how long to wait for room: `roomMs` is.
   */
  readonly waitMs?: number;
  readonly roomMs?: number;
  readonly signal?: AbortSignal;
}

export interface Delivered extends Sent {
  /** `ACK_REACH_QUEUE` or `ACK_RECEIVE`. */
  readonly class: string;
}

/** How much later than its message's own timer a sender gives up: the word has to be written and read, on slow disks too. */
const GRACE_MS = 2_000;
/** Deliveries that wait at once. Each takes a few hundred bytes. */
const PENDING_COUNT_MAX = 10_000;

export class Deliveries {
  readonly #node: NodeCalls;
  readonly #reader: CorrelatedReader;
  #pending = 0;

  constructor(node: NodeCalls) {
    this.#node = node;
    this.#reader = new CorrelatedReader(node, '$admin', () => 'leave');
  }

  /** @throws DELIVERY_FAILED with the class of its end, DELIVERY_UNKNOWN, BUSY, and as `send` */
  async deliver(address: string, body: Body, options: DeliverOptions): Promise<Delivered> {
    const { until = 'receive', waitMs, roomMs, signal, ...send } = options;
    if (this.#pending >= PENDING_COUNT_MAX)
      throw new RingmailError('BUSY', { pending: this.#pending, pendingMax: PENDING_COUNT_MAX });
    checkWait(waitMs);
    signal?.throwIfAborted();
    this.#pending += 1;
    try {
      await this.#reader.hold();
      try {
        const acknowledge: Acknowledge = until;
        const timer = waitMs === undefined ? {} : timerOf(until, waitMs);
        const wait = roomMs === undefined ? {} : { waitMs: roomMs };
        const sent = await sendOne(this.#node, address, { ...timer, ...send, ...wait, acknowledge, body });
        return { ...sent, class: await this.#word(sent.identity, waitMs, signal) };
      } finally {
        this.#reader.release();
      }
    } finally {
      this.#pending -= 1;
    }
  }

  close(): void {
    this.#reader.close(new RingmailError('NODE_STOPPED', { reason: 'closed' }));
  }

  /** The class of the good word about a message. */
  #word(identity: string, waitMs: number | undefined, signal: AbortSignal | undefined): Promise<string> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        end();
        reject(signal?.reason);
      };
      const giveUp = (): void => {
        end();
        reject(new RingmailError('DELIVERY_UNKNOWN', { identity, waitMs: waitMs ?? 0 }));
      };
      const timer = waitMs === undefined ? undefined : setTimeout(giveUp, waitMs + GRACE_MS);
      const take = ({ message: { label: said = '' } }: Seen): void => {
        end();
        if (isEndingClass(said)) reject(new RingmailError('DELIVERY_FAILED', { identity, class: said }));
        else resolve(said);
      };
      const fail = (error: unknown): void => {
        end();
        reject(error);
      };
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        forget();
      };
      const forget = this.#reader.wait(identity, { take, fail });
      signal?.addEventListener('abort', abort, { once: true });
      if (signal?.aborted) abort();
    });
  }
}

function timerOf(until: 'reach' | 'receive', waitMs: number): SendOptions {
  return until === 'reach' ? { timeToReachQueueMs: waitMs } : { timeToBeReceivedMs: waitMs };
}
