/** What reading a piece of outside text gives: a typed value, or what is wrong with it, in words that follow its name and a colon. */
export type ReadResult<T> = { readonly kind: 'ok'; readonly value: T } | Wrong;

export interface Wrong {
  readonly kind: 'wrong';
  readonly reason: string;
}

export function ok<T>(value: T): ReadResult<T> {
  return { kind: 'ok', value };
}

export function wrong(reason: string): Wrong {
  return { kind: 'wrong', reason };
}

/** Longest piece of foreign text that a message repeats, in characters. */
const PRINTABLE_LENGTH_MAX = 80;
/** Control characters, separators that break lines, characters without a width or a place of their own, halves of pairs. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Foreign text as it may stand in a message: on one line, nothing in it that a terminal obeys, not without end. */
export function printable(text: string): string {
  const cut = text.length > PRINTABLE_LENGTH_MAX ? `${text.slice(0, PRINTABLE_LENGTH_MAX)}…` : text;
  return cut.replaceAll(UNPRINTABLE, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}

export function quoted(text: string): string {
  return `'${printable(text)}'`;
}
