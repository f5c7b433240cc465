/**
 * Messages whose place in their own stream is gone: they go on in a stream of this node, to the same destination (docs/routes.md,
 * section 2). The envelope stays what it was, identity included; the destination decides by that.
 *
 *   a number that was handed on as elsewhere ──comes after all──▶ message: carried        gap: a word to the destination
 *   a message that lies here, and goes another way ──────────────▶ carried, in one frame with the end of its old place
 *
 * To the next node of the old way the numbers of the old place are elsewhere.
 */
import { NODE_QUEUE } from '../message/address.ts';
import type { EndingClass } from '../message/classes.ts';
import { decodeEnvelope, withHop } from '../message/envelope.ts';
import { type Identity, type StreamKey, streamText } from '../message/identity.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import { entering, nextNumber } from './entering.ts';
import { includes, type Range, rangesOf, without } from './holes.ts';
import type { Intake } from './intake.ts';
import type { Newcomer } from './message-room.ts';
import type { MetaChange } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';
import { beginWord, streamInWord, type WordFields } from './node-words.ts';
import { counterChange, freeBelow, gapDelete, type OutStream } from './outgoing.ts';
import { within, withRange } from './passed-over.ts';
import { joined, NOTHING, type Planned, withRoom } from './planned.ts';
import type { Item } from './session.ts';

export const GAP_WORD = 'gap';
/** Stretches that one word tells of: a bound of each decoder. */
const WORD_RANGE_COUNT_MAX = 64;

/** A word that tells its destination how numbers of a stream ended whose place in the sequence is gone. */
export interface GapWord {
  readonly stream: StreamKey;
  readonly ranges: readonly Range[];
  readonly class: EndingClass;
  readonly node: string;
}

/**
 * A message of another node that goes on in a stream of this one, to where it was going. Its envelope stays what it is.
 * @throws ENVELOPE_INVALID, QUEUE_FULL, BUSY; then nothing was planned
 */
export function carry(
  { store, intake }: { store: NodeStore; intake: Intake },
  envelope: Uint8Array,
  place: Newcomer['place'],
): Planned {
  const { message, hop } = decodeEnvelope(envelope);
  const { destination, priority } = message.identity;
  const { key, handle, changes } = intake.streamTo(destination, priority);
  const identity = { ...key, number: nextNumber(store, { handle, key, endsHere: false }) };
  const what = intake.addressOf(destination).queue === NODE_QUEUE ? 'record' : 'message';
  const { epoch } = store.ring;
  const entered = { handle, identity, epoch, queue: undefined, envelope, properties: message, hop, what } as const;
  const planned = intake.withEpoch(entering(store, entered, changes), handle, identity.number);
  return withRoom(store, planned, undefined, { place, what, bytes: envelope.length, priority });
}

/** Handed on as elsewhere: from now on they may come after all. */
export function planPassed(store: NodeStore, handle: number, range: Range): { change: MetaChange; settle: () => void } {
  return store.passedOver.plan(handle, withRange(store.passedOver.of(handle), range));
}

/**
 * An item of a stream that leaves here, or the part of it, that lies below what was handed on. Undefined: none of it was passed over, it is
 * a repeat. `envelope`: of a message, one hop further.
 * @throws as `carry` and `beginWord`; then it comes again
 */
export function planBelated(
  { store, intake }: { store: NodeStore; intake: Intake },
  { handle, key, item }: { handle: number; key: StreamKey; item: Item },
  envelope: Uint8Array,
): Planned | undefined {
  const passed = store.passedOver.of(handle);
  if (passed.length === 0 || item.kind === 'elsewhere') return undefined;
  if (item.kind === 'message') {
    if (!includes(passed, item.number)) return undefined;
    const { change, settle } = store.passedOver.plan(handle, without(passed, { from: item.number, to: item.number }));
    return joined({ ...NOTHING, changes: [change], settle }, carry({ store, intake }, envelope, 'new'));
  }
  const ranges = within(passed, { from: item.number, to: item.to });
  if (ranges.length === 0) return undefined;
  const left = ranges.reduce((all, range) => without(all, range), passed);
  const { change, settle } = store.passedOver.plan(handle, left);
  const word = gapWord(intake, { stream: key, ranges, class: item.class, node: item.node });
  return joined({ ...NOTHING, changes: [change], settle }, word);
}

