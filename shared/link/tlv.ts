/**
 * What HELLO, WELCOME and NOTE carry after their fixed fields: type u8, length u8, value.
 *
 *   type  name         value                                                                          said by
 *      1  STREAM       handle vi, traits u8 (0–2 priority, 7 forwarded), lo vi, next vi, address text,  its sender
 *                      and when forwarded: origin text, incarnation[8]
 *      2  DOWN_OFFER   ticket[8], ticketNonce[8], flags u8 (5 whole; may be missing: 0)                 acceptor
 *      5  STAT         counter vi, …                                                                    anyone
 *      6  CURSOR       handle vi, cursor vi, credit vi                                                  its receiver
 *      7  REJECT       handle vi, number vi, reason u8                                                  its receiver
 *      8  GAP          handle vi, from vi, to vi, class u8, node text                                   its sender
 *     11  ELSEWHERE    handle vi, from vi, to vi                                                        its sender
 *     12  DOWN_ANSWER  flags u8 (0 fork), ticket[8]                                                     dialler, in NOTE
 *     13  ROUTE        epoch vi, of 32 bits                                                             dialler; acceptor, in NOTE
 *
 * A text is a length byte and UTF-8. `to` is the last number meant. A handle is always the one its stream's sender gave it.
 * Bytes behind the last field of a value are ignored: later versions may add some.
 */

import { invariant, unreachable } from '../assert.ts';
import { ByteReader } from '../byte-reader.ts';
import { ByteWriter } from '../byte-writer.ts';
import { isName, isQueueName } from '../message/address.ts';
import type { EndingClass } from '../message/classes.ts';
import { CLASS_CODE, CLASS_OF_CODE } from './class-codes.ts';
import {
  readCursor,
  readHandle,
  readIncarnation,
  readName,
  readNumber,
  readText,
  type StreamCursor,
  writeCursor,
  writeFixed,
  writeHandle,
  writeIncarnation,
  writeNumber,
  writeText,
} from './packet-fields.ts';
import {
  ANSWER_FORK,
  DOWN_LIVE,
  HELLO_WHOLE,
  TICKET_BYTES,
  TLV_CRITICAL_MAX,
  TLV_CRITICAL_MIN,
  TLV_TYPE,
} from './packet-layout.ts';

const VALUE_BYTES_MAX = 255;
const EPOCH_MAX = 0xffff_ffff;
const PRIORITY_BITS = 0x07;
const TRAIT_FORWARDED = 0x80;

/** The node a stream started at, when it is not the node that sends it here. */
export interface StreamOrigin {
  readonly node: string;
  readonly incarnation: string;
}

export type Tlv =
  | {
      readonly kind: 'stream';
      readonly handle: number;
      readonly priority: number;
      readonly lo: number;
      readonly next: number;
      readonly address: string;
      readonly origin?: StreamOrigin;
    }
  | ({ readonly kind: 'cursor' } & StreamCursor)
  | { readonly kind: 'reject'; readonly handle: number; readonly number: number; readonly reason: number }
  | {
      readonly kind: 'gap';
      readonly handle: number;
      readonly from: number;
      readonly to: number;
      readonly class: EndingClass;
      readonly node: string;
    }
  | { readonly kind: 'elsewhere'; readonly handle: number; readonly from: number; readonly to: number }
  | {
      readonly kind: 'down-offer';
      readonly ticket: Uint8Array;
      readonly ticketNonce: Uint8Array;
      /** Both as in an offer of custody. */
      readonly own: 'whole' | 'in-part';
      readonly age?: 'live';
    }
  | { readonly kind: 'down-answer'; readonly verdict: 'welcome' | 'fork'; readonly ticket: Uint8Array }
  | { readonly kind: 'route'; readonly epoch: number }
  | { readonly kind: 'stat'; readonly counters: readonly number[] }
  /** A type of later, or a GAP with a class of later: the caller ignores and counts it, or ends the session (docs/link.md). */
  | { readonly kind: 'unknown'; readonly type: number; readonly value: Uint8Array };

/** Bytes one TLV takes in a packet. */
export function tlvBytes(tlv: Tlv): number {
  return 2 + encodeValue(tlv).value.length;
}

