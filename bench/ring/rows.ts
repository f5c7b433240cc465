/** Rows of results: what stands on stdout, one JSON object a line. A field that was not measured is absent. */
import type { Measured } from './load.ts';
import type { SubjectName } from './subjects/subject.ts';

export interface Row {
  readonly case: string;
  readonly subject: SubjectName;
  readonly messagesPerSecond?: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly cpuUsPerMessage?: number;
  readonly deviceBytesPerMessage?: number;
  readonly flushesPerMessage?: number;
  readonly rssMb?: number;
  /** Others write to the device too: device bytes and flushes are theirs as well, or unknown. */
  readonly sharedDevice?: true;
  readonly openMs?: number;
  readonly heapBytesPerMessage?: number;
  readonly indexMb?: number;
  readonly loopDelayP99Ms?: number;
  readonly writeAmplification?: number;
}

/** Digits behind the point. */
const DIGITS: Readonly<Record<string, number>> = {
  messagesPerSecond: 0,
  p50Ms: 3,
  p99Ms: 3,
  cpuUsPerMessage: 2,
  deviceBytesPerMessage: 1,
  flushesPerMessage: 4,
  rssMb: 1,
  openMs: 1,
  heapBytesPerMessage: 1,
  indexMb: 2,
  loopDelayP99Ms: 2,
  writeAmplification: 3,
};

/** A row with its numbers rounded and nothing undefined in it. */
export function rowOf(row: { readonly [K in keyof Row]: Row[K] | undefined } & { case: string; subject: SubjectName }): Row {
  const entries = Object.entries(row).flatMap(([name, value]) => {
    if (value === undefined) return [];
    return [[name, typeof value === 'number' ? Number(value.toFixed(DIGITS[name] ?? 3)) : value]];
  });
  return Object.fromEntries(entries) as unknown as Row;
}

/**
 * Of several stretches: of speed and latency the median, which one disturbed stretch does not move; of what was spent the mean over all
 * messages, because a store may spend it in bursts. Memory is that of the last.
 */
export function medianRow(name: string, subject: SubjectName, results: readonly Measured[], device: 'own' | 'shared'): Row {
  const of = (figure: (result: Measured) => number | undefined) => median(results.map(figure));
  const messages = results.reduce((sum, result) => sum + result.messages, 0);
  const spent = (figure: (result: Measured) => number | undefined) => {
    const total = results.reduce((sum, result) => sum + (figure(result) ?? Number.NaN) * result.messages, 0);
    return Number.isNaN(total) ? undefined : total / messages;
  };
  return rowOf({
    case: name,
    subject,
    messagesPerSecond: of((r) => r.messagesPerSecond),
    p50Ms: of((r) => r.p50Ms),
    p99Ms: of((r) => r.p99Ms),
    cpuUsPerMessage: spent((r) => r.cpuUsPerMessage),
    deviceBytesPerMessage: spent((r) => r.deviceBytesPerMessage),
    flushesPerMessage: spent((r) => r.flushesPerMessage),
    rssMb: results.at(-1)?.rssMb,
    loopDelayP99Ms: of((r) => r.loopDelayP99Ms),
    sharedDevice: device === 'shared' ? true : undefined,
  });
}

/** Undefined when one is, or there is none. Of an even number the mean of the two in the middle. */
export function median(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  if (known.length !== values.length || known.length === 0) return undefined;
  const middle = known.length >> 1;
  return known.length % 2 === 1 ? known[middle] : ((known[middle - 1] ?? 0) + (known[middle] ?? 0)) / 2;
}
