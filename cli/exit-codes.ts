/** How a command ends. The numbers are API: they tell a supervisor whether doing it again can help (docs/local-api.md). */
import type { ErrorCode, RingmailError } from '../shared/errors.ts';

export const EXIT = {
  /** Done. */
  ok: 0,
  /** Nothing was there to receive. */
  nothing: 1,
  /** The command line or the configuration is wrong. Doing it again cannot help. */
  usage: 2,
  /** Refused, with a code. Doing it again cannot help. */
  refused: 3,
  /** No node answers and there is no ring to open. Helps once a node runs. */
  unreachable: 4,
  /** Not now: no room, too busy, stopping, or held by another process. Doing it again later can help. */
  later: 5,
  /** Done or not, nobody knows. Doing it again may do it twice. */
  inDoubt: 6,
  /** Nobody reads the output any more. What could not be printed is back in its queue. */
  outputClosed: 7,
  /** Done, and what was looked at is damaged: the output says where and what it costs. */
  damaged: 8,
  /** No ring file, or nothing is left in it that could be told from noise. */
  notRing: 9,
  /** A bug in ringmail. */
  bug: 70,
  /** Asked to end before anything was done. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const EXIT_BY_CODE: Readonly<Partial<Record<ErrorCode, ExitCode>>> = {
  USAGE_INVALID: EXIT.usage,
  CONFIG_INVALID: EXIT.usage,
  RESERVE_TOO_LARGE: EXIT.usage,
  MESSAGE_NOT_FOUND: EXIT.nothing,
  NODE_UNREACHABLE: EXIT.unreachable,
  RING_NOT_FOUND: EXIT.unreachable,
  QUEUE_FULL: EXIT.later,
  BUSY: EXIT.later,
  NODE_STOPPED: EXIT.later,
  SHARING_VIOLATION: EXIT.later,
  RING_LOCKED: EXIT.later,
  SOCKET_IN_USE: EXIT.later,
  LINE_UNAVAILABLE: EXIT.later,
  PORT_NOT_FOUND: EXIT.later,
  PORT_AMBIGUOUS: EXIT.later,
  IN_DOUBT: EXIT.inDoubt,
  LEASE_UNKNOWN: EXIT.inDoubt,
};

export function exitCodeOf(error: RingmailError): ExitCode {
  return EXIT_BY_CODE[error.code] ?? EXIT.refused;
}
