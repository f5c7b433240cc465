/**
 * Messages handed to applications and not yet acknowledged. A lease ends by its deadline, not with anybody's connection.
 *
 *   granted ──▶ held ──claim──▶ being ended ──▶ over
 *                │ ▲                │
 *     deadline   │ └────restore─────┘ refused
 *                ▼
 *              over
 *
 * One that is being ended is nobody's any more: it cannot be ended twice, and no deadline overtakes its end.
 */
import { DueHeap } from './due-heap.ts';

export interface Lease {
  readonly id: string;
  /** Counts the leases of one opening. */
  readonly number: number;
  readonly slot: number;
  readonly messageId: number;
  readonly deadlineMs: number;
}

export class Leases {
  readonly #held = new Map<number, Lease>();
  /** By deadline; entries of leases that are over, or hold for longer by now, are passed over. */
  readonly #deadlines = new DueHeap();
  readonly #prefix: string;
  #next = 1;

  /** `prefix` tells leases of one opening of the store from those of another. */
  constructor(prefix: string) {
    this.#prefix = `${prefix}-`;
  }

  get count(): number {
    return this.#held.size;
  }

  grant(message: { slot: number; messageId: number }, deadlineMs: number): Lease {
    const number = this.#next++;
    const lease = { id: `${this.#prefix}${number}`, number, ...message, deadlineMs };
    this.restore(lease);
    return lease;
  }

  find(id: string): Lease | undefined {
    const lease = this.#held.get(Number(id.slice(this.#prefix.length)));
    return lease?.id === id ? lease : undefined;
  }

  /** From now on it holds until another time. */
  extend(lease: Lease, deadlineMs: number): void {
    this.restore({ ...lease, deadlineMs });
  }

  /** It is over, or about to be. */
  end(lease: Lease): void {
    this.#held.delete(lease.number);
  }

  /** Its end was refused: it holds as before. */
  restore(lease: Lease): void {
    this.#held.set(lease.number, lease);
    this.#deadlines.push({ atMs: lease.deadlineMs, id: lease.number, slot: lease.slot });
    this.#deadlines.sweep(this.#held.size, ({ id, atMs }) => this.#held.get(id)?.deadlineMs === atMs);
  }

  /** Ends and returns the leases whose time is up. */
  expire(nowMs: number): Lease[] {
    const expired: Lease[] = [];
    for (let atMs = this.nextDeadlineMs; atMs !== undefined && atMs <= nowMs; atMs = this.nextDeadlineMs) {
      const lease = this.#held.get(this.#deadlines.pop()?.id ?? 0);
      if (lease === undefined) continue;
      this.#held.delete(lease.number);
      expired.push(lease);
    }
    return expired;
  }

  get nextDeadlineMs(): number | undefined {
    for (let first = this.#deadlines.first; first !== undefined; first = this.#deadlines.first) {
      if (this.#held.get(first.id)?.deadlineMs === first.atMs) return first.atMs;
      this.#deadlines.pop();
    }
    return undefined;
  }

  /** All that are held, in order of their granting. */
  [Symbol.iterator](): IterableIterator<Lease> {
    return this.#held.values();
  }
}
