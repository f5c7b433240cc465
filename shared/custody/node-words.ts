/**
 * Words between nodes: ordinary recoverable messages to `<node>/$node`, each a CBOR map (docs/routes.md, section 4).
 *
 *   {"kind": text, …}     content type application/cbor; who wrote it is the origin of the message
 *
 * Nothing of a word lies at the node it is for: it is consumed in the frame that stores the move of the neighbour's cursor. What it
 * brings about is part of that frame: whoever knows a kind gives what is to be stored, and what changes in memory once that is planned.
 * A node that a word passes may note something too.
 *
 * Who writes one is a node, never an application: no node sends for them to a system queue. A node can write what it likes, so every
 * kind says whom it believes: `from`, the neighbour that handed it over, is who holds the session; `origin` is what that one says.
 */
import { RingmailError } from '../errors.ts';
import { NODE_WORD_BYTES_MAX } from '../limits.ts';
import { isName, NODE_QUEUE, parseAddress } from '../message/address.ts';
import { type CborInput, type CborValue, decodeCbor, encodeCbor } from '../message/cbor.ts';
import { type EndingClass, isEndingClass } from '../message/classes.ts';
import type { Identity, StreamKey } from '../message/identity.ts';
import { type Message, PRIORITY_MAX } from '../message/message.ts';
import type { Intake, NewBody } from './intake.ts';
import { NOTHING, type Planned } from './planned.ts';
import { CBOR_TYPE } from './words.ts';

/** Between alarms and everything else: what nodes tell each other decides where messages go. */
export const NODE_WORD_PRIORITY = 5;

/** A word as it came. */
export interface HeardWord {
  readonly fields: WordFields;
  /** Of the message that it was; its origin says who wrote it. */
  readonly identity: Identity;
  /** The neighbour that handed it over. */
  readonly from: string;
  /** Nodes that stored it before this one. */
  readonly hops: number;
}

/**
 * What a kind brings about; undefined: its fields are not what they should be. Nothing is changed before `settle`: a word that finds no
 * room comes again. It should not fail for lack of room: its stream waits as long as it does.
 */
export type WordHandler = (word: HeardWord) => Planned | undefined;

export class NodeWords {
  /** Since this opening. `unknown` and `malformed` ones are consumed like any other. */
  readonly counts = { heard: 0, unknown: 0, malformed: 0 };
  readonly #handlers = new Map<string, WordHandler>();
  readonly #passing = new Map<string, WordHandler>();

  /** Words of this kind for this node. Once for each kind. */
  on(kind: string, handler: WordHandler): void {
    this.#handlers.set(kind, handler);
  }

  /** Words of this kind for another node, on their way through this one. */
  onPassing(kind: string, handler: WordHandler): void {
    this.#passing.set(kind, handler);
  }

  /** What a word for this node brings about. */
  heard(word: HeardWord): Planned {
    const handler = this.#handlers.get(word.fields.kind);
    const done = handler?.(word);
    const what = handler === undefined ? 'unknown' : done === undefined ? 'malformed' : 'heard';
    const { puts, acks, changes, settle } = done ?? NOTHING;
    const counted = (): void => {
      this.counts[what] += 1;
      settle();
    };
    return { puts, acks, changes, settle: counted };
  }

  /** What one for another node brings about here. */
  passing(word: HeardWord): Planned {
    return this.#passing.get(word.fields.kind)?.(word) ?? NOTHING;
  }
}

/**
 * A word of this node to another one, as part of a batch; who writes several to one node in a batch opens a draft for them.
 * @throws ROUTE_NOT_FOUND, QUEUE_FULL, BUSY, MESSAGE_TOO_LARGE; then nothing was planned
 */
export function beginWord(
  intake: Intake,
  node: string,
  { kind, fields }: { readonly kind: string; readonly fields: Readonly<Record<string, CborInput>> },
): Planned {
  const { destination, content } = wordFor(node, kind, fields);
  return intake.beginAlone(destination, content, { place: 'new', what: 'record' });
}

