/**
 * How large DATA packets are: as the line's speed says, and smaller while the line loses them. A bit error costs the packet it is in, so
 * with p errors a bit and h bytes around each payload the best payload is √(h / 10p) [the derivative of payload · (1 − p)^bits / bits].
 * A fixed 1,024 bytes would lose two thirds of a line with one bad bit in ten thousand.
 */
import type { LineProfile } from './line-profile.ts';

/** Packets whose fate is known before the size is looked at again. */
const SAMPLE_COUNT = 32;
const BITS_PER_BYTE = 10;
/** Header, number, trailer, delimiters, code byte: around a payload. */
const AROUND_BYTES = 14;
/** As small as a slow line's. */
const PACKET_BYTES_MIN = 64;
/** A sample in which everything was lost says no more than this. */
const LOSS_SHARE_MAX = 0.95;

export class PacketSize {
  readonly #bytesMax: number;
  readonly #adapts: 'to-loss' | 'never';
  #count = 0;
  #lostCount = 0;
  #bytes = 0;
  /** Errors a bit, smoothed. */
  #errorRate = 0;
  #current: number;

  /** `bytesMax`: what our choice and the other side allow. A socket loses nothing. */
  constructor(profile: LineProfile, bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#current = bytesMax;
    this.#adapts = profile.baud === undefined ? 'never' : 'to-loss';
  }

  /** Bytes of the next DATA packet at most, header and trailer included. */
  get bytes(): number {
    return this.#current;
  }

  /** The fate of a packet of this size is known. */
  saw(fate: 'arrived' | 'lost', bytes: number): void {
    if (this.#adapts === 'never') return;
    this.#count += 1;
    this.#bytes += bytes;
    if (fate === 'lost') this.#lostCount += 1;
    if (this.#count < SAMPLE_COUNT) return;
    const share = Math.min(LOSS_SHARE_MAX, this.#lostCount / this.#count);
    const bits = (BITS_PER_BYTE * this.#bytes) / this.#count;
    this.#errorRate += (-Math.log(1 - share) / bits - this.#errorRate) / 2;
    const best = AROUND_BYTES + Math.sqrt(AROUND_BYTES / (BITS_PER_BYTE * this.#errorRate));
    this.#current = Math.round(Math.min(this.#bytesMax, Math.max(PACKET_BYTES_MIN, best)));
    this.#count = 0;
    this.#lostCount = 0;
    this.#bytes = 0;
  }
}
