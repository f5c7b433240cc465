/**
 * HELLO, KNOCK and WELCOME: the offer, the request for one, and the answer. Not sealed: they make the session.
 *
 *   HELLO                                                  WELCOME
 *   off len  field                                         off len  field
 *     0   1  header 01                                       0   1  header 02
 *     1   2  "RM" (52 4d)                                    1   1  version      the one both speak from here on
 *     3   1  versionMax                                      2   1  flags        0 fork
 *     4   1  versionMin                                      3   8  nonceEcho    the nonce of the HELLO it answers
 *     5   1  flags        1 knock: the body ends here        11  8  nonce        of the answering side
 *                         2 sleepy  3 volatile  4 no RNG     19  8  incarnation  of the answering side
 *                         5 whole: lists all its streams
 *     6   8  nonce                                          27   8  epoch        counter u32, random u32
 *    14   8  incarnation                                    35   8  ticket       new; zeros with a fork
 *    22   8  epoch        counter u32, random u32           43   6  limits
 *    30   8  ticket       zeros: none yet                   49   1  keepaliveS
 *    38   8  ticketNonce  the nonce that made it            50   8  unixTimeUs   µs since 1970, 0: unknown
 *    46   6  limits                                         58 1+n  node         name as text
 *    52 1+n  node         name as text                       …      TLVs         CURSOR, DOWN_OFFER, STREAM
 *     …      TLVs         STREAM
 *
 *   limits, what the side that says it takes:   packetBytesMax u16 (256 or more), window u8 (1–64), features u16, ackDelayMs u8
 */

import { invariant } from '../assert.ts';
import type { ByteReader } from '../byte-reader.ts';
import type { ByteWriter } from '../byte-writer.ts';
import type { Epoch } from '../message/identity.ts';
import { readEpoch, readIncarnation, readName, writeEpoch, writeFixed, writeIncarnation, writeText } from './packet-fields.ts';
import {
  ANSWER_FORK,
  HELLO_KNOCK,
  NONCE_BYTES,
  PACKET_BYTES_MIN,
  PACKET_TYPE,
  TICKET_BYTES,
  WINDOW_MAX,
} from './packet-layout.ts';
import { readTlvs, type Tlv, writeTlvs } from './tlv.ts';

const MAGIC = 0x4d52;

/** What the side that says so is able to receive. */
export interface ReceiveLimits {
  /** Largest packet, header and trailer included, 256 to 65,535. */
  readonly packetBytesMax: number;
  /** Unacknowledged packets, 1 to 64. */
  readonly window: number;
  /** FEATURE_… bits. */
  readonly features: number;
  /** How long it may wait before it acknowledges. */
  readonly ackDelayMs: number;
}

/** "Say HELLO": for a side that listens and hears nothing it understands. */
export interface KnockPacket {
  readonly kind: 'knock';
  readonly versionMax: number;
  readonly versionMin: number;
}

export interface HelloPacket {
  readonly kind: 'hello';
  readonly versionMax: number;
  readonly versionMin: number;
  /** HELLO_… bits but KNOCK. */
  readonly flags: number;
  readonly nonce: Uint8Array;
  readonly incarnation: string;
  readonly epoch: Epoch;
  readonly ticket: Uint8Array;
  readonly ticketNonce: Uint8Array;
  readonly limits: ReceiveLimits;
  readonly node: string;
  readonly tlvs: readonly Tlv[];
}

export interface WelcomePacket {
  readonly kind: 'welcome';
  readonly version: number;
  readonly verdict: 'welcome' | 'fork';
  readonly nonceEcho: Uint8Array;
  readonly nonce: Uint8Array;
  readonly incarnation: string;
  readonly epoch: Epoch;
  readonly ticket: Uint8Array;
  readonly limits: ReceiveLimits;
  readonly keepaliveS: number;
  /** Microseconds since 1970; 0 when the sender has no clock. */
  readonly unixTimeUs: number;
  readonly node: string;
  readonly tlvs: readonly Tlv[];
}

export function writeKnock(writer: ByteWriter, packet: KnockPacket): void {
  writer.u8(PACKET_TYPE.hello).u16(MAGIC).u8(packet.versionMax).u8(packet.versionMin).u8(HELLO_KNOCK);
}

export function writeHello(writer: ByteWriter, packet: HelloPacket): void {
  invariant((packet.flags & HELLO_KNOCK) === 0, 'a HELLO that offers is no KNOCK');
  writer.u8(PACKET_TYPE.hello).u16(MAGIC).u8(packet.versionMax).u8(packet.versionMin).u8(packet.flags);
  writeFixed(writer, packet.nonce, NONCE_BYTES);
  writeIncarnation(writer, packet.incarnation);
  writeEpoch(writer, packet.epoch);
  writeFixed(writer, packet.ticket, TICKET_BYTES);
  writeFixed(writer, packet.ticketNonce, NONCE_BYTES);
  writeLimits(writer, packet.limits);
  writeText(writer, packet.node);
  writeTlvs(writer, packet.tlvs);
}

