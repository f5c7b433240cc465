/**
 * What a node in the middle handed on as elsewhere, per stream: META `v/<handle>`, two numbers a range. When a message with such a number
 * comes after all, by another neighbour, its place in the sequence is gone, and it is carried (docs/routes.md, section 2).
 *
 * Of too many ranges the two that are nearest become one. What lies between them was handed on: a copy of it that comes again is carried
 * too, and the destination drops it. So nothing is forgotten, and nothing can get lost by it.
 */
import { PASSED_RANGE_COUNT_MAX } from '../limits.ts';
import type { MetaTable } from '../ring/meta-table.ts';
import type { Draft } from './draft.ts';
import { merged, type Range, rangeFields, rangesOf } from './holes.ts';
import { type MetaChange, MetaFields, metaChange, metaDelete, metaValues } from './meta-keys.ts';

export class PassedOver {
  readonly #ranges = new Map<number, readonly Range[]>();
  readonly #draft: Draft;

  constructor(draft: Draft) {
    this.#draft = draft;
  }

  load(metas: MetaTable, standing: (handle: number) => number): void {
    for (const [rest, value] of metaValues(metas, 'v/')) {
      const handle = standing(Number(rest));
      this.#ranges.set(handle, merged([...this.of(handle), ...rangesOf(new MetaFields(value).numbers())]));
    }
  }

  of(handle: number): readonly Range[] {
    return this.#ranges.get(handle) ?? [];
  }

  /** They are these from now on: what to store, and how to note it once that is planned. */
  plan(handle: number, ranges: readonly Range[]): { change: MetaChange; settle: () => void } {
    const key = `v/${handle}`;
    const settle = (): void => {
      const before = this.of(handle);
      this.#draft.note(() => this.#set(handle, before));
      this.#set(handle, ranges);
    };
    return { change: ranges.length === 0 ? metaDelete(key) : metaChange(key, rangeFields(ranges)), settle };
  }

  #set(handle: number, ranges: readonly Range[]): void {
    if (ranges.length === 0) this.#ranges.delete(handle);
    else this.#ranges.set(handle, ranges);
  }
}

/** With one range more, and so many at the most. */
export function withRange(ranges: readonly Range[], range: Range): readonly Range[] {
  const all = merged([...ranges, range]);
  while (all.length > PASSED_RANGE_COUNT_MAX) {
    let nearest = 1;
    for (let at = 2; at < all.length; at++) if (between(all, at) < between(all, nearest)) nearest = at;
    const [before, after] = [all[nearest - 1], all[nearest]];
    if (before === undefined || after === undefined) break;
    all.splice(nearest - 1, 2, { from: before.from, to: after.to });
  }
  return all;
}

/** The parts of `range` that lie in the ranges. */
export function within(ranges: readonly Range[], { from, to }: Range): Range[] {
  return ranges
    .filter((range) => range.from <= to && from <= range.to)
    .map((range) => ({ from: Math.max(from, range.from), to: Math.min(to, range.to) }));
}

function between(ranges: readonly Range[], at: number): number {
  return (ranges[at]?.from ?? 0) - (ranges[at - 1]?.to ?? 0);
}
