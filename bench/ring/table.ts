/** Results for people. */
import type { Row } from './rows.ts';
import { isReached, type Target } from './targets.ts';

const COLUMNS = [
  { title: 'case', width: 20, of: (row: Row) => row.case },
  { title: 'subject', width: 15, of: (row: Row) => row.subject },
  { title: 'messages/s', width: 11, of: (row: Row) => row.messagesPerSecond?.toLocaleString('en') },
  { title: 'p50 ms', width: 8, of: (row: Row) => row.p50Ms?.toFixed(3) },
  { title: 'p99 ms', width: 8, of: (row: Row) => row.p99Ms?.toFixed(3) },
  { title: 'cpu µs', width: 8, of: (row: Row) => row.cpuUsPerMessage?.toFixed(1) },
  { title: 'bytes', width: 9, of: (row: Row) => `${row.deviceBytesPerMessage?.toFixed(0) ?? ''}${row.sharedDevice ? '*' : ''}` },
  { title: 'flushes', width: 8, of: (row: Row) => row.flushesPerMessage?.toFixed(3) },
  { title: 'RSS MiB', width: 8, of: (row: Row) => row.rssMb?.toFixed(0) },
] as const;

/** `* ` in a row: the device is shared. */
export const HEADER = lineOf(COLUMNS.map(({ title }) => title));

export function tableLine(row: Row): string {
  const rest = [
    row.openMs === undefined ? '' : `opened in ${row.openMs} ms, ${row.heapBytesPerMessage} bytes of heap per message`,
    row.indexMb === undefined ? '' : `index ${row.indexMb} MiB`,
    row.loopDelayP99Ms === undefined ? '' : `loop delay p99 ${row.loopDelayP99Ms} ms`,
    row.writeAmplification === undefined ? '' : `write amplification ${row.writeAmplification}`,
  ].filter((text) => text !== '');
  return `${lineOf(COLUMNS.map(({ of }) => of(row) ?? ''))}${rest.length === 0 ? '' : `  ${rest.join(', ')}`}`;
}

function lineOf(texts: readonly string[]): string {
  const cells = texts.map((text, i) => (i < 2 ? text.padEnd(COLUMNS[i]?.width ?? 0) : text.padStart(COLUMNS[i]?.width ?? 0)));
  return cells.join(' ').trimEnd();
}

export function targetLine(target: Target): string {
  const { name, value, limit, bound, beside } = target;
  const off = bound === 'at most' ? value / limit - 1 : 1 - value / limit;
  const verdict = isReached(target) ? 'reached' : `missed by ${(100 * off).toFixed(0)} %`;
  const whom = beside === undefined ? '' : ` (${beside})`;
  return `${verdict.padEnd(15)} ${name}: ${digits(value)}, ${bound} ${digits(limit)}${whom}`;
}

function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
