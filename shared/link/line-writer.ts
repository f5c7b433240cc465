/** What goes to the line: packets sealed, stuffed, paced, and put together into as few writes as there are steps. */
import { concatBytes } from '../bytes.ts';
import { frameForLine } from './cobs.ts';
import type { LineProfile } from './line-profile.ts';
import { Pacing } from './pacing.ts';
import { encodePacket, type PlainPacket, type SealedPacket } from './packets.ts';

/** Plain packets that wait for the line. More are repeats. */
const PLAIN_WAITING_MAX = 8;

export class LineWriter {
  readonly counters = { packetsSent: 0, bytesSent: 0 };
  readonly #pacing: Pacing;
  #plain: PlainPacket[] = [];
  #chunks: Uint8Array[] = [];

  constructor(profile: LineProfile) {
    this.#pacing = new Pacing(profile);
  }

  mayWrite(nowMs: number): boolean {
    return this.#pacing.mayWrite(nowMs);
  }

  /** When time alone will allow the next write. */
  get mayWriteAtMs(): number | undefined {
    return this.#pacing.mayWriteAtMs;
  }

  /** Plain packets wait for the line like all others; the same one twice is one. */
  say(packet: PlainPacket): void {
    if (this.#plain.length < PLAIN_WAITING_MAX && !this.#plain.includes(packet)) this.#plain.push(packet);
  }

  /** Writes the plain packet that waits longest; false when none does. */
  writePlain(nowMs: number): boolean {
    const packet = this.#plain.shift();
    if (packet === undefined) return false;
    this.write(packet, { sid: 0, nowMs });
    return true;
  }

  /** Returns what the packet takes on the line, and when its last bit leaves. */
  write(packet: PlainPacket | SealedPacket, at: { sid: number; nowMs: number }): { bytes: number; sentAtMs: number } {
    const framed = frameForLine(encodePacket(packet, at.sid));
    this.#chunks.push(framed);
    this.counters.packetsSent += 1;
    this.counters.bytesSent += framed.length;
    return { bytes: framed.length, sentAtMs: this.#pacing.wrote(framed.length, at.nowMs) };
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
