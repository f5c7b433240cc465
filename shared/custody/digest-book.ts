/**
 * What nodes said of themselves (digests.ts), at the one they tell: the newest digest of each, as META `z/<node>`:
 *
 *   [incarnation, heard, agreed, [[queue, priority, next], ...], [[origin, incarnation, destination, priority, class, count], ...], more]
 *
 *   heard    milliseconds of queue time
 *   agreed   the same, of the last digest before this one that was equal; 0: none was
 *
 * Whether a digest is equal is seen by looking: each number that it tells of has come, or ended. What is behind becomes equal when the
 * rest has come, without another word, and stays so. A node is believed what it says of itself; it is shown, and decides nothing.
 */
import { DIGEST_BYTES_MAX, DIGEST_NODE_COUNT_MAX, DIGEST_STREAM_COUNT_MAX } from '../limits.ts';
import { isQueueName } from '../message/address.ts';
import { type CborInput, type CborValue, decodeCbor } from '../message/cbor.ts';
import { type EndingClass, isEndingClass } from '../message/classes.ts';
import type { StreamKey } from '../message/identity.ts';
import { PRIORITY_MAX } from '../message/message.ts';
import { liveBytesMaxOf } from '../ring/geometry.ts';
import { destinationOf } from './destinations.ts';
import { DIGEST } from './digests.ts';
import { metaChange, metaDelete, metaValue } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';
import { type HeardWord, streamIn, streamInWord, wholeIn } from './node-words.ts';
import { NOTHING, type Planned } from './planned.ts';

/** Digests take at most this share of the ring: one part in so many. */
const RING_SHARE = 32;

export interface Digest {
  readonly incarnation: string;
  readonly heardMs: number;
  readonly agreedMs: number;
  readonly streams: readonly DigestStream[];
  readonly accounts: readonly ReportedLoss[];
  readonly more: number;
}

export interface DigestStream {
  readonly queue: string;
  readonly priority: number;
  readonly next: number;
}

export interface ReportedLoss {
  readonly stream: StreamKey;
  readonly class: EndingClass;
  readonly count: number;
}

export class DigestBook {
  readonly #store: NodeStore;
  /** By node, when it was heard, and its bytes. Who said nothing for the longest time makes room. */
  readonly #heard = new Map<string, { readonly atMs: number; readonly bytes: number }>();
  readonly #bytesMax: number;

