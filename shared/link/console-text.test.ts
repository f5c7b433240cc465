import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toUtf8 } from '../bytes.ts';
import { CONSOLE_LINE_LENGTH_MAX, consoleLines } from './console-text.ts';

test.each<[string, string | number[], string[]]>([
  ['plain words stay', 'Starting kernel ...', ['Starting kernel ...']],
  ['UTF-8 stays', 'Förderband 40 °C → 🧳', ['Förderband 40 °C → 🧳']],
  ['line ends make lines, empty ones are none', '\r\nU-Boot 2024.01\r\n\r\nok\n', ['U-Boot 2024.01', 'ok']],
  ['a terminal is not told what to do', 'a\x1b[2Jb\x07\x7f', ['a\\x1b[2Jb\\x07\\x7f']],
  ['nor by the controls of eight bits', 'a\u009b2Jb', ['a\\x9b2Jb']],
  ['nothing turns text round or hides it', 'a\u202egnp.exe\u200b\u2028b\u{e0041}', ['a\\u202egnp.exe\\u200b\\u2028b\\u{e0041}']],
  ['a tab is a space', 'a\tb', ['a b']],
  [
    'bytes that are no UTF-8 are shown, those behind them are read',
    [0x41, 0xc3, 0x42, 0x80, 0xff, 0xc3, 0xbc],
    ['A\\xc3B\\x80\\xffü'],
  ],
  ['no overlong form, no surrogate', [0xc0, 0xaf, 0xed, 0xa0, 0x80], ['\\xc0\\xaf\\xed\\xa0\\x80']],
  ['a character that was cut off', [0x41, 0xf0, 0x9f, 0xa7], ['A\\xf0\\x9f\\xa7']],
  ['nothing', '', []],
])('%s', (_name, text, lines) => {
  expect(consoleLines(typeof text === 'string' ? toUtf8(text) : Uint8Array.from(text))).toEqual(lines);
});

test('a long line is cut between characters', () => {
  const [line = ''] = consoleLines(toUtf8('🧳'.repeat(CONSOLE_LINE_LENGTH_MAX + 1)));
  expect([...line]).toHaveLength(CONSOLE_LINE_LENGTH_MAX + 2);
  expect(line.endsWith('🧳 …')).toBe(true);
  expect(consoleLines(toUtf8('x'.repeat(CONSOLE_LINE_LENGTH_MAX)))).toEqual(['x'.repeat(CONSOLE_LINE_LENGTH_MAX)]);
});

test('whatever comes, what is shown is harmless, and UTF-8 again', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      for (const line of consoleLines(bytes)) {
        expect(line).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
        expect(consoleLines(toUtf8(line.slice(0, 100)))).toHaveLength(1);
      }
    }),
  );
});
