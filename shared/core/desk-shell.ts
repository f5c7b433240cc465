/** What the desks share: whom they answer, how long anybody may wait, and what the outcome of a write is called. */
import type { Hop } from '../custody/hops.ts';
import type { Intake } from '../custody/intake.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { RingmailError } from '../errors.ts';
import type { Random } from '../ports.ts';
import type { Outcome, Ring } from '../ring/ring.ts';
import type { CallResult, Durability, Stats } from './calls.ts';
import type { Endings } from './endings.ts';
import type { MoreDesks } from './no-desk.ts';

/** Longest wait of a receive or a send, and longest lease: a day. What needs more asks again. */
export const WAIT_MS_MAX = 86_400_000;

export interface DeskShell {
  readonly answer: (token: number, result: CallResult) => void;
  readonly stats: () => Stats;
  /** What an answer means that came after the write. */
  readonly durability: () => Durability;
  /** Sends are answered at once and written within this time; undefined: after the write. */
  readonly intervalMs: number | undefined;
  /** For what is left to chance: the jitter of back-off. */
  readonly random: Random;
  /** The node at the other end of a way; '' as long as it is not known. */
  readonly neighbourOn: (hop: Hop) => string;
  /** How long a send waits for room when it does not say. */
  readonly blockMs: number;
  /** How long a hole is waited for; undefined: HOLE_WAIT_MS. */
  readonly holeWaitMs: number | undefined;
}

/** What the desks of a node work with. */
export interface DeskParts {
  readonly store: NodeStore;
  readonly intake: Intake;
  readonly shell: DeskShell;
  readonly endings: Endings;
  readonly handles: InstanceType<MoreDesks['Handles']>;
  readonly repeats: InstanceType<MoreDesks['Repeats']>;
  readonly express: InstanceType<MoreDesks['ExpressSends']>;
  readonly Seeking: MoreDesks['Seeking'];
}

/** `result` once it is durable, or the error that says what is known instead. */
export function outcomeResult(ring: Ring, outcome: Outcome, result: CallResult): CallResult {
  if (outcome === 'durable') return result;
  const reason = ring.failure?.message ?? 'stopped';
  const identity = result.kind === 'sent' ? result.identity : result.kind === 'committed' ? (result.identities[0] ?? '') : '';
  const error =
    outcome === 'in-doubt'
      ? new RingmailError('IN_DOUBT', { identity, epoch: ring.epoch.counter, reason })
      : new RingmailError('NODE_STOPPED', { reason });
  return { kind: 'error', error };
}

/** @throws PROPERTY_INVALID */
export function boundedMs(ms: number): number {
  if (!Number.isFinite(ms) || ms < 0)
    throw new RingmailError('PROPERTY_INVALID', { property: 'time', reason: 'not milliseconds' });
  return Math.min(ms, WAIT_MS_MAX);
}
