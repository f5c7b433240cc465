/** What comes from the line: bytes become packets, words for people, and counts of what was neither. */
import { Deframer, looksLikeText } from './deframer.ts';
import type { LineProfile } from './line-profile.ts';
import { DATA_HEADER, HELLO_BYTES_MAX } from './packet-layout.ts';
import { decodePacket, type PlainPacket, type SealedPacket } from './packets.ts';

/** Of a run on the line, a code byte is before the header. */
const HEADER_AT = 1;
/** Fewer printable bytes than this are more likely noise than words. */
const WORD_BYTES_MIN = 4;

export type LineWord =
  | { readonly kind: 'packet'; readonly packet: PlainPacket | SealedPacket }
  | { readonly kind: 'text'; readonly text: Uint8Array }
  /** A frame that is no packet: noise, or sealed for a session that is over or was never ours. */
  | { readonly kind: 'unreadable' };

export class LineReader {
  readonly counters = {
    packetsReceived: 0,
    bytesReceived: 0,
    runsCorrupt: 0,
    runsMalformed: 0,
    runsTooLong: 0,
    bytesDiscarded: 0,
    consoleRuns: 0,
    formerSession: 0,
    echoed: 0,
    unknown: 0,
  };
  /** The session whose seal is good, and the one before it, whose late packets are told apart from noise. */
  sealId: number | undefined;
  formerSealId: number | undefined;
  /** What we seal with: who hears that hears himself. */
  ownSealId: number | undefined;
  readonly #deframer: Deframer;

  constructor(profile: LineProfile) {
    this.#deframer = new Deframer(Math.max(HELLO_BYTES_MAX, profile.packetBytesTaken));
  }

  /** Never throws on any bytes. `sealId` may change between two words. */
  *read(chunk: Uint8Array): Generator<LineWord> {
    this.counters.bytesReceived += chunk.length;
    for (const event of this.#deframer.push(chunk)) {
      const word =
        event.kind === 'frame'
          ? this.#frame(event.bytes)
          : event.kind === 'console'
            ? this.#words(event.text)
            : this.#discarded(event.bytes, event.reason);
      if (word !== undefined) yield word;
    }
  }

  #frame(frame: Uint8Array): LineWord | undefined {
    const packet = decodePacket(frame, this.sealId);
    if (packet === undefined) return isData(frame[0]) || !looksLikeText(frame) ? this.#unreadable(frame) : this.#text(frame);
    this.counters.packetsReceived += 1;
    if (packet.kind !== 'unknown') return { kind: 'packet', packet };
    this.counters.unknown += 1;
    return undefined;
  }

  /** What is left of a packet with a message of text in it is nobody's console. */
  #words(run: Uint8Array): LineWord | undefined {
    return isData(run[HEADER_AT]) ? this.#discarded(run.length, 'malformed') : this.#text(run);
  }

  #text(text: Uint8Array): LineWord | undefined {
    this.counters.consoleRuns += 1;
    return text.length < WORD_BYTES_MIN ? undefined : { kind: 'text', text };
  }

  #unreadable(frame: Uint8Array): LineWord {
    const isOf = (id: number | undefined) => id !== undefined && decodePacket(frame, id) !== undefined;
    if (isOf(this.formerSealId)) this.counters.formerSession += 1;
    else if (isOf(this.ownSealId)) this.counters.echoed += 1;
    else this.counters.runsCorrupt += 1;
    return { kind: 'unreadable' };
  }

  #discarded(bytes: number, reason: 'malformed' | 'too-long'): undefined {
    this.counters.bytesDiscarded += bytes;
    if (reason === 'too-long') this.counters.runsTooLong += 1;
    else this.counters.runsMalformed += 1;
    return undefined;
  }
}

/** ASCII has no such byte. */
function isData(header: number | undefined): boolean {
  return header !== undefined && (header & DATA_HEADER) !== 0;
}
