/**
 * A second decoder of the link, written from docs/link.md alone and sharing no line with the product: what both read the same
 * way, the page says. Slow and plain on purpose, the way a first version in C would be.
 *
 *   bytes of one direction ──zeros──▶ runs ──COBS──▶ packets ──CRC-32C──▶ whole ones ──§3, §5–8──▶ fields by name
 *
 * Fields have the names of the page; numbers are numbers, bytes are hex, text is text. An answer is never an exception.
 */

import {
  Bytes,
  fromHex,
  INTEGER_MAX,
  little,
  littleBytes,
  Malformed,
  secondCrc,
  secondUncobs,
  want,
} from './second-link-bytes.ts';

export type Field = number | boolean | string | readonly Field[] | { readonly [name: string]: Field };
export type Fields = Readonly<Record<string, Field>>;

export type Answer =
  | { kind: 'packet'; packet: Fields }
  /** Its checksum holds, but its type or flags are not in the table. */
  | { kind: 'unknown'; header: number }
  /** The checksum holds, the body is not what the page says. */
  | { kind: 'malformed'; why: string }
  | { kind: 'checksum' | 'cobs'; console: boolean };

const NUMBER_MAX = 2 ** 48 - 1;
const HANDLE_MAX = 65_535;
const CLASS_MAX = 21;
const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** The id of a session, from the four fields of eight bytes as hex. */
export function secondSid(dialler: { nonce: string; incarnation: string }, acceptor: typeof dialler): number {
  return secondCrc(fromHex(dialler.nonce), fromHex(acceptor.nonce), fromHex(dialler.incarnation), fromHex(acceptor.incarnation));
}

/** What one run between two zeros says. A sealed packet is whole when one of `sids` fits. */
export function secondDecodeRun(run: Uint8Array, sids: readonly number[]): Answer {
  const packet = secondUncobs(run);
  if (packet === undefined) return { kind: 'cobs', console: isConsole(run) };
  const answer = secondDecodePacket(packet, sids);
  return answer.kind === 'checksum' ? { ...answer, console: isConsole(run) } : answer;
}

/** What one packet says: header, body and trailer without COBS. */
export function secondDecodePacket(packet: Uint8Array, sids: readonly number[]): Answer {
  if (packet.length < 5) return { kind: 'checksum', console: false };
  const covered = packet.subarray(0, packet.length - 4);
  const trailer = little(packet.subarray(packet.length - 4));
  const plain = secondCrc(covered) === trailer;
  const sealed = sids.some((sid) => secondCrc(littleBytes(sid), covered) === trailer);
  const header = covered[0] ?? 0;
  const known = header >= 0x80 ? 'sealed' : SEALS.get(header);
  if (known === undefined && (plain || sealed)) return { kind: 'unknown', header };
  if (!(known === 'sealed' ? sealed : plain)) return { kind: 'checksum', console: false };
  try {
    const fields = new Bytes(covered.subarray(1));
    const read = readBody(header, fields);
    want(fields.left === 0, 'bytes behind the last field');
    return { kind: 'packet', packet: read };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return { kind: 'malformed', why: error.message };
  }
}

const SEALS = new Map<number, 'plain' | 'sealed'>([
  [0x01, 'plain'],
  [0x02, 'plain'],
  [0x05, 'sealed'],
  [0x15, 'sealed'],
  [0x45, 'sealed'],
  [0x55, 'sealed'],
  [0x06, 'sealed'],
  [0x07, 'sealed'],
  [0x17, 'sealed'],
  [0x0a, 'plain'],
  [0x0b, 'plain'],
]);

function readBody(header: number, body: Bytes): Fields {
  if (header >= 0x80) return readData(header, body);
  switch (header) {
    case 0x01:
      return readHello(body);
    case 0x02:
      return readWelcome(body);
    case 0x06:
      return { type: 'NOTE', pn: body.u8(), ...readTlvs(body, IN_NOTE) };
    case 0x07:
      return { type: 'TIME request', pn: body.u8(), id: body.u8(), t1: body.u64() };
    case 0x17:
      return { type: 'TIME response', id: body.u8(), t1: body.u64(), t2: body.u64(), t3: body.u64() };
    case 0x0a:
      return { type: 'LOG', level: body.u8(), bytes: body.hex(body.left) };
    case 0x0b:
      return { type: 'BYE', reason: body.u8(), sid: body.u32() };
    default:
      return readAck(header, body);
  }
}

