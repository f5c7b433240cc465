/**
 * Bodies that say who they are: `\x02y:<key>\x03`, then filler that only this key has. Whoever finds the bytes of a letter, in an
 * envelope, a frame or a dead letter, knows which one it is without asking any codec.
 *
 *   <key>    as its sender named it; its dead letter bears it too
 *   <key>~   the message that a redrive made of its dead letter: a message of its own, with the same body
 *   <key>^   a copy in a journal
 *   <key>>n  what a route made of it for the nth of its places
 */
import { concatBytes, fromUtf8, toUtf8 } from '../../shared/bytes.ts';
import { crc32 } from '../../shared/crc32.ts';
import { DEAD_QUEUE, JOURNAL_QUEUE, SYSTEM_QUEUES } from '../../shared/custody/message-room.ts';
import type { Message } from '../../shared/message/message.ts';

const START = [0x02, 0x79, 0x3a] as const;
const END = 0x03;
const KEY_BYTES_MAX = 40;

/** The dead letter queue of queues that have their own. */
export const UNWANTED = 'unwanted';
export const LETTER_QUEUES: readonly string[] = [DEAD_QUEUE, UNWANTED];
/** Nobody reads these while the yard runs, and what lies there keeps nobody waiting. */
export const RECORD_QUEUES: readonly string[] = [...SYSTEM_QUEUES, UNWANTED];

/** The queue that the nth place of a route is called. */
export function placeName(n: number): string {
  return `${PLACE}${n}`;
}

/** What an envelope is, by where it lies and what it was made from. */
export type Nature = 'message' | 'letter' | 'copy' | 'redriven';

/** The queue stands within so many bytes, behind origin and incarnation. */
const ADDRESS_BYTES = 110;
/** The identity of what it was made from, its history and its other properties come last. */
const LAST_BYTES = 500;
export const PLACE = 'place-';
const PLACE_AT = toUtf8(`/${PLACE}`);
const COPY_AT = toUtf8(`/${JOURNAL_QUEUE}`);
const LETTERS_AT = LETTER_QUEUES.map((queue) => toUtf8(`/${queue}`));
const FROM_LETTERS = LETTER_QUEUES.map((queue) => toUtf8(`/${queue}:`));

/** A body of `bytes` bytes, or as many as the key needs. */
export function letterOf(key: string, bytes: number): Uint8Array {
  const head = concatBytes([Uint8Array.from(START), toUtf8(key), Uint8Array.of(END)]);
  const filler = new Uint8Array(Math.max(0, bytes - head.length));
  let state = crc32(head, 0) | 1;
  for (let i = 0; i < filler.length; i++) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    filler[i] = 0x20 + ((state >>> 24) % 0x5f);
  }
  return concatBytes([head, filler]);
}

/** The first key in these bytes. */
export function keyIn(bytes: Uint8Array): string | undefined {
  for (let at = bytes.indexOf(START[0]); at !== -1; at = bytes.indexOf(START[0], at + 1)) {
    if (bytes[at + 1] !== START[1] || bytes[at + 2] !== START[2]) continue;
    const end = bytes.indexOf(END, at + 3);
    if (end === -1 || end - at > KEY_BYTES_MAX) continue;
    return fromUtf8(bytes.subarray(at + 3, end));
  }
  return undefined;
}

/** The key under which an envelope is known here, and what it is. `shared`: the key of the body that it shares. */
export function known(envelope: Uint8Array, shared?: string): { readonly key: string; readonly nature: Nature } | undefined {
  const own = keyIn(envelope) ?? shared;
  if (own === undefined) return undefined;
  const nature = natureOf(envelope);
  const isMade = nature === 'letter' || nature === 'copy';
  const place = placeIn(envelope.subarray(0, ADDRESS_BYTES)) ?? (isMade ? placeIn(envelope.subarray(-LAST_BYTES)) : undefined);
  const key = place === undefined ? own : forwardedKey(own, place);
  return { key: nature === 'copy' ? copyKey(key) : nature === 'redriven' ? redrivenKey(key) : key, nature };
}

function natureOf(envelope: Uint8Array): Nature {
  const address = envelope.subarray(0, ADDRESS_BYTES);
  if (holds(address, COPY_AT)) return 'copy';
  if (LETTERS_AT.some((at) => holds(address, at))) return 'letter';
  const last = envelope.subarray(-LAST_BYTES);
  return FROM_LETTERS.some((from) => holds(last, from)) ? 'redriven' : 'message';
}

function placeIn(bytes: Uint8Array): number | undefined {
  const at = indexOf(bytes, PLACE_AT);
  return at === -1 ? undefined : (bytes[at + PLACE_AT.length] ?? 0x30) - 0x30;
}

export function forwardedKey(key: string, place: number): string {
  return `${key}>${place}`;
}

/** Of which message a route made this one. */
export function sourceKey(key: string): string | undefined {
  const at = key.indexOf('>');
  return at === -1 ? undefined : key.slice(0, at);
}

/** The key of a message that an application has; `letters`: of one that lies among dead letters. */
export function keyOf(
  {
    body,
    history = [],
    identity,
    previous = '',
  }: Pick<Message, 'body' | 'history' | 'previous'> & Partial<Pick<Message, 'identity'>>,
  where: 'queue' | 'letters' = 'queue',
): string | undefined {
  const own = keyIn(body);
  const place = placeIn(toUtf8(where === 'letters' ? previous : (identity?.destination ?? '')));
  const key = own === undefined || place === undefined ? own : forwardedKey(own, place);
  const isRedriven = history.length > (where === 'letters' ? 1 : 0);
  return key === undefined || !isRedriven ? key : redrivenKey(key);
}

export function redrivenKey(key: string): string {
  return `${key}~`;
}

export function copyKey(key: string): string {
  return `${key}^`;
}

export function isCopyKey(key: string): boolean {
  return key.endsWith('^');
}

function holds(bytes: Uint8Array, part: Uint8Array): boolean {
  return indexOf(bytes, part) !== -1;
}

function indexOf(bytes: Uint8Array, part: Uint8Array): number {
  const [first = 0] = part;
  for (let at = bytes.indexOf(first); at !== -1; at = bytes.indexOf(first, at + 1)) {
    if (at + part.length > bytes.length) return -1;
    let same = 1;
    while (same < part.length && bytes[at + same] === part[same]) same += 1;
    if (same === part.length) return at;
  }
  return -1;
}
