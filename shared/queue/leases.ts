/** Messages handed to applications and not yet acknowledged. A lease ends by its deadline, not with anybody's connection. */

export interface Lease {
  readonly id: string;
  readonly slot: number;
  readonly messageId: number;
  readonly deadlineMs: number;
}

export class Leases {
  readonly #leases = new Map<string, Lease>();
  readonly #prefix: string;
  #next = 1;

  /** `prefix` tells leases of one opening of the store from those of another. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  grant(message: { slot: number; messageId: number }, deadlineMs: number): Lease {
    const lease = { id: `${this.#prefix}-${this.#next++}`, ...message, deadlineMs };
    this.#leases.set(lease.id, lease);
    return lease;
  }

  find(id: string): Lease | undefined {
    return this.#leases.get(id);
  }

  end(lease: Lease): void {
    this.#leases.delete(lease.id);
  }

  /** Ends and returns the leases whose time is up. */
  expire(nowMs: number): Lease[] {
    const expired = [...this.#leases.values()].filter((lease) => lease.deadlineMs <= nowMs);
    for (const lease of expired) this.#leases.delete(lease.id);
    return expired;
  }

  get nextDeadlineMs(): number | undefined {
    let next: number | undefined;
    for (const { deadlineMs } of this.#leases.values()) if (next === undefined || deadlineMs < next) next = deadlineMs;
    return next;
  }
}
