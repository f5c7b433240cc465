/** Results for people. */
import type { Row } from './rows.ts';

const COLUMNS = [
  { title: 'case', width: 29, of: (row: Row) => row.case },
  { title: 'subject', width: 13, of: (row: Row) => row.subject },
  { title: 'bytes/s', width: 8, of: (row: Row) => row.goodput?.toFixed(0) },
  { title: 'bound', width: 8, of: (row: Row) => row.bound?.toFixed(0) },
  { title: 'ratio', width: 6, of: (row: Row) => row.ratio?.toFixed(3) },
  { title: 'messages', width: 8, of: (row: Row) => row.messageRatio?.toFixed(3) },
  { title: 'line', width: 5, of: (row: Row) => row.lineShare?.toFixed(3) },
  {
    title: 'lost',
    width: 6,
    of: (row: Row) => (row.lostShare === undefined ? undefined : `${(100 * row.lostShare).toFixed(1)} %`),
  },
] as const;

export const HEADER = lineOf(COLUMNS.map(({ title }) => title));

export function tableLine(row: Row): string {
  const rest = [
    row.ms === undefined ? '' : `worst ${row.ms} ms`,
    row.medianMs === undefined ? '' : `median ${row.medianMs} ms`,
    row.firstMs === undefined ? '' : `the first ${row.firstMs} ms`,
    row.ownMs === undefined ? '' : `its own time ${row.ownMs} ms`,
    row.messagesPerSecond === undefined ? '' : `${row.messagesPerSecond.toLocaleString('en')} messages/s`,
    row.cpuUsPerMessage === undefined ? '' : `${row.cpuUsPerMessage} µs of processor time for each`,
  ].filter((text) => text !== '');
  if (rest.length === 0) return lineOf(COLUMNS.map(({ of }) => of(row) ?? ''));
  return `${lineOf(COLUMNS.slice(0, 2).map(({ of }) => of(row) ?? ''))} ${rest.join(', ')}`;
}

function lineOf(texts: readonly string[]): string {
  const cells = texts.map((text, i) => (i < 2 ? text.padEnd(COLUMNS[i]?.width ?? 0) : text.padStart(COLUMNS[i]?.width ?? 0)));
  return cells.join(' ').trimEnd();
}