function readHello(body: Bytes): Fields {
  want(body.hex(2) === '524d', 'magic');
  const versionMax = body.u8();
  const versionMin = body.u8();
  want(versionMin <= versionMax, 'versionMin above versionMax');
  const flags = body.u8();
  if (flags & 0x02) return { type: 'KNOCK', versionMax, versionMin };
  const head = {
    type: 'HELLO',
    versionMax,
    versionMin,
    sleepy: (flags & 0x04) !== 0,
    volatile: (flags & 0x08) !== 0,
    noRandom: (flags & 0x10) !== 0,
    whole: (flags & 0x20) !== 0,
    nonce: body.hex(8),
    incarnation: body.hex(8),
    epochCounter: body.u32(),
    epochRandom: body.u32(),
    ticket: body.hex(8),
    ticketNonce: body.hex(8),
    packetBytesMax: packetBytesMax(body),
    window: window(body),
    features: body.u16() & 3,
    ackDelayMs: body.u8(),
    node: nodeName(body),
  };
  return { ...head, ...readTlvs(body, ['STREAM', 'ROUTE']) };
}

function readWelcome(body: Bytes): Fields {
  const head = {
    type: 'WELCOME',
    version: body.u8(),
    fork: (body.u8() & 0x01) !== 0,
    nonceEcho: body.hex(8),
    nonce: body.hex(8),
    incarnation: body.hex(8),
    epochCounter: body.u32(),
    epochRandom: body.u32(),
    ticket: body.hex(8),
    packetBytesMax: packetBytesMax(body),
    window: window(body),
    features: body.u16() & 3,
    ackDelayMs: body.u8(),
    keepaliveS: body.u8(),
    unixTimeUs: body.u64(),
    node: nodeName(body),
  };
  return { ...head, ...readTlvs(body, ['STREAM', 'DOWN_OFFER', 'CURSOR']) };
}

function readData(header: number, body: Bytes): Fields {
  const [batch, first, last] = [(header & 0x20) !== 0, (header & 0x10) !== 0, (header & 0x08) !== 0];
  let handle = header & 7;
  if (handle === 7) {
    handle = body.vi(HANDLE_MAX);
    want(handle >= 7, 'a handle below 7 after 7');
  }
  const head = { type: 'DATA', atOnce: (header & 0x40) !== 0, handle, pn: body.u8(), number: body.u16() };
  if (batch && !first) {
    want(last, 'flags that mean nothing');
    return { ...head, content: 'compact', check: body.u16(), body: body.hex(body.left) };
  }
  if (batch) {
    if (!last) return { ...head, content: 'mixed', ...mixed(body) };
    const messages: string[] = [];
    do messages.push(body.hex(body.vi(INTEGER_MAX)));
    while (body.left > 0);
    return { ...head, content: 'batch', messages };
  }
  if (first && last) return { ...head, content: 'whole', payload: body.hex(body.left) };
  if (first) {
    const total = body.vi(INTEGER_MAX);
    want(body.left > 0, 'an empty part');
    want(total > body.left, 'a total that is not more than the payload');
    return { ...head, content: 'first', total, payload: body.hex(body.left) };
  }
  const offset = body.vi(INTEGER_MAX);
  want(offset >= 1, 'offset 0');
  want(body.left > 0, 'an empty part');
  return { ...head, content: last ? 'last' : 'middle', offset, payload: body.hex(body.left) };
}

/** Lengths are doubled, and odd for a message that is its body alone. */
function mixed(body: Bytes): Fields {
  const messages: Fields[] = [];
  do {
    const length = body.vi(INTEGER_MAX);
    messages.push({ compact: length % 2 === 1, bytes: body.hex(Math.floor(length / 2)) });
  } while (body.left > 2);
  return { messages, check: body.u16() };
}

