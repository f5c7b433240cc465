/**
 * Several parts of a batch of which later ones go on from the counters of earlier ones: each is settled before the next is planned. Where
 * nobody plans a batch already (draft.ts) all of it is taken back at the end, and settled again with the whole.
 */
import type { Draft } from './draft.ts';
import type { MetaChange } from './meta-keys.ts';
import type { Planned } from './planned.ts';

/** @throws whatever `build` throws; then nothing is changed, or the draft that is open is to be undone */
export function together(draft: Draft, build: (add: (part: Planned) => void, parts: readonly Planned[]) => void): Planned {
  const isOwn = !draft.isOpen;
  const parts: Planned[] = [];
  const add = (part: Planned): void => {
    part.settle();
    parts.push(part);
  };
  if (isOwn) draft.open();
  try {
    build(add, parts);
  } finally {
    if (isOwn) draft.undo();
  }
  const settle = isOwn ? () => parts.forEach((part) => void part.settle()) : () => {};
  return { ...sumOf(parts), settle };
}

/** Of each key the last value: it is that of the whole. */
export function sumOf(parts: readonly Planned[]): Omit<Planned, 'settle'> {
  const changes = new Map<string, MetaChange>();
  for (const change of parts.flatMap((part) => part.changes)) changes.set(change.key, change);
  return {
    puts: parts.flatMap(({ puts }) => puts),
    acks: parts.flatMap(({ acks }) => acks),
    changes: [...changes.values()],
  };
}