export function readHello(reader: ByteReader): HelloPacket | KnockPacket | undefined {
  const magic = reader.u16();
  const versionMax = reader.u8();
  const versionMin = reader.u8();
  const flags = reader.u8();
  if (magic !== MAGIC || versionMax === undefined || versionMin === undefined || flags === undefined) return undefined;
  if (versionMin > versionMax) return undefined;
  if (flags & HELLO_KNOCK) return reader.remaining > 0 ? undefined : { kind: 'knock', versionMax, versionMin };
  const nonce = reader.bytes(NONCE_BYTES);
  const incarnation = readIncarnation(reader);
  const epoch = readEpoch(reader);
  const ticket = reader.bytes(TICKET_BYTES);
  const ticketNonce = reader.bytes(NONCE_BYTES);
  const limits = readLimits(reader);
  const node = readName(reader);
  const tlvs = readTlvs(reader);
  if (nonce === undefined || incarnation === undefined || epoch === undefined || ticket === undefined) return undefined;
  if (ticketNonce === undefined || limits === undefined || node === undefined || tlvs === undefined) return undefined;
  return { kind: 'hello', versionMax, versionMin, flags, nonce, incarnation, epoch, ticket, ticketNonce, limits, node, tlvs };
}

export function writeWelcome(writer: ByteWriter, packet: WelcomePacket): void {
  writer.u8(PACKET_TYPE.welcome).u8(packet.version);
  writer.u8(packet.verdict === 'fork' ? ANSWER_FORK : 0);
  writeFixed(writer, packet.nonceEcho, NONCE_BYTES);
  writeFixed(writer, packet.nonce, NONCE_BYTES);
  writeIncarnation(writer, packet.incarnation);
  writeEpoch(writer, packet.epoch);
  writeFixed(writer, packet.ticket, TICKET_BYTES);
  writeLimits(writer, packet.limits);
  writer.u8(packet.keepaliveS).u64(packet.unixTimeUs);
  writeText(writer, packet.node);
  writeTlvs(writer, packet.tlvs);
}

export function readWelcome(reader: ByteReader): WelcomePacket | undefined {
  const version = reader.u8();
  const flags = reader.u8();
  const nonceEcho = reader.bytes(NONCE_BYTES);
  const nonce = reader.bytes(NONCE_BYTES);
  const incarnation = readIncarnation(reader);
  const epoch = readEpoch(reader);
  const ticket = reader.bytes(TICKET_BYTES);
  const limits = readLimits(reader);
  const keepaliveS = reader.u8();
  const unixTimeUs = reader.u64();
  const node = readName(reader);
  const tlvs = readTlvs(reader);
  if (version === undefined || flags === undefined || nonceEcho === undefined || nonce === undefined) return undefined;
  if (incarnation === undefined || epoch === undefined || ticket === undefined || limits === undefined) return undefined;
  if (keepaliveS === undefined || unixTimeUs === undefined || node === undefined || tlvs === undefined) return undefined;
  const verdict = flags & ANSWER_FORK ? 'fork' : 'welcome';
  const answer = {
    version,
    verdict,
    nonceEcho,
    nonce,
    incarnation,
    epoch,
    ticket,
    limits,
    keepaliveS,
    unixTimeUs,
    node,
    tlvs,
  } as const;
  return { kind: 'welcome', ...answer };
}

function writeLimits(writer: ByteWriter, limits: ReceiveLimits): void {
  invariant(isSound(limits), 'limits are those the format allows');
  writer.u16(limits.packetBytesMax).u8(limits.window).u16(limits.features).u8(limits.ackDelayMs);
}

function readLimits(reader: ByteReader): ReceiveLimits | undefined {
  const packetBytesMax = reader.u16();
  const window = reader.u8();
  const features = reader.u16();
  const ackDelayMs = reader.u8();
  if (packetBytesMax === undefined || window === undefined || features === undefined || ackDelayMs === undefined)
    return undefined;
  const limits = { packetBytesMax, window, features, ackDelayMs };
  return isSound(limits) ? limits : undefined;
}

function isSound({ packetBytesMax, window }: ReceiveLimits): boolean {
  return packetBytesMax >= PACKET_BYTES_MIN && window >= 1 && window <= WINDOW_MAX;
}
