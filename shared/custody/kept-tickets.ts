/**
 * Tickets of neighbours that a way led to before: META `y/<way>/<neighbour>`, [when, incarnation, ticket, nonce]. A node that is dialled into
 * one gateway today and another tomorrow shows the one the ticket of the other; it is called a fork, and shows the right one
 * (docs/custody.md, section 4).
 */
import { fromHex, NO_BYTES } from '../bytes.ts';
import { KEPT_TICKET_COUNT_MAX } from '../limits.ts';
import type { Hop } from './hops.ts';
import { type MetaChange, MetaFields, metaChange, metaDelete, metaValues } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';

export interface Ticket {
  readonly receiver: string;
  /** Of the receiver's store. */
  readonly incarnation: string;
  readonly ticket: Uint8Array;
  readonly nonce: Uint8Array;
}

export class KeptTickets {
  readonly #prefix: string;
  /** The oldest first. */
  readonly #kept = new Map<string, Ticket>();
  #when = 0;

  constructor(hop: Hop) {
    this.#prefix = `y/${hop}/`;
  }

  load({ ring }: NodeStore): void {
    const found: [number, Ticket][] = [];
    for (const [receiver, value] of metaValues(ring.metas, this.#prefix)) {
      // Of a way whose name begins with this one's.
      if (receiver.includes('/')) continue;
      const fields = new MetaFields(value);
      found.push([fields.number(0), { receiver, incarnation: fields.hex(1), ticket: fields.bytes(2), nonce: fields.bytes(3) }]);
    }
    found.sort(([a], [b]) => a - b);
    for (const [when, ticket] of found) {
      this.#kept.set(ticket.receiver, ticket);
      this.#when = when;
    }
  }

  /** That of a neighbour's present store. */
  of({ receiver, incarnation }: Pick<Ticket, 'receiver' | 'incarnation'>): Ticket | undefined {
    const kept = this.#kept.get(receiver);
    return kept?.incarnation === incarnation ? kept : undefined;
  }

  /** What must be stored so that a ticket is found again. At the limit the oldest goes: who returns to that one takes a new incarnation. */
  keep(ticket: Ticket): MetaChange[] {
    const { receiver, incarnation, nonce } = ticket;
    const changes: MetaChange[] = [];
    this.#kept.delete(receiver);
    for (const [oldest] of this.#kept) {
      if (this.#kept.size < KEPT_TICKET_COUNT_MAX) break;
      this.#kept.delete(oldest);
      changes.push(metaDelete(this.#prefix + oldest));
    }
    this.#kept.set(receiver, ticket);
    this.#when += 1;
    const value = [this.#when, fromHex(incarnation) ?? NO_BYTES, ticket.ticket, nonce];
    return [...changes, metaChange(this.#prefix + receiver, value)];
  }
}
