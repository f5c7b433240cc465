/** How a session ends when it is not the other side that says goodbye: what the log says, which BYE goes out, and how long a dialler rests. */
import { HELLO_MS_MAX } from './dialler.ts';
import type { Condition, Verdict } from './exchange.ts';
import { BYE_REASON } from './packet-layout.ts';

export interface SessionEnd {
  readonly reason: string;
  /** A BYE_REASON; undefined: nothing is said, the other side is not there or will hear a HELLO. */
  readonly bye: number | undefined;
  readonly restMs: number;
}

export const SESSION_END: Readonly<Record<Exclude<Condition | Verdict, 'good'>, SessionEnd>> = {
  silent: { reason: 'nothing heard', bye: undefined, restMs: 0 },
  stuck: { reason: 'no cursor moves', bye: undefined, restMs: 0 },
  clogged: { reason: 'what is kept for full queues is in the way', bye: BYE_REASON.restart, restMs: 0 },
  fenced: { reason: 'a newer session of the same node', bye: BYE_REASON.fenced, restMs: HELLO_MS_MAX },
  protocol: { reason: 'the other side breaks the protocol', bye: BYE_REASON.protocol, restMs: HELLO_MS_MAX },
  version: { reason: 'the other side needs a newer version', bye: BYE_REASON.version, restMs: HELLO_MS_MAX },
};
