/** What the link is to reach, checked against what was measured in this run. */
import type { Row } from './rows.ts';

export interface Target {
  readonly name: string;
  readonly value: number;
  readonly limit: number;
  readonly bound: 'at most' | 'at least';
}

const RATIO_MIN = 0.97;
/** Beyond the message's own time on the line. */
const URGENT_MS_MAX = 25;
const REPLUG_MS_MAX = 2_000;
/** Of one core, by the processor time of the receiver. */
const MESSAGES_PER_SECOND_MIN = 50_000;

export function isReached({ value, limit, bound }: Target): boolean {
  return bound === 'at most' ? value <= limit : value >= limit;
}

/** Only what this run can tell: a case that was left out has no target. */
export function targetsOf(rows: readonly Row[]): Target[] {
  return rows.filter(({ subject }) => subject === 'ringmail').flatMap(targetOf);
}

export function targetLine(target: Target): string {
  const { name, value, limit, bound } = target;
  const off = bound === 'at most' ? value / limit - 1 : 1 - value / limit;
  const verdict = isReached(target) ? 'reached' : `missed by ${(100 * off).toFixed(1)} %`;
  return `${verdict.padEnd(16)} ${name}: ${digits(value)}, ${bound} ${digits(limit)}`;
}

function targetOf(row: Row): Target[] {
  const { case: name } = row;
  if (row.ratio !== undefined) {
    return [{ name: `${name}: share of the bound`, value: row.ratio, limit: RATIO_MIN, bound: 'at least' }];
  }
  if (row.cpuUsPerMessage !== undefined) {
    const value = 1_000_000 / row.cpuUsPerMessage;
    return [{ name: `${name}: messages/s on one core`, value, limit: MESSAGES_PER_SECOND_MIN, bound: 'at least' }];
  }
  if (row.ms === undefined) return [];
  if (row.ownMs === undefined) return [{ name: `${name}: ms`, value: row.ms, limit: REPLUG_MS_MAX, bound: 'at most' }];
  return [{ name: `${name}: ms beyond its own time`, value: row.ms - row.ownMs, limit: URGENT_MS_MAX, bound: 'at most' }];
}

function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 3);
}
