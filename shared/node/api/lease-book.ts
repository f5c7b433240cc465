/**
 * Leases that somebody has to hear of: those of a stream, which hands out the next message when one ends, and those of clients over the
 * network, which nobody else may end. Others are not kept here. What ends elsewhere (its queue was deleted, the store was opened anew)
 * leaves the book at its deadline.
 */
import { RingmailError } from '../../errors.ts';
import type { ClientAccount } from './client-account.ts';
import { denied } from './rights.ts';

interface Entry {
  readonly client: ClientAccount;
  readonly onEnd: (() => void) | undefined;
  deadlineMs: number;
}

export class LeaseBook {
  readonly #entries = new Map<string, Entry>();

  get size(): number {
    return this.#entries.size;
  }

  /** @throws BUSY before a client leases more than it may; call it before the lease is asked for */
  static reserve(client: ClientAccount): void {
    if (client.name !== undefined) client.take('leases');
  }

  /** Undoes `reserve` where no lease came of it. */
  static release(client: ClientAccount): void {
    if (client.name !== undefined) client.give('leases');
  }

  /** A lease that was handed out, `reserve`d before. `onEnd` is called once, when it is known or certain that it ended. */
  note(lease: string, of: { client: ClientAccount; leaseMs: number; onEnd?: () => void }, nowMs: number): void {
    const { client, leaseMs, onEnd } = of;
    if (client.name === undefined && onEnd === undefined) return;
    this.#entries.set(lease, { client, onEnd, deadlineMs: nowMs + leaseMs });
  }

  /** @throws ACCESS_DENIED, LEASE_UNKNOWN for a lease that this client, of the network, never got */
  check(lease: string, client: ClientAccount): void {
    if (client.name === undefined) return;
    const entry = this.#entries.get(lease);
    if (entry === undefined) throw new RingmailError('LEASE_UNKNOWN', { lease });
    if (entry.client !== client) throw denied(client, 'receive', 'this lease belongs to another client');
  }

  ended(lease: string): void {
    const entry = this.#entries.get(lease);
    if (entry === undefined) return;
    this.#entries.delete(lease);
    LeaseBook.release(entry.client);
    entry.onEnd?.();
  }

  extended(lease: string, deadlineMs: number): void {
    const entry = this.#entries.get(lease);
    if (entry !== undefined) entry.deadlineMs = deadlineMs;
  }

  expire(nowMs: number): void {
    for (const [lease, { deadlineMs }] of this.#entries) if (deadlineMs <= nowMs) this.ended(lease);
  }
}
