/**
 * Words from outside for people: LOG packets, and text that stood between packets. They are anybody's bytes, so a terminal that shows
 * them must not obey them.
 *
 *   UTF-8                                          as it is
 *   bytes that are none                            \xHH each
 *   controls, and what turns or hides text         \xHH, \uHHHH, \u{H…}: C0, DEL, C1, format, private, unassigned; a tab is a space
 *   line ends                                      a new line; empty ones are left out
 *   more than 200 characters                       cut, with …
 */
import { fromUtf8 } from '../bytes.ts';
import { LOG_LEVEL } from './packet-layout.ts';

export type ConsoleLevel = 'debug' | 'info' | 'warn' | 'error';

export interface ConsoleLine {
  /** `packet`: in a LOG. `line`: stray text, such as a boot loader's. */
  readonly from: 'packet' | 'line';
  /** As the LOG says it; stray text is `info`. */
  readonly level: ConsoleLevel;
  readonly text: string;
}

/** Of one line. */
export const CONSOLE_LINE_LENGTH_MAX = 200;
const TAB = '\t';
/** Not to be shown as it is: Unicode's "other", and its two separators of lines. */
const HARMFUL = /[\p{C}\u2028\u2029]/u;

/** By the level of a LOG; one of later is shown like `info`. */
export function consoleLevel(level: number): ConsoleLevel {
  if (level === LOG_LEVEL.debug) return 'debug';
  if (level === LOG_LEVEL.warning) return 'warn';
  return level === LOG_LEVEL.error ? 'error' : 'info';
}

/** Lines of text, each harmless and of bounded length. */
export function consoleLines(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  let line = '';
  let length = 0;
  const end = () => {
    if (length > CONSOLE_LINE_LENGTH_MAX) line += ' …';
    if (line.trim() !== '') lines.push(line);
    line = '';
    length = 0;
  };
  for (const character of characters(bytes)) {
    if (character === '\n' || character === '\r') {
      end();
      continue;
    }
    length += 1;
    if (length <= CONSOLE_LINE_LENGTH_MAX) line += shown(character);
  }
  end();
  return lines;
}

/** Code points; a byte that belongs to none is a number, and those behind it get a chance of their own. */
function* characters(bytes: Uint8Array): Generator<string | number> {
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at] ?? 0;
    const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    const character = at + length > bytes.length ? undefined : fromUtf8(bytes.subarray(at, at + length));
    yield character ?? lead;
    at += character === undefined ? 1 : length;
  }
}

function shown(character: string | number): string {
  if (typeof character === 'number') return hexEscape(character);
  if (character === TAB) return ' ';
  if (!HARMFUL.test(character)) return character;
  return hexEscape(character.codePointAt(0) ?? 0);
}

function hexEscape(code: number): string {
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`;
}
