/**
 * Columns of the message index: one number per slot, as narrow as the value allows. What most messages do not have (a delay, an
 * expiry, a delivery count) takes no memory until the first message has it.
 */

const TWO_32 = 0x1_0000_0000;

export interface Column {
  /** Memory taken. */
  readonly bytes: number;
  get(slot: number): number;
  set(slot: number, value: number): void;
  resize(length: number): void;
}

/** Whole numbers from 0 to 2⁴⁸ − 1: six bytes each. */
export class Uint48Column implements Column {
  #low = new Uint32Array(0);
  #high = new Uint16Array(0);

  get bytes(): number {
    return this.#low.byteLength + this.#high.byteLength;
  }

  get(slot: number): number {
    return (this.#high[slot] ?? 0) * TWO_32 + (this.#low[slot] ?? 0);
  }

  set(slot: number, value: number): void {
    this.#low[slot] = value % TWO_32;
    this.#high[slot] = value / TWO_32;
  }

  resize(length: number): void {
    this.#low = widened(this.#low, new Uint32Array(length));
    this.#high = widened(this.#high, new Uint16Array(length));
  }
}

/** Whole numbers from 0 to 65,535: two bytes each. */
export class Uint16Column implements Column {
  #values = new Uint16Array(0);

  get bytes(): number {
    return this.#values.byteLength;
  }

  get(slot: number): number {
    return this.#values[slot] ?? 0;
  }

  set(slot: number, value: number): void {
    this.#values[slot] = value;
  }

  resize(length: number): void {
    this.#values = widened(this.#values, new Uint16Array(length));
  }
}

/** A column that is all zeros, and no memory, until somebody sets another value. */
export class RareColumn implements Column {
  readonly #column: Column;
  #length = 0;
  #isThere = false;

  constructor(column: Column) {
    this.#column = column;
  }

  get bytes(): number {
    return this.#column.bytes;
  }

  get(slot: number): number {
    return this.#isThere ? this.#column.get(slot) : 0;
  }

  set(slot: number, value: number): void {
    if (!this.#isThere) {
      if (value === 0) return;
      this.#isThere = true;
      this.#column.resize(this.#length);
    }
    this.#column.set(slot, value);
  }

  resize(length: number): void {
    this.#length = length;
    if (this.#isThere) this.#column.resize(length);
  }
}

export function widened<T extends { set(from: T): void }>(from: T, into: T): T {
  into.set(from);
  return into;
}
