/** Tables that fit a terminal. */
import { oneLine } from './plain-text.ts';

export interface Column {
  readonly head: string;
  readonly align?: 'right';
  /** Gives way when the table is too wide: its texts are cut, and end in `…`. */
  readonly cut?: 'long';
}

const WIDTH = 80;
const GAP = '  ';
/** What is left of a column that gives way. */
const CUT_MIN = 8;

/** Lines of at most 80 characters, as long as what does not give way leaves room. Texts are shown on one line each. */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const all = [columns.map(({ head }) => head), ...rows.map((row) => row.map(oneLine))];
  const widths = columns.map((_, at) => Math.max(...all.map((row) => lengthOf(row[at] ?? ''))));
  const tooWide = widths.reduce((sum, width) => sum + width, GAP.length * (columns.length - 1)) - WIDTH;
  const givesWay = columns.flatMap(({ cut }, at) => (cut === 'long' ? [at] : []));
  share(widths, givesWay, tooWide);
  return all.map((row) =>
    columns
      .map(({ align }, at) => {
        const text = cutTo(row[at] ?? '', widths[at] ?? 0);
        const space = ' '.repeat((widths[at] ?? 0) - lengthOf(text));
        return align === 'right' ? `${space}${text}` : `${text}${space}`;
      })
      .join(GAP)
      .trimEnd(),
  );
}

/** Takes what is too much from the widest first. */
function share(widths: number[], givesWay: readonly number[], tooWide: number): void {
  for (let left = tooWide; left > 0; left--) {
    const widest = givesWay.reduce<number | undefined>((best, at) => {
      const isWider = best === undefined || (widths[at] ?? 0) > (widths[best] ?? 0);
      return isWider ? at : best;
    }, undefined);
    if (widest === undefined || (widths[widest] ?? 0) <= CUT_MIN) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

function lengthOf(text: string): number {
  return [...text].length;
}

function cutTo(text: string, width: number): string {
  const letters = [...text];
  return letters.length <= width ? text : `${letters.slice(0, width - 1).join('')}…`;
}
