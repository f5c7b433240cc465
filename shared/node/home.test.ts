import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { homeOf } from './home.ts';

let folder: string;
let ring: string;
let machineId: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringmail-home-'));
  ring = join(folder, 'a.ring');
  machineId = join(folder, 'machine-id');
  writeFileSync(ring, 'ring');
  writeFileSync(machineId, '0123456789abcdef\n');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe.each(['a machine with an id', 'a machine without one'])('on %s', (machine) => {
  beforeEach(() => {
    if (machine === 'a machine without one') rmSync(machineId);
  });

  test('a copy has another home', () => {
    const copy = join(folder, 'copy.ring');
    copyFileSync(ring, copy);
    expect(homeOf(ring, machineId)).toMatch(/^(0123456789abcdef)?\/\d+$/);
    expect(homeOf(copy, machineId)).not.toBe(homeOf(ring, machineId));
  });

  test('a file that was written to, or has another name, is at home', () => {
    const before = homeOf(ring, machineId);
    writeFileSync(ring, 'more');
    expect(homeOf(ring, machineId)).toBe(before);
    const moved = join(folder, 'moved.ring');
    renameSync(ring, moved);
    expect(homeOf(moved, machineId)).toBe(before);
  });
});

test('another machine is another home', () => {
  const before = homeOf(ring, machineId);
  writeFileSync(machineId, 'fedcba9876543210\n');
  expect(homeOf(ring, machineId)).not.toBe(before);
});

test('of a file that is not there nothing is known', () => {
  expect(homeOf(join(folder, 'absent.ring'), machineId)).toBeUndefined();
});
