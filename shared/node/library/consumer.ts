/**
 * A handler that is called for each message of a queue.
 *
 *            ┌───────────────────────────────────────────────────────────┐
 *   waiting ─┴─▶ leased ──▶ handler ──▶ returned: ack ───────────────────┤
 *                              ├──────▶ it ended the lease itself ───────┤
 *                              └──────▶ threw: nack, then onError is told┘
 *
 * As many of these at once as `concurrency` says; those above it when it is lowered finish what they do.
 */
import { hasCode, RingmailError } from '../../errors.ts';
import type { NodeCalls } from '../node-calls.ts';
import { type Delivery, giveBack, Leased } from './delivery.ts';
import { mayPass, Patience } from './patience.ts';
import { type From, LEASE_MS_DEFAULT, receiveFrom } from './receiving.ts';

export type Handler = (delivery: Delivery) => void | Promise<void>;

export interface ConsumeOptions {
  /** Messages handled at once. 1. */
  readonly concurrency?: number;
  /** How long a message is the handler's; one that takes longer calls `extend`. 30,000. */
  readonly leaseMs?: number;
  /** Told what a handler threw, once its message is back in its queue; and what the node said, with no message. What it throws itself is dropped. */
  readonly onError?: (error: unknown, delivery: Delivery | undefined) => void | Promise<void>;
}

export interface StopOptions {
  /** Gives back what is being handled at once, and waits for no handler. */
  readonly cancel?: boolean;
}

const CONCURRENCY_MAX = 1_000;
/** One wait; the next one follows at once. */
const WAIT_MS = 30_000;

export class Consumer {
  readonly #node: NodeCalls;
  readonly #from: From;
  readonly #handler: Handler;
  readonly #options: ConsumeOptions;
  readonly #running: Set<Consumer>;
  #concurrency: number;
  /** Of this run, from `start` to `stop`. */
  #stop = new AbortController();
  #isRunning = false;
  #isEnded = false;
  readonly #workers = new Set<Promise<void>>();
  readonly #waits = new Set<AbortController>();
  readonly #held = new Set<Leased>();
  #resolveEnded: (error: unknown) => void = () => {};
  /** Resolves when the queue is gone or cannot be read any more, with the reason. Not for `stop`. */
  readonly ended: Promise<unknown> = new Promise((resolve) => {
    this.#resolveEnded = resolve;
  });

  /** `running` has it from `start` until it is stopped: whoever closes stops what is in there. */
  constructor(node: NodeCalls, from: From, how: ConsumeOptions & { readonly handler: Handler; readonly running: Set<Consumer> }) {
    this.#node = node;
    this.#running = how.running;
    this.#from = from;
    this.#handler = how.handler;
    this.#options = how;
    this.#concurrency = checked(how.concurrency ?? 1);
    this.start();
  }

  get concurrency(): number {
    return this.#concurrency;
  }

  /** May be changed at any time. 0: nothing is taken until it is more again. @throws PROPERTY_INVALID */
  set concurrency(count: number) {
    this.#concurrency = checked(count);
    let above = this.#workers.size - count;
    for (const wait of this.#waits) if (above-- > 0) wait.abort();
    this.#fill();
  }

  /** Messages in the hands of handlers. */
  get activeCount(): number {
    return this.#held.size;
  }

  /** Goes on after `stop`. Does nothing to a consumer that runs. */
  start(): void {
    if (this.#isRunning || this.#isEnded) return;
    this.#isRunning = true;
    this.#running.add(this);
    this.#stop = new AbortController();
    this.#fill();
  }

  /** Takes nothing more, and resolves when all handlers are done; with `cancel` when their messages are back. Twice is the same as once. */
  async stop({ cancel = false }: StopOptions = {}): Promise<void> {
    this.#isRunning = false;
    this.#stop.abort();
    for (const wait of this.#waits) wait.abort();
    if (cancel) {
      const held = [...this.#held];
      this.#held.clear();
      // Whoever stops it again waits for none of them.
      this.#workers.clear();
      await Promise.all(held.map(({ lease, ending }) => ending?.catch(() => {}) ?? giveBack(this.#node, lease)));
    } else await Promise.all(this.#workers);
    if (!this.#isRunning) this.#running.delete(this);
  }

  #fill(): void {
    while (this.#isRunning && this.#workers.size < this.#concurrency) {
      const worker = this.#work(this.#stop.signal).finally(() => {
        this.#workers.delete(worker);
        this.#fill();
      });
      this.#workers.add(worker);
    }
  }

  /** One of those that work at once, until it is one too many. */
  async #work(stop: AbortSignal): Promise<void> {
    const patience = new Patience();
    while (!stop.aborted && this.#workers.size <= this.#concurrency) {
      try {
        const leased = await this.#wait();
        patience.reset();
        if (leased === undefined) continue;
        if (stop.aborted) await giveBack(this.#node, leased.lease);
        else await this.#handle(leased, stop);
      } catch (error) {
        await this.#tell(error, undefined);
        if (!mayPass(error)) return this.#end(error);
        await patience.wait(stop);
      }
    }
  }

  async #wait(): Promise<Leased | undefined> {
    const wait = new AbortController();
    this.#waits.add(wait);
    try {
      const { leaseMs = LEASE_MS_DEFAULT } = this.#options;
      const received = await receiveFrom(this.#node, this.#from, { waitMs: WAIT_MS, leaseMs, signal: wait.signal });
      return received && new Leased(this.#node, received);
    } finally {
      this.#waits.delete(wait);
    }
  }

  /** Rejects never: what goes wrong with one message is told, and the next one is taken. */
  async #handle(leased: Leased, stop: AbortSignal): Promise<void> {
    const { delivery } = leased;
    this.#held.add(leased);
    try {
      await this.#handler(delivery);
      if (leased.ending === undefined && this.#held.has(leased)) await delivery.ack();
    } catch (error) {
      // A handler that ended its lease and threw afterwards has decided; one that was cancelled has nothing left to give back.
      if (leased.ending === undefined && this.#held.has(leased)) await delivery.nack().catch(() => {}); // its deadline does it
      if (!(stop.aborted && hasCode(error, 'LEASE_UNKNOWN'))) await this.#tell(error, delivery);
    } finally {
      this.#held.delete(leased);
    }
  }

  async #tell(error: unknown, delivery: Delivery | undefined): Promise<void> {
    try {
      await this.#options.onError?.(error, delivery);
    } catch {
      // Who is told of errors has one of its own: the message is safe already, and there is nobody else to tell.
    }
  }

  #end(error: unknown): void {
    this.#isRunning = false;
    this.#isEnded = true;
    this.#stop.abort();
    for (const wait of this.#waits) wait.abort();
    this.#running.delete(this);
    this.#resolveEnded(error);
  }
}

/** @throws PROPERTY_INVALID */
function checked(count: number): number {
  if (Number.isSafeInteger(count) && count >= 0 && count <= CONCURRENCY_MAX) return count;
  throw new RingmailError('PROPERTY_INVALID', { property: 'concurrency', reason: `not 0 to ${CONCURRENCY_MAX}` });
}
