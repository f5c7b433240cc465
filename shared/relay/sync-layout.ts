/**
 * A sync: a sender's offer to a receiver (docs/custody.md, section 3), to `ringmail/sync/<sender>`. The same bytes again are the same offer.
 *
 *   {0 version 1, 1 sender, 2 incarnation (bstr 8), 3 nonce (bstr 8), 4 epoch [counter, random], 5 receiver, 6 ticket (bstr 8),
 *    7 ticket's nonce (bstr 8), 8 streams [[origin, incarnation, destination, priority, lo, next]…], 9 attempt, 10 whole (bool)}
 *
 * `receiver` is the central it is meant for; all others ignore it. `attempt` counts the offers of one epoch: a broker may bring an
 * old one late, and then it must not end the session of a newer. Streams not listed begin at 1: what the receiver has of them
 * arrives as repeats. `whole`: all streams that begin at the sender are listed; absent: not sure.
 */
import type { Offer, OfferedStream } from '../custody/session.ts';
import { SYNC_STREAM_COUNT_MAX } from '../limits.ts';
import { type CborInput, type CborValue, encodeCbor } from '../message/cbor.ts';
import {
  bytesOf,
  epochFields,
  epochOf,
  fieldsOf,
  hexOf,
  incarnationBytes,
  KEY,
  listOf,
  nameOf,
  numberOf,
  RELAY_VERSION,
  streamFields,
  streamOf,
  TOKEN_BYTES,
  wholeOf,
} from './fields.ts';

export interface Sync {
  readonly kind: 'sync';
  readonly receiver: string;
  readonly attempt: number;
  readonly offer: Offer;
}

const EPOCH = 4;
const RECEIVER = 5;
const TICKET = 6;
const TICKET_NONCE = 7;
const STREAMS = 8;
const ATTEMPT = 9;
const WHOLE = 10;

export function encodeSync({ receiver, attempt, offer }: Omit<Sync, 'kind'>): Uint8Array {
  const listed = mostPressing(offer);
  const streams = listed.map(({ stream, lo, next }) => [...streamFields(stream), lo, next]);
  const isWhole = offer.own === 'whole' && offer.streams.every((one) => !isOwn(one, offer) || listed.includes(one));
  return encodeCbor(
    new Map<number, CborInput>([
      [KEY.version, RELAY_VERSION],
      [KEY.node, offer.sender],
      [KEY.incarnation, incarnationBytes(offer.incarnation)],
      [KEY.nonce, offer.nonce],
      [EPOCH, epochFields(offer.epoch)],
      [RECEIVER, receiver],
      [TICKET, offer.ticket],
      [TICKET_NONCE, offer.ticketNonce],
      [STREAMS, streams],
      [ATTEMPT, attempt],
      ...(isWhole ? ([[WHOLE, true]] as const) : []),
    ]),
  );
}

function isOwn({ stream }: OfferedStream, { sender, incarnation }: Offer): boolean {
  return stream.origin === sender && stream.incarnation === incarnation;
}

/** As many as a sync may list: those that begin here, then those with something to hand over, the urgent ones of them first. */
function mostPressing(offer: Offer): readonly OfferedStream[] {
  const { streams } = offer;
  if (streams.length <= SYNC_STREAM_COUNT_MAX) return streams;
  const rank = (one: OfferedStream) => (isOwn(one, offer) ? 100 : 0) + (one.lo < one.next ? one.stream.priority + 1 : 0);
  return [...streams].sort((a, b) => rank(b) - rank(a)).slice(0, SYNC_STREAM_COUNT_MAX);
}

/** Undefined for anything that is not a whole sync. Never throws. */
export function decodeSync(payload: Uint8Array): Sync | 'unknown-version' | undefined {
  const fields = fieldsOf(payload);
  if (fields === undefined || fields === 'unknown-version') return fields;
  const sender = nameOf(fields.get(KEY.node));
  const incarnation = hexOf(fields.get(KEY.incarnation));
  const nonce = bytesOf(fields.get(KEY.nonce), TOKEN_BYTES);
  const epoch = epochOf(fields.get(EPOCH));
  const receiver = nameOf(fields.get(RECEIVER));
  const ticket = bytesOf(fields.get(TICKET), TOKEN_BYTES);
  const ticketNonce = bytesOf(fields.get(TICKET_NONCE), TOKEN_BYTES);
  const streams = offeredOf(fields.get(STREAMS));
  const attempt = wholeOf(fields.get(ATTEMPT));
  if (sender === undefined || incarnation === undefined || nonce === undefined || epoch === undefined) return undefined;
  if (receiver === undefined || ticket === undefined || ticketNonce === undefined) return undefined;
  if (streams === undefined || attempt === undefined) return undefined;
  const own = fields.get(WHOLE) === true ? 'whole' : 'in-part';
  return { kind: 'sync', receiver, attempt, offer: { sender, incarnation, epoch, nonce, ticket, ticketNonce, streams, own } };
}

function offeredOf(value: CborValue): OfferedStream[] | undefined {
  const streams: OfferedStream[] = [];
  for (const entry of listOf(value, SYNC_STREAM_COUNT_MAX) ?? [undefined]) {
    const fields = listOf(entry, 6) ?? [];
    const stream = streamOf(fields, 0);
    const lo = numberOf(fields[4]);
    const next = numberOf(fields[5]);
    if (stream === undefined || lo === undefined || next === undefined || lo > next) return undefined;
    streams.push({ stream, lo, next });
  }
  return streams;
}