/** What a compact message says without saying it. */
export interface Origin {
  readonly origin: string;
  readonly incarnation: string;
  readonly address: string;
  readonly priority: number;
  readonly epochCounter: number;
  readonly epochRandom: number;
}

/** The envelope that a compact message stands for, and the checksum of its immutable part. Bytes as hex. */
export function secondEnvelope(of: Origin, number: number, body: string): { envelope: string; crc: number } {
  const text = (value: string) => cborHead(3, value.length) + [...value].map((c) => hex(c.charCodeAt(0), 1)).join('');
  const names = `00${text(of.origin)}0148${of.incarnation}02${text(of.address)}03${cborHead(0, of.priority)}`;
  const epoch = `05${cborHead(0, of.epochCounter)}06${cborHead(0, of.epochRandom)}`;
  const immutable = `a8${names}04${cborHead(0, number)}${epoch}07${cborHead(2, body.length / 2)}${body}`;
  const crc = secondCrc(fromHex(immutable));
  return { envelope: `8401${cborHead(2, immutable.length / 2)}${immutable}${cborHead(0, crc)}a0`, crc };
}

/** What stands beside compact messages with these checksums, in a packet or before a message in parts. */
export function secondCheck(crcs: readonly number[]): number {
  const all = secondCrc(...crcs.map(littleBytes));
  return Math.floor(all / 65_536) ^ (all % 65_536);
}

/** The envelopes of a DATA packet that is no part; undefined: a check is wrong. */
export function secondRebuild(packet: Fields, of: Origin): string[] | undefined {
  const number = Number(packet.number);
  if (packet.content === 'whole') return [String(packet.payload)];
  if (packet.content === 'compact') {
    const { envelope, crc } = secondEnvelope(of, number, String(packet.body));
    return secondCheck([crc]) === packet.check ? [envelope] : undefined;
  }
  const crcs: number[] = [];
  const envelopes = (packet.messages as Fields[]).map(({ compact, bytes }, i) => {
    if (!compact) return String(bytes);
    const one = secondEnvelope(of, number + i, String(bytes));
    crcs.push(one.crc);
    return one.envelope;
  });
  return secondCheck(crcs) === packet.check ? envelopes : undefined;
}

/** The envelope of a message whose parts are put together; undefined: its check is wrong or cut off. */
export function secondTogether(number: number, payload: string, of: Origin): string | undefined {
  if (!payload.startsWith('00')) return payload;
  if (payload.length < 6) return undefined;
  const { envelope, crc } = secondEnvelope(of, number, payload.slice(6));
  return little(fromHex(payload.slice(2, 6))) === secondCheck([crc]) ? envelope : undefined;
}

function cborHead(major: number, value: number): string {
  if (value < 24) return hex(major * 32 + value, 1);
  const size = value < 256 ? 1 : value < 65_536 ? 2 : value < 2 ** 32 ? 4 : 8;
  return hex(major * 32 + 24 + Math.log2(size), 1) + hex(value, size);
}

function hex(value: number, bytes: number): string {
  return value.toString(16).padStart(2 * bytes, '0');
}

function readAck(header: number, body: Bytes): Fields {
  const largest = body.u8();
  const delayMs = body.u8();
  const n = body.u8();
  want(n <= 8, 'a bitmap above 8 bytes');
  const bitmap = body.hex(n);
  const records: Fields[] = [];
  if (header & 0x10) {
    do records.push(cursor(body));
    while (body.left > 0);
  }
  return { type: 'ACK', busy: (header & 0x40) !== 0, largest, delayMs, bitmap, records };
}

type TlvName = 'STREAM' | 'DOWN_OFFER' | 'STAT' | 'CURSOR' | 'REJECT' | 'GAP' | 'ELSEWHERE' | 'DOWN_ANSWER' | 'ROUTE';

const IN_NOTE: readonly TlvName[] = [
  'STREAM',
  'DOWN_OFFER',
  'STAT',
  'CURSOR',
  'REJECT',
  'GAP',
  'ELSEWHERE',
  'DOWN_ANSWER',
  'ROUTE',
];

