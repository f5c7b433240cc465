/**
 * A stream that ends here, as META `d/<handle>` has it: `next` alone, or in an array [next, counter, random, first, last, ..., holes,
 * closed]: its epochs (stream-epochs.ts), four numbers each, and, where there are any, its holes and its closed ones (holes.ts), each an
 * array of two numbers a range. All of it is one value, so that damage never takes the holes and leaves what lies above them.
 */
import type { CborInput, CborValue } from '../message/cbor.ts';
import { NO_NUMBERS, type Numbers, type Range, rangeFields, rangesOf, without } from './holes.ts';
import { type MetaChange, metaChange } from './meta-keys.ts';
import { type EpochSpan, spanFields, spansOf } from './stream-epochs.ts';

/** Planned items counted. */
export interface Destination extends Numbers {
  readonly spans: readonly EpochSpan[];
}

export const NO_DESTINATION: Destination = { ...NO_NUMBERS, spans: [] };

export function destinationChange(handle: number, { next, spans, holes, closed }: Destination): MetaChange {
  const key = `d/${handle}`;
  const isWhole = holes.length + closed.length === 0;
  if (isWhole && spans.length === 0) return metaChange(key, next);
  const [only] = spans;
  // As nearly every message finds it.
  if (isWhole && spans.length === 1 && only !== undefined)
    return metaChange(key, [next, only.counter, only.random, only.first, only.last]);
  const fields: CborInput[] = [next];
  for (const field of spanFields(spans)) fields.push(field);
  if (!isWhole) fields.push(rangeFields(holes), rangeFields(closed));
  return metaChange(key, fields);
}

/** `sinceMs`: when its holes are as old as they can be known to be. */
export function destinationOf(value: CborValue, sinceMs: number): Destination {
  const fields = Array.isArray(value) ? value : [value];
  const [next = 1, ...spans] = fields.filter((field) => typeof field === 'number');
  const [holes = [], closed = []] = fields.filter((field) => Array.isArray(field)).map(numbersIn);
  return {
    next,
    spans: spansOf(spans),
    holes: rangesOf(holes).map((range) => ({ ...range, sinceMs })),
    closed: rangesOf(closed),
  };
}

/** After damage a message may be there of which an older value says that it is missing. */
export function withHeld(destination: Destination, numbers: readonly number[]): Destination {
  let { holes, closed } = destination;
  for (const number of numbers) {
    const range: Range = { from: number, to: number };
    holes = without(holes, range);
    closed = without(closed, range);
  }
  return { ...destination, holes, closed };
}

function numbersIn(values: readonly CborValue[]): number[] {
  return values.filter((value) => typeof value === 'number');
}
