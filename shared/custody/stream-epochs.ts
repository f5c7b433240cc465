/**
 * Under which epochs of its origin the numbers of a stream were given out, as the destination saw it: a number that comes again under
 * another one was given out twice, by a store that was rolled back or cloned (docs/custody.md, section 4).
 *
 * Within a stream epochs never fall. A span says what was accepted of one epoch: its first and its last number. What lies between two
 * spans ended without being seen, and is compared with both sides only.
 */
import type { Epoch } from '../message/identity.ts';

export interface EpochSpan extends Epoch {
  readonly first: number;
  readonly last: number;
}

/** Spans kept for a stream: what comes again from longer ago is a repeat like any other. About 20 bytes each. */
export const EPOCH_COUNT_MAX = 16;

/** True when a message of this number and epoch cannot be one that was accepted. `spans`: oldest first. */
export function contradicts(spans: readonly EpochSpan[], number: number, epoch: Epoch): boolean {
  return spans.some(({ counter, random, first, last }) => {
    if (counter === epoch.counter && random !== epoch.random) return true;
    return (number <= last && epoch.counter > counter) || (number >= first && epoch.counter < counter);
  });
}

/**
 * The spans with a message that was accepted: the newest one of its stream, or one that fills a hole between others. It does not contradict
 * them, unless it is the newest.
 */
export function withNumber(spans: readonly EpochSpan[], number: number, epoch: Epoch): readonly EpochSpan[] {
  const newest = spans.at(-1);
  const { counter, random } = epoch;
  if (newest !== undefined && number < newest.last) return withFiller(spans, number, epoch);
  if (newest === undefined || newest.counter !== counter || newest.random !== random) {
    return [...spans.slice(-EPOCH_COUNT_MAX + 1), { counter, random, first: number, last: number }];
  }
  const grown = { counter, random, first: newest.first, last: number };
  return spans.length === 1 ? [grown] : [...spans.slice(0, -1), grown];
}

function withFiller(spans: readonly EpochSpan[], number: number, { counter, random }: Epoch): readonly EpochSpan[] {
  const same = spans.findIndex((span) => span.counter === counter && span.random === random);
  if (same >= 0) {
    return spans.map((span, at) =>
      at === same ? { ...span, first: Math.min(span.first, number), last: Math.max(span.last, number) } : span,
    );
  }
  const older = spans.filter((span) => span.counter <= counter);
  const all = [...older, { counter, random, first: number, last: number }, ...spans.slice(older.length)];
  return all.slice(-EPOCH_COUNT_MAX);
}

/** As META holds them: four numbers each. */
export function spanFields(spans: readonly EpochSpan[]): number[] {
  const fields: number[] = [];
  for (const { counter, random, first, last } of spans) fields.push(counter, random, first, last);
  return fields;
}

export function spansOf(fields: readonly number[]): EpochSpan[] {
  const spans: EpochSpan[] = [];
  for (let at = 0; at + 4 <= fields.length; at += 4) {
    const [counter = 0, random = 0, first = 0, last = 0] = fields.slice(at, at + 4);
    spans.push({ counter, random, first, last });
  }
  return spans;
}
