/**
 * The envelope of a message that begins its way, written as it lies there and without a value in between, since every send does it.
 *
 *   84 01                array of four, version
 *   58 nn                immutable part, bytes
 *     b0 …               map of fewer than 24: texts and numbers; what has headers, a history or unknown keys is left to envelope.ts
 *   1a ........          crc of the immutable part
 *   a0                   hop part: empty
 *
 * Byte for byte what envelope.ts makes of the same message; a test compares the two.
 */
import { fromHex } from '../bytes.ts';
import { crc32c } from '../crc32c.ts';
import { ARRAY, BYTE_STRING, CborWriter, FALSE, MAP, TRUE, UINT } from './cbor-writer.ts';
import type { Epoch, StreamKey } from './identity.ts';
import type { Content, Message, Properties } from './message.ts';
import { SmallPieces } from './small-pieces.ts';

const ARRAY_OF_FOUR = 0x84;
const VERSION = 1;
const NO_HOP = 0xa0;
const MAP_HEAD = MAP << 5;
/** The checksum, but one in 65,536 that is a smaller number, and the hop part. */
const TAIL_BYTES_MAX = 6;

/** Fields that name the stream. */
const NAME_COUNT = 4;

export class UsualForm {
  /** The fields that all messages of a stream have, by the object that names the stream. */
  readonly #names = new WeakMap<StreamKey, Uint8Array>();
  readonly #pieces = new SmallPieces();
  readonly #fields = new CborWriter();
  readonly #frame = new CborWriter();
  #count = 0;

  /** Undefined for what is not usual, and for what no decoder would take: the longer way says what is wrong with it. */
  write(key: StreamKey, { number, epoch }: { number: number; epoch: Epoch }, content: Content): Uint8Array | undefined {
    const { body, properties } = content;
    if (!isUsual(content) || !hasWholeNumbers(properties)) return undefined;
    const names = this.#namesOf(key);
    if (names === undefined) return undefined;
    const fields = this.#fields;
    fields.clear();
    this.#count = 0;
    this.#whole(4, number);
    this.#whole(5, epoch.counter);
    this.#whole(6, epoch.random);
    this.#key(7);
    fields.head(BYTE_STRING, body.length);
    const bodyAt = fields.length;
    this.#optional(content);
    return this.#framed(names, body, bodyAt);
  }

  /** Undefined where the incarnation is none. */
  #namesOf(key: StreamKey): Uint8Array | undefined {
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const incarnation = fromHex(key.incarnation);
    if (incarnation === undefined) return undefined;
    const fields = this.#fields;
    fields.clear();
    this.#text(0, key.origin);
    this.#key(1);
    fields.byteString(incarnation);
    this.#text(2, key.destination);
    this.#whole(3, key.priority);
    const names = new Uint8Array(fields.length);
    fields.copy({ from: 0, to: names.length }, names, 0);
    this.#names.set(key, names);
    return names;
  }

  #optional({ properties, previous, maybeDuplicate, transaction }: Content): void {
    this.#text(8, properties.contentType);
    this.#text(9, properties.label);
    this.#text(10, properties.correlationId);
    this.#text(11, properties.responseQueue);
    this.#whole(12, properties.appSpecific);
    this.#whole(14, properties.timeToReachQueueMs);
    this.#whole(15, properties.timeToBeReceivedMs);
    this.#text(16, previous);
    if (maybeDuplicate === 'maybe') this.#simple(18, TRUE);
    this.#whole(19, properties.deliverAfterMs);
    if (transaction !== undefined) {
      this.#key(20);
      this.#fields.head(ARRAY, 3);
      this.#fields.text(transaction.id);
      this.#fields.head(UINT, transaction.index);
      this.#fields.head(UINT, transaction.count);
    }
    this.#text(21, properties.acknowledge);
    if (properties.deadLetter === 'off') this.#simple(22, FALSE);
    if (properties.journal === 'on') this.#simple(23, TRUE);
  }

  /** The fields behind the names, with the body between them, and around them what makes an envelope of them. */
  #framed(names: Uint8Array, body: Uint8Array, bodyAt: number): Uint8Array {
    const fields = this.#fields;
    const frame = this.#frame;
    frame.clear();
    frame.simple(ARRAY_OF_FOUR);
    frame.simple(VERSION);
    frame.head(BYTE_STRING, 1 + names.length + fields.length + body.length);
    const start = frame.length;
    frame.simple(MAP_HEAD | (NAME_COUNT + this.#count));
    const fieldsAt = frame.length + names.length;
    const end = fieldsAt + fields.length + body.length;
    const whole = this.#pieces.take(end + TAIL_BYTES_MAX);
    frame.copy({ from: 0, to: frame.length }, whole, 0);
    whole.set(names, frame.length);
    fields.copy({ from: 0, to: bodyAt }, whole, fieldsAt);
    whole.set(body, fieldsAt + bodyAt);
    fields.copy({ from: bodyAt, to: fields.length }, whole, fieldsAt + bodyAt + body.length);
    frame.clear();
    frame.head(UINT, crc32c(whole.subarray(start, end), 0));
    frame.simple(NO_HOP);
    frame.copy({ from: 0, to: frame.length }, whole, end);
    return frame.length === TAIL_BYTES_MAX ? whole : whole.subarray(0, end + frame.length);
  }

  #key(key: number): void {
    this.#count += 1;
    this.#fields.head(UINT, key);
  }

  #text(key: number, text: string | undefined): void {
    if (text === undefined) return;
    this.#key(key);
    this.#fields.text(text);
  }

  #whole(key: number, value: number | undefined): void {
    if (value === undefined) return;
    this.#key(key);
    this.#fields.head(UINT, value);
  }

  #simple(key: number, byte: number): void {
    this.#key(key);
    this.#fields.simple(byte);
  }
}

/** What was read from another envelope may be among the properties. */
function isUsual({ properties, history }: Content): boolean {
  const read: Partial<Message> = properties;
  if (read.headers !== undefined || read.history !== undefined || history !== undefined || read.unknown !== undefined)
    return false;
  return read.previous === undefined && read.maybeDuplicate === undefined && read.transaction === undefined;
}

function hasWholeNumbers({ appSpecific, timeToReachQueueMs, timeToBeReceivedMs, deliverAfterMs }: Properties): boolean {
  const isWhole = isWholeOrAbsent(appSpecific) && isWholeOrAbsent(timeToReachQueueMs);
  return isWhole && isWholeOrAbsent(timeToBeReceivedMs) && isWholeOrAbsent(deliverAfterMs);
}

function isWholeOrAbsent(value: number | undefined): boolean {
  return value === undefined || (Number.isSafeInteger(value) && value >= 0);
}
