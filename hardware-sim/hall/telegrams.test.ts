import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { priorityOf, readRp1745 } from '../../device/adapters/rp1745.ts';
import { telegramProblem } from '../../device/adapters/stx-etx.ts';
import { stream } from '../random.ts';
import { telegramSource, uniqueKeyOf } from './telegrams.ts';

function many(count: number, belt: number, malformedRate?: number): Uint8Array[] {
  const prng = stream(1, `belt-${belt}`);
  const source = telegramSource({ belt, next: () => prng.next(), ...(malformedRate !== undefined && { malformedRate }) });
  return Array.from({ length: count }, source);
}

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

test('the same draws give the same telegrams', () => {
  expect(many(50, 1).map(text)).toEqual(many(50, 1).map(text));
  expect(many(50, 1).map(text)).not.toEqual(many(50, 2).map(text));
});

test('what is not malformed on purpose is valid, and every kind occurs', () => {
  const readings = many(2000, 1, 0).map(readRp1745);
  const kinds = new Set<string>();
  for (const reading of readings) {
    if (!reading.ok) throw new Error(reading.reason);
    kinds
      .add(reading.type)
      .add(reading.action)
      .add(reading.version.place)
      .add(`priority ${priorityOf(reading)}`);
    if (reading.plates.length > 1) kinds.add('several plates');
  }
  expect([...kinds].sort()).toEqual(
    [
      'BPM',
      'BSM',
      'BTM',
      'BUM',
      'change',
      'delete',
      'local',
      'new',
      'priority 2',
      'priority 3',
      'priority 4',
      'priority 5',
      'remote',
    ]
      .concat('several plates', 'transfer')
      .sort(),
  );
});

test('malformed ones are refused, each for what was done to it, and still fit the line', () => {
  const telegrams = many(300, 1, 1);
  const reasons = telegrams.map(readRp1745).map((reading) => (reading.ok ? 'valid' : reading.reason));
  expect(new Set(reasons)).toEqual(new Set(['NO_PLATE', 'END', 'ELEMENT']));
  for (const telegram of telegrams) expect(telegramProblem(telegram)).toBeUndefined();
});

test('two percent are malformed unless asked otherwise', () => {
  const bad = many(5000, 3).filter((telegram) => !readRp1745(telegram).ok).length;
  expect(bad / 5000).toBeGreaterThan(0.014);
  expect(bad / 5000).toBeLessThan(0.026);
});

test('no key comes twice, on any belt, whatever is malformed, beyond 100,000 plates', () => {
  const keys = [0, 1, 9].flatMap((belt) => many(belt === 0 ? 75_000 : 2000, belt, 0.1).map(uniqueKeyOf));
  expect(keys.every((key) => key !== undefined)).toBe(true);
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys.some((key) => key?.startsWith('01170'))).toBe(true);
});

test('the plates of a family are its own: no other telegram begins among them', () => {
  const taken = new Set<number>();
  for (const telegram of many(3000, 4, 0)) {
    const reading = readRp1745(telegram);
    if (!reading.ok) throw new Error(reading.reason);
    for (const { first, count } of reading.plates) {
      for (let i = 0; i < count; i++) {
        expect(taken.has(Number(first) + i)).toBe(false);
        taken.add(Number(first) + i);
      }
    }
  }
});

test('a key is found wherever it stands, and only a whole one', () => {
  const key = (lines: string) => uniqueKeyOf(new TextEncoder().encode(lines));
  expect(key('BSM\r\n.V/1LZRH\r\n.N/0085123456003\r\n.N/0085123999001\r\nENDBSM')).toBe('0085123456');
  expect(key('BSM\r\n.N/0085123456003\r\n.R/KEY0125400417\r\nENDBPM')).toBe('0125400417');
  expect(key('BSM\r\n.N/008512345600\r\nENDBSM')).toBeUndefined();
  expect(key('BSM\r\n.R/KEY01254004170\r\nENDBSM')).toBeUndefined();
  expect(key('')).toBeUndefined();
});

test('looks like the real ones: their sizes', () => {
  const sizes = many(1000, 1).map((telegram) => telegram.length);
  expect(Math.min(...sizes)).toBeGreaterThan(50);
  expect(Math.max(...sizes)).toBeLessThan(300);
  expect(readFileSync(join(import.meta.dirname, 'telegrams.ts'), 'utf8')).not.toContain('Math.random');
});
