/**
 * Streams that leave this node, and what it still holds of them: messages in order of number, and gaps to hand over. A message
 * stays until the next node has it on disk.
 */
import { parseAddress } from '../message/address.ts';
import type { EndingClass } from '../message/classes.ts';
import type { StreamKey } from '../message/identity.ts';
import { type Due, DueHeap } from '../queue/due-heap.ts';
import { SlotList } from '../queue/slot-list.ts';
import { type MessageIndex, NO_SLOT } from '../ring/message-index.ts';
import type { MetaTable } from '../ring/meta-table.ts';
import { type MetaChange, MetaFields, metaChange, metaDelete, metaValues } from './meta-keys.ts';
import type { Item } from './session.ts';

/** Numbers that ended, or went another way, before the next node had them. `class` undefined: elsewhere. */
export interface HeldGap {
  readonly from: number;
  readonly to: number;
  readonly class: EndingClass | undefined;
  readonly node: string;
}

export interface OutStream {
  readonly handle: number;
  readonly key: StreamKey;
  /** Where it ends. */
  readonly node: string;
  /** Numbers below went up before that node was known to be below (hops.ts). */
  upTo: number;
  readonly list: SlotList;
  /** Numbers below are the next node's. */
  lo: number;
  /** The number the next message gets, planned ones counted. */
  next: number;
  /** Ascending, disjoint. */
  readonly gaps: HeldGap[];
}

export class Outgoing {
  readonly #index: MessageIndex;
  readonly #streams = new Map<number, OutStream>();
  /** Messages that have to have left this node by a time. */
  readonly timed = new DueHeap();

  constructor(index: MessageIndex) {
    this.#index = index;
  }

