/** What a child process is asked for, and what it answers. */
import type { Workload } from './load.ts';
import type { SubjectName } from './subjects/subject.ts';

export interface Place {
  readonly subject: SubjectName;
  /** Empty, on the file system that is measured. */
  readonly directory: string;
  /** Counters of the device below, when there are any. */
  readonly statPath: string | undefined;
  readonly ringBytes: number;
}

/** Is set up once, then measured as often as asked. */
export interface LoadJob extends Place {
  readonly kind: 'load';
  readonly workload: Workload;
  readonly bodyBytes: number;
  readonly senders: number;
  /** Of the ring, filled beforehand with messages of the lowest priority, in percent. */
  readonly pinnedPercent: number;
  readonly warmMs: number;
  readonly ms: number;
  /** `watch`: the delay of the event loop is sampled too. */
  readonly loopDelay: 'watch' | 'leave';
}

/** Goes round the ring `laps` times and counts blocks. */
export interface WearJob extends Place {
  readonly kind: 'wear';
  readonly bodyBytes: number;
  readonly senders: number;
  readonly pinnedPercent: number;
  readonly laps: number;
  readonly msMax: number;
}

/** Fills a ring with live messages, then goes on writing until it is killed. */
export interface WriterJob extends Place {
  readonly kind: 'writer';
  readonly bodyBytes: number;
  readonly messages: number;
}

/** Opens what a writer left. */
export interface OpenJob extends Place {
  readonly kind: 'open';
}

/** Memory at 0, 50 and 100 % of what a ring takes. */
export interface FillJob extends Place {
  readonly kind: 'fill';
  readonly bodyBytes: number;
}

export type Job = LoadJob | WearJob | WriterJob | OpenJob | FillJob;

export interface WearResult {
  readonly writeAmplification: number;
  /** Live share of the ring with nothing in flight, in percent. */
  readonly livePercent: number;
  readonly laps: number;
}
export interface OpenResult {
  readonly openMs: number;
  readonly messages: number;
  readonly heapBytesPerMessage: number;
  readonly rssMb: number;
}
export interface FillResult {
  readonly points: readonly {
    readonly percent: number;
    readonly rssMb: number;
    readonly indexMb: number;
    readonly messages: number;
  }[];
}

/** To a child, in this order: `start`, then `measure` as often as one likes, then `end`. */
export type Request<J = Job> = { readonly kind: 'start'; readonly job: J } | { readonly kind: 'measure' | 'end' };
export type Answer = { readonly result: unknown } | { readonly error: string };
