/**
 * Bodies of stored messages for one reader: from memory if they are there, else fetched from the ring and kept until asked for again.
 * Without that a body could leave a small cache before its reader comes back, and be fetched for ever.
 *
 * Of a message that shares its body with others the whole envelope is put together here, from what the ring holds of it and of its holder.
 */
import { RingmailError } from '../errors.ts';
import { uncovered } from '../message/shared-envelope.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import type { Ring } from '../ring/ring.ts';

export class Bodies {
  readonly #ring: Ring;
  /** Undefined while the ring reads. */
  readonly #fetched = new Map<number, Uint8Array | undefined>();
  readonly #corrupt = new Set<number>();

  constructor(ring: Ring) {
    this.#ring = ring;
  }

  /** The body, or `loading`: ask again after the next step; or `corrupt`, for good. */
  get(slot: number): Uint8Array | 'loading' | 'corrupt' {
    const { index } = this.#ring;
    const holder = index.holder(slot);
    return holder === 0 ? this.#taken(slot) : this.#whole(slot, index.find(holder));
  }

  /** Nobody will ask for this one. */
  forget(id: number): void {
    this.#fetched.delete(id);
    this.#corrupt.delete(id);
  }

  /** What was fetched and not asked for again is forgotten. */
  clear(): void {
    this.#fetched.clear();
    this.#corrupt.clear();
  }

  /** Both parts are kept until both are there. */
  #whole(slot: number, holder: number): Uint8Array | 'loading' | 'corrupt' {
    if (holder === NO_SLOT || !this.#ring.index.isHolder(holder)) return 'corrupt';
    const cover = this.#read(slot);
    const body = this.#read(holder);
    if (cover === 'loading' || body === 'loading') return 'loading';
    this.forget(this.#ring.index.id(slot));
    this.forget(this.#ring.index.id(holder));
    if (cover === 'corrupt' || body === 'corrupt') return 'corrupt';
    return putTogether(cover, body) ?? 'corrupt';
  }

  #taken(slot: number): Uint8Array | 'loading' | 'corrupt' {
    const body = this.#read(slot);
    if (body !== 'loading') this.forget(this.#ring.index.id(slot));
    return body;
  }

  #read(slot: number): Uint8Array | 'loading' | 'corrupt' {
    const ring = this.#ring;
    const id = ring.index.id(slot);
    if (this.#corrupt.has(id)) return 'corrupt';
    const body = this.#fetched.get(id) ?? ring.cachedBody(slot);
    if (body !== undefined) return body;
    if (this.#fetched.has(id) || !ring.canFetch) return 'loading';
    this.#fetched.set(id, undefined);
    ring.fetchBody(id, (result) => {
      if (!this.#fetched.has(id)) return;
      if (result.kind === 'body') this.#fetched.set(id, result.body);
      else this.#fetched.delete(id);
      if (result.kind === 'corrupt') this.#corrupt.add(id);
    });
    return 'loading';
  }
}

function putTogether(cover: Uint8Array, body: Uint8Array): Uint8Array | undefined {
  try {
    return uncovered(cover, body);
  } catch (error) {
    if (error instanceof RingmailError) return undefined;
    throw error;
  }
}
