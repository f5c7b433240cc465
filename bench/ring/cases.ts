/** Everything that is measured, in order. */
import type { Workload } from './load.ts';
import type { SubjectName } from './subjects/subject.ts';

export interface LoadCase {
  readonly kind: 'load';
  readonly name: string;
  readonly workload: Workload;
  readonly bodyBytes: number;
  readonly senders: number;
  readonly pinnedPercent: number;
  readonly ringBytes: number;
  readonly warmMs: number;
  /** Of one stretch. */
  readonly ms: number;
  /** Stretches per subject, in turn with those of the others. */
  readonly rounds: number;
  readonly loopDelay: 'watch' | 'leave';
  readonly subjects: readonly SubjectName[];
}
export interface WearCase {
  readonly kind: 'wear';
  readonly name: string;
  readonly pinnedPercent: number;
  readonly bodyBytes: number;
  readonly senders: number;
  readonly ringBytes: number;
  readonly laps: number;
}
export interface OpenCase {
  readonly kind: 'open';
  readonly name: 'open';
  readonly ringBytes: number;
  readonly bodyBytes: number;
  readonly messages: number;
}
export interface FillCase {
  readonly kind: 'fill';
  readonly name: 'fill';
  readonly ringBytes: number;
  readonly bodyBytes: number;
}
export type Case = LoadCase | WearCase | OpenCase | FillCase;

const MEBIBYTE = 1024 * 1024;
const LOAD_RING_BYTES = 128 * MEBIBYTE;
/** Smaller, so that the stretches together go round it: cleaning, which comes in bursts, is what these measure. */
const PINNED_RING_BYTES = 32 * MEBIBYTE;
const OPEN_RING_BYTES = 256 * MEBIBYTE;
const RIVALS = ['better-sqlite3', 'lmdb', 'classic-level'] as const;
const STORES = ['ringmail', ...RIVALS] as const;
const ALL = ['ringmail', 'raw', ...RIVALS] as const;

/** Senders by workload, percentages of the backlog, and how long everything takes. */
interface Lengths {
  readonly bodies: readonly number[];
  readonly put: readonly number[];
  readonly cycle: readonly number[];
  readonly pinnedBodies: readonly number[];
  readonly pinned: readonly number[];
  readonly load: { readonly warmMs: number; readonly ms: number; readonly rounds: number };
  readonly pinnedLoad: { readonly warmMs: number; readonly ms: number; readonly rounds: number };
  readonly stall: { readonly warmMs: number; readonly ms: number; readonly rounds: number };
  readonly wearLaps: number;
}

const LENGTHS: Readonly<Record<'full' | 'quick', Lengths>> = {
  full: {
    bodies: [128, 1024],
    put: [1, 8, 64],
    cycle: [1, 8, 64],
    pinnedBodies: [128, 1024],
    pinned: [0, 24, 48],
    load: { warmMs: 300, ms: 250, rounds: 7 },
    pinnedLoad: { warmMs: 800, ms: 600, rounds: 5 },
    stall: { warmMs: 600, ms: 700, rounds: 5 },
    wearLaps: 2,
  },
  quick: {
    bodies: [128],
    put: [1, 64],
    cycle: [64],
    pinnedBodies: [1024],
    pinned: [24],
    load: { warmMs: 200, ms: 200, rounds: 3 },
    pinnedLoad: { warmMs: 300, ms: 300, rounds: 3 },
    stall: { warmMs: 400, ms: 600, rounds: 3 },
    wearLaps: 1,
  },
};

export function casesOf(length: 'full' | 'quick'): Case[] {
  const lengths = LENGTHS[length];
  const cases: Case[] = [];
  const load = (of: Pick<LoadCase, 'workload' | 'bodyBytes' | 'senders'>) =>
    ({ ...of, kind: 'load', pinnedPercent: 0, ringBytes: LOAD_RING_BYTES, loopDelay: 'leave', subjects: ALL }) as const;
  for (const workload of ['put', 'cycle'] as const) {
    for (const bodyBytes of lengths.bodies) {
      for (const senders of lengths[workload]) {
        const name = `${workload}/${bodyBytes}/${senders}`;
        cases.push({ ...load({ workload, bodyBytes, senders }), ...lengths.load, name });
      }
    }
  }
  for (const bodyBytes of lengths.pinnedBodies) {
    for (const pinnedPercent of lengths.pinned) {
      const name = `pinned-${pinnedPercent}/${bodyBytes}/64`;
      const rest = { pinnedPercent, ringBytes: PINNED_RING_BYTES, subjects: STORES };
      cases.push({ ...load({ workload: 'cycle', bodyBytes, senders: 64 }), ...lengths.pinnedLoad, ...rest, name });
    }
  }
  const stall = { ...lengths.stall, loopDelay: 'watch', ringBytes: PINNED_RING_BYTES, name: 'stall' } as const;
  cases.push({ ...load({ workload: 'cycle', bodyBytes: 128, senders: 64 }), ...stall });
  cases.push({ kind: 'open', name: 'open', ringBytes: OPEN_RING_BYTES, bodyBytes: 1024, messages: 100_000 });
  cases.push({ kind: 'fill', name: 'fill', ringBytes: OPEN_RING_BYTES, bodyBytes: 1024 });
  for (const pinnedPercent of [0, 24, 48]) {
    const rest = { bodyBytes: 1024, senders: 64, ringBytes: PINNED_RING_BYTES, laps: lengths.wearLaps };
    cases.push({ kind: 'wear', name: `wear/${pinnedPercent}`, pinnedPercent, ...rest });
  }
  return cases;
}
