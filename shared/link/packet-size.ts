/**
 * How large DATA packets are: as the line's speed says, and smaller while the line loses them. An error costs the packet it is in, so
 * with e errors a byte and a bytes around each payload the best one is x with x · (x + a) = a / e [the derivative of what arrives for each
 * byte on the line, x / (x + a) · exp(−e · (x + a))]: a little less than √(a / e). A fixed 1,024 bytes would lose more than half of a line
 * with one bad bit in ten thousand.
 *
 *   messages are not of that size   another one joins a packet that becomes better by it, or no worse; one goes in as many parts
 *                                   as come nearest to the best payload
 *   64 fates known                  e from the share that was lost, smoothed
 *   4 losses one after the other    half the payload at once: few packets may be under way, and none get through
 */
import type { LineProfile } from './line-profile.ts';

/** Packets whose fate is known before the size is looked at again. */
const SAMPLE_COUNT = 64;
const LOST_IN_A_ROW_MAX = 4;
/** Header, number, low number, check, trailer, a delimiter, code byte: around a payload. */
const AROUND_BYTES = 12;
/** Packets are then as small as a slow line's. */
const PAYLOAD_BYTES_MIN = 48;
/** Best with it is the smallest payload. */
const ERROR_RATE_MAX = errorRateOf(PAYLOAD_BYTES_MIN);
/** A sample in which everything was lost says no more than this. */
const LOSS_SHARE_MAX = 0.95;

export class PacketSize {
  readonly #adapts: 'to-loss' | 'never';
  #bytesMax: number;
  #count = 0;
  #lostCount = 0;
  #lostInARow = 0;
  #bytes = 0;
  /** Errors a byte, smoothed. */
  #errorRate = 0;
  #bestPayload = Number.POSITIVE_INFINITY;

  /** Of one line: what was learnt holds for its next session, too. */
  constructor(profile: LineProfile) {
    this.#bytesMax = profile.packetBytesSent;
    this.#adapts = profile.baud === undefined ? 'never' : 'to-loss';
  }

  /** What our choice and the other side of this session allow. */
  limit(bytesMax: number): void {
    this.#bytesMax = bytesMax;
  }

  /** Bytes of a DATA packet at most, header and trailer included. */
  get bytesMax(): number {
    return this.#bytesMax;
  }

  /** Bytes of payload that are best on this line; infinite when nothing is lost. */
  get bestPayload(): number {
    return this.#bestPayload;
  }

  /** A payload of `to` bytes, which are more, is as good as one of `from` or better. */
  mayGrow(from: number, to: number): boolean {
    return this.#errorRate === 0 || this.#worth(to) >= this.#worth(from);
  }

  /** In how many parts so many bytes ought to go, of which one packet has room for `room`. */
  partCount(bytes: number, room: number): number {
    const least = Math.max(1, Math.ceil(bytes / room));
    // The best payload is between that of so many parts and that of one more.
    const few = Math.max(least, Math.floor(bytes / this.#bestPayload));
    return this.mayGrow(bytes / (few + 1), bytes / few) ? few : few + 1;
  }

  /** The fate of a packet of so many bytes on the line is known. */
  saw(fate: 'arrived' | 'lost', bytes: number): void {
    if (this.#adapts === 'never') return;
    this.#count += 1;
    this.#bytes += bytes;
    this.#lostInARow = fate === 'lost' ? this.#lostInARow + 1 : 0;
    if (fate === 'lost') this.#lostCount += 1;
    if (this.#lostInARow >= LOST_IN_A_ROW_MAX) this.#halve();
    if (this.#count >= SAMPLE_COUNT) this.#learn();
  }

  /** Payload that arrives for each byte on the line. */
  #worth(payload: number): number {
    const bytes = payload + AROUND_BYTES;
    return (payload / bytes) * Math.exp(-bytes * this.#errorRate);
  }

  /** From the largest payload that may have been lost. */
  #halve(): void {
    this.#learnt(errorRateOf(Math.min(this.#bytesMax, this.#bestPayload) / 2));
  }

  #learn(): void {
    const share = Math.min(LOSS_SHARE_MAX, this.#lostCount / this.#count);
    const bytes = this.#bytes / this.#count;
    this.#learnt((this.#errorRate - Math.log(1 - share) / bytes) / 2);
  }

  #learnt(errorRate: number): void {
    this.#errorRate = Math.min(ERROR_RATE_MAX, errorRate);
    this.#bestPayload = Math.sqrt(AROUND_BYTES / this.#errorRate + AROUND_BYTES ** 2 / 4) - AROUND_BYTES / 2;
    this.#count = 0;
    this.#lostCount = 0;
    this.#lostInARow = 0;
    this.#bytes = 0;
  }
}

/** Errors a byte with which this payload is the best. */
function errorRateOf(payload: number): number {
  return AROUND_BYTES / (payload * (payload + AROUND_BYTES));
}
