/** A set of 64-bit fingerprints in flat memory: open addressing, eight bytes each, at most two thirds full. */

const SLOTS_MIN = 1 << 16;

export class Visited {
  #words = new Uint32Array(2 * SLOTS_MIN);
  #slots = SLOTS_MIN;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Adds the fingerprint of these numbers. False when it was there. */
  add(numbers: Int32Array): boolean {
    let a = 0x9e37_79b9 | 0;
    let b = 0x7f4a_7c15 | 0;
    for (let at = 0; at < numbers.length; at++) {
      const word = numbers[at] ?? 0;
      a = Math.imul(a ^ word, 0x85eb_ca6b);
      a ^= a >>> 15;
      b = Math.imul(b ^ word ^ (a >>> 7), 0xc2b2_ae35);
      b ^= b >>> 13;
    }
    a = Math.imul(a ^ (b >>> 16), 0xc2b2_ae35);
    b = Math.imul(b ^ (a >>> 15), 0x9e37_79b1);
    a ^= b >>> 14;
    if (a === 0 && b === 0) a = 1;
    if (!this.#put(a >>> 0, b >>> 0)) return false;
    this.#count += 1;
    if (3 * this.#count > 2 * this.#slots) this.#grow();
    return true;
  }

  #put(a: number, b: number): boolean {
    const mask = this.#slots - 1;
    for (let slot = a & mask; ; slot = (slot + 1) & mask) {
      const at = 2 * slot;
      if (this.#words[at] === 0 && this.#words[at + 1] === 0) {
        this.#words[at] = a;
        this.#words[at + 1] = b;
        return true;
      }
      if (this.#words[at] === a && this.#words[at + 1] === b) return false;
    }
  }

  #grow(): void {
    const old = this.#words;
    this.#slots *= 2;
    this.#words = new Uint32Array(2 * this.#slots);
    for (let at = 0; at < old.length; at += 2) {
      const [a = 0, b = 0] = [old[at], old[at + 1]];
      if (a !== 0 || b !== 0) this.#put(a, b);
    }
  }
}