export function writeTlvs(writer: ByteWriter, tlvs: readonly Tlv[]): void {
  for (const tlv of tlvs) {
    const { type, value } = encodeValue(tlv);
    writer.u8(type).u8(value.length).bytes(value);
  }
}

/** All TLVs up to the reader's end; undefined when one is cut off or a known one is not what it must be. */
export function readTlvs(reader: ByteReader): Tlv[] | undefined {
  const tlvs: Tlv[] = [];
  while (reader.remaining > 0) {
    const type = reader.u8();
    const length = reader.u8();
    const value = length === undefined ? undefined : reader.bytes(length);
    const tlv = type === undefined || value === undefined ? undefined : decodeValue(type, value);
    if (tlv === undefined) return undefined;
    tlvs.push(tlv);
  }
  return tlvs;
}

function encodeValue(tlv: Tlv): { type: number; value: Uint8Array } {
  const writer = new ByteWriter(VALUE_BYTES_MAX);
  const type = writeValue(writer, tlv);
  return { type, value: writer.finish() };
}

function writeValue(writer: ByteWriter, tlv: Tlv): number {
  switch (tlv.kind) {
    case 'stream':
      invariant(tlv.priority <= PRIORITY_BITS && tlv.lo <= tlv.next, 'a stream has a priority up to 7 and lo up to next');
      writeHandle(writer, tlv.handle);
      writer.u8(tlv.priority | (tlv.origin === undefined ? 0 : TRAIT_FORWARDED));
      writeNumber(writer, tlv.lo);
      writeNumber(writer, tlv.next);
      writeText(writer, tlv.address);
      if (tlv.origin !== undefined) {
        writeText(writer, tlv.origin.node);
        writeIncarnation(writer, tlv.origin.incarnation);
      }
      return TLV_TYPE.stream;
    case 'cursor':
      writeCursor(writer, tlv);
      return TLV_TYPE.cursor;
    case 'reject':
      writeHandle(writer, tlv.handle);
      writeNumber(writer, tlv.number);
      writer.u8(tlv.reason);
      return TLV_TYPE.reject;
    case 'gap':
      writeRange(writer, tlv);
      writer.u8(CLASS_CODE[tlv.class]);
      writeText(writer, tlv.node);
      return TLV_TYPE.gap;
    case 'elsewhere':
      writeRange(writer, tlv);
      return TLV_TYPE.elsewhere;
    case 'down-offer':
      writeFixed(writer, tlv.ticket, TICKET_BYTES);
      writeFixed(writer, tlv.ticketNonce, TICKET_BYTES);
      if (tlv.own === 'whole' || tlv.age === 'live')
        writer.u8((tlv.own === 'whole' ? HELLO_WHOLE : 0) | (tlv.age === 'live' ? DOWN_LIVE : 0));
      return TLV_TYPE.downOffer;
    case 'down-answer':
      writer.u8(tlv.verdict === 'fork' ? ANSWER_FORK : 0);
      writeFixed(writer, tlv.ticket, TICKET_BYTES);
      return TLV_TYPE.downAnswer;
    case 'route':
      writer.varint(tlv.epoch);
      return TLV_TYPE.route;
    case 'stat':
      for (const counter of tlv.counters) writer.varint(counter);
      return TLV_TYPE.stat;
    case 'unknown':
      writer.bytes(tlv.value);
      return tlv.type;
    default:
      return unreachable(tlv);
  }
}

