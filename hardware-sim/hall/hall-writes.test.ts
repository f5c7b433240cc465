import { describe, expect, test } from 'vitest';
import { otherFramesMax, writeProblems } from './hall-writes.ts';

const LEDGER = { accepted: 2_000, deadLettered: 10, outages: 0, seconds: 20 };
const box = (more: object = {}) => ({
  role: 'node' as const,
  name: 'node',
  stored: LEDGER.accepted,
  framesWritten: LEDGER.accepted,
  openings: 1,
  ...more,
});

describe('a box with belts and an uplink', () => {
  test('may write one frame for each telegram, and fewer: telegrams of the same moment share one', () => {
    expect(writeProblems([box()], LEDGER)).toEqual([]);
    expect(writeProblems([box({ framesWritten: 1_200 })], LEDGER)).toEqual([]);
  });

  test('is red when it stored a telegram twice, or one too few', () => {
    expect(writeProblems([box({ stored: 2_001 })], LEDGER)).toEqual([
      'node stored 2001 messages for 2000 acknowledged telegrams',
    ]);
    expect(writeProblems([box({ stored: 1_999 })], LEDGER)).toHaveLength(1);
  });

  test('is red when each telegram took two writes', () => {
    expect(writeProblems([box({ framesWritten: 2 * LEDGER.accepted })], LEDGER)).toEqual([
      expect.stringMatching(/^node wrote 4000 frames for 2000 acknowledged telegrams, \d+ at most are right$/),
    ]);
  });

  test('is red from one frame above the bound on', () => {
    const framesMax = LEDGER.accepted + otherFramesMax(LEDGER, 1);
    expect(writeProblems([box({ framesWritten: framesMax })], LEDGER)).toEqual([]);
    expect(writeProblems([box({ framesWritten: framesMax + 1 })], LEDGER)).toHaveLength(1);
  });

  test('is red when nobody saw it write', () => {
    expect(writeProblems([box({ framesWritten: 0 })], LEDGER)).toEqual(['node was never seen to write a frame']);
  });
});

test('what stores no telegram is bounded: 20 freeing frames a second, the dead letters, and fresh starts', () => {
  const nothing = { deadLettered: 0, outages: 0, seconds: 0 };
  const base = otherFramesMax(nothing, 0);
  expect(otherFramesMax({ ...nothing, seconds: 10 }, 0) - base).toBe(200);
  expect(otherFramesMax({ ...nothing, deadLettered: 7 }, 0) - base).toBe(7);
  expect(otherFramesMax({ ...nothing, outages: 2 }, 3) - base).toBe(5 * 16);
  expect(base).toBe(100);
});

test('nodes of other roles are not looked at: a gateway stores what devices stored', () => {
  for (const role of ['device', 'gateway', 'central'] as const) {
    expect(writeProblems([box({ role, stored: 1, framesWritten: 99_999 })], LEDGER)).toEqual([]);
  }
});
