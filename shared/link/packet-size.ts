/**
 * How large DATA packets are: as the line's speed says, and smaller while the line loses them. A bit error costs the packet it is in, so
 * with p errors a bit and h bytes around each payload the best payload is √(h / 10p) [the derivative of payload · (1 − p)^bits / bits].
 * A fixed 1,024 bytes would lose two thirds of a line with one bad bit in ten thousand.
 *
 *   32 fates known                 p from the share that was lost, smoothed
 *   4 losses one after the other   half the payload at once: few packets may be under way, and none get through
 */
import type { LineProfile } from './line-profile.ts';

/** Packets whose fate is known before the size is looked at again. */
const SAMPLE_COUNT = 32;
const LOST_IN_A_ROW_MAX = 4;
const BITS_PER_BYTE = 10;
/** Header, number, trailer, delimiters, code byte: around a payload. */
const AROUND_BYTES = 14;
/** As small as a slow line's. */
const PACKET_BYTES_MIN = 64;
/** A sample in which everything was lost says no more than this. */
const LOSS_SHARE_MAX = 0.95;

export class PacketSize {
  readonly #adapts: 'to-loss' | 'never';
  #bytesMax: number;
  #count = 0;
  #lostCount = 0;
  #lostInARow = 0;
  #bytes = 0;
  /** Errors a bit, smoothed. */
  #errorRate = 0;

  /** Of one line: what was learnt holds for its next session, too. */
  constructor(profile: LineProfile) {
    this.#bytesMax = profile.packetBytesSent;
    this.#adapts = profile.baud === undefined ? 'never' : 'to-loss';
  }

  /** What our choice and the other side of this session allow. */
  limit(bytesMax: number): void {
    this.#bytesMax = bytesMax;
  }

  /** Bytes of the next DATA packet at most, header and trailer included. */
  get bytes(): number {
    const best = AROUND_BYTES + Math.sqrt(AROUND_BYTES / (BITS_PER_BYTE * this.#errorRate));
    return Math.round(Math.min(this.#bytesMax, Math.max(PACKET_BYTES_MIN, best)));
  }

  /** The fate of a packet of this size is known. */
  saw(fate: 'arrived' | 'lost', bytes: number): void {
    if (this.#adapts === 'never') return;
    this.#count += 1;
    this.#bytes += bytes;
    this.#lostInARow = fate === 'lost' ? this.#lostInARow + 1 : 0;
    if (fate === 'lost') this.#lostCount += 1;
    if (this.#lostInARow >= LOST_IN_A_ROW_MAX) this.#halve();
    if (this.#count >= SAMPLE_COUNT) this.#learn();
  }

  #halve(): void {
    const payload = Math.max(1, (this.bytes - AROUND_BYTES) / 2);
    this.#errorRate = AROUND_BYTES / (BITS_PER_BYTE * payload * payload);
    this.#forget();
  }

  #learn(): void {
    const share = Math.min(LOSS_SHARE_MAX, this.#lostCount / this.#count);
    const bits = (BITS_PER_BYTE * this.#bytes) / this.#count;
    this.#errorRate += (-Math.log(1 - share) / bits - this.#errorRate) / 2;
    this.#forget();
  }

  #forget(): void {
    this.#count = 0;
    this.#lostCount = 0;
    this.#lostInARow = 0;
    this.#bytes = 0;
  }
}
