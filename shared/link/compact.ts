/**
 * The compact form of a message: its body and a checksum, where the receiver knows all the rest. The envelope of a small message is
 * larger than its body; nearly all of it says what STREAM and HELLO have said already.
 *
 *   full       84 …                         the envelope (docs/envelope.cddl)
 *   compact    00 │ crc u32 │ body          crc: of the immutable part, the one in the envelope; little-endian
 *              in a mixed batch             the body alone; at the end of the packet check u32: the crcs of all compact ones, XOR
 *
 * A message may go so when its envelope is what `PlainForm.write` makes of its stream, its number, its body, and the epoch that its
 * sender told in the HELLO or WELCOME of this session. The receiver makes the same bytes again, and compares their checksum: what it
 * stores is what the sender had, or the session ends. Credit and bounds count the bytes of envelopes, whatever crosses the line.
 */
import { ByteReader } from '../byte-reader.ts';
import { ByteWriter } from '../byte-writer.ts';
import { CREDIT_BYTES_MAX } from '../custody/receiver.ts';
import type { Epoch, StreamKey } from '../message/identity.ts';
import { PlainForm } from '../message/plain-envelope.ts';
import type { MixedMessage } from './data-packet.ts';

/** First byte of a compact message. That of an envelope is 84. */
const COMPACT = 0x00;
/** In front of the body. */
export const COMPACT_HEAD_BYTES = 5;
/** An envelope that no node has passed on ends with an empty hop part of one byte. */
const NO_HOP_BYTES = 1;

/** What of a message crosses the line. */
export interface CompactMessage {
  readonly body: Uint8Array;
  /** Of the immutable part. */
  readonly crc: number;
}

/** The sending side of a session. */
export class Compactor {
  readonly #self: { readonly name: string; readonly incarnation: string };
  readonly #epoch: Epoch;
  readonly #forms = new WeakMap<StreamKey, PlainForm>();

  /** `epoch`: the one the other side was told in this session. */
  constructor(self: { readonly name: string; readonly incarnation: string }, epoch: Epoch) {
    this.#self = self;
    this.#epoch = epoch;
  }

  /** Undefined: its envelope says more than the receiver knows. */
  compact(
    key: StreamKey,
    { number, envelope }: { readonly number: number; readonly envelope: Uint8Array },
  ): CompactMessage | undefined {
    if (key.origin !== this.#self.name || key.incarnation !== this.#self.incarnation) return undefined;
    const plain = this.#formOf(key).read(envelope);
    if (plain?.number !== number || plain.hopOffset + NO_HOP_BYTES !== envelope.length) return undefined;
    const { epoch, bodyOffset, bodyBytes, crc } = plain;
    if (epoch.counter !== this.#epoch.counter || epoch.random !== this.#epoch.random) return undefined;
    return { body: envelope.subarray(bodyOffset, bodyOffset + bodyBytes), crc };
  }

  #formOf(key: StreamKey): PlainForm {
    const known = this.#forms.get(key);
    if (known !== undefined) return known;
    const form = new PlainForm(key);
    this.#forms.set(key, form);
    return form;
  }
}

/** As it goes whole, or in parts. */
export function compactPayload({ body, crc }: CompactMessage): Uint8Array {
  return new ByteWriter(COMPACT_HEAD_BYTES + body.length).u8(COMPACT).u32(crc).bytes(body).finish();
}

/** What stands at the end of a batch with these in it. */
export function checkOf(messages: readonly CompactMessage[]): number {
  return messages.reduce((check, { crc }) => (check ^ crc) >>> 0, 0);
}

/** The receiving side of one stream. Undefined, throughout: no honest side sends that. */
export class Rebuilder {
  readonly #form: PlainForm;
  readonly #epoch: Epoch;

  /** `epoch`: the one the other side told in this session. */
  constructor(key: StreamKey, epoch: Epoch) {
    this.#form = new PlainForm(key);
    this.#epoch = epoch;
  }

  /** The envelope of a message that came whole or is together again. */
  whole(number: number, payload: Uint8Array): Uint8Array | undefined {
    if (payload[0] !== COMPACT) return payload;
    const crc = new ByteReader(payload, 1).u32();
    if (crc === undefined) return undefined;
    const rebuilt = this.#form.write({ number, epoch: this.#epoch, body: payload.subarray(COMPACT_HEAD_BYTES) });
    return rebuilt.crc === crc ? rebuilt.envelope : undefined;
  }

  /** The envelopes of a batch that begins with `number`. Not more than anybody has credit for: bodies of no bytes are many. */
  batch(number: number, messages: readonly MixedMessage[], check: number): Uint8Array[] | undefined {
    const envelopes: Uint8Array[] = [];
    let bytes = 0;
    let left = check;
    for (const { form, bytes: said } of messages) {
      const at = number + envelopes.length;
      const rebuilt =
        form === 'full' ? { envelope: said, crc: 0 } : this.#form.write({ number: at, epoch: this.#epoch, body: said });
      bytes += rebuilt.envelope.length;
      if (bytes > CREDIT_BYTES_MAX) return undefined;
      left ^= rebuilt.crc;
      envelopes.push(rebuilt.envelope);
    }
    return left === 0 ? envelopes : undefined;
  }

  /** Bytes of the envelope of a message of `total` bytes on the line that begins with `payload`. */
  bytesOf(number: number, payload: Uint8Array, total: number): number {
    if (payload[0] !== COMPACT) return total;
    return this.#form.bytesFor({ number, epoch: this.#epoch, bodyBytes: Math.max(0, total - COMPACT_HEAD_BYTES) });
  }
}
