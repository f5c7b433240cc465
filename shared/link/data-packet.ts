/**
 * DATA: messages of one stream, whole, several at once, or one in parts. Sealed, and asks to be acknowledged.
 *
 *   off len  field
 *     0   1  header       1 Q B F L hhh
 *     …  vi  handle       only when hhh is 7; then 7 or more
 *     …   1  pn           number of this packet, +1 per packet that asks to be acknowledged, never used again for a repeat
 *     …   2  numberLow    the low 16 bits of the message's number; of the first one in a batch
 *     …  vi  offset       only without F: where in the message the payload belongs, 1 or more
 *     …  vi  total        only with F and without L: bytes of the whole message, more than the payload
 *     …      payload      to the trailer. A part is never empty; a whole message may be
 *                         compact: check u16, body (compact.ts)
 *                         batch: { length vi, bytes } for each message, one or more, numbered one after the other
 *                         mixed batch: { length · 2 + compact vi, bytes } for each message, then check u16
 *
 *   B F L   1 1 1  batch   1 1 0  mixed batch   1 0 1  compact   0 1 1  whole   0 1 0  first part   0 0 0  part between
 *           0 0 1  last part                    1 0 0  malformed
 */

import { invariant, unreachable } from '../assert.ts';
import type { ByteReader } from '../byte-reader.ts';
import type { ByteWriter } from '../byte-writer.ts';
import { readHandle, writeHandle } from './packet-fields.ts';
import {
  DATA_ACK_NOW,
  DATA_BATCH,
  DATA_FIRST,
  DATA_HANDLE_FOLLOWS,
  DATA_HEADER,
  DATA_LAST,
  NUMBER_MAX,
} from './packet-layout.ts';

export type DataContent =
  | { readonly kind: 'whole'; readonly payload: Uint8Array }
  | { readonly kind: 'compact'; readonly check: number; readonly body: Uint8Array }
  | { readonly kind: 'batch'; readonly payloads: readonly Uint8Array[] }
  | { readonly kind: 'mixed'; readonly messages: readonly MixedMessage[]; readonly check: number }
  | { readonly kind: 'first'; readonly total: number; readonly payload: Uint8Array }
  | { readonly kind: 'middle'; readonly offset: number; readonly payload: Uint8Array }
  | { readonly kind: 'last'; readonly offset: number; readonly payload: Uint8Array };

/** Of a mixed batch. `compact`: the bytes are those of the body alone. */
export interface MixedMessage {
  readonly form: 'full' | 'compact';
  readonly bytes: Uint8Array;
}

export interface DataPacket {
  readonly kind: 'data';
  readonly handle: number;
  readonly pn: number;
  /** See `expandNumber`. */
  readonly numberLow: number;
  /** `now`: the sender has nothing more to say and waits. */
  readonly acknowledge: 'now' | 'later';
  readonly content: DataContent;
}

/** Before the body of a compact message, and at the end of a mixed batch. */
export const CHECK_BYTES = 2;
const LOW_NUMBERS = 0x1_0000;

/** The 16 bits of `number` that DATA carries. */
export function lowNumber(number: number): number {
  return number % LOW_NUMBERS;
}

/**
 * The number with these low 16 bits that is nearest to the receiver's durable cursor: from cursor − 2^15 to cursor + 2^15 − 1.
 * It is the one meant because a sender keeps every number it has in flight below the cursor it knows + 2^15. Undefined outside
 * 1 to 2^48 − 1: no honest sender means it.
 */
export function expandNumber(numberLow: number, cursor: number): number | undefined {
  const ahead = (numberLow - lowNumber(cursor) + LOW_NUMBERS) % LOW_NUMBERS;
  const number = cursor + (ahead < LOW_NUMBERS / 2 ? ahead : ahead - LOW_NUMBERS);
  return number < 1 || number > NUMBER_MAX ? undefined : number;
}

