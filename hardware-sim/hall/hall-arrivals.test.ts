import { expect, test } from 'vitest';
import { type ArrivalRecord, formatRecord, parseRecord, RecordReader } from './hall-arrivals.ts';

const arrival = { identity: 'device-1:00000000000000aa:central/bags:3:1', queue: 'bags', label: 'belt-1', priority: 3 };
const records: ArrivalRecord[] = [
  { kind: 'effect', arrival: { ...arrival, ending: undefined, body: Uint8Array.of(0, 10, 13, 255) } },
  { kind: 'effect', arrival: { ...arrival, queue: '$dead', ending: 'BAD_TELEGRAM', body: new Uint8Array(0) } },
  { kind: 'redelivered', identity: arrival.identity },
];

test('what is written is read back, each on a line of its own', () => {
  for (const record of records) {
    const line = formatRecord(record);
    expect(line.indexOf('\n')).toBe(line.length - 1);
    expect(parseRecord(line.slice(0, -1))).toEqual(record);
  }
});

test('a file read in chunks of any size gives the same records, and holds back a line that is not whole', () => {
  const text = records.map(formatRecord).join('');
  for (const size of [1, 7, text.length]) {
    const reader = new RecordReader();
    const seen: ArrivalRecord[] = [];
    for (let at = 0; at < text.length; at += size) seen.push(...reader.push(text.slice(at, at + size)));
    expect(seen).toEqual(records);
    expect(reader.push('{"redelivered"')).toEqual([]);
    expect(reader.unreadable).toBe(0);
  }
});

test.each(['', 'x', '1', 'null', '[]', '{}', '{"redelivered":1}', '{"identity":"a","queue":"bags"}'])(
  '%j is no record',
  (line) => {
    expect(parseRecord(line)).toBeUndefined();
    const reader = new RecordReader();
    expect(reader.push(`${line}\n`)).toEqual([]);
    expect(reader.unreadable).toBe(1);
  },
);
