/** Correlation ids of stored messages, for those who search for one: read from the message itself, and remembered for a while. */
import { Bodies } from '../custody/bodies.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { RingmailError } from '../errors.ts';
import { CORRELATION_COUNT_MAX } from '../limits.ts';
import { decodeEnvelope } from '../message/envelope.ts';

/** `none`: it has no correlation id, or is unreadable. `reading`: ask again after the next step. */
export type Correlation = { readonly is: 'id'; readonly id: string } | { readonly is: 'none' | 'reading' };

const NONE: Correlation = { is: 'none' };
const READING: Correlation = { is: 'reading' };

export class Correlations {
  readonly #store: NodeStore;
  readonly #bodies: Bodies;
  /** By message id; the oldest answers go first. */
  readonly #known = new Map<number, Correlation>();

  constructor(store: NodeStore) {
    this.#store = store;
    this.#bodies = new Bodies(store.ring);
  }

  of(slot: number): Correlation {
    const id = this.#store.ring.index.id(slot);
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const body = this.#bodies.get(slot);
    if (body === 'loading') return READING;
    const correlation = body === 'corrupt' ? NONE : correlationOf(body);
    this.#known.set(id, correlation);
    if (this.#known.size > CORRELATION_COUNT_MAX) this.#forgetOldest();
    return correlation;
  }

  /** Nobody searches any more. */
  clear(): void {
    this.#known.clear();
    this.#bodies.clear();
  }

  #forgetOldest(): void {
    for (const id of this.#known.keys()) {
      this.#known.delete(id);
      return;
    }
  }
}

/** What cannot be decoded is found out by who receives it. */
function correlationOf(envelope: Uint8Array): Correlation {
  try {
    const { correlationId } = decodeEnvelope(envelope).message;
    return correlationId === undefined ? NONE : { is: 'id', id: correlationId };
  } catch (error) {
    if (!(error instanceof RingmailError)) throw error;
    return NONE;
  }
}
