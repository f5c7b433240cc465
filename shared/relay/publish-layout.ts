/**
 * A publish that carries custody: a CBOR sequence [RFC 8742] of a header and as many byte strings as it says, each the CBOR of
 * one item. All items are for the queue and partition of the topic.
 *
 *   header  {0 version 1, 1 sender, 2 incarnation (bstr 8), 3 nonce (bstr 8), 4 count, 5 crc: CRC-32C of everything behind it}
 *   item    [0, origin, incarnation (bstr 8), destination, priority, number, envelope (bstr)]        a message
 *           [1, origin, incarnation, destination, priority, number, to, class, node]                 a gap: these numbers ended
 *           [2, origin, incarnation, destination, priority, number, to]                              elsewhere: not here any more
 *
 * Stream and number stand outside the envelope, so that a cursor can move over an envelope nobody can read; and in front, so that
 * they can be read of an item whose end is broken.
 */
import { concatBytes } from '../bytes.ts';
import { crc32c } from '../crc32c.ts';
import type { Item } from '../custody/session.ts';
import { BATCH_ITEM_COUNT_MAX, PUBLISH_BYTES_MAX } from '../limits.ts';
import { type CborInput, type CborValue, encodeCbor } from '../message/cbor.ts';
import { checkCbor } from '../message/cbor-guard.ts';
import { isEndingClass } from '../message/classes.ts';
import type { StreamKey } from '../message/identity.ts';
import type { Publish } from '../ports.ts';
import {
  bytesOf,
  hexOf,
  incarnationBytes,
  KEY,
  nameOf,
  numberOf,
  RELAY_VERSION,
  streamFields,
  streamOf,
  TOKEN_BYTES,
  tryDecode,
  wholeOf,
} from './fields.ts';

/** Whose words these are, and in which session. */
export interface Speaker {
  readonly sender: string;
  readonly incarnation: string;
  readonly nonce: Uint8Array;
}

export type PublishedItem =
  | { readonly kind: 'item'; readonly stream: StreamKey; readonly item: Item }
  /** Well framed, but not an item; `bytes` as they came. Stream and number as far as they can be read. */
  | { readonly kind: 'bad'; readonly stream?: StreamKey; readonly number?: number; readonly bytes: Uint8Array };

export type DecodedPublish =
  | { readonly kind: 'publish'; readonly header: Speaker; readonly items: readonly PublishedItem[] }
  | { readonly kind: 'unknown-version' };

/** Bytes of a header with the longest name. */
export const PUBLISH_HEADER_BYTES_MAX = 112;

/** Of a publish on the connection, beside topic and payload, at the most: fixed header, length of the topic, packet identifier. */
const PACKET_BYTES_MAX = 9;

const COUNT = 4;
const CRC = 5;
const KIND = { message: 0, gap: 1, elsewhere: 2 } as const;
/** Fields of every item before those of its kind: kind, stream, number. */
const COMMON_FIELDS = 6;

/** What any publish takes on its connection. Names in topics are ASCII. */
export function publishBytes({ topic, payload }: Pick<Publish, 'topic' | 'payload'>): number {
  return payload.length + topic.length + PACKET_BYTES_MAX;
}

/** An item as it lies in a publish: a byte string with the item's CBOR in it. */
export function encodeItem(stream: StreamKey, item: Item): Uint8Array {
  const common: CborInput[] = [KIND[item.kind], ...streamFields(stream), item.number];
  switch (item.kind) {
    case 'message':
      return framed([...common, item.envelope]);
    case 'gap':
      return framed([...common, item.to, item.class, item.node]);
    case 'elsewhere':
      return framed([...common, item.to]);
  }
}

function framed(fields: CborInput[]): Uint8Array {
  return encodeCbor(encodeCbor(fields));
}

/** `items` are results of `encodeItem`. */
export function encodePublish(speaker: Speaker, items: readonly Uint8Array[]): Uint8Array {
  const content = concatBytes(items);
  const header = new Map<number, CborInput>([
    [KEY.version, RELAY_VERSION],
    [KEY.node, speaker.sender],
    [KEY.incarnation, incarnationBytes(speaker.incarnation)],
    [KEY.nonce, speaker.nonce],
    [COUNT, items.length],
    [CRC, crc32c(content)],
  ]);
  return concatBytes([encodeCbor(header), content]);
}