  constructor(store: NodeStore) {
    this.#store = store;
    this.#bytesMax = Math.floor(liveBytesMaxOf(store.ring.geometry) / RING_SHARE);
    for (const [key, value] of store.ring.metas.withPrefix('z/'))
      this.#heard.set(key.slice(2), { atMs: digestIn(decodeCbor(value))?.heardMs ?? 0, bytes: value.length });
    store.words.on(DIGEST, (word) => this.#digest(word));
  }

  /** The newest digest of a node, and whether all that it tells of is here. */
  find(node: string): (Digest & { readonly state: 'equal' | 'behind' }) | undefined {
    const digest = digestIn(metaValue(this.#store.ring.metas, `z/${node}`));
    return digest && { ...digest, state: this.#isEqual(node, digest) ? 'equal' : 'behind' };
  }

  #digest({ fields, identity: { origin: node } }: HeardWord): Planned | undefined {
    const incarnation = fields.value('incarnation');
    const parts = [fields.value('streams'), fields.value('accounts'), fields.value('more')];
    const { ring, queueTimeMs, leftOut } = this.#store;
    const leaveOut = (): void => {
      leftOut.words += 1;
    };
    const before = this.find(node);
    const agreedMs = before?.state === 'equal' ? before.heardMs : (before?.agreedMs ?? 0);
    const heardMs = Math.floor(queueTimeMs);
    const digest = digestIn([incarnation, heardMs, agreedMs, ...parts]);
    if (digest === undefined) return undefined;
    const change = metaChange(`z/${node}`, digestFields(digest));
    const bytes = change.value?.length ?? 0;
    if (bytes > DIGEST_BYTES_MAX) return undefined;
    const gone = this.#roomFor(node, bytes);
    const changes = [...gone.map((name) => metaDelete(`z/${name}`)), change];
    // Only what is shown is lost by it: the stream of words goes on.
    const isRefused = bytes > this.#bytesMax || !ring.admits({ metas: changes });
    if (isRefused) return { ...NOTHING, settle: leaveOut };
    const settle = (): void => {
      for (const name of gone) this.#heard.delete(name);
      this.#heard.set(node, { atMs: heardMs, bytes });
    };
    return { ...NOTHING, changes, settle };
  }

  /** Nodes whose digests go. */
  #roomFor(node: string, bytes: number): string[] {
    const others = [...this.#heard].filter(([name]) => name !== node).sort(([, a], [, b]) => b.atMs - a.atMs);
    const gone: string[] = [];
    let sum = others.reduce((total, [, other]) => total + other.bytes, bytes);
    while (sum > this.#bytesMax || others.length >= DIGEST_NODE_COUNT_MAX) {
      const oldest = others.pop();
      if (oldest === undefined) return gone;
      gone.push(oldest[0]);
      sum -= oldest[1].bytes;
    }
    return gone;
  }

  #isEqual(node: string, { incarnation, streams }: Digest): boolean {
    const { self, ring, streams: table } = this.#store;
    return streams.every(({ queue, priority, next }) => {
      const handle = table.find({ origin: node, incarnation, destination: `${self.name}/${queue}`, priority });
      if (handle === undefined) return false;
      const here = destinationOf(metaValue(ring.metas, `d/${handle}`), 0);
      return here.next >= next && here.holes.every(({ from }) => from >= next);
    });
  }
}

function digestFields({ incarnation, heardMs, agreedMs, streams, accounts, more }: Digest): CborInput[] {
  const counted = streams.map(({ queue, priority, next }) => [queue, priority, next]);
  const lost = accounts.map(({ stream, class: ending, count }) => [...streamInWord(stream), ending, count]);
  return [incarnation, heardMs, agreedMs, counted, lost, more];
}

/** Undefined for anything that is no digest. */
function digestIn(value: CborValue): Digest | undefined {
  if (!Array.isArray(value)) return undefined;
  const [incarnation, heard, agreed, counted, lost, others] = value;
  const [heardMs, agreedMs, more] = [wholeIn(heard), wholeIn(agreed), wholeIn(others)];
  if (typeof incarnation !== 'string' || !/^[0-9a-f]{16}$/.test(incarnation)) return undefined;
  if (heardMs === undefined || agreedMs === undefined || more === undefined) return undefined;
  const streams = listIn(counted, digestStreamIn);
  const accounts = listIn(lost, reportedIn);
  return streams && accounts && { incarnation, heardMs, agreedMs, streams, accounts, more };
}

function listIn<T>(value: CborValue, read: (item: readonly CborValue[]) => T | undefined): T[] | undefined {
  if (!Array.isArray(value) || value.length > DIGEST_STREAM_COUNT_MAX) return undefined;
  const items: T[] = [];
  for (const item of value) {
    const found = Array.isArray(item) ? read(item) : undefined;
    if (found === undefined) return undefined;
    items.push(found);
  }
  return items;
}

function digestStreamIn([queue, priority, next]: readonly CborValue[]): DigestStream | undefined {
  const [level, number] = [wholeIn(priority), wholeIn(next)];
  if (typeof queue !== 'string' || level === undefined || level > PRIORITY_MAX || number === undefined) return undefined;
  return isQueueName(queue) ? { queue, priority: level, next: number } : undefined;
}

function reportedIn(item: readonly CborValue[]): ReportedLoss | undefined {
  const stream = streamIn(item.slice(0, 4));
  const [ending, count] = [item[4], wholeIn(item[5])];
  if (stream === undefined || typeof ending !== 'string' || !isEndingClass(ending) || count === undefined) return undefined;
  return { stream, class: ending, count };
}
