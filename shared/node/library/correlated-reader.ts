/**
 * One reader of a queue for many who each wait for messages with one correlation id. It looks at every arrival, and takes only what
 * somebody here waits for: a queue may have several readers of this kind, in several programs, and none takes from another.
 *
 *   at rest ── first wait ──▶ reading ── nobody waits, and nobody wants it to go on ──▶ at rest
 */
import { hasCode } from '../../errors.ts';
import type { NodeCalls } from '../node-calls.ts';
import { arrivalAfter, newestLookupId } from './arrivals.ts';
import { giveBack, Leased, type Seen } from './delivery.ts';
import { mayPass, Patience } from './patience.ts';
import type { Glance } from './receiving.ts';
import { receiveFrom } from './receiving.ts';

/** What is done with a message nobody waits for: left to others, or given up for this reason. */
export type Stray = 'leave' | { readonly giveUp: string };

interface Waiter {
  readonly take: (seen: Seen) => void;
  readonly fail: (error: unknown) => void;
}

/** Arrivals remembered that nobody waited for yet: an acknowledgement may be faster than the answer to its send. */
const STRAY_COUNT_MAX = 4_096;
/** Lease of what is taken. Above any answer of a node. */
const LEASE_MS = 60_000;

export class CorrelatedReader {
  readonly #node: NodeCalls;
  readonly #queue: string;
  readonly #strayOf: (correlationId: string) => Stray;
  readonly #waiters = new Map<string, Waiter>();
  /** Lookup ids by correlation id, oldest first. */
  readonly #strays = new Map<string, number>();
  readonly #closed = new AbortController();
  #reading: AbortController | undefined;
  #ready: Promise<void> = Promise.resolve();
  #holdCount = 0;

  readonly #onEnded: () => void;

  /** `onEnded`: the queue cannot be read any more, and the next `hold` begins anew. */
  constructor(node: NodeCalls, queue: string, strayOf: (correlationId: string) => Stray, onEnded: () => void = () => {}) {
    this.#onEnded = onEnded;
    this.#node = node;
    this.#queue = queue;
    this.#strayOf = strayOf;
  }

  /** Keeps it reading. Resolves when every later arrival will be seen; `release` once as often. @throws whatever the node says */
  async hold(): Promise<void> {
    this.#holdCount += 1;
    if (this.#reading === undefined && !this.#closed.signal.aborted) {
      this.#reading = new AbortController();
      this.#ready = this.#start(this.#reading.signal);
    }
    try {
      await this.#ready;
    } catch (error) {
      this.release();
      throw error;
    }
  }

  release(): void {
    this.#holdCount -= 1;
    if (this.#holdCount > 0) return;
    this.#reading?.abort();
    this.#reading = undefined;
    this.#strays.clear();
  }

  /** From now on messages with this id go to `waiter`, one at a time; one that came since `hold` at once. The answer ends it. */
  wait(correlationId: string, waiter: Waiter): () => void {
    this.#waiters.set(correlationId, waiter);
    const lookupId = this.#strays.get(correlationId);
    if (lookupId !== undefined) {
      this.#strays.delete(correlationId);
      void this.#take(lookupId, correlationId);
    }
    return () => void this.#waiters.delete(correlationId);
  }

  /** Who waits is told, and nobody is served any more. */
  close(error: unknown): void {
    this.#closed.abort();
    this.#reading?.abort();
    this.#fail(error);
  }

  async #start(signal: AbortSignal): Promise<void> {
    try {
      const lookupId = await newestLookupId(this.#node);
      void this.#read(lookupId, signal);
    } catch (error) {
      if (this.#reading?.signal === signal) this.#reading = undefined;
      throw error;
    }
  }

  /** Rejects never: what ends it is told to who waits. */
  async #read(start: number, signal: AbortSignal): Promise<void> {
    const patience = new Patience();
    for (let lookupId = start; !signal.aborted; ) {
      try {
        const glance = await arrivalAfter(this.#node, this.#queue, { lookupId, bodies: 'without', signal });
        patience.reset();
        if (glance === undefined) continue;
        lookupId = glance.lookupId;
        await this.#see(glance);
      } catch (error) {
        if (!mayPass(error)) {
          if (this.#reading?.signal === signal) this.#reading = undefined;
          this.#onEnded();
          return this.#fail(error);
        }
        await patience.wait(signal);
      }
    }
  }

  async #see({ lookupId, message: { correlationId } }: Glance): Promise<void> {
    if (correlationId === undefined) return;
    if (this.#waiters.has(correlationId)) return this.#take(lookupId, correlationId);
    const stray = this.#strayOf(correlationId);
    if (stray !== 'leave') return this.#take(lookupId, correlationId, stray.giveUp);
    this.#strays.set(correlationId, lookupId);
    for (const oldest of this.#strays.keys()) {
      if (this.#strays.size <= STRAY_COUNT_MAX) break;
      this.#strays.delete(oldest);
    }
  }

  /** Takes it out of the queue, if it is still there, and hands it over. Its end is written while the next one is looked at. */
  async #take(lookupId: number, correlationId: string, giveUp?: string): Promise<void> {
    const select = { by: 'lookupId', lookupId } as const;
    try {
      const received = await receiveFrom(this.#node, { queue: this.#queue }, { leaseMs: LEASE_MS, select });
      if (received === undefined) return;
      const { delivery, lease } = new Leased(this.#node, received);
      const waiter = this.#waiters.get(correlationId);
      const end = giveUp === undefined ? delivery.ack() : delivery.deadLetter(giveUp);
      // Handed over all the same: what could not be ended comes back when its lease ends, and then nobody waits for it.
      end.catch(() => giveBack(this.#node, lease));
      if (giveUp === undefined) waiter?.take(delivery);
    } catch (error) {
      if (hasCode(error, 'MESSAGE_NOT_FOUND')) return; // somebody else has it, or it expired
      this.#waiters.get(correlationId)?.fail(error);
    }
  }

  #fail(error: unknown): void {
    for (const { fail } of this.#waiters.values()) fail(error);
    this.#waiters.clear();
  }
}
