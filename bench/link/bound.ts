/**
 * What an ideal selective repeat would reach on the same line: it never waits, knows at once what was lost, repeats nothing else, and
 * its acknowledgements cost nothing. It knows the error rate and takes the packets that are best for it.
 *
 *   goodput = bytes/s of the line · (1 − e)^w · b / w      e: share of bytes with an error, w: bytes of the packet on the line,
 *                                                          b: bytes of bodies in it
 *
 *   packet     ten bytes around its payload, whatever ours has
 *   payload    of one message or a part of one: its bytes and nothing else; of several: a byte of length before each
 *   at most    20 ms of line time, not below 48 and not above 1,024 bytes: an urgent message has to wait for the packet before it.
 *              Up to 19,200 baud 144 bytes: there a packet may be cut short for it
 */
import { byteErrorRate, type Cell } from './cells.ts';

const AROUND_BYTES = 10;
const LENGTH_BYTES = 1;
const BITS_PER_BYTE = 10;
const PAYLOAD_MS = 20;
const PAYLOAD_BYTES_MIN = 48;
const PAYLOAD_BYTES_MAX = 1024;
const SLOW_BAUD_MAX = 19_200;
const SLOW_PAYLOAD_BYTES = 144;

export interface Bound {
  /** Bytes of bodies a second. */
  readonly goodput: number;
  /** The packet that reaches it. */
  readonly payloadBytes: number;
}

type Line = Pick<Cell, 'baud' | 'bitErrorRate'>;

/** `polite`: packets no longer than an urgent message may wait. `selfish`: any up to 1,024 bytes. */
export function boundOf(bodyBytes: number, line: Line, packets: 'polite' | 'selfish'): Bound {
  return best(packets === 'polite' ? politeBytesMax(line) : PAYLOAD_BYTES_MAX, bodyBytes, (payloadBytes) => {
    const wireBytes = payloadBytes + AROUND_BYTES;
    return (wireBytes * byteMsOf(line)) / arrives(wireBytes, line);
  });
}

/** For comparison: one packet, then its acknowledgement, of ten bytes too; the next one, or the same again without a wait too long. */
export function stopAndWaitOf({ bodyBytes, delayMs, ...line }: Cell): Bound {
  return best(politeBytesMax(line), bodyBytes, (payloadBytes) => {
    const wireBytes = payloadBytes + 2 * AROUND_BYTES;
    return (wireBytes * byteMsOf(line) + 2 * delayMs) / arrives(wireBytes, line);
  });
}

/** The best size of packets, if one with so much payload takes `packetMs` until it has arrived. */
function best(payloadBytesMax: number, bodyBytes: number, packetMs: (payloadBytes: number) => number): Bound {
  let found: Bound = { goodput: 0, payloadBytes: 0 };
  for (let payloadBytes = 1; payloadBytes <= payloadBytesMax; payloadBytes++) {
    const goodput =
      1000 *
      (payloadBytes <= bodyBytes ? inParts(bodyBytes, payloadBytes, packetMs) : together(bodyBytes, payloadBytes, packetMs));
    if (goodput > found.goodput) found = { goodput, payloadBytes };
  }
  return found;
}

/** Bytes of bodies in a ms: the last part of a message has what is left. */
function inParts(bodyBytes: number, payloadBytes: number, packetMs: (payloadBytes: number) => number): number {
  const whole = Math.floor(bodyBytes / payloadBytes);
  const rest = bodyBytes % payloadBytes;
  return bodyBytes / (whole * packetMs(payloadBytes) + (rest === 0 ? 0 : packetMs(rest)));
}

/** Bytes of bodies in a ms: as many messages in a packet as fit. */
function together(bodyBytes: number, payloadBytes: number, packetMs: (payloadBytes: number) => number): number {
  const count = Math.max(1, Math.floor(payloadBytes / (bodyBytes + LENGTH_BYTES)));
  return (count * bodyBytes) / packetMs(payloadBytes);
}

function politeBytesMax({ baud }: Pick<Cell, 'baud'>): number {
  if (baud <= SLOW_BAUD_MAX) return SLOW_PAYLOAD_BYTES;
  const inTime = Math.floor(PAYLOAD_MS / byteMsOf({ baud }));
  return Math.min(PAYLOAD_BYTES_MAX, Math.max(PAYLOAD_BYTES_MIN, inTime));
}

function byteMsOf({ baud }: Pick<Cell, 'baud'>): number {
  return (1000 * BITS_PER_BYTE) / baud;
}

function arrives(wireBytes: number, { bitErrorRate }: Line): number {
  return (1 - byteErrorRate(bitErrorRate)) ** wireBytes;
}
