/**
 * What goes wrong in a hall, and when: each target once, one slot of the run for each, in an order the seed decides.
 *
 *   run   0 ───┬────────┬────────┬────────┬────────┬─── forMs
 *              │ slot 1 │ slot 2 │ slot 3 │ slot 4 │        first and last part of the run are undisturbed
 *              │   ▓▓▓▓▓▓▓       │   ▓▓▓▓▓│        │        an outage may reach into the slot behind it
 *
 * Pure: the same targets, length and seed give the same plan.
 */

import { invariant } from '../../shared/assert.ts';
import type { Prng } from '../random.ts';

/** `kill -9` of a process, but `cable`: unplugged, and plugged in again under another number. */
export type OutageTarget = 'broker' | 'gateway' | 'device' | 'central' | 'node' | 'cable';

export const FULL_HALL_TARGETS: readonly OutageTarget[] = ['broker', 'gateway', 'device', 'central', 'cable'];
export const COMPACT_HALL_TARGETS: readonly OutageTarget[] = ['broker', 'node', 'central', 'cable'];

/** Shortest run that has room for them, in ms: a slot of 1.7 s each for five. */
export const OUTAGE_RUN_MS_MIN = 10_000;
/** How long each lasts, in ms: a reboot, a cable that is found on the floor. Less where the run has no room for it. */
export const OUTAGE_MS_MIN = 1_000;
export const OUTAGE_MS_MAX = 3_000;

/** Shares of the run. */
const QUIET_START = 0.05;
const QUIET_END = 0.1;
/** Share of its slot within which an outage begins. */
const BEGINS_WITHIN = 0.4;

export interface Outage {
  readonly target: OutageTarget;
  /** Chooses among several of the kind: an index below the count that was given for it. */
  readonly index: number;
  /** Since the start of the run, in ms. */
  readonly atMs: number;
  readonly lastsMs: number;
}

export interface OutagePlanOptions {
  readonly targets: readonly OutageTarget[];
  /** How many there are of a kind; 1 where nothing is said. */
  readonly counts: Partial<Record<OutageTarget, number>>;
  /** Length of the run, at least OUTAGE_RUN_MS_MIN. */
  readonly forMs: number;
  readonly random: Prng;
}

/** In order of time. Every one begins and ends within the run. */
export function planOutages(options: OutagePlanOptions): Outage[] {
  const { targets, counts, forMs, random } = options;
  invariant(forMs >= OUTAGE_RUN_MS_MIN, `${forMs} ms are too short for outages`);
  const slotMs = (forMs * (1 - QUIET_START - QUIET_END)) / targets.length;
  return shuffled(targets, random).map((target, i) => {
    const atMs = forMs * QUIET_START + slotMs * (i + BEGINS_WITHIN * random.next());
    const lastsMs = Math.min(slotMs, OUTAGE_MS_MIN + random.next() * (OUTAGE_MS_MAX - OUTAGE_MS_MIN));
    return { target, index: random.int(counts[target] ?? 1), atMs: Math.round(atMs), lastsMs: Math.round(lastsMs) };
  });
}

function shuffled<T>(list: readonly T[], random: Prng): T[] {
  const rest = [...list];
  const out: T[] = [];
  while (rest.length > 0) out.push(...rest.splice(random.int(rest.length), 1));
  return out;
}
