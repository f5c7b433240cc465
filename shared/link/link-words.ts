/**
 * What a link has to say to people, and what the other side says to them. Two valves: a console that talks without end holds back
 * itself, and no warning of ours.
 */
import { type ConsoleLine, consoleLines } from './console-text.ts';
import { CONSOLE_BURST_MAX, LOG_BURST_MAX, LogValve } from './log-valve.ts';

export type LinkWord =
  | { readonly kind: 'log'; readonly level: 'info' | 'warn'; readonly text: string }
  | ({ readonly kind: 'console' } & ConsoleLine);

export class LinkWords {
  readonly #logValve = new LogValve(LOG_BURST_MAX);
  readonly #consoleValve = new LogValve(CONSOLE_BURST_MAX);

  /** Of this side: as one word, or none when there were too many. */
  log(level: 'info' | 'warn', text: string, nowMs: number): LinkWord[] {
    const passed = this.#logValve.pass(text, nowMs);
    return passed === undefined ? [] : [{ kind: 'log', level, text: passed }];
  }

  /** Of the other side: any bytes, as lines. */
  console(said: Omit<ConsoleLine, 'text'> & { readonly bytes: Uint8Array }, nowMs: number): LinkWord[] {
    const { from, level, bytes } = said;
    return consoleLines(bytes).flatMap((line) => {
      const text = this.#consoleValve.pass(line, nowMs);
      return text === undefined ? [] : [{ kind: 'console', from, level, text }];
    });
  }
}
