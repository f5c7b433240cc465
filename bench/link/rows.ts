/** Rows of results: what stands on stdout, one JSON object a line. A field that was not measured is absent. */
import { rounded } from './rounded.ts';

/** `ideal`: the bound itself. `ideal-selfish`: the same without the limit that urgent messages set to packets. */
export type Subject = 'ringmail' | 'ideal' | 'ideal-selfish' | 'stop-and-wait';

export interface Row {
  readonly case: string;
  readonly subject: Subject;
  /** Bytes of bodies a second that became durable on the other side. */
  readonly goodput?: number | undefined;
  readonly bound?: number | undefined;
  readonly ratio?: number | undefined;
  /** The same, with messages as the ring stores them in place of their bodies, on both sides of the comparison. */
  readonly messageBytes?: number | undefined;
  readonly messageRatio?: number | undefined;
  /** Share of the line's time in which it carried something. */
  readonly lineShare?: number | undefined;
  readonly lostShare?: number | undefined;
  /** Payload of the packet that reaches the bound. */
  readonly payloadBytes?: number | undefined;
  readonly ms?: number | undefined;
  readonly ownMs?: number | undefined;
  /** Not the worst, as `ms` is. */
  readonly medianMs?: number | undefined;
  /** Of `urgent`: the first one, which opens its stream. */
  readonly firstMs?: number | undefined;
  readonly messagesPerSecond?: number | undefined;
  readonly cpuUsPerMessage?: number | undefined;
}

/** Digits behind the point. */
const DIGITS: Readonly<Record<string, number>> = {
  ratio: 4,
  messageRatio: 4,
  lineShare: 4,
  lostShare: 4,
  messagesPerSecond: 0,
  payloadBytes: 0,
};
const DIGITS_OTHERWISE = 2;

export function rowOf(row: Row): Row {
  return rounded(row, DIGITS, DIGITS_OTHERWISE);
}
