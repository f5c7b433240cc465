/**
 * What a line's speed says about packets and waits. A line without a speed is a socket: fast, lossless and buffered by the kernel.
 *
 *   baud         DATA packet sent    acknowledges within    first probe, at the least
 *   2,400              64 bytes                   25 ms    its own time on the line comes on top
 *   9,600, 19,200     160 bytes                   25, 5 ms
 *   115,200           246 bytes                    5 ms
 *   512,000 up      1,040 bytes                    5 ms
 *   socket         16,384 bytes                    5 ms    200 ms
 */
import { PACKET_BYTES_MIN, PACKET_NUMBERS, WINDOW_MAX } from './packet-layout.ts';

/** Start bit, eight data bits, stop bit. */
const BITS_PER_BYTE = 10;
/** Payload of one packet, in line time: so long an urgent message waits for the packet before it. */
const PAYLOAD_MS = 20;
/** Below 48 bytes of payload the ten bytes around it cost too much; 1,024 is what a small controller holds. */
const PAYLOAD_BYTES_MIN = 48;
const PAYLOAD_BYTES_MAX = 1024;
/**
 * On a slow line a packet goes out in pieces, and an urgent message cuts it short (line-writer.ts). So it may be longer: 144 bytes of
 * payload are 92 % of what crosses, 48 are 77 %. Other traffic waits for all of it, so not much longer.
 */
const SLOW_PAYLOAD_MS = 150;
const SLOW_PAYLOAD_BYTES_MAX = 144;
/** Header, long handle, packet number, low number, offset, trailer: around a payload on a serial line. */
const OVERHEAD_BYTES = 16;
/** Bodies of 128 bytes by the dozen, one checksum, one system call; 64 of them under way are 1 MiB. */
const SOCKET_PACKET_BYTES = 16_384;
/** An acknowledgement waits this long for a second packet, or for the disk. */
const ACK_DELAY_MS = 5;
const SLOW_ACK_DELAY_MS = 25;
const SLOW_BAUD_MAX = 19_200;
/** A process may be busy with its disk for longer than a serial line is silent. */
const PROBE_MS_MIN = 30;
const SOCKET_PROBE_MS_MIN = 200;

export interface LineProfile {
  readonly baud: number | undefined;
  /** Time of one byte on the line; 0 on sockets. */
  readonly byteMs: number;
  /** Largest packet this side takes, header and trailer included. */
  readonly packetBytesTaken: number;
  /** Largest DATA packet it sends by its own choice; the other side may take less. */
  readonly packetBytesSent: number;
  /** `in-pieces`: a packet that may be cut short is not handed over all at once. */
  readonly handing: 'whole' | 'in-pieces';
  /** Of messages, towards a side that takes both. What a socket saves by the compact one is not worth the work. */
  readonly messageForm: 'compact' | 'full';
  /** Packets this side takes ahead of its acknowledgement. */
  readonly window: number;
  /** How many packet numbers there are; fewer only where all states are explored. */
  readonly packetNumbers: number;
  readonly ackDelayMs: number;
  readonly probeMsMin: number;
}

export function lineProfile(baud: number | undefined): LineProfile {
  const shared = { baud, window: WINDOW_MAX, packetNumbers: PACKET_NUMBERS };
  if (baud === undefined) {
    const packetBytes = SOCKET_PACKET_BYTES;
    const waits = { ackDelayMs: ACK_DELAY_MS, probeMsMin: SOCKET_PROBE_MS_MIN };
    const bytes = { packetBytesTaken: packetBytes, packetBytesSent: packetBytes };
    return { ...shared, byteMs: 0, handing: 'whole', messageForm: 'full', ...bytes, ...waits };
  }
  const byteMs = (1000 * BITS_PER_BYTE) / baud;
  const isSlow = baud <= SLOW_BAUD_MAX;
  const [payloadMs, bytesMax] = isSlow ? [SLOW_PAYLOAD_MS, SLOW_PAYLOAD_BYTES_MAX] : [PAYLOAD_MS, PAYLOAD_BYTES_MAX];
  const payloadBytes = Math.min(bytesMax, Math.max(PAYLOAD_BYTES_MIN, Math.floor(payloadMs / byteMs)));
  return {
    ...shared,
    handing: PAYLOAD_MS / byteMs < PAYLOAD_BYTES_MAX ? 'in-pieces' : 'whole',
    messageForm: 'compact',
    byteMs,
    packetBytesTaken: Math.max(PACKET_BYTES_MIN, PAYLOAD_BYTES_MAX + OVERHEAD_BYTES),
    packetBytesSent: payloadBytes + OVERHEAD_BYTES,
    ackDelayMs: baud < SLOW_BAUD_MAX ? SLOW_ACK_DELAY_MS : ACK_DELAY_MS,
    probeMsMin: PROBE_MS_MIN,
  };
}
