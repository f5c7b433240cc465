/**
 * What goes to the line: packets sealed, stuffed, paced, and put together into as few writes as there are steps.
 *
 *   whole       ──▶ the line
 *   in pieces   ──▶ the line, 15 ms of it ──▶ the rest, as the line takes it
 *                                         └─▶ cut: the rest is never sent. The zero in front of the next packet ends what was, its
 *                                             checksum does not hold, and so its number is missing at the other side
 */
import { concatBytes } from '../bytes.ts';
import type { Meter } from '../custody/meter.ts';
import { frameForLine } from './cobs.ts';
import type { LineProfile } from './line-profile.ts';
import { Pacing } from './pacing.ts';
import { encodePacket, type PlainPacket, type SealedPacket } from './packets.ts';

/** A rest that takes less is not worth a packet: whoever wants to cut it off waits for it. */
export const CUT_MS_MIN = 6;
/** Plain packets that wait for the line. More are repeats. */
const PLAIN_WAITING_MAX = 8;

export class LineWriter {
  readonly counters = { packetsSent: 0, bytesSent: 0 };
  readonly #pacing: Pacing;
  readonly #profile: LineProfile;
  readonly #meter: Meter | undefined;
  #plain: PlainPacket[] = [];
  #chunks: Uint8Array[] = [];
  /** Of the packet under way, not handed over. */
  #rest: Uint8Array = NOTHING;
  /** The packet before: it has its zero behind, or not. */
  #ended: 'whole' | 'cut' = 'whole';

  /** `meter`: counts all that is written. */
  constructor(profile: LineProfile, meter?: Meter) {
    this.#profile = profile;
    this.#meter = meter;
    this.#pacing = new Pacing(profile);
  }

  mayWrite(nowMs: number): boolean {
    return this.#rest.length === 0 && this.#pacing.mayWrite(nowMs);
  }

  /** When time alone will allow the next write. */
  get mayWriteAtMs(): number | undefined {
    return this.#rest.length === 0 ? this.#pacing.mayWriteAtMs : this.#pacing.pieceAtMs;
  }

  /** The packet under way is so far from its end that cutting it off pays. */
  get isCuttable(): boolean {
    return this.#rest.length * this.#profile.byteMs >= CUT_MS_MIN;
  }

  /** What is not handed over of the packet under way is never sent. The next packet may be written at once. */
  cut(): void {
    this.#ended = 'cut';
    this.#rest = NOTHING;
  }

  /** Hands over what the line may have of the packet under way. */
  goOn(nowMs: number): void {
    const bytes = this.#rest.length > 0 ? this.#pacing.pieceBytes(nowMs) : 0;
    if (bytes > 0) this.#hand(bytes, nowMs);
  }

  /** Plain packets wait for the line like all others; the same one twice is one. */
  say(packet: PlainPacket): void {
    if (this.#plain.length < PLAIN_WAITING_MAX && !this.#plain.includes(packet)) this.#plain.push(packet);
  }

  /** Writes the plain packet that waits longest; false when none does. */
  writePlain(nowMs: number): boolean {
    const packet = this.#plain.shift();
    if (packet === undefined) return false;
    this.write(packet, { sealId: 0, nowMs });
    return true;
  }

  /** Returns what the packet takes on the line, and when its last bit leaves. */
  write(
    packet: PlainPacket | SealedPacket,
    at: { readonly sealId: number; readonly nowMs: number; readonly handing?: LineProfile['handing'] },
  ): { bytes: number; sentAtMs: number } {
    const bounded = frameForLine(encodePacket(packet, at.sealId));
    // Right behind a whole packet its zero is ours too: a byte saved in each packet of a busy line.
    const follows = this.#ended === 'whole' && this.#pacing.isOnWire(at.nowMs);
    const framed = follows ? bounded.subarray(1) : bounded;
    this.#ended = 'whole';
    this.counters.packetsSent += 1;
    this.#rest = framed;
    const isInPieces = at.handing === 'in-pieces' && this.#profile.handing === 'in-pieces';
    const handedAtMs = this.#hand(isInPieces ? this.#pacing.pieceBytes(at.nowMs) : framed.length, at.nowMs);
    return { bytes: framed.length, sentAtMs: handedAtMs + this.#rest.length * this.#profile.byteMs };
  }

  /** Returns when the last bit of what was handed over leaves. */
  #hand(bytes: number, nowMs: number): number {
    const piece = this.#rest.subarray(0, bytes);
    this.#rest = this.#rest.subarray(piece.length);
    this.#chunks.push(piece);
    this.counters.bytesSent += piece.length;
    this.#meter?.spend(piece.length, nowMs);
    return this.#pacing.wrote(piece.length, nowMs);
  }

  /** What the line says it holds. */
  unsent(bytes: number): void {
    this.#pacing.unsent(bytes);
  }

  /** Everything written since the last time, as one piece. */
  take(): Uint8Array | undefined {
    const [first, ...more] = this.#chunks;
    if (first === undefined) return undefined;
    const bytes = more.length === 0 ? first : concatBytes(this.#chunks);
    this.#chunks = [];
    return bytes;
  }
}

const NOTHING = new Uint8Array(0);
