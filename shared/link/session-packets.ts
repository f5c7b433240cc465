/**
 * ACK, NOTE and TIME, which belong to a session; LOG and BYE, which need none.
 *
 *   ACK 05                           NOTE 06                      TIME 07, request      TIME 17, response
 *   off len  field                   off len  field               off len  field        off len  field
 *     1   1  largest   pn              1   1  pn                     1   1  pn             1   1  id
 *     2   1  delayMs                   2      TLVs   none: ping      2   1  id             2   8  t1Us
 *     3   1  n         0–8                                           3   8  t1Us          10   8  t2Us
 *     4   n  bitmap                                                                       18   8  t3Us
 *     …      records
 *                                    LOG 0a: level u8, text        BYE 0b: reason u8, sid u32
 *
 *   ACK flags   10 records follow, to the trailer, one or more: handle vi, cursor vi, credit vi      40 busy
 *   bitmap      bit i, lowest of the first byte first: packet largest − 1 − i has arrived
 */

import { invariant } from '../assert.ts';
import type { ByteReader } from '../byte-reader.ts';
import type { ByteWriter } from '../byte-writer.ts';
import { readCursor, type StreamCursor, writeCursor } from './packet-fields.ts';
import { ACK_BUSY, ACK_HAS_RECORDS, BITMAP_BYTES_MAX, PACKET_TYPE, TIME_RESPONSE } from './packet-layout.ts';
import { readTlvs, type Tlv, writeTlvs } from './tlv.ts';

/** Two facts: what has arrived, so that it is not sent again, and by its records what is durable, so that it may be freed. */
export interface AckPacket {
  readonly kind: 'ack';
  /** The newest packet number received; 255 before the first. */
  readonly largest: number;
  /** How long the acknowledgement of `largest` waited, at most 255. */
  readonly delayMs: number;
  readonly bitmap: Uint8Array;
  /** The disk does not keep up or is full: credit will stay low. */
  readonly isBusy: boolean;
  readonly records: readonly StreamCursor[];
}

/** Asks to be acknowledged. Without TLVs it is a ping. */
export interface NotePacket {
  readonly kind: 'note';
  readonly pn: number;
  readonly tlvs: readonly Tlv[];
}

/** Asks to be acknowledged; answered by a response with the same id. Microseconds of the sender's clock. */
export interface TimeRequestPacket {
  readonly kind: 'time-request';
  readonly pn: number;
  readonly id: number;
  readonly t1Us: number;
}

/** `t2Us` when the request came, `t3Us` when this left, both by the answering side's clock. */
export interface TimeResponsePacket {
  readonly kind: 'time-response';
  readonly id: number;
  readonly t1Us: number;
  readonly t2Us: number;
  readonly t3Us: number;
}

/** For people: 0 debug, 1 info, 2 warning, 3 error. Sent once; the text ought to be UTF-8 and need not. */
export interface LogPacket {
  readonly kind: 'log';
  readonly level: number;
  readonly text: Uint8Array;
}

/** The end of a session. Means nothing to a side whose session has another id. */
export interface ByePacket {
  readonly kind: 'bye';
  /** A BYE_REASON. */
  readonly reason: number;
  /** 0 when there was none. */
  readonly sid: number;
}

export function writeAck(writer: ByteWriter, packet: AckPacket): void {
  invariant(packet.bitmap.length <= BITMAP_BYTES_MAX, 'a bitmap covers the largest window');
  writer.u8(PACKET_TYPE.ack | (packet.records.length > 0 ? ACK_HAS_RECORDS : 0) | (packet.isBusy ? ACK_BUSY : 0));
  writer.u8(packet.largest).u8(packet.delayMs).u8(packet.bitmap.length).bytes(packet.bitmap);
  for (const record of packet.records) writeCursor(writer, record);
}

export function readAck(header: number, reader: ByteReader): AckPacket | undefined {
  const largest = reader.u8();
  const delayMs = reader.u8();
  const length = reader.u8();
  if (largest === undefined || delayMs === undefined || length === undefined || length > BITMAP_BYTES_MAX) return undefined;
  const bitmap = reader.bytes(length);
  if (bitmap === undefined || reader.remaining > 0 !== (header & ACK_HAS_RECORDS) > 0) return undefined;
  const records: StreamCursor[] = [];
  while (reader.remaining > 0) {
    const record = readCursor(reader);
    if (record === undefined) return undefined;
    records.push(record);
  }
  return { kind: 'ack', largest, delayMs, bitmap, isBusy: (header & ACK_BUSY) > 0, records };
}

export function writeNote(writer: ByteWriter, packet: NotePacket): void {
  writer.u8(PACKET_TYPE.note).u8(packet.pn);
  writeTlvs(writer, packet.tlvs);
}

export function readNote(reader: ByteReader): NotePacket | undefined {
  const pn = reader.u8();
  const tlvs = readTlvs(reader);
  return pn === undefined || tlvs === undefined ? undefined : { kind: 'note', pn, tlvs };
}

export function writeTime(writer: ByteWriter, packet: TimeRequestPacket | TimeResponsePacket): void {
  if (packet.kind === 'time-request') {
    writer.u8(PACKET_TYPE.time).u8(packet.pn).u8(packet.id).u64(packet.t1Us);
  } else {
    writer.u8(PACKET_TYPE.time | TIME_RESPONSE).u8(packet.id);
    writer.u64(packet.t1Us).u64(packet.t2Us).u64(packet.t3Us);
  }
}

export function readTime(header: number, reader: ByteReader): TimeRequestPacket | TimeResponsePacket | undefined {
  return header & TIME_RESPONSE ? readTimeResponse(reader) : readTimeRequest(reader);
}

function readTimeRequest(reader: ByteReader): TimeRequestPacket | undefined {
  const pn = reader.u8();
  const id = reader.u8();
  const t1Us = reader.u64();
  if (pn === undefined || id === undefined || t1Us === undefined || reader.remaining > 0) return undefined;
  return { kind: 'time-request', pn, id, t1Us };
}

function readTimeResponse(reader: ByteReader): TimeResponsePacket | undefined {
  const id = reader.u8();
  const t1Us = reader.u64();
  const t2Us = reader.u64();
  const t3Us = reader.u64();
  if (id === undefined || t1Us === undefined || t2Us === undefined || t3Us === undefined || reader.remaining > 0)
    return undefined;
  return { kind: 'time-response', id, t1Us, t2Us, t3Us };
}

export function writeLog(writer: ByteWriter, packet: LogPacket): void {
  writer.u8(PACKET_TYPE.log).u8(packet.level).bytes(packet.text);
}

export function readLog(reader: ByteReader): LogPacket | undefined {
  const level = reader.u8();
  return level === undefined ? undefined : { kind: 'log', level, text: reader.rest() };
}

export function writeBye(writer: ByteWriter, packet: ByePacket): void {
  writer.u8(PACKET_TYPE.bye).u8(packet.reason).u32(packet.sid);
}

export function readBye(reader: ByteReader): ByePacket | undefined {
  const reason = reader.u8();
  const sid = reader.u32();
  return reason === undefined || sid === undefined || reader.remaining > 0 ? undefined : { kind: 'bye', reason, sid };
}
