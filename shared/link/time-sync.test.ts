import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TIME_MS_MAX, TIME_SAMPLES_MAX, TimeSync } from './time-sync.ts';
import { KNOWN_SINCE_US, toldTimeUs } from './wall-time.ts';

const THEIRS_US = 1_790_000_000_000_000;

/** Asks at `nowMs`, is answered by a clock that is `THEIRS_US` ahead of ours, after these ways and that wait. */
function exchange(
  sync: TimeSync,
  at: { nowMs: number; thereMs: number; backMs: number; heldMs?: number; aheadUs?: number },
): void {
  const { nowMs, thereMs, backMs, heldMs = 0, aheadUs = THEIRS_US } = at;
  const { id, t1Us } = sync.ask(nowMs);
  const t2Us = Math.floor(1_000 * (nowMs + thereMs) + aheadUs);
  const t3Us = Math.floor(t2Us + 1_000 * heldMs);
  expect(sync.answered({ kind: 'time-response', id, t1Us, t2Us, t3Us }, nowMs + thereMs + heldMs + backMs)).toBe(true);
}

function begun(): TimeSync {
  const sync = new TimeSync();
  sync.begin('peer', 0);
  return sync;
}

describe('the offset', () => {
  test('is right to the microsecond when both ways take equally long, whatever the other side waited', () => {
    const sync = begun();
    exchange(sync, { nowMs: 5_000, thereMs: 20, backMs: 20, heldMs: 333 });
    expect(sync.offset(5_373_000, 5_373)).toEqual({ offsetUs: THEIRS_US, qualityUs: 20_001 });
  });

  test('is of our wall clock as it stands: one that was set since is told the new difference', () => {
    const sync = begun();
    exchange(sync, { nowMs: 5_000, thereMs: 1, backMs: 1 });
    const ours = 5_002_000 + THEIRS_US;
    expect(sync.offset(ours, 5_002)?.offsetUs).toBe(0);
    expect(sync.offset(ours - 7_000_000, 5_002)?.offsetUs).toBe(7_000_000);
  });

  test('is never more wrong than it says, whatever the ways', () => {
    const way = fc.double({ min: 0, max: 900, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(way, way, way), { minLength: 1, maxLength: 20 }), (ways) => {
        const sync = begun();
        let nowMs = 10;
        for (const [thereMs, backMs, heldMs] of ways) {
          exchange(sync, { nowMs, thereMs, backMs, heldMs });
          nowMs += 4_000;
        }
        const told = sync.offset(0, nowMs);
        expect(Math.abs((told?.offsetUs ?? 0) - THEIRS_US - Math.round(1_000 * nowMs))).toBeLessThanOrEqual(told?.qualityUs ?? 0);
      }),
    );
  });

  test('is the one of the quickest answer', () => {
    const sync = begun();
    exchange(sync, { nowMs: 0, thereMs: 400, backMs: 10 });
    exchange(sync, { nowMs: 1_000, thereMs: 2, backMs: 2 });
    exchange(sync, { nowMs: 2_000, thereMs: 10, backMs: 400 });
    const told = sync.offset(2_410_000, 2_410);
    expect(told?.offsetUs).toBe(THEIRS_US);
    expect(told?.qualityUs).toBeLessThan(2_100);
  });

  test('of the last eight: a quick one of long ago is forgotten', () => {
    const sync = begun();
    exchange(sync, { nowMs: 0, thereMs: 1, backMs: 1 });
    for (let i = 1; i < TIME_SAMPLES_MAX; i++) exchange(sync, { nowMs: 1_000 * i, thereMs: 90, backMs: 90 });
    expect(sync.offset(0, 8_000)?.qualityUs).toBeLessThan(2_000);
    exchange(sync, { nowMs: 8_000, thereMs: 90, backMs: 90 });
    expect(sync.offset(0, 8_180)?.qualityUs).toBeGreaterThan(90_000);
  });

  test('grows worse with its age, until a slower answer is the better one', () => {
    const sync = begun();
    exchange(sync, { nowMs: 0, thereMs: 1, backMs: 1 });
    expect(sync.offset(0, 1_000_000)?.qualityUs).toBeCloseTo(1_000 + 50_000, -3);
    exchange(sync, { nowMs: 1_000_000, thereMs: 20, backMs: 20 });
    expect(sync.offset(0, 1_000_040)?.qualityUs).toBeLessThan(20_100);
  });

  test('follows a clock over there that was set', () => {
    const sync = begun();
    exchange(sync, { nowMs: 0, thereMs: 1, backMs: 1 });
    exchange(sync, { nowMs: 1_000, thereMs: 90, backMs: 90, aheadUs: THEIRS_US + 3_600_000_000 });
    expect(sync.offset(1_180_000, 1_180)?.offsetUs).toBe(THEIRS_US + 3_600_000_000);
  });

  test('comes with the WELCOME, as good as the wait for it', () => {
    const sync = begun();
    sync.welcomed({ askedAtMs: 1_000, atMs: 1_500, unixTimeUs: THEIRS_US + 1_200_000 });
    const told = sync.offset(1_500_000, 1_500);
    expect(told?.qualityUs).toBe(250_001);
    expect(Math.abs((told?.offsetUs ?? 0) - THEIRS_US)).toBeLessThanOrEqual(250_001);
  });
});

