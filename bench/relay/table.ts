/** Results for people. */
import type { Row } from './rows.ts';

const COLUMNS = [
  { title: 'case', width: 22, of: (row: Row) => row.case },
  { title: 'subject', width: 18, of: (row: Row) => row.subject },
  { title: 'messages/s', width: 10, of: (row: Row) => row.messagesPerSecond?.toLocaleString('en') },
  { title: 'p50 ms', width: 8, of: (row: Row) => row.p50Ms?.toFixed(2) },
  { title: 'p99 ms', width: 8, of: (row: Row) => row.p99Ms?.toFixed(2) },
  { title: 'acked', width: 7, of: (row: Row) => row.acknowledged?.toString() },
  { title: 'lost', width: 6, of: (row: Row) => row.lost?.toString() },
  { title: 'doubled', width: 7, of: (row: Row) => row.duplicated?.toString() },
  { title: 'RSS MiB', width: 8, of: (row: Row) => row.rssMb?.toFixed(0) },
] as const;

export const HEADER = lineOf(COLUMNS.map(({ title }) => title));

export function tableLine(row: Row): string {
  return lineOf(COLUMNS.map(({ of }) => of(row) ?? ''));
}

function lineOf(texts: readonly string[]): string {
  const cells = texts.map((text, i) => (i < 2 ? text.padEnd(COLUMNS[i]?.width ?? 0) : text.padStart(COLUMNS[i]?.width ?? 0)));
  return cells.join(' ').trimEnd();
}
