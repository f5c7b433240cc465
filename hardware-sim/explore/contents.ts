/** What an image holds, as the promises are about it: which messages, where, and what was counted instead. */
import { fromUtf8 } from '../../shared/bytes.ts';
import { MetaFields } from '../../shared/custody/meta-keys.ts';
import { decodeCbor } from '../../shared/message/cbor.ts';
import { decodeEnvelope } from '../../shared/message/envelope.ts';
import type { Image } from './memory-ring.ts';

/** A message that is there for an application: which, and whether it says that it may be a repeat. */
export interface Delivered {
  readonly key: number;
  readonly isMarked: boolean;
  readonly priority: number;
}

export interface Contents {
  /** Bit k: message k, in whatever place. */
  readonly all: number;
  /** To be handed on. */
  readonly held: number;
  /** In a queue that applications read, in order of arrival. */
  readonly delivered: readonly Delivered[];
  /** In `$dead`. */
  readonly dead: number;
  /** Numbers below the next one, of streams that end here, that are neither a message here nor in an account. */
  readonly unexplained: number;
  /** Counted here as ended, instead of being stored. */
  readonly accounted: number;
}

/** Text of a message: its key, 0 to 30. */
export function textOf(key: number): string {
  return `m${key}`;
}

interface Read {
  readonly key: number;
  readonly isMarked: boolean;
  readonly isDead: boolean;
}

const NO_MESSAGE: Read = { key: -1, isMarked: false, isDead: false };
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
  let [all, held, dead] = [0, 0, 0];
  const delivered: Delivered[] = [];
  const storedByStream = new Map<number, number>();
  for (const { message } of image.messages) {
    const { key, isMarked, isDead } = readBody(message.body);
    if (key < 0) continue;
    all |= 1 << key;
    if (message.queue === 0) held |= 1 << key;
    else if (isDead) dead |= 1 << key;
    else delivered.push({ key, isMarked, priority: message.priority });
    if (message.queue !== 0 && !isDead) storedByStream.set(message.stream, (storedByStream.get(message.stream) ?? 0) + 1);
  }
  let [unexplained, accounted] = [0, 0];
  for (const [key, value] of image.metas) {
    if (key.startsWith('a/')) accounted += new MetaFields(decodeCbor(value)).number(0);
    if (!key.startsWith('d/')) continue;
    const handle = Number(key.slice(2));
    const [next = 1] = new MetaFields(decodeCbor(value)).numbers();
    let counted = 0;
    for (const [account, count] of image.metas) {
      if (account.startsWith(`a/${handle}/`)) counted += new MetaFields(decodeCbor(count)).number(0);
    }
    unexplained += Math.abs(next - 1 - (storedByStream.get(handle) ?? 0) - counted);
  }
  return { all, held, delivered, dead, unexplained, accounted };
}

function readBody(body: Uint8Array): Read {
  const known = bodies.get(body);
  if (known !== undefined) return known;
  const { message } = decodeEnvelope(body);
  const text = fromUtf8(message.body.subarray(0, 3)) ?? '';
  const digits = /^m(\d{1,2})/.exec(text)?.[1];
  const isDead = message.identity.destination.endsWith('/$dead');
  const found =
    digits === undefined ? NO_MESSAGE : { key: Number(digits), isMarked: message.maybeDuplicate !== undefined, isDead };
  bodies.set(body, found);
  return found;
}
