import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { priorityOf, RP1745_BYTES_MAX, RP1745_LINES_MAX, type Rp1745Problem, type Rp1745Telegram, readRp1745 } from './rp1745.ts';

const CAPTURES = join(import.meta.dirname, '../../../shared/data/bsm');

const BSM = ['BSM', '.V/1TZRH', '.F/SR101/18APR/JFK/F', '.N/0085123456003', '.E/RUSH', 'ENDBSM'];

function wire(...lines: string[]): Uint8Array {
  return new TextEncoder().encode(lines.join('\r\n'));
}

function telegram(bytes: Uint8Array): Rp1745Telegram {
  const reading = readRp1745(bytes);
  if (!reading.ok) throw new Error(`not a telegram: ${reading.reason}`);
  return reading;
}

test('reads type, action, version, plates and exceptions', () => {
  expect(telegram(wire(...BSM))).toEqual({
    ok: true,
    type: 'BSM',
    action: 'new',
    version: { number: 1, place: 'transfer', airport: 'ZRH' },
    plates: [{ first: '0085123456', count: 3 }],
    exceptions: ['RUSH'],
    origin: undefined,
  });
});

test.each<[string, string[], Partial<Rp1745Telegram>]>([
  ['DEL withdraws', ['BSM', 'DEL', '.V/1LLGW', '.N/0999000111001', 'ENDBSM'], { action: 'delete' }],
  ['CHG changes', ['BSM', 'CHG', '.V/1LLGW', '.N/0999000111001', 'ENDBSM'], { action: 'change' }],
  [
    '.V may come last',
    ['BPM', '.N/0999000111001', '.V/1ROSL', 'ENDBPM'],
    { version: { number: 1, place: 'remote', airport: 'OSL' } },
  ],
  ['a last line end is optional', ['BUM', '.V/1XLHR', '.N/0125123456001', 'ENDBUM', ''], { type: 'BUM' }],
  ['an envelope names its origin', ['QU LONRM1J', '.LHRRMBA 121430', ...BSM], { origin: 'LHRRMBA' }],
  ['addresses may need more lines', ['QD LONRM1J OSLXXSK', 'ZRHXXLX', '.LHRRMBA', ...BSM], { origin: 'LHRRMBA' }],
])('%s', (_name, lines, expected) => expect(telegram(wire(...lines))).toMatchObject(expected));

test.each<[string, string[], Rp1745Problem]>([
  ['nothing', [], 'EMPTY'],
  ['another type', ['BXM', '.V/1LLGW', '.N/0999000111001', 'ENDBXM'], 'TYPE'],
  ['lower case', ['bsm', '.V/1LLGW', '.N/0999000111001', 'ENDbsm'], 'TYPE'],
  ['no plate', ['BSM', '.V/1LLGW', 'ENDBSM'], 'NO_PLATE'],
  ['no version', ['BSM', '.N/0999000111001', 'ENDBSM'], 'VERSION'],
  ['two versions', ['BSM', '.V/1LLGW', '.V/1LLGW', '.N/0999000111001', 'ENDBSM'], 'VERSION'],
  ['an unknown place', ['BSM', '.V/1QLGW', '.N/0999000111001', 'ENDBSM'], 'VERSION'],
  ['nine digits and a count', ['BSM', '.V/1LLGW', '.N/099900011001', 'ENDBSM'], 'PLATE'],
  ['a letter in the plate', ['BSM', '.V/1LLGW', '.N/09990O0111001', 'ENDBSM'], 'PLATE'],
  ['no bags', ['BSM', '.V/1LLGW', '.N/0999000111000', 'ENDBSM'], 'PLATE'],
  ['no end', ['BSM', '.V/1LLGW', '.N/0999000111001'], 'END'],
  ['the end of another type', ['BSM', '.V/1LLGW', '.N/0999000111001', 'ENDBPM'], 'END'],
  ['more after the end', ['BSM', '.V/1LLGW', '.N/0999000111001', 'ENDBSM', 'BSM'], 'END'],
  ['a second line end after the end', ['BSM', '.V/1LLGW', '.N/0999000111001', 'ENDBSM', '', ''], 'END'],
  ['a line that is no element', ['BSM', '.V/1LLGW', '#!?', '.N/0999000111001', 'ENDBSM'], 'ELEMENT'],
  ['an empty line', ['BSM', '.V/1LLGW', '', '.N/0999000111001', 'ENDBSM'], 'ELEMENT'],
  ['DEL in the wrong place', ['BSM', '.V/1LLGW', 'DEL', '.N/0999000111001', 'ENDBSM'], 'ELEMENT'],
  ['an envelope without origin', ['QU LONRM1J', ...BSM], 'ENVELOPE'],
  ['an envelope and nothing else', ['QU LONRM1J'], 'ENVELOPE'],
  ['too many addresses', ['QU LONRM1J', ...Array<string>(32).fill('ZRHXXLX'), '.LHRRMBA', ...BSM], 'ENVELOPE'],
  ['a byte above ASCII', ['BSM', '.V/1LLGW', '.N/0999000111001', '.P/MÜLLER', 'ENDBSM'], 'CHARACTER'],
  ['a NUL', ['BSM', '.V/1LLGW', '.N/0999000111001\0', 'ENDBSM'], 'CHARACTER'],
  ['LF alone', ['BSM\n.V/1LLGW', '.N/0999000111001', 'ENDBSM'], 'LINE_END'],
  ['CR alone', ['BSM\r.V/1LLGW', '.N/0999000111001', 'ENDBSM'], 'LINE_END'],
  ['CR at the end', ['BSM', '.V/1LLGW', '.N/0999000111001', 'ENDBSM\r'], 'LINE_END'],
  [
    'too many lines',
    ['BSM', ...Array<string>(RP1745_LINES_MAX).fill('.R/'), '.V/1LLGW', '.N/0999000111001', 'ENDBSM'],
    'TOO_LONG',
  ],
])('refuses %s', (_name, lines, reason) => expect(readRp1745(wire(...lines))).toEqual({ ok: false, reason }));

