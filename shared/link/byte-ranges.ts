/** Which bytes of something have come: ascending ranges that neither touch nor overlap. */

interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export class ByteRanges {
  readonly #countMax: number;
  #ranges: ByteRange[] = [];

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** One past the highest byte that has come. */
  get end(): number {
    return this.#ranges.at(-1)?.end ?? 0;
  }

  /** False, and unchanged, when that would make too many ranges. */
  add(start: number, end: number): boolean {
    const before = this.#ranges.filter((range) => range.end < start);
    const after = this.#ranges.filter((range) => range.start > end);
    if (before.length + 1 + after.length > this.#countMax) return false;
    const touched = this.#ranges.slice(before.length, this.#ranges.length - after.length);
    const merged = { start: Math.min(start, touched[0]?.start ?? start), end: Math.max(end, touched.at(-1)?.end ?? end) };
    this.#ranges = [...before, merged, ...after];
    return true;
  }

  /** True when all of 0 to `length` has come. */
  covers(length: number): boolean {
    const [first] = this.#ranges;
    return first !== undefined && first.start === 0 && first.end >= length;
  }
}
