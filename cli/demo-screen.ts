/**
 * What people see while a hall runs: on a terminal a picture that is redrawn in place, elsewhere a line now and then. What happens is
 * told above the picture, or between the lines.
 */

import { lineOf, pictureOf } from '../hardware-sim/hall/hall-picture.ts';
import type { HallView } from '../hardware-sim/hall/hall-view.ts';

const PICTURE_MS = 1_000;
const LINE_MS = 2_000;
/** A terminal that does not say how wide it is. */
const COLUMNS_DEFAULT = 80;

export interface Screen {
  /** A line that stays. */
  say(text: string): void;
  /** Shows a hall, again and again. */
  show(view: () => HallView): void;
  /** What was shown last stays; nothing more comes. */
  close(): void;
}

export interface Terminal {
  readonly write: (text: string) => void;
  readonly columns: number | undefined;
  /** Undefined: high enough. */
  readonly rows: number | undefined;
}

/** Lines for a log. */
export function lineScreen(write: (text: string) => void): Screen {
  let timer: ReturnType<typeof setInterval> | undefined;
  return {
    say: (text) => write(`${text}\n`),
    show: (view) => {
      timer = setInterval(() => write(`${lineOf(view())}\n`), LINE_MS);
    },
    close: () => clearInterval(timer),
  };
}

/** A picture on a terminal that has room for it, else lines. `terminal` is asked at every drawing: windows are resized. */
export function pictureScreen(terminal: Terminal): Screen {
  let timer: ReturnType<typeof setInterval> | undefined;
  let view: (() => HallView) | undefined;
  let drawn = 0;
  const draw = (): void => {
    if (view === undefined) return;
    const cropped = (line: string): string => line.slice(0, (terminal.columns ?? COLUMNS_DEFAULT) - 1);
    const picture = pictureOf(view());
    const lines = picture.length < (terminal.rows ?? Number.POSITIVE_INFINITY) ? picture : [lineOf(view())];
    terminal.write(`${erase()}${lines.map((line) => `${cropped(line)}\n`).join('')}`);
    drawn = lines.length;
  };
  /** Moves back to where the picture begins and clears from there. */
  const erase = (): string => {
    const text = drawn === 0 ? '' : `\x1b[${drawn}A\x1b[0J`;
    drawn = 0;
    return text;
  };
  return {
    say: (text) => {
      terminal.write(`${erase()}${text}\n`);
      draw();
    },
    show: (shown) => {
      view = shown;
      timer = setInterval(draw, PICTURE_MS);
      draw();
    },
    close: () => {
      clearInterval(timer);
      draw();
      view = undefined;
      drawn = 0;
    },
  };
}
