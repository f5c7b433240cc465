/**
 * When bytes may be handed to the line. What a driver holds cannot be overtaken: 4 KiB at 9,600 baud are four seconds that an urgent
 * message would wait. So a serial line gets one packet at a time, or 15 ms of them, by the clock and by what the line says it holds.
 *
 *   serial   written ─▶ on the wire until `freeAtMs` ─▶ the next packet a little before that, so that the line does not rest
 *            in pieces ─▶ 15 ms of them at most, the next when less than 5 ms are left: what is not handed over can still be cut off
 *   socket   written ─▶ no more once 256 KiB are unsent, until the line says that it has less
 */
import type { LineProfile } from './line-profile.ts';

/** A socket holds this many bytes, and at most one write more. */
export const SOCKET_UNSENT_BYTES_MAX = 256 * 1024;
/** On a serial line, of all that was handed over. */
const AHEAD_MS_MAX = 15;
/** How much too early the next packet may come: a timer is late by about as much. */
const EARLY_MS = 2;
/** Of the pieces of a packet: a timer that is late by less costs nothing. */
const PIECE_EARLY_MS = 4;
/** Of a packet in pieces: so long an urgent message waits at least. */
const PIECES_AHEAD_MS_MAX = 8;

export class Pacing {
  readonly #profile: LineProfile;
  readonly #earlyMs: number;
  #freeAtMs = Number.NEGATIVE_INFINITY;
  #unsentBytes = 0;

  constructor(profile: LineProfile) {
    this.#profile = profile;
    this.#earlyMs = Math.max(EARLY_MS, AHEAD_MS_MAX - profile.packetBytesSent * profile.byteMs);
  }

  mayWrite(nowMs: number): boolean {
    if (this.#profile.baud === undefined) return this.#unsentBytes < SOCKET_UNSENT_BYTES_MAX;
    return this.#unsentBytes <= this.#profile.packetBytesSent && nowMs >= this.#freeAtMs - this.#earlyMs;
  }

  /** When time alone will allow the next write; undefined when the line has to speak first. */
  get mayWriteAtMs(): number | undefined {
    if (this.#profile.baud === undefined) return undefined;
    return this.#unsentBytes > this.#profile.packetBytesSent ? undefined : this.#freeAtMs - this.#earlyMs;
  }

  /** Bytes of a packet in pieces that may be handed over now; 0: the line has enough for the time being. */
  pieceBytes(nowMs: number): number {
    const atMs = this.pieceAtMs;
    if (atMs === undefined || nowMs < atMs) return 0;
    const aheadMs = Math.max(0, this.#freeAtMs - nowMs);
    return Math.max(1, Math.floor((PIECES_AHEAD_MS_MAX - aheadMs) / this.#profile.byteMs));
  }

  /** When the next piece is due; undefined when the line has to speak first. */
  get pieceAtMs(): number | undefined {
    return this.#unsentBytes > this.#profile.packetBytesSent ? undefined : this.#freeAtMs - PIECE_EARLY_MS;
  }

  /** What was handed over last is on the wire still: what comes now follows it without a pause. Of a socket nobody knows. */
  isOnWire(nowMs: number): boolean {
    return this.#profile.baud !== undefined && nowMs <= this.#freeAtMs;
  }

  /** Bytes were handed over. Returns when the last of them is on the wire. */
  wrote(bytes: number, nowMs: number): number {
    if (this.#profile.baud === undefined) {
      this.#unsentBytes += bytes;
      return nowMs;
    }
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + bytes * this.#profile.byteMs;
    return this.#freeAtMs;
  }

  /** What the line says it holds. */
  unsent(bytes: number): void {
    this.#unsentBytes = bytes;
  }
}
