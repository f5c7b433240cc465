/**
 * Receives and sends as one: all of it in one frame of the ring, or nothing.
 *
 *   open ── the function returns ──▶ committing ──▶ ended
 *     └──── it throws ──▶ what it received is given back ──▶ ended
 *
 * A crash is an abort: until the commit there is nothing but leases.
 */
import type { ProducerNumber, TransactionStep } from '../../core/calls.ts';
import { hasCode, RingmailError } from '../../errors.ts';
import type { NodeCalls } from '../node-calls.ts';
import { ask } from './asking.ts';
import type { Body } from './body.ts';
import { giveBack, Leased, type Seen } from './delivery.ts';
import { type ReceiveOptions, receiveFrom } from './receiving.ts';
import { type SendOptions, type SentAll, sendStep } from './sending.ts';

export interface TransactionOptions {
  /** The sender's name and the number of this transaction: the same one again is answered as before, and does nothing. */
  readonly by?: ProducerNumber;
}

/** What became of a transaction: the identities of its sends, in their order, and what the function returned. */
export interface Committed<T> extends SentAll {
  readonly value: T;
}

/** Every method but `receive` only notes what is to be done: it is refused or done as a whole, at the end. */
export interface Transaction {
  /** Of this program, for its logs. */
  readonly id: string;
  /** A message, with timers of its own. @throws TRANSACTION_ENDED, PROPERTY_INVALID, CBOR_UNENCODABLE */
  send(address: string, body: Body, options?: SendOptions): void;
  /** Leases a message; it is acknowledged by the commit unless it is put elsewhere, and given back by an abort. @throws TRANSACTION_ENDED */
  receive(queue: string, options?: ReceiveOptions): Promise<Seen | undefined>;
  /** Gives up a message that this transaction received. @throws TRANSACTION_ENDED, LEASE_UNKNOWN for any other */
  deadLetter(seen: Seen, reason: string): void;
  /** Puts it into a subqueue of its queue, or back. @throws TRANSACTION_ENDED, LEASE_UNKNOWN */
  move(seen: Seen, to: string): void;
}

let transactionCount = 0;

/**
 * Runs `act`, then commits what it did. Whatever it throws is thrown on, after its leases are given back.
 * @throws QUEUE_FULL, TRANSACTION_TOO_LARGE, LEASE_UNKNOWN … and nothing was done, IN_DOUBT with the identity of the first send
 */
export async function runTransaction<T>(
  node: NodeCalls,
  act: (transaction: Transaction) => T | Promise<T>,
  { by }: TransactionOptions,
): Promise<Committed<T>> {
  const open = new OpenTransaction(node);
  try {
    const value = await act(open);
    const steps = open.end();
    if (steps.length === 0) return { identities: [], durability: 'unknown', value };
    const { identities, durability } = await ask(node, { verb: 'commit', steps, ...(by && { by }) }, 'committed');
    return { identities, durability, value };
  } catch (error) {
    open.end();
    // In doubt it may be done: what is under lease then is not ours to give back.
    if (!hasCode(error, 'IN_DOUBT')) await open.giveBack();
    throw error;
  }
}

class OpenTransaction implements Transaction {
  readonly id: string;
  readonly #node: NodeCalls;
  readonly #sends: TransactionStep[] = [];
  /** What happens to what was received, in the order in which it came. */
  readonly #received = new Map<Seen, { readonly lease: string; step: TransactionStep }>();
  #isEnded = false;

  constructor(node: NodeCalls) {
    this.#node = node;
    transactionCount += 1;
    this.id = `t${transactionCount}`;
  }

  send(address: string, body: Body, options: SendOptions = {}): void {
    this.#check();
    this.#sends.push(sendStep(address, body, options));
  }

  async receive(queue: string, options: ReceiveOptions = {}): Promise<Seen | undefined> {
    this.#check();
    const received = await receiveFrom(this.#node, { queue }, options);
    if (received === undefined) return undefined;
    const { lease } = received;
    if (this.#isEnded) {
      await giveBack(this.#node, lease);
      this.#check();
    }
    const {
      ack: _ack,
      nack: _nack,
      deadLetter: _deadLetter,
      extend: _extend,
      ...seen
    } = new Leased(this.#node, received).delivery;
    this.#received.set(seen, { lease, step: { do: 'ack', lease } });
    return seen;
  }

  deadLetter(seen: Seen, reason: string): void {
    const one = this.#of(seen);
    one.step = { do: 'deadLetter', lease: one.lease, reason };
  }

  move(seen: Seen, to: string): void {
    const one = this.#of(seen);
    one.step = { do: 'move', lease: one.lease, to };
  }

  /** What is to be done. Nothing can be added from here on. */
  end(): TransactionStep[] {
    this.#isEnded = true;
    return [...this.#sends, ...[...this.#received.values()].map(({ step }) => step)];
  }

  async giveBack(): Promise<void> {
    await Promise.all([...this.#received.values()].map(({ lease }) => giveBack(this.#node, lease)));
  }

  #of(seen: Seen): { readonly lease: string; step: TransactionStep } {
    this.#check();
    const one = this.#received.get(seen);
    if (one === undefined) throw new RingmailError('LEASE_UNKNOWN', { lease: seen.identity });
    return one;
  }

  #check(): void {
    if (this.#isEnded) throw new RingmailError('TRANSACTION_ENDED', { transaction: this.id });
  }
}