/**
 * The next step of a stream that goes another way as a whole, and is of another origin: what lies at its head gets its place in a stream of this
 * node, in one batch with the end of its old place. `loading`: its body is read; ask again. `done`: nothing is left. A body that cannot
 * be read is left where it is (`corrupt`). Not for streams that begin here: those only go another way.
 * @throws as `carry` and `beginWord`; then nothing is changed
 */
export function planAway(
  { store, intake }: { store: NodeStore; intake: Intake },
  out: OutStream,
  bodyOf: (slot: number) => Uint8Array | 'loading' | 'corrupt',
): Planned | 'loading' | 'corrupt' | 'done' {
  const { index } = store.ring;
  const slot = out.list.head;
  const [gap] = out.gaps;
  const number = slot === NO_SLOT ? Number.POSITIVE_INFINITY : index.number(slot);
  if (gap !== undefined && gap.from < number) {
    const { class: ending, node, from, to } = gap;
    const ended = { stream: out.key, ranges: [{ from: Math.max(from, out.lo), to }], node };
    const word = ending === undefined ? NOTHING : gapWord(intake, { ...ended, class: ending });
    return joined(word, leaves(store, out, { upTo: to + 1, ids: [], changes: [gapDelete(out, from)] }));
  }
  if (slot === NO_SLOT) return 'done';
  const body = bodyOf(slot);
  if (typeof body === 'string') return body;
  const hasTimes = index.expiresAtMs(slot) > 0 || index.notBeforeMs(slot) > 0;
  const spentMs = hasTimes ? Math.max(0, Math.floor(store.queueTimeMs - index.storedAtMs(slot))) : 0;
  const envelope = spentMs === 0 ? body : withHop(body, (hop) => ({ ...hop, elapsedMs: hop.elapsedMs + spentMs }));
  const carried = carry({ store, intake }, envelope, 'replacing');
  return joined(carried, leaves(store, out, { upTo: number + 1, ids: [index.id(slot)], changes: [] }));
}

/** Who the message is that lies in a stream which leaves here: itself, or one that is carried. Undefined: its envelope does not say. */
export function identityAt(
  out: OutStream,
  number: number,
  envelope: Uint8Array,
): { identity: Identity; isCarried: boolean } | undefined {
  try {
    const { identity } = decodeEnvelope(envelope).message;
    return { identity, isCarried: streamText(identity) !== streamText(out.key) || identity.number !== number };
  } catch {
    return undefined; // what does not decode has no identity but its place
  }
}

/** @throws as `beginWord` */
export function gapWord(intake: Intake, { stream, ranges, class: ending, node }: GapWord): Planned {
  const { node: destination, queue } = intake.addressOf(stream.destination);
  // Nobody asks what became of a word, and a word about a word would go on for ever where ways lead in a circle.
  if (queue === NODE_QUEUE) return NOTHING;
  const fields = { stream: streamInWord(stream), ranges: ranges.map(({ from, to }) => [from, to]), class: ending, node };
  return beginWord(intake, destination, { kind: GAP_WORD, fields });
}

/** What a word says; undefined when it says nothing that holds together. */
export function gapIn(fields: WordFields): GapWord | undefined {
  const stream = fields.stream('stream');
  const ending = fields.class('class');
  const node = fields.name('node');
  const pairs = fields.list('ranges', WORD_RANGE_COUNT_MAX);
  if (stream === undefined || ending === undefined || node === undefined || pairs === undefined) return undefined;
  const ranges: Range[] = [];
  for (const pair of pairs) {
    const [range] = Array.isArray(pair) ? rangesOf(pair.filter((value) => typeof value === 'number')) : [];
    if (range === undefined || !isRange(range)) return undefined;
    ranges.push(range);
  }
  return ranges.length === 0 ? undefined : { stream, ranges, class: ending, node };
}

function isRange({ from, to }: Range): boolean {
  return Number.isSafeInteger(from) && Number.isSafeInteger(to + 1) && from >= 1 && from <= to;
}

/** Everything below `upTo` has left its old place. */
function leaves(
  store: NodeStore,
  out: OutStream,
  what: { upTo: number; ids: readonly number[]; changes: readonly MetaChange[] },
): Planned {
  const { upTo, ids, changes } = what;
  const counter = counterChange({ ...out, lo: Math.max(out.lo, upTo), next: Math.max(out.next, upTo) });
  const acks = ids.map((id) => ({ id, reason: 'replaced' as const }));
  const settle = (): void => void freeBelow(out, upTo, store.ring.index);
  return { puts: [], acks, changes: [...changes, counter], settle };
}