test('takes exactly the longest telegram', () => {
  const without = wire('BSM', '.V/1LLGW', '.N/0999000111001', '.R/', 'ENDBSM').length;
  const ofLength = (bytes: number) =>
    readRp1745(wire('BSM', '.V/1LLGW', '.N/0999000111001', `.R/${'x'.repeat(bytes - without)}`, 'ENDBSM'));
  expect(ofLength(RP1745_BYTES_MAX).ok).toBe(true);
  expect(ofLength(RP1745_BYTES_MAX + 1)).toEqual({ ok: false, reason: 'TOO_LONG' });
});

test('a telegram cut anywhere is refused, but for the last line end', () => {
  const whole = wire(...BSM, '');
  for (let length = 0; length < whole.length - 2; length++) expect(readRp1745(whole.slice(0, length)).ok).toBe(false);
});

test('never throws, whatever the bytes', () => {
  const piece = fc.constantFrom(...BSM, 'QU LONRM1J', '.LHRRMBA 121430', 'CHG', '\r\n', '\r', '\n', '\0', '.', '/', 'END');
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => typeof readRp1745(bytes).ok === 'boolean'));
  fc.assert(fc.property(fc.array(piece, { maxLength: 40 }), (parts) => typeof readRp1745(wire(parts.join(''))).ok === 'boolean'));
});

test.each<[string, string[], number]>([
  ['an ordinary announcement', ['BSM', '.V/1LLGW', '.N/0999000111001', 'ENDBSM'], 3],
  ['a transfer', ['BSM', '.V/1TLGW', '.N/0999000111001', 'ENDBSM'], 4],
  ['BTM', ['BTM', '.V/1LLGW', '.N/0999000111001', 'ENDBTM'], 4],
  ['what has happened', ['BPM', '.V/1TLGW', '.N/0999000111001', 'ENDBPM'], 2],
  ['off the aircraft', ['BUM', '.V/1LLGW', '.N/0999000111001', 'ENDBUM'], 5],
  ['a rush bag', BSM, 5],
  ['an exception in a report', ['BPM', '.V/1LLGW', '.N/0999000111001', '.E/RUSH', 'ENDBPM'], 5],
])('priority of %s', (_name, lines, priority) => expect(priorityOf(telegram(wire(...lines)))).toBe(priority));

describe.skipIf(!existsSync(CAPTURES))(`captures (skipped where ${CAPTURES} is absent)`, () => {
  const files = existsSync(CAPTURES) ? readdirSync(CAPTURES).filter((name) => name.endsWith('.txt')) : [];

  test('there are some', () => expect(files.length).toBeGreaterThanOrEqual(10));

  test.each(files)('%s', (name) => {
    const reading = readRp1745(readFileSync(join(CAPTURES, name)));
    if (name === 'bad_no_tag.txt') expect(reading).toEqual({ ok: false, reason: 'NO_PLATE' });
    else expect(reading).toMatchObject({ ok: true });
  });
});