const TLVS = new Map<number, [TlvName, (value: Bytes) => Fields]>([
  [1, ['STREAM', stream]],
  [2, ['DOWN_OFFER', downOffer]],
  [5, ['STAT', stat]],
  [6, ['CURSOR', cursor]],
  [7, ['REJECT', (value) => ({ handle: handleOf(value), number: numberOf(value), reason: value.u8() })]],
  [8, ['GAP', gap]],
  [11, ['ELSEWHERE', range]],
  [12, ['DOWN_ANSWER', (value) => ({ fork: (value.u8() & 1) !== 0, ticket: value.hex(8) })]],
  [13, ['ROUTE', (value) => ({ epoch: value.vi(0xffff_ffff) })]],
]);

function downOffer(value: Bytes): Fields {
  const tickets = { ticket: value.hex(8), ticketNonce: value.hex(8) };
  return { ...tickets, whole: value.left > 0 && (value.u8() & 0x20) !== 0 };
}

function readTlvs(body: Bytes, taken: readonly TlvName[]): { tlvs: readonly Fields[]; ignored: number; critical: boolean } {
  const tlvs: Fields[] = [];
  let ignored = 0;
  let critical = false;
  while (body.left > 0) {
    const type = body.u8();
    const value = body.part(body.u8());
    const [name, read] = TLVS.get(type) ?? [];
    const fields = read?.(value);
    if (fields !== undefined && name === 'GAP' && Number(fields.class) > CLASS_MAX) critical = true;
    else if (fields !== undefined && name !== undefined && taken.includes(name)) tlvs.push({ tlv: name, ...fields });
    else if (type >= 64 && type <= 127) critical = true;
    else ignored++;
  }
  return { tlvs, ignored, critical };
}

function stream(value: Bytes): Fields {
  const handle = handleOf(value);
  const traits = value.u8();
  const lo = numberOf(value);
  const next = numberOf(value);
  want(lo <= next, 'lo above next');
  const fields = { handle, priority: traits & 7, lo, next, address: address(value) };
  if ((traits & 0x80) === 0) return fields;
  return { ...fields, origin: nodeName(value), incarnation: value.hex(8) };
}

function stat(value: Bytes): Fields {
  const counters: number[] = [];
  while (value.left > 0) counters.push(value.vi(INTEGER_MAX));
  return { counters };
}

function cursor(value: Bytes): Fields {
  return { handle: handleOf(value), cursor: numberOf(value), credit: value.vi(INTEGER_MAX) };
}

function range(value: Bytes): Fields {
  const fields = { handle: handleOf(value), from: numberOf(value), to: numberOf(value) };
  want(fields.from <= fields.to, 'a range that ends before it begins');
  return fields;
}

function gap(value: Bytes): Fields {
  return { ...range(value), class: value.u8(), node: nodeName(value) };
}

function handleOf(from: Bytes): number {
  return from.vi(HANDLE_MAX);
}

function numberOf(from: Bytes): number {
  const number = from.vi(NUMBER_MAX);
  want(number >= 1, 'number 0');
  return number;
}

function packetBytesMax(from: Bytes): number {
  const bytes = from.u16();
  want(bytes >= 256, 'packetBytesMax below 256');
  return bytes;
}

function window(from: Bytes): number {
  const packets = from.u8();
  want(packets >= 1 && packets <= 64, 'window');
  return packets;
}

function nodeName(from: Bytes): string {
  const name = from.text();
  want(NAME.test(name), 'name of a node');
  return name;
}

function address(from: Bytes): string {
  const text = from.text();
  const [node = '', queue = '', ...rest] = text.split('/');
  const isQueue = NAME.test(queue) || ['$dead', '$journal', '$admin'].includes(queue);
  want(NAME.test(node) && isQueue && rest.length === 0, 'address');
  return text;
}

/** Boot messages and `printf`: at least nine bytes in ten are printable ASCII, tab, CR or LF. */
function isConsole(run: Uint8Array): boolean {
  const printable = run.filter((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 9 || byte === 10 || byte === 13);
  return printable.length * 10 >= run.length * 9;
}
