/**
 * What a node knows of the streams of one origin, read from its disk: of each, the numbers 1..N, and what became of them.
 *
 *   ends here      received + waiting + open holes + missing = N
 *   passes here    handed over + waiting + gone another way + ended here = N
 *
 * All of it is what is durable, so that it adds up at any moment.
 */
import { isExact, NO_TALLY, type Tally, tallied, tallyOf } from '../custody/accounts.ts';
import { destinationOf } from '../custody/destinations.ts';
import type { DigestBook } from '../custody/digest-book.ts';
import { countOf, merged, type Range } from '../custody/holes.ts';
import { MetaFields, metaValue, metaValues } from '../custody/meta-keys.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { LEDGER_STREAM_COUNT_MAX } from '../limits.ts';
import { type EndingClass, isEndingClass } from '../message/classes.ts';
import { streamText } from '../message/identity.ts';
import type { Ledger, LedgerLoss, LedgerStream } from './calls.ts';

interface Waiting {
  ready: number;
  leased: number;
  delayed: number;
  held: number;
  onItsWay: number;
}

const NONE_WAITING: Readonly<Waiting> = { ready: 0, leased: 0, delayed: 0, held: 0, onItsWay: 0 };

export function ledgerOf(store: NodeStore, node: string, book: Pick<DigestBook, 'find'>): Ledger {
  const { metas } = store.ring;
  const all: number[] = [];
  for (const [handle, key] of store.streams) {
    const isKnown = metas.get(`d/${handle}`) !== undefined || metas.get(`o/${handle}`) !== undefined;
    if (key.origin === node && isKnown && store.streams.standing(handle) === handle) all.push(handle);
  }
  const handles = new Set(all.slice(-LEDGER_STREAM_COUNT_MAX));
  const waiting = waitingOf(store, handles);
  const losses = lossesOf(store, handles);
  const streams = [...handles].map((handle): LedgerStream => {
    const one = { store, handle, waiting: waiting.get(handle) ?? NONE_WAITING, losses: losses.get(handle) ?? new Map() };
    return metas.get(`d/${handle}`) === undefined ? passing(one) : ending(one);
  });
  const digest = digestOf(store, node, book);
  return { node, streams, streamsLeftOut: all.length - handles.size, ...(digest && { digest }) };
}

interface One {
  readonly store: NodeStore;
  readonly handle: number;
  readonly waiting: Readonly<Waiting>;
  readonly losses: ReadonlyMap<EndingClass, Tally>;
}

function ending({ store, handle, waiting, losses }: One): LedgerStream {
  const { next, holes } = destinationOf(metaValue(store.ring.metas, `d/${handle}`), 0);
  const told = [...losses].map(([why, tally]) => lossOf(why, tally));
  // The number is that of another message, whatever becomes of it.
  const missing = told.filter((loss) => loss.class !== 'CLONED');
  const others = told.filter((loss) => loss.class === 'CLONED');
  const stream = streamText(store.streams.key(handle));
  return summed({ stream, at: 'ends', numbers: next - 1, waiting, holes: holes.map(bare), missing, others });
}

function passing({ store, handle, waiting }: One): LedgerStream {
  const { metas } = store.ring;
  const fields = new MetaFields(metaValue(metas, `o/${handle}`));
  const [lo, next] = [Math.max(1, fields.number(0)), Math.max(1, fields.number(1))];
  const elsewhere: Range[] = [];
  const ended = new Map<EndingClass, Range[]>();
  for (const [start, value] of metaValues(metas, `g/${handle}/`)) {
    const gap = new MetaFields(value);
    const range = { from: Math.max(lo, Number(start)), to: Math.min(next - 1, gap.number(0)) };
    if (range.from > range.to) continue;
    const why = gap.text(1);
    if (!isEndingClass(why)) elsewhere.push(range);
    else ended.set(why, [...(ended.get(why) ?? []), range]);
  }
  const missing = [...ended].map(([why, found]): LedgerLoss => {
    const ranges = merged(found);
    return { class: why, count: countOf(ranges), ranges, detail: 'exact' };
  });
  const stream = streamText(store.streams.key(handle));
  return summed({ stream, at: 'passes', numbers: next - 1, waiting, holes: merged(elsewhere), missing, others: [] });
}

