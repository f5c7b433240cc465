/** Text of messages, on a terminal. */

/** Whoever sends a message must not steer the terminal of whoever reads it. */
export function harmless(text: string): string {
  return text.replaceAll('\r\n', '\n').replaceAll(/\p{Cc}/gu, (control) => {
    if (control === '\n' || control === '\t') return control;
    return escaped(control);
  });
}

/** The same, on one line. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, escaped);
}

function escaped(control: string): string {
  switch (control) {
    case '\n':
      return '\\n';
    case '\t':
      return '\\t';
    default:
      return `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`;
  }
}
