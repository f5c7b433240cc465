/**
 * The numbers that cross the line are frozen: controllers have them in their flash. This table was typed from docs/link.md; it is only
 * ever added to. Whoever has to change a line of it breaks the other end of every cable.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CLASS_CODE } from './class-codes.ts';
import * as layout from './packet-layout.ts';
import { STAT_COUNTERS } from './stat-counters.ts';
import { UNKNOWN_TIME_US } from './wall-time.ts';

const TLV = {
  stream: 1,
  downOffer: 2,
  sleep: 3,
  baud: 4,
  stat: 5,
  cursor: 6,
  reject: 7,
  gap: 8,
  keyId: 9,
  firmware: 10,
  elsewhere: 11,
  downAnswer: 12,
  route: 13,
};
const CLASSES = {
  UNUSED: 0,
  RECEIVE_TIMEOUT: 1,
  PURGED: 2,
  DROPPED: 3,
  CORRUPT: 4,
  REJECTED: 5,
  BAD_DST_Q: 6,
  Q_EXCEED_QUOTA: 7,
  BAD_TELEGRAM: 8,
  BROKER_REFUSED: 9,
  TOO_LARGE: 10,
  POISON: 11,
  CLONED: 12,
  REACH_QUEUE_TIMEOUT: 13,
  Q_PURGED: 14,
  Q_DELETED: 15,
  ACCESS_DENIED: 16,
  HOP_COUNT_EXCEEDED: 17,
  BAD_SIGNATURE: 18,
  BAD_ENCRYPTION: 19,
  NOT_TRANSACTIONAL_Q: 20,
  NOT_TRANSACTIONAL_MSG: 21,
  SUPERSEDED: 22,
  NOT_REPLAYED: 23,
  MISSING: 24,
};
const PACKETS = { hello: 1, welcome: 2, ack: 5, note: 6, time: 7, poll: 8, endOfBurst: 9, log: 10, bye: 11, auth: 12 };

test('types of packets', () => expect(layout.PACKET_TYPE).toEqual(PACKETS));

test('types of TLVs', () => expect(layout.TLV_TYPE).toEqual(TLV));

test('classes of endings', () => expect(CLASS_CODE).toEqual(CLASSES));

test('reasons of BYE, levels of LOG', () => {
  expect(layout.BYE_REASON).toEqual({ restart: 1, protocol: 2, sleep: 3, auth: 4, version: 5, fenced: 6 });
  expect(layout.LOG_LEVEL).toEqual({ debug: 0, info: 1, warning: 2, error: 3 });
});

test('flags, features and the like', () => {
  expect(layout).toMatchObject({
    RML_VERSION: 1,
    DATA_HEADER: 0x80,
    DATA_ACK_NOW: 0x40,
    DATA_BATCH: 0x20,
    DATA_FIRST: 0x10,
    DATA_LAST: 0x08,
    DATA_HANDLE_FOLLOWS: 0x07,
    ACK_HAS_RECORDS: 0x10,
    ACK_BUSY: 0x40,
    TIME_RESPONSE: 0x10,
    HELLO_KNOCK: 0x02,
    HELLO_SLEEPY: 0x04,
    HELLO_VOLATILE: 0x08,
    HELLO_NO_RANDOM: 0x10,
    HELLO_WHOLE: 0x20,
    ANSWER_FORK: 0x01,
    FEATURE_FRAGMENTS: 0x0001,
    FEATURE_BATCHES: 0x0002,
    FEATURE_COMPACT: 0x0004,
    TLV_CRITICAL_MIN: 64,
    TLV_CRITICAL_MAX: 127,
    PACKET_BYTES_LIMIT: 65_535,
    PACKET_BYTES_MIN: 256,
    HELLO_BYTES_MAX: 1_024,
    WINDOW_MAX: 64,
  });
  expect(UNKNOWN_TIME_US).toBe(0);
});

test('counters of STAT, in their order', () => {
  expect(STAT_COUNTERS.slice(0, 7)).toEqual([
    'packetsSent',
    'packetsReceived',
    'runsCorrupt',
    'runsMalformed',
    'runsTooLong',
    'packetsRepeated',
    'packetsCut',
  ]);
});

/** Rows of the tables of docs/link.md: their cells, without marks. */
const ROWS = readFileSync(new URL('../../docs/link.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((text) => text.startsWith('| '))
  .map((text) =>
    text
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.replaceAll('`', '').trim()),
  );

test('docs/link.md says the same of TLVs and classes', () => {
  const words = (name: string) => name.replaceAll(/[^a-zA-Z]/g, '').toLowerCase();
  const synonyms = new Map([['fwinfo', 'firmware']]);
  const said = new Map<string, number>();
  for (const [number = '', names = ''] of ROWS) {
    const numbers = number.split(',').map((text) => text.trim());
    if (!numbers.every((text) => /^\d+$/.test(text))) continue;
    const listed = names.split(',').map(words);
    if (listed.length !== numbers.length) continue;
    for (const [i, name] of listed.entries()) said.set(synonyms.get(name) ?? name, Number(numbers[i]));
  }
  for (const [name, type] of Object.entries(TLV)) expect([name, said.get(name.toLowerCase())]).toEqual([name, type]);
  const cells = new Set(ROWS.flatMap((row) => row.flatMap((cell, i) => [`${cell} ${(row[i + 1] ?? '').split(':')[0]}`])));
  for (const [name, code] of Object.entries(CLASSES)) expect(cells).toContain(`${code} ${name}`);
});

test('docs/link.md says the same of packets', () => {
  const packets = ROWS.filter(([, , seal]) => seal === 'sealed' || seal === 'plain');
  const headers = new Map(packets.flatMap(([all = '', name = '']) => all.split(' ').map((text) => [text, name] as const)));
  for (const [header, name] of [
    ['01', 'HELLO, KNOCK'],
    ['02', 'WELCOME'],
    ['05', 'ACK'],
    ['15', 'ACK'],
    ['45', 'ACK'],
    ['55', 'ACK'],
    ['06', 'NOTE'],
    ['07', 'TIME, request'],
    ['17', 'TIME, response'],
    ['0a', 'LOG'],
    ['0b', 'BYE'],
  ] as const) {
    expect([header, headers.get(header)]).toEqual([header, name]);
  }
});