function summed(line: Omit<LedgerStream, 'received' | 'waiting'> & { readonly waiting: Readonly<Waiting> }): LedgerStream {
  const { ready, leased, delayed, held, onItsWay } = line.waiting;
  const here = ready + leased + delayed + held + onItsWay;
  const lost = line.missing.reduce((sum, { count }) => sum + count, 0);
  // After damage more may be accounted for than there are numbers.
  const received = Math.max(0, line.numbers - here - countOf(line.holes) - lost);
  return { ...line, received };
}

function waitingOf(
  { ring: { index }, streams, queues, queueTimeMs }: NodeStore,
  handles: ReadonlySet<number>,
): Map<number, Waiting> {
  const waiting = new Map<number, Waiting>();
  for (const slot of index.slots()) {
    const handle = streams.standing(index.stream(slot));
    if (!handles.has(handle)) continue;
    let counts = waiting.get(handle);
    if (counts === undefined) {
      counts = { ...NONE_WAITING };
      waiting.set(handle, counts);
    }
    if (index.queue(slot) === 0) counts.onItsWay += 1;
    else if (index.isListed(slot)) counts.ready += 1;
    else if (queues.isHeld(index.id(slot))) counts.held += 1;
    else if (index.notBeforeMs(slot) > queueTimeMs) counts.delayed += 1;
    else counts.leased += 1;
  }
  return waiting;
}

function lossesOf({ ring: { metas }, streams }: NodeStore, handles: ReadonlySet<number>): Map<number, Map<EndingClass, Tally>> {
  const losses = new Map<number, Map<EndingClass, Tally>>();
  for (const [rest, value] of metaValues(metas, 'a/')) {
    const [handleText = '', why = ''] = rest.split('/');
    const handle = streams.has(Number(handleText)) ? streams.standing(Number(handleText)) : 0;
    if (!handles.has(handle) || !isEndingClass(why)) continue;
    const of = losses.get(handle) ?? new Map<EndingClass, Tally>();
    losses.set(handle, of);
    const found = tallyOf(new MetaFields(value).numbers());
    const before = of.get(why) ?? NO_TALLY;
    const numbered = { count: found.count - found.unnumbered, ranges: found.ranges };
    of.set(why, before === NO_TALLY ? found : tallied(tallied(before, numbered), { count: found.unnumbered }));
  }
  return losses;
}

function lossOf(why: EndingClass, tally: Tally): LedgerLoss {
  return { class: why, count: tally.count, ranges: tally.ranges, detail: isExact(tally) ? 'exact' : 'coarse' };
}

function bare({ from, to }: Range): Range {
  return { from, to };
}

function digestOf(store: NodeStore, node: string, book: Pick<DigestBook, 'find'>): Ledger['digest'] {
  const found = book.find(node);
  if (found === undefined) return undefined;
  const { state, heardMs, agreedMs, incarnation, streams, accounts, more } = found;
  const agoMs = (atMs: number): number => Math.max(0, Math.floor(store.queueTimeMs - atMs));
  const told = streams.map(({ queue, priority, next }) => {
    const key = { origin: node, incarnation, destination: `${store.self.name}/${queue}`, priority };
    return { stream: streamText(key), numbers: next - 1 };
  });
  const reported = accounts.map(({ stream, class: why, count }) => ({ stream: streamText(stream), class: why, count }));
  const agreed = state === 'equal' ? heardMs : agreedMs;
  return {
    state,
    agoMs: agoMs(heardMs),
    ...(agreed > 0 && { agreedAgoMs: agoMs(agreed) }),
    streams: told,
    losses: reported,
    lossesLeftOut: more,
  };
}
