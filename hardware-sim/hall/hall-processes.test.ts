import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { HallProcess } from './hall-processes.ts';

let folder: string;
let running: HallProcess[];
const troubles: string[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringmail-'));
  running = [];
  troubles.length = 0;
});
afterEach(async () => {
  await Promise.all(running.map((one) => one.kill()));
  rmSync(folder, { recursive: true });
});

/** A program that appends a line when it is up and does `more`. */
function program(more: string): HallProcess {
  const script = join(folder, 'program.mjs');
  writeFileSync(script, `console.log('up'); ${more}`);
  const options = { name: 'gateway', args: [script], directory: folder, logPath: join(folder, 'log') };
  const one = new HallProcess({ ...options, onTrouble: (text) => troubles.push(text) });
  running.push(one);
  return one;
}
const log = (): string => readFileSync(join(folder, 'log'), 'utf8');
const starts = (count: number) => vi.waitFor(() => expect(log().split('up\n')).toHaveLength(count + 1), 10_000);
const WAITS = 'setInterval(() => {}, 1000);';

test('killed on purpose it stays away until it is started, and nobody is told', async () => {
  const one = program(WAITS);
  one.start();
  await starts(1);
  expect(one.isUp).toBe(true);
  expect(await one.kill()).toBe('broken');
  expect(one.isUp).toBe(false);
  expect(await one.kill()).toBe('was down');
  one.start();
  await starts(2);
  await one.stop();
  expect([one.isUp, one.deaths, troubles]).toEqual([false, 0, []]);
});

test('one that ends by itself is told with its last words, and started again', async () => {
  const one = program("console.error('RING_LOCKED'); setTimeout(() => process.exit(5), 50);");
  one.start();
  await starts(2);
  await one.kill();
  expect(troubles[0]).toBe('gateway ended by itself (exit code 5): RING_LOCKED; starting it again');
  expect(one.deaths).toBeGreaterThan(0);
});

test.skipIf(process.platform !== 'linux')('Ctrl-C is not for it: it is in a session of its own', async () => {
  const session = "(await import('node:fs')).readFileSync('/proc/self/stat', 'utf8').split(' ')[5]";
  const one = program(`console.log(${session} === String(process.pid)); ${WAITS}`);
  one.start();
  await vi.waitFor(() => expect(log()).toMatch(/true/), 10_000);
});
