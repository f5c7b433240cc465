/** One codec for all packets of RML/1 (packet-layout.ts has the picture): what is sent, what is received, and the seal between. */

import { unreachable } from '../assert.ts';
import { ByteReader } from '../byte-reader.ts';
import { ByteWriter } from '../byte-writer.ts';
import { concatBytes } from '../bytes.ts';
import { crc32c } from '../crc32c.ts';
import { type DataPacket, readData, writeData } from './data-packet.ts';
import {
  type HelloPacket,
  type KnockPacket,
  readHello,
  readWelcome,
  type WelcomePacket,
  writeHello,
  writeKnock,
  writeWelcome,
} from './handshake-packets.ts';
import { incarnationBytes } from './packet-fields.ts';
import {
  ACK_BUSY,
  ACK_HAS_RECORDS,
  DATA_HEADER,
  HEADER_BYTES,
  PACKET_BYTES_LIMIT,
  PACKET_TYPE,
  TIME_RESPONSE,
  TRAILER_BYTES,
} from './packet-layout.ts';
import {
  type AckPacket,
  type ByePacket,
  type LogPacket,
  type NotePacket,
  readAck,
  readBye,
  readLog,
  readNote,
  readTime,
  type TimeRequestPacket,
  type TimeResponsePacket,
  writeAck,
  writeBye,
  writeLog,
  writeNote,
  writeTime,
} from './session-packets.ts';

/** Types that belong to no session: their trailer does not cover a session id. */
export type PlainPacket = HelloPacket | KnockPacket | WelcomePacket | LogPacket | ByePacket;
/** Types that another session's receiver must not take: their trailer covers the session id. */
export type SealedPacket = DataPacket | AckPacket | NotePacket | TimeRequestPacket | TimeResponsePacket;
/** Whole and unmodified, but of a type, or with header flags, that this version does not know: ignored and counted. */
export interface UnknownPacket {
  readonly kind: 'unknown';
  /** The low four bits of its header. */
  readonly type: number;
}
export type Packet = PlainPacket | SealedPacket | UnknownPacket;

/** Flags that mean something in the header of a type; others make the packet unknown. */
const KNOWN_FLAGS: ReadonlyMap<number, number> = new Map([
  [PACKET_TYPE.hello, 0],
  [PACKET_TYPE.welcome, 0],
  [PACKET_TYPE.ack, ACK_HAS_RECORDS | ACK_BUSY],
  [PACKET_TYPE.note, 0],
  [PACKET_TYPE.time, TIME_RESPONSE],
  [PACKET_TYPE.log, 0],
  [PACKET_TYPE.bye, 0],
]);
const TYPE_BITS = 0x0f;
const FLAG_BITS = 0x70;

/** One side of a session, as its HELLO or WELCOME introduced it. */
export interface SessionSide {
  readonly nonce: Uint8Array;
  readonly incarnation: string;
}

/** The id both sides compute from HELLO and WELCOME; what seals every packet of the session comes of it. Never sent but in BYE. */
export function sessionId(dialler: SessionSide, acceptor: SessionSide): number {
  const incarnations = [incarnationBytes(dialler.incarnation), incarnationBytes(acceptor.incarnation)];
  return crc32c(concatBytes([dialler.nonce, acceptor.nonce, ...incarnations]));
}

/** Which side of a session: of the two seals nobody takes an echo of his own words for an answer. */
export type SealSide = 'dial' | 'accept';

/** What a side seals its packets with. */
export function sealId(sid: number, side: SealSide): number {
  return side === 'dial' ? sid : ~sid >>> 0;
}

/** Header, body and trailer, not yet stuffed (see `frameForLine`). `id` seals sealed packets; others have none. */
export function encodePacket(packet: PlainPacket | SealedPacket, id: number): Uint8Array {
  const writer = new ByteWriter(PACKET_BYTES_LIMIT);
  const seed = writeBody(writer, packet) === 'sealed' ? seal(id) : 0;
  return writer.u32(crc32c(writer.finish(), seed)).finish();
}

/**
 * The packet, when `frame` is one, whole and unmodified, and of this session where its type belongs to one. Undefined for anything
 * else; with `id` undefined that includes all sealed packets. Never throws. Byte fields are views of `frame`.
 */
export function decodePacket(frame: Uint8Array, id: number | undefined): Packet | undefined {
  const trailerOffset = frame.length - TRAILER_BYTES;
  if (trailerOffset < HEADER_BYTES || frame.length > PACKET_BYTES_LIMIT) return undefined;
  const content = frame.subarray(0, trailerOffset);
  const trailer = new ByteReader(frame, trailerOffset).u32();
  const reader = new ByteReader(content);
  const header = reader.u8() ?? 0;
  const isSealed = id !== undefined && trailer === crc32c(content, seal(id));
  if (header & DATA_HEADER) return isSealed ? readData(header, reader) : undefined;
  const isPlain = trailer === crc32c(content);
  if (!isPlain && !isSealed) return undefined;

  const type = header & TYPE_BITS;
  const knownFlags = KNOWN_FLAGS.get(type);
  if (knownFlags === undefined || header & FLAG_BITS & ~knownFlags) return { kind: 'unknown', type };
  return (isPlain ? readPlain(type, reader) : undefined) ?? (isSealed ? readSealed(header, reader) : undefined);
}

function seal(id: number): number {
  return crc32c(new ByteWriter(4).u32(id).finish());
}

function writeBody(writer: ByteWriter, packet: PlainPacket | SealedPacket): 'plain' | 'sealed' {
  switch (packet.kind) {
    case 'hello':
      writeHello(writer, packet);
      return 'plain';
    case 'knock':
      writeKnock(writer, packet);
      return 'plain';
    case 'welcome':
      writeWelcome(writer, packet);
      return 'plain';
    case 'log':
      writeLog(writer, packet);
      return 'plain';
    case 'bye':
      writeBye(writer, packet);
      return 'plain';
    case 'data':
      writeData(writer, packet);
      return 'sealed';
    case 'ack':
      writeAck(writer, packet);
      return 'sealed';
    case 'note':
      writeNote(writer, packet);
      return 'sealed';
    case 'time-request':
    case 'time-response':
      writeTime(writer, packet);
      return 'sealed';
    default:
      return unreachable(packet);
  }
}

function readPlain(type: number, reader: ByteReader): PlainPacket | undefined {
  switch (type) {
    case PACKET_TYPE.hello:
      return readHello(reader);
    case PACKET_TYPE.welcome:
      return readWelcome(reader);
    case PACKET_TYPE.log:
      return readLog(reader);
    case PACKET_TYPE.bye:
      return readBye(reader);
    default:
      return undefined;
  }
}

function readSealed(header: number, reader: ByteReader): SealedPacket | undefined {
  switch (header & TYPE_BITS) {
    case PACKET_TYPE.ack:
      return readAck(header, reader);
    case PACKET_TYPE.note:
      return readNote(reader);
    case PACKET_TYPE.time:
      return readTime(header, reader);
    default:
      return undefined;
  }
}
