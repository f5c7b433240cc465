/**
 * The numbers of a stream that ends here, as parts of a batch: what to store, and how they move once that is planned (holes.ts says how).
 * `too-many`: it would open one hole too many, and has to wait until another one is gone.
 */
import { invariant } from '../assert.ts';
import type { EndingClass } from '../message/classes.ts';
import type { Epoch } from '../message/identity.ts';
import { type Loss, lossOf } from './accounts.ts';
import { type Destination, destinationChange, NO_DESTINATION } from './destinations.ts';
import { countOf, placeOf, type Range, withElsewhere, withEnding, withMessage } from './holes.ts';
import type { MetaChange } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';
import { NOTHING, type Planned } from './planned.ts';
import { withNumber } from './stream-epochs.ts';

/** What is planned of a stream that ends here. */
export function numbersOf({ ends }: NodeStore, handle: number): Destination {
  return ends.destinations.get(handle) ?? NO_DESTINATION;
}

/**
 * A message with this number is stored, or consumed. `epoch`: under which the number was given out; undefined where nobody compares.
 * Whoever asks has seen that it does not open a hole too many.
 */
export function planNumber(
  store: NodeStore,
  handle: number,
  { number, epoch }: { number: number; epoch: Epoch | undefined },
): Moved {
  const known = numbersOf(store, handle);
  const after = withMessage(known, number, store.nowMs);
  invariant(after !== 'too-many', 'whoever stores a message has asked for its place');
  const spans = epoch === undefined ? known.spans : withNumber(known.spans, number, epoch);
  const { next, holes, closed } = after;
  return planNumbers(store, handle, { next, holes, closed, spans });
}

/** Messages with the next numbers of a stream without holes are stored, all given out under the same epoch. Both ends belong to it. */
export function planRun(store: NodeStore, handle: number, { from, to, epoch }: Range & { readonly epoch: Epoch }): Moved {
  const { next, holes, closed, spans } = numbersOf(store, handle);
  invariant(from === next && holes.length === 0, 'a run goes on where its stream stands');
  return planNumbers(store, handle, {
    next: to + 1,
    holes,
    closed,
    spans: withNumber(withNumber(spans, from, epoch), to, epoch),
  });
}

/** It was given up as missing when it came: that is taken back. */
export function planLate(store: NodeStore, handle: number, number: number): Planned {
  if (placeOf(numbersOf(store, handle), number) !== 'late') return NOTHING;
  return planLosses(store, [{ handle, class: 'MISSING', count: -1, ranges: [{ from: number, to: number }] }]);
}

/** Numbers end here, in their account; what was given up as missing is taken out of that one. */
export function planEnding(
  store: NodeStore,
  handle: number,
  { ranges, class: ending }: { ranges: readonly Range[]; class: EndingClass },
): Planned | 'too-many' {
  let after = numbersOf(store, handle);
  const ended: Range[] = [];
  const corrected: Range[] = [];
  for (const range of ranges) {
    const step = withEnding(after, range, store.nowMs);
    if (step === 'too-many') return step;
    after = { ...after, ...step.numbers };
    ended.push(...step.ended);
    corrected.push(...step.corrected);
  }
  const losses: Loss[] = [];
  if (ended.length + corrected.length > 0) losses.push(lossOf(handle, ending, [...ended, ...corrected]));
  if (corrected.length > 0) losses.push({ handle, class: 'MISSING', count: -countOf(corrected), ranges: corrected });
  const moved = planNumbers(store, handle, after);
  const account = store.planLosses(losses);
  const settle = (): void => {
    account.settle();
    moved.settle();
  };
  return { puts: [], acks: [], changes: [...account.changes, moved.change], settle };
}

/** Another neighbour is to bring these. */
export function planElsewhere(store: NodeStore, handle: number, range: Range): Planned | 'too-many' {
  const known = numbersOf(store, handle);
  const after = withElsewhere(known, range, store.nowMs);
  if (after === 'too-many') return after;
  const { change, settle } = planNumbers(store, handle, { ...known, ...after });
  return { puts: [], acks: [], changes: [change], settle };
}

export function planLosses(store: NodeStore, losses: readonly Loss[]): Planned {
  const { changes, settle } = store.planLosses(losses);
  return { puts: [], acks: [], changes, settle };
}

export interface Moved {
  readonly change: MetaChange;
  readonly settle: () => void;
}

function planNumbers({ ends, draft }: NodeStore, handle: number, after: Destination): Moved {
  const { destinations, aboveHoles } = ends;
  const before = destinations.get(handle);
  if (after.holes.length > 0) aboveHoles.watch(handle);
  const settle = (): void => {
    if (draft.isOpen) draft.note(() => (before === undefined ? destinations.delete(handle) : destinations.set(handle, before)));
    destinations.set(handle, after);
  };
  return { change: destinationChange(handle, after), settle };
}
