/** Rows of results: what stands on stdout, one JSON object a line. A field that was not measured is absent. */
import { rounded } from '../link/rounded.ts';

export type Subject = 'ringmail' | 'mosquitto-bridge' | 'mqtt-client' | 'mqtt-client-level' | 'mqtt-client-jsonl' | 'nats';

export interface Row {
  readonly case: string;
  readonly subject: Subject;
  readonly messagesPerSecond?: number | undefined;
  readonly p50Ms?: number | undefined;
  readonly p99Ms?: number | undefined;
  /** Of what was acknowledged. */
  readonly lost?: number | undefined;
  readonly duplicated?: number | undefined;
  /** With `backlog`: what the devices still had when the time was up. */
  readonly left?: number | undefined;
  /** Of the process that relays: gateway, edge broker, or client; with `backlog` beyond what it had idle. */
  readonly rssMb?: number | undefined;
  /** With `kill` and `powercut`. */
  readonly acknowledged?: number | undefined;
  /** Of processor time per message, all threads: of the gateway, and of the central. */
  readonly gatewayCpuUs?: number | undefined;
  readonly centralCpuUs?: number | undefined;
  /** With `backlog`: messages in the gateway's ring at the most. */
  readonly gatewayMessagesMax?: number | undefined;
}

const DIGITS: Readonly<Record<string, number>> = {
  messagesPerSecond: 0,
  p50Ms: 2,
  p99Ms: 2,
  rssMb: 1,
  gatewayCpuUs: 1,
  centralCpuUs: 1,
};

export function rowOf(row: Row): Row {
  return rounded(row, DIGITS, 0);
}