/** Undefined for anything that is not one whole publish with the right checksum. Never throws. */
export function decodePublish(payload: Uint8Array): DecodedPublish | undefined {
  if (payload.length > PUBLISH_BYTES_MAX) return undefined;
  const checked = checkCbor(payload);
  if ('error' in checked) return undefined;
  const fields = tryDecode(payload.subarray(0, checked.end))?.value;
  if (!(fields instanceof Map)) return undefined;
  const version = wholeOf(fields.get(KEY.version));
  if (version === undefined) return undefined;
  if (version !== RELAY_VERSION) return { kind: 'unknown-version' };
  const sender = nameOf(fields.get(KEY.node));
  const incarnation = hexOf(fields.get(KEY.incarnation));
  const nonce = bytesOf(fields.get(KEY.nonce), TOKEN_BYTES);
  const count = wholeOf(fields.get(COUNT));
  const content = payload.subarray(checked.end);
  if (sender === undefined || incarnation === undefined || nonce === undefined || count === undefined) return undefined;
  if (count > BATCH_ITEM_COUNT_MAX || fields.get(CRC) !== crc32c(content)) return undefined;
  const items = decodeItems(content, count);
  return items && { kind: 'publish', header: { sender, incarnation, nonce }, items };
}

function decodeItems(content: Uint8Array, count: number): PublishedItem[] | undefined {
  const items: PublishedItem[] = [];
  let offset = 0;
  while (items.length < count) {
    const checked = checkCbor(content, offset);
    if ('error' in checked) return undefined;
    const bytes = tryDecode(content.subarray(offset, checked.end))?.value;
    if (!(bytes instanceof Uint8Array)) return undefined;
    items.push(decodeItem(bytes));
    offset = checked.end;
  }
  return offset === content.length ? items : undefined;
}

function decodeItem(bytes: Uint8Array): PublishedItem {
  const fields = tryDecode(bytes)?.value;
  const list = Array.isArray(fields) ? fields : leadingFields(bytes);
  const stream = streamOf(list, 1);
  const number = numberOf(list[COMMON_FIELDS - 1]);
  const item = Array.isArray(fields) && number !== undefined ? itemOf(fields, number) : undefined;
  if (stream !== undefined && item !== undefined) return { kind: 'item', stream, item };
  return { kind: 'bad', ...(stream && { stream }), ...(number !== undefined && { number }), bytes };
}

function itemOf(fields: readonly CborValue[], number: number): Item | undefined {
  const [kind, , , , , , first, ending, node, ...more] = fields;
  const to = numberOf(first);
  if (kind === KIND.message && fields.length === COMMON_FIELDS + 1 && first instanceof Uint8Array) {
    return { kind: 'message', number, envelope: first };
  }
  if (to === undefined || to < number) return undefined;
  if (kind === KIND.elsewhere && fields.length === COMMON_FIELDS + 1) return { kind: 'elsewhere', number, to };
  const giver = nameOf(node);
  if (kind !== KIND.gap || typeof ending !== 'string' || !isEndingClass(ending) || giver === undefined || more.length > 0)
    return undefined;
  return { kind: 'gap', number, to, class: ending, node: giver };
}

/** The common fields of an array that does not decode as a whole; fewer where even they do not. */
function leadingFields(bytes: Uint8Array): CborValue[] {
  const fields: CborValue[] = [];
  const isShortArray = (bytes[0] ?? 0) >> 5 === 4 && ((bytes[0] ?? 0) & 0x1f) < 24;
  for (let offset = 1; isShortArray && fields.length < COMMON_FIELDS; ) {
    const checked = checkCbor(bytes, offset);
    if ('error' in checked) break;
    fields.push(tryDecode(bytes.subarray(offset, checked.end))?.value);
    offset = checked.end;
  }
  return fields;
}
