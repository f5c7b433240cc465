/**
 * Under which epoch each number of a stream that begins here was given out: META `e/<handle>`, [epoch, first number, epoch, ...], oldest
 * first. A stream's first message of an opening brings the entry along in its own frame, so that the numbers from there on are known to
 * be of this epoch: a number whose frame was lost is given out again by a later one, and is another message then.
 */
import type { MetaTable } from '../ring/meta-table.ts';
import { type MetaChange, MetaFields, metaChange, metaValues } from './meta-keys.ts';

/** Openings remembered for each stream; about 8 bytes each. Who asks for an older one is told that nobody knows. */
export const OPENING_COUNT_MAX = 16;

interface FirstNumber {
  readonly epoch: number;
  readonly first: number;
}

export class FirstNumbers {
  readonly #byHandle = new Map<number, readonly FirstNumber[]>();

  load(metas: MetaTable): void {
    for (const [handle, value] of metaValues(metas, 'e/')) {
      const fields = new MetaFields(value).numbers();
      const known: FirstNumber[] = [];
      for (let at = 0; at + 2 <= fields.length; at += 2) known.push({ epoch: fields[at] ?? 0, first: fields[at + 1] ?? 0 });
      this.#byHandle.set(Number(handle), known);
    }
  }

  /** What goes into the frame of this number, the next one of its stream; undefined when its epoch is known to have begun. */
  plan(handle: number, number: number, epoch: number): { change: MetaChange; settle: () => () => void } | undefined {
    const before = this.#byHandle.get(handle);
    if (before?.at(-1)?.epoch === epoch) return undefined;
    const now = [...(before ?? []), { epoch, first: number }].slice(-OPENING_COUNT_MAX);
    const settle = () => {
      this.#byHandle.set(handle, now);
      return () => void (before === undefined ? this.#byHandle.delete(handle) : this.#byHandle.set(handle, before));
    };
    return {
      change: metaChange(
        `e/${handle}`,
        now.flatMap(({ epoch: counter, first }) => [counter, first]),
      ),
      settle,
    };
  }

  /** The epoch of a number that was given out; undefined when that was too long ago. */
  epochOf(handle: number, number: number): number | undefined {
    return this.#byHandle
      .get(handle)
      ?.filter(({ first }) => first <= number)
      .at(-1)?.epoch;
  }
}
