/**
 * Bodies of stored messages for one reader: from memory if they are there, else fetched from the ring and kept until asked for again.
 * Without that a body could leave a small cache before its reader comes back, and be fetched for ever.
 */
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
    const ring = this.#ring;
    const id = ring.index.id(slot);
    if (this.#corrupt.delete(id)) return 'corrupt';
    const body = this.#fetched.get(id) ?? ring.cachedBody(slot);
    if (body !== undefined) {
      this.#fetched.delete(id);
      return body;
    }
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
}