/** A message for the nodes of a node: where it goes and what is in it. @throws CBOR_UNENCODABLE, MESSAGE_TOO_LARGE */
export function wordFor(
  node: string,
  kind: string,
  fields: Readonly<Record<string, CborInput>>,
): { destination: string; content: NewBody } {
  const body = encodeCbor(new Map<string, CborInput>([['kind', kind], ...Object.entries(fields)]));
  if (body.length > NODE_WORD_BYTES_MAX)
    throw new RingmailError('MESSAGE_TOO_LARGE', { bytes: body.length, bytesMax: NODE_WORD_BYTES_MAX });
  const properties = { contentType: CBOR_TYPE, priority: NODE_WORD_PRIORITY, deadLetter: 'off' as const };
  return { destination: `${node}/${NODE_QUEUE}`, content: { body, properties } };
}

/** The word that a message is, or undefined: then no node wrote it. Never throws. */
export function wordIn({ body, contentType }: Pick<Message, 'body' | 'contentType'>): WordFields | undefined {
  if (contentType !== CBOR_TYPE || body.length > NODE_WORD_BYTES_MAX) return undefined;
  try {
    const fields = decodeCbor(body);
    const kind = fields instanceof Map ? fields.get('kind') : undefined;
    return fields instanceof Map && typeof kind === 'string' ? new WordFields(kind, fields) : undefined;
  } catch (error) {
    if (error instanceof RingmailError) return undefined;
    throw error;
  }
}

/** Fields of a word, read strictly: each of these answers undefined for anything else than the thing it names. */
export class WordFields {
  readonly kind: string;
  readonly #fields: ReadonlyMap<unknown, CborValue>;

  constructor(kind: string, fields: ReadonlyMap<unknown, CborValue>) {
    this.kind = kind;
    this.#fields = fields;
  }

  value(key: string): CborValue {
    return this.#fields.get(key);
  }

  /** Up to so many characters. */
  text(key: string, lengthMax: number): string | undefined {
    const value = this.#fields.get(key);
    return typeof value === 'string' && value.length <= lengthMax ? value : undefined;
  }

  /** Name of a node. */
  name(key: string): string | undefined {
    const value = this.#fields.get(key);
    return typeof value === 'string' && isName(value) ? value : undefined;
  }

  /** From 0, and so that the one after it is exact, too. */
  whole(key: string): number | undefined {
    return wholeIn(this.#fields.get(key));
  }

  /** A number of a stream: from 1. */
  number(key: string): number | undefined {
    const value = this.whole(key);
    return value === 0 ? undefined : value;
  }

  class(key: string): EndingClass | undefined {
    const value = this.#fields.get(key);
    return typeof value === 'string' && isEndingClass(value) ? value : undefined;
  }

  stream(key: string): StreamKey | undefined {
    return streamIn(this.#fields.get(key));
  }

  list(key: string, countMax: number): readonly CborValue[] | undefined {
    const value = this.#fields.get(key);
    return Array.isArray(value) && value.length <= countMax ? value : undefined;
  }
}

export function wholeIn(value: CborValue): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < Number.MAX_SAFE_INTEGER
    ? value
    : undefined;
}

/** A stream as a word has it: [origin, incarnation (16 hex digits), destination, priority]. */
export function streamInWord({ origin, incarnation, destination, priority }: StreamKey): CborInput[] {
  return [origin, incarnation, destination, priority];
}

/** Inverse of `streamInWord`; undefined for anything else. */
export function streamIn(value: CborValue): StreamKey | undefined {
  if (!Array.isArray(value) || value.length !== 4) return undefined;
  const [origin, incarnation, destination, priority] = value;
  const isWhose = typeof origin === 'string' && isName(origin);
  if (!isWhose || typeof incarnation !== 'string' || !/^[0-9a-f]{16}$/.test(incarnation)) return undefined;
  if (typeof destination !== 'string' || !isWholeAddress(destination)) return undefined;
  const level = wholeIn(priority);
  return level === undefined || level > PRIORITY_MAX ? undefined : { origin, incarnation, destination, priority: level };
}

function isWholeAddress(text: string): boolean {
  try {
    return text.includes('/') && parseAddress(text, '').node !== '';
  } catch (error) {
    if (error instanceof RingmailError) return false;
    throw error;
  }
}
