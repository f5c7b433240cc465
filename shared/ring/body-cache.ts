/**
 * Bodies read or written lately, by message id. Two generations: what is asked for moves to the young one; when that has half the
 * room, the old one goes as a whole and the young one becomes the old. Bounded in bytes, and nothing is ever searched or sorted.
 */
export class BodyCache {
  readonly #generationBytesMax: number;
  #young = new Map<number, Uint8Array>();
  #old = new Map<number, Uint8Array>();
  #youngBytes = 0;

  constructor(bytesMax: number) {
    this.#generationBytesMax = Math.floor(bytesMax / 2);
  }

  get(id: number): Uint8Array | undefined {
    const young = this.#young.get(id);
    if (young !== undefined) return young;
    const old = this.#old.get(id);
    if (old !== undefined) this.put(id, old);
    return old;
  }

  /** The body of an id is always the same one. */
  put(id: number, body: Uint8Array): void {
    if (body.length > this.#generationBytesMax || this.#young.has(id)) return;
    if (this.#youngBytes + body.length > this.#generationBytesMax) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    this.#young.set(id, body);
    this.#youngBytes += body.length;
  }

  drop(id: number): void {
    const young = this.#young.get(id);
    if (young !== undefined) {
      this.#young.delete(id);
      this.#youngBytes -= young.length;
    }
    this.#old.delete(id);
  }
}
