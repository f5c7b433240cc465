/**
 * Receipts: what a receiver says to a sender, to `ringmail/receipt/<sender>`. Never retained. The nonce is that of the sender's
 * session; a receipt with another one means nothing to it.
 *
 *   {0 version 1, 1 receiver, 2 incarnation (bstr 8), 3 nonce (bstr 8), 4 kind, …}
 *     kind 0  answer    5 verdict (0 welcome, 1 fork), 6 epoch [counter, random], 7 ticket (bstr 8),
 *                       8 cursors [[origin, incarnation, destination, priority, cursor, credit]…]
 *     kind 1  progress  8 cursors [[origin, incarnation, destination, priority, cursor, credit, missed]…]
 *     kind 2  hello     nothing more: "I know no such session of yours"
 *
 * Cursors are durable ones. `missed` is true when something beyond the cursor came and was not taken: it must come again.
 */
import type { Answer, AnsweredStream } from '../custody/session.ts';
import { SYNC_STREAM_COUNT_MAX } from '../limits.ts';
import { type CborInput, type CborValue, encodeCbor } from '../message/cbor.ts';
import {
  bytesOf,
  epochFields,
  epochOf,
  type Fields,
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

/** Who speaks, and of which session of the sender. */
export interface ReceiptHead {
  readonly receiver: string;
  readonly incarnation: string;
  readonly nonce: Uint8Array;
}

export interface ProgressedStream extends AnsweredStream {
  /** Something beyond the cursor was not taken. */
  readonly hasMissed: boolean;
}

export type Receipt =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | (ReceiptHead & { readonly kind: 'progress'; readonly cursors: readonly ProgressedStream[] })
  | (ReceiptHead & { readonly kind: 'hello' });

const KIND = 4;
const VERDICT = 5;
const EPOCH = 6;
const TICKET = 7;
const CURSORS = 8;
const KINDS = { answer: 0, progress: 1, hello: 2 } as const;

export function encodeAnswer(answer: Answer): Uint8Array {
  const map = head('answer', answer);
  map.set(VERDICT, answer.kind === 'welcome' ? 0 : 1);
  map.set(EPOCH, epochFields(answer.epoch));
  map.set(TICKET, answer.ticket);
  map.set(
    CURSORS,
    answer.cursors.map(({ stream, cursor, credit }) => [...streamFields(stream), cursor, credit]),
  );
  return encodeCbor(map);
}

export function encodeProgress(who: ReceiptHead, cursors: readonly ProgressedStream[]): Uint8Array {
  const map = head('progress', who);
  map.set(
    CURSORS,
    cursors.map(({ stream, cursor, credit, hasMissed }) => [...streamFields(stream), cursor, credit, hasMissed]),
  );
  return encodeCbor(map);
}

export function encodeHello(who: ReceiptHead): Uint8Array {
  return encodeCbor(head('hello', who));
}

function head(kind: keyof typeof KINDS, who: ReceiptHead): Map<number, CborInput> {
  return new Map<number, CborInput>([
    [KEY.version, RELAY_VERSION],
    [KEY.node, who.receiver],
    [KEY.incarnation, incarnationBytes(who.incarnation)],
    [KEY.nonce, who.nonce],
    [KIND, KINDS[kind]],
  ]);
}

/** Undefined for anything that is not a whole receipt. Never throws. */
export function decodeReceipt(payload: Uint8Array): Receipt | 'unknown-version' | undefined {
  const fields = fieldsOf(payload);
  if (fields === undefined || fields === 'unknown-version') return fields;
  const receiver = nameOf(fields.get(KEY.node));
  const incarnation = hexOf(fields.get(KEY.incarnation));
  const nonce = bytesOf(fields.get(KEY.nonce), TOKEN_BYTES);
  if (receiver === undefined || incarnation === undefined || nonce === undefined) return undefined;
  const who = { receiver, incarnation, nonce };
  switch (fields.get(KIND)) {
    case KINDS.answer:
      return answerOf(who, fields);
    case KINDS.progress: {
      const cursors = cursorsOf(fields.get(CURSORS), 7);
      return cursors && { kind: 'progress', ...who, cursors };
    }
    case KINDS.hello:
      return { kind: 'hello', ...who };
    default:
      return undefined;
  }
}

function answerOf(who: ReceiptHead, fields: Fields): Receipt | undefined {
  const verdict = fields.get(VERDICT);
  const epoch = epochOf(fields.get(EPOCH));
  const ticket = bytesOf(fields.get(TICKET), TOKEN_BYTES);
  const cursors = cursorsOf(fields.get(CURSORS), 6);
  if ((verdict !== 0 && verdict !== 1) || epoch === undefined || ticket === undefined || cursors === undefined) return undefined;
  return { kind: 'answer', answer: { kind: verdict === 0 ? 'welcome' : 'fork', ...who, epoch, ticket, cursors } };
}

function cursorsOf(value: CborValue, length: 6 | 7): ProgressedStream[] | undefined {
  const cursors: ProgressedStream[] = [];
  for (const entry of listOf(value, SYNC_STREAM_COUNT_MAX) ?? [undefined]) {
    const fields = listOf(entry, length) ?? [];
    const stream = streamOf(fields, 0);
    const cursor = numberOf(fields[4]);
    const credit = wholeOf(fields[5]);
    const missed = length === 7 ? fields[6] : false;
    if (stream === undefined || cursor === undefined || credit === undefined || typeof missed !== 'boolean') return undefined;
    cursors.push({ stream, cursor, credit, hasMissed: missed });
  }
  return cursors;
}
