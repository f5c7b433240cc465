/** Rows of results: what stands on stdout, one JSON object a line. */
import { median } from '../ring/rows.ts';
import type { Measured, SubjectName } from './job.ts';

export interface Row {
  readonly case: string;
  readonly subject: SubjectName;
  readonly messagesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUsPerMessage: number;
  readonly rssMb: number;
}

/** Of one case, stretch by stretch: stretches of one number were measured one after the other. */
export interface Result {
  readonly case: string;
  readonly subject: SubjectName;
  readonly stretches: readonly Measured[];
}

/** Of several stretches the median, which a disturbed one does not move. Memory is that of the last. */
export function rowOf({ case: name, subject, stretches }: Result): Row {
  const of = (figure: (stretch: Measured) => number, digits: number) =>
    rounded(median(stretches.map(figure)) ?? Number.NaN, digits);
  return {
    case: name,
    subject,
    messagesPerSecond: of((s) => s.messagesPerSecond, 0),
    p50Ms: of((s) => s.p50Ms, 3),
    p99Ms: of((s) => s.p99Ms, 3),
    cpuUsPerMessage: of((s) => s.cpuUsPerMessage, 2),
    rssMb: rounded(stretches.at(-1)?.rssMb ?? Number.NaN, 1),
  };
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
