import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { HallView } from '../hardware-sim/hall/hall-view.ts';
import { lineScreen, pictureScreen } from './demo-screen.ts';

let written = '';
const write = (text: string): void => {
  written += text;
};
let acknowledged = 0;
const view = (): HallView => ({
  seconds: 1,
  belts: [{ label: 'belt-1', acknowledged, repeats: 0 }],
  nodes: [],
  application: { state: 'up', received: 0, dead: 0, redelivered: 0 },
  out: [],
  outages: 0,
});

/** What a terminal shows after these writes: the one control sequence that is used, carried out. */
function shown(): string[] {
  const lines: string[] = [];
  for (const part of written.split('\x1b[0J')) {
    const at = part.lastIndexOf('\x1b[');
    lines.push(...(at < 0 ? part : part.slice(0, at)).split('\n').slice(0, -1));
    if (at >= 0) lines.length -= Number.parseInt(part.slice(at + 2), 10);
  }
  return lines;
}

beforeEach(() => {
  vi.useFakeTimers();
  written = '';
  acknowledged = 0;
});
afterEach(() => {
  vi.useRealTimers();
});

test('the picture is redrawn in place, and what is said stays above it', () => {
  const screen = pictureScreen({ write, columns: 100, rows: 50 });
  screen.say('first');
  screen.show(view);
  const height = shown().length;
  acknowledged = 5;
  vi.advanceTimersByTime(3000);
  expect(shown()).toHaveLength(height);
  expect(shown().join('\n')).toMatch(/5 telegrams/);
  screen.say('second');
  expect(shown().slice(0, 2)).toEqual(['first', 'second']);
  expect(shown()).toHaveLength(height + 1);
  screen.close();
  vi.advanceTimersByTime(10_000);
  screen.say('third');
  expect(shown().at(-1)).toBe('third');
  expect(shown()).toHaveLength(height + 2);
});

test('a narrow window crops, a low one gets one line', () => {
  const narrow = pictureScreen({ write, columns: 20, rows: undefined });
  narrow.show(view);
  expect(Math.max(...shown().map((line) => line.length))).toBeLessThan(20);
  narrow.close();
  written = '';
  const low = pictureScreen({ write, columns: undefined, rows: 5 });
  low.show(view);
  vi.advanceTimersByTime(5000);
  expect(shown()).toHaveLength(1);
  low.close();
});

test('without a terminal: plain lines, now and then', () => {
  const screen = lineScreen(write);
  screen.show(view);
  vi.advanceTimersByTime(6000);
  screen.say('gateway: out for 1.5 s');
  screen.close();
  vi.advanceTimersByTime(6000);
  expect(written.split('\n')).toHaveLength(5);
  expect(written).not.toContain('\x1b');
});