  /** `standing`: the handle under which a stream goes on (stream-table.ts). */
  load(metas: MetaTable, keyOf: (handle: number) => StreamKey, standing: (handle: number) => number): void {
    for (const [rest, value] of metaValues(metas, 'o/')) {
      const fields = new MetaFields(value);
      const handle = Number(rest);
      const stream = this.open(standing(handle), keyOf(handle));
      if (standing(handle) === handle) stream.lo = fields.number(0);
      stream.next = Math.max(stream.next, fields.number(1));
    }
    for (const [rest, value] of metaValues(metas, 'g/')) {
      const [handle = '', from = ''] = rest.split('/');
      const fields = new MetaFields(value);
      const ending = fields.text(1);
      const gap = { from: Number(from), to: fields.number(0), class: ending === '' ? undefined : (ending as EndingClass) };
      if (standing(Number(handle)) !== Number(handle)) continue;
      const stream = this.open(Number(handle), keyOf(Number(handle)));
      stream.gaps.push({ ...gap, node: fields.text(2) });
      // Damage may have taken the counter back: the numbers of a gap were given out.
      stream.next = Math.max(stream.next, gap.to + 1);
    }
    for (const stream of this.#streams.values()) stream.gaps.sort((a, b) => a.from - b.from);
  }

  open(handle: number, key: StreamKey): OutStream {
    let stream = this.#streams.get(handle);
    if (stream === undefined) {
      const list = new SlotList(this.#index, 'number');
      const { node } = parseAddress(key.destination, '');
      stream = { handle, key, node, upTo: 1, list, lo: 1, next: 1, gaps: [] };
      this.#streams.set(handle, stream);
    }
    return stream;
  }

  find(handle: number): OutStream | undefined {
    return this.#streams.get(handle);
  }

  [Symbol.iterator](): IterableIterator<OutStream> {
    return this.#streams.values();
  }

  /** A message waits from now on. */
  place({ handle, key }: Pick<OutStream, 'handle' | 'key'>, slot: number): void {
    this.open(handle, key).list.insert(slot);
    const atMs = this.#index.expiresAtMs(slot);
    if (atMs === 0) return;
    this.timed.push({ atMs, id: this.#index.id(slot), slot });
    this.timed.sweep(this.#index.count, (due) => this.waits(due));
  }

  /** True while it is held here. */
  waits({ id, slot }: Due): boolean {
    return this.#index.id(slot) === id && this.#index.isListed(slot);
  }

  /** Messages held. */
  get count(): number {
    let count = 0;
    for (const stream of this.#streams.values()) count += stream.list.count;
    return count;
  }
}

export function isDrained(stream: OutStream): boolean {
  return stream.list.count === 0 && stream.gaps.length === 0;
}

export function counterChange(stream: Pick<OutStream, 'handle' | 'lo' | 'next'>): MetaChange {
  return metaChange(`o/${stream.handle}`, [stream.lo, stream.next]);
}

/** Notes that numbers ended here before the next node had them. Returns what must be stored in the frame that ends them. */
export function endNumbers(stream: OutStream, gap: HeldGap): MetaChange {
  holdGap(stream, gap);
  return gapChange(stream, gap);
}

/** What must be stored of a gap. */
export function gapChange(stream: OutStream, gap: HeldGap): MetaChange {
  return metaChange(`g/${stream.handle}/${gap.from}`, [gap.to, gap.class ?? '', gap.node]);
}

/** A gap that is stored, or about to be: it is handed over from now on. */
export function holdGap(stream: OutStream, gap: HeldGap): void {
  const at = stream.gaps.findIndex((other) => other.from > gap.from);
  stream.gaps.splice(at === -1 ? stream.gaps.length : at, 0, gap);
}

/**
 * A number that ended here before the next node had it: a gap of its own, or the one before it, grown, where that ended so too, since META
 * is for few of them. Nothing is changed before `settle`.
 */
export function endNumber(stream: OutStream, gap: HeldGap): { change: MetaChange; settle: () => () => void } {
  const before = stream.gaps.find(
    ({ to, class: ending, node }) => to === gap.from - 1 && ending === gap.class && node === gap.node,
  );
  const grown = { ...gap, from: before?.from ?? gap.from };
  const settle = () => {
    const gaps = [...stream.gaps];
    if (before !== undefined) stream.gaps.splice(stream.gaps.indexOf(before), 1);
    holdGap(stream, grown);
    return () => void stream.gaps.splice(0, stream.gaps.length, ...gaps);
  };
  return { change: gapChange(stream, grown), settle };
}

/** What forgets a gap that was stored. */
export function gapDelete({ handle }: OutStream, from: number): MetaChange {
  return metaDelete(`g/${handle}/${from}`);
}

/** Numbers that a damaged ring no longer explains: neither a message, nor a gap, nor below `lo`. */
export function unexplained(stream: OutStream, index: MessageIndex): { from: number; to: number }[] {
  const known: { from: number; to: number }[] = [...stream.gaps];
  for (let slot = stream.list.head; slot !== NO_SLOT; slot = stream.list.next(slot)) {
    const number = index.number(slot);
    known.push({ from: number, to: number });
  }
  known.sort((a, b) => a.from - b.from);
  const missing: { from: number; to: number }[] = [];
  let expected = stream.lo;
  for (const { from, to } of [...known, { from: stream.next, to: stream.next }]) {
    if (from > expected) missing.push({ from: expected, to: from - 1 });
    expected = Math.max(expected, to + 1);
  }
  return missing;
}

/** What the next node's cursor frees: ids of messages, and changes of META. The messages leave their list now. */
export function freeBelow(stream: OutStream, cursor: number, index: MessageIndex): { ids: number[]; changes: MetaChange[] } {
  const ids: number[] = [];
  const changes: MetaChange[] = [];
  for (let slot = stream.list.head; slot !== NO_SLOT && index.number(slot) < cursor; slot = stream.list.head) {
    ids.push(index.id(slot));
    stream.list.remove(slot);
  }
  while (stream.gaps[0] !== undefined && stream.gaps[0].to < cursor) {
    changes.push(gapDelete(stream, stream.gaps[0].from));
    stream.gaps.shift();
  }
  stream.lo = Math.max(stream.lo, cursor);
  stream.next = Math.max(stream.next, cursor);
  changes.push(counterChange(stream));
  return { ids, changes };
}

/**
 * The item at `number` when it is no message: what was noted about it. Undefined while nothing was: then a message of that number is
 * on its way to the disk, and is waited for. What a damaged ring lost was noted when it was opened.
 */
export function endedAt(stream: OutStream, number: number): Item | undefined {
  if (number < stream.lo) return { kind: 'elsewhere', number, to: stream.lo - 1 };
  const held = stream.gaps.find((gap) => gap.from <= number && number <= gap.to);
  if (held === undefined) return undefined;
  if (held.class === undefined) return { kind: 'elsewhere', number, to: held.to };
  return { kind: 'gap', number, to: held.to, class: held.class, node: held.node };
}
