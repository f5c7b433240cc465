/**
 * How long an acknowledgement takes, and so when to ask for one that did not come [RFC 6298, RFC 9002 §5–6.2]. Only the packet an ACK
 * names as its newest is measured, from the instant its last bit leaves: a line has no queue that could hide in the figure.
 *
 *   probe after   srtt + max(4 rttvar, 1 ms) + the other side's delay + the longest packet it may be in the middle of + its ACK
 *   doubled       each time in vain, to two seconds or four times itself; there is no last time
 */
import type { LineProfile } from './line-profile.ts';

/** Guess before the first measurement: a USB adapter at each end, and the other side's event loop. */
const FIRST_MS = 20;
/** A line that loses nine of ten packets still gets one through in half a minute; one that is dead is found dead before that. */
const PROBE_MS_MAX = 2_000;
const PROBE_FACTOR_MAX = 4;
/** An ACK with a bitmap and two records. */
const ACK_BYTES = 36;

export class RoundTrip {
  readonly #profile: LineProfile;
  readonly #peerDelayMs: number;
  #smoothMs: number;
  #varianceMs: number;
  #samples: 'none' | 'some' = 'none';
  #doublings = 0;

  constructor(profile: LineProfile, peerDelayMs: number) {
    this.#profile = profile;
    this.#peerDelayMs = peerDelayMs;
    this.#smoothMs = 2 * profile.packetBytesSent * profile.byteMs + FIRST_MS;
    this.#varianceMs = this.#smoothMs / 2;
  }

  get smoothMs(): number {
    return this.#smoothMs;
  }

  /** Sent and acknowledged in this time, of which the other side says it waited `delayMs`. */
  measured(elapsedMs: number, delayMs: number): void {
    this.#doublings = 0;
    const ms = Math.max(0, elapsedMs - delayMs);
    if (this.#samples === 'none') {
      this.#samples = 'some';
      this.#smoothMs = ms;
      this.#varianceMs = ms / 2;
    } else {
      this.#varianceMs += (Math.abs(this.#smoothMs - ms) - this.#varianceMs) / 4;
      this.#smoothMs += (ms - this.#smoothMs) / 8;
    }
  }

  /** A probe went out: the next one waits twice as long. */
  doubled(): void {
    this.#doublings += 1;
  }

  /** How long after the last packet, or after the last good word about one, the next probe is due. */
  get probeMs(): number {
    const { byteMs, packetBytesTaken, packetBytesSent, probeMsMin } = this.#profile;
    const lineMs = (Math.min(packetBytesTaken, 2 * packetBytesSent) + ACK_BYTES) * byteMs;
    const ms = this.#smoothMs + Math.max(4 * this.#varianceMs, 1) + this.#peerDelayMs + lineMs;
    const first = Math.max(probeMsMin, ms);
    return Math.min(first * 2 ** Math.min(this.#doublings, 16), Math.max(PROBE_MS_MAX, PROBE_FACTOR_MAX * first));
  }
}