export function writeData(writer: ByteWriter, packet: DataPacket): void {
  const { handle, content } = packet;
  const handleBits = Math.min(handle, DATA_HANDLE_FOLLOWS);
  writer.u8(DATA_HEADER | (packet.acknowledge === 'now' ? DATA_ACK_NOW : 0) | contentBits(content) | handleBits);
  if (handleBits === DATA_HANDLE_FOLLOWS) writeHandle(writer, handle);
  writer.u8(packet.pn).u16(packet.numberLow);
  switch (content.kind) {
    case 'whole':
      writer.bytes(content.payload);
      break;
    case 'compact':
      writer.u16(content.check).bytes(content.body);
      break;
    case 'batch':
      invariant(content.payloads.length > 0, 'a batch has a message');
      for (const payload of content.payloads) writer.varint(payload.length).bytes(payload);
      break;
    case 'mixed':
      invariant(content.messages.length > 0, 'a batch has a message');
      for (const { form, bytes } of content.messages) writer.varint(mixedLength(form, bytes.length)).bytes(bytes);
      writer.u16(content.check);
      break;
    case 'first':
      invariant(content.payload.length > 0 && content.total > content.payload.length, 'a first part leaves something for later');
      writer.varint(content.total).bytes(content.payload);
      break;
    case 'middle':
    case 'last':
      invariant(content.payload.length > 0 && content.offset > 0, 'a later part is not empty and not the first');
      writer.varint(content.offset).bytes(content.payload);
      break;
    default:
      unreachable(content);
  }
}

/** The number before a message of a mixed batch. */
export function mixedLength(form: MixedMessage['form'], bytes: number): number {
  return 2 * bytes + (form === 'compact' ? 1 : 0);
}

export function readData(header: number, reader: ByteReader): DataPacket | undefined {
  const handleBits = header & DATA_HANDLE_FOLLOWS;
  const handle = handleBits === DATA_HANDLE_FOLLOWS ? readHandle(reader) : handleBits;
  const pn = reader.u8();
  const numberLow = reader.u16();
  if (handle === undefined || handle < handleBits || pn === undefined || numberLow === undefined) return undefined;
  const content = readContent(header, reader);
  return content && { kind: 'data', handle, pn, numberLow, acknowledge: header & DATA_ACK_NOW ? 'now' : 'later', content };
}

function contentBits(content: DataContent): number {
  switch (content.kind) {
    case 'whole':
      return DATA_FIRST | DATA_LAST;
    case 'compact':
      return DATA_BATCH | DATA_LAST;
    case 'batch':
      return DATA_BATCH | DATA_FIRST | DATA_LAST;
    case 'mixed':
      return DATA_BATCH | DATA_FIRST;
    case 'first':
      return DATA_FIRST;
    case 'middle':
      return 0;
    case 'last':
      return DATA_LAST;
    default:
      return unreachable(content);
  }
}

function readContent(header: number, reader: ByteReader): DataContent | undefined {
  switch (header & (DATA_BATCH | DATA_FIRST | DATA_LAST)) {
    case DATA_FIRST | DATA_LAST:
      return { kind: 'whole', payload: reader.rest() };
    case DATA_BATCH | DATA_LAST: {
      const check = reader.u16();
      return check === undefined ? undefined : { kind: 'compact', check, body: reader.rest() };
    }
    case DATA_BATCH | DATA_FIRST | DATA_LAST:
      return readBatch(reader);
    case DATA_BATCH | DATA_FIRST:
      return readMixed(reader);
    case DATA_FIRST: {
      const total = reader.varint();
      const payload = reader.rest();
      return total === undefined || payload.length === 0 || total <= payload.length
        ? undefined
        : { kind: 'first', total, payload };
    }
    case 0:
    case DATA_LAST: {
      const offset = reader.varint();
      const payload = reader.rest();
      if (offset === undefined || offset === 0 || payload.length === 0) return undefined;
      return { kind: header & DATA_LAST ? 'last' : 'middle', offset, payload };
    }
    default:
      return undefined;
  }
}

function readBatch(reader: ByteReader): DataContent | undefined {
  const payloads: Uint8Array[] = [];
  do {
    const length = reader.varint();
    const payload = length === undefined ? undefined : reader.bytes(length);
    if (payload === undefined) return undefined;
    payloads.push(payload);
  } while (reader.remaining > 0);
  return { kind: 'batch', payloads };
}

function readMixed(reader: ByteReader): DataContent | undefined {
  const messages: MixedMessage[] = [];
  do {
    const length = reader.varint();
    const bytes = length === undefined ? undefined : reader.bytes(Math.floor(length / 2));
    if (length === undefined || bytes === undefined) return undefined;
    messages.push({ form: length % 2 === 0 ? 'full' : 'compact', bytes });
  } while (reader.remaining > CHECK_BYTES);
  const check = reader.u16();
  return check === undefined ? undefined : { kind: 'mixed', messages, check };
}
