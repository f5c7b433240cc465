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
import type { Message } from './message.ts';

const ARRAY_OF_FOUR = 0x84;
const VERSION = 1;
const NO_HOP = 0xa0;
const MAP_HEAD = MAP << 5;
/** The checksum, but one in 65,536 that is a smaller number, and the hop part. */
const TAIL_BYTES_MAX = 6;

export class UsualForm {
  readonly #fields = new CborWriter();
  readonly #frame = new CborWriter();
  #count = 0;

  /** Undefined for what is not usual, and for what no decoder would take: the longer way says what is wrong with it. */
  write(message: Message): Uint8Array | undefined {
    const { identity, epoch, body, headers, history, unknown } = message;
    const incarnation = fromHex(identity.incarnation);
    const isUsual = headers === undefined && history === undefined && unknown === undefined;
    if (!isUsual || incarnation === undefined || !hasWholeNumbers(message)) return undefined;
    const fields = this.#fields;
    fields.clear();
    this.#count = 0;
    this.#text(0, identity.origin);
    this.#key(1);
    fields.byteString(incarnation);
    this.#text(2, identity.destination);
    this.#whole(3, identity.priority);
    this.#whole(4, identity.number);
    this.#whole(5, epoch.counter);
    this.#whole(6, epoch.random);
    this.#key(7);
    fields.head(BYTE_STRING, body.length);
    const bodyAt = fields.length;
    this.#optional(message);
    return this.#framed(body, bodyAt);
  }

  #optional(message: Message): void {
    const { transaction } = message;
    this.#text(8, message.contentType);
    this.#text(9, message.label);
    this.#text(10, message.correlationId);
    this.#text(11, message.responseQueue);
    this.#whole(12, message.appSpecific);
    this.#whole(14, message.timeToReachQueueMs);
    this.#whole(15, message.timeToBeReceivedMs);
    this.#text(16, message.previous);
    if (message.maybeDuplicate === 'maybe') this.#simple(18, TRUE);
    this.#whole(19, message.deliverAfterMs);
    if (transaction !== undefined) {
      this.#key(20);
      this.#fields.head(ARRAY, 3);
      this.#fields.text(transaction.id);
      this.#fields.head(UINT, transaction.index);
      this.#fields.head(UINT, transaction.count);
    }
    this.#text(21, message.acknowledge);
    if (message.deadLetter === 'off') this.#simple(22, FALSE);
    if (message.journal === 'on') this.#simple(23, TRUE);
  }

  /** The fields with the body between them, and around them what makes an envelope of them. */
  #framed(body: Uint8Array, bodyAt: number): Uint8Array {
    const fields = this.#fields;
    const frame = this.#frame;
    frame.clear();
    frame.simple(ARRAY_OF_FOUR);
    frame.simple(VERSION);
    frame.head(BYTE_STRING, 1 + fields.length + body.length);
    const start = frame.length;
    frame.simple(MAP_HEAD | this.#count);
    const end = frame.length + fields.length + body.length;
    const whole = new Uint8Array(end + TAIL_BYTES_MAX);
    frame.copy({ from: 0, to: frame.length }, whole, 0);
    fields.copy({ from: 0, to: bodyAt }, whole, start + 1);
    whole.set(body, start + 1 + bodyAt);
    fields.copy({ from: bodyAt, to: fields.length }, whole, start + 1 + bodyAt + body.length);
    frame.clear();
    frame.head(UINT, crc32c(whole.subarray(start, end), 0));
    frame.simple(NO_HOP);
    frame.copy({ from: 0, to: frame.length }, whole, end);
    return frame.length === TAIL_BYTES_MAX ? whole : whole.slice(0, end + frame.length);
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

function hasWholeNumbers({ appSpecific, timeToReachQueueMs, timeToBeReceivedMs, deliverAfterMs }: Message): boolean {
  const isWhole = isWholeOrAbsent(appSpecific) && isWholeOrAbsent(timeToReachQueueMs);
  return isWhole && isWholeOrAbsent(timeToBeReceivedMs) && isWholeOrAbsent(deliverAfterMs);
}

function isWholeOrAbsent(value: number | undefined): boolean {
  return value === undefined || (Number.isSafeInteger(value) && value >= 0);
}