function decodeValue(type: number, value: Uint8Array): Tlv | undefined {
  const reader = new ByteReader(value);
  switch (type) {
    case TLV_TYPE.stream:
      return readStream(reader);
    case TLV_TYPE.cursor: {
      const cursor = readCursor(reader);
      return cursor && { kind: 'cursor', ...cursor };
    }
    case TLV_TYPE.reject: {
      const handle = readHandle(reader);
      const number = readNumber(reader);
      const reason = reader.u8();
      return handle === undefined || number === undefined || reason === undefined
        ? undefined
        : { kind: 'reject', handle, number, reason };
    }
    case TLV_TYPE.gap: {
      const range = readRange(reader);
      const code = reader.u8();
      const node = readName(reader);
      if (range === undefined || code === undefined || node === undefined) return undefined;
      const endingClass = CLASS_OF_CODE.get(code);
      return endingClass === undefined ? { kind: 'unknown', type, value } : { kind: 'gap', ...range, class: endingClass, node };
    }
    case TLV_TYPE.elsewhere: {
      const range = readRange(reader);
      return range && { kind: 'elsewhere', ...range };
    }
    case TLV_TYPE.downOffer: {
      const ticket = reader.bytes(TICKET_BYTES);
      const ticketNonce = reader.bytes(TICKET_BYTES);
      const flags = reader.u8() ?? 0;
      const own = (flags & HELLO_WHOLE) === 0 ? 'in-part' : 'whole';
      const age = (flags & DOWN_LIVE) !== 0 && { age: 'live' as const };
      return ticket && ticketNonce && { kind: 'down-offer', ticket, ticketNonce, own, ...age };
    }
    case TLV_TYPE.downAnswer: {
      const flags = reader.u8();
      const ticket = reader.bytes(TICKET_BYTES);
      if (flags === undefined || ticket === undefined) return undefined;
      return { kind: 'down-answer', verdict: flags & ANSWER_FORK ? 'fork' : 'welcome', ticket };
    }
    case TLV_TYPE.route: {
      const epoch = reader.varint();
      return epoch === undefined || epoch > EPOCH_MAX ? undefined : { kind: 'route', epoch };
    }
    case TLV_TYPE.stat:
      return readStat(reader);
    default:
      return { kind: 'unknown', type, value };
  }
}

function readStream(reader: ByteReader): Tlv | undefined {
  const handle = readHandle(reader);
  const traits = reader.u8();
  const lo = readNumber(reader);
  const next = readNumber(reader);
  const address = readText(reader);
  if (handle === undefined || traits === undefined || lo === undefined || next === undefined || address === undefined)
    return undefined;
  if (lo > next || !isFullAddress(address)) return undefined;
  const stream = { kind: 'stream', handle, priority: traits & PRIORITY_BITS, lo, next, address } as const;
  if ((traits & TRAIT_FORWARDED) === 0) return stream;
  const node = readName(reader);
  const incarnation = readIncarnation(reader);
  return node === undefined || incarnation === undefined ? undefined : { ...stream, origin: { node, incarnation } };
}

/** On the line an address always names its node. */
function isFullAddress(text: string): boolean {
  const [node = '', queue = '', ...rest] = text.split('/');
  return rest.length === 0 && isName(node) && isQueueName(queue);
}

function readStat(reader: ByteReader): Tlv | undefined {
  const counters: number[] = [];
  while (reader.remaining > 0) {
    const counter = reader.varint();
    if (counter === undefined) return undefined;
    counters.push(counter);
  }
  return { kind: 'stat', counters };
}

interface Range {
  readonly handle: number;
  readonly from: number;
  readonly to: number;
}

function writeRange(writer: ByteWriter, { handle, from, to }: Range): void {
  invariant(from <= to, 'a range of numbers is not empty');
  writeHandle(writer, handle);
  writeNumber(writer, from);
  writeNumber(writer, to);
}

function readRange(reader: ByteReader): Range | undefined {
  const handle = readHandle(reader);
  const from = readNumber(reader);
  const to = readNumber(reader);
  return handle === undefined || from === undefined || to === undefined || from > to ? undefined : { handle, from, to };
}

/** Passing it over would lose something: a type of later that says so, or an account of a class of later. */
export function isCritical(tlv: Tlv): boolean {
  if (tlv.kind !== 'unknown') return false;
  return tlv.type === TLV_TYPE.gap || (tlv.type >= TLV_CRITICAL_MIN && tlv.type <= TLV_CRITICAL_MAX);
}

/** Two STREAMs under one handle: what is said of it means nothing. */
export function hasTwice(tlvs: readonly Tlv[]): boolean {
  const handles = tlvs.flatMap((tlv) => (tlv.kind === 'stream' ? [tlv.handle] : []));
  return new Set(handles).size < handles.length;
}

/** The epoch that a ROUTE tells. */
export function routeIn(tlvs: readonly Tlv[]): number | undefined {
  for (const tlv of tlvs) if (tlv.kind === 'route') return tlv.epoch;
  return undefined;
}
