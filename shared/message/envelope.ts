/**
 * The envelope: a message as it lies in a ring and crosses every hop. CBOR with integer keys, public: docs/envelope.cddl.
 *
 *   envelope  = [version 1, immutable: bstr, crc: CRC-32C of immutable, hop]
 *   immutable = {0 origin, 1 incarnation (bstr 8), 2 destination, 3 priority, 4 number, 5 epoch counter, 6 epoch random,
 *                7 body (bstr), 8 contentType, 9 label, 10 correlationId, 11 responseQueue, 12 appSpecific, 13 headers,
 *                14 timeToReachQueueMs, 15 timeToBeReceivedMs, 16 previous, 17 history [[class, node, reason]], 18 maybeDuplicate,
 *                19 deliverAfterMs, 20 transaction [id, index, count], 21 acknowledge, 22 deadLetter, 23 journal}
 *   hop       = {0 hops, 1 elapsed ms, 2 replayed, 3 late}
 *
 * The immutable part is forwarded byte for byte, so a key of a newer version survives every node that does not know it. Only the
 * hop part changes on the way.
 */
import { fromHex, toHex } from '../bytes.ts';
import { crc32c } from '../crc32c.ts';
import { RingmailError } from '../errors.ts';
import { type CborInput, type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { isEndingClass } from './classes.ts';
import type { Epoch, StreamKey } from './identity.ts';
import { ACKNOWLEDGE, type Content, type Ending, type Message, type TransactionMark } from './message.ts';
import { UsualForm } from './usual-envelope.ts';

export const ENVELOPE_VERSION = 1;
/** Of the immutable part: what is above belongs to a newer version. */
const KEY_MAX = 23;

/** What a node adds on the way. */
export interface Hop {
  /** Nodes that stored it before this one. */
  readonly count: number;
  /** Milliseconds spent in them. */
  readonly elapsedMs: number;
  /** On one hop at least it waited for a connection (docs/routes.md, section 6). */
  readonly replayed?: true;
  /** Its destination had given it up as missing when it came. */
  readonly late?: 'late';
}

export interface Envelope {
  readonly message: Message;
  readonly hop: Hop;
}

export const FIRST_HOP: Hop = { count: 0, elapsedMs: 0 };

const usualForm = new UsualForm();

/** `hop`: of the message that it is made from, where that has come a way. */
interface Begun {
  readonly number: number;
  readonly epoch: Epoch;
  readonly hop?: Hop | undefined;
}

/** Of a message that begins here. @throws CBOR_UNENCODABLE for properties no decoder would take */
export function encodeNew(key: StreamKey, of: Begun, content: Content): Uint8Array {
  const usual = of.hop === undefined ? usualForm.write(key, of, content) : undefined;
  if (usual !== undefined) return usual;
  const { properties, ...rest } = content;
  const { priority } = key;
  return encodeEnvelope({ ...properties, ...rest, identity: { ...key, number: of.number }, epoch: of.epoch, priority }, of.hop);
}

/** @throws CBOR_UNENCODABLE for properties no decoder would take */
export function encodeEnvelope(message: Message, hop: Hop = FIRST_HOP): Uint8Array {
  return wrap(encodeImmutable(message), hop);
}

/** The same message with another hop part; the immutable bytes stay as they are. @throws ENVELOPE_INVALID */
export function withHop(envelope: Uint8Array, change: (hop: Hop) => Hop): Uint8Array {
  const { immutable, hop } = unwrap(envelope);
  return wrap(immutable, change(hop));
}

/** @throws ENVELOPE_INVALID for anything that is not a whole envelope with the right checksum; never anything else */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const { immutable, hop } = unwrap(bytes);
  return { message: messageOf(asMap(decode(immutable), 'immutable part')), hop };
}

function wrap(immutable: Uint8Array, hop: Hop): Uint8Array {
  const hopMap = new Map<number, CborInput>();
  if (hop.count > 0) hopMap.set(0, hop.count);
  if (hop.elapsedMs > 0) hopMap.set(1, hop.elapsedMs);
  if (hop.replayed === true) hopMap.set(2, true);
  if (hop.late === 'late') hopMap.set(3, true);
  return encodeCbor([ENVELOPE_VERSION, immutable, crc32c(immutable, 0), hopMap]);
}

function unwrap(bytes: Uint8Array): { immutable: Uint8Array; hop: Hop } {
  const outer = decode(bytes);
  if (!Array.isArray(outer) || outer.length !== 4) refuse('not an array of four');
  const [version, immutable, crc, hop] = outer;
  if (version !== ENVELOPE_VERSION) refuse('unknown version');
  if (!(immutable instanceof Uint8Array) || crc32c(immutable, 0) !== crc) refuse('checksum');
  const hopMap = asMap(hop, 'hop part');
  const replayed = hopMap.get(2) === true && { replayed: true as const };
  const late = hopMap.get(3) === true && { late: 'late' as const };
  return { immutable, hop: { count: whole(hopMap, 0) ?? 0, elapsedMs: whole(hopMap, 1) ?? 0, ...replayed, ...late } };
}