describe('is not believed', () => {
  const good = { t2Us: THEIRS_US, t3Us: THEIRS_US + 5 };
  test.each<[string, { t2Us: number; t3Us: number; t1Us?: number; id?: number }]>([
    ['a side that does not know the time', { t2Us: 0, t3Us: 0 }],
    ['a clock that was never set', { t2Us: KNOWN_SINCE_US - 1, t3Us: KNOWN_SINCE_US - 1 }],
    ['one that was set in the middle', { t2Us: 5, t3Us: THEIRS_US }],
    ['one that goes back', { t2Us: THEIRS_US, t3Us: THEIRS_US - 1 }],
    ['one that held the question longer than we waited', { t2Us: THEIRS_US, t3Us: THEIRS_US + 60_000_000 }],
    ['the answer to another question', { ...good, id: 77 }],
    ['an answer that quotes us wrongly', { ...good, t1Us: 1 }],
  ])('%s', (_name, answer) => {
    const sync = begun();
    const asked = sync.ask(1_000);
    expect(sync.answered({ kind: 'time-response', ...asked, ...answer }, 1_050)).toBe(false);
    expect(sync.offset(0, 1_050)).toBeUndefined();
  });

  test('the second answer to a question', () => {
    const sync = begun();
    const answer = { kind: 'time-response' as const, ...sync.ask(1_000), ...good };
    expect(sync.answered(answer, 1_050)).toBe(true);
    expect(sync.answered(answer, 1_060)).toBe(false);
  });

  test('a WELCOME that names no time', () => {
    const sync = begun();
    sync.welcomed({ askedAtMs: 0, atMs: 10, unixTimeUs: 0 });
    expect(sync.offset(0, 10)).toBeUndefined();
  });
});

describe('questions', () => {
  test('are rare: ten in the first quarter of an hour, then seven an hour', () => {
    const sync = begun();
    const asked: number[] = [];
    for (let nowMs = 0; nowMs < 4 * 3_600_000; nowMs += 500) if (sync.isDue(nowMs)) asked.push(nowMs);
    expect(asked.slice(0, 5)).toEqual([1_000, 3_000, 7_000, 15_000, 31_000]);
    expect(asked.filter((atMs) => atMs < 900_000).length).toBeLessThanOrEqual(10);
    expect(asked.filter((atMs) => atMs >= 3_600_000).length).toBe(3 * 7);
    expect((asked.at(-1) ?? 0) - (asked.at(-2) ?? 0)).toBe(TIME_MS_MAX);
  });

  test('do not begin anew with every session of the same store, and what was learnt stays', () => {
    const sync = begun();
    for (let nowMs = 0; nowMs < 40_000; nowMs += 500) sync.isDue(nowMs);
    exchange(sync, { nowMs: 40_000, thereMs: 1, backMs: 1 });
    sync.begin('peer', 50_000);
    expect(sync.isDue(51_000)).toBe(false);
    expect(sync.offset(0, 50_000)).toBeDefined();
    sync.begin('another', 52_000);
    expect(sync.offset(0, 52_000)).toBeUndefined();
    expect(sync.isDue(53_000)).toBe(true);
  });
});

test.each([
  [undefined, 0],
  [0, 0],
  [300_000_000, 0],
  [KNOWN_SINCE_US, KNOWN_SINCE_US],
  [THEIRS_US + 0.5, THEIRS_US],
])('a clock at %s says %i', (wallUs, told) => {
  expect(toldTimeUs(wallUs)).toBe(told);
});
