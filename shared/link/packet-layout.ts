/**
 * RML/1, the numbers of its wire format. `docs/link.md` tells the same to people without this source.
 *
 *   a packet on the line:   00 │ COBS( header │ body │ trailer ) │ 00
 *
 *   header, 1 byte     1 Q B F L h h h    DATA: Q acknowledge now, B batch, F first, L last fragment, h handle (7: a varint follows)
 *                      0 f f f t t t t    every other type: f flags of the type, t type
 *   trailer, 4 bytes   CRC-32C, little-endian, of sid(4, little-endian) ‖ header ‖ body for the types that belong to a session
 *                      ("sealed"), of header ‖ body for HELLO, WELCOME, LOG, BYE and AUTH
 *
 * Integers are little-endian and unsigned; a varint is unsigned LEB128 in its shortest form (varint.ts).
 */

export const RML_VERSION = 1;

export const HEADER_BYTES = 1;
export const TRAILER_BYTES = 4;
/** A NOTE without its TLVs: header, packet number, trailer. */
export const NOTE_BYTES = HEADER_BYTES + 1 + TRAILER_BYTES;
/** Header and trailer included, COBS and delimiters not. A u16 announces it. */
export const PACKET_BYTES_LIMIT = 0xffff;
/** The least a node may announce as `packetBytesMax`: a WELCOME and the declaration of any stream fit, with the longest names. */
export const PACKET_BYTES_MIN = 256;
/** Largest HELLO: what the other side takes is not known yet. Streams it has no room for are declared by a NOTE. */
export const HELLO_BYTES_MAX = 1024;
/** Packets outstanding at most: the bitmap of an ACK reaches that far back, and a packet number of 8 bits stays unambiguous. */
export const WINDOW_MAX = 64;
/** Of 8 bits. */
export const PACKET_NUMBERS = 256;
export const BITMAP_BYTES_MAX = WINDOW_MAX / 8;
/** Numbers of messages and cursors: 48 bits in the ring, so no more on the line. */
export const NUMBER_MAX = 0xffff_ffff_ffff;
export const HANDLE_MAX = 0xffff;
export const NONCE_BYTES = 8;
export const TICKET_BYTES = 8;
export const INCARNATION_BYTES = 8;

/** The four low bits of a header without bit 7. 0, 3, 4, D, E, F are reserved; POLL, EOB and AUTH have a place and no form yet. */
export const PACKET_TYPE = {
  hello: 0x1,
  welcome: 0x2,
  ack: 0x5,
  note: 0x6,
  time: 0x7,
  poll: 0x8,
  endOfBurst: 0x9,
  log: 0xa,
  bye: 0xb,
  auth: 0xc,
} as const;

export const DATA_HEADER = 0x80;
export const DATA_ACK_NOW = 0x40;
export const DATA_BATCH = 0x20;
export const DATA_FIRST = 0x10;
export const DATA_LAST = 0x08;
/** In the three handle bits: the handle follows as a varint. */
export const DATA_HANDLE_FOLLOWS = 0x07;

export const ACK_HAS_RECORDS = 0x10;
export const ACK_BUSY = 0x40;
export const TIME_RESPONSE = 0x10;

/** Flags of HELLO; WHOLE is one of DOWN_OFFER too. A KNOCK is a HELLO that offers nothing and asks for one. */
export const HELLO_KNOCK = 0x02;
export const HELLO_SLEEPY = 0x04;
export const HELLO_VOLATILE = 0x08;
export const HELLO_NO_RANDOM = 0x10;
export const HELLO_WHOLE = 0x20;
/** Flag of DOWN_OFFER alone: what is offered came since the session began. */
export const DOWN_LIVE = 0x40;

/** Flag of WELCOME and of the TLV DOWN_ANSWER: the ticket shown is none of ours. */
export const ANSWER_FORK = 0x01;

/** What the announcing side is able to receive beyond DATA with whole messages. Unknown bits are ignored. */
export const FEATURE_FRAGMENTS = 0x0001;
export const FEATURE_BATCHES = 0x0002;
/** It rebuilds compact messages, in parts and mixed batches too, so far as it takes those (compact.ts). */
export const FEATURE_COMPACT = 0x0004;

export const TLV_TYPE = {
  stream: 1,
  downOffer: 2,
  sleep: 3,
  baud: 4,
  stat: 5,
  cursor: 6,
  reject: 7,
  gap: 8,
  keyId: 9,
  firmware: 10,
  elsewhere: 11,
  downAnswer: 12,
  route: 13,
} as const;

/** TLV types that must not be passed over: who does not know one says BYE with reason `version`. */
export const TLV_CRITICAL_MIN = 64;
export const TLV_CRITICAL_MAX = 127;

export const LOG_LEVEL = { debug: 0, info: 1, warning: 2, error: 3 } as const;

export const BYE_REASON = { restart: 1, protocol: 2, sleep: 3, auth: 4, version: 5, fenced: 6 } as const;
