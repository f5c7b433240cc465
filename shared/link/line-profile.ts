/**
 * What a line's speed says about packets and waits. A line without a speed is a socket: fast, lossless and buffered by the kernel.
 *
 *   baud         DATA packet sent    acknowledges within    first probe, at the least
 *   9,600              64 bytes                   25 ms    its own time on the line comes on top
 *   115,200           246 bytes                    5 ms
 *   512,000 up      1,040 bytes                    5 ms
 *   socket         16,384 bytes                    5 ms    200 ms
 */
import { PACKET_BYTES_MIN, WINDOW_MAX } from './packet-layout.ts';

/** Start bit, eight data bits, stop bit. */
const BITS_PER_BYTE = 10;
/** Payload of one packet, in line time: so long an urgent message waits for the packet before it. */
const PAYLOAD_MS = 20;
/** Below 48 bytes of payload the ten bytes around it cost too much; 1,024 is what a small controller holds. */
const PAYLOAD_BYTES_MIN = 48;
const PAYLOAD_BYTES_MAX = 1024;
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
  /** Packets this side takes ahead of its acknowledgement. */
  readonly window: number;
  readonly ackDelayMs: number;
  readonly probeMsMin: number;
}

export function lineProfile(baud: number | undefined): LineProfile {
  const shared = { baud, window: WINDOW_MAX };
  if (baud === undefined) {
    const packetBytes = SOCKET_PACKET_BYTES;
    const waits = { ackDelayMs: ACK_DELAY_MS, probeMsMin: SOCKET_PROBE_MS_MIN };
    return { ...shared, byteMs: 0, packetBytesTaken: packetBytes, packetBytesSent: packetBytes, ...waits };
  }
  const byteMs = (1000 * BITS_PER_BYTE) / baud;
  const payloadBytes = Math.min(PAYLOAD_BYTES_MAX, Math.max(PAYLOAD_BYTES_MIN, Math.floor(PAYLOAD_MS / byteMs)));
  return {
    ...shared,
    byteMs,
    packetBytesTaken: Math.max(PACKET_BYTES_MIN, PAYLOAD_BYTES_MAX + OVERHEAD_BYTES),
    packetBytesSent: payloadBytes + OVERHEAD_BYTES,
    ackDelayMs: baud < SLOW_BAUD_MAX ? SLOW_ACK_DELAY_MS : ACK_DELAY_MS,
    probeMsMin: PROBE_MS_MIN,
  };
}
