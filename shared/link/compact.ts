/**
 * The compact form of a message: its body and a checksum, where the receiver knows all the rest. The envelope of a small message is
 * larger than its body; nearly all of it says what STREAM and HELLO have said already.
 *
 *   full       84 …                         the envelope (docs/envelope.cddl)
 *   compact    check u16 │ body             whole, in a packet of its own
 *              00 │ check u16 │ body        in parts
 *              body                         in a mixed batch; at the end of the packet check u16, over all compact ones
 *
 *   check      CRC-32C of { crc u32 } for each compact message, its upper half XOR its lower half. crc: of the immutable part, as it
 *              stands in the envelope. A plain XOR of them would not do: of two messages of one length that are wrong in the same
 *              way the differences are the same, and cancel
 *
 * A message may go so when its envelope is what `PlainForm.write` makes of its stream, its number, its body, and the epoch that its
 * sender told in the HELLO or WELCOME of this session. The receiver makes the same bytes again, and compares their checksum: what it
 * stores is what the sender had, or the session ends. Half of it is enough: bytes that cross the line have the trailer of their packet, and
 * who is wrong about a stream or an epoch is so about each of its messages. Credit and bounds count the bytes of envelopes, whatever
 * crosses the line.
 */
import { ByteReader } from '../byte-reader.ts';
import { ByteWriter } from '../byte-writer.ts';
import { crc32c } from '../crc32c.ts';
import { CREDIT_BYTES_MAX } from '../custody/receiver.ts';
import type { Epoch, StreamKey } from '../message/identity.ts';
import { type PlainEnvelope, PlainForm } from '../message/plain-envelope.ts';
import { CHECK_BYTES, type MixedMessage } from './data-packet.ts';

/** First byte of a compact message in parts. That of an envelope is 84. */
const COMPACT = 0x00;
/** In front of its body. */
const PARTS_HEAD_BYTES = 1 + CHECK_BYTES;
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

  /** Undefined: its envelope says more than the receiver knows, or its checksum is not that of its bytes. */
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

/** What goes in parts. */
export function compactPayload({ body, crc }: CompactMessage): Uint8Array {
  return new ByteWriter(PARTS_HEAD_BYTES + body.length)
    .u8(COMPACT)
    .u16(checkOf([crc]))
    .bytes(body)
    .finish();
}

/** Of the compact messages of a packet, or of one in parts, by the checksums of their immutable parts. */
export function checkOf(crcs: readonly number[]): number {
  const all = crcs.reduce((sum, crc) => crc32c(Uint8Array.of(crc, crc >>> 8, crc >>> 16, crc >>> 24), sum), 0);
  return (all >>> 16) ^ (all & 0xffff);
}

/** An envelope, and what it says where it was compact. */
export interface Rebuilt {
  readonly envelope: Uint8Array;
  readonly plain: PlainEnvelope | undefined;
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

  /** The envelope of a compact message that came whole. */
  whole(number: number, { body, check }: { readonly body: Uint8Array; readonly check: number }): Rebuilt | undefined {
    const written = this.#form.write({ number, epoch: this.#epoch, body });
    return checkOf([written.plain.crc]) === check ? written : undefined;
  }

  /** The envelope of a message of either form that came in parts and is together again. */
  together(number: number, payload: Uint8Array): Uint8Array | undefined {
    if (payload[0] !== COMPACT) return payload;
    const check = new ByteReader(payload, 1).u16();
    return check === undefined ? undefined : this.whole(number, { body: payload.subarray(PARTS_HEAD_BYTES), check })?.envelope;
  }

  /** The envelopes of a batch that begins with `number`. Not more than anybody has credit for: bodies of no bytes are many. */
  batch(number: number, messages: readonly MixedMessage[], check: number): Rebuilt[] | undefined {
    const envelopes: Rebuilt[] = [];
    const crcs: number[] = [];
    let bytes = 0;
    for (const { form, bytes: said } of messages) {
      const at = number + envelopes.length;
      const rebuilt: Rebuilt =
        form === 'full' ? { envelope: said, plain: undefined } : this.#form.write({ number: at, epoch: this.#epoch, body: said });
      bytes += rebuilt.envelope.length;
      if (bytes > CREDIT_BYTES_MAX) return undefined;
      if (rebuilt.plain !== undefined) crcs.push(rebuilt.plain.crc);
      envelopes.push(rebuilt);
    }
    return checkOf(crcs) === check ? envelopes : undefined;
  }

  /** Bytes of the envelope of a message that comes in parts, of `total` bytes together, the first ones `payload`. */
  bytesOf(number: number, payload: Uint8Array, total: number): number {
    if (payload[0] !== COMPACT) return total;
    return this.#form.bytesFor({ number, epoch: this.#epoch, bodyBytes: Math.max(0, total - PARTS_HEAD_BYTES) });
  }
}