function encodeImmutable(message: Message): Uint8Array {
  const { identity, epoch } = message;
  const incarnation = fromHex(identity.incarnation);
  const map = new Map<number, CborInput>([
    [0, identity.origin],
    [1, incarnation ?? refuse('incarnation')],
    [2, identity.destination],
    [3, identity.priority],
    [4, identity.number],
    [5, epoch.counter],
    [6, epoch.random],
    [7, message.body],
  ]);
  const optional: [number, CborInput][] = [
    [8, message.contentType],
    [9, message.label],
    [10, message.correlationId],
    [11, message.responseQueue],
    [12, message.appSpecific],
    [13, message.headers],
    [14, message.timeToReachQueueMs],
    [15, message.timeToBeReceivedMs],
    [16, message.previous],
    [17, message.history?.map((step) => [step.class, step.node, step.reason])],
    [18, message.maybeDuplicate === 'maybe' ? true : undefined],
    [19, message.deliverAfterMs],
    [20, message.transaction && [message.transaction.id, message.transaction.index, message.transaction.count]],
    [21, message.acknowledge],
    [22, message.deadLetter === 'off' ? false : undefined],
    [23, message.journal === 'on' ? true : undefined],
  ];
  for (const [key, value] of optional) if (value !== undefined) map.set(key, value);
  for (const [key, value] of message.unknown ?? []) map.set(key, value as CborInput);
  return encodeCbor(map);
}

type Fields = ReadonlyMap<unknown, CborValue>;

function messageOf(fields: Fields): Message {
  const incarnation = fields.get(1);
  const body = fields.get(7);
  if (!(incarnation instanceof Uint8Array) || incarnation.length !== 8) refuse('incarnation');
  if (!(body instanceof Uint8Array)) refuse('body');
  const priority = whole(fields, 3) ?? refuse('priority');
  if (priority > 7) refuse('priority');
  const identity = {
    origin: text(fields, 0) ?? refuse('origin'),
    incarnation: toHex(incarnation),
    destination: text(fields, 2) ?? refuse('destination'),
    priority,
    number: whole(fields, 4) ?? refuse('number'),
  };
  const epoch = { counter: whole(fields, 5) ?? refuse('epoch'), random: whole(fields, 6) ?? refuse('epoch') };
  const unknown = new Map<number, CborValue>();
  for (const [key, value] of fields) if (typeof key === 'number' && key > KEY_MAX) unknown.set(key, value);
  return {
    identity,
    epoch,
    priority,
    body,
    ...present('contentType', text(fields, 8)),
    ...present('label', text(fields, 9)),
    ...present('correlationId', text(fields, 10)),
    ...present('responseQueue', text(fields, 11)),
    ...present('appSpecific', whole(fields, 12)),
    ...present('headers', headersOf(fields.get(13))),
    ...present('timeToReachQueueMs', whole(fields, 14)),
    ...present('timeToBeReceivedMs', whole(fields, 15)),
    ...present('previous', text(fields, 16)),
    ...present('history', historyOf(fields.get(17))),
    ...present('maybeDuplicate', fields.get(18) === true ? ('maybe' as const) : undefined),
    ...present('deliverAfterMs', whole(fields, 19)),
    ...present('transaction', transactionOf(fields.get(20))),
    ...present(
      'acknowledge',
      ACKNOWLEDGE.find((known) => known === fields.get(21)),
    ),
    ...present('deadLetter', fields.get(22) === false ? ('off' as const) : undefined),
    ...present('journal', fields.get(23) === true ? ('on' as const) : undefined),
    ...present('unknown', unknown.size > 0 ? unknown : undefined),
  };
}

function headersOf(value: CborValue): Map<string, string> | undefined {
  if (value === undefined) return undefined;
  const headers = new Map<string, string>();
  for (const [name, content] of asMap(value, 'headers')) {
    if (typeof name !== 'string' || typeof content !== 'string') refuse('headers');
    headers.set(name, content);
  }
  return headers;
}

function historyOf(value: CborValue): Ending[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) refuse('history');
  return value.map((step) => {
    const [cls, node, reason] = Array.isArray(step) ? step : [];
    if (typeof cls !== 'string' || !isEndingClass(cls) || typeof node !== 'string' || typeof reason !== 'string')
      refuse('history');
    return { class: cls, node, reason };
  });
}

function transactionOf(value: CborValue): TransactionMark | undefined {
  if (value === undefined) return undefined;
  const [id, index, count] = Array.isArray(value) ? value : [];
  if (typeof id !== 'string' || !isWhole(index) || !isWhole(count)) refuse('transaction');
  return { id, index, count };
}

function decode(bytes: Uint8Array): CborValue {
  try {
    return decodeCbor(bytes);
  } catch (error) {
    if (error instanceof RingmailError) refuse(error.message);
    throw error;
  }
}

function asMap(value: CborValue, what: string): Fields {
  return value instanceof Map ? value : refuse(what);
}

function text(fields: Fields, key: number): string | undefined {
  const value = fields.get(key);
  return value === undefined || typeof value === 'string' ? value : refuse(`key ${key} is not text`);
}

function whole(fields: Fields, key: number): number | undefined {
  const value = fields.get(key);
  if (value === undefined) return undefined;
  return isWhole(value) ? value : refuse(`key ${key} is not a whole number`);
}

function isWhole(value: CborValue): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function present<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}

function refuse(reason: string): never {
  throw new RingmailError('ENVELOPE_INVALID', { reason });
}
