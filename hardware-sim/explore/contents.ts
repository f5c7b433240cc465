/** What an image holds, as the promises are about it: which messages, where, and what was counted instead. */
import { fromUtf8 } from '../../shared/bytes.ts';
import { destinationOf } from '../../shared/custody/destinations.ts';
import { countOf, firstHole } from '../../shared/custody/holes.ts';
import { MetaFields } from '../../shared/custody/meta-keys.ts';
import { decodeCbor } from '../../shared/message/cbor.ts';
import { decodeEnvelope } from '../../shared/message/envelope.ts';
import type { Image } from './memory-ring.ts';

/** A message that is there for an application: which, and whether it says that it may be a repeat. */
export interface Delivered {
  readonly key: number;
  readonly isMarked: boolean;
  /** It came after it had been given up: out of its order. */
  readonly isLate: boolean;
  readonly priority: number;
}

export interface Contents {
  /** Bit k: message k, in whatever place. */
  readonly all: number;
  /** To be handed on. */
  readonly held: number;
  /** In a queue that applications read, in the order in which they get them. */
  readonly delivered: readonly Delivered[];
  /** In such a queue, and nobody's to see: an earlier number of their stream is waited for. */
  readonly above: number;
  /** Numbers that are waited for. */
  readonly awaited: number;
  /** In `$dead`. */
  readonly dead: number;
  /** Numbers below the next one, of streams that end here, that are neither a message here, nor waited for, nor in an account. */
  readonly unexplained: number;
  /** Counted here as ended, instead of being stored. */
  readonly accounted: number;
}

/** Text of a message: its key, 0 to 30. */
export function textOf(key: number): string {
  return `m${key}`;
}

/** Names of the nodes whose applications send. */
const MESSAGES_BEGIN_AT: readonly string[] = ['d'];
const NO_NAME = Uint8Array.of(0x60);

interface Read {
  readonly key: number;
  readonly isMarked: boolean;
  readonly isLate: boolean;
  readonly isDead: boolean;
}

const NO_MESSAGE: Read = { key: -1, isMarked: false, isLate: false, isDead: false };
const bodies = new WeakMap<Uint8Array, Read>();
const images = new WeakMap<Image, Contents>();

export function contentsOf(image: Image): Contents {
  const known = images.get(image);
  if (known !== undefined) return known;
  const contents = read(image);
  images.set(image, contents);
  return contents;
}

function read(image: Image): Contents {
  let [all, held, dead, above] = [0, 0, 0, 0];
  const firstHoles = new Map<number, number>();
  for (const [key, value] of image.metas)
    if (key.startsWith('d/')) firstHoles.set(Number(key.slice(2)), firstHole(destinationOf(decodeCbor(value), 0)));
  const found: Placed[] = [];
  const storedByStream = new Map<number, number>();
  for (const { id, message } of image.messages) {
    const { key, isMarked, isLate, isDead } = readBody(message.body);
    if (key < 0) continue;
    const { stream, number, priority } = message;
    all |= 1 << key;
    if (message.queue === 0) held |= 1 << key;
    else if (isDead) dead |= 1 << key;
    else if (number >= (firstHoles.get(stream) ?? Number.POSITIVE_INFINITY)) above |= 1 << key;
    else found.push({ key, isMarked, isLate, priority, number, stream, id });
    if (message.queue !== 0 && !isDead) storedByStream.set(message.stream, (storedByStream.get(message.stream) ?? 0) + 1);
  }
  let [unexplained, accounted, awaited] = [0, 0, 0];
  for (const [key, value] of image.metas) {
    if (key.startsWith('a/')) accounted += new MetaFields(decodeCbor(value)).number(0);
    if (!key.startsWith('d/')) continue;
    const handle = Number(key.slice(2));
    const { next, holes } = destinationOf(decodeCbor(value), 0);
    let counted = countOf(holes);
    awaited += counted;
    for (const [account, count] of image.metas) {
      if (account.startsWith(`a/${handle}/`)) counted += new MetaFields(decodeCbor(count)).number(0);
    }
    // Numbers of a node that carries are nobody's.
    if (!MESSAGES_BEGIN_AT.includes(new MetaFields(decodeCbor(image.metas.get(`s/${handle}`) ?? NO_NAME)).text(0))) continue;
    unexplained += Math.abs(next - 1 - (storedByStream.get(handle) ?? 0) - counted);
  }
  return { all, held, delivered: inOrder(found), above, awaited, dead, unexplained, accounted };
}

interface Placed extends Delivered {
  readonly number: number;
  readonly stream: number;
  readonly id: number;
}

/** By arrival, but that within a stream nothing stands before a lower number. */
function inOrder(found: readonly Placed[]): Delivered[] {
  const newest = new Map<number, number>();
  const ranks = new Map<Placed, number>();
  for (const one of [...found].sort((a, b) => a.number - b.number)) {
    const rank = Math.max(newest.get(one.stream) ?? 0, one.id);
    newest.set(one.stream, rank);
    ranks.set(one, rank);
  }
  const sorted = [...found].sort((a, b) => (ranks.get(a) ?? 0) - (ranks.get(b) ?? 0) || a.number - b.number);
  return sorted.map(({ key, isMarked, isLate, priority }) => ({ key, isMarked, isLate, priority }));
}

function readBody(body: Uint8Array): Read {
  const known = bodies.get(body);
  if (known !== undefined) return known;
  const { message, hop } = decodeEnvelope(body);
  const text = fromUtf8(message.body.subarray(0, 3)) ?? '';
  const digits = /^m(\d{1,2})/.exec(text)?.[1];
  const isDead = message.identity.destination.endsWith('/$dead');
  const found =
    digits === undefined
      ? NO_MESSAGE
      : {
          key: Number(digits),
          isMarked: message.maybeDuplicate !== undefined,
          isLate: hop.late === 'late',
          isDead,
        };
  bodies.set(body, found);
  return found;
}
