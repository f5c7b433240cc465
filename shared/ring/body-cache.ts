/**
 * Bodies read or written lately, by message id. Ids ascend, so the place of a body is its id modulo the number of places: what is put
 * later takes the place of what was put long before, and a hand goes round and lets go of the oldest when all are too many bytes.
 */

/** A place for so many bytes of room: bodies of this size fill both at once. */
const BYTES_PER_PLACE = 256;
const PLACES_MIN = 16;

export class BodyCache {
  readonly #bytesMax: number;
  readonly #places: number;
  readonly #ids: Float64Array;
  readonly #bodies: (Uint8Array | undefined)[];
  #bytes = 0;
  #hand = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#places = Math.max(PLACES_MIN, Math.floor(bytesMax / BYTES_PER_PLACE));
    this.#ids = new Float64Array(this.#places);
    this.#bodies = new Array<Uint8Array | undefined>(this.#places).fill(undefined);
  }

  get(id: number): Uint8Array | undefined {
    const place = id % this.#places;
    return this.#ids[place] === id ? this.#bodies[place] : undefined;
  }

  /** The body of an id is always the same one. */
  put(id: number, body: Uint8Array): void {
    if (body.length > this.#bytesMax) return;
    const place = id % this.#places;
    this.#clear(place);
    this.#ids[place] = id;
    this.#bodies[place] = body;
    this.#bytes += body.length;
    while (this.#bytes > this.#bytesMax) {
      if (this.#hand !== place) this.#clear(this.#hand);
      this.#hand = (this.#hand + 1) % this.#places;
    }
  }

  drop(id: number): void {
    const place = id % this.#places;
    if (this.#ids[place] === id) this.#clear(place);
  }

  #clear(place: number): void {
    const body = this.#bodies[place];
    if (body === undefined) return;
    this.#bytes -= body.length;
    this.#bodies[place] = undefined;
    this.#ids[place] = 0;
  }
}
